"""drift, against going through one block after the other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from map_assets.analyses.checks import drift_is_of_whole_blocks
from map_assets.analyses.drift import Smoothing, make_drift
from map_assets.analyses.tables import DRIFT
from map_assets.ephys.tables import SPIKE_FEATURES
from map_assets.vocabulary.errors import BadConfiguration

SESSION = "SC022_20190228_151010"
SHORT = Smoothing(window_trials=2, step_trials=2, depth_spikes=2)


def _train(*per_trial: int, trial_s: float = 10.0) -> list[int]:
    """So many spikes in each trial of 10 s, a tenth of a second apart."""
    return [
        round((trial * trial_s + 0.1 * (k + 1)) * 30000) for trial, count in enumerate(per_trial) for k in range(count)
    ]


def _drift(made, features: pa.Table | None = None, smoothing: Smoothing | None = SHORT) -> list[dict]:
    table = make_drift(SESSION, made.units, made.trial_spikes, made.trials, features, smoothing)
    assert drift_is_of_whole_blocks(table).passed
    return table.to_pylist()


def _depths(**by_unit: list) -> pa.Table:
    return SPIKE_FEATURES.from_rows(
        {"session": SESSION, "probe": 1, "unit_id": int(unit[1:]), "depth_um": depth} for unit, depth in by_unit.items()
    )


def test_odd_blocks_are_those_that_a_steady_train_would_hardly_have(trials_of: Callable, tables_of: Callable) -> None:
    trials = trials_of(np.arange(8) * 10.0, until_s=np.arange(1, 9) * 10.0)
    trains = {
        (1, 1): _train(5, 5, 5, 5, 5, 5, 5, 5),  # ten in each block: none
        (1, 2): _train(
            9, 9, 9, 9, 5, 5, 2, 1
        ),  # 18, 18, 10, 3 and 12.25 expected: 18 or more are usual (7 %), 3 or fewer not
        (1, 3): _train(0, 1, 0, 0, 0, 0, 0, 0),  # one spike, 0.25 expected: blocks without any are no sign of drift
        (1, 4): [],
    }
    rows = _drift(tables_of(trials, trains))
    assert [row["drift_metric"] for row in rows] == [0.0, 0.25, 0.0, None]
    assert [row["n_blocks"] for row in rows] == [4, 4, 4, 4]
    assert [row["n_trials"] for row in rows] == [8, 8, 8, 8]
    assert rows[0]["rate_trend_hz_per_h"] == pytest.approx(0, abs=1e-9)
    assert rows[1]["rate_trend_hz_per_h"] == pytest.approx(
        np.polyfit([10, 30, 50, 70], [0.9, 0.9, 0.5, 0.15], 1)[0] * 3600
    )
    assert rows[3]["rate_trend_hz_per_h"] == 0


def test_counts_are_held_against_the_time_in_which_they_fell(trials_of: Callable, tables_of: Callable) -> None:
    # 1 Hz throughout, in blocks of 4 s and of 60 s: steady, however different the counts.
    until = np.cumsum([2, 2, 30, 30, 2, 2])
    start = np.r_[0, until[:-1]]
    made = tables_of(trials_of(start, until_s=until), {(1, 1): (np.arange(0.5, 68) * 30000).astype(int).tolist()})
    (row,) = _drift(made)
    assert (row["drift_metric"], row["rate_trend_hz_per_h"]) == (0.0, pytest.approx(0, abs=1e-9))


def test_only_observed_trials_form_blocks(trials_of: Callable, tables_of: Callable) -> None:
    trials = trials_of(np.arange(8) * 10.0, until_s=np.arange(1, 9) * 10.0)
    train = _train(30, 30, 0, 0, 30, 0, 30, 0)
    observed = {(1, 1): (1, 2, 5, 7), (1, 2): (1, 2, 3), (1, 3): (1, 2, 5, 7, 8)}
    rows = _drift(tables_of(trials, dict.fromkeys(((1, 1), (1, 2), (1, 3), (1, 4)), train), observed=observed))
    assert [row["n_trials"] for row in rows] == [4, 3, 5, 0]
    assert [row["n_blocks"] for row in rows] == [2, 1, 2, 0]
    assert [row["drift_metric"] for row in rows] == [0.0, None, 0.0, None]
    assert [row["rate_trend_hz_per_h"] is None for row in rows] == [False, True, False, True]


@pytest.mark.parametrize("seed", range(4))
def test_random_trains_agree_with_block_after_block(trials_of: Callable, tables_of: Callable, seed: int) -> None:
    from scipy.stats import poisson

    rng = np.random.default_rng(seed)
    length = rng.uniform(4, 9, 30)
    until = np.cumsum(length + rng.choice([0, 5], 30))
    start = until - length
    trials = trials_of(start, until_s=until)
    how = Smoothing(window_trials=int(rng.integers(1, 7)), step_trials=int(rng.integers(1, 7)), depth_spikes=3)
    trains, depths = {}, {}
    for unit in rng.permutation(40)[:5].tolist():
        rate = rng.uniform(0.05, 20)
        trains[1, unit] = np.sort(rng.integers(0, int(until[-1] * 30000), int(rate * until[-1]))).tolist()
        depth = rng.normal(500, 30, len(trains[1, unit]))
        depth[rng.random(len(depth)) < 0.1] = np.nan
        depths[f"u{unit}"] = depth.tolist()
    observed = {key: sorted(rng.permutation(30)[: rng.integers(8, 31)] + 1) for key in trains}
    made = tables_of(trials, trains, observed=observed)
    for row in _drift(made, _depths(**depths), how):
        key = (1, row["unit_id"])
        seconds = np.array(trains[key]) / 30000
        depth = np.array(depths[f"u{row['unit_id']}"])
        inside = [(seconds >= start[k - 1]) & (seconds < until[k - 1]) for k in observed[key]]
        lasts = [until[k - 1] - start[k - 1] for k in observed[key]]
        mean_hz = sum(one.sum() for one in inside) / sum(lasts)
        odd, medians = [], []
        for first in range(0, len(inside) - how.window_trials + 1, how.step_trials):
            block = np.any(inside[first : first + how.window_trials], axis=0)
            expected = mean_hz * sum(lasts[first : first + how.window_trials])
            so_few, so_many = poisson.cdf(block.sum(), expected), poisson.sf(block.sum() - 1, expected)
            odd.append(so_few < 0.05 or so_many < 0.05)
            known = depth[block & np.isfinite(depth)]
            medians += [np.median(known)] if len(known) >= 3 else []
        assert row["n_blocks"] == len(odd)
        if len(odd) > 1:
            assert row["drift_metric"] == pytest.approx(np.mean(odd))
            assert row["max_drift_um"] == (pytest.approx(np.ptp(medians), abs=1e-3) if len(medians) > 1 else None)


def test_depths_of_blocks_with_enough_spikes_give_the_range(trials_of: Callable, tables_of: Callable) -> None:
    trials = trials_of(np.arange(6) * 10.0, until_s=np.arange(1, 7) * 10.0)
    train = _train(1, 2, 2, 1, 1, 0)
    features = _depths(u1=[100, 110, 900, 140, 150, 130, 999], u2=None, u3=[np.nan] * 7)
    rows = _drift(tables_of(trials, dict.fromkeys(((1, 1), (1, 2), (1, 3), (1, 4)), train)), features)
    # Medians of 110 and 140 um; the last block has one spike.
    assert [row["max_drift_um"] for row in rows] == [30.0, None, None, None]
    assert {row["depth_spikes"] for row in rows} == {2}


def test_smoothing_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(BadConfiguration, match="cannot be used"):
        Smoothing(window_trials=0)
    with pytest.raises(BadConfiguration, match="cannot be used"):
        Smoothing(low=0.9, high=0.1)


def test_shares_of_broken_blocks_are_noticed(trials_of: Callable, tables_of: Callable) -> None:
    trials = trials_of(np.arange(8) * 10.0, until_s=np.arange(1, 9) * 10.0)
    made = tables_of(trials, {(1, 1): _train(*[3] * 8), (1, 2): _train(*[3] * 8)})
    rows = _drift(made)
    rows[0]["drift_metric"] = 0.3
    rows[1]["n_blocks"] = 1
    verdict = drift_is_of_whole_blocks(DRIFT.from_rows(rows))
    assert not verdict.passed
    assert verdict.figures == {"n_units": 2, "n_broken": 1, "n_misfit": 1, "n_unjudged": 1}
    assert drift_is_of_whole_blocks(DRIFT.empty()).passed
