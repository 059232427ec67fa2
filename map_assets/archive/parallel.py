"""Work on many files in threads (hashing and file access release the interpreter). What the work is lives with the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from os import cpu_count
from typing import TypeVar

_BATCH = 512
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def each_in_parallel(
    work: Callable[[_Item], _Result], items: Iterable[_Item], workers: int | None = None
) -> Iterator[_Result]:
    """Do `work` on all items in threads and give the results in order; a few hundred are held at a time.

    Parameters
    ----------
    workers : int, optional
        Threads; by default one a core, at most four.
    """
    remaining = iter(items)
    with ThreadPoolExecutor(workers or min(4, cpu_count() or 1)) as pool:
        while batch := list(islice(remaining, _BATCH)):
            yield from pool.map(work, batch)


def in_parallel(work: Callable[[_Item], _Result], items: Iterable[_Item], workers: int | None) -> list[_Result]:
    """Do as `each_in_parallel` does, and hold all the results."""
    return list(each_in_parallel(work, items, workers))
