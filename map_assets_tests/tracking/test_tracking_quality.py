"""Times of frames, jumps of body parts, and what each trial's video lacks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.tracking.cameras import Cameras, read_cameras
from map_assets.tracking.checks import (
    cameras_agree,
    every_trial_was_tracked,
    frame_counts_fit_durations,
    frames_fit_their_trials,
    no_frames_are_missing,
)
from map_assets.tracking.rows import _count_jumps


def without_rates() -> Cameras:
    """The rigs' cameras, of unknown rate."""
    cameras = read_cameras()
    return replace(cameras, entries=tuple({**entry, "rate_hz": None} for entry in cameras.entries))


def recorded(camera: str, trial: int, times_s: list[float]) -> pa.Table:
    """What an acquisition system saw of one camera in one trial."""
    lists = pa.array([times_s], pa.list_(pa.float64()))
    return pa.table({"camera": [camera], "trial": [trial], "frame_s": lists})


@pytest.mark.parametrize("camera", ["side", "Camera 0", "camera3"])
def test_recorded_times_are_taken_by_frame_number(tracker, camera) -> None:
    tracker.csv("dl59_x_side_1.csv", parts=("nose",), frames=[0, 1, 3])
    tracker.csv("dl59_x_side_2.csv", parts=("nose",), frames=[0, 1])
    first, second = tracker.read(frame_times=recorded(camera, 1, [0.1, 0.2, 0.3, 0.7]))[0].to_pylist()
    assert (first["time_source"], first["frame_s"]) == ("recorded", [0.1, 0.2, 0.7])
    assert second["time_source"] == "frame index / rate"


@pytest.mark.parametrize("times_s", [[], [0.1, 0.2], [0.1, 0.2, 0.3, 0.4], [0.1, float("nan"), 0.3]])
def test_recorded_times_that_do_not_fit_the_video_are_not_laid_over_it(tracker, times_s) -> None:
    tracker.csv("dl59_x_side_1.csv", parts=("nose",), frames=range(3))
    row = tracker.read(frame_times=recorded("side", 1, times_s))[0].to_pylist()[0]
    assert row["time_source"] == "frame index / rate"
    assert row["frame_s"] == pytest.approx([0.0, 0.0034, 0.0068])


def test_without_a_rate_there_is_no_time_unless_one_was_recorded(tracker) -> None:
    for trial in (1, 2):
        tracker.csv(f"dl59_x_side_{trial}.csv", parts=("nose",), frames=range(2))
    known = {"cameras": without_rates(), "frame_times": recorded("side", 2, [10.5, 10.6])}
    table = tracker.read(**known)[0]
    assert table["frame_s"].to_pylist() == [None, [10.5, 10.6]]
    assert table["time_source"].to_pylist() == [None, "recorded"]
    assert table["rate_hz"].to_pylist() == [None, None]
    verdict = frames_fit_their_trials(table, tracker.trials([1, 2]))
    assert verdict.passed
    assert verdict.figures["n_without_times"] == 1
    quality = tracker.quality(n_trials=2, **known)
    assert quality["duration_s"].to_pylist() == quality["n_time_gaps"].to_pylist() == [None, None]
    assert frame_counts_fit_durations(quality).passed


def test_a_trial_has_a_row_for_each_camera_with_or_without_a_result(tracker) -> None:
    tracker.csv("dl59_x_side_1.csv", frames=[0, 1, 2, 6, 7, 9])
    tracker.csv("dl59_x_body_1.csv", frames=[2, 3])
    tracker.csv("dl59_x_body_3.csv", frames=range(500))
    quality = tracker.quality()
    rows = {(row["trial"], row["camera"]): row for row in quality.to_pylist()}
    assert list(rows) == [(trial, camera) for trial in (1, 2, 3) for camera in ("body", "side")]
    side = rows[1, "side"]
    assert (side["n_frames"], side["n_left_out"], side["n_index_gaps"]) == (6, 4, 2)
    assert side["duration_s"] == pytest.approx(0.034)
    assert side["excess_s"] == pytest.approx(0.034 - 5)
    assert side["camera_spread_s"] == pytest.approx(0.04 - 0.034)
    assert (rows[1, "body"]["n_left_out"], rows[1, "body"]["n_index_gaps"]) == (2, 1)
    assert rows[3, "body"]["excess_s"] == pytest.approx(0.0)
    assert rows[3, "body"]["camera_spread_s"] is None
    assert rows[2, "side"] | {"trial_duration_s": None} == dict.fromkeys(side) | {
        "session": tracker.session, "trial": 2, "camera": "side", "has_result": False
    }  # fmt: skip
    verdict = every_trial_was_tracked(quality)
    assert not verdict.passed
    assert verdict.figures == {"n_pairs": 6, "n_missing": 3, "n_missing_body": 1, "n_missing_side": 2}
    assert "body 2, side 2, side 3" in verdict.description
    missing = no_frames_are_missing(quality)
    assert not missing.passed
    assert missing.figures["n_with_index_gaps"] == 2
    assert missing.figures["n_left_out"] == 6
    short = frame_counts_fit_durations(quality)
    assert (short.passed, short.figures["n_too_short"], short.figures["n_too_long"]) == (False, 2, 0)


def test_gaps_in_recorded_times_and_other_counts_are_missing_frames(tracker) -> None:
    tracker.csv("dl59_x_side_1.csv", frames=range(4))
    whole = tracker.quality(1, frame_times=recorded("side", 1, [0.0, 0.0034, 0.0068, 0.0102]))
    assert whole["n_time_gaps"].to_pylist() == [0]
    assert no_frames_are_missing(whole).passed
    gap = no_frames_are_missing(tracker.quality(1, frame_times=recorded("side", 1, [0.0, 0.0034, 0.0102, 0.0136])))
    assert (gap.passed, gap.figures["n_with_time_gaps"], gap.figures["n_with_other_count"]) == (False, 1, 0)
    other = no_frames_are_missing(tracker.quality(1, frame_times=recorded("side", 1, [0.0, 0.0034, 0.0068])))
    assert (other.passed, other.figures["n_with_other_count"]) == (False, 1)


def test_cameras_that_filmed_for_other_lengths_do_not_agree(tracker) -> None:
    for trial, n_body in ((1, 100), (2, 90), (3, 112)):
        tracker.csv(f"dl59_x_body_{trial}.csv", parts=("paw_left",), frames=range(n_body))
        tracker.csv(f"dl59_x_side_{trial}.csv", parts=("nose",), frames=range(294))
    verdict = cameras_agree(tracker.quality())
    assert (verdict.passed, verdict.figures["n_judged"], verdict.figures["n_apart"]) == (False, 3, 1)
    assert verdict.figures["largest_s"] == pytest.approx(0.1204)
    assert cameras_agree(tracker.quality(2)).passed


def test_a_good_session_passes_and_nothing_is_nothing(tracker) -> None:
    for claim in (every_trial_was_tracked, no_frames_are_missing, cameras_agree, frame_counts_fit_durations):
        assert claim(tracker.quality()).passed
    for trial in (1, 2, 3):
        tracker.csv(f"dl59_x_body_{trial}.csv", parts=("nose",), frames=range(510))
        tracker.csv(f"dl59_x_side_{trial}.csv", parts=("nose",), frames=range(1500))
    for claim in (every_trial_was_tracked, no_frames_are_missing, cameras_agree, frame_counts_fit_durations):
        assert claim(tracker.quality()).passed


def test_jumps_are_found_in_both_directions_and_not_over_gaps(tracker) -> None:
    x = [0, 21, 0, 20, 0, 0, 0, 90]
    y = [0, 0, 0, 0, -25, -25, -5, 0]
    frames = [0, 1, 2, 3, 4, 5, 6, 9]
    values = np.array([x, y, [1] * 8, *[[0] * 8] * 3]).T
    tracker.csv("dl59_x_side_1.csv", parts=("nose", "tongue"), frames=frames, values=values)
    nose, tongue = tracker.read(rig="RRig2")[0].to_pylist()
    assert (nose["jump_limit_px"], nose["n_jumps"], nose["jump_share"]) == (20.0, 3, 3 / 8)
    assert (tongue["jump_limit_px"], tongue["n_jumps"], tongue["jump_share"]) == (None, None, None)
    assert tracker.read()[0]["n_jumps"].to_pylist() == [None, None]


def test_a_limit_holds_for_a_body_part_of_each_animal(tracker) -> None:
    values = np.zeros((3, 6))
    values[1, 3] = 30
    tracker.h5("dl59_x_side_1.h5", [("m1", "jaw"), ("m2", "jaw")], range(3), values)
    assert tracker.read(rig="RRig2")[0]["n_jumps"].to_pylist() == [0, 2]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(st.tuples(st.integers(1, 3), st.integers(-50, 50), st.integers(-50, 50)), min_size=1, max_size=8), st.none() | st.integers(1, 40)),
        min_size=1,
        max_size=5,
    )
)  # fmt: skip
def test_jumps_are_counted_as_one_would_by_hand(videos) -> None:
    expected, frame, x, y = [], [], [], []
    for steps, limit in videos:
        numbers = np.cumsum([step for step, _, _ in steps]).tolist()
        pairs = list(zip(zip(numbers, steps, strict=True), list(zip(numbers, steps, strict=True))[1:], strict=False))
        jumps = sum(
            after - before == 1 and limit is not None and (abs(b[1] - a[1]) > limit or abs(b[2] - a[2]) > limit)
            for (before, a), (after, b) in pairs
        )
        expected.append(None if limit is None else jumps)
        frame += numbers
        x += [float(step[1]) for step in steps]
        y += [float(step[2]) for step in steps]
    sizes = np.array([len(steps) for steps, _ in videos])
    limits = [limit for _, limit in videos]
    found = _count_jumps(pa.array(x, pa.float32()), pa.array(y, pa.float32()), np.array(frame, np.int32), sizes, limits)
    assert found == expected
