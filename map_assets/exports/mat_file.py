"""The bytes of a MATLAB 5 file that is written: the same variables give the same bytes. What is in them is made in `mat`.

scipy writes every variable but one: a cell of cells of numbers has hundreds of thousands of elements, which are laid out
here in one go, in the same bytes. Format: MathWorks, "MAT-File Format", version 5.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from map_assets.store import replacing
from map_assets.vocabulary.errors import MapAssetsError

MOST_BYTES = 2**31 - 1
"""A variable of a MATLAB 5 file has fewer bytes than 2 GiB, uncompressed."""

_TEXT, _HEADER = 116, 128
_STAMP, _HOLDS, _DIGITS = "made from ", " holds ", 32
_BLOCK = 2**20
_INT8, _INT32, _UINT32, _DOUBLE, _MATRIX, _COMPRESSED = 1, 5, 6, 9, 14, 15
_CELL_CLASS, _DOUBLE_CLASS = 1, 6
_FAST = 1
"""zlib's level. Cells of cells are left as they are: spike times lose a fifth by it, at ten times the time."""
_LEAF, _BRANCH = 7, 6
"""Words of 8 bytes before the numbers of an array, and before the cells of a cell array without name."""

Words = NDArray[np.uint64]


class TooLargeForMatlab(MapAssetsError):
    """A variable is larger than its file format can hold."""


def write_mat(path: Path, variables: Mapping[str, Any], *, stamp: str = "") -> None:
    """Write variables as a MATLAB 5 file; what stands at `path` is replaced at once, at the end.

    Parameters
    ----------
    path : pathlib.Path
    variables : mapping of str to array, dict, str or float
        As `make_mat` gives them; lists of one dimension become rows.
    stamp : str
        Told in the file's head, for `stamp_of`; a date is not.

    Raises
    ------
    TooLargeForMatlab
        If a variable has 2 GiB or more.
    """
    digest = hashlib.sha256()
    with replacing(path) as part, part.open("wb") as stream:
        stream.write(_head(""))
        for name, value in variables.items():
            element = _element(name, value)
            if not _is_nested(value):
                packed = zlib.compress(element, _FAST)
                element = struct.pack("<II", _COMPRESSED, len(packed)) + packed
            digest.update(element)
            stream.write(element)
        stream.seek(0)
        stream.write(_head(f"{stamp}{_HOLDS}{digest.hexdigest()[:_DIGITS]}" if stamp else ""))


def stamp_of(path: Path) -> str | None:
    """Read the stamp that `write_mat` put into a file's head; None where there is none, or a byte after the head is another."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        head, said, told = stream.read(_HEADER)[:_TEXT].decode("latin-1").partition(_STAMP)
        stamp, holds, expected = told.strip().partition(_HOLDS)
        if not said or not holds or not head.startswith("MATLAB 5.0 MAT-file"):
            return None
        while block := stream.read(_BLOCK):
            digest.update(block)
    return stamp if digest.hexdigest()[: len(expected)] == expected and len(expected) == _DIGITS else None


def _head(stamp: str) -> bytes:
    text = f"MATLAB 5.0 MAT-file, map_assets, {_STAMP}{stamp}" if stamp else "MATLAB 5.0 MAT-file, map_assets"
    return text.encode("ascii").ljust(_TEXT)[:_TEXT] + bytes(8) + b"\x00\x01IM"


def _element(name: str, value: Any) -> Any:
    """Give the uncompressed bytes of one variable."""
    made = _nested(name, value) if _is_nested(value) else _by_scipy(name, value)
    if len(made) > MOST_BYTES:
        raise _too_large(name, len(made))
    return made


def _too_large(name: str, n_bytes: int) -> TooLargeForMatlab:
    return TooLargeForMatlab(
        f"The variable {name} has {n_bytes / 2**30:.1f} GiB, and one of a MATLAB 5 file holds less than 2 GiB; "
        "read the tables themselves with parquetread (docs/matlab.md)."
    )


def _by_scipy(name: str, value: Any) -> memoryview:
    from scipy.io import savemat
    from scipy.io.matlab import MatWriteError

    stream = io.BytesIO()
    try:
        savemat(stream, {name: value}, appendmat=False, long_field_names=True, oned_as="row")  # type: ignore[arg-type]
    except MatWriteError as error:
        raise TooLargeForMatlab(f"The variable {name} does not fit a MATLAB 5 file ({error}).") from error
    return stream.getbuffer()[_HEADER:]


def _is_nested(value: Any) -> bool:
    """Whether it is a column of columns of cells of numbers, none of them empty."""
    return _is_column(value) and all(_is_column(cell) and _are_lists(cell) for cell in value[:, 0])


def _is_column(value: Any) -> bool:
    return (
        isinstance(value, np.ndarray) and value.dtype == object and value.ndim == 2 and value.shape[1] == 1
    ) and value.size > 0


def _are_lists(cell: NDArray[np.object_]) -> bool:
    return all(isinstance(item, np.ndarray) and item.dtype == np.float64 and item.ndim == 1 for item in cell[:, 0])


def _nested(name: str, value: NDArray[np.object_]) -> NDArray[np.uint8]:
    """Lay out a column of columns of cells of numbers; 8-byte words, each two 4-byte numbers, the first the lower."""
    lists = [item for cell in value[:, 0] for item in cell[:, 0]]
    lengths = np.fromiter(map(len, lists), np.int64, len(lists))
    n_inner = np.fromiter((len(cell) for cell in value[:, 0]), np.int64, len(value))
    text = name.encode("ascii")
    head = [_pair(_UINT32, 8), _pair(_CELL_CLASS, 0), _pair(_INT32, 8), _pair(len(value), 1), _pair(_INT8, len(text))]
    head += np.frombuffer(text.ljust(-(-len(text) // 8) * 8, b"\0"), "<u8").tolist()
    n_words = len(head) + _BRANCH * len(value) + int((_LEAF + lengths).sum())
    if 8 * (n_words + 1) > MOST_BYTES:
        raise _too_large(name, 8 * (n_words + 1))
    words = np.empty(n_words + 1, "<u8")
    words[: len(head) + 1] = [_pair(_MATRIX, 8 * n_words), *head]
    _fill(words[len(head) + 1 :], lists, lengths, n_inner)
    return words.view("u1")


def _fill(
    words: Words, lists: list[NDArray[np.float64]], lengths: NDArray[np.int64], n_inner: NDArray[np.int64]
) -> None:
    """Write every cell's head and numbers to its place."""
    is_first = np.zeros(len(lists), np.int64)
    firsts = np.cumsum(n_inner) - n_inner
    is_first[firsts] = 1
    ends = np.cumsum(_LEAF + lengths + _BRANCH * is_first)
    leaf = ends - lengths - _LEAF
    branch = leaf[firsts] - _BRANCH
    size = np.add.reduceat(_LEAF + lengths, firsts)
    is_number = np.ones(len(words), bool)
    for at, heads in (
        (branch, _cell_head(size, n_inner)),
        (leaf, _list_head(lengths)),
    ):
        for offset, word in enumerate(heads):
            words[at + offset] = word
            is_number[at + offset] = False
    words[is_number] = np.concatenate(lists).view("<u8")


def _cell_head(size: NDArray[np.int64], n_inner: NDArray[np.int64]) -> Iterator[Any]:
    yield _pair(_MATRIX, 8 * (size + _BRANCH - 1))
    yield from (_pair(_UINT32, 8), _pair(_CELL_CLASS, 0), _pair(_INT32, 8))
    yield _pair(n_inner, 1)
    yield _pair(_INT8, 0)


def _list_head(lengths: NDArray[np.int64]) -> Iterator[Any]:
    yield _pair(_MATRIX, 8 * (lengths + _LEAF - 1))
    yield from (_pair(_UINT32, 8), _pair(_DOUBLE_CLASS, 0), _pair(_INT32, 8))
    yield _pair((lengths > 0).astype(np.int64), lengths)
    yield _pair(_INT8, 0)
    yield _pair(_DOUBLE, 8 * lengths)


def _pair(lower: Any, upper: Any) -> Any:
    """Two 4-byte numbers as one word."""
    return lower + (upper * 2**32)
