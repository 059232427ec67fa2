"""Events and frames on the session clock: which trials, and whose clock."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from map_assets.ephys.frame_times import make_frame_times
from map_assets.ephys.tables import CLOCK_MAPS, EPHYS_EVENTS, EPHYS_FRAMES
from map_assets.tracking.cameras import read_cameras
from map_assets.tracking.rows import recorded_times

SESSION = "SC022_20190303_151010"


def clock(probe: int, rms_s: float | None = 1e-4, **row: Any) -> dict[str, Any]:
    """A row of `clock_maps` whose probe started `probe` seconds before the session; ephys trials 1 to 3 are trials 4 to 6."""
    lists = [column.name for column in CLOCK_MAPS.columns if pa.types.is_list(column.type) and not column.nullable]
    matched = {"matched_trials": [4, 5, 6], "matched_ephys_trials": [1, 2, 3], "n_anchors": 3}
    fit = {"offset_s": -float(probe), "drift_ppm": 10.0, "residual_rms_s": rms_s}
    return {name: [] for name in lists} | {"session": SESSION, "probe": probe} | matched | fit | row


def events(*rows: tuple[int, int, float]) -> pa.Table:
    """Licks: probe, ephys trial, time."""
    return EPHYS_EVENTS.from_rows(
        {
            "session": SESSION,
            "probe": probe,
            "ephys_trial": trial,
            "event_id": number,
            "event": "lick",
            "port": "left",
            "time_probe_s": at_s,
        }
        for number, (probe, trial, at_s) in enumerate(rows)
    )


def frames(*rows: tuple[int, int, str, list[float]]) -> pa.Table:
    """Frames: probe, ephys trial, camera, times."""
    names = ("probe", "ephys_trial", "camera", "frame_probe_s")
    return EPHYS_FRAMES.from_rows({"session": SESSION, **dict(zip(names, row, strict=True))} for row in rows)


def made(clocks: list[dict[str, Any]], frames: pa.Table, events: pa.Table) -> tuple[list[tuple], list[tuple]]:
    tables = make_frame_times(SESSION, frames, events, CLOCK_MAPS.from_rows(clocks))
    return (
        [(row["camera"], row["trial"], row["frame_s"], row["probe"]) for row in tables["frame_times"].to_pylist()],
        [(row["trial"], row["time_s"], row["probe"]) for row in tables["rig_events"].to_pylist()],
    )


def test_matched_trials_go_over_under_the_behaviours_numbers_and_others_stay() -> None:
    seen = frames((1, 2, "side", [11.0, 12.0]), (1, 3, "side", []), (1, 4, "side", [31.0]))
    found = made([clock(1, matched_ephys_trials=[3, 2, 1])], seen, events((1, 1, 11.0), (1, 9, 41.0)))
    times_s = [pytest.approx(10.00011, abs=1e-9), pytest.approx(11.00012, abs=1e-9)]
    assert found == ([("side", 5, times_s, 1), ("side", 4, [], 1)], [(6, times_s[0], 1)])


@pytest.mark.parametrize(
    ("first", "second", "best"),
    [
        ({"rms_s": 2e-4}, {"rms_s": 1e-4}, 2),
        ({"rms_s": 1e-4}, {"rms_s": 1e-4}, 1),
        ({"rms_s": 0.0, "n_anchors": 2}, {"rms_s": 1e-3}, 2),
        ({"rms_s": None, "offset_s": None, "drift_ppm": None, "n_anchors": 0}, {"rms_s": 1e-3}, 2),
    ],
    ids=["smaller residual", "first of equals", "two anchors tell no residual", "no anchors"],
)
def test_of_several_files_the_best_clock_counts(first: dict[str, Any], second: dict[str, Any], best: int) -> None:
    seen = frames((1, 1, "side", [11.0]), (2, 1, "side", [12.0]))
    found = made([clock(1, **first), clock(2, **second)], seen, events((1, 1, 11.0), (2, 1, 12.0)))
    at_s = pytest.approx(10.0, abs=1e-3)
    assert found == ([("side", 4, [at_s], best)], [(4, at_s, best)])


def test_what_the_best_file_does_not_tell_is_told_by_another() -> None:
    seen = frames((1, 1, "side", [11.0]), (2, 1, "side", [99.0]), (2, 1, "body", [12.0]), (2, 2, "side", [22.0]))
    told = events((1, 1, 11.0), (2, 1, 99.0), (2, 2, 22.0))
    found_frames, found_events = made([clock(1, 1e-5), clock(2)], seen, told)
    assert [row[:2] + row[3:] for row in found_frames] == [("side", 4, 1), ("body", 4, 2), ("side", 5, 2)]
    assert [(row[0], row[2]) for row in found_events] == [(4, 1), (5, 2)]


def test_nothing_told_makes_empty_tables_that_tracking_can_take() -> None:
    for clocks in ([], [clock(1)], [clock(1, matched_trials=[], matched_ephys_trials=[])]):
        tables = make_frame_times(SESSION, EPHYS_FRAMES.empty(), EPHYS_EVENTS.empty(), CLOCK_MAPS.from_rows(clocks))
        assert [table.num_rows for table in tables.values()] == [0, 0]
        assert recorded_times(tables["frame_times"], read_cameras()) == {}
