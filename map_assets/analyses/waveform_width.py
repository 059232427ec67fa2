"""From trough to peak of many mean waveforms at once. What a width says of the cell lives in `cell_type`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MEASURED = ""
MISSING = "waveform has missing values"
FLAT = "waveform is flat"
INVERTED = "largest deflection is positive"
AT_EDGE = "trough or peak at the edge of the waveform"


def trough_to_peak(waveforms: Floats) -> tuple[Floats, NDArray[np.str_]]:
    """Measure from the lowest point of each waveform to the highest one after it.

    Both are read from the cubic spline through the samples: not on a grid, but where its derivative is zero.

    Parameters
    ----------
    waveforms : numpy.ndarray of float, shape (n_waveforms, n_samples)
        At least four samples; each waveform's median is taken as its baseline.

    Returns
    -------
    width : numpy.ndarray of float, shape (n_waveforms,)
        In samples; NaN where there is no such pair.
    reason : numpy.ndarray of str, shape (n_waveforms,)
        Why there is none: `MISSING`, `FLAT`, `INVERTED` or `AT_EDGE`; else `MEASURED`.
    """
    from scipy.interpolate import CubicSpline

    n_samples = waveforms.shape[1]
    is_whole = np.all(np.isfinite(waveforms), axis=1, keepdims=True)
    values = np.where(is_whole, waveforms - np.median(waveforms, axis=1, keepdims=True), 0.0)
    at, height = _extrema(CubicSpline(np.arange(n_samples), values, axis=1).c, values)
    rows = np.arange(len(values))
    trough = np.argmin(np.where(np.isnan(height), np.inf, height), axis=1)
    trough_at, depth = at[rows, trough], height[rows, trough]
    highest = np.nanmax(height, axis=1, initial=-np.inf)
    peak = np.argmax(np.where(np.isnan(height) | (at <= trough_at[:, None]), -np.inf, height), axis=1)
    peak_at = at[rows, peak]
    is_cut = (trough_at <= 0) | (trough_at >= n_samples - 1) | (peak_at >= n_samples - 1)
    reason = np.select(
        [~is_whole[:, 0], values.min(axis=1) == values.max(axis=1), highest >= -depth, is_cut],
        [MISSING, FLAT, INVERTED, AT_EDGE],
        MEASURED,
    )
    return np.where(reason == MEASURED, peak_at - trough_at, np.nan), reason


def _extrema(pieces: Floats, values: Floats) -> tuple[Floats, Floats]:
    """All points where a spline may be largest or smallest, and its values there.

    Parameters
    ----------
    pieces : numpy.ndarray of float, shape (4, n_samples - 1, n_waveforms)
        Coefficients of each piece, highest power first, from the piece's left knot.
    values : numpy.ndarray of float, shape (n_waveforms, n_samples)
        At the knots.

    Returns
    -------
    at, height : numpy.ndarray of float, shape (n_waveforms, 3 n_samples - 2)
        Knots, then two points a piece; NaN where a piece has none.
    """
    a, b, c, d = np.moveaxis(pieces, 2, 1)
    square, linear, constant = 3 * a, 2 * b, c
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # the roots of the derivative, in the form that loses no digits where one coefficient is small
        both = -0.5 * (linear + np.copysign(np.sqrt(linear**2 - 4 * square * constant), linear))
        roots = np.stack([both / square, constant / both])
        roots = np.where((roots > 0) & (roots < 1), roots, np.nan)
    heights = ((a * roots + b) * roots + c) * roots + d
    knots = np.arange(values.shape[1], dtype=np.float64)
    at = np.concatenate([np.broadcast_to(knots, values.shape), *(roots + knots[:-1])], axis=1)
    return at, np.concatenate([values, *heights], axis=1)
