"""Which pairs of trials stand on one clock: the lines that most trial starts meet. Fitting the final clock lives in `clock_maps`.

Two clocks differ by an offset and a drift of some hundred ppm, so pairs that are truly one trial have a lag (session
minus probe time) that hardly changes over the session, while trials themselves follow each other in uneven steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from map_assets.ephys.trial_alignment import Candidates, coincidence
from map_assets.vocabulary.clock import ClockMap

Seconds = NDArray[np.float64]
Flags = NDArray[np.bool_]

MOST_DRIFT = 600e-6
"""No two crystals drift apart faster than this."""
_MOST_POINTS = 8_000
_MOST_BINS = 10_000_000
_COARSE_STEPS = 25
_MOST_STEPS = 2_000
"""Drifts on either side that are tried: all that matter up to days of recording; a damaged time far off asks for no more."""
_STEP_S = 0.01


@dataclass(frozen=True)
class Line:
    """A clock that candidates meet: ``lag_s = at_middle_s + drift * (probe_s - middle_s)``.

    Parameters
    ----------
    is_on : numpy.ndarray of bool, shape (n,)
        Candidates whose two times meet it within the bound; never those without times.
    n : int
        Ephys trials among them.
    n_next : int
        The same for the best line through the other candidates, which would number these trials otherwise.
    """

    is_on: Flags
    n: int
    n_next: int


def best_line(found: Candidates, start_s: Seconds, ephys_start_s: Seconds, bound_s: float) -> Line | None:
    """Find the clock on which most candidates stand.

    Parameters
    ----------
    found : Candidates
    start_s, ephys_start_s : numpy.ndarray of float
        Times of all rows and of all places, s, each on its own clock; NaN where unknown.
    bound_s : float
        A candidate further than this from the line is not on it, s.

    Returns
    -------
    Line or None
        None where fewer than two candidates have both times.
    """
    is_timed = np.isfinite(start_s)[found.row] & np.isfinite(ephys_start_s)[found.place]
    timed = np.flatnonzero(is_timed)
    if len(timed) < 2:
        return None
    points = _telling(found, timed, start_s, ephys_start_s)
    probe_s = ephys_start_s[found.place[points]]
    lag_s = start_s[found.row[points]] - probe_s
    clock = clock_of_most(probe_s, lag_s, bound_s)
    is_on = is_timed & (np.abs(start_s[found.row] - clock.session_s(ephys_start_s)[found.place]) <= bound_s)
    is_other = ~is_on[points]
    n_next = 0
    if is_other.any():
        other = clock_of_most(probe_s[is_other], lag_s[is_other], bound_s)
        is_next = is_timed & (np.abs(start_s[found.row] - other.session_s(ephys_start_s)[found.place]) <= bound_s)
        n_next = _n_different(found.place[is_next])
    if len(points) < len(timed):
        rest = np.flatnonzero(is_timed & ~is_on)
        lag_s = start_s[found.row[rest]] - clock.session_s(ephys_start_s)[found.place[rest]]
        n_next = max(n_next, _most_in_a_window(lag_s, bound_s))
    return Line(is_on, _n_different(found.place[is_on]), n_next)


def step_bits(start_s: Seconds, bound_s: float) -> float:
    """Evidence of a trial's standing on a clock that others set, bits: none where all trials follow in equal steps."""
    steps = np.sort(np.diff(start_s[np.isfinite(start_s)]))
    n_equal = int(np.sum(np.searchsorted(steps, steps + 2 * bound_s, side="right") - np.arange(1, len(steps) + 1)))
    return -float(np.log2(coincidence(n_equal, len(steps) * (len(steps) - 1) // 2)))


def _telling(found: Candidates, timed: NDArray[np.intp], start_s: Seconds, ephys_start_s: Seconds) -> NDArray[np.intp]:
    """Return the candidates to search lines through: all, or where they are many, those whose next steps agree."""
    if len(timed) <= _MOST_POINTS:
        return timed
    step, ephys_step = np.r_[np.diff(start_s), np.nan], np.r_[np.diff(ephys_start_s), np.nan]
    there = ephys_step[found.place[timed]]
    agrees = np.abs(step[found.row[timed]] - there) <= _STEP_S + MOST_DRIFT * there
    telling = timed[agrees] if np.count_nonzero(agrees) > 1 else timed
    if len(telling) <= _MOST_POINTS:
        return telling
    places = np.unique(found.place[telling])
    n_places = max(2, int(_MOST_POINTS * len(places) / len(telling)))
    some = places[np.unique(np.linspace(0, len(places) - 1, n_places).astype(np.intp))]
    return telling[np.isin(found.place[telling], some)]


def clock_of_most(probe_s: Seconds, lag_s: Seconds, bound_s: float) -> ClockMap:
    """Return the clock that most instants meet: searched over the drifts, then drawn through the instants on it.

    Parameters
    ----------
    probe_s : numpy.ndarray of float, shape (n,)
        On the probe's clock, s.
    lag_s : numpy.ndarray of float, shape (n,)
        The same on the session clock, minus `probe_s`.
    bound_s : float
        An instant further than this from a clock does not meet it, s.
    """
    middle_s = float(np.mean(probe_s))
    x = probe_s - middle_s
    reach_s = float(np.max(np.abs(x)))
    drift, level, within = 0.0, 0.0, MOST_DRIFT
    for window_s in (max(bound_s, reach_s * MOST_DRIFT / _COARSE_STEPS), bound_s):
        n_steps = min(_MOST_STEPS, int(np.ceil(within * reach_s / (window_s / 2))))
        drift, level = _fullest(x, lag_s, drift + np.linspace(-within, within, 2 * n_steps + 1), window_s)
        within = window_s / reach_s if reach_s else 0.0
    for _ in range(3):
        is_on = np.abs(lag_s - level - drift * x) <= bound_s
        level, drift = _drawn(x[is_on], lag_s[is_on], level, drift)
    return ClockMap(level - drift * middle_s, drift * 1e6)


def _fullest(x: Seconds, lag_s: Seconds, drifts: Seconds, window_s: float) -> tuple[float, float]:
    """Return the drift, and the level at x = 0, of the window that holds most points; of equals the smallest drift."""
    best = (0, 0.0, 0.0)
    for drift in sorted(drifts.tolist(), key=abs):
        levels = np.sort(lag_s - drift * x)
        counts = np.searchsorted(levels, levels + window_s, side="right") - np.arange(len(levels))
        top = int(np.argmax(counts))
        if counts[top] > best[0]:
            best = (int(counts[top]), drift, float(np.median(levels[top : top + counts[top]])))
    return best[1], best[2]


def _most_in_a_window(lag_s: Seconds, bound_s: float) -> int:
    """Count the lags in the fullest of all windows of twice the bound."""
    if not len(lag_s):
        return 0
    bins = np.floor(lag_s / bound_s).astype(np.int64)
    bins -= bins.min()
    counts = np.bincount(bins) if bins.max() < _MOST_BINS else np.unique(bins, return_counts=True)[1]
    return int((counts + np.r_[counts[1:], 0]).max())


def _n_different(places: NDArray[np.int64]) -> int:
    return len(np.unique(places))


def _drawn(x: Seconds, lag_s: Seconds, level: float, drift: float) -> tuple[float, float]:
    """Draw the line through the points by least squares; a drift that no clock has is not believed."""
    spread = x - x.mean() if len(x) else x
    square = float(spread @ spread)
    slope = float(spread @ lag_s) / square if square > 0 else drift
    if not len(x) or abs(slope) > MOST_DRIFT:
        return level, drift
    return float(lag_s.mean() - slope * x.mean()), slope
