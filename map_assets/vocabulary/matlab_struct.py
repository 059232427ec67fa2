"""MATLAB structs, asked for fields by name, whatever shape a writer squeezed them to. Values are decoded in `matlab5` and `matlab73`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.vocabulary.errors import UnreadableFile
from map_assets.vocabulary.matlab5 import Mat5, Matrix
from map_assets.vocabulary.matlab73 import Mat73, Matrix73

AnyFile = Mat5 | Mat73
AnyMatrix = Matrix | Matrix73
_SAID = {
    "numbers": "numbers",
    "text": "text",
    "cell": "a cell",
    "struct": "structs",
    "other": "complex numbers, an object or a function",
}


class Struct:
    """One MATLAB struct and where it stands in the file.

    Parameters
    ----------
    where : str
        The struct's place, as in ``SessionData.Info``.
    file : Mat5 or Mat73
        The bytes that hold the fields.
    fields : dict of str to int
        Where each field's matrix is.
    """

    __slots__ = ("_fields", "_file", "where")

    def __init__(self, where: str, file: AnyFile, fields: Mapping[str, int]) -> None:
        self.where = where
        self._file = file
        self._fields = fields

    @property
    def path(self) -> Path:
        """The file, for what is said of it."""
        return self._file.path

    @property
    def names(self) -> list[str]:
        """Names of the fields, in the file's order."""
        return list(self._fields)

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def matrix(self, name: str) -> AnyMatrix:
        """Return a field, not yet decoded; cells of one are opened.

        Raises
        ------
        UnreadableFile
            If the field is absent.
        """
        return unwrapped(self._matrix(name))

    def _matrix(self, name: str) -> AnyMatrix:
        if name not in self._fields:
            raise self._odd(name, "is missing", "that field")
        return self._file.at(self._fields[name])

    def struct(self, name: str) -> Struct:
        """Return a field that is one struct; an absent or empty one has no fields.

        Raises
        ------
        UnreadableFile
            If it is something else, or several structs.
        """
        found = self.structs(name) if name in self else []
        if len(found) > 1:
            raise self._odd(name, f"holds {len(found)} structs", "one struct")
        return found[0] if found else Struct(f"{self.where}.{name}", self._file, {})

    def structs(self, name: str) -> list[Struct]:
        """Return a field that is a struct array or a cell of structs, in order; an empty cell is a struct without fields.

        Raises
        ------
        UnreadableFile
            If the field is absent or an element is no struct.
        """
        found: list[tuple[AnyFile, Mapping[str, int]]] = []
        matrix = self.matrix(name)
        parts: list[AnyMatrix] = [matrix]
        if matrix.kind == "cell":
            parts = [unwrapped(cell) for cell in matrix.cells()]
        for part in parts:
            if part.kind == "struct":
                inside = part.structs()
            elif part.size == 0 and part is not matrix:
                inside = [{}]
            elif part.size == 0:
                inside = []
            else:
                raise self._odd(name, f"holds {_SAID[part.kind]}", "structs")
            found += [(part.file, fields) for fields in inside]
        one = f"{self.where}.{name}"
        many = [one] if len(found) == 1 else [f"{one}({number})" for number in range(1, len(found) + 1)]
        return [Struct(where, file, fields) for where, (file, fields) in zip(many, found, strict=True)]

    def cells(self, name: str) -> list[AnyMatrix]:
        """Return the elements of a cell; anything else is a single element, a cell of one squeezed away.

        Raises
        ------
        UnreadableFile
            If the field is absent.
        """
        matrix = self._matrix(name)
        if matrix.kind == "cell":
            return [unwrapped(cell) for cell in matrix.cells()]
        return [matrix] if matrix.size else []

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a numeric field as doubles, shape (n,), row after row; unsigned integers lose their wrap-around.

        Raises
        ------
        UnreadableFile
            If the field is absent or not numeric.
        """
        return self.as_numbers(self.matrix(name), name)

    def as_numbers(self, matrix: AnyMatrix, name: str) -> NDArray[np.float64]:
        """Decode a matrix that belongs to the field `name`, as `numbers` does."""
        if matrix.kind != "numbers":
            if matrix.size == 0 and matrix.kind != "other":
                return np.empty(0)
            raise self._odd(name, f"holds {_SAID[matrix.kind]}", "numbers")
        return matrix.numbers().ravel()

    def number(self, name: str) -> float | None:
        """Return a numeric field's single value; None where it is absent, empty or not a number.

        Raises
        ------
        UnreadableFile
            If it holds several values.
        """
        if name not in self:
            return None
        values = self.numbers(name)
        if values.size > 1:
            raise self._odd(name, f"holds {values.size} numbers", "one")
        return float(values[0]) if values.size and np.isfinite(values[0]) else None

    def text(self, name: str) -> str | None:
        """Return a text field; None where it is absent, empty or not text."""
        matrix = self.matrix(name) if name in self else None
        return matrix.text() or None if matrix is not None and matrix.kind == "text" else None

    def _odd(self, name: str, found: str, expected: str) -> UnreadableFile:
        return UnreadableFile(self.path, f"{self.where}.{name} {found}", expected=expected, todo=self._file.todo)


def unwrapped(matrix: AnyMatrix) -> AnyMatrix:
    """Open cells of one element."""
    while matrix.kind == "cell" and matrix.size == 1:
        matrix = matrix.cells()[0]
    return matrix
