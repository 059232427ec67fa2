"""Straight lines through places of one shank. What tables are made of them lives in `tracks`, what is moved along them in `corrections`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """A line in the brain.

    Parameters
    ----------
    point : numpy.ndarray of float, shape (3,)
        AP, DV, ML, um.
    direction : numpy.ndarray of float, shape (3,)
        Unit vector towards the tip.
    """

    point: Floats
    direction: Floats

    def along(self, ccf_um: Floats) -> Floats:
        """Distance of each point (n, 3) from `point` along the line, um, towards the tip positive."""
        return np.asarray((ccf_um - self.point) @ self.direction, np.float64)

    def at(self, along_um: Floats | float) -> Floats:
        """Places on the line, shape (n, 3), or (3,) for one number."""
        return self.point + np.asarray(along_um, np.float64)[..., None] * self.direction

    def off(self, ccf_um: Floats) -> Floats:
        """Distance of each point (n, 3) from the line, um."""
        return np.asarray(np.linalg.norm(ccf_um - self.at(self.along(ccf_um)), axis=1), np.float64)


def fit_line(ccf_um: Floats, weight: Floats | None = None, height_um: Floats | None = None) -> Line | None:
    """Fit a line by total least squares: the distances at right angles to it are smallest.

    Parameters
    ----------
    ccf_um : numpy.ndarray, shape (n, 3)
    weight : numpy.ndarray, shape (n,), optional
    height_um : numpy.ndarray, shape (n,), optional
        Any measure that grows away from the tip, NaN where unknown; it tells which way the tip is. Without one that
        varies, the tip is where DV is larger.

    Returns
    -------
    Line or None
        None where fewer than two different places are given.
    """
    if len(ccf_um) < 2:
        return None
    share = np.ones(len(ccf_um)) if weight is None else weight
    middle = np.average(ccf_um, axis=0, weights=share)
    _, size, axes = np.linalg.svd((ccf_um - middle) * np.sqrt(share)[:, None], full_matrices=False)
    if not size[0] > 1e-9:
        return None
    direction = axes[0]
    if height_um is not None and np.count_nonzero(np.isfinite(height_um)) > 1:
        known = np.isfinite(height_um)
        slope = float(np.sum((height_um[known] - height_um[known].mean()) * ((ccf_um[known] - middle) @ direction)))
    else:
        slope = 0.0
    is_upwards = slope > 0 if abs(slope) > 1e-9 else direction[1] < 0
    return Line(middle, -direction if is_upwards else direction)
