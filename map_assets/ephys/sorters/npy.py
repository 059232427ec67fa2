"""Reading ``.npy`` files that others wrote: never a pickle, never more than the file holds. What they mean lives with each sorter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.typing import NDArray

from map_assets.vocabulary.errors import UnreadableFile
from map_assets.vocabulary.files import unchanged

_BLOCK_BYTES = 1 << 22
_TODO = "Copy the file from the sorting computer again."
_DAMAGE = (
    ValueError,
    OSError,
    EOFError,
    MemoryError,
    OverflowError,
    TypeError,
    SyntaxError,
    TokenError,
    RecursionError,
)


def read_numbers(path: Path, kinds: str = "iuf") -> NDArray[np.generic]:
    """Read a whole numeric array, in the file's own type and shape.

    Parameters
    ----------
    path : pathlib.Path
    kinds : str
        NumPy kinds that will do: ``i`` and ``u`` whole numbers, ``f`` reals.

    Raises
    ------
    UnreadableFile
        If the file is truncated, no ``.npy`` file, holds objects (a pickle) or numbers of another kind.
    ChangedWhileRead
        If it was written to meanwhile.
    """
    with _opened(path, kinds), _read_errors(path):
        return np.asarray(np.load(path, allow_pickle=False))


def read_vector(path: Path, kinds: str = "iu") -> NDArray[np.generic]:
    """Read an array of shape (n,), (n, 1) or (1, n) as one of shape (n,); errors as in `read_numbers`.

    A single number without axes is one element: some writers drop every axis of length one.
    """
    array = read_numbers(path, kinds)
    if array.size and array.ndim and array.size != max(array.shape):
        raise _unreadable(path, f"its shape is {array.shape}", "one column of numbers")
    return array.ravel()


def read_parts(path: Path, parts: Sequence[Sequence[int]], n_axes: int) -> NDArray[np.generic]:
    """Read some parts of a large array without the rest of it.

    Parameters
    ----------
    path : pathlib.Path
    parts : sequence of sequence of int
        Leading indices of each part: ``(i,)`` is ``array[i]``, ``(i, j)`` is ``array[i, j]``; all of one length.
    n_axes : int
        Axes that the array must have.

    Returns
    -------
    numpy.ndarray, shape (len(parts), ...)

    Raises
    ------
    UnreadableFile
        As in `read_numbers`; also if the array has other axes, or is too small for an index.
    """
    with _opened(path, "f") as array, _read_errors(path):
        if array.ndim != n_axes:
            raise _unreadable(path, f"its shape is {array.shape}", f"{n_axes} axes")
        n_leading = len(parts[0]) if parts else 1
        if any(not 0 <= i < n for part in parts for i, n in zip(part, array.shape[:n_leading], strict=True)):
            raise _unreadable(path, f"its shape is {array.shape}", "rows for all clusters and channels")
        shape = array.shape[n_leading:]
        if not array.flags.c_contiguous:
            whole = np.load(path, allow_pickle=False)
            return np.asarray([whole[tuple(part)] for part in parts], array.dtype).reshape(-1, *shape)
        found = np.empty((len(parts), *shape), array.dtype)
        n_bytes = array.dtype.itemsize * int(np.prod(shape))
        with path.open("rb") as stream:
            for row, part in enumerate(parts):
                stream.seek(array.offset + n_bytes * int(np.ravel_multi_index(tuple(part), array.shape[:n_leading])))
                found[row] = np.frombuffer(stream.read(n_bytes), array.dtype).reshape(shape)
        return found


def read_blocks(
    path: Path, n_axes: int, *, at: int | None = None, block_bytes: int = _BLOCK_BYTES
) -> Iterator[tuple[int, NDArray[np.generic]]]:
    """Read an array from its first row to its last in blocks of bounded size, whichever way it lies on the disk.

    MATLAB writes arrays whose first axis runs fastest; of such a one, only the part at `at` is read, and if all is asked
    for, all is read at once.

    Parameters
    ----------
    path : pathlib.Path
    n_axes : int
        Axes that the array must have.
    at : int, optional
        Index into the second axis: blocks are then of ``array[start:stop, at]``, else of ``array[start:stop]``.
    block_bytes : int
        About how large a block may be.

    Yields
    ------
    start : int
        First row of the block.
    block : numpy.ndarray
        Valid until the next one is asked for.

    Raises
    ------
    UnreadableFile
        As in `read_numbers`; also if the array has other axes.
    """
    with _opened(path, "f") as array, _read_errors(path), path.open("rb") as stream:
        if array.ndim != n_axes or (at is not None and at >= array.shape[1]):
            raise _unreadable(path, f"its shape is {array.shape}", f"{n_axes} axes")
        read = _rows if array.flags.c_contiguous else _columns
        yield from read(stream, array, at, block_bytes)


def _rows(
    stream: BufferedReader, array: np.memmap, at: int | None, block_bytes: int
) -> Iterator[tuple[int, NDArray[np.generic]]]:
    n_rows, row_bytes = array.shape[0], max(1, array.dtype.itemsize * int(np.prod(array.shape[1:])))
    buffer = np.empty((min(n_rows, max(1, block_bytes // row_bytes)), *array.shape[1:]), array.dtype)
    stream.seek(array.offset)
    for start in range(0, n_rows, max(1, len(buffer))):
        block = buffer[: n_rows - start]
        _fill(stream, block)
        yield start, block if at is None else block[:, at]


def _columns(
    stream: BufferedReader, array: np.memmap, at: int | None, block_bytes: int
) -> Iterator[tuple[int, NDArray[np.generic]]]:
    n_rows, item = array.shape[0], array.dtype.itemsize
    if at is None:
        whole = np.empty(array.shape, array.dtype, order="F")
        stream.seek(array.offset)
        _fill(stream, whole.T)
        step = max(1, block_bytes // max(1, item * int(np.prod(array.shape[1:]))))
        for start in range(0, n_rows, step):
            yield start, np.ascontiguousarray(whole[start : start + step])
        return
    columns = np.arange(int(np.prod(array.shape[1:]))).reshape(array.shape[1:], order="F")[at]
    step = max(1, block_bytes // max(1, item * columns.size))
    for start in range(0, n_rows, step):
        block = np.empty((columns.size, min(step, n_rows - start)), array.dtype)
        for place, column in enumerate(columns.ravel(order="F").tolist()):
            stream.seek(array.offset + item * (column * n_rows + start))
            _fill(stream, block[place])
        yield start, block.reshape(*columns.shape[::-1], -1).T


def _fill(stream: BufferedReader, block: NDArray[np.generic]) -> None:
    if block.size and stream.readinto(block.reshape(-1).view(np.uint8).data) != block.nbytes:
        raise EOFError("it ends too early")


def shape_of(path: Path) -> tuple[int, ...]:
    """Return an array's shape from its header; errors as in `read_numbers`."""
    with _opened(path, "iuf") as array:
        return array.shape


@contextmanager
def _opened(path: Path, kinds: str) -> Iterator[np.memmap]:
    """Map an array, which reads no more than its header and proves that the file is long enough; nobody may write to it."""
    with unchanged(path):
        with _read_errors(path):
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.memmap):
            array.close()
            raise _unreadable(path, "it is an archive", "a .npy file of numbers")
        if array.dtype.kind not in kinds:
            raise _unreadable(path, f"it holds values of type {array.dtype}", "numbers of another kind")
        yield array


@contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise _unreadable(path, f"it cannot be read ({error})", "a whole .npy file of numbers") from error


def _unreadable(path: Path, found: str, expected: str) -> UnreadableFile:
    return UnreadableFile(path, found, expected=expected, todo=_TODO)
