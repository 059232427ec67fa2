"""Which blocks of a volume hold any label, out of its runs, without unpacking a voxel. Runs are made in `runs`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from map_assets.ccf.annotation import AnnotationVolume

_AT_ONCE = 1_000_000

Whole = NDArray[np.int64]


def occupied_blocks(volume: AnnotationVolume, n: int) -> Whole:
    """List the blocks of n x n x n voxels in which at least one has a label.

    Parameters
    ----------
    volume : AnnotationVolume
    n : int
        Voxels along an edge; the last blocks may be cut off by the volume's end.

    Returns
    -------
    numpy.ndarray of int64, shape (m, 3)
        Blocks along AP, DV, ML, from 0, in that order.
    """
    n_ap, n_dv, n_ml = volume.shape
    blocks = (-(-n_ap // n) + 1, -(-n_dv // n), -(-n_ml // n))  # one more along AP, where the last ones end
    change = np.zeros(int(np.prod(blocks)), np.int64)
    n_voxels = int(np.prod(volume.shape))
    for begin in range(0, len(volume.starts), _AT_ONCE):
        starts = np.asarray(volume.starts[begin : begin + _AT_ONCE + 1], np.int64)
        values = volume.values[begin : begin + _AT_ONCE]
        ends = np.append(starts, n_voxels)[1 : len(values) + 1]
        is_labelled = values > 0
        line, from_ap, to_ap = _by_line(starts[: len(values)][is_labelled], ends[is_labelled], n_ap)
        column = (line % n_dv // n, line // n_dv // n)
        for ap, by in ((from_ap // n, 1), (to_ap // n + 1, -1)):
            change += by * np.bincount(np.ravel_multi_index((ap, *column), blocks), minlength=len(change))
    return np.argwhere(np.cumsum(change.reshape(blocks), axis=0)[:-1] > 0)


def _by_line(start: Whole, end: Whole, n_ap: int) -> tuple[Whole, Whole, Whole]:
    """Cut runs where a line along AP ends: the line, and the first and last voxel on it, of each piece."""
    first_line = start // n_ap
    n_lines = (end - 1) // n_ap - first_line + 1
    run = np.repeat(np.arange(len(start)), n_lines)
    line = first_line[run] + np.arange(len(run)) - np.repeat(np.cumsum(n_lines) - n_lines, n_lines)
    return line, np.maximum(start[run] - line * n_ap, 0), np.minimum(end[run] - 1 - line * n_ap, n_ap - 1)
