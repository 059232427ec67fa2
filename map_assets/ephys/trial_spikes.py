"""Where each trial's spikes stand in each unit's train: an index, no copy of spikes. Aligning to events lives with the analyses.

A trial's interval runs from its start to the start of the next row of `trials` (skipped trials have no row, so their
time belongs to the kept trial before them), the last one's to its own stop. A spike on a boundary belongs to the trial
that starts there. Only trials that the probe saw whole are listed: those whose code was matched and whose interval
lies within the recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.ephys.tables import TRIAL_SPIKES
from map_assets.vocabulary.clock import ClockMap

_SAMPLE_DIGITS = 3
"""Edges are exact to a thousandth of a sample: below it are only the roundings of the way through the clock map."""


@dataclass(frozen=True)
class Intervals:
    """Trials that a probe saw whole, on its own clock; arrays of shape (t,).

    Parameters
    ----------
    trial : numpy.ndarray of int
    first_sample, stop_sample : numpy.ndarray of int
        First sample of the trial and first sample after it.
    """

    trial: NDArray[np.int64]
    first_sample: NDArray[np.int64]
    stop_sample: NDArray[np.int64]


def make_trial_spikes(
    session: str, spikes: pa.Table, trials: pa.Table, clock_maps: pa.Table, probes: pa.Table
) -> pa.Table:
    """Index every unit's spikes by trial.

    Parameters
    ----------
    session : str
        Session key.
    spikes, trials, clock_maps, probes : pyarrow.Table
        A probe without a clock map, without anchors or without a rate has no rows.

    Returns
    -------
    pyarrow.Table
        `trial_spikes`: a row for each unit and observed trial, silent ones too.
    """
    clocks = {row["probe"]: row for row in clock_maps.to_pylist()}
    rates = dict(zip(probes["probe"].to_pylist(), probes["sample_rate_hz"].to_pylist(), strict=True))
    trials = trials.sort_by("trial")
    parts = [TRIAL_SPIKES.empty()]
    for probe in sorted(set(spikes["probe"].to_pylist())):
        clock, rate_hz = clocks.get(probe), rates.get(probe)
        if clock is None or clock["offset_s"] is None or rate_hz is None:
            continue
        trains = spikes.filter(pc.equal(spikes["probe"], probe))
        parts.append(_indexed(session, probe, trains, observed_intervals(trials, clock, rate_hz)))
    return pa.concat_tables(parts)


def observed_intervals(trials: pa.Table, clock: dict[str, Any], sample_rate_hz: float) -> Intervals:
    """Carry the trials that a probe saw whole onto its samples.

    Parameters
    ----------
    trials : pyarrow.Table
        In order of the trials.
    clock : dict
        The probe's row of `clock_maps`, with anchors.
    sample_rate_hz : float
        The probe's nominal rate.
    """
    start_s = trials["start_s"].to_numpy()
    stop_s = np.r_[start_s[1:], trials["stop_s"].to_numpy()[-1:]]
    trial = trials["trial"].to_numpy()
    is_seen = np.isin(trial, clock["matched_trials"]) & (start_s >= clock["observed_from_s"])
    if clock["observed_to_s"] is not None:
        is_seen &= stop_s <= clock["observed_to_s"]
    edges_s = ClockMap(clock["offset_s"], clock["drift_ppm"]).probe_s(np.stack([start_s[is_seen], stop_s[is_seen]]))
    first, stop = np.ceil(np.round(edges_s * sample_rate_hz, _SAMPLE_DIGITS)).astype(np.int64)
    return Intervals(trial[is_seen].astype(np.int64), first, stop)


def _indexed(session: str, probe: int, trains: pa.Table, intervals: Intervals) -> pa.Table:
    """Search the intervals' edges in each train; the trains are read where they lie."""
    samples = trains["samples"].combine_chunks()
    values, offsets = samples.values.to_numpy(), samples.offsets.to_numpy()
    n_units, n_trials = len(samples), len(intervals.trial)
    edges, place = np.unique(np.concatenate([intervals.first_sample, intervals.stop_sample]), return_inverse=True)
    found = np.empty((n_units, len(edges)), np.int64)
    for unit in range(n_units):
        found[unit] = np.searchsorted(values[offsets[unit] : offsets[unit + 1]], edges)
    first, stop = found[:, place[:n_trials]], found[:, place[n_trials:]]
    n_rows = n_units * n_trials
    return TRIAL_SPIKES.from_columns(
        {
            "session": pa.repeat(session, n_rows),
            "probe": np.full(n_rows, probe),
            "unit_id": np.repeat(trains["unit_id"].to_numpy(), n_trials),
            "trial": np.tile(intervals.trial, n_units),
            "first_spike": first.ravel(),
            "n_spikes": (stop - first).ravel(),
        }
    )
