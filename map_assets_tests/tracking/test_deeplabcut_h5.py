"""DeepLabCut's h5, a pandas frame: read as plain arrays, whatever else the file holds."""

from __future__ import annotations

import io
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from map_assets.simulate.pandas_h5 import frame_bytes
from map_assets.tracking.formats.plain_names import plain_names
from map_assets.tracking.read import read_pose
from map_assets.vocabulary.errors import BadInput, NoFormatRecognizes, PiecesDoNotFit, UnreadableFile

HEADS = [("nose",), ("paw_left",)]
VALUES = np.random.default_rng(1).normal(200, 50, (7, 6))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound result of seven frames."""
    found = tmp_path / "dl59_side_1-0000DLC_a.h5"
    found.write_bytes(frame_bytes("DLC_a", np.arange(7), HEADS, VALUES))
    return found


def test_the_real_result_is_read_whole(shared_data: Path) -> None:
    path = shared_data / "dlc" / "open_field_DLC.h5"
    pose = read_pose(path)
    assert list(pose.features) == ["snout", "leftear", "rightear", "tailbase"]
    assert pose.frame.tolist() == list(range(2330))
    assert pose.individual_of == {}
    with h5py.File(path) as file:
        values = file["df_with_missing/table"]["values_block_0"]
    for place, found in enumerate(column for feature in pose.features.values() for column in feature):
        np.testing.assert_array_equal(found.to_numpy(), values[:, place].astype(np.float32))


def test_several_animals_are_named_and_what_was_not_found_is_null(path: Path) -> None:
    values = VALUES.copy()
    values[2:4, 3:] = np.nan
    path.write_bytes(frame_bytes("DLC_a", np.arange(7), [("m1", "nose"), ("m2", "nose")], values))
    pose = read_pose(path)
    assert pose.individual_of == {"m1/nose": "m1", "m2/nose": "m2"}
    assert [column.null_count for column in pose.features["m2/nose"]] == [2, 2, 2]
    assert pose.features["m1/nose"][0].null_count == 0


def in_fixed_form(names: list[tuple[str, ...]], frame: np.ndarray, values: np.ndarray, is_transposed: bool) -> bytes:
    """Lay a frame out as pandas does in fixed form."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        group = file.create_group("tracks")
        group.attrs["pandas_type"] = np.bytes_("frame")
        group.attrs["nblocks"] = np.int64(1)
        group["axis1"] = frame
        group["block0_values"] = values if is_transposed else values.T
        group["block0_values"].attrs["transposed"] = is_transposed
        group.attrs["block0_items_nlevels"] = np.int64(len(names[0]))
        for level, words in enumerate(zip(*names, strict=True)):
            known = sorted(set(words))
            group[f"block0_items_level{level}"] = np.array([word.encode() for word in known])
            group[f"block0_items_label{level}"] = np.array([known.index(word) for word in words], np.int8)
    return stream.getvalue()


@pytest.mark.parametrize("is_transposed", [True, False])
def test_the_fixed_form_is_read_as_the_table_is(path: Path, is_transposed: bool) -> None:
    table = read_pose(path)
    names = [("DLC_a", part, coord) for (part,) in HEADS for coord in ("x", "y", "likelihood")]
    path.write_bytes(in_fixed_form(names, np.arange(7), VALUES, is_transposed))
    fixed = read_pose(path)
    assert fixed.features == table.features
    assert fixed.frame.tolist() == table.frame.tolist()


def damaged(path: Path, damage) -> UnreadableFile | PiecesDoNotFit:
    """Damage a file through the library and return what is said of it."""
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises((UnreadableFile, PiecesDoNotFit)) as said:
        read_pose(path)
    assert path.name in str(said.value)
    return said.value


RUNS_SOMETHING = b"cposix\nsystem\n(Vtouch %s\ntR."


@pytest.mark.parametrize("key", ["values_block_0_kind"])
def test_an_attribute_that_would_run_something_runs_nothing(path: Path, tmp_path: Path, key: str) -> None:
    mark = tmp_path / "it_ran"
    content = RUNS_SOMETHING.replace(b"%s", str(mark).encode())
    said = damaged(path, lambda file: file["df_with_missing/table"].attrs.__setitem__(key, np.bytes_(content)))
    assert "the names ask for GLOBAL" in str(said)
    assert not mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"(l",
        b"(lp0\nVa\na.",
        b"(lI1\na.",
        b"(l(Va\nI1\nta.",
        b"a.",
        b"t.",
        b"g7\n.",
        b"(d.",
        b"\x80\x04]\x94.",
        b"N.",
    ],
)
def test_names_that_are_no_list_of_tuples_of_texts_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"the names|pickle|opcode"):
        plain_names(content)


def test_names_are_read_with_what_they_repeat() -> None:
    assert plain_names(b"(lp0\n(Vnet\np1\nVa\\u00e9\np2\ntp3\na(g1\nVb\np4\ntp5\nag3\na.") == [
        ("net", "a\xe9"),
        ("net", "b"),
        ("net", "a\xe9"),
    ]
    assert plain_names(b"(l.") == []


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=60)
    | st.lists(st.sampled_from([b"(", b"l", b"t", b"a", b"Vx\n", b"p0\n", b"g0\n", b"."])).map(b"".join)
)
def test_whatever_stands_in_an_attribute_is_names_or_a_plain_refusal(content: bytes) -> None:
    try:
        names = plain_names(content)
    except ValueError:
        return
    assert all(isinstance(word, str) for name in names for word in name)


def test_nothing_leads_out_of_the_file(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "secret.h5"
    other.write_bytes(path.read_bytes())

    def link(file: h5py.File) -> None:
        del file["df_with_missing/table"]
        file["df_with_missing/table"] = h5py.ExternalLink(str(other), "/df_with_missing/table")

    assert "leads out of the file" in str(damaged(path, link))
    (tmp_path / "raw").write_bytes(bytes(7 * 48))
    names = [("a", part, coord) for (part,) in HEADS for coord in ("x", "y", "likelihood")]
    path.write_bytes(in_fixed_form(names, np.arange(7), VALUES, is_transposed=True))

    def outside(file: h5py.File) -> None:
        del file["tracks/block0_values"]
        file["tracks"].create_dataset("block0_values", (7, 6), "f8", external=[(str(tmp_path / "raw"), 0, 336)])

    assert "leads out of the file" in str(damaged(path, outside))


def test_numbers_that_the_file_does_not_hold_are_not_made_up(path: Path) -> None:
    def enlarge(file: h5py.File) -> None:
        kind = file["df_with_missing/table"].dtype
        del file["df_with_missing/table"]
        file["df_with_missing"].create_dataset("table", (10**9,), kind, chunks=(1000,))

    assert "that the file does not hold" in str(damaged(path, enlarge))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda file: file.__delitem__("df_with_missing/table"), "table is missing"),
        (lambda file: file["df_with_missing/table"].attrs.__delitem__("values_block_0_kind"), "damaged or no frame"),
        (lambda file: file["df_with_missing"].attrs.__setitem__("pandas_type", np.bytes_("series")), "'series'"),
        (lambda file: file.copy("df_with_missing", "again"), "it holds 2 frames"),
    ],
)
def test_a_frame_of_another_kind_is_refused(path: Path, damage, said: str) -> None:
    assert said in str(damaged(path, damage))


@pytest.mark.parametrize(
    ("frame", "heads", "error", "said"),
    [
        (np.arange(7)[::-1], HEADS, PiecesDoNotFit, "do not rise"),
        (np.arange(7), [("nose",), ("nose",)], PiecesDoNotFit, "nose x once more"),
        (np.arange(7), [("a", "b", "nose"), ("a", "b", "jaw")], UnreadableFile, "not named by scorer"),
    ],
)
def test_a_frame_that_contradicts_itself_is_refused(path: Path, frame, heads, error, said: str) -> None:
    path.write_bytes(frame_bytes("DLC_a", frame, heads, VALUES))
    with pytest.raises(error, match=said):
        read_pose(path)


def test_an_hdf5_file_of_something_else_is_nobodys(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(3)
    with pytest.raises(NoFormatRecognizes, match="HDF"):
        read_pose(path)


def test_a_result_cut_anywhere_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for cut in range(0, len(whole), 97):
        path.write_bytes(whole[:cut])
        with pytest.raises(BadInput, match=path.name):
            read_pose(path)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32))
def test_a_changed_byte_is_a_number_or_a_refusal_by_name(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = bytearray(frame_bytes("DLC_a", np.arange(7), HEADS, VALUES))
    whole[rng.integers(len(whole))] = rng.integers(256)
    path.write_bytes(bytes(whole))
    try:
        pose = read_pose(path)
    except BadInput as error:
        assert path.name in str(error)
    else:
        assert len(pose.features) == 2
        assert len(pose.frame) <= 7
