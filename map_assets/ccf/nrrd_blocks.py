"""Reads an Allen annotation volume from its nrrd file block by block, so that no volume has to fit into memory. What is kept of it is made in `annotation`."""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from map_assets.vocabulary.errors import PiecesDoNotFit, UnreadableFile
from map_assets.vocabulary.files import unchanged
from map_assets.vocabulary.frame import voxel_size_from_shape

TODO = "Name an Allen annotation volume (nrrd) under [ccf] annotation."
_WHOLE = "a whole nrrd file"
_BLOCK_BYTES = 16 << 20
_READ_BYTES = 1 << 20
_GZIP = 31
"""The window that tells zlib to read gzip's own header and to check its sum."""

_TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(("longlong", "long long", "signed long long", "int64", "int64_t"), "i8"),
    **dict.fromkeys(("ulonglong", "unsigned long long", "uint64", "uint64_t"), "u8"),
    "float": "f4",
    "double": "f8",
}
"""The names that nrrd has for a number, and NumPy's."""

_ORDERS: Mapping[str, Literal["<", ">"]] = {"little": "<", "big": ">"}

_BROKEN_HEADER = (OSError, EOFError, IndexError, KeyError, TypeError, ValueError, StopIteration, AssertionError)
"""What the nrrd library raises on the header of a damaged or foreign file, besides its own error."""


@dataclass(frozen=True)
class NrrdLabels:
    """An annotation volume in its file: the header is checked, the labels are still to be read.

    Parameters
    ----------
    path : pathlib.Path
    shape : tuple of int
        Voxels along AP, DV, ML.
    voxel_um : float
        Edge of a voxel, um.
    stored : numpy.dtype
        Type of a label in the file, with its byte order.
    encoding : str
        ``raw``, ``gzip`` or ``bzip2``.
    start : int
        Where the labels begin in the file, bytes.
    """

    path: Path
    shape: tuple[int, int, int]
    voxel_um: float
    stored: np.dtype[Any]
    encoding: str
    start: int

    def blocks(self) -> Iterator[NDArray[np.uint32]]:
        """Go through the labels, AP fastest, then DV, then ML, as nrrd stores them; about 16 MB at a time.

        Raises
        ------
        UnreadableFile
            If the file is damaged, or holds less or more than its header says.
        PiecesDoNotFit
            If a label is no region id: negative, or beyond 32 bits.
        ChangedWhileRead
            If the file was written to meanwhile.
        """
        n_left = int(np.prod(self.shape)) * self.stored.itemsize
        rest = b""
        with unchanged(self.path), self.path.open("rb") as stream:
            stream.seek(self.start)
            try:
                for piece in _unpacked(stream, self.encoding):
                    n_left -= len(piece)
                    if n_left < 0:
                        raise EOFError("it holds more than its header says")
                    whole = rest + piece if rest else piece
                    n_bytes = len(whole) - len(whole) % self.stored.itemsize
                    rest = whole[n_bytes:]
                    yield self._labels(np.frombuffer(whole, self.stored, n_bytes // self.stored.itemsize))
                if n_left:
                    raise EOFError(f"{n_left} bytes of labels are missing")
            except (OSError, EOFError, zlib.error) as error:
                raise _unreadable(self.path, error) from error

    def _labels(self, block: NDArray[Any]) -> NDArray[np.uint32]:
        """Give a block as region ids: the ontology's ids are positive and fit 32 bits."""
        if block.dtype.kind == "i" or block.dtype.itemsize > np.dtype(np.uint32).itemsize:
            low, high = (int(block.min()), int(block.max())) if block.size else (0, 0)
            if low < 0 or high > np.iinfo(np.uint32).max:
                raise _no_labels(self.path, f"{self.stored} from {low} to {high}")
        return np.asarray(block, np.uint32)


def read_header(path: Path) -> NrrdLabels:
    """Read and check the header of an annotation volume.

    Allen's files say ``left-posterior-superior`` of axes that run to posterior, inferior and right; that word is passed
    over. The axes are known by the shape, which no two of them share, and must not run backwards.

    Raises
    ------
    UnreadableFile
        If it is no nrrd file, or one whose labels lie elsewhere or in a form that Allen does not use.
    PiecesDoNotFit
        If it is no whole Allen volume of labels with axes AP, DV, ML.
    """
    import nrrd

    with unchanged(path), path.open("rb") as stream:
        try:
            header: Mapping[str, Any] = nrrd.read_header(stream)
            shape = tuple(int(size) for size in header["sizes"])
            stored = _stored_type(header)
            encoding = {"gz": "gzip", "bz2": "bzip2"}.get(header["encoding"], header["encoding"])
        except (nrrd.NRRDError, *_BROKEN_HEADER) as error:
            raise _unreadable(path, error) from error
        start = stream.tell()
    elsewhere = [name for name in ("data file", "datafile", "line skip", "byte skip") if header.get(name)]
    if elsewhere or encoding not in {"raw", "gzip", "bzip2"}:
        said = f"its labels are {encoding}" + "".join(f", with a {name}" for name in elsewhere)
        raise UnreadableFile(path, said, expected="labels in the file itself, raw, gzip or bzip2", todo=TODO)
    voxel_um = voxel_size_from_shape(shape, path.name)
    if stored.kind not in "iu":
        raise _no_labels(path, str(stored))
    directions = header.get("space directions")
    if directions is not None:
        steps = np.asarray(directions, np.float64)
        if steps.shape != (3, 3) or np.any(steps != np.diag(np.diag(steps))) or np.any(np.diag(steps) <= 0):
            raise PiecesDoNotFit(
                path,
                f"its axes run along {steps.tolist()}",
                expected="axes towards posterior, inferior and right, as Allen ships it",
                todo=TODO,
            )
    return NrrdLabels(path, (shape[0], shape[1], shape[2]), voxel_um, stored, encoding, start)


def _stored_type(header: Mapping[str, Any]) -> np.dtype[Any]:
    stored = np.dtype(_TYPES[header["type"]])
    if stored.itemsize == 1:
        return stored
    return stored.newbyteorder(_ORDERS[header["endian"]])


def _unpacked(stream: BinaryIO, encoding: str) -> Iterator[bytes]:
    """Unpack the rest of a file; a piece stays below `_BLOCK_BYTES` however well it was packed."""
    if encoding == "raw":
        while piece := stream.read(_BLOCK_BYTES):
            yield piece
        return
    if encoding == "gzip":
        inflater = zlib.decompressobj(_GZIP)
        while not inflater.eof:
            packed = inflater.unconsumed_tail or _next(stream)
            if piece := inflater.decompress(packed, _BLOCK_BYTES):
                yield piece
        return
    expander = bz2.BZ2Decompressor()
    while not expander.eof:
        if piece := expander.decompress(_next(stream) if expander.needs_input else b"", _BLOCK_BYTES):
            yield piece


def _next(stream: BinaryIO) -> bytes:
    packed = stream.read(_READ_BYTES)
    if not packed:
        raise EOFError("it ends in the middle")
    return packed


def _unreadable(path: Path, error: Exception) -> UnreadableFile:
    todo = "Copy the file again, or name another."
    return UnreadableFile(path, f"it cannot be read ({error})", expected=_WHOLE, todo=todo)


def _no_labels(path: Path, found: str) -> PiecesDoNotFit:
    return PiecesDoNotFit(path, f"its voxels are {found}", expected="whole numbers from 0, the region ids", todo=TODO)
