"""Histology files: two formats, one broken file among good ones, names that do not tell."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable

import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from map_assets.ccf import histology
from map_assets.ccf.histology import read_histology
from map_assets.vocabulary.errors import (
    CompanionMissing,
    NameDoesNotParse,
    NoFormatRecognizes,
    PiecesDoNotFit,
    TwoFormatsRecognize,
    UnreadableFile,
)
from map_assets.vocabulary.files import FoundFile

Write = Callable[..., FoundFile]
DAY = "SC022/20190228_1"


def _channel(x: float, y: float, z: float, axial: float, lateral: float, region: int = 672) -> dict:
    # An order other than the GUI's: values are read by key.
    return {
        "lateral": lateral,
        "brain_region": "CP",
        "z": z,
        "brain_region_id": region,
        "x": x,
        "axial": axial,
        "y": y,
    }


def _site_info(xyz_voxels: np.ndarray, region: list[float], mm_per_pixel: float = 0.02) -> bytes:
    x, y, z = np.asarray(xyz_voxels, float).T
    out = io.BytesIO()
    site = {"pos": {"x": x, "y": y, "z": z, "mmPerPixel": mm_per_pixel}, "ont": {"id": np.asarray(region, float)}}
    scipy.io.savemat(out, {"site": site})
    return out.getvalue()


def test_ibl_positions_are_turned_into_the_ccf_about_the_files_own_origin(found: Write, session: str) -> None:
    file = found(
        f"{DAY}/channel_locations.json",
        {
            "channel_10": _channel(-1000, 500, -2000, 40, 59),
            "channel_2": _channel(-1010, 500, -2500, 20, 11, region=-672),
            "origin": {"bregma": [5800, 5300, 300]},
        },
    )
    tables, rejected = read_histology(session, [file])
    assert rejected == ()
    assert set(tables) == {"electrode_positions"}
    first, second = tables["electrode_positions"].to_pylist()
    assert (first["y_um"], second["y_um"]) == (20.0, 40.0)
    assert [first[f"ccf_{axis}_um"] for axis in ("ap", "dv", "ml")] == [4800.0, 2800.0, 4790.0]
    assert [second[f"ccf_{axis}_um"] for axis in ("ap", "dv", "ml")] == [4800.0, 2300.0, 4800.0]
    assert (first["position_id"], first["probe"], first["shank"], first["contact"]) == (0, 1, 0, None)
    assert (first["region_id_written"], first["format"], first["file"]) == (
        -672,
        "ibl_alignment",
        f"{DAY}/channel_locations.json",
    )


def test_without_an_origin_the_origin_is_the_ibls_bregma(found: Write, session: str) -> None:
    file = found(f"{DAY}/channel_locations.json", {"channel_0": _channel(0, 0, 0, 0, 11)})
    row = read_histology(session, [file])[0]["electrode_positions"].to_pylist()[0]
    assert [row[f"ccf_{axis}_um"] for axis in ("ap", "dv", "ml")] == [5400.0, 332.0, 5739.0]


def test_picks_are_optional_and_share_the_origin_of_their_shank(found: Write, session: str) -> None:
    moved = {"origin": {"bregma": [5700, 5000, 0]}, "channel_0": _channel(0, 0, 0, 0, 11)}
    files = [
        found(f"{DAY}/channel_locations_shank2.json", moved),
        found(f"{DAY}/xyz_picks_shank2.json", {"xyz_picks": [[0, 0, -1000], [10, 0, 0]]}),
        found("SC022/20190228_2/xyz_picks.json", {"xyz_picks": [[0, 0, 0]]}),
    ]
    tables, rejected = read_histology(session, files)
    assert rejected == ()
    track = tables["probe_tracks"].to_pylist()
    assert [(row["probe"], row["shank"], row["point"]) for row in track] == [(1, 1, 0), (1, 1, 1), (2, 0, 0)]
    assert [(row["ccf_ap_um"], row["ccf_dv_um"], row["ccf_ml_um"]) for row in track] == [
        (5000.0, 1000.0, 5700.0),
        (5000.0, 0.0, 5710.0),
        (5400.0, 332.0, 5739.0),
    ]
    assert tables["electrode_positions"]["shank"].to_pylist() == [1]


@pytest.mark.parametrize(
    ("folder", "probe"),
    [("20190228_1", 1), ("20190228_12", 12), ("SC022_022819_g0/SC022_022819_g0_imec3", 4), ("20190228_2/alf", 2)],
)
def test_the_probe_is_read_from_the_folder(found: Write, session: str, folder: str, probe: int) -> None:
    file = found(f"SC022/{folder}/channel_locations.json", {"channel_0": _channel(0, 0, 0, 0, 11)})
    assert read_histology(session, [file])[0]["electrode_positions"]["probe"].to_pylist() == [probe]


def test_landmarks_are_one_contact_each_in_true_micrometres(found: Write, session: str) -> None:
    voxels = np.array([[300.0, 200.0, 250.0], [np.nan, np.nan, np.nan], [300.5, 199.0, 250.0]])
    name = "SC022/landmarks_SC022_20190228_151010_2_3_siteInfo"
    files = [
        found(f"{name}.mat", _site_info(voxels, [672, np.nan, np.nan], mm_per_pixel=0.025)),
        found(f"{name}.csv", '"a",true,1,2,3,4,5,6\n"b",false,1,2,3,6000.5,7,8\nc,FALSE,1,2,3,9,10,11\n'),
    ]
    tables, rejected = read_histology(session, files)
    assert rejected == ()
    rows = tables["electrode_positions"].to_pylist()
    assert [(row["probe"], row["shank"], row["contact"], row["x_um"], row["y_um"]) for row in rows] == [
        (2, 2, 0, None, None),
        (2, 2, 2, None, None),
    ]
    assert [rows[1][f"ccf_{axis}_um"] for axis in ("ap", "dv", "ml")] == [6250.0, 4975.0, 7512.5]
    assert [row["region_id_written"] for row in rows] == [672, None]
    track = tables["probe_tracks"].to_pylist()
    assert [(row["ccf_ap_um"], row["ccf_dv_um"], row["ccf_ml_um"]) for row in track] == [
        (8.0, 7.0, 6000.5),
        (11.0, 10.0, 9.0),
    ]


def test_a_shank_with_one_contact_reads_like_any_other(found: Write, session: str) -> None:
    file = found("landmarks_SC022_20190228_1_siteInfo.mat", _site_info(np.array([[1.0, 2.0, 3.0]]), [672]))
    assert read_histology(session, [file])[0]["electrode_positions"].num_rows == 1


def test_one_broken_file_is_rejected_and_its_neighbours_go_on(found: Write, session: str) -> None:
    files = [
        found(f"{DAY}/channel_locations.json", '{"channel_0": '),
        found("SC022/20190228_3/xyz_picks.json", {"xyz_picks": [[1, 2]]}),
        found("SC022/20190228_2/channel_locations.json", {"channel_0": _channel(0, 0, 0, 0, 11)}),
        found("landmarks_SC022_20190228_4_siteInfo.csv", "a,false,1,2,3,4,5\n"),
        found("landmarks_SC022_20190228_4_siteInfo.mat", b"MATLAB 5.0 MAT-file" + b"\0" * 200),
    ]
    tables, rejected = read_histology(session, files)
    assert tables["electrode_positions"]["probe"].to_pylist() == [2]
    assert {one.files[0].relpath.name for one in rejected} == {
        "channel_locations.json",
        "xyz_picks.json",
        "landmarks_SC022_20190228_4_siteInfo.csv",
        "landmarks_SC022_20190228_4_siteInfo.mat",
    }
    assert {type(one.error) for one in rejected} == {UnreadableFile}


@pytest.mark.parametrize(
    "bad", ['{"channel_0": ', '{"origin": {"bregma": [1, 2]}, "channel_0": {}}', '{"origin": 7, "channel_0": {}}']
)
def test_picks_wait_for_the_file_that_tells_their_origin(found: Write, session: str, bad: str) -> None:
    positions = found(f"{DAY}/SC022_channel_locations.json", bad)
    picks = found(f"{DAY}/xyz_picks.json", {"xyz_picks": [[0, 0, 0]]})
    for files in ([positions, picks], [picks]):
        tables, rejected = read_histology(session, files)
        assert tables == {}
        (waiting,) = [one for one in rejected if one.files == (picks,)]
        assert isinstance(waiting.error, CompanionMissing)
        assert "SC022_channel_locations.json" in str(waiting.error)
    mended = found(f"{DAY}/SC022_channel_locations.json", {"channel_0": _channel(0, 0, 0, 0, 11)})
    tables, rejected = read_histology(session, [mended, picks])
    assert (set(tables), rejected) == ({"electrode_positions", "probe_tracks"}, ())


def test_picks_of_another_shank_and_picks_alone_do_not_wait(found: Write, session: str) -> None:
    found(f"{DAY}/channel_locations_shank2.json", "{")
    files = [found(f"{DAY}/xyz_picks_shank1.json", {"xyz_picks": [[0, 0, 0]]})]
    tables, rejected = read_histology(session, files)
    assert (set(tables), rejected) == ({"probe_tracks"}, ())


def test_picks_wait_where_two_files_claim_to_tell_their_origin(found: Write, session: str) -> None:
    content = {"channel_0": _channel(0, 0, 0, 0, 11)}
    files = [found(f"{DAY}/{name}channel_locations.json", content) for name in ("", "new_")]
    files.append(found(f"{DAY}/xyz_picks.json", {"xyz_picks": [[0, 0, 0]]}))
    tables, rejected = read_histology(session, files)
    assert tables == {}
    assert {type(one.error): len(one.files) for one in rejected} == {PiecesDoNotFit: 2, CompanionMissing: 1}


_GOOD = {"x": 0, "y": 0, "z": -100, "axial": 20, "lateral": 43, "brain_region_id": 1}


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"x": 10**400}, UnreadableFile),
        ({"x": True}, UnreadableFile),
        ({"x": 2**70}, PiecesDoNotFit),
        ({"y": -1e308}, PiecesDoNotFit),
        ({"z": 1e300}, PiecesDoNotFit),
        ({"axial": 1e300}, PiecesDoNotFit),
        ({"brain_region_id": 1e300}, PiecesDoNotFit),
        ({"brain_region_id": 2**70}, PiecesDoNotFit),
        ({"brain_region_id": 10**400}, PiecesDoNotFit),
    ],
)
def test_a_number_that_cannot_be_rejects_its_file_and_no_other(
    found: Write, session: str, wrong: dict, error: type
) -> None:
    files = [
        found(f"{DAY}/channel_locations.json", {"channel_0": _GOOD | wrong}),
        found("SC022/20190228_2/channel_locations.json", {"channel_0": _GOOD}),
    ]
    tables, rejected = read_histology(session, files)
    assert tables["electrode_positions"]["probe"].to_pylist() == [2]
    assert [(type(one.error), one.files) for one in rejected] == [(error, (files[0],))]


@pytest.mark.parametrize(
    "content",
    [f'{{"channel_{"1" * 5000}": 7}}', f'{{"channel_0": {{"x": {"1" * 5000}, "y": 0}}}}', '{"channel_0": 1e999}'],
)
def test_more_digits_than_a_number_has_reject_the_file(found: Write, session: str, content: str) -> None:
    tables, rejected = read_histology(session, [found(f"{DAY}/channel_locations.json", content)])
    assert tables == {}
    assert [type(one.error) for one in rejected] == [UnreadableFile]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([*_GOOD, "bregma", "name"]),
    st.one_of(st.floats(), st.integers(), st.integers(300, 4000).map(lambda n: 10**n), st.booleans(), st.text()),
)
def test_no_value_does_more_than_reject_its_file(found: Write, session: str, where: str, value: object) -> None:
    content = {"origin": {"bregma": [value if where == "bregma" else 5739, 5400, 332]}}
    content[f"channel_{value if where == 'name' else 0}"] = _GOOD | ({where: value} if where in _GOOD else {})
    tables, rejected = read_histology(session, [found(f"{DAY}/channel_locations.json", content)])
    assert len(tables) + len(rejected) == 1
    for table in tables.values():
        assert np.abs(table["ccf_ap_um"].to_numpy()).max() <= 100_000


@pytest.mark.parametrize("place", ["1e300", "-1e12"])
def test_a_landmark_far_off_any_brain_rejects_its_file(found: Write, session: str, place: str) -> None:
    file = found("landmarks_SC022_20190228_1_siteInfo.csv", f"a,false,1,2,3,{place},5,6\n")
    tables, rejected = read_histology(session, [file])
    assert tables == {}
    assert [type(one.error) for one in rejected] == [PiecesDoNotFit]


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        ("shank,ap_um,dv_um,ml_um\n1e300,1,2,3\n", PiecesDoNotFit, "a shank is no number"),
        ("shank,ap_um,dv_um,ml_um\n99999999999999999999,1,2,3\n", PiecesDoNotFit, "a shank is no number"),
        ("shank,ap_um,dv_um,ml_um\n100,1,2,3\n", PiecesDoNotFit, "a shank is no number"),
        ("ap_um,dv_um,ml_um\n1e308,2,3\n-1e308,5,6\n", PiecesDoNotFit, "100 mm"),
        ("ap_um,dv_um,ml_um\n", UnreadableFile, "no point"),
        ("ap_um,dv_um,ml_um,ml_um\n1,2,3,4\n", UnreadableFile, "several columns ml_um"),
    ],
)
def test_a_traced_track_that_cannot_be_is_rejected(
    found: Write, session: str, content: str, error: type, said: str
) -> None:
    tables, rejected = read_histology(session, [found("track_SC022_20190228_1.csv", content)])
    assert tables == {}
    assert [type(one.error) for one in rejected] == [error]
    assert said in str(rejected[0].error)


@pytest.mark.parametrize("remark", ["# frame: map,,", " # frame: map", "# frame: map;;"])
def test_a_frame_is_read_as_a_spreadsheet_saves_it(found: Write, session: str, remark: str) -> None:
    file = found("track_SC022_20190228_1.csv", f"{remark}\nx,y,z\n1,2,3\n4,500,6\n")
    tables, rejected = read_histology(session, [file])
    assert rejected == ()
    assert tables["probe_tracks"]["ccf_ap_um"].to_pylist() == [3.0, 6.0]


@pytest.mark.parametrize(
    "name",
    [
        "landmarks_SC022_20190228_1.csv",
        "landmarks_SC022_20190228_1_2.csv",
        "Landmarks_SC022_20190228_1_siteinfo.CSV",
        "landmarks_SC022_20190228_151010_1_siteInfo.csv",
    ],
)
def test_a_bigwarp_csv_is_read_by_the_earlier_pipelines_name_too(found: Write, session: str, name: str) -> None:
    tables, rejected = read_histology(session, [found(f"SC022/{name}", "a,false,1,2,3,4,5,6\n")])
    assert rejected == ()
    assert tables["probe_tracks"]["probe"].to_pylist() == [1]


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"channel_0": {"x": 1, "y": 2, "z": 3, "axial": 4}},
        {"channel_0": {"x": "1", "y": 2, "z": 3, "axial": 4, "lateral": 5}},
        {"channel_0": {"x": float("nan"), "y": 2, "z": 3, "axial": 4, "lateral": 5}},
        {"channel_0": 7},
        "[]",
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
)
def test_broken_channel_locations_are_unreadable(found: Write, session: str, content: object) -> None:
    tables, rejected = read_histology(session, [found(f"{DAY}/channel_locations.json", content)])
    assert tables == {}
    assert [type(one.error) for one in rejected] == [UnreadableFile]


@pytest.mark.parametrize("origin", [{"bregma": [1, 2, 3], "lambda": [1, 2, 3]}, [1, 2, 3]])
def test_an_origin_that_is_not_one_landmark_does_not_fit(found: Write, session: str, origin: object) -> None:
    content = {"origin": origin, "channel_0": _channel(0, 0, 0, 0, 11)}
    _, rejected = read_histology(session, [found(f"{DAY}/channel_locations.json", content)])
    assert [type(one.error) for one in rejected] == [PiecesDoNotFit]


def test_a_mat_file_cut_anywhere_is_unreadable(found: Write, session: str) -> None:
    whole = _site_info(np.ones((20, 3)), [672] * 20)
    for n_bytes in range(0, len(whole), 97):
        file = found("landmarks_SC022_20190228_1_siteInfo.mat", whole[:n_bytes])
        tables, rejected = read_histology(session, [file])
        assert tables == {}
        assert [type(one.error) for one in rejected] == [UnreadableFile], n_bytes


def test_no_flipped_bit_does_more_than_reject_the_landmarks(found: Write, session: str) -> None:
    whole = _site_info(np.array([[300.0, 200.0, 250.0], [np.nan] * 3, [300.5, 199.0, 250.0]]), [672, np.nan, 385])
    rng = random.Random(6)
    n_rejected = 0
    for place in range(124, len(whole), 3):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << rng.randrange(8)
        tables, rejected = read_histology(session, [found("landmarks_SC022_20190228_1_siteInfo.mat", bytes(flipped))])
        assert bool(tables) != bool(rejected)
        n_rejected += len(rejected)
    assert n_rejected > len(whole) / 12


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"ont": {}}, UnreadableFile, r"site\.ont\.id is missing"),
        ({"pos": {"x": [1.0], "y": [1.0], "mmPerPixel": 0.02}}, UnreadableFile, r"site\.pos\.z is missing"),
        ({"pos": 5.0}, UnreadableFile, r"site\.pos holds numbers; expected structs"),
        ({"ont": {"id": "CP"}}, UnreadableFile, r"site\.ont\.id holds text; expected numbers"),
        ({"ont": {"id": [672.5]}}, PiecesDoNotFit, "a region id is no whole number"),
        ({"ont": {"id": [1e300]}}, PiecesDoNotFit, "a region id is no whole number"),
        ({"ont": {"id": np.ones((1, 2))}}, PiecesDoNotFit, "columns are of different lengths"),
        ({"mmPerPixel": []}, PiecesDoNotFit, "its voxels are of 0 widths"),
        ({"mmPerPixel": np.nan}, PiecesDoNotFit, "its voxels are nan um wide"),
    ],
)
def test_landmarks_say_what_is_wrong_with_them(
    found: Write, session: str, change: dict, error: type, said: str
) -> None:
    site = {"pos": {"x": [1.0], "y": [2.0], "z": [3.0], "mmPerPixel": 0.02}, "ont": {"id": [672.0]}}
    for name, value in change.items():
        if name in site:
            site[name] = value
        else:
            site["pos"][name] = value
    out = io.BytesIO()
    scipy.io.savemat(out, {"site": site})
    _, rejected = read_histology(session, [found("landmarks_SC022_20190228_1_siteInfo.mat", out.getvalue())])
    assert [type(one.error) for one in rejected] == [error]
    assert re.search(said, str(rejected[0].error))
    assert "Export it from the registration again." in str(rejected[0].error)


def test_columns_that_are_tables_do_not_fit(found: Write, session: str) -> None:
    table = np.ones((2, 2))
    out = io.BytesIO()
    scipy.io.savemat(out, {"site": {"pos": dict.fromkeys("xyz", table) | {"mmPerPixel": 0.02}, "ont": {"id": table}}})
    _, rejected = read_histology(session, [found("landmarks_SC022_20190228_1_siteInfo.mat", out.getvalue())])
    assert [type(one.error) for one in rejected] == [PiecesDoNotFit]


def test_landmark_columns_of_different_lengths_do_not_fit(found: Write, session: str) -> None:
    files = [
        found("landmarks_SC022_20190228_1_siteInfo.mat", _site_info(np.ones((3, 3)), [672])),
        found("landmarks_SC022_20190228_2_siteInfo.mat", _site_info(np.ones((3, 3)), [672] * 3, mm_per_pixel=20.0)),
    ]
    tables, rejected = read_histology(session, files)
    assert tables == {}
    assert [type(one.error) for one in rejected] == [PiecesDoNotFit, PiecesDoNotFit]


@pytest.mark.parametrize(
    ("relpath", "error"),
    [
        ("SC022/histology/channel_locations.json", NameDoesNotParse),
        ("SC022/20190228_1/channel_locations_shank0.json", NameDoesNotParse),
        ("SC022/20190301_1/channel_locations.json", PiecesDoNotFit),
        ("landmarks_SC022_20190228_siteInfo.mat", NameDoesNotParse),
        ("landmarks_SC022_20190228_1.mat", NameDoesNotParse),
        ("landmarks_SC022_20190228_101010_1_siteInfo.mat", PiecesDoNotFit),
        ("landmarks_SC023_20190228_1_siteInfo.mat", PiecesDoNotFit),
        ("SC022/20190228_1/notes.txt", NoFormatRecognizes),
    ],
)
def test_names_that_do_not_tell_are_rejected(found: Write, session: str, relpath: str, error: type) -> None:
    _, rejected = read_histology(session, [found(relpath, "{}")])
    assert [type(one.error) for one in rejected] == [error]


def test_two_files_for_one_shank_are_both_rejected(found: Write, session: str) -> None:
    content = {"channel_0": _channel(0, 0, 0, 0, 11)}
    files = [
        found(f"{DAY}/channel_locations.json", content),
        found(f"{DAY}/old/channel_locations.json", content),
        found("landmarks_SC022_20190228_1_2_siteInfo.mat", _site_info(np.ones((2, 3)), [672, 672])),
    ]
    tables, rejected = read_histology(session, files)
    assert tables["electrode_positions"]["shank"].to_pylist() == [1, 1]
    assert [len(one.files) for one in rejected] == [2]
    assert isinstance(rejected[0].error, PiecesDoNotFit)


def test_two_formats_that_claim_one_file_are_named(found: Write, session: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histology, "FORMATS", (*histology.FORMATS, histology.FORMATS[0]))
    _, rejected = read_histology(session, [found(f"{DAY}/xyz_picks.json", {"xyz_picks": []})])
    assert [type(one.error) for one in rejected] == [TwoFormatsRecognize]


def test_files_of_other_roles_and_empty_tracks_make_no_table(found: Write, session: str) -> None:
    files = [
        found(f"{DAY}/xyz_picks.json", {"xyz_picks": []}),
        found("SC022/20190228_2/channel_locations.json", "not read", role="raw"),
    ]
    assert read_histology(session, files) == ({}, ())
    assert read_histology(session, []) == ({}, ())
