"""The room's own reader of MATLAB files gives what scipy gives, value by value."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from map_assets.behavior.mat5 import Matrix, read_variables
from map_assets.behavior.matlab import open_matlab
from map_assets.vocabulary.errors import UnreadableFile

NOWHERE = Path("memory.mat")


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
    found = read_variables(NOWHERE, content)
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
    from scipy.io import savemat

    buffer = io.BytesIO()
    savemat(buffer, {"it": value, "beside": 1.0}, long_field_names=True, do_compression=compressed)
    assert both(buffer.getvalue()) >= 1


def big_endian() -> bytes:
    """A 2 x 2 matrix as a big-endian machine writes it, by the format's description."""
    numbers = np.array([1.5, 2.0, -3.0, 4.0], ">f8").tobytes()
    parts = [
        np.array([6, 8, 6, 0], ">u4"),
        np.array([5, 8, 2, 2], ">u4"),
        np.frombuffer(b"\x00\x02\x00\x01it\0\0", "u1"),
        np.array([9, len(numbers)], ">u4"),
    ]
    body = b"".join(part.tobytes() for part in parts) + numbers
    return b"MATLAB 5.0".ljust(124) + b"\x01\x00MI" + np.array([14, len(body)], ">u4").tobytes() + body


def test_a_big_endian_file_is_decoded() -> None:
    assert both(big_endian()) == 1
    np.testing.assert_array_equal(read_variables(NOWHERE, big_endian())["it"].numbers(), [[1.5, -3.0], [2.0, 4.0]])


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
    from scipy.io import savemat

    buffer = io.BytesIO()
    savemat(buffer, {"it": np.arange(6.0).reshape(2, 3)})
    content = bytearray(buffer.getvalue())
    content[at] = value
    with pytest.raises(UnreadableFile, match=said):
        read_variables(NOWHERE, bytes(content))["it"].numbers()


def test_a_checksum_that_does_not_fit_is_noticed(tmp_path: Path) -> None:
    from scipy.io import savemat

    path = tmp_path / "packed.mat"
    savemat(path, {"it": np.zeros((40, 40))}, do_compression=True)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match="incorrect data check"):
        open_matlab(path)
