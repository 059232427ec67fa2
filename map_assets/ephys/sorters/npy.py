"""Reading ``.npy`` files that others wrote: never a pickle, never more than the file holds. What they mean lives with each sorter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.typing import NDArray

from map_assets.vocabulary.errors import UnreadableFile
from map_assets.vocabulary.files import unchanged

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
    """Read an array of shape (n,), (n, 1) or (1, n) as one of shape (n,); errors as in `read_numbers`."""
    array = read_numbers(path, kinds)
    if array.ndim == 0 or (array.size and array.size != max(array.shape)):
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
