"""MATLAB 7.3 files, which are HDF5, as the same matrices that `matlab5` gives. Files are opened in `matlab`.

Layout as MATLAB writes it: the attribute ``MATLAB_class`` tells what a dataset is, an array's dimensions stand in
reverse, a cell is a dataset of references, a struct a group, a struct array a group of datasets of references.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from map_assets.vocabulary.errors import UnreadableFile

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_NUMERIC = frozenset(
    {"double", "single", "logical", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}
)
_RAISED = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, MemoryError, UnicodeDecodeError)
"""What h5py raises on damaged files."""


def is_hdf5(data: bytes) -> bool:
    """Whether bytes are those of an HDF5 file, MATLAB's header of 512 bytes before it or not."""
    return SIGNATURE in (data[:8], data[512:520])


class Mat73:
    """The bytes of a MATLAB 7.3 file.

    Parameters
    ----------
    path : pathlib.Path
        For what is said of the file.
    data : bytes
    todo : str
        What a person can do about a damaged file of this sort.

    Raises
    ------
    UnreadableFile
        If they are no whole HDF5 file.
    """

    __slots__ = ("_nodes", "_root", "data", "path", "todo")

    def __init__(self, path: Path, data: bytes, todo: str) -> None:
        import h5py

        self.path = path
        self.data = data
        self.todo = todo
        self._nodes: list[Any] = []
        with self.reading():
            self._root = h5py.File(h5py.h5f.open_file_image(data), "r")

    def damaged(self, found: str) -> UnreadableFile:
        """Return the error that says what is wrong with the file."""
        return UnreadableFile(
            self.path, f"it is truncated or damaged ({found})", expected="a whole MATLAB 7.3 file", todo=self.todo
        )

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turn whatever the HDF5 library raises inside this block into an `UnreadableFile`."""
        try:
            yield
        except _RAISED as error:
            raise self.damaged(str(error).strip("'\"") or type(error).__name__) from error

    def variables(self) -> dict[str, Matrix73]:
        """Return the variables, by name; MATLAB's own groups (``#refs#``) are none."""
        with self.reading():
            names = [name for name in self._root if not name.startswith("#")]
            return {name: self.at(self.place((self._root.id, name))) for name in names}

    def place(self, node: Any) -> int:
        """Return a number under which `at` finds a reference, or a group's field, opened only then."""
        self._nodes.append(node)
        return len(self._nodes) - 1

    def at(self, place: int) -> Matrix73:
        """Return the matrix of that number.

        Raises
        ------
        UnreadableFile
            If it cannot be found or is nothing that MATLAB writes.
        """
        import h5py

        with self.reading():
            node = self._nodes[place]
            if isinstance(node, h5py.Reference):
                opened = h5py.h5r.dereference(node, self._root.id)
            else:
                group, name = node
                opened = h5py.h5o.open(group, name.encode("utf-8"))
            if opened is None:
                raise ValueError("a reference leads nowhere")
            return _matrix(self, opened)


@dataclass(frozen=True, slots=True)
class Matrix73:
    """One MATLAB value, not yet decoded; it answers as `matlab5.Matrix` does.

    Parameters
    ----------
    file : Mat73
    kind : str
        ``numbers``, ``text``, ``cell``, ``struct``, or ``other`` (complex, sparse, objects, functions).
    dims : tuple of int
    node : h5py.h5d.DatasetID or h5py.h5g.GroupID
    """

    file: Mat73
    kind: str
    dims: tuple[int, ...]
    node: Any

    @property
    def size(self) -> int:
        """How many values it has; a text counts its characters."""
        return prod(self.dims)

    @property
    def raw(self) -> bytes:
        """What only the same value of the file has."""
        import h5py

        with self.file.reading():
            return str(h5py.h5o.get_info(self.node).addr).encode()

    def numbers(self) -> NDArray[np.float64]:
        """Decode numbers, shape `dims`."""
        if not self.size:
            return np.empty(self.dims)
        with self.file.reading():
            return np.asarray(_values(self.node), np.float64).T.reshape(self.dims)

    def rows(self) -> list[str]:
        """Decode a text row by row; all rows are equally long, one without letters has no rows."""
        if not self.size:
            return []
        with self.file.reading():
            letters = np.asarray(_values(self.node), "<u2").T.reshape(self.dims[0], -1)
            return [row.tobytes().decode("utf-16-le") for row in letters]

    def text(self) -> str:
        """Decode a text; several rows are read one after the other."""
        return "".join(self.rows())

    def cells(self) -> list[Matrix73]:
        """Return a cell's elements, column after column."""
        if not self.size:
            return []
        with self.file.reading():
            return [self.file.at(self.file.place(reference)) for reference in _values(self.node).ravel()]

    def structs(self) -> list[dict[str, int]]:
        """Return the place of each field, for each struct, column after column."""
        import h5py

        with self.file.reading():
            if isinstance(self.node, h5py.h5d.DatasetID):
                return [{} for _ in range(self.size)]
            names = _names(self.node)
            if _first_of_array(self.node) is None:
                return [{name: self.file.place((self.node, name)) for name in names}]
            elements = {name: _values(h5py.h5o.open(self.node, name.encode())).ravel() for name in names}
            return [
                {name: self.file.place(references[index]) for name, references in elements.items()}
                for index in range(self.size)
            ]


def _matrix(file: Mat73, node: Any) -> Matrix73:
    """Tell what a dataset or group is."""
    import h5py

    said = _attribute(node, b"MATLAB_class")
    kind = "" if said is None else said.decode() if isinstance(said, bytes) else str(said)
    if isinstance(node, h5py.h5g.GroupID):
        if h5py.h5a.exists(node, b"MATLAB_sparse") or kind not in {"", "struct"}:
            return Matrix73(file, "other", (1, 1), node)
        first = _first_of_array(node)
        return Matrix73(file, "struct", (1, 1) if first is None else _reversed(first.shape), node)
    dims = _reversed(node.shape)
    if len(node.shape) < 2 and _attribute(node, b"MATLAB_empty"):
        dims = tuple(int(size) for size in _values(node).ravel())
        if len(dims) > 32 or min(dims, default=0) < 0 or (kind != "struct" and prod(dims) > 0):
            raise ValueError(f"an empty value of {' x '.join(map(str, dims))}")
    if kind == "cell" or (not kind and _holds_references(node)):
        return Matrix73(file, "cell", dims, node)
    if kind in {"struct", "char"}:
        return Matrix73(file, {"struct": "struct", "char": "text"}[kind], dims, node)
    is_number = node.dtype.kind in "biuf" and (kind in _NUMERIC or not kind)
    return Matrix73(file, "numbers" if is_number else "other", dims, node)


def _values(node: Any) -> NDArray[Any]:
    """Read all of a dataset."""
    import h5py

    values = np.empty(node.shape, node.dtype)
    if values.size:
        node.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
    return values


def _attribute(node: Any, name: bytes) -> Any:
    """Read an attribute's single value; None if there is none of that name."""
    import h5py

    if not h5py.h5a.exists(node, name):
        return None
    attribute = h5py.h5a.open(node, name)
    value = np.empty(attribute.shape, attribute.dtype)
    attribute.read(value)
    return value.ravel()[0] if value.size else None


def _names(group: Any) -> list[str]:
    """Names of a group's members."""
    return [name.decode("utf-8") for name in group]


def _holds_references(node: Any) -> bool:
    """Whether a dataset's values are references to others."""
    import h5py

    return h5py.h5t.check_dtype(ref=node.dtype) is not None


def _first_of_array(group: Any) -> Any:
    """Return the first field of a struct array: a list of references to its elements' values, and no cell; else None."""
    import h5py

    name = next(iter(group), None)
    first = None if name is None else h5py.h5o.open(group, name)
    if not isinstance(first, h5py.h5d.DatasetID) or h5py.h5a.exists(first, b"MATLAB_class"):
        return None
    return first if _holds_references(first) else None


def _reversed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """MATLAB's dimensions of an array that HDF5 has in this shape; there are two at least."""
    return tuple(reversed(shape)) if len(shape) > 1 else (1, *shape) if shape else (1, 1)
