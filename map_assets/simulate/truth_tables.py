"""Makes the tables of a session's truth. Where they are kept, and what is in which file, stands in `truth`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from map_assets.simulate.atlas import OUTSIDE, REGIONS, Volume
from map_assets.simulate.bitcode import SeenTrials, code_start_s
from map_assets.simulate.blueprint import TARGETS, SessionPlan
from map_assets.simulate.clocks import ProbeClock
from map_assets.simulate.kilosort import Clusters
from map_assets.simulate.neurons import EPOCHS, SIDES, Neurons, Trains
from map_assets.simulate.probes import MODELS
from map_assets.simulate.tracks import Track
from map_assets.simulate.trial import STIM_DURATION_S, STIM_POWER_MW, STIM_SITES, TICKS_PER_S, Trial

EVENTS = {
    "PreSamplePeriod": "presample",
    "SamplePeriod": "sample",
    "DelayPeriod": "delay",
    "ResponseCue": "go",
    "TrialEnd": "trialend",
}
_WHOLE, _REAL, _TEXT, _FLAG = pa.int64(), pa.float64(), pa.string(), pa.bool_()
_RATES = [(f"{epoch}_{side}_hz", _REAL) for epoch in EPOCHS for side in SIDES]
_CCF = [("ccf_ap_um", _REAL), ("ccf_dv_um", _REAL), ("ccf_ml_um", _REAL)]
SCHEMAS: dict[str, pa.Schema] = {
    "trials": pa.schema(
        [
            *(("trial", _WHOLE), ("start_s", _REAL), ("stop_s", _REAL), ("instruction", _TEXT), ("outcome", _TEXT)),
            *(("early_lick", _FLAG), ("is_auto_water", _FLAG), ("is_free_water", _FLAG)),
            *(("sample_s", _REAL), ("delay_s", _REAL), ("go_s", _REAL)),
            *(("n_samples", _WHOLE), ("n_delays", _WHOLE), ("n_go_cues", _WHOLE), ("stim_code", _WHOLE)),
            *(("photostim_onset_s", _REAL), ("photostim_duration_s", _REAL), ("photostim_power_mw", _REAL)),
            *(("photostim_site", _TEXT), ("bitcode", _TEXT), ("bitcode_start_s", _REAL), ("is_in_behavior", _FLAG)),
        ]
    ),
    "trial_events": pa.schema([("trial", _WHOLE), ("event", _TEXT), ("start_s", _REAL), ("duration_s", _REAL)]),
    "licks": pa.schema([("trial", _WHOLE), ("time_s", _REAL), ("port", _TEXT)]),
    "probes": pa.schema(
        [
            *(("probe", _WHOLE), ("serial_number", _TEXT), ("part_number", _TEXT), ("model", _TEXT)),
            *(("target", _TEXT), ("sample_rate_hz", _REAL), ("n_samples", _WHOLE), ("offset_s", _REAL)),
            *(("drift_ppm", _REAL), ("observed_from_s", _REAL), ("observed_to_s", _REAL), ("is_curated", _FLAG)),
            *(("n_units", _WHOLE), ("n_spikes", _WHOLE)),
            *((f"{place}_{axis}_um", _REAL) for place in ("tip_ccf", "entry_ccf") for axis in ("ap", "dv", "ml")),
        ]
    ),
    "ephys_trials": pa.schema(
        [
            *(("probe", _WHOLE), ("ephys_trial", _WHOLE), ("trial", _WHOLE), ("bitcode", _TEXT)),
            *(("start_samples", _REAL), ("go_samples", _REAL)),
        ]
    ),
    "electrodes": pa.schema(
        [
            *(("probe", _WHOLE), ("electrode", _WHOLE), ("channel", _WHOLE), ("shank", _WHOLE)),
            *(("x_um", _REAL), ("y_um", _REAL), ("is_used", _FLAG), *_CCF, ("region_id", _WHOLE), ("region", _TEXT)),
        ]
    ),
    "units": pa.schema(
        [
            *(("probe", _WHOLE), ("unit_id", _WHOLE), ("label", _TEXT), ("electrode", _WHOLE), ("channel", _WHOLE)),
            *(("region_id", _WHOLE), ("region", _TEXT), ("amplitude_uv", _REAL), ("snr", _REAL)),
            *(("n_spikes", _WHOLE), ("preferred", _TEXT), ("photostim_factor", _REAL), *_RATES),
        ]
    ),
    "spikes": pa.schema([("probe", _WHOLE), ("unit_id", _WHOLE), ("samples", pa.list_(_WHOLE))]),
}
TABLES = tuple(SCHEMAS)


@dataclass(frozen=True)
class ProbeTruth:
    """All that is true of one probe."""

    number: int
    clock: ProbeClock
    track: Track
    seen: SeenTrials
    neurons: Neurons
    clusters: Clusters
    trains: Trains


def make_tables(
    plan: SessionPlan, trials: Sequence[Trial], n_in_file: int, probes: Sequence[ProbeTruth], volume: Volume
) -> dict[str, pa.Table]:
    """Make every table of a session's truth; `n_in_file` trials are in the behaviour file."""
    rows: dict[str, list[dict[str, Any]]] = {
        "trials": [_trial(trial, plan, is_in_file=trial.trial <= n_in_file) for trial in trials],
        "trial_events": [row for trial in trials for row in _events(trial)],
        "licks": [
            {"trial": trial.trial, "time_s": trial.at_s(lick.start), "port": lick.side}
            for trial in trials
            for lick in trial.licks
        ],
        "probes": [_probe(plan, probe) for probe in probes],
    }
    columns = {
        "ephys_trials": [_ephys_trials(probe) for probe in probes],
        "electrodes": [_electrodes(plan, probe, volume) for probe in probes],
        "units": [_units(plan, probe) for probe in probes],
        "spikes": [_spikes(probe) for probe in probes],
    }
    tables = {name: pa.Table.from_pylist(found, SCHEMAS[name]) for name, found in rows.items()}
    return tables | {name: _stack(name, found) for name, found in columns.items()}


def _stack(name: str, found: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Put the probes' columns under one another; a probe's number comes first."""
    schema = SCHEMAS[name]
    tables = [
        pa.table({field.name: pa.array(one[field.name], field.type, from_pandas=True) for field in schema}, schema)
        for one in found
    ]
    return pa.concat_tables(tables) if tables else schema.empty_table()


def _trial(trial: Trial, plan: SessionPlan, *, is_in_file: bool) -> dict[str, Any]:
    onset_s = trial.last_s("DelayPeriod") if trial.stim_code in STIM_SITES else None
    is_lit = onset_s is not None
    return {
        "trial": trial.trial,
        "start_s": trial.start_s,
        "stop_s": trial.at_s(trial.of("TrialEnd")[0].entry),
        "instruction": trial.instruction,
        "outcome": trial.outcome,
        "early_lick": plan.protocol_type >= 5 and bool(trial.of("EarlyLickSample", "EarlyLickDelay")),
        "is_auto_water": trial.autowater == 1 or any(trial.gave_free_reward),
        "is_free_water": trial.is_free_water,
        "sample_s": trial.last_s("SamplePeriod"),
        "delay_s": trial.last_s("DelayPeriod"),
        "go_s": trial.last_s("ResponseCue"),
        "n_samples": len(trial.of("SamplePeriod")),
        "n_delays": len(trial.of("DelayPeriod")),
        "n_go_cues": len(trial.of("ResponseCue")),
        "stim_code": trial.stim_code,
        "photostim_onset_s": onset_s,
        "photostim_duration_s": STIM_DURATION_S if is_lit else None,
        "photostim_power_mw": STIM_POWER_MW if is_lit else None,
        "photostim_site": STIM_SITES[trial.stim_code] if is_lit else None,
        "bitcode": trial.bitcode,
        "bitcode_start_s": code_start_s(trial),
        "is_in_behavior": is_in_file,
    }


def _events(trial: Trial) -> list[dict[str, Any]]:
    return [
        {
            "trial": trial.trial,
            "event": EVENTS[visit.state],
            "start_s": trial.at_s(visit.entry),
            "duration_s": (visit.exit - visit.entry) / TICKS_PER_S,
        }
        for visit in trial.of(*EVENTS)
    ]


def _probe(plan: SessionPlan, probe: ProbeTruth) -> dict[str, Any]:
    made = plan.probes[probe.number - 1]
    clock, track = probe.clock, probe.track
    places = {"tip_ccf": track.tip_ccf_um, "entry_ccf": track.entry_ccf_um}
    return {
        "probe": probe.number,
        "serial_number": made.serial_number,
        "part_number": MODELS[made.model].part_number,
        "model": made.model,
        "target": TARGETS[made.target].brain_area,
        "sample_rate_hz": clock.sample_rate_hz,
        "n_samples": clock.n_samples,
        "offset_s": clock.offset_s,
        "drift_ppm": clock.drift_ppm,
        "observed_from_s": clock.session_span_s[0],
        "observed_to_s": clock.session_span_s[1],
        "is_curated": made.is_curated,
        "n_units": len(probe.neurons.label),
        "n_spikes": len(probe.trains.samples),
        **{
            f"{place}_{axis}_um": float(value)
            for place, point in places.items()
            for axis, value in zip(("ap", "dv", "ml"), point, strict=True)
        },
    }


def _ephys_trials(probe: ProbeTruth) -> dict[str, Any]:
    seen = probe.seen
    n = len(seen.trial)
    return {
        "probe": [probe.number] * n,
        "ephys_trial": np.arange(1, n + 1),
        "trial": seen.trial,
        "bitcode": seen.code,
        "start_samples": seen.start_samples,
        "go_samples": seen.go_samples,
    }


def _electrodes(plan: SessionPlan, probe: ProbeTruth, volume: Volume) -> dict[str, Any]:
    sites = MODELS[plan.probes[probe.number - 1].model].sites()
    ccf_um = probe.track.of(sites)
    region_id = volume.region_ids(ccf_um)
    n = len(sites.electrode)
    return {
        "probe": [probe.number] * n,
        "electrode": sites.electrode,
        "channel": np.arange(n),
        "shank": sites.shank,
        "x_um": sites.x_um,
        "y_um": sites.y_um,
        "is_used": sites.is_used,
        "ccf_ap_um": ccf_um[:, 0],
        "ccf_dv_um": ccf_um[:, 1],
        "ccf_ml_um": ccf_um[:, 2],
        "region_id": region_id,
        "region": [REGIONS.get(int(one), OUTSIDE).acronym for one in region_id],
    }


def _units(plan: SessionPlan, probe: ProbeTruth) -> dict[str, Any]:
    neurons = probe.neurons
    sites = MODELS[plan.probes[probe.number - 1].model].sites()
    rates = neurons.rate_hz.reshape(len(neurons.label), -1).T
    return {
        "probe": [probe.number] * len(neurons.label),
        "unit_id": probe.clusters.cluster_id,
        "label": neurons.label,
        "electrode": sites.electrode[neurons.channel],
        "channel": neurons.channel,
        "region_id": neurons.region_id,
        "region": [REGIONS.get(int(one), OUTSIDE).acronym for one in neurons.region_id],
        "amplitude_uv": neurons.amplitude_uv,
        "snr": neurons.snr,
        "n_spikes": probe.trains.n_spikes,
        "preferred": neurons.preferred,
        "photostim_factor": neurons.photostim_factor,
        **{name: column for (name, _), column in zip(_RATES, rates, strict=True)},
    }


def _spikes(probe: ProbeTruth) -> dict[str, Any]:
    trains = probe.trains
    return {
        "probe": [probe.number] * len(trains.n_spikes),
        "unit_id": probe.clusters.cluster_id,
        "samples": pa.ListArray.from_arrays(pa.array(trains.first.astype(np.int32)), pa.array(trains.samples)),
    }
