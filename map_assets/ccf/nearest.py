"""Finds the labelled voxel nearest to a point that lies in none. Points are looked up in `annotation`."""

from __future__ import annotations

from itertools import chain

import numpy as np
from numpy.typing import ArrayLike, NDArray

from map_assets.ccf.annotation import AnnotationVolume
from map_assets.ccf.occupancy import occupied_blocks

_BLOCK_UM = 200.0
_CELL_UM = 200.0
"""Points of one cell of this edge share one search for blocks."""
_AT_ONCE = 2000
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
    found = volume.region_ids(points)
    is_labelled = found > 0
    region_id[is_labelled], distance_um[is_labelled] = found[is_labelled], 0.0
    rows = np.flatnonzero(~is_labelled)
    if rows.size:
        n = max(1, round(_BLOCK_UM / volume.voxel_um))
        blocks = _blocks_in_reach(points[rows], occupied_blocks(volume, n), n * volume.voxel_um)
        voxels, labels = _surface(volume, blocks, n)
        region_id[rows], distance_um[rows] = _to_surface(points[rows], voxels, labels, volume.voxel_um)
    return region_id, distance_um


def _blocks_in_reach(points: Floats, blocks: Whole, edge_um: float) -> Whole:
    """Choose the blocks that can hold the nearest voxel of a point: no other one lies wholly nearer."""
    from scipy.spatial import cKDTree

    half_um = edge_um / 2
    middles = (blocks + 0.5) * edge_um
    cells, cell = np.unique(np.floor(points / _CELL_UM), axis=0, return_inverse=True)
    to_middle, _ = cKDTree(middles).query(points)
    reach_um = np.zeros(len(cells))
    np.maximum.at(reach_um, cell.ravel(), to_middle + half_um * np.sqrt(3))
    is_in_reach = np.zeros(len(blocks), bool)
    for middle, reach in zip((cells + 0.5) * _CELL_UM, reach_um, strict=True):
        rest = np.flatnonzero(~is_in_reach)
        apart = np.maximum(np.abs(middles[rest] - middle) - half_um - _CELL_UM / 2, 0)
        is_in_reach[rest] = np.einsum("ij,ij->i", apart, apart) <= (reach * (1 + 1e-12) + 1e-6) ** 2
    return blocks[is_in_reach]


def _surface(volume: AnnotationVolume, blocks: Whole, n: int) -> tuple[Whole, Whole]:
    """Labelled voxels of blocks with a neighbour that has no label, column of blocks by column along AP.

    Returns
    -------
    voxels : numpy.ndarray of int64, shape (n, 3)
    labels : numpy.ndarray of int64, shape (n,)
    """
    columns, column = np.unique(blocks[:, 1:], axis=0, return_inverse=True)
    first, last = np.full(len(columns), volume.shape[0]), np.zeros(len(columns), np.int64)
    np.minimum.at(first, column.ravel(), blocks[:, 0])
    np.maximum.at(last, column.ravel(), blocks[:, 0])
    shape = np.asarray(volume.shape)
    voxels, labels = [], []
    for (dv, ml), from_ap, to_ap in zip(columns, first, last, strict=True):
        low = np.array([from_ap, dv, ml]) * n
        high = np.minimum(np.array([to_ap + 1, dv + 1, ml + 1]) * n, shape)
        block = volume.block(np.maximum(low - 1, 0), np.minimum(high + 1, shape))
        block = np.pad(
            block, [(int(at == 0), int(end == size)) for at, end, size in zip(low, high, shape, strict=True)]
        )
        is_labelled = block > 0
        inner = is_labelled[1:-1, 1:-1, 1:-1]
        is_held = is_labelled[:-2, 1:-1, 1:-1] & is_labelled[2:, 1:-1, 1:-1]
        is_held &= is_labelled[1:-1, :-2, 1:-1] & is_labelled[1:-1, 2:, 1:-1]
        is_held &= is_labelled[1:-1, 1:-1, :-2] & is_labelled[1:-1, 1:-1, 2:]
        index = np.argwhere(inner & ~is_held)
        voxels.append(index + low)
        labels.append(block[1:-1, 1:-1, 1:-1][tuple(index.T)].astype(np.int64))
    return np.concatenate(voxels), np.concatenate(labels)


def _to_surface(points: Floats, voxels: Whole, labels: Whole, voxel_um: float) -> tuple[Whole, Floats]:
    """Nearest of the given voxels by the distance to their sides, not their middles."""
    from scipy.spatial import cKDTree

    order = np.lexsort(voxels.T[::-1])
    middles = (voxels[order] + 0.5) * voxel_um
    tree = cKDTree(middles)
    region_id, distance_um = np.empty(len(points), np.int64), np.empty(len(points))
    for start in range(0, len(points), _AT_ONCE):
        some = points[start : start + _AT_ONCE]
        to_middle, _ = tree.query(some)
        near = tree.query_ball_point(some, to_middle * (1 + 1e-12) + _SLACK * voxel_um + 1e-6, return_sorted=True)
        n_near = np.fromiter(map(len, near), np.int64, len(some))
        found = np.fromiter(chain.from_iterable(near), np.int64, int(n_near.sum()))
        row = np.repeat(np.arange(len(some)), n_near)
        away = np.abs(middles[found] - some[row])
        to_side = np.linalg.norm(np.maximum(away - voxel_um / 2, 0), axis=1)
        best = np.lexsort((found, np.linalg.norm(away, axis=1), np.round(to_side, 6), row))
        best = best[np.r_[0, np.cumsum(n_near)[:-1]]]
        region_id[start : start + len(some)] = labels[order[found[best]]]
        distance_um[start : start + len(some)] = to_side[best]
    return region_id, distance_um
