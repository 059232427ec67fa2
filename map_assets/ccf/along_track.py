"""Places a shank's contacts along a traced track, by their distance from its end. Positions of contacts are used in `placing`."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

JITTER_UM = 50.0
"""Points this near to a straight stretch say nothing of its length: they are voxels' middles, or a hand that trembled."""
_BIN_UM = 100.0
"""Points that lie closer along the track than this are taken together."""

Floats = NDArray[np.float64]


def place_along_track(points_um: Floats, above_tip_um: Floats, beyond_um: float = 0.0) -> Floats:
    """Place contacts on the polyline through a traced track's points.

    Points are put in order along the track's main direction, whatever their order in the file; its deeper end is the
    tip of the shank. Distances are measured along the track without its jitter: dense points are averaged over
    100 um, and what then lies within `JITTER_UM` of a straight stretch does not make it longer.

    Parameters
    ----------
    points_um : numpy.ndarray of float, shape (n, 3)
        The track: AP, DV, ML, um.
    above_tip_um : numpy.ndarray of float, shape (m,)
        How far each contact is from the tip of the shank, along it, um.
    beyond_um : float
        How far past the track's upper end a contact is still placed, straight on, um.

    Returns
    -------
    numpy.ndarray of float, shape (m, 3)
        AP, DV, ML, um; NaN for contacts past the upper end, and for all if the track has not two different points.
    """
    out = np.full((len(above_tip_um), 3), np.nan)
    points = np.unique(points_um[np.isfinite(points_um).all(axis=1)], axis=0)
    if len(points) < 2:
        return out
    direction = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[2][0]
    if direction[1] > 0:  # along the track from its deeper end
        direction = -direction
    points = _averaged(points[np.argsort(points @ direction, kind="stable")], direction)
    along, points = _measured(points)
    is_on = above_tip_um <= along[-1] + beyond_um
    left = np.clip(np.searchsorted(along, above_tip_um[is_on], side="right") - 1, 0, len(along) - 2)
    share = (above_tip_um[is_on] - along[left]) / (along[left + 1] - along[left])
    out[is_on] = points[left] + share[:, None] * (points[left + 1] - points[left])
    return out


def _averaged(points: Floats, direction: Floats) -> Floats:
    """Take the mean of points that lie within one stretch of `_BIN_UM`; both ends stay where they are."""
    if len(points) < 4:
        return points
    inner = points[1:-1]
    _, stretch = np.unique(np.floor((inner - points[0]) @ direction / _BIN_UM), return_inverse=True)
    count = np.bincount(stretch)
    mean = np.stack([np.bincount(stretch, inner[:, axis]) / count for axis in range(3)], axis=1)
    return np.concatenate([points[:1], mean, points[-1:]])


def _measured(points: Floats) -> tuple[Floats, Floats]:
    """How far along the track each point lies, rising from 0, and the points that do rise; um."""
    corners = _corners(points, 0, len(points) - 1)
    along = np.zeros(len(points))
    for first, last in pairwise(corners):
        straight = points[last] - points[first]
        length = np.linalg.norm(straight)
        on_it = (points[first : last + 1] - points[first]) @ straight / length if length else np.zeros(last - first + 1)
        along[first : last + 1] = along[first] + np.clip(on_it, 0, length)
        along[last] = along[first] + length
    along = np.maximum.accumulate(along)
    rises = np.r_[True, np.diff(along) > 1e-6]
    return along[rises], points[rises]


def _corners(points: Floats, first: int, last: int) -> list[int]:
    """Points that a track must pass through so that no other lies further than `JITTER_UM` from it (Douglas and Peucker 1973)."""
    corners, todo = {first, last}, [(first, last)]
    while todo:
        first, last = todo.pop()
        if last - first < 2:
            continue
        straight = points[last] - points[first]
        between = points[first + 1 : last] - points[first]
        share = np.clip(between @ straight / max(float(straight @ straight), 1e-9), 0, 1)
        off = np.linalg.norm(between - share[:, None] * straight, axis=1)
        furthest = first + 1 + int(off.argmax())
        if off.max() > JITTER_UM:
            corners.add(furthest)
            todo += [(first, furthest), (furthest, last)]
    return sorted(corners)
