"""Arrays of numbers and texts out of a MATLAB 5 to 7 file, by name. What they mean is read in `bitcode`.

Read here rather than with `scipy.io.loadmat`, which ends the whole process on a flipped bit in an array's class or type;
one damaged file must not take its neighbours with it. Format: MathWorks, "MAT-File Format", level 5: after 128 bytes a
chain of elements (type, size, content, padded to 8 bytes), some of them compressed; an array is an element that holds
elements: flags, sizes, name, content.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.vocabulary.errors import UnreadableFile
from map_assets.vocabulary.files import unchanged

_HEADER = 128
_ORDERS = {b"IM": "<", b"MI": ">"}
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CHARACTERS = {1: "u1", 2: "u1", 4: "u2", 17: "u2", 18: "u4"}
_MATRIX, _COMPRESSED, _UTF8, _UTF32 = 14, 15, 16, 18
_FLAGS, _SIZES, _NAME = 6, 5, 1
_CELL, _CHAR, _NUMERIC = 1, 4, range(6, 16)
_COMPLEX = 0x0800
_LARGEST = 1 << 28

Value = NDArray[np.float64] | list[str]


class _Damaged(Exception):
    """Something in the file is not as the format has it; becomes an `UnreadableFile` with the file's name."""


@dataclass(frozen=True)
class _Element:
    kind: int
    content: memoryview


def read_variables(path: Path, wanted: Collection[str]) -> dict[str, Value]:
    """Read some variables of a file.

    Parameters
    ----------
    path : pathlib.Path
    wanted : collection of str
        Their names; others are passed over.

    Returns
    -------
    dict of str to (numpy.ndarray of float or list of str)
        Numbers of any class in MATLAB's shape; rows of a char array, or elements of a cell of texts. A variable that
        the file lacks is left out.

    Raises
    ------
    UnreadableFile
        If the file is damaged or no MATLAB 5 to 7 file, or a variable is neither numbers nor text.
    ChangedWhileRead
        If it was written to meanwhile.
    """
    with unchanged(path):
        data = path.read_bytes()
    try:
        return _variables(data, wanted)
    except (_Damaged, struct.error, zlib.error, UnicodeDecodeError, ValueError, OverflowError) as error:
        raise UnreadableFile(
            path,
            f"it cannot be read ({error})",
            expected="a whole MATLAB 5 to 7 file",
            todo="Write the file again in MATLAB with save(..., '-v7').",
        ) from error


def _variables(data: bytes, wanted: Collection[str]) -> dict[str, Value]:
    order = _ORDERS.get(data[_HEADER - 2 : _HEADER])
    if order is None:
        raise _Damaged("its head is not that of MATLAB 5 to 7")
    found: dict[str, Value] = {}
    for element in _elements(memoryview(data)[_HEADER:], order):
        for matrix in _expanded(element, order):
            parts = list(_elements(matrix.content, order))
            if matrix.kind != _MATRIX or len(parts) < 3 or parts[2].kind != _NAME:
                raise _Damaged("a variable is no array")
            name = bytes(parts[2].content).decode("ascii", errors="replace")
            if name in wanted:
                found[name] = _value(name, parts, order)
    return found


def _expanded(element: _Element, order: str) -> list[_Element]:
    """Return a compressed element's content, else the element itself."""
    if element.kind != _COMPRESSED:
        return [element]
    expander = zlib.decompressobj()
    content = expander.decompress(element.content, _LARGEST)
    if not expander.eof:
        raise _Damaged("a compressed variable is cut off or larger than 256 MiB")
    return list(_elements(memoryview(content), order))


def _elements(content: memoryview, order: str) -> Iterator[_Element]:
    """Walk a chain of elements; up to four bytes of content may stand in the place of the size's upper half."""
    while content:
        kind, size = struct.unpack_from(order + "II", content)
        body, step = 8, 8 + size + (0 if kind == _COMPRESSED else -size % 8)
        if kind >> 16:
            kind, size, body, step = kind & 0xFFFF, kind >> 16, 4, 8
        if body + size > min(step, len(content)):
            raise _Damaged("an element is longer than its place")
        yield _Element(kind, content[body : body + size])
        content = content[step:]


def _value(name: str, parts: list[_Element], order: str) -> Value:
    kind, sizes, content = _shape(name, parts, order)
    if kind == _CELL:
        return [_cell(name, cell, order) for cell in parts[3:]]
    if kind == _CHAR and content is not None:
        return _rows(name, sizes, content, order)
    if kind in _NUMERIC and content is not None:
        return _array(name, sizes, content, _NUMBERS, order).astype(np.float64)
    raise _Damaged(f"{name} is neither numbers nor text")


def _shape(name: str, parts: list[_Element], order: str) -> tuple[int, tuple[int, ...], _Element | None]:
    """Return an array's class, its sizes and its content, if that is a single element."""
    if [part.kind for part in parts[:3]] != [_FLAGS, _SIZES, _NAME]:
        raise _Damaged(f"{name} is no array")
    (flags,) = struct.unpack_from(order + "I", parts[0].content)
    sizes = struct.unpack(f"{order}{len(parts[1].content) // 4}i", parts[1].content)
    if flags & _COMPLEX or len(sizes) < 2 or min(sizes) < 0:
        raise _Damaged(f"{name} has an imaginary part or impossible sizes")
    return flags & 0xFF, sizes, parts[3] if len(parts) == 4 else None


def _cell(name: str, cell: _Element, order: str) -> str:
    """Return one cell's text; an empty cell is an empty text."""
    parts = list(_elements(cell.content, order))
    kind, sizes, content = _shape(name, parts, order) if parts else (_CHAR, (0, 0), None)
    if cell.kind != _MATRIX or kind != _CHAR:
        raise _Damaged(f"{name} is a cell of something else than texts")
    rows = _rows(name, sizes, content, order) if content is not None else []
    if len(rows) > 1:
        raise _Damaged(f"{name} has a cell of several rows of text")
    return rows[0] if rows else ""


def _rows(name: str, sizes: tuple[int, ...], content: _Element, order: str) -> list[str]:
    """Return the rows of a char array."""
    if content.kind == _UTF8:
        encoding = "utf-32-le" if order == "<" else "utf-32-be"
        content = _Element(_UTF32, memoryview(bytes(content.content).decode("utf-8").encode(encoding)))
    codes = _array(name, sizes, content, _CHARACTERS, order)
    return ["".join(map(chr, row)) for row in codes.reshape(sizes[0], -1).tolist()] if codes.size else []


def _array(
    name: str, sizes: tuple[int, ...], content: _Element, kinds: dict[int, str], order: str
) -> NDArray[np.generic]:
    if content.kind not in kinds:
        raise _Damaged(f"{name} has content of type {content.kind}")
    values = np.frombuffer(content.content, order + kinds[content.kind])
    if len(values) != math.prod(sizes):
        raise _Damaged(f"{name} has {len(values)} values for sizes {sizes}")
    return values.reshape(sizes, order="F")
