"""Which camera and trial each video is of, by its name and the frame-to-trial map."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa
import pytest

from map_assets.behavior.read import read_behavior
from map_assets.simulate.laboratory import write_session
from map_assets.simulate.plans import Part, SessionPlan
from map_assets.tracking.cameras import read_cameras
from map_assets.tracking.read import read_tracking
from map_assets.tracking.trial_map import never_run
from map_assets.tracking.videos import parse_name
from map_assets.vocabulary.errors import CompanionMissing, NameDoesNotParse, PiecesDoNotFit
from map_assets.vocabulary.files import FoundFile


def trials_of(table) -> dict[str, int]:
    return {row["file"]: row["trial"] for row in table.to_pylist()}


@pytest.mark.parametrize(
    ("name", "camera", "number"),
    [
        ("dl59_20190412_side_19-0000.csv", "side", 19),
        ("dl59_side_19.csv", "side", 19),
        ("dl59-x_y_side_face_007-0000DLC_resnet50_x_body_3.csv", "side", 7),
        ("dl59_041219_bottom_face_1-0000.csv", "bottom", 1),
        ("dl59_041219_bottom_1-0001.csv", "bottom", 1),
        ("dl59_041219_side_body_12.csv", "body", 12),
        ("dl59_041219_body_12-.csv", "body", 12),
        ("dl59_041219_side_3-0000DLC_resnet50_x_filtered.h5", "side", 3),
        ("dl59_side_12DLC_resnet50_x.h5", "side", 12),
        ("dl59_side_12_filtered.csv", "side", 12),
    ],
)
def test_a_name_says_camera_and_number(tracker, name, camera, number) -> None:
    assert parse_name("dl59", tracker.text(name, "")) == (camera, number)


@pytest.mark.parametrize(
    "name",
    [
        "dl5_side_1.csv",
        "dl599_side_1.csv",
        "x_dl59_side_1.csv",
        "dl59_side.csv",
        "dl59_top_1.csv",
        "dl59_side_1x.csv",
        "dl59_side_one.csv",
        "dl59_aside_1.csv",
    ],
)
def test_a_name_of_another_form_is_rejected_by_name(tracker, name) -> None:
    with pytest.raises(NameDoesNotParse, match="its name says no camera and video number"):
        parse_name("dl59", tracker.text(name, ""))
    assert name in tracker.read()[1]


def test_without_a_map_a_videos_number_is_its_trial(tracker) -> None:
    tracker.csv("dl59_x_side_1-0000.csv")
    tracker.csv("dl59_x_side_3-0000.csv")
    table, rejected = tracker.read()
    assert trials_of(table) == {"dl59_x_side_1-0000.csv": 1, "dl59_x_side_3-0000.csv": 3}
    assert rejected == {}


def test_a_map_gives_each_video_its_trial_for_its_own_camera(tracker) -> None:
    """As in a session whose trial 11 is video 19: a constant offset of 8."""
    for number in (9, 10, 11):
        tracker.csv(f"dl59_x_side_{number}-0000.csv")
    tracker.csv("dl59_x_body_2-0000.csv")
    tracker.text("dl59_041219_side_face.txt", "9\t1\r\n\n10\t2\n\n11\t3\n")
    table, rejected = tracker.read()
    assert rejected == {}
    assert trials_of(table) == {
        "dl59_x_side_9-0000.csv": 1,
        "dl59_x_side_10-0000.csv": 2,
        "dl59_x_side_11-0000.csv": 3,
        "dl59_x_body_2-0000.csv": 2,
    }


def test_a_video_that_the_map_does_not_place_once_is_rejected_alone(tracker) -> None:
    for number in range(1, 8):
        tracker.csv(f"dl59_x_side_{number}-0000.csv")
    tracker.text("dl59_041219_side.txt", "1\t1\n2\t2\n2\t3\n3\t4\n4\t4\n5\t99\n6\t6\n")
    table, rejected = tracker.read(n_trials=6)
    assert trials_of(table) == {"dl59_x_side_1-0000.csv": 1, "dl59_x_side_6-0000.csv": 6}
    reasons = {int(name.split("_")[3].split("-")[0]): text for name, text in rejected.items()}
    assert sorted(reasons) == [2, 3, 4, 5, 7]
    assert "names 2 trials for video 2" in reasons[2]
    assert "names trial 4 for several videos" in reasons[3]
    assert "names trial 4 for several videos" in reasons[4]
    assert "by dl59_041219_side.txt it is of trial 99, which the session did not keep" in reasons[5]
    assert "names no trials for video 7" in reasons[7]


def test_a_video_of_a_skipped_trial_is_rejected(tracker) -> None:
    for number in (1, 2):
        tracker.csv(f"dl59_x_side_{number}-0000.csv")
    table, rejected = read_tracking(tracker.session, tracker.files, tracker.trials([1, 3]))
    assert trials_of(table) == {"dl59_x_side_1-0000.csv": 1}
    assert "by its number it is of trial 2, which the session did not keep" in str(rejected[0].error)


def test_two_results_of_one_video_are_both_rejected(tracker) -> None:
    names = ["dl59_x_side_1-0000.csv", "dl59_x_side_face_1-0000.csv", "dl59_x_side_001-0000DLC_v2.csv"]
    files = [tracker.csv(name) for name in names]
    tracker.csv("dl59_x_side_2-0000.csv")
    table, rejected = read_tracking(tracker.session, tracker.files, tracker.trials([1, 2]))
    assert set(trials_of(table).values()) == {2}
    assert len(rejected) == 1
    assert set(rejected[0].files) == set(files)
    assert all(name in str(rejected[0].error) for name in names)


@pytest.mark.parametrize("line", ["1;1", "1", "1\t2\t3", "one\t1", "1.5\t2", "-1\t2", "\x00"])
def test_a_map_that_cannot_be_read_takes_its_cameras_videos_with_it(tracker, line) -> None:
    side = tracker.csv("dl59_x_side_1-0000.csv")
    tracker.csv("dl59_x_body_1-0000.csv")
    tracked = tracker.text("dl59_041219_side.txt", f"7\t1\n{line}\n")
    table, rejected = read_tracking(tracker.session, tracker.files, tracker.trials([1]))
    assert trials_of(table) == {"dl59_x_body_1-0000.csv": 1}
    assert [one.files for one in rejected] == [(tracked, side)]
    assert "line 2" in str(rejected[0].error)


def test_a_map_that_is_no_text_or_gone_is_rejected(tracker) -> None:
    tracker.csv("dl59_x_side_1-0000.csv")
    file = tracker.text("dl59_041219_side.txt", b"\xff\xfe1\x00")
    assert "cannot be read" in tracker.read()[1]["dl59_041219_side.txt"]
    file.path.unlink()
    table, rejected = tracker.read()
    assert "cannot be reached" in rejected["dl59_x_side_1-0000.csv"]
    assert table.num_rows == 0


def test_two_maps_of_one_camera_are_not_chosen_between(tracker) -> None:
    tracker.csv("dl59_x_side_1-0000.csv")
    tracker.text("dl59_041219_side.txt", "1\t1\n")
    tracker.text("dl59_20190412_side_face.txt", "1\t2\n")
    table, rejected = read_tracking(tracker.session, tracker.files, tracker.trials([1, 2]))
    assert table.num_rows == 0
    assert len(rejected[0].files) == 3
    assert type(rejected[0].error) is PiecesDoNotFit


def test_a_map_whose_name_says_no_camera_is_not_passed_over_in_silence(tracker) -> None:
    tracker.csv("dl59_x_side_1-0000.csv")
    tracker.text("dl59_041219_top.txt", "1\t2\n")
    table, rejected = tracker.read()
    assert "its name says no camera" in rejected["dl59_041219_top.txt"]
    assert table.num_rows == 2


def test_files_of_other_roles_are_passed_over(tracker) -> None:
    tracker.text("dl59_x_side_1.avi", b"video", role="video")
    tracker.text("dl59_041219_side.txt", "1\t2\n", role="raw")
    tracker.csv("dl59_x_side_1-0000.csv")
    table, rejected = tracker.read()
    assert trials_of(table) == {"dl59_x_side_1-0000.csv": 1}
    assert rejected == {}


def test_a_map_with_no_line_places_no_video(tracker) -> None:
    tracker.csv("dl59_x_side_1-0000.csv")
    tracker.text("dl59_041219_side.txt", "\n\n")
    assert "names no trials for video 1" in tracker.read()[1]["dl59_x_side_1-0000.csv"]


def test_forms_of_one_result_are_one_result_and_the_labs_choice_counts(tracker) -> None:
    """DeepLabCut leaves the same result as h5 and csv, and a smoothed copy of either."""
    stem, values = "dl59_x_side_1-0000DLC_a", np.zeros((4, 3))
    for place, end in enumerate(("_filtered.h5", ".h5")):
        tracker.h5(stem + end, [("nose",)], range(4), values + place)
    for place, end in enumerate((".csv", "_filtered.csv"), 2):
        tracker.csv(stem + end, parts=("nose",), values=values + place)
    table, rejected = tracker.read()
    assert rejected == {}
    assert table.select(["file", "is_filtered"]).to_pylist() == [{"file": f"{stem}.h5", "is_filtered": False}]
    assert table["x_px"].to_pylist() == [[1.0] * 4]
    table, _ = tracker.read(cameras=replace(read_cameras(), counts="filtered"))
    assert table.select(["file", "is_filtered"]).to_pylist() == [{"file": f"{stem}_filtered.h5", "is_filtered": True}]


def test_the_kind_of_result_counts_before_the_kind_of_file(tracker) -> None:
    tracker.csv("dl59_x_side_1-0000DLC_a.csv", parts=("nose",))
    tracker.h5("dl59_x_side_1-0000DLC_a_filtered.h5", [("nose",)], range(4), np.zeros((4, 3)))
    assert tracker.read()[0]["file"].to_pylist() == ["dl59_x_side_1-0000DLC_a.csv"]


def test_another_form_stands_in_for_a_result_that_cannot_be_read(tracker) -> None:
    whole = tracker.h5("dl59_x_side_1-0000DLC_a.h5", [("nose",)], range(4), np.ones((4, 3)))
    whole.path.write_bytes(whole.path.read_bytes()[:3000])
    tracker.csv("dl59_x_side_1-0000DLC_a.csv", parts=("nose",), values=np.zeros((4, 3)))
    table, rejected = tracker.read()
    assert list(rejected) == [whole.relpath.name]
    assert trials_of(table) == {"dl59_x_side_1-0000DLC_a.csv": 1}


@pytest.mark.parametrize(
    "names", [("a.h5", "b.h5"), ("a.h5", "b.csv"), ("a_filtered.csv", "b.csv"), ("a.csv", "old/a.csv")]
)
def test_results_of_several_networks_or_folders_are_not_chosen_between(tracker, names) -> None:
    for name in names:
        folder, _, end = name.rpartition("/")
        tracker.text(f"{folder or '.'}/dl59_x_side_1-0000DLC_{end}", "")
    table, rejected = tracker.read()
    assert table.num_rows == 0
    assert len(rejected) == len({name.rpartition("/")[2] for name in names})
    assert all("2 results are of one video" in said for said in rejected.values())


def test_a_map_waits_for_the_results_of_kept_trials_that_it_names(tracker) -> None:
    """The others are read: what is missing joins them when it comes."""
    tracker.csv("dl59_x_side_9-0000.csv")
    side = tracker.text("dl59_041219_side.txt", "9\t1\n10\t2\n11\t3\n12\t44\n")
    table, (rejected,) = read_tracking(tracker.session, tracker.files, tracker.trials([1, 2, 3]))
    assert trials_of(table) == {"dl59_x_side_9-0000.csv": 1}
    assert rejected.files == (side,)
    assert type(rejected.error) is CompanionMissing
    assert "2 of the videos that it names have no result: 10, 11" in str(rejected.error)
    tracker.csv("dl59_x_side_10-0000.csv")
    tracker.csv("dl59_x_side_11-0000.csv")
    table, rejected = tracker.read()
    assert (set(trials_of(table).values()), rejected) == ({1, 2, 3}, {})


def test_a_map_of_a_camera_without_any_result_waits(tracker) -> None:
    tracker.text("dl59_041219_bottom.txt", "".join(f"{n}\t{n}\n" for n in range(1, 13)))
    table, rejected = tracker.read(n_trials=12)
    assert table.num_rows == 0
    assert "12 of the videos that it names have no result: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ..." in str(rejected)


def test_a_rig_that_counts_its_videos_from_0_does_so_only_without_a_map(tracker) -> None:
    tracker.csv("dl59_x_side_0.csv")
    tracker.csv("dl59_x_side_1.csv")
    assert set(trials_of(tracker.read()[0]).values()) == {1}
    table, _ = tracker.read(rig="RRig-MTL")
    assert trials_of(table) == {"dl59_x_side_0.csv": 1, "dl59_x_side_1.csv": 2}
    assert set(table["device"].to_pylist()) == {"Camera 3"}
    tracker.text("dl59_041219_side.txt", "0\t3\n1\t1\n")
    assert trials_of(tracker.read(rig="RRig-MTL")[0]) == {"dl59_x_side_0.csv": 3, "dl59_x_side_1.csv": 1}


def test_the_rig_of_a_share_tells_its_cameras(tracker) -> None:
    tracker.files = [replace(tracker.csv("dl59_x_side_1.csv"), rig="RRig2")]
    row = tracker.read()[0].to_pylist()[0]
    assert (row["device"], row["jump_limit_px"]) == ("Camera 0", 20.0)


def test_videos_count_the_trials_that_were_run_and_not_those_that_were_planned(tracker) -> None:
    tracker.rig = "RRig-MTL"
    for number in range(4):
        tracker.csv(f"dl59_x_side_{number}-0000.csv")
    skipped = pa.table({"trial": [3, 5], "was_run": [False, True]})
    table, rejected = read_tracking(
        tracker.session, tracker.files, tracker.trials([1, 2, 4, 6]), skipped_trials=skipped
    )
    assert [trials_of(table).get(f"dl59_x_side_{number}-0000.csv") for number in range(4)] == [1, 2, 4, None]
    (refused,) = rejected
    assert "by its number it is of trial 5, which the session did not keep" in str(refused.error)


def test_what_was_never_run_is_told_by_the_behaviour_files_reader(tmp_path, tracker) -> None:
    """The one trial that was planned and never run shifts the videos after it, and no other skipped trial does."""
    plan = SessionPlan(
        "dl59",
        990059,
        datetime(2019, 4, 12, 10, 15),
        task="multi target licking",
        n_trials=30,
        lost_share=0.3,
        probes=(),
        parts=frozenset({Part.BEHAVIOR}),
    )
    (path,) = write_session(tmp_path / "lab", plan).files
    file = FoundFile("rig1", path.parent, PurePosixPath(path.name), "behavior", path.stat().st_size, 0)
    tables = read_behavior(plan.key, file)
    was_run = {row["trial"] for row in tables["trials"].to_pylist()}
    assert len(was_run) < 30
    assert never_run(tables["skipped_trials"]) == set(range(1, 31)) - was_run
    tracker.rig = "RRig-MTL"
    last = tracker.csv(f"dl59_x_side_{len(was_run) - 1}-0000.csv")
    table, _ = read_tracking(plan.key, [last], tables["trials"], skipped_trials=tables["skipped_trials"])
    assert set(table["trial"].to_pylist()) == {max(was_run)}


def test_without_map_and_rig_no_video_is_placed_where_the_rigs_count_differently(tracker) -> None:
    tracker.rig = None
    tracker.csv("dl59_x_side_1-0000.csv")
    table, rejected = tracker.read()
    assert table.num_rows == 0
    assert "the rig is not known" in rejected["dl59_x_side_1-0000.csv"]
    tracker.text("dl59_041219_side.txt", "1\t2\n")
    assert trials_of(tracker.read()[0]) == {"dl59_x_side_1-0000.csv": 2}


@pytest.mark.parametrize("name", ["dl59_20190411_side_2-0000.csv", "dl59_041119_side_2-0000.csv"])
def test_a_result_of_another_day_in_the_sessions_folder_is_rejected(tracker, name) -> None:
    tracker.csv("dl59_20190412_side_1-0000.csv")
    tracker.csv("dl59_041219_side_3-0000.csv")
    tracker.csv(name)
    table, rejected = tracker.read()
    assert set(trials_of(table).values()) == {1, 3}
    assert "its name says 2019-04-11" in rejected[name]
