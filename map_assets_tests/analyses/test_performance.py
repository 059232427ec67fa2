"""Performance over trials and with light, and the rhythm of licks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from map_assets.analyses.lick_rhythm import make_lick_rhythm
from map_assets.analyses.parameters import read_parameters
from map_assets.analyses.performance import make_performance, make_photostim_performance, newcombe, wilson
from map_assets.behavior.tables import LICKS

SESSION = "SC022_20190228_151010"
PARAMETERS = read_parameters()


def test_the_running_shares_are_those_of_the_window_cut_at_the_ends(trials_of: Callable) -> None:
    rng = np.random.default_rng(0)
    outcome = rng.choice(["hit", "miss", "ignore"], 150, p=[0.6, 0.3, 0.1])
    early = [None if one > 0.9 else bool(one < 0.2) for one in rng.random(150)]
    trials = trials_of(np.arange(150) * 5.0, outcome=outcome.tolist(), early_lick=early)
    found = make_performance(SESSION, trials, PARAMETERS.performance, "1")
    for at in (0, 3, 70, 149):
        window = slice(max(at - 7, 0), at - 7 + 15)
        row, here = found.to_pylist()[at], outcome[window]
        known = [one for one in early[window] if one is not None]
        assert row["n_window"] == len(here)
        assert row["hit_share"] == pytest.approx(np.mean(here == "hit"))
        assert row["answered_share"] == pytest.approx(np.mean(here != "ignore"))
        assert row["correct_share"] == pytest.approx(np.mean(here[here != "ignore"] == "hit"))
        assert row["early_share"] == pytest.approx(np.mean(known))


def test_shares_of_nothing_are_null_and_a_task_without_outcomes_has_no_performance(trials_of: Callable) -> None:
    ignored = trials_of([0.0, 5.0], outcome=["ignore"] * 2, early_lick=[None] * 2)
    found = make_performance(SESSION, ignored, PARAMETERS.performance, "1").to_pylist()
    assert [(row["hit_share"], row["correct_share"], row["early_share"]) for row in found] == [(0, None, None)] * 2
    assert make_performance(SESSION, trials_of([0.0], outcome=["N/A"]), PARAMETERS.performance, "1").num_rows == 0


def lit(trials_of: Callable, **columns: list) -> pa.Table:
    """Hits without light but for every tenth trial; with light at the left on every fourth trial, misses to the right."""
    n = 200
    at = np.arange(n)
    side = np.where(at % 2, "left", "right")
    is_lit = at % 4 == 0  # so all of the right
    is_lit[1::8] = True  # and some of the left
    outcome = np.where(is_lit & (side == "right"), "miss", np.where(at % 10 == 3, "ignore", "hit"))
    given = {
        "instruction": side.tolist(),
        "outcome": outcome.tolist(),
        "photostim_onset_s": [1.0 if one else None for one in is_lit],
        "photostim_site": ["left_alm" if one else None for one in is_lit],
    }
    return trials_of(at * 5.0, **{**given, **columns})


def test_light_that_takes_one_side_away_is_found_on_that_side_alone(trials_of: Callable) -> None:
    found = {row["instruction"]: row for row in make_photostim_performance(SESSION, lit(trials_of), "1").to_pylist()}
    assert set(found) == {"left", "right", "all"}
    right, left = found["right"], found["left"]
    assert (right["n_control"], right["n_control_hits"], right["n_stim"], right["n_stim_hits"]) == (50, 50, 50, 0)
    assert right["difference"] == -1
    assert right["difference_high"] < -0.85
    assert right["p"] < 1e-20
    assert left["n_stim"] == 25
    assert left["p"] > 0.05
    assert left["difference_low"] < 0 < left["difference_high"]
    assert left["n_control_ignored"] + left["n_stim_ignored"] == 20
    assert found["all"]["n_stim"] == 75


def test_early_licks_and_given_water_count_in_neither_arm_and_no_light_is_no_row(trials_of: Callable) -> None:
    early = [True, None, *[False] * 198]
    water = [*[False] * 190, *[True] * 10]
    rows = make_photostim_performance(SESSION, lit(trials_of, early_lick=early, is_free_water=water), "1").to_pylist()
    (both,) = [row for row in rows if row["instruction"] == "all"]
    assert both["n_control"] + both["n_stim"] == 188
    assert make_photostim_performance(SESSION, trials_of([0.0, 5.0]), "1").num_rows == 0
    nameless = lit(trials_of, photostim_site=[None] * 200)
    assert set(make_photostim_performance(SESSION, nameless, "1")["photostim_site"].to_pylist()) == {"unknown"}


def test_intervals_are_as_published() -> None:
    # Newcombe 1998, table II, method 10: 56/70 against 48/80
    assert newcombe(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=1e-4)
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def licks_of(rows: list[tuple[int, float, str]]) -> pa.Table:
    return LICKS.from_rows(
        {"session": SESSION, "trial": trial, "lick_id": at, "time_s": time, "port": port}
        for at, (trial, time, port) in enumerate(rows)
    )


def test_bouts_end_at_a_pause_and_the_rhythm_is_of_licks_within_them(trials_of: Callable) -> None:
    trials = trials_of([0.0, 5.0])
    rows = [(1, 1.0, "right"), *((1, 2.1 + 0.15 * k, "left") for k in range(6)), (2, 7.4, "right"), (2, 7.5, "left")]
    bouts, rhythm = make_lick_rhythm(SESSION, licks_of(rows), trials, PARAMETERS.licking, "1")
    assert bouts["n_licks"].to_pylist() == [1, 6, 2]
    assert bouts["port"].to_pylist() == ["right", "left", "right"]
    assert bouts["start_from_go_s"].to_pylist() == pytest.approx([-1.0, 0.1, 0.4])
    assert bouts["rate_hz"].to_pylist()[0] is None
    assert bouts["rate_hz"].to_pylist()[1:] == pytest.approx([1 / 0.15, 10])
    by_port = {row["port"]: row for row in rhythm.to_pylist()}
    assert list(by_port) == ["all", "left", "right"]
    assert by_port["left"]["n_intervals"] == 5
    assert by_port["left"]["rate_hz"] == pytest.approx(1 / 0.15)
    assert (by_port["right"]["n_intervals"], by_port["right"]["rate_hz"]) == (0, None)
    assert [by_port[name]["n_first_licks"] for name in ("all", "left", "right")] == [2, 1, 1]
    assert by_port["all"]["first_lick_median_s"] == pytest.approx(0.25)


def test_a_session_without_licks_has_no_rhythm(trials_of: Callable) -> None:
    bouts, rhythm = make_lick_rhythm(SESSION, licks_of([]), trials_of([0.0]), PARAMETERS.licking, "1")
    assert (bouts.num_rows, rhythm.num_rows) == (0, 0)
