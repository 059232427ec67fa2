"""Opening a MATLAB 5 to 7.3 file and finding its variables by name. Fields of structs are asked for in `matlab_struct`."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from map_assets.vocabulary.errors import UnreadableFile
from map_assets.vocabulary.files import unchanged
from map_assets.vocabulary.matlab5 import COMPRESSED, Mat5, Matrix
from map_assets.vocabulary.matlab73 import Mat73, is_hdf5
from map_assets.vocabulary.matlab_struct import AnyFile, AnyMatrix, Struct

_HEADER = 128
_ORDERS = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
_LARGEST = 1 << 29
"""Bytes of a decompressed variable; fifty times a long session's."""


@dataclass(frozen=True)
class MatlabFile:
    """A MATLAB file in memory.

    Parameters
    ----------
    whole : Mat5 or Mat73
        Its bytes.
    variables : dict of str to Matrix or Matrix73
        Its variables, by name.
    """

    whole: AnyFile
    variables: Mapping[str, AnyMatrix]

    @property
    def size(self) -> int:
        """Bytes that were read."""
        return len(self.whole.data)

    @property
    def sha256(self) -> str:
        """Of these bytes, lower-case hex."""
        return hashlib.sha256(self.whole.data).hexdigest()

    def struct(self, name: str) -> Struct:
        """Return the variable that is one struct; if it is absent or something else, a struct without fields."""
        matrix = self.variables.get(name)
        if matrix is None or matrix.kind != "struct" or matrix.size != 1:
            return Struct(name, self.whole, {})
        return Struct(name, matrix.file, matrix.structs()[0])


def open_matlab(path: Path, *, todo: str) -> MatlabFile:
    """Read a MATLAB 5 to 7.3 file, once.

    Parameters
    ----------
    path : pathlib.Path
    todo : str
        What a person can do about a damaged file of this sort; it ends the sentence of every error.

    Raises
    ------
    UnreadableFile
        If the file is empty, truncated, damaged or no MATLAB file. What a variable or field holds is
        decoded when it is asked for, and raises the same.
    ChangedWhileRead
        If it was written to meanwhile.
    """
    with unchanged(path):
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UnreadableFile(
                path, f"cannot be read ({error.strerror})", expected="a readable file", todo=todo
            ) from error
    return parse_matlab(path, data, todo=todo)


def parse_matlab(path: Path, data: bytes, *, todo: str) -> MatlabFile:
    """Find the variables in a file's bytes; parameters and errors as of `open_matlab`."""
    if is_hdf5(data):
        whole73 = Mat73(path, data, todo)
        variables = whole73.variables()
        if not variables:
            raise whole73.damaged("it holds no variable")
        return MatlabFile(whole73, variables)
    whole = Mat5(path, data, _order(path, data, todo), todo)
    found: dict[str, Matrix] = {}
    at = _HEADER
    while at < len(data):
        kind, begin, end, following = whole.element(at, len(data))
        if kind == COMPRESSED:
            inner = Mat5(path, _expanded(whole, begin, end), whole.order, todo)
            name, matrix = inner.matrix(0, len(inner.data))
        else:
            name, matrix = whole.matrix(at, len(data))
        if name:  # MATLAB's own workspace of functions has none
            found[name] = matrix
        at = following
    if not found:
        raise whole.damaged("it holds no variable")
    return MatlabFile(whole, found)


def _expanded(whole: Mat5, begin: int, end: int) -> bytes:
    """Decompress a variable."""
    expander = zlib.decompressobj()
    try:
        content = expander.decompress(memoryview(whole.data)[begin:end], _LARGEST)
    except zlib.error as error:
        raise whole.damaged(str(error)) from error
    if not expander.eof:
        what = f"is larger than {_LARGEST >> 20} MiB" if len(content) == _LARGEST else "is cut off"
        raise whole.damaged(f"the compressed variable at byte {begin} {what}")
    return content


def _order(path: Path, data: bytes, todo: str) -> str:
    """Tell by the first bytes what the file is; return the order of bytes in its numbers."""
    expected = "a MATLAB 5 to 7 file"
    if not data:
        raise UnreadableFile(path, "it is empty", expected=expected, todo=todo)
    if data.startswith(b"MATLAB 7.3"):
        raise UnreadableFile(path, "its header says MATLAB 7.3 and no HDF5 follows", expected=expected, todo=todo)
    order = _ORDERS.get(data[_HEADER - 4 : _HEADER])
    if order is None:
        raise UnreadableFile(path, "it is no MATLAB 5 to 7 file", expected="one", todo=todo)
    return order
