"""Traced tracks as plain csv: one file a probe, frames by name, and what is wrong is said."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from map_assets.ccf.histology import probes_of, read_histology
from map_assets.vocabulary.errors import NameDoesNotParse, PiecesDoNotFit, UnreadableFile
from map_assets.vocabulary.files import FoundFile
from map_assets.vocabulary.frame import bregma_from_ccf

Write = Callable[..., FoundFile]
NAME = "SC022/track_SC022_20190228_1.csv"


def _places(table) -> list[tuple[float, ...]]:
    return list(zip(*(table[f"ccf_{axis}_um"].to_pylist() for axis in ("ap", "dv", "ml")), strict=True))


def test_a_track_of_several_shanks_stands_in_one_file(found: Write, session: str) -> None:
    file = found(
        NAME, "shank,ap_um,dv_um,ml_um\n1,5000,500,4000\n2,5250,500,4000\n1,5000,4000,4100\n2,5250,4000,4100\n"
    )
    tables, rejected = read_histology(session, [file])
    assert rejected == ()
    assert set(tables) == {"probe_tracks"}
    track = tables["probe_tracks"]
    assert track["probe"].to_pylist() == [1] * 4
    assert track["shank"].to_pylist() == [0, 0, 1, 1]
    assert track["point"].to_pylist() == [0, 1, 0, 1]
    assert _places(track)[1] == (5000.0, 4000.0, 4100.0)
    assert _places(track)[2] == (5250.0, 500.0, 4000.0)


@pytest.mark.parametrize(
    "text", ["# Frame: ccf\n# by hand\nAP_um, note,DV_um,ML_um\n{}", "\ufeffap_um,note,dv_um,ml_um\r\n\r\n{}"]
)
def test_remarks_other_columns_and_case_do_not_matter(found: Write, session: str, text: str) -> None:
    file = found("SC022/track_SC022_20190228_151010_3.csv", text.format("5000,a,500,4000\n5000,,4000,4100\n"))
    track = read_histology(session, [file])[0]["probe_tracks"]
    assert (track["probe"].to_pylist(), track["shank"].to_pylist()) == ([3, 3], [0, 0])
    assert _places(track) == [(5000.0, 500.0, 4000.0), (5000.0, 4000.0, 4100.0)]


def test_the_databases_axes_and_bregma_are_turned_by_name(found: Write, session: str) -> None:
    files = [
        found("track_SC022_20190228_1.csv", "# frame: map\nx,y,z\n4000,500,5000\n4100,4000,5000\n"),
        found("track_SC022_20190228_2.csv", "# frame: bregma\nx,y,z\n-1739,400,-168\n-1639,400,-3668\n"),
    ]
    one, two = np.split(np.array(_places(read_histology(session, files)[0]["probe_tracks"])), 2)
    assert one.tolist() == [[5000, 500, 4000], [5000, 4000, 4100]]
    assert one.tolist() == two.tolist()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(*[st.floats(0, 13000)] * 3), min_size=2, max_size=20))
def test_whatever_is_traced_reads_the_same_from_bregma_and_from_the_corner(
    found: Write, session: str, points: list[tuple[float, float, float]]
) -> None:
    ccf_um = np.array([*points, np.add(points[0], 500)])
    rows = "".join(",".join(map(repr, row)) + "\n" for row in ccf_um.tolist())
    turned = "".join(",".join(map(repr, row)) + "\n" for row in bregma_from_ccf(ccf_um).tolist())
    files = [
        found("track_SC022_20190228_1.csv", "ap_um,dv_um,ml_um\n" + rows),
        found("track_SC022_20190228_2.csv", "#frame=bregma\nx,y,z\n" + turned),
    ]
    one, two = np.split(np.array(_places(read_histology(session, files)[0]["probe_tracks"])), 2)
    assert np.array_equal(one, ccf_um)
    assert np.allclose(one, two, atol=1e-6)


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        ("x,y,z\n1,2,3\n", UnreadableFile, "names no frame"),
        ("ap_um,dv_um\n1,2\n", UnreadableFile, "no column ml_um"),
        ("", UnreadableFile, "no column ap_um, dv_um, ml_um"),
        ("# frame: map\nap_um,dv_um,ml_um\n1,2,3\n", UnreadableFile, "no column x, y, z"),
        ("# frame: talairach\nx,y,z\n1,2,3\n", PiecesDoNotFit, "its frame is talairach"),
        ("# frame: map\n# frame: ccf\nx,y,z\n1,2,3\n", PiecesDoNotFit, "its frame is map and ccf"),
        ("ap_um,dv_um,ml_um\n1,2,3\n1,2\n", UnreadableFile, "row 2 below the header has no finite ap_um"),
        ("ap_um,dv_um,ml_um\n1,nan,3\n", UnreadableFile, "row 1 below the header has no finite dv_um"),
        ("shank,ap_um,dv_um,ml_um\n0,1,2,3\n", PiecesDoNotFit, "a shank is no number from 1"),
        ("ap_um,dv_um,ml_um\n5.0,0.5,4.0\n5.0,4.0,4.1\n", PiecesDoNotFit, "spans 3.5"),
        (b"\xff\xfe\x00\x01", UnreadableFile, "no text table"),
    ],
)
def test_what_is_wrong_with_a_track_is_said(
    found: Write, session: str, content: str | bytes, error: type, said: str
) -> None:
    tables, rejected = read_histology(session, [found(NAME, content)])
    assert tables == {}
    assert [type(one.error) for one in rejected] == [error]
    assert said in str(rejected[0].error)
    assert probes_of(session, rejected) == {1}


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("track_SC022_20190228.csv", NameDoesNotParse),
        ("track_SC022_20190228_0.csv", NameDoesNotParse),
        ("track_SC023_20190228_1.csv", PiecesDoNotFit),
        ("track_SC022_20190228_101010_1.csv", PiecesDoNotFit),
    ],
)
def test_a_track_whose_name_is_not_the_sessions_is_rejected(found: Write, session: str, name: str, error: type) -> None:
    rejected = read_histology(session, [found(name, "ap_um,dv_um,ml_um\n1,2,3\n")])[1]
    assert [type(one.error) for one in rejected] == [error]


def test_a_track_beside_picks_of_the_same_probe_is_a_clash_of_all_of_them(found: Write, session: str) -> None:
    files = [
        found("SC022/20190228_1/xyz_picks_shank1.json", {"xyz_picks": [[0, 0, 0]]}),
        found("SC022/20190228_1/xyz_picks_shank2.json", {"xyz_picks": [[0, 0, 0]]}),
        found("SC022/20190228_2/xyz_picks.json", {"xyz_picks": [[0, 0, 0]]}),
        found(NAME, "ap_um,dv_um,ml_um\n1,2,3\n"),
    ]
    tables, rejected = read_histology(session, files)
    assert tables["probe_tracks"]["probe"].to_pylist() == [2]
    assert [len(one.files) for one in rejected] == [3]
    assert "3 files give the track of probe 1 (" in str(rejected[0].error)
