"""Labels of a volume as runs of equal ones: how they are found, mapped into memory and unpacked. What the volume means lives in `annotation`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.ccf.nrrd_blocks import TODO
from map_assets.vocabulary.errors import PiecesDoNotFit, UnreadableFile

MOST_RUNS = 50_000_000
"""Changes of label along AP that a volume of regions stays far below, even at 10 um; they have to fit into memory."""

FORM = 2
"""Stands in the name of the copy; raised when that of a volume comes out otherwise."""

REMAKE = "Materialize ccf_annotation; it is made again."


def runs_of(blocks: Iterable[NDArray[np.uint32]], path: Path) -> NDArray[np.uint32]:
    """Find where labels change: starts in the first row, labels in the second, shape (2, n)."""
    starts: list[NDArray[np.uint32]] = []
    values: list[NDArray[np.uint32]] = []
    n_voxels = n_runs = 0
    last: int | None = None
    for block in blocks:
        if not block.size:
            continue
        is_start = np.empty(block.size, bool)
        is_start[0] = last is None or int(block[0]) != last
        np.not_equal(block[1:], block[:-1], out=is_start[1:])
        at = np.flatnonzero(is_start)
        starts.append((at + n_voxels).astype(np.uint32))
        values.append(block[at])
        n_voxels, n_runs, last = n_voxels + block.size, n_runs + at.size, int(block[-1])
        if n_runs > MOST_RUNS:
            raise PiecesDoNotFit(
                path, f"its labels change more than {MOST_RUNS:,} times", expected="regions, not noise", todo=TODO
            )
    runs = np.empty((2, n_runs), np.uint32)
    for row, parts in zip(runs, (starts, values), strict=True):
        np.concatenate(parts, out=row)
        parts.clear()  # at 10 um they are as large as what is made of them
    return runs


def open_runs(path: Path) -> NDArray[np.uint32]:
    """Map a copy into memory and see that it is one."""
    expected = "the copy of the annotation volume"
    try:
        runs = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UnreadableFile(path, f"it cannot be opened ({error})", expected=expected, todo=REMAKE) from error
    if runs.ndim != 2 or len(runs) != 2 or runs.dtype != np.uint32 or not runs.shape[1] or runs[0, 0]:
        raise UnreadableFile(path, f"its shape is {runs.shape}, its type {runs.dtype}", expected=expected, todo=REMAKE)
    if not (runs[0, 1:] > runs[0, :-1]).all():
        raise UnreadableFile(path, "its runs are out of order", expected=expected, todo=REMAKE)
    return np.asanyarray(runs)


def unpacked(
    starts: NDArray[np.uint32], values: NDArray[np.uint32], begin: NDArray[np.int64], length: int
) -> NDArray[np.uint32]:
    """Give the labels of stretches of voxels that all have one length, one stretch after the other.

    Parameters
    ----------
    starts, values : numpy.ndarray of uint32, shape (n,)
        First voxel and label of each run.
    begin : numpy.ndarray of int64, shape (m,)
        First voxel of each stretch.
    length : int
        Voxels of a stretch, 1 or more; none reaches beyond the volume.

    Returns
    -------
    numpy.ndarray of uint32, shape (m x length,)
    """
    end = begin + length
    run = np.searchsorted(starts, begin.astype(np.uint32), side="right") - 1
    n_runs = np.searchsorted(starts, end.astype(np.uint32), side="left") - run
    stretch = np.repeat(np.arange(len(begin)), n_runs)
    each = np.arange(len(stretch)) + np.repeat(run - np.cumsum(n_runs) + n_runs, n_runs)
    from_voxel = np.maximum(starts[each], begin[stretch])
    is_last = np.append(stretch[1:] != stretch[:-1], True)
    to_voxel = np.where(is_last, end[stretch], np.append(from_voxel[1:], 0))
    return np.repeat(values[each], to_voxel - from_voxel)
