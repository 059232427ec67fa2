"""The house's own reader of MATLAB files gives what scipy gives, value by value, and refuses what would end scipy."""

from __future__ import annotations

import io
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from map_assets.vocabulary import matlab
from map_assets.vocabulary.errors import UnreadableFile
from map_assets.vocabulary.matlab import open_matlab, parse_matlab
from map_assets.vocabulary.matlab5 import Matrix
from map_assets.vocabulary.matlab_struct import Struct

TODO = "Write it again."


def parsed(content: bytes) -> Mapping[str, Matrix]:
    return parse_matlab(Path("memory.mat"), content, todo=TODO).variables


def saved(variables: dict[str, Any], **how: Any) -> bytes:
    from scipy.io import savemat

    buffer = io.BytesIO()
    savemat(buffer, variables, **how)
    return buffer.getvalue()


def same(matrix: Matrix, value: np.ndarray) -> int:
    """Hold a matrix against scipy's value, all the way down; return how many values were compared."""
    if value.dtype == object and value.size and all(hasattr(inner, "_fieldnames") for inner in value.flat):
        assert matrix.kind == "struct"
        count = 0
        for places, inner in zip(matrix.structs(), value.ravel(order="F"), strict=True):
            assert list(places) == inner._fieldnames
            for name, place in places.items():
                count += same(matrix.file.matrix(place, len(matrix.file.data))[1], getattr(inner, name))
        return count
    if value.dtype == object:
        assert matrix.kind == "cell"
        return sum(same(cell, inner) for cell, inner in zip(matrix.cells(), value.ravel(order="F"), strict=True))
    if value.dtype.kind == "U":
        assert matrix.kind == "text"
        assert matrix.text() == "".join(value.tolist())
        assert len(matrix.rows()) == (len(value) if matrix.size else 0)
        return 1
    assert matrix.kind == "numbers"
    np.testing.assert_array_equal(matrix.numbers(), value.astype(float))
    return 1


def both(content: bytes) -> int:
    from scipy.io import loadmat

    expected = {
        name: value
        for name, value in loadmat(io.BytesIO(content), struct_as_record=False).items()
        if not name.startswith("__")
    }
    found = parsed(content)
    assert found.keys() == expected.keys()
    return sum(same(found[name], np.asarray(value)) for name, value in expected.items())


def test_each_value_of_the_real_session_is_the_same(shared_data: Path) -> None:
    assert both((shared_data / "map" / "dl25_tw2_20180225_102508.mat").read_bytes()) > 2000
    assert both((shared_data / "map" / "dl25_bitcode.mat").read_bytes()) == 2


values = st.recursive(
    hnp.arrays(
        st.sampled_from([np.float64, np.float32, np.uint8, np.int16, np.int32, np.uint16, np.int64, np.bool_]),
        hnp.array_shapes(min_dims=2, max_dims=3, min_side=0, max_side=4),
    )
    | st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), max_size=12).filter(
        lambda text: all(ord(letter) < 0x10000 for letter in text)
    ),
    lambda inner: st.dictionaries(st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,40}", fullmatch=True), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(values, st.booleans())
def test_whatever_was_saved_is_decoded_the_same(value, compressed) -> None:
    assert both(saved({"it": value, "beside": 1.0}, long_field_names=True, do_compression=compressed)) >= 1


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "value",
    [
        *(
            np.array([[1, 2, 3], [4, 5, 6]], kind)
            for kind in ("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")
        ),
        *(np.array([[True, False]]), np.array([[300.0]]), np.zeros((0, 3)), np.array([[np.nan, -1e300]])),
    ],
    ids=lambda value: f"{value.dtype}{value.shape}",
)
def test_numbers_of_every_class_are_decoded_the_same(value, compressed) -> None:
    content = saved(
        {"before": {"a": np.array([1, "x"], object)}, "v": value, "after": "text"}, do_compression=compressed
    )
    assert both(content) == 4
    assert parsed(content)["v"].numbers().dtype == np.float64


def test_rows_of_text_and_letters_beyond_ascii_are_decoded() -> None:
    found = parsed(saved({"v": np.array(["zä", "ß1"]), "c": np.array(["é", "", "🐭β"], object), "none": ""}))
    assert found["v"].rows() == ["zä", "ß1"]
    assert found["v"].text() == "zäß1"
    assert [cell.text() for cell in found["c"].cells()] == ["é", "", "🐭β"]
    assert (found["none"].rows(), found["none"].text()) == ([], "")


def matrix_of(kind: int, dims: tuple[int, ...], content_type: int, content: bytes, order: str = "<") -> bytes:
    """A file of one matrix `it`, by the format's description."""
    sizes = np.array([*dims, *[0] * (len(dims) % 2)], f"{order}i4").tobytes()
    body = np.array([6, 8, kind, 0, 5, 4 * len(dims)], f"{order}u4").tobytes() + sizes
    body += np.array([1, 2], f"{order}u4").tobytes() + b"it".ljust(8, b"\0")
    body += np.array([content_type, len(content)], f"{order}u4").tobytes() + content + bytes(-len(content) % 8)
    mark = b"\x00\x01IM" if order == "<" else b"\x01\x00MI"
    return b"MATLAB 5.0".ljust(124) + mark + np.array([14, len(body)], f"{order}u4").tobytes() + body


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("content_type", "width", "encoding"), [(1, 1, "latin-1"), (17, 2, "utf-16"), (18, 4, "utf-32")]
)
def test_letters_of_every_width_are_decoded_row_by_row(content_type, width, encoding, order) -> None:
    encoding += "" if width == 1 else "-le" if order == "<" else "-be"
    content = "zßä1".encode(encoding)  # column after column
    assert parsed(matrix_of(4, (2, 2), content_type, content, order))["it"].rows() == ["zä", "ß1"]


def test_a_letter_of_two_units_stays_whole_beside_another_row() -> None:
    units = [np.frombuffer(row.encode("utf-16-le"), "<u2") for row in ("😀", "🐭")]
    assert parsed(matrix_of(4, (2, 2), 17, np.stack(units, axis=1).tobytes()))["it"].rows() == ["😀", "🐭"]


@pytest.mark.parametrize(
    ("kind", "dims", "content_type", "content", "said"),
    [
        (4, (1, 3), 17, "ab".encode("utf-16-le"), "2 letters for 3 places"),
        (4, (2, 2), 16, b"abc", "3 letters for 4 places"),
        (4, (1, 1), 17, b"\x00\xd8", "text that cannot be decoded"),
        (4, (1, 2), 16, b"\xff\xfe", "text that cannot be decoded"),
        (4, (1, 1), 9, bytes(8), "type 9 where text should be"),
    ],
)
def test_damaged_text_is_named_with_its_place(kind, dims, content_type, content, said) -> None:
    with pytest.raises(UnreadableFile, match=said):
        parsed(matrix_of(kind, dims, content_type, content))["it"].rows()


def test_an_empty_matrix_of_impossible_width_is_refused() -> None:
    with pytest.raises(UnreadableFile, match="an empty matrix of 0 x 2147483647 x 2147483647 x 9"):
        parsed(matrix_of(6, (0, 2**31 - 1, 2**31 - 1, 9), 9, b""))["it"].numbers()


@pytest.mark.parametrize("length", [np.array([np.nan], "<f4"), np.array([np.inf], "<f4"), np.array([0], "<i4")])
def test_a_struct_without_a_length_of_its_names_is_refused(length) -> None:
    content = bytearray(saved({"it": {"a": 1.0}}))
    place = content.index(np.array([5 | 4 << 16, 2], "<u4").tobytes())
    content[place] = 7 if length.dtype == "<f4" else 5
    content[place + 4 : place + 8] = length.tobytes()
    with pytest.raises(UnreadableFile, match="a struct without field names"):
        parsed(bytes(content))["it"].structs()


def site_info() -> dict[str, Any]:
    """Structs within a struct, NaN in columns, as the registration of histology writes them."""
    x = np.array([[1.5], [np.nan], [3.0]])
    return {"site": {"pos": {"mmPerPixel": 0.02, "x": x, "y": -x}, "warp": {"x": x}, "ont": {"id": x.round()}}}


@pytest.mark.parametrize("compressed", [False, True])
def test_structs_are_asked_by_name_down_to_their_numbers(compressed) -> None:
    content = saved(site_info(), do_compression=compressed)
    assert both(content) == 5
    site = parse_matlab(Path("site.mat"), content, todo=TODO).struct("site")
    assert site.names == ["pos", "warp", "ont"]
    np.testing.assert_array_equal(site.struct("pos").numbers("y"), [-1.5, np.nan, -3.0])
    assert site.struct("pos").number("mmPerPixel") == 0.02
    assert site.struct("gone").names == []


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda site: site.numbers("gone"), r"site\.gone is missing; expected that field"),
        (lambda site: site.struct("gone").numbers("x"), r"site\.gone\.x is missing"),
        (lambda site: site.struct("pos").numbers("word"), r"site\.pos\.word holds text; expected numbers"),
        (lambda site: site.numbers("pos"), r"site\.pos holds structs; expected numbers"),
        (lambda site: site.number("many"), r"site\.many holds 2 numbers; expected one"),
        (lambda site: site.struct("many"), r"site\.many holds numbers; expected structs"),
        (lambda site: site.numbers("turned"), r"site\.turned holds complex numbers, an object or a function"),
        (lambda site: site.numbers("cell"), r"site\.cell holds a cell; expected numbers"),
    ],
)
def test_a_field_that_is_not_what_is_asked_is_named_and_says_what_to_do(ask, said) -> None:
    cell = np.array(["a", "b"], object)
    fields = {"pos": {"word": "here"}, "many": [1.0, 2.0], "turned": 1 + 2j, "cell": cell}
    site = parse_matlab(Path("site.mat"), saved({"site": fields}), todo=TODO).struct("site")
    with pytest.raises(UnreadableFile, match=rf"^site\.mat: {said}.*{TODO}"):
        ask(site)


def test_a_variable_that_is_no_single_struct_has_no_fields() -> None:
    file = parse_matlab(Path("a.mat"), saved({"it": 1.0, "two": np.zeros((1, 2), [("a", object)])}), todo=TODO)
    for name in ("it", "two", "gone"):
        with pytest.raises(UnreadableFile, match=rf"{name}\.a is missing"):
            file.struct(name).numbers("a")


def test_a_big_endian_file_is_decoded() -> None:
    content = matrix_of(6, (2, 2), 9, np.array([1.5, 2.0, -3.0, 4.0], ">f8").tobytes(), ">")
    assert both(content) == 1
    np.testing.assert_array_equal(parsed(content)["it"].numbers(), [[1.5, -3.0], [2.0, 4.0]])


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        (128, 200, "type 200 where a matrix should be"),
        (132, 255, "bytes, .* are there"),
        (140, 4, "a matrix without flags|is missing|needs"),
        (160, 200, "a matrix of"),
        (176, 200, "type 200 where numbers should be"),
    ],
)
def test_a_damaged_tag_is_named_with_its_place(at, value, said) -> None:
    content = bytearray(saved({"it": np.arange(6.0).reshape(2, 3)}))
    content[at] = value
    with pytest.raises(UnreadableFile, match=said):
        parsed(bytes(content))["it"].numbers()


def everything(matrix: Matrix) -> None:
    """Decode a value all the way down."""
    if matrix.kind == "struct":
        for places in matrix.structs():
            fields = Struct("it", matrix.file, places)
            for name in fields.names:
                everything(fields.matrix(name))
    elif matrix.kind == "cell":
        for cell in matrix.cells():
            everything(cell)
    elif matrix.kind == "text":
        matrix.text()
    elif matrix.kind == "numbers":
        matrix.numbers()


@pytest.mark.parametrize("compressed", [False, True])
def test_flipped_bits_are_refused_or_harmless_and_never_end_the_process(compressed) -> None:
    cell = np.array(["0110", "1", np.arange(3)], object)
    whole = saved({**site_info(), "c": cell, "t": np.array(["0110", "1001"])}, do_compression=compressed)
    rng = random.Random(5)
    n_refused = 0
    for place in range(124, len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << rng.randrange(8)
        try:
            for matrix in parsed(bytes(flipped)).values():
                everything(matrix)
        except UnreadableFile:
            n_refused += 1
    assert n_refused > (len(whole) - 124) * (0.95 if compressed else 0.25)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_cut_anywhere_is_refused(compressed) -> None:
    whole = saved(site_info(), do_compression=compressed)
    for cut in range(len(whole)):
        with pytest.raises(UnreadableFile, match=r"it is empty|it is no MATLAB|truncated or damaged"):
            parsed(whole[:cut])


def test_a_checksum_that_does_not_fit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "packed.mat"
    content = bytearray(saved({"it": np.zeros((40, 40))}, do_compression=True))
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match="incorrect data check"):
        open_matlab(path, todo=TODO)


def test_a_compressed_variable_that_would_fill_the_memory_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(matlab, "_LARGEST", 1 << 20)
    with pytest.raises(UnreadableFile, match="is larger than 1 MiB"):
        parsed(saved({"it": np.zeros((1024, 1024))}, do_compression=True))
    assert parsed(saved({"it": np.zeros((256, 256))}, do_compression=True))["it"].size == 65536


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty; expected a MATLAB 5 to 7 file"),
        (b"trial,time\n1,2\n", "it is no MATLAB 5 to 7 file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(600), r"truncated or damaged .* a whole MATLAB 7\.3 file"),
        (b"MATLAB 7.3 MAT-file".ljust(600), r"its header says MATLAB 7\.3 and no HDF5 follows"),
    ],
)
def test_a_file_of_another_kind_says_so(content, said) -> None:
    with pytest.raises(UnreadableFile, match=said):
        parsed(content)


def test_a_file_that_is_gone_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="cannot be reached"):
        open_matlab(tmp_path / "gone.mat", todo=TODO)
