"""Claims about the ephys tables fail when they are false."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from map_assets.ephys.checks import (
    clock_residuals_are_within_limits,
    every_unit_has_an_electrode,
    spike_trains_rise,
    units_and_spikes_agree,
)
from map_assets.ephys.tables import CLOCK_MAPS, SPIKES


def clock(**changes: Any) -> dict[str, Any]:
    lists = ("matched_ephys_trials", "unmatched_behavior_trials", "unmatched_ephys_trials", "anchor_trials")
    lists += ("anchor_probe_s", "anchor_session_s", "anchor_residual_s")
    row = {"session": "s", "probe": 1, "n_anchors": 9, "matched_trials": [1, 2], **{name: [] for name in lists}}
    return {**row, "residual_rms_s": 1e-4, "residual_max_s": 4e-4, "drift_ppm": 20.0, **changes}


def trains(*samples: list[int]) -> pa.Table:
    rows = [{"session": "s", "probe": 1, "unit_id": unit, "samples": train} for unit, train in enumerate(samples)]
    return SPIKES.from_rows(rows)


def test_small_residuals_pass_and_say_so() -> None:
    verdict = clock_residuals_are_within_limits(CLOCK_MAPS.from_rows([clock()]))
    assert verdict.passed
    figures = {"probes": 1, "anchors": 9, "matched_trials": 2, "off_the_clock": 0, "residual_max_s": 4e-4}
    assert verdict.figures == figures


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"residual_rms_s": 2e-3}, "2.000 ms"),
        ({"residual_max_s": 6e-3}, "6.000 ms"),
        ({"matched_trials": [], "n_anchors": 0}, "has no matched trial"),
        ({"matched_trials": [], "n_anchors": 0, "problem": "codes: of another day"}, "codes: of another day"),
        ({"n_anchors": 1}, "one anchor for 2 matched trials"),
        ({"n_anchors": 9, "n_outliers": 2}, "2 trials off its clock beside 9 anchors"),
        ({"n_anchors": 9, "n_outliers": 1, "contradicted_trials": [4]}, "2 trials off its clock beside 9 anchors"),
        ({"n_anchors": 4, "n_outliers": 1}, "1 trials off its clock beside 4 anchors"),
        ({"drift_ppm": -50000.0, "residual_rms_s": 0.0, "residual_max_s": 0.0}, "has a drift of -50000 ppm"),
    ],
)
def test_one_bad_probe_fails_the_session(changes: dict[str, Any], words: str) -> None:
    verdict = clock_residuals_are_within_limits(CLOCK_MAPS.from_rows([clock(), clock(probe=2, **changes)]))
    assert not verdict.passed
    assert verdict.description.startswith("probe 2 has ")
    assert words in verdict.description


@pytest.mark.parametrize(("n_anchors", "n_outliers"), [(9, 1), (5, 1), (90, 10), (1, 0)])
def test_a_few_outliers_are_borne(n_anchors: int, n_outliers: int) -> None:
    row = clock(n_anchors=n_anchors, n_outliers=n_outliers, matched_trials=list(range(1, n_anchors + 1)))
    verdict = clock_residuals_are_within_limits(CLOCK_MAPS.from_rows([row]))
    assert verdict.passed
    assert verdict.figures is not None
    assert verdict.figures["off_the_clock"] == n_outliers


def test_a_file_without_times_passes_and_is_named(make: SimpleNamespace) -> None:
    row = clock(n_anchors=0, residual_rms_s=None, residual_max_s=None)
    seen = make.ephys_trials_table([{"bitcode": "1010"}])
    verdict = clock_residuals_are_within_limits(CLOCK_MAPS.from_rows([row]), seen)
    assert verdict.passed
    assert "no times in the bitcode file of probe 1" in verdict.description


def test_times_without_an_anchor_fail(make: SimpleNamespace) -> None:
    row = clock(n_anchors=0, residual_rms_s=None, residual_max_s=None)
    seen = make.ephys_trials_table([{"bitcode": "1010", "go_probe_s": 4.0}])
    verdict = clock_residuals_are_within_limits(CLOCK_MAPS.from_rows([row]), seen)
    assert not verdict.passed
    assert "probe 1 has times and no anchor" in verdict.description


def test_the_limits_are_the_callers() -> None:
    table = CLOCK_MAPS.from_rows([clock()])
    assert not clock_residuals_are_within_limits(table, rms_s=1e-5).passed
    assert not clock_residuals_are_within_limits(table, max_s=1e-5).passed


@pytest.mark.parametrize(
    ("samples", "passed"),
    [
        (([1, 2, 3], [1]), True),
        (([5], [1], [], [0]), True),
        (([], []), True),
        (([1, 1, 2],), True),
        (([1, 3, 2],), False),
        (([1], [9, 3]), False),
        (([-1, 3],), False),
    ],
)
def test_a_train_that_falls_is_found_and_the_border_of_two_is_none(
    samples: tuple[list[int], ...], passed: bool
) -> None:
    table = trains([7], *samples)
    assert spike_trains_rise(table).passed is passed
    assert spike_trains_rise(table.slice(1)).passed is passed
    assert spike_trains_rise(pa.concat_tables([table, table])).passed is passed


def test_a_slice_is_judged_by_its_own_rows() -> None:
    table = trains([3, 1], [1, 2], [2, 1])
    assert spike_trains_rise(table.slice(1, 1)).passed
    assert spike_trains_rise(trains()).passed


def test_two_spikes_on_one_sample_are_counted() -> None:
    verdict = spike_trains_rise(trains([1, 1, 2], [2, 2]))
    assert verdict.figures is not None
    assert verdict.figures["repeated"] == 2


def units(*rows: tuple[int, int | None]) -> pa.Table:
    ids, counts = [unit for unit, _ in rows], [count for _, count in rows]
    columns = {"probe": pa.array([1] * len(rows), pa.int64()), "unit_id": pa.array(ids, pa.int64())}
    return pa.table({**columns, "n_spikes": pa.array(counts, pa.int64()), "electrode": pa.array(counts, pa.int64())})


@pytest.mark.parametrize(
    ("rows", "passed"),
    [([(0, 2), (1, 1)], True), ([(0, 2), (1, 2)], False), ([(0, 2)], False), ([(0, 2), (1, 1), (2, 0)], False)],
)
def test_units_and_spikes_conserve_each_other(rows: list[tuple[int, int]], passed: bool) -> None:
    assert units_and_spikes_agree(units(*rows), trains([1, 2], [3])).passed is passed


def test_an_electrode_that_the_probe_has_not_is_found() -> None:
    sites = pa.table({"probe": [1, 1, 2], "electrode": [0, 1, 5]})
    assert every_unit_has_an_electrode(units((0, 0), (1, 1)), sites).passed
    assert not every_unit_has_an_electrode(units((0, 0), (1, 5)), sites).passed
    assert not every_unit_has_an_electrode(units((0, None)), sites).passed
