"""A small made-up session as tables, for the tests of the analyses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest

from map_assets.behavior.tables import TRIALS
from map_assets.ephys.tables import CLOCK_MAPS, PROBES, SPIKES, TRIAL_SPIKES, UNITS

SESSION = "SC022_20190228_151010"
RATE_HZ = 30000.0


@dataclass
class Made:
    """The six tables that an analysis reads."""

    units: pa.Table
    spikes: pa.Table
    trial_spikes: pa.Table
    trials: pa.Table
    clock_maps: pa.Table
    probes: pa.Table

    @property
    def all(self) -> tuple[pa.Table, ...]:
        return self.units, self.spikes, self.trial_spikes, self.trials, self.clock_maps, self.probes


def make_trials(start_s: Sequence[float], **columns: Sequence) -> pa.Table:
    """Trials numbered from 1, each 5 s long with the go cue 2 s in, all left hits, unless a column says otherwise."""
    n = len(start_s)
    start = np.asarray(start_s, float)
    defaults = {
        "session": [SESSION] * n,
        "trial": np.arange(1, n + 1),
        "start_s": start,
        "stop_s": start + 5,
        "until_s": np.r_[start[1:], start[-1:] + 5],
        "instruction": ["left"] * n,
        "outcome": ["hit"] * n,
        "early_lick": [False] * n,
        "is_auto_water": [False] * n,
        "is_free_water": [False] * n,
        "go_s": start + 2,
        "n_samples": [1] * n,
        "n_delays": [1] * n,
        "n_go_cues": [1] * n,
    }
    return TRIALS.from_columns({**defaults, **columns})


def make_tables(
    trials: pa.Table,
    trains: Mapping[tuple[int, int], Sequence[int]],
    *,
    clock: Mapping[int, tuple[float, float]] | None = None,
    observed: Mapping[tuple[int, int], Sequence[int]] | None = None,
    rate_hz: float | None = RATE_HZ,
    recorded: tuple[float | None, float | None] = (None, None),
) -> Made:
    """Tables of units with the given trains (samples), keyed by (probe, unit_id), with offset and drift per probe."""
    numbers = sorted({probe for probe, _ in trains})
    clock = clock or {}
    start, until = trials["start_s"].to_numpy(), trials["until_s"].to_numpy()
    rows = []
    for (probe, unit), train in trains.items():
        offset, drift = clock.get(probe, (0.0, 0.0))
        seconds = offset + np.asarray(train, float) / RATE_HZ * (1 + drift * 1e-6)
        for number, begin, end in zip(trials["trial"].to_pylist(), start, until, strict=True):
            if observed is not None and number not in observed.get((probe, unit), ()):
                continue
            first, last = np.searchsorted(seconds, [begin, end])
            row = {"session": SESSION, "probe": probe, "unit_id": unit, "trial": number}
            rows.append(row | {"first_spike": first, "n_spikes": last - first})
    n_units = len(trains)
    units = {
        "session": [SESSION] * n_units,
        "probe": [probe for probe, _ in trains],
        "unit_id": [unit for _, unit in trains],
        "quality": ["good"] * n_units,
        "quality_source": ["cluster_group.tsv"] * n_units,
        "peak_channel": [0] * n_units,
        "x_um": [0.0] * n_units,
        "y_um": [0.0] * n_units,
        "n_spikes": [len(train) for train in trains.values()],
        "firing_rate_hz": [1.0] * n_units,
        "waveform_uv": [[]] * n_units,
    }
    maps = [
        {
            "session": SESSION,
            "probe": probe,
            "n_anchors": 2,
            "offset_s": clock.get(probe, (0.0, 0.0))[0],
            "drift_ppm": clock.get(probe, (0.0, 0.0))[1],
            "observed_from_s": recorded[0],
            "observed_to_s": recorded[1],
            **{column.name: [] for column in CLOCK_MAPS.columns if pa.types.is_list(column.type)},
        }
        for probe in numbers
    ]
    sorted_probes = {column.name: None for column in PROBES.columns} | {"session": SESSION, "sample_rate_hz": rate_hz}
    texts = {
        c.name: "a" for c in PROBES.columns if not c.nullable and pa.types.is_string(c.type) and c.name != "session"
    }
    return Made(
        UNITS.from_columns(units),
        SPIKES.from_rows(
            {"session": SESSION, "probe": probe, "unit_id": unit, "samples": list(train)}
            for (probe, unit), train in trains.items()
        ),
        TRIAL_SPIKES.from_rows(rows),
        trials,
        CLOCK_MAPS.from_rows(maps),
        PROBES.from_rows(sorted_probes | texts | {"probe": probe} for probe in numbers),
    )


@pytest.fixture
def trials_of() -> Callable[..., pa.Table]:
    return make_trials


@pytest.fixture
def tables_of() -> Callable[..., Made]:
    return make_tables
