"""Places a shank's contacts along a traced track, by their distance from its end. Positions of contacts are used in `placing`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def place_along_track(points_um: Floats, above_tip_um: Floats, beyond_um: float = 0.0) -> Floats:
    """Place contacts on the polyline through a traced track's points.

    Points are put in order along the track's main direction, whatever their order in the file; its deeper end is the
    tip of the shank. Distances are measured along the track.

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
    points = points[np.argsort(points @ direction, kind="stable")]
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    along = np.r_[0, np.cumsum(steps)]
    is_on = above_tip_um <= along[-1] + beyond_um
    left = np.clip(np.searchsorted(along, above_tip_um[is_on], side="right") - 1, 0, len(steps) - 1)
    share = (above_tip_um[is_on] - along[left]) / steps[left]
    out[is_on] = points[left] + share[:, None] * (points[left + 1] - points[left])
    return out
