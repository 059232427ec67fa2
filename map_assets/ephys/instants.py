"""Instants that belong to trials, and where the zero of their times is, told by the trials themselves. They are read in `bitcode_events`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]
Places = NDArray[np.int64]

_SLACK_S = 1e-3
"""Starts may be rounded to samples or decimals; a time so far outside of its trial is still in it."""


@dataclass(frozen=True)
class Instants:
    """Instants of one kind.

    Parameters
    ----------
    name : str
        Of the event or the camera.
    port : str or None
        left, right or middle.
    place : numpy.ndarray of int, shape (m,)
        Trial of each instant in the stream, from 0, never falling.
    at : numpy.ndarray of float, shape (m,)
        NaN where there was none.
    reaches_back : bool
        Whether they may be before their trial's code, as far as the previous trial's.
    is_start : bool
        Whether they are the starts of the codes themselves.
    is_train : bool
        Whether they are a train of pulses, whose last one cannot be before its trial's code.
    """

    name: str
    port: str | None
    place: Places
    at: Times
    reaches_back: bool = False
    is_start: bool = False
    is_train: bool = False


def flat(lists: Sequence[Times]) -> tuple[Places, Times]:
    """Put one array a trial into places and times."""
    sizes = [len(one) for one in lists]
    return np.repeat(np.arange(len(lists)), sizes), np.concatenate([*lists, np.empty(0)])


def place_instants(
    told: Sequence[Instants], start_s: Times, scales: Sequence[float], longest_s: float
) -> tuple[tuple[Instants, ...] | None, str]:
    """Carry instants onto the clock of the trials' starts, by the first reading of their times with which all lie in their trials.

    Parameters
    ----------
    told : sequence of Instants
        As written.
    start_s : numpy.ndarray of float, shape (n,)
        The trials' starts, s, rising; NaN where unknown.
    scales : sequence of float
        Seconds in one unit of the times, the likelier one first.
    longest_s : float
        No time is later than the last start by more, s.

    Returns
    -------
    placed : tuple of Instants or None
        None where no reading fits.
    problem : str
        What does not fit in the first reading.
    """
    if not np.isfinite(start_s).any():
        return None, "no trial's start (sTrig) is known, which would tell the zero of its events' times"
    if not any(np.any(~np.isnan(one.at) & (one.at != 0)) for one in told):
        return None, "all of its events' times are zero"
    bounds = _Bounds(start_s, longest_s)
    problem = ""
    for is_relative in (False, True):
        for scale in scales:
            read = [_read(one, start_s, scale, is_relative) for one in told]
            outside = next((text for text in map(bounds.outside, read) if text), "")
            if not outside:
                return tuple(read), ""
            problem = problem or outside
    return None, problem


def _read(one: Instants, start_s: Times, scale: float, is_relative: bool) -> Instants:
    if is_relative:
        return replace(one, at=one.at * scale + start_s[one.place])
    # a NaN that was saved as an integer is zero
    return replace(one, at=np.where(one.at == 0, np.nan, one.at * scale))


class _Bounds:
    """Where instants of each trial may lie; an unknown start bounds nothing."""

    def __init__(self, start_s: Times, longest_s: float) -> None:
        n = len(start_s)
        places = np.arange(n)
        is_known = np.isfinite(start_s)
        before = np.maximum.accumulate(np.where(is_known, places, -1))
        after = np.minimum.accumulate(np.where(is_known, places, n)[::-1])[::-1]
        self.start_s = start_s
        self.from_s = np.where(before >= 0, start_s[before], 0.0)
        self.back_s = np.r_[0.0, self.from_s[:-1]]
        last_s = start_s[is_known][-1] + longest_s
        self.until_s = np.r_[start_s, last_s][np.r_[after[1:], n]]

    def outside(self, one: Instants) -> str:
        """Say which instant lies outside of its trial; empty if none does."""
        is_there = ~np.isnan(one.at)
        place, at = one.place[is_there], one.at[is_there]
        low_s = (self.back_s if one.reaches_back else self.from_s)[place]
        is_in = (at >= low_s - _SLACK_S) & (at <= self.until_s[place] + _SLACK_S)
        if one.is_start:
            is_in &= ~(np.abs(at - self.start_s[place]) > _SLACK_S)
        if one.is_train and len(place):
            is_last = np.r_[np.diff(place) != 0, True]
            is_in &= ~is_last | (at >= self.from_s[place] - _SLACK_S)
        if is_in.all():
            return ""
        wrong = int(np.argmin(is_in))
        number = int(place[wrong]) + 1
        return f"{one.name} of trial {number} in the stream, at {at[wrong]:.6g}, is not in that trial"
