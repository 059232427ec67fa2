"""Reading variables of a MATLAB 7.3 file that JRCLUST wrote, never more than it holds. What they mean is told in `jrclust`.

Such a file is HDF5; its axes stand in the reverse of MATLAB's order. A damaged one can make the HDF5 library take all
memory or crash, so another process walks through it first, with little memory and time.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from map_assets.vocabulary.errors import UnreadableFile
from map_assets.vocabulary.files import unchanged

if TYPE_CHECKING:
    import h5py

_DAMAGE = (OSError, KeyError, ValueError, TypeError, RuntimeError, MemoryError, OverflowError, AttributeError)
_TODO = "Copy the file from the sorting computer again; save it in MATLAB's version 7.3 format."
_EMPTY = "MATLAB_empty"
_LARGEST_EXPANSION = 1100
"""HDF5's compression cannot shrink numbers by more than this."""
_WALK_S = 120
_WALK = """
import sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))
except (ImportError, ValueError, OSError):
    pass  # no such limit on this system; the time is limited all the same
import h5py
with h5py.File(sys.argv[1], "r") as file:
    file.visititems(lambda name, node: node.attrs.keys() and None)
"""
"""What the other process runs: it goes to every variable of the file and reads none."""


@dataclass(frozen=True)
class JrclustFile:
    """An open file; every failure in it is an `UnreadableFile`."""

    path: Path
    root: h5py.File

    def has(self, name: str) -> bool:
        """Whether there is a variable of that path (``S_clu/viClu``) in the file itself; links to other files do not count."""
        import h5py

        with self._errors(name):
            node: Any = self.root
            for part in name.split("/"):
                if not isinstance(node, h5py.Group) or not isinstance(node.get(part, getlink=True), h5py.HardLink):
                    return False
                node = node[part]
            return True

    def numbers(self, name: str) -> NDArray[np.generic]:
        """Read a numeric variable; of shape (0,) where MATLAB had nothing in it."""
        dataset = self._dataset(name)
        with self._errors(name):
            if dataset.dtype.kind not in "iuf":
                raise self._unreadable(f"{name} holds values of type {dataset.dtype}", "numbers")
            if _EMPTY in dataset.attrs:
                return np.empty(0, dataset.dtype)
            return np.asarray(dataset[()])

    def vector(self, name: str) -> NDArray[np.generic]:
        """Read a numeric variable that is one row or column, shape (n,)."""
        array = self.numbers(name)
        if array.size and array.size != max(array.shape, default=1):
            raise self._unreadable(f"{name} has shape {array.shape}", "one row or column")
        return array.ravel()

    def texts(self, name: str) -> list[str]:
        """Read a cell array of texts; an empty cell is an empty text."""
        import h5py

        dataset = self._dataset(name)
        with self._errors(name):
            if _EMPTY in dataset.attrs:
                return []
            if h5py.check_ref_dtype(dataset.dtype) is None:
                raise self._unreadable(f"{name} holds values of type {dataset.dtype}", "a cell array of texts")
            return [self._text(self._plain(self.root[reference], name), name) for reference in dataset[()].ravel()]

    def _text(self, cell: h5py.Dataset, name: str) -> str:
        if _EMPTY in cell.attrs:
            return ""
        codes = np.asarray(cell[()]).ravel(order="F")
        if codes.dtype.kind != "u" or codes.dtype.itemsize > 2:
            if not np.any(codes):
                return ""  # an empty cell, as older versions of MATLAB and of h5py write it
            raise self._unreadable(f"a cell of {name} holds values of type {codes.dtype}", "texts")
        return codes.astype("<u2").tobytes().decode("utf-16-le", errors="replace").strip("\x00 ")

    def _dataset(self, name: str) -> h5py.Dataset:
        if not self.has(name):
            raise self._unreadable(f"it has no {name}", "all that JRCLUST saves")
        with self._errors(name):
            return self._plain(self.root[name], name)

    def _plain(self, node: Any, name: str) -> h5py.Dataset:
        """Return a dataset that stands in the file itself and is no larger than the file can hold."""
        import h5py

        if not isinstance(node, h5py.Dataset) or node.is_virtual or node.external:
            raise self._unreadable(f"{name} is no variable of the file itself", "numbers or texts")
        if node.nbytes > _LARGEST_EXPANSION * self.path.stat().st_size:
            raise self._unreadable(f"{name} claims {node.nbytes} bytes", "no more than the file can hold")
        return node

    @contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        try:
            yield
        except _DAMAGE as error:
            raise self._unreadable(f"{name} cannot be read ({error})", "a whole file") from error

    def _unreadable(self, found: str, expected: str) -> UnreadableFile:
        return UnreadableFile(self.path, found, expected=expected, todo=_TODO)


@contextmanager
def open_jrclust(path: Path) -> Iterator[JrclustFile]:
    """Open a file for reading, proven unchanged around the block.

    Raises
    ------
    UnreadableFile
        If it is no HDF5 file, or one that was not closed.
    ChangedWhileRead
        If it was written to meanwhile.
    """
    import h5py

    with unchanged(path):
        _walk(path)
        try:
            root = h5py.File(path, "r")
        except _DAMAGE as error:
            raise UnreadableFile(
                path, f"it cannot be opened ({error})", expected="a MATLAB 7.3 (HDF5) file", todo=_TODO
            ) from error
        with root:
            yield JrclustFile(path, root)


def _walk(path: Path) -> None:
    """Let another process go through the file, and refuse it if that one does not come back well."""
    command = [sys.executable, "-I", "-c", _WALK, str(path.absolute())]
    surroundings = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        walk = subprocess.run(command, capture_output=True, timeout=_WALK_S, env=surroundings, check=False)  # noqa: S603
        told = walk.stderr.decode("utf-8", errors="replace").strip().splitlines()
        found = None if walk.returncode == 0 else (told[-1:] or [f"the HDF5 library failed, {walk.returncode}"])[0]
    except subprocess.TimeoutExpired:
        found = f"the HDF5 library did not get through it in {_WALK_S} s"
    if found is not None:
        raise UnreadableFile(
            path, f"it cannot be opened ({found:.300})", expected="a MATLAB 7.3 (HDF5) file", todo=_TODO
        )
