"""Two streams of one run tied together by the sync pulses that both recorded. Behaviour's clock is tied to a probe's in `clock_maps`.

SpikeGLX sends one square wave to all streams and starts them together, within much less than its period.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.vocabulary.errors import ClockDoesNotFit

Times = NDArray[np.float64]

_FEWEST_PULSES = 3
_PERIODS_AGREE = 1e-3
"""Two nominal clocks never differ by more than this fraction; crystals differ by less than a tenth of it."""
_REGULAR = 0.05
"""A pulse stands within this fraction of a period of where the one before it says, or whole periods later."""
_LARGEST_LAG = 0.25
"""The streams' starts are at most this fraction of a period apart; beyond it, pairs of pulses would be guessed."""


@dataclass(frozen=True)
class StreamMap:
    """The same pulses on two streams' nominal clocks, s; shape (n,), rising."""

    from_s: Times
    to_s: Times

    def carry(self, times_s: Times, longest_reach_s: float) -> Times:
        """Carry times from one stream onto the other: straight lines between neighbouring pulses, so order is kept.

        Before the first and after the last pulse the slope is that of the whole; a time further than `longest_reach_s`
        from every pulse is unknown: NaN.
        """
        times = np.asarray(times_s, np.float64)
        first, last = self.from_s[0], self.from_s[-1]
        slope = (self.to_s[-1] - self.to_s[0]) / (last - first)
        carried = np.interp(times, self.from_s, self.to_s)
        carried += np.minimum(times - first, 0.0) * slope + np.maximum(times - last, 0.0) * slope
        place = np.searchsorted(self.from_s, times)
        before = np.abs(times - self.from_s[np.maximum(place - 1, 0)])
        after = np.abs(times - self.from_s[np.minimum(place, len(self.from_s) - 1)])
        return np.where(np.minimum(before, after) <= longest_reach_s, carried, np.nan)


def match_pulses(from_s: Times, to_s: Times, path: Path) -> StreamMap:
    """Pair two streams' sync pulses by their number, counted in whole periods, so that a missing one shifts nothing.

    Parameters
    ----------
    from_s, to_s : numpy.ndarray of float, shape (n,) and (m,)
        Leading edges on each stream's nominal clock, rising, s.
    path : pathlib.Path
        The file to name in errors.

    Raises
    ------
    ClockDoesNotFit
        If a stream has too few pulses or irregular ones, the periods differ, the streams' first pulses do not tell
        which belong together, or fewer than two were seen by both.
    """
    if min(len(from_s), len(to_s)) < _FEWEST_PULSES:
        raise _misfit(path, f"the two streams saw {len(from_s)} and {len(to_s)} sync pulses", "three on each at least")
    period_from, period_to = (float(np.median(np.diff(times))) for times in (from_s, to_s))
    if abs(period_from / period_to - 1.0) > _PERIODS_AGREE:
        raise _misfit(path, f"sync pulses come every {period_from:.6g} s and {period_to:.6g} s", "one period on both")
    number_from, number_to = _number(from_s, period_from, path), _number(to_s, period_to, path)
    lag = (to_s[0] - from_s[0]) / period_to
    if abs(lag - round(lag)) > _LARGEST_LAG:
        raise _misfit(
            path,
            f"the streams' first sync pulses stand {lag:.2f} periods apart",
            "streams that were started together, so that their pulses pair without a guess",
        )
    _, in_from, in_to = np.intersect1d(number_from, number_to + round(lag), assume_unique=True, return_indices=True)
    if len(in_from) < 2:
        raise _misfit(path, f"{len(in_from)} sync pulses were seen by both streams", "two at least")
    return StreamMap(from_s[in_from], to_s[in_to])


def _number(times_s: Times, period_s: float, path: Path) -> NDArray[np.int64]:
    steps = np.diff(times_s) / period_s
    whole = np.rint(steps)
    wrong = np.flatnonzero((np.abs(steps - whole) > _REGULAR) | (whole < 1))
    if len(wrong):
        raise _misfit(
            path, f"a sync pulse at {times_s[wrong[0] + 1]:.6f} s is out of step", f"one every {period_s:.6g} s"
        )
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(whole).astype(np.int64)])


def _misfit(path: Path, found: str, expected: str) -> ClockDoesNotFit:
    return ClockDoesNotFit(
        path, found, expected=expected, todo="Check which lines the sync pulses are on, and extract them again."
    )
