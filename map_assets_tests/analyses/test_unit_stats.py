"""unit_stats."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from map_assets.analyses.checks import stats_hold_together, trials_hold_no_more_spikes_than_the_train
from map_assets.analyses.tables import UNIT_STATS
from map_assets.analyses.unit_stats import make_unit_stats

SESSION = "SC022_20190228_151010"


def _at(*seconds: float) -> list[int]:
    return [round(one * 30000) for one in seconds]


def test_spikes_and_seconds_are_of_the_same_intervals(trials_of: Callable, tables_of: Callable) -> None:
    # Trials 0-10 (with its pause), 10-17, and 17-22, which the last one's stop ends.
    trials = trials_of([0, 10, 17], trial=[1, 2, 5])
    made = tables_of(trials, {(1, 4): _at(0, 9.9, 10, 21.9, 22, 40), (1, 2): _at(30), (2, 4): []})
    rows = make_unit_stats(SESSION, *made.all).to_pylist()
    assert [(row["probe"], row["unit_id"]) for row in rows] == [(1, 4), (1, 2), (2, 4)]
    assert [row["n_trials"] for row in rows] == [3, 3, 3]
    assert [row["n_spikes_in_trials"] for row in rows] == [4, 0, 0]
    assert [row["observed_s"] for row in rows] == [22.0, 22.0, 22.0]
    assert [row["rate_hz"] for row in rows] == [4 / 22, 0.0, 0.0]
    assert [row["n_isi_violations"] for row in rows] == [0, 0, 0]
    assert [row["isi_violation_share"] for row in rows] == [0.0, None, None]


def test_the_time_of_a_skipped_trial_is_in_no_interval(trials_of: Callable, tables_of: Callable) -> None:
    # The file's trial 2, from 4 s to 10 s, was skipped.
    trials = trials_of([0, 10], trial=[1, 3], until_s=[4, 15])
    row = make_unit_stats(SESSION, *tables_of(trials, {(1, 1): _at(1, 5, 6, 12)}).all).to_pylist()[0]
    assert (row["n_spikes_in_trials"], row["observed_s"], row["rate_hz"]) == (2, 9.0, 2 / 9)


def test_the_violation_rate_is_that_of_the_earlier_pipeline(trials_of: Callable, tables_of: Callable) -> None:
    """Four spikes in one trial of 2 s, one interval of 1 ms: 1 / (2 x 4 x 2 ms) relative to 2 Hz."""
    trials = trials_of([0], stop_s=[2.0], until_s=[2.0])
    row = make_unit_stats(SESSION, *tables_of(trials, {(1, 1): _at(0, 0.001, 0.5, 1.0)}).all).to_pylist()[0]
    assert (row["rate_hz"], row["n_isi_violations_in_trials"]) == (2.0, 1)
    assert row["isi_violation"] == pytest.approx(31.25)


def test_an_interval_over_two_trials_violates_the_train_but_no_trial(trials_of: Callable, tables_of: Callable) -> None:
    trains = {(1, 1): [299_990, 300_010], (1, 2): [299_980, 299_990, 299_990, 300_010], (1, 3): [5, 5]}
    rows = make_unit_stats(SESSION, *tables_of(trials_of([0, 10]), trains).all).to_pylist()
    assert [row["n_isi_violations"] for row in rows] == [1, 3, 1]
    assert [row["n_isi_violations_in_trials"] for row in rows] == [0, 2, 1]
    # No trial of unit 1 has two spikes; the doubled spike counts once in n (3 and 1 of 15 s), as a violation it counts.
    assert [row["isi_violation"] for row in rows] == [
        None,
        pytest.approx(2 / (2 * 3 * 0.002) / (3 / 15)),
        pytest.approx(1 / (2 * 1 * 0.002) / (1 / 15)),
    ]


def test_trials_without_rows_are_neither_counted_nor_timed(trials_of: Callable, tables_of: Callable) -> None:
    trials = trials_of([0, 10, 17])
    made = tables_of(trials, {(1, 1): _at(1, 11, 18), (1, 2): _at(1)}, observed={(1, 1): [2, 3]})
    first, second = make_unit_stats(SESSION, *made.all).to_pylist()
    assert (first["n_trials"], first["n_spikes_in_trials"], first["observed_s"]) == (2, 2, 12.0)
    assert (second["n_trials"], second["observed_s"], second["rate_hz"]) == (0, 0.0, None)


def test_time_that_the_probe_did_not_record_is_not_observed(trials_of: Callable, tables_of: Callable) -> None:
    made = tables_of(trials_of([0, 10, 20]), {(1, 1): _at(1)}, recorded=(0.5, 22.0))
    assert make_unit_stats(SESSION, *made.all)["observed_s"].to_pylist() == [21.5]


def test_violations_are_counted_over_the_whole_train_under_the_limit(trials_of: Callable, tables_of: Callable) -> None:
    # 1 ms, exactly 2 ms (no violation), just under 2 ms, and one outside every trial; trains follow each other closely.
    train = [0, 30, 90, 149, 9_000_000, 9_000_010]
    made = tables_of(trials_of([0, 10]), {(1, 1): train, (1, 2): [9_000_011, 9_000_100], (1, 3): [9_000_101]})
    rows = make_unit_stats(SESSION, *made.all).to_pylist()
    assert [row["n_isi_violations"] for row in rows] == [3, 0, 0]
    assert [row["isi_violation_share"] for row in rows] == [3 / 5, 0.0, None]
    assert {row["isi_limit_s"] for row in rows} == {0.002}
    strict = make_unit_stats(SESSION, *made.all, isi_limit_s=0.0005).to_pylist()
    assert [row["n_isi_violations"] for row in strict] == [1, 0, 0]


def test_without_a_sample_rate_violations_are_unknown(trials_of: Callable, tables_of: Callable) -> None:
    made = tables_of(trials_of([0, 10]), {(1, 1): [1, 2, 3]}, rate_hz=None)
    row = make_unit_stats(SESSION, *made.all).to_pylist()[0]
    assert (row["n_isi_violations"], row["isi_violation_share"], row["n_spikes_in_trials"]) == (None, None, 3)


@pytest.mark.parametrize("seed", range(5))
def test_random_trains_agree_with_counting_one_by_one(trials_of: Callable, tables_of: Callable, seed: int) -> None:
    rng = np.random.default_rng(seed)
    trials = trials_of(np.cumsum(rng.uniform(5, 8, 12)))
    trains = {
        (probe, int(unit)): np.sort(rng.integers(0, 100 * 30000, rng.integers(0, 4000))).tolist()
        for probe in (1, 2)
        for unit in rng.permutation(50)[:6]
    }
    observed = {key: rng.permutation(12)[: rng.integers(0, 12)] + 1 for key in trains}
    made = tables_of(trials, trains, observed=observed, clock={1: (-0.3, 40.0), 2: (2.0, -20.0)})
    begin = trials["start_s"].to_pylist()
    end = [*begin[1:], trials["stop_s"].to_pylist()[-1]]
    for row in make_unit_stats(SESSION, *made.all).to_pylist():
        key = row["probe"], row["unit_id"]
        offset, drift = {1: (-0.3, 40.0), 2: (2.0, -20.0)}[key[0]]
        seconds = [offset + sample / 30000 * (1 + drift * 1e-6) for sample in trains[key]]
        mine = [(begin[trial - 1], end[trial - 1]) for trial in observed[key]]
        assert row["n_trials"] == len(mine)
        assert row["n_spikes_in_trials"] == sum(a <= t < b for t in seconds for a, b in mine)
        assert row["observed_s"] == pytest.approx(sum(b - a for a, b in mine))
        assert row["n_isi_violations"] == sum(b - a < 60 for a, b in pairwise(trains[key]))
        inside = [[x for x, t in zip(trains[key], seconds, strict=True) if a <= t < b] for a, b in mine]
        short = [b - a < 60 for train in inside for a, b in pairwise(train)]
        distinct = sum(len(set(train)) for train in inside)
        assert row["n_isi_violations_in_trials"] == sum(short)
        expected = None if not short else sum(short) / (2 * distinct * 0.002) / (distinct / row["observed_s"])
        assert row["isi_violation"] == (expected if expected is None else pytest.approx(expected))
    assert stats_hold_together(make_unit_stats(SESSION, *made.all)).passed


def test_statistics_that_cannot_be_true_together_are_noticed(trials_of: Callable, tables_of: Callable) -> None:
    made = tables_of(
        trials_of([0, 10]), {(1, 1): _at(1, 2), (1, 2): [], (1, 3): [7, 8]}, observed={(1, 1): [1, 2], (1, 3): [1]}
    )
    stats = make_unit_stats(SESSION, *made.all)
    assert stats_hold_together(stats).passed

    def spoiled(name: str, values: list) -> dict:
        verdict = stats_hold_together(
            UNIT_STATS.from_columns({**dict(zip(stats.column_names, stats.columns, strict=True)), name: values})
        )
        assert not verdict.passed
        return {key: count for key, count in verdict.figures.items() if count and key != "n_units"}

    assert spoiled("rate_hz", [1.0, None, 0.2]) == {"n_rates": 1}
    assert spoiled("rate_hz", [2 / 15, 0.0, 0.2]) == {"n_unobserved": 1}
    assert spoiled("presence_ratio", [0.0, None, 1.01]) == {"n_presences": 2}
    assert spoiled("n_isi_violations_in_trials", [1, 0, 1]) == {"n_violations": 1}


def test_more_spikes_in_trials_than_in_the_train_are_noticed(trials_of: Callable, tables_of: Callable) -> None:
    made = tables_of(trials_of([0, 10]), {(1, 1): _at(1, 2), (1, 2): _at(1)})
    stats = make_unit_stats(SESSION, *made.all)
    assert trials_hold_no_more_spikes_than_the_train(stats, made.units).passed
    fewer = made.units.set_column(made.units.schema.get_field_index("n_spikes"), "n_spikes", [[1, 1]])
    verdict = trials_hold_no_more_spikes_than_the_train(stats, fewer)
    assert not verdict.passed
    assert verdict.figures == {"n_units": 2, "n_over": 1}
