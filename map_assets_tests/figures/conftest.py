"""A small made-up session as tables, for the tests of the figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from map_assets.analyses.psth import make_psth
from map_assets.behavior.tables import TRIALS
from map_assets.ephys.tables import CLOCK_MAPS, PROBES, SPIKES, TRIAL_SPIKES, UNITS

SESSION = "SC022_20190228_151010"


def make_trials(n: int = 40, **columns: Any) -> pa.Table:
    """Trials of 6 s with the go cue at 3 s, left and right in turn, all hits, unless a column says otherwise."""
    start = 6.0 * np.arange(n)
    return TRIALS.from_columns(
        {
            "session": [SESSION] * n,
            "trial": np.arange(1, n + 1),
            "start_s": start,
            "stop_s": start + 5,
            "until_s": np.r_[start[1:], start[-1:] + 5],
            "instruction": ["left" if k % 2 else "right" for k in range(n)],
            "outcome": ["hit"] * n,
            "early_lick": [False] * n,
            "is_auto_water": [False] * n,
            "is_free_water": [False] * n,
            "sample_s": start + 0.5,
            "delay_s": start + 1.8,
            "go_s": start + 3,
            "n_samples": [1] * n,
            "n_delays": [1] * n,
            "n_go_cues": [1] * n,
            **columns,
        }
    )


def make_tables(trials: pa.Table, **units: Any) -> dict[str, pa.Table]:
    """All tables of the raster: units 3 (100 spikes), 5 (200) and 9 (300) of probe 2, with 40 ppm of drift."""
    rng = np.random.default_rng(0)
    number = [3, 5, 9]
    trains = [np.sort(rng.integers(0, 240 * 30000, 100 * (k + 1))) for k in range(3)]
    of_unit = {"session": [SESSION] * 3, "probe": [2] * 3, "unit_id": number}
    n = trials.num_rows
    maps = {c.name: [[]] for c in CLOCK_MAPS.columns if pa.types.is_list(c.type)}
    probe = {c.name: ["a"] for c in PROBES.columns if not c.nullable and pa.types.is_string(c.type)}
    tables = {
        "trials": trials,
        "units": UNITS.from_columns(
            {
                **of_unit,
                "quality": ["good", "good", "mua"],
                "quality_source": ["cluster_group.tsv"] * 3,
                "peak_channel": [0] * 3,
                "x_um": [0.0] * 3,
                "y_um": [0.0] * 3,
                "n_spikes": [100, 200, 300],
                "firing_rate_hz": [1.0] * 3,
                "waveform_uv": [[]] * 3,
                **units,
            }
        ),
        "spikes": SPIKES.from_columns({**of_unit, "samples": [train.tolist() for train in trains]}),
        "trial_spikes": TRIAL_SPIKES.from_columns(
            {
                "session": [SESSION] * 3 * n,
                "probe": [2] * 3 * n,
                "unit_id": np.repeat(number, n),
                "trial": np.tile(trials["trial"].to_numpy(), 3),
                "first_spike": [0] * 3 * n,
                "n_spikes": [1] * 3 * n,
            }
        ),
        "clock_maps": CLOCK_MAPS.from_columns(
            {"session": [SESSION], "probe": [2], "n_anchors": [2], "offset_s": [-0.2], "drift_ppm": [40.0], **maps}
        ),
        "probes": PROBES.from_columns({**probe, "session": [SESSION], "probe": [2], "sample_rate_hz": [30000.0]}),
    }
    names = ("units", "spikes", "trial_spikes", "trials", "clock_maps", "probes")
    return tables | {"psth": make_psth(SESSION, *(tables[name] for name in names))}


@pytest.fixture
def trials_of() -> Callable[..., pa.Table]:
    return make_trials


@pytest.fixture
def tables_of() -> Callable[..., dict[str, pa.Table]]:
    return make_tables
