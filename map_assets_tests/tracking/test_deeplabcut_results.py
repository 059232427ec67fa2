"""A video's result becomes rows of body parts with frame times; what cannot be read leaves the others alone."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from map_assets.tracking import read
from map_assets.tracking.checks import frames_fit_their_trials
from map_assets.tracking.read import read_pose, read_tracking
from map_assets.vocabulary.errors import (
    BadInput,
    ChangedWhileRead,
    NoFormatRecognizes,
    PiecesDoNotFit,
    TwoFormatsRecognize,
    UnreadableFile,
)

GOOD = "dl59_20190412_side_2-0000.csv"


def test_each_body_part_of_each_video_is_a_row(tracker) -> None:
    tracker.csv("dl59_20190412_side_1-0000.csv")
    tracker.csv("dl59_20190412_bottom_1-0000.csv", parts=("jaw", "whisker_C1", "paw_left"))
    table, rejected = tracker.read()
    assert rejected == {}
    assert [(row["trial"], row["camera"], row["feature"]) for row in table.to_pylist()] == [
        (1, "bottom", "jaw"),
        (1, "bottom", "whisker_C1"),
        (1, "bottom", "paw_left"),
        (1, "side", "nose"),
        (1, "side", "tongue"),
    ]
    tongue = table.to_pylist()[4]
    assert tongue["x_px"] == [3.0, 9.0, 15.0, 21.0]
    assert tongue["y_px"] == [4.0, 10.0, 16.0, 22.0]
    assert tongue["likelihood"] == [5.0, 11.0, 17.0, 23.0]
    assert (tongue["n_frames"], tongue["file"]) == (4, "dl59_20190412_side_1-0000.csv")
    assert (tongue["time_source"], tongue["frame"]) == ("frame index / rate", [0, 1, 2, 3])


@pytest.mark.parametrize(("camera", "step_s"), [("side", 0.0034), ("bottom", 0.0034), ("body", 0.01)])
def test_frames_are_timed_from_their_trials_start(tracker, camera, step_s) -> None:
    tracker.csv(f"dl59_20190412_{camera}_2-0000.csv", frames=range(100))
    row = tracker.read()[0].to_pylist()[0]
    assert row["rate_hz"] == pytest.approx(1 / step_s)
    np.testing.assert_allclose(row["frame_s"], 10.0 + step_s * np.arange(100), atol=1e-9)


def test_frames_that_the_tracker_left_out_are_gaps_in_time(tracker) -> None:
    tracker.csv("dl59_20190412_body_1.csv", frames=[0, 1, 5, 9])
    row = tracker.read()[0].to_pylist()[0]
    assert row["n_frames"] == 4
    assert row["frame_s"] == pytest.approx([0.0, 0.01, 0.05, 0.09])


def test_positions_are_kept_at_any_likelihood(tracker) -> None:
    values = np.array([[12.25, -3.5, 0.0], [640.5, 1e4, 0.999]])
    tracker.csv(GOOD, parts=("nose",), frames=range(2), values=values)
    row = tracker.read()[0].to_pylist()[0]
    assert row["x_px"] == [12.25, 640.5]
    assert row["y_px"] == [-3.5, 10000.0]
    assert row["likelihood"] == pytest.approx([0.0, 0.999])


HEAD = "scorer,D,D,D\nbodyparts,nose,nose,nose\ncoords,x,y,likelihood\n"

BAD = {
    "empty": ("", NoFormatRecognizes, "it is empty"),
    "one line": ("scorer,D,D,D\n", NoFormatRecognizes, "its lines begin with scorer"),
    "an animal without body parts": (
        "scorer,D,D,D\nindividuals,a,a,a\ncoords,x,y,likelihood\n0,1,2,3\n",
        NoFormatRecognizes,
        "scorer, individuals, coords",
    ),
    "a header of two animals and one body part": (
        "scorer,D,D,D\nindividuals,a,a,a,b\nbodyparts,n,n,n\ncoords,x,y,likelihood\n0,1,2,3\n",
        PiecesDoNotFit,
        "3 coordinates of 4 animals",
    ),
    "an animal's part twice": (
        "scorer,D,D,D,D\nindividuals,a,a,a,a\nbodyparts,n,n,n,n\ncoords,x,y,likelihood,x\n0,1,2,3,4\n",
        PiecesDoNotFit,
        "column 4 is a/n x once more",
    ),
    "another table": ("time,x\n0,1\n1,2\n", NoFormatRecognizes, "time, 0, 1"),
    "no frame": (HEAD, UnreadableFile, "it has no frame"),
    "blank lines only": (HEAD + "\n\n", UnreadableFile, "it has no frame"),
    "cut in a number": (HEAD + "0,1,2,0.9\n1,1,2,0.", UnreadableFile, "its last line is not finished"),
    "cut in a row": (HEAD + "0,1,2,0.9\n1,1\n", UnreadableFile, "a row cannot be read"),
    "too many cells": (HEAD + "0,1,2,0.9,7\n", UnreadableFile, "a row cannot be read"),
    "a blank cell": (HEAD + "0,1,,0.9\n", UnreadableFile, "a cell of nose is empty"),
    "a frame without a number": (HEAD + "0,1,2,0.9\n,1,2,0.9\n", UnreadableFile, "a frame has no number"),
    "an infinite number": (HEAD + "0,1,inf,0.9\n", UnreadableFile, "a number of nose is infinite"),
    "a word": (HEAD + "0,1,far,0.9\n", UnreadableFile, "a row cannot be read"),
    "an image name for a frame": (HEAD + "img0.png,1,2,0.9\n", UnreadableFile, "a row cannot be read"),
    "frames backwards": (HEAD + "1,1,2,0.9\n0,1,2,0.9\n", PiecesDoNotFit, "do not rise"),
    "a frame twice": (HEAD + "1,1,2,0.9\n1,1,2,0.9\n", PiecesDoNotFit, "do not rise"),
    "a frame before the first": (HEAD + "-1,1,2,0.9\n0,1,2,0.9\n", PiecesDoNotFit, "do not rise"),
    "a frame that no video has": (HEAD + "0,1,2,0.9\n2147483648,1,2,0.9\n", PiecesDoNotFit, "do not rise"),
    "no likelihood": (
        "scorer,D,D\nbodyparts,nose,nose\ncoords,x,y\n0,1,2\n",
        PiecesDoNotFit,
        "nose lacks a coordinate",
    ),
    "no part": ("scorer\nbodyparts\ncoords\n0\n", PiecesDoNotFit, "each body part lacks a coordinate"),
    "a part twice": (
        "scorer,D,D,D,D\nbodyparts,n,n,n,n\ncoords,x,y,likelihood,x\n0,1,2,3,4\n",
        PiecesDoNotFit,
        "column 4 is n x once more",
    ),
    "a header of two widths": (
        "scorer,D,D\nbodyparts,n,n\ncoords,x,y,likelihood\n0,1,2,3\n",
        PiecesDoNotFit,
        "2 body parts and 3 coordinates",
    ),
    "no text": (b"scorer,D\nbodyparts,\xff\xfe\ncoords,x\n0,1\n", UnreadableFile, "its header is no csv"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_result_that_cannot_be_read_is_rejected_and_the_others_go_on(tracker, case) -> None:
    content, error, said = BAD[case]
    bad = tracker.text("dl59_20190412_side_1-0000.csv", content)
    tracker.csv(GOOD)
    table, rejected = read_tracking(tracker.session, tracker.files, tracker.trials([1, 2]))
    assert table["trial"].to_pylist() == [2, 2]
    assert [one.files for one in rejected] == [(bad,)]
    assert type(rejected[0].error) is error
    assert said in str(rejected[0].error)
    assert bad.relpath.name in str(rejected[0].error)


def test_a_result_cut_anywhere_is_never_read_in_part(tracker) -> None:
    whole = tracker.csv(GOOD, frames=range(5), values=np.full((5, 6), 0.123456)).path.read_bytes()
    path = tracker.folder / GOOD
    read_pose(path)
    n_lines_cut = 0
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        try:
            pose = read_pose(path)
        except (UnreadableFile, NoFormatRecognizes, PiecesDoNotFit):
            continue
        assert whole[:cut].endswith(b"\n"), cut
        assert all(x.to_pylist() == pytest.approx([0.123456] * len(pose.frame)) for x, _, _ in pose.features.values())
        n_lines_cut += 1
    assert n_lines_cut == 4


def test_a_file_that_is_gone_or_grows_is_rejected(tracker, monkeypatch) -> None:
    gone = tracker.csv("dl59_20190412_side_1-0000.csv")
    gone.path.unlink()
    tracker.csv(GOOD)
    assert "cannot be reached" in tracker.read()[1][gone.relpath.name]
    read_bytes = Path.read_bytes

    def and_then_it_grows(path: Path) -> bytes:
        content = read_bytes(path)
        with path.open("ab") as stream:
            stream.write(b"9,9\n")
        return content

    monkeypatch.setattr(Path, "read_bytes", and_then_it_grows)
    with pytest.raises(ChangedWhileRead):
        read_pose(tracker.folder / GOOD)


def test_windows_line_ends_are_read_the_same(tracker) -> None:
    path = tracker.csv(GOOD).path
    plain = tracker.read()[0]
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert tracker.read()[0].equals(plain)


def test_two_formats_that_claim_a_result_are_named(tracker, monkeypatch) -> None:
    monkeypatch.setattr(read, "FORMATS", read.FORMATS * 2)
    tracker.csv(GOOD)
    _, (rejected,) = read_tracking(tracker.session, tracker.files, tracker.trials([2]))
    assert type(rejected.error) is TwoFormatsRecognize
    assert "deeplabcut, deeplabcut" in str(rejected.error)


def test_nothing_to_read_is_an_empty_table(tracker) -> None:
    table, rejected = tracker.read()
    assert (table.num_rows, rejected) == (0, {})
    assert table.column_names[0] == "session"


def test_a_result_of_several_animals_keeps_them_apart_and_what_was_not_found_empty(tracker) -> None:
    heads = [
        "scorer" + ",D" * 6,
        "individuals,m1,m1,m1,m2,m2,m2",
        "bodyparts" + ",nose" * 6,
        "coords" + ",x,y,likelihood" * 2,
    ]
    rows = ["0,1,2,0.5,7,8,0.9", "1,3,4,0.6,,,", "2,,,,,,"]
    tracker.text(GOOD, "\n".join([*heads, *rows]) + "\n")
    table, rejected = tracker.read()
    assert rejected == {}
    found = {row["feature"]: row for row in table.to_pylist()}
    assert {name: row["individual"] for name, row in found.items()} == {"m1/nose": "m1", "m2/nose": "m2"}
    assert found["m1/nose"]["x_px"] == [1.0, 3.0, None]
    assert found["m2/nose"]["y_px"] == [8.0, None, None]
    assert found["m2/nose"]["likelihood"] == [pytest.approx(0.9), None, None]
    assert found["m2/nose"]["n_frames"] == 3


def test_a_byte_order_mark_and_blank_lines_change_nothing(tracker) -> None:
    path = tracker.csv(GOOD).path
    plain = tracker.read()[0]
    content = path.read_bytes()
    path.write_bytes(b"\xef\xbb\xbf" + content)
    assert tracker.read()[0].equals(plain)
    lines = content.split(b"\n")
    path.write_bytes(b"\n".join([*lines[:4], b"", *lines[4:], b"", b""]))
    assert tracker.read()[0].equals(plain)


NAMES = st.lists(st.text("abcdefgh_ 1\u00e9", min_size=1, max_size=8), min_size=1, max_size=4, unique=True)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(0, 2000), min_size=1, max_size=30), NAMES, st.integers(0, 2**32))
def test_whatever_was_written_is_read_back_from_csv_as_from_h5(tracker, frames, parts, seed) -> None:
    values = np.random.default_rng(seed).normal(300, 200, (len(frames), 3 * len(parts)))
    for write in (
        lambda: tracker.csv(GOOD, parts=parts, frames=sorted(frames), values=values),
        lambda: tracker.h5(GOOD.replace(".csv", ".h5"), [(part,) for part in parts], sorted(frames), values),
    ):
        tracker.files.clear()
        write()
        rows = tracker.read()[0].to_pylist()
        assert [row["feature"] for row in rows] == parts
        for place, row in enumerate(rows):
            found = np.array([row["x_px"], row["y_px"], row["likelihood"]]).T
            np.testing.assert_allclose(found, values[:, 3 * place : 3 * place + 3], rtol=1e-6)
            assert row["frame"] == sorted(frames)
            np.testing.assert_allclose(row["frame_s"], 10 + 0.0034 * np.array(sorted(frames)))


CORRUPTIONS = (
    "cut",
    "cell gone",
    "cell no number",
    "column gone",
    "columns shuffled",
    "line blank",
    "line gone",
    "byte",
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(CORRUPTIONS), st.integers(0, 2**32))
def test_a_single_corruption_is_read_as_it_was_or_refused_by_name(tracker, corruption, seed) -> None:
    """Nothing is read as something else, but for what cannot be seen: a line that is gone is a gap, a digit another."""
    rng = np.random.default_rng(seed)
    path = tracker.csv(GOOD, frames=range(6)).path
    whole = read_pose(path)
    lines = [line.split(",") for line in path.read_text().splitlines()]
    row, column = rng.integers(3, len(lines)), rng.integers(1, len(lines[0]))
    if corruption in {"cell gone", "column gone"}:
        for line in lines if corruption == "column gone" else [lines[row]]:
            del line[column]
    elif corruption == "cell no number":
        lines[row][column] = "3,5" if seed % 2 else "x1"
    elif corruption == "columns shuffled":
        order = [0, *(1 + rng.permutation(len(lines[0]) - 1))]
        lines = [[line[place] for place in order] for line in lines]
    elif corruption == "line blank":
        lines.insert(row, [""])
    elif corruption == "line gone":
        del lines[row]
    content = "\n".join(",".join(line) for line in lines).encode() + b"\n"
    if corruption == "cut":
        content = content[: rng.integers(len(content) - 1)]
    elif corruption == "byte":
        place = rng.integers(len(content))
        content = content[:place] + bytes([rng.integers(256)]) + content[place + 1 :]
    path.write_bytes(content)
    try:
        found = read_pose(path)
    except BadInput as error:
        assert path.name in str(error)
        return
    if corruption in {"columns shuffled", "line blank"}:
        assert found.features == whole.features
        assert found.frame.tolist() == whole.frame.tolist()
    elif corruption == "line gone":
        kept = [frame for frame in range(6) if frame != row - 3]
        assert found.frame.tolist() == kept
    elif corruption == "cut":
        assert content.endswith(b"\n")
        assert all(found.features[part][0].equals(x[: len(found.frame)]) for part, (x, _, _) in whole.features.items())
    else:
        assert corruption == "byte"
        assert len(found.frame) <= 6


@pytest.mark.parametrize(
    ("name", "n_frames"),
    [
        (
            "SL18_D19_S01_F01_BOX_SLP_20230503_112642.1DLC_resnet50_SubLearnSleepBoxRedLightJun26shuffle1_100000_stubbed",
            100,
        ),
        ("reachingvideo1shortDLC_resnet50_TESTNov1shuffle1_10", 12),
    ],
)
def test_a_real_result_is_read_as_it_stands(shared_data: Path, name: str, n_frames: int) -> None:
    path = shared_data / "dlc" / f"{name}.csv"
    lines = list(csv.reader(path.open()))
    pose = read_pose(path)
    assert list(pose.features) == list(dict.fromkeys(lines[1][1:]))
    assert pose.frame.tolist() == [int(line[0]) for line in lines[3:]] == list(range(n_frames))
    for column, (part, coord) in enumerate(zip(lines[1], lines[2], strict=True)):
        if column:
            found = pose.features[part][("x", "y", "likelihood").index(coord)]
            np.testing.assert_allclose(found, [float(line[column]) for line in lines[3:]], rtol=1e-6)


def test_frames_of_a_good_session_fit_their_trials(tracker) -> None:
    for trial in (1, 2, 3):
        tracker.csv(f"dl59_20190412_side_{trial}-0000.csv", frames=range(0, 1500, 100))
    verdict = frames_fit_their_trials(tracker.read()[0], tracker.trials([1, 2, 3]))
    assert verdict.passed
    assert verdict.figures["n_rows"] == 6


def test_a_video_that_runs_far_into_the_next_trial_fails(tracker) -> None:
    tracker.csv("dl59_20190412_body_1-0000.csv", frames=[0, 1049], parts=("nose",))
    tracker.csv("dl59_20190412_body_2-0000.csv", frames=[0, 1051], parts=("nose",))
    verdict = frames_fit_their_trials(tracker.read()[0], tracker.trials([1, 2, 3]))
    assert not verdict.passed
    assert verdict.figures["n_after_trial"] == 1
    assert verdict.figures["largest_excess_s"] == pytest.approx(0.51)


def test_a_video_longer_than_the_last_trial_fails(tracker) -> None:
    tracker.csv("dl59_20190412_body_3-0000.csv", frames=[0, 660], parts=("nose",))
    assert not frames_fit_their_trials(tracker.read()[0], tracker.trials([1, 2, 3])).passed
    assert frames_fit_their_trials(tracker.read()[0], tracker.trials([1, 2, 3], length_s=6.0)).passed


def test_frames_of_a_trial_that_is_gone_fail(tracker) -> None:
    tracker.csv("dl59_20190412_body_3-0000.csv", parts=("nose",))
    table = tracker.read()[0]
    assert frames_fit_their_trials(table, tracker.trials([1, 2])).figures["n_without_trial"] == 1
    assert not frames_fit_their_trials(table, tracker.trials([1, 2])).passed
    assert frames_fit_their_trials(table.slice(0, 0), tracker.trials([])).passed
