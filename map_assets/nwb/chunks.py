"""Large arrays into the file: shuffled and deflated here, in threads, and handed to HDF5 as they are. Columns live in `columns`.

A chunk is what HDF5's own filters ``shuffle`` and ``gzip`` would read: any reader opens it. Of the numbers that a rig
measures most bytes are noise, on which a deflater spends its time in vain; shuffled, they lie together, and a run of
bytes that does not shrink is put into the stream as it is (a stored block, RFC 1951, 3.2.4).
"""

from __future__ import annotations

import functools
import os
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CHUNK_BYTES = 512 * 1024
_LEVEL = 1
_PROBE_BYTES = 4096
_WORTH = 0.95
"""A plane of bytes whose first `_PROBE_BYTES` shrink to less than this share is deflated; another one is stored."""
_STORED_BYTES = 0xFFFF
_HEADER, _END = b"\x78\x01", b"\x01\x00\x00\xff\xff"
_MAX_THREADS = 8


def held(values: NDArray[Any]) -> Any:
    """Wrap an array so that the library makes room for it in chunks; `fill` writes it there.

    Parameters
    ----------
    values : numpy.ndarray, shape (n, ...)
        Numbers or flags.
    """
    return _held_class()(values)


@functools.cache
def _held_class() -> type[Any]:
    from pynwb import H5DataIO

    class Held(H5DataIO):  # type: ignore[misc]
        """An array that the library takes for a dataset without data, and everybody else for the array."""

        def __init__(self, values: NDArray[Any]) -> None:
            self.values = values
            row_bytes = max(1, values.nbytes // len(values))
            rows = min(len(values), max(1, _CHUNK_BYTES // row_bytes))
            super().__init__(
                shape=values.shape,
                dtype=values.dtype,
                maxshape=(None, *values.shape[1:]),
                chunks=(rows, *values.shape[1:]),
                compression="gzip",
                compression_opts=_LEVEL,
                shuffle=True,
            )

        def __getattr__(self, name: str) -> Any:
            return getattr(self.__dict__["values"], name)

        def __iter__(self) -> Iterator[Any]:
            return iter(self.values)

        def __getitem__(self, item: Any) -> Any:
            return self.values[item]

    return Held


def fill(nwbfile: Any) -> None:
    """Write all held arrays into the datasets that the library has made for them."""
    found = [getattr(item, name, None) for item in nwbfile.all_children() for name in ("data", "timestamps")]
    # a series may share its times with another one
    distinct = {id(one): one for one in found if isinstance(one, _held_class())}
    with ThreadPoolExecutor(min(_MAX_THREADS, _n_cores())) as pool:
        for one in distinct.values():
            write_chunks(one.dataset, one.values, pool)


def write_chunks(dataset: Any, values: NDArray[Any], pool: ThreadPoolExecutor) -> None:
    """Write an array chunk by chunk, in order: the same array gives the same bytes, whatever the threads do."""
    n_rows, ahead = dataset.chunks[0], 4 * _MAX_THREADS
    under_way: deque[tuple[tuple[int, ...], Future[bytes]]] = deque()
    for first in range(0, len(values), n_rows):
        offset = (first, *(0,) * (values.ndim - 1))
        under_way.append((offset, pool.submit(deflated, values[first : first + n_rows], n_rows)))
        if len(under_way) >= ahead:
            _put(dataset, *under_way.popleft())
    for one in under_way:
        _put(dataset, *one)


def _put(dataset: Any, offset: tuple[int, ...], chunk: Future[bytes]) -> None:
    dataset.id.write_direct_chunk(offset, chunk.result())


def deflated(rows: NDArray[Any], n_rows: int) -> bytes:
    """Return a chunk as HDF5 keeps it: filled up with zeros to `n_rows`, its bytes shuffled, as a zlib stream."""
    if len(rows) < n_rows:
        rows = np.concatenate([rows, np.zeros((n_rows - len(rows), *rows.shape[1:]), rows.dtype)])
    flat = np.ascontiguousarray(rows).reshape(-1)
    planes = np.ascontiguousarray(flat.view(np.uint8).reshape(len(flat), flat.dtype.itemsize).T)
    pieces = [_HEADER, *(piece for plane in planes for piece in _pieces(plane.data)), _END]
    return b"".join([*pieces, zlib.adler32(planes.data).to_bytes(4, "big")])


def _pieces(plane: memoryview) -> Iterator[Any]:
    """The blocks of one plane: deflated and flushed to a whole byte, or stored."""
    if len(zlib.compress(plane[:_PROBE_BYTES], _LEVEL)) < _WORTH * min(_PROBE_BYTES, len(plane)):
        stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        yield stream.compress(plane)
        yield stream.flush(zlib.Z_SYNC_FLUSH)
        return
    for first in range(0, len(plane), _STORED_BYTES):
        block = plane[first : first + _STORED_BYTES]
        yield b"\x00" + len(block).to_bytes(2, "little") + (len(block) ^ _STORED_BYTES).to_bytes(2, "little")
        yield block


def _n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
