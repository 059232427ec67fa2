"""The bytes of MATLAB 5 to 7 files, element by element, decoded only where asked. Files are opened in `matlab`.

A damaged tag makes `scipy.io.loadmat` (1.17) read outside its own arrays and end the process, and it decodes a file
whole; here every offset and type is held against the file first, and what nobody reads costs nothing.
Format: MathWorks, "MAT-File Format", version 5: a chain of elements (type, size, content, padded to 8 bytes); a matrix
is an element that holds elements: flags, dimensions, name, content.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.vocabulary.errors import UnreadableFile

_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CHARACTERS = {1: (1, "latin-1"), 2: (1, "latin-1"), 4: (2, "utf-16"), 17: (2, "utf-16"), 18: (4, "utf-32")}
_MATRIX, COMPRESSED, _UTF8 = 14, 15, 16
_KINDS = {1: "cell", 2: "struct", 4: "text", **dict.fromkeys(range(6, 16), "numbers")}
_COMPLEX, _OPAQUE = 0x0800, 17
_WIDEST, _LONGEST_NAME = 1 << 48, 1 << 16
"""Limits far beyond any true file: product of the non-zero dimensions of an empty matrix; bytes of a field's name."""


class Mat5:
    """The bytes of a MATLAB file, or of one decompressed variable of it.

    Parameters
    ----------
    path : pathlib.Path
        For what is said of the file.
    data : bytes
    order : str
        ``<`` or ``>``: the order of bytes in its numbers.
    todo : str
        What a person can do about a damaged file of this sort.
    """

    __slots__ = ("_two_words", "data", "order", "path", "todo")

    def __init__(self, path: Path, data: bytes, order: str, todo: str) -> None:
        self.path = path
        self.data = data
        self.order = order
        self.todo = todo
        self._two_words = struct.Struct(f"{order}II")

    def damaged(self, found: str) -> UnreadableFile:
        """Return the error that says what is wrong with the file."""
        return UnreadableFile(
            self.path, f"it is truncated or damaged ({found})", expected="a whole MATLAB file", todo=self.todo
        )

    def element(self, at: int, stop: int) -> tuple[int, int, int, int]:
        """Read the tag at byte `at` of an element that must end by `stop`.

        Returns
        -------
        tuple of int
            Its type, where its bytes begin and end, and where the next tag is.

        Raises
        ------
        UnreadableFile
            If the element does not fit.
        """
        if at + 8 > stop:
            raise self.damaged(f"an element is missing at byte {at}")
        kind, size = self._two_words.unpack_from(self.data, at)
        if kind >> 16:
            size, kind, begin, following = kind >> 16, kind & 0xFFFF, at + 4, at + 8
            if size > 4:
                raise self.damaged(f"a short element of {size} bytes at byte {at}")
        else:
            begin = at + 8
            following = begin + size if kind == COMPRESSED else begin + (size + 7 & ~7)
        if begin + size > stop:
            raise self.damaged(f"the element at byte {at} needs {size} bytes, {max(stop - begin, 0)} are there")
        return kind, begin, begin + size, min(following, stop)

    def numbers(self, at: int, stop: int) -> tuple[NDArray[np.float64], int]:
        """Read a numeric element as doubles, and where the next tag is."""
        kind, begin, end, following = self.element(at, stop)
        code = _NUMBERS.get(kind)
        if code is None or (end - begin) % int(code[1]):
            raise self.damaged(f"type {kind} where numbers should be, at byte {at}")
        return np.frombuffer(self.data, self.order + code, (end - begin) // int(code[1]), begin).astype("f8"), following

    def matrix(self, at: int, stop: int) -> tuple[str, Matrix]:
        """Read the header of the matrix at byte `at`; return its name and itself.

        Raises
        ------
        UnreadableFile
            If it is no matrix, or its header does not hold together.
        """
        kind, begin, end, _ = self.element(at, stop)
        if kind != _MATRIX:
            raise self.damaged(f"type {kind} where a matrix should be, at byte {at}")
        if begin == end:
            return "", Matrix(self, "numbers", (0, 0), begin, end)
        _, flags_at, flags_end, dims_at = self.element(begin, end)
        if flags_end - flags_at != 8:
            raise self.damaged(f"a matrix without flags at byte {at}")
        flags = self._two_words.unpack_from(self.data, flags_at)[0]
        if flags & 0xFF == _OPAQUE:
            return "(object)", Matrix(self, "other", (1, 1), dims_at, end)
        inner = "other" if flags & _COMPLEX else _KINDS.get(flags & 0xFF, "other")
        _, dims_begin, dims_end, name_at = self.element(dims_at, end)
        n_dims, rest = divmod(dims_end - dims_begin, 4)
        if rest or not 2 <= n_dims <= 32:
            raise self.damaged(f"a matrix with {n_dims} dimensions at byte {at}")
        dims = struct.unpack_from(f"{self.order}{n_dims}i", self.data, dims_begin)
        _, name_begin, name_end, body = self.element(name_at, end)
        if min(dims) < 0 or (prod(dims) > end - begin and inner != "other"):
            raise self.damaged(f"a matrix of {' x '.join(map(str, dims))} in {end - begin} bytes at byte {at}")
        return self.data[name_begin:name_end].decode("latin-1"), Matrix(self, inner, dims, body, end)

    def at(self, place: int) -> Matrix:
        """Return the matrix at byte `place`; errors as of `matrix`."""
        return self.matrix(place, len(self.data))[1]

    def matrices(self, at: int, stop: int, count: int) -> list[int]:
        """Return where each of `count` matrices begins, the first at byte `at`."""
        places = []
        for _ in range(count):
            places.append(at)
            at = self.element(at, stop)[3]
        return places


@dataclass(frozen=True, slots=True)
class Matrix:
    """One MATLAB value, not yet decoded.

    Parameters
    ----------
    file : Mat5
    kind : str
        ``numbers``, ``text``, ``cell``, ``struct``, or ``other`` (complex, sparse, objects, functions).
    dims : tuple of int
    at, stop : int
        Where its content begins and ends.
    """

    file: Mat5
    kind: str
    dims: tuple[int, ...]
    at: int
    stop: int

    @property
    def size(self) -> int:
        """How many values it has; a text counts its characters."""
        return prod(self.dims)

    @property
    def raw(self) -> bytes:
        """Its content, undecoded."""
        return self.file.data[self.at : self.stop]

    def numbers(self) -> NDArray[np.float64]:
        """Decode numbers, shape `dims`."""
        if not self.size:
            if prod(filter(None, self.dims)) > _WIDEST:
                raise self.file.damaged(f"an empty matrix of {' x '.join(map(str, self.dims))} at byte {self.at}")
            return np.empty(self.dims)
        values, _ = self.file.numbers(self.at, self.stop)
        self._check(values.size, "numbers")
        return values.reshape(self.dims, order="F")

    def rows(self) -> list[str]:
        """Decode a text row by row; all rows are equally long, one without letters has no rows."""
        if not self.size:
            return []
        kind, begin, end, _ = self.file.element(self.at, self.stop)
        data, n_rows = self.file.data[begin:end], self.dims[0]
        try:
            if kind == _UTF8:
                text = data.decode("utf-8")
                if n_rows == 1:
                    return [text]
                self._check(len(text), "letters")
                return [text[row::n_rows] for row in range(n_rows)]
            if kind not in _CHARACTERS:
                raise self.file.damaged(f"type {kind} where text should be, at byte {self.at}")
            width, encoding = _CHARACTERS[kind]
            self._check(len(data) / width, "letters")
            if width > 1:
                encoding += "-le" if self.file.order == "<" else "-be"
            if n_rows == 1:
                return [data.decode(encoding)]
            letters = np.frombuffer(data, f"V{width}").reshape(n_rows, -1, order="F")
            return [row.tobytes().decode(encoding) for row in letters]
        except UnicodeDecodeError as error:
            raise self.file.damaged(f"text that cannot be decoded at byte {self.at}") from error

    def text(self) -> str:
        """Decode a text; several rows are read one after the other."""
        return "".join(self.rows())

    def cells(self) -> list[Matrix]:
        """Return a cell's elements, column after column."""
        places = self.file.matrices(self.at, self.stop, self.size)
        return [self.file.matrix(place, self.stop)[1] for place in places]

    def structs(self) -> list[dict[str, int]]:
        """Return where each field's matrix begins, for each struct, column after column."""
        lengths, names_at = self.file.numbers(self.at, self.stop)
        _, begin, end, following = self.file.element(names_at, self.stop)
        length = int(lengths[0]) if lengths.size == 1 and 1 <= lengths[0] < _LONGEST_NAME else 0
        if length < 1 or (end - begin) % length:
            raise self.file.damaged(f"a struct without field names at byte {self.at}")
        names = _field_names(self.file.data[begin:end], length)
        places = self.file.matrices(following, self.stop, self.size * len(names))
        return [
            dict(zip(names, places[first : first + len(names)], strict=True))
            for first in range(0, self.size * len(names), len(names) or 1)
        ] or [{}] * self.size

    def _check(self, count: float, what: str) -> None:
        if count != self.size:
            raise self.file.damaged(f"{count:g} {what} for {self.size} places at byte {self.at}")


@lru_cache(maxsize=256)
def _field_names(data: bytes, length: int) -> tuple[str, ...]:
    names = (data[first : first + length] for first in range(0, len(data), length))
    return tuple(name.split(b"\0", 1)[0].decode("latin-1") for name in names)
