"""Finds the labelled voxel nearest to a point that lies in none. Points are looked up in `annotation`."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from map_assets.ccf.annotation import AnnotationVolume

_LATTICE_UM = 200.0
_CELL_UM = 500.0
"""Points of one cell of this edge share one search."""
_SLACK = (np.sqrt(3) - 1) / 2
"""By how many edges the middle of the nearest voxel can be further away than the nearest middle of a voxel."""

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


def nearest_regions(volume: AnnotationVolume, ccf_um: ArrayLike) -> tuple[Whole, Floats]:
    """Find for each point the nearest labelled voxel.

    The distance is to the voxel's surface, so that a point on the brain's surface is 0 um away and a labelled point
    too. It is exact. Of two voxels equally near, the one whose middle is nearer is taken, then the more anterior,
    superior, left one.

    Parameters
    ----------
    volume : AnnotationVolume
    ccf_um : array_like of float, shape (n, 3)
        AP, DV, ML in um; they may lie outside the volume, and must be finite.

    Returns
    -------
    region_id : numpy.ndarray of int64, shape (n,)
        0 where the volume has no label at all.
    distance_um : numpy.ndarray of float, shape (n,)
        NaN where the volume has no label at all.
    """
    points = np.asarray(ccf_um, np.float64).reshape(-1, 3)
    region_id, distance_um = np.zeros(len(points), np.int64), np.full(len(points), np.nan)
    if not len(points) or not volume.values.any():
        return region_id, distance_um
    at_most_um = _at_most(volume, points)
    cells, cell = np.unique(np.floor(points / _CELL_UM), axis=0, return_inverse=True)
    for number in range(len(cells)):
        rows = np.flatnonzero(cell.ravel() == number)
        low, high = points[rows].min(axis=0), points[rows].max(axis=0)
        reach_um = at_most_um[rows].max()
        voxels, labels = _surface(
            volume,
            np.floor((low - reach_um) / volume.voxel_um).clip(0, volume.shape).astype(np.int64),
            np.ceil((high + reach_um) / volume.voxel_um).clip(0, volume.shape).astype(np.int64),
        )
        region_id[rows], distance_um[rows] = _to_surface(points[rows], voxels, labels, volume.voxel_um)
    return region_id, distance_um


def _at_most(volume: AnnotationVolume, points: Floats) -> Floats:
    """Tell for each point a distance within which there is a label, um: that of the nearest one on a coarse lattice."""
    from scipy.spatial import cKDTree

    step = max(1, round(_LATTICE_UM / volume.voxel_um))
    labelled = np.argwhere(volume.every(step) > 0) * step
    if not len(labelled):  # so few labels that the lattice has missed them all
        return np.asarray(
            np.linalg.norm(np.abs(points) + np.asarray(volume.shape) * volume.voxel_um, axis=1), np.float64
        )
    distance_um, _ = cKDTree((labelled + 0.5) * volume.voxel_um).query(points)
    return np.asarray(distance_um + volume.voxel_um, np.float64)


def _surface(volume: AnnotationVolume, low: Whole, high: Whole) -> tuple[Whole, Whole]:
    """Labelled voxels of a box with a neighbour that has no label, and those at the box's own sides, plane by plane along ML.

    Returns
    -------
    voxels : numpy.ndarray of int64, shape (n, 3)
    labels : numpy.ndarray of int64, shape (n,)
    """
    thickness = 32
    voxels, labels = [np.empty((0, 3), np.int64)], [np.empty(0, np.int64)]
    for first in range(int(low[2]), int(high[2]), thickness):
        begin = np.array([low[0], low[1], max(first - 1, low[2])])
        end = np.array([high[0], high[1], min(first + thickness + 1, high[2])])
        block = volume.block(begin, end)
        is_labelled = np.pad(block > 0, 1)
        is_inner = is_labelled[1:-1, 1:-1, 1:-1].copy()
        for axis in range(3):
            for step in (-1, 1):
                is_inner &= np.roll(is_labelled, step, axis)[1:-1, 1:-1, 1:-1]
        index = np.argwhere((block > 0) & ~is_inner)
        is_own = (index[:, 2] + begin[2] >= first) & (index[:, 2] + begin[2] < first + thickness)
        index = index[is_own]
        voxels.append(index + begin)
        labels.append(block[tuple(index.T)].astype(np.int64))
    return np.concatenate(voxels), np.concatenate(labels)


def _to_surface(points: Floats, voxels: Whole, labels: Whole, voxel_um: float) -> tuple[Whole, Floats]:
    """Nearest of the given voxels by the distance to their sides, not their middles."""
    from scipy.spatial import cKDTree

    order = np.lexsort(voxels.T[::-1])
    middles = (voxels[order] + 0.5) * voxel_um
    tree = cKDTree(middles)
    to_middle, _ = tree.query(points)
    candidates = tree.query_ball_point(points, to_middle + _SLACK * voxel_um + 1e-6, return_sorted=True)
    region_id, distance_um = np.empty(len(points), np.int64), np.empty(len(points))
    for row, found in enumerate(candidates):
        away = np.abs(middles[found] - points[row])
        to_side = np.linalg.norm(np.maximum(away - voxel_um / 2, 0), axis=1)
        best = np.lexsort((np.linalg.norm(away, axis=1), np.round(to_side, 6)))[0]
        region_id[row], distance_um[row] = labels[order[found[best]]], to_side[best]
    return region_id, distance_um
