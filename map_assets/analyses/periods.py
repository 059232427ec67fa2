"""Periods of a trial, and each unit's spikes in them. What the counts tell is the analyses' part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from map_assets.analyses.trains import Floats, ProbeTrains, Whole


@dataclass(frozen=True)
class Period:
    """Part of a trial, half-open: from one instant of it to another, each shifted.

    Parameters
    ----------
    name : str
    start, stop : str
        Columns of ``trials``.
    start_shift_s, stop_shift_s : float
    """

    name: str
    start: str
    stop: str
    start_shift_s: float = 0.0
    stop_shift_s: float = 0.0

    def bounds_s(self, trials: pa.Table) -> tuple[Floats, Floats]:
        """Begin and end in each trial on the session clock, s, shape (n_trials,); NaN where the trial has none.

        A period that would end before it begins (as where a sample was repeated after the last delay) is none.
        """
        start = trials[self.start].to_numpy().astype(np.float64) + self.start_shift_s
        stop = trials[self.stop].to_numpy().astype(np.float64) + self.stop_shift_s
        with np.errstate(invalid="ignore"):
            is_one = stop > start
        return np.where(is_one, start, np.nan), np.where(is_one, stop, np.nan)


DELAY_RESPONSE: tuple[Period, ...] = (
    Period("sample", "sample_s", "delay_s"),
    Period("delay", "delay_s", "go_s"),
    Period("response", "go_s", "go_s", 0.0, 1.2),
)
"""As in the earlier MAP pipeline: the last sample to the last delay, the last delay to the last go cue, 1.2 s from it."""


def counts_between(trains: ProbeTrains, start_s: Floats, stop_s: Floats) -> Whole:
    """Count each unit's spikes in half-open windows of the session clock.

    Parameters
    ----------
    trains : ProbeTrains
        With clock and sample rate.
    start_s, stop_s : numpy.ndarray of float, shape (n_windows,)
        NaN counts nothing.

    Returns
    -------
    numpy.ndarray of int64, shape (n_units, n_windows)

    Raises
    ------
    ValueError
        If the probe has no session clock.
    """
    is_known = np.isfinite(start_s) & np.isfinite(stop_s)
    first = trains.at_sample(np.where(is_known, start_s, 0.0))
    last = trains.at_sample(np.where(is_known, stop_s, 0.0))
    if first is None or last is None:
        raise ValueError(f"probe {trains.probe} has no session clock")
    edges = np.concatenate([first, last])
    order = np.argsort(edges, kind="stable")
    places = np.empty((len(trains.rows), len(edges)), np.int64)
    for unit in range(len(trains.rows)):
        # rising places are found faster: each search starts in memory that the last one read
        places[unit, order] = np.searchsorted(trains.samples[trains.begin[unit] : trains.end[unit]], edges[order])
    counts = places[:, len(first) :] - places[:, : len(first)]
    counts[:, ~is_known] = 0
    return counts


def rates_between(trains: ProbeTrains, start_s: Floats, stop_s: Floats) -> Floats:
    """Rate of each unit in half-open windows, Hz, shape (n_units, n_windows).

    A window that is none (NaN, or not rising) has no rate, nor one that reaches out of what the probe recorded: NaN.
    """
    with np.errstate(invalid="ignore"):
        is_whole = (start_s >= trains.observed_from_s) & (stop_s <= trains.observed_to_s) & (stop_s > start_s)
        start, stop = np.where(is_whole, start_s, np.nan), np.where(is_whole, stop_s, np.nan)
        # windows of one length in name must be so in the last digit too: equal counts are ties for a rank test
        return np.asarray(counts_between(trains, start, stop) / np.round(stop - start, 9))


def rates_in(trains: ProbeTrains, trials: pa.Table, periods: Sequence[Period]) -> Floats:
    """Rate of each unit in each period of each trial, Hz, shape (n_periods, n_units, n_trials); see `rates_between`."""
    bounds = np.array([period.bounds_s(trials) for period in periods])
    rates = rates_between(trains, bounds[:, 0].ravel(), bounds[:, 1].ravel())
    return np.asarray(rates.reshape(len(rates), len(periods), -1).transpose(1, 0, 2))
