"""Statistics of many units' phases at once: mean vectors, and tests of them. Which phases are taken is the analyses' part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from map_assets.analyses.trains import Floats

_TERMS = 100


def rayleigh_p(phase_rad: Floats) -> float:
    """Rayleigh's test that angles are uniform, shape (n,), to the fourth order in 1/n (Zar, Biostatistical Analysis)."""
    n = len(phase_rad)
    if n == 0:
        return float("nan")
    r = n * np.abs(np.exp(1j * phase_rad).mean())
    return float(np.exp(np.sqrt(1 + 4 * n + 4 * (n * n - r * r)) - (1 + 2 * n)))


def kuiper_p(u: Floats) -> float:
    """Kuiper's test that values in [0, 1), shape (n,), are uniform, wherever the circle is cut (Stephens' approximation)."""
    n = len(u)
    if n == 0:
        return float("nan")
    u = np.sort(u)
    rank = np.arange(n)
    v = np.max((rank + 1) / n - u) + np.max(u - rank / n)
    z = v * (np.sqrt(n) + 0.155 + 0.24 / np.sqrt(n))
    if z < 0.4:
        return 1.0
    square = (np.arange(1, _TERMS + 1) * z) ** 2
    return float(np.clip(2 * np.sum((4 * square - 1) * np.exp(-2 * square)), 0.0, 1.0))


def vector_p(seen: Floats, by_chance: Floats) -> Floats:
    """Tell how improbable vectors are against a sample of what chance gives (Hotelling's T2 of one further observation).

    Parameters
    ----------
    seen : numpy.ndarray of float, shape (n_units, 2)
    by_chance : numpy.ndarray of float, shape (n_units, n_samples, 2)
        At least four samples; taken as normal.

    Returns
    -------
    numpy.ndarray of float, shape (n_units,)
        1 where chance has no spread.
    """
    from scipy.stats import f

    n = by_chance.shape[1]
    middle = by_chance.mean(axis=1)
    off = by_chance - middle[:, None]
    covariance = np.einsum("uni,unj->uij", off, off) / (n - 1)
    a, b, c = covariance[:, 0, 0], covariance[:, 0, 1], covariance[:, 1, 1]
    x, y = (seen - middle).T
    determinant = a * c - b * b
    with np.errstate(divide="ignore", invalid="ignore"):
        t2 = (c * x * x - 2 * b * x * y + a * y * y) / determinant * n / (n + 1)
    found = f.sf(t2 * (n - 2) / (2 * (n - 1)), 2, n - 2)
    return np.where(determinant > 1e-12 * np.maximum(a + c, 1e-300) ** 2, found, 1.0)


def mean_direction(values: Floats, angle_rad: Floats) -> tuple[Floats, Floats]:
    """Direction and relative length (0 to 1) of the sum of vectors; NaN where all are zero.

    Parameters
    ----------
    values : numpy.ndarray of float, shape (..., n_angles)
        Lengths.
    angle_rad : numpy.ndarray of float, shape (n_angles,)
    """
    together = values @ np.exp(1j * angle_rad)
    total = values.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        length = np.where(total > 0, np.abs(together) / total, np.nan)
    return np.where(total > 0, np.angle(together), np.nan), length


def uniform_ranks(phase_rad: Floats) -> NDArray[np.float64]:
    """Ranks of phases over their number, in (0, 1): an angle's place once the time spent at each is made the same."""
    found = np.empty(len(phase_rad))
    found[np.argsort(phase_rad, kind="stable")] = (np.arange(len(phase_rad)) + 0.5) / max(len(phase_rad), 1)
    return found
