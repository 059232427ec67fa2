"""Spike trains around events, by arrays: nothing here goes through units and trials one by one. Reading them lives in `session`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


_TOUCH_S = 3e-11
"""A spike this near below a bound stands on it: floating-point session time is no finer (a millionth of a sample)."""


@dataclass(frozen=True)
class Trains:
    """Spike trains of the units of one probe.

    Parameters
    ----------
    unit_id : numpy.ndarray of int, shape (n_units,)
    offsets : numpy.ndarray of int, shape (n_units + 1,)
        Unit i's spikes are ``times_s[offsets[i]:offsets[i + 1]]``.
    times_s : numpy.ndarray of float, shape (n_spikes,)
        On the session clock, rising within a unit, s.
    """

    unit_id: Ints
    offsets: Ints
    times_s: Floats

    def of(self, unit_id: int) -> Floats | None:
        """Return one unit's spike times, s, or None if the probe has no such unit."""
        found = np.flatnonzero(self.unit_id == unit_id)
        return self.times_s[self.offsets[found[0]] : self.offsets[found[0] + 1]] if found.size else None


@dataclass(frozen=True)
class AlignedSpikes:
    """Spikes around an event, ragged: one row for each unit and trial that was observed, silent ones too.

    Parameters
    ----------
    event : str
        The instant that is zero.
    window : tuple of float
        Half-open, relative to the event, s.
    times_s : numpy.ndarray of float, shape (n_spikes,)
        Relative to the event, all rows one after the other, s.
    offsets : numpy.ndarray of int, shape (n_rows + 1,)
        Row i's spikes are ``times_s[offsets[i]:offsets[i + 1]]``.
    probe, unit_id, trial : numpy.ndarray of int, shape (n_rows,)
        What row i is, ordered by probe, unit and trial.
    event_s : numpy.ndarray of float, shape (n_rows,)
        The event on the session clock, s.
    """

    event: str
    window: tuple[float, float]
    times_s: Floats
    offsets: Ints
    probe: Ints
    unit_id: Ints
    trial: Ints
    event_s: Floats

    def __len__(self) -> int:
        return int(self.trial.size)

    @property
    def n_spikes(self) -> Ints:
        """Spikes of each row, shape (n_rows,)."""
        return np.diff(self.offsets)

    @property
    def row(self) -> Ints:
        """Row of each spike, shape (n_spikes,)."""
        return np.repeat(np.arange(len(self)), self.n_spikes)

    def to_list(self) -> list[Floats]:
        """Return one array of times for each row, s."""
        return np.split(self.times_s, self.offsets[1:-1]) if len(self) else []


def cut(trains: Trains, unit: Ints, event_s: Floats, window: tuple[float, float]) -> tuple[Floats, Ints]:
    """Cut a window out of a train around each event.

    Parameters
    ----------
    trains : Trains
    unit : numpy.ndarray of int, shape (n_rows,)
        Index of each row's unit in `trains`, rising.
    event_s : numpy.ndarray of float, shape (n_rows,)
        Events on the session clock, s.
    window : tuple of float
        Half-open, s.

    Returns
    -------
    times_s : numpy.ndarray of float, shape (n_spikes,)
        Relative to the events, s.
    n_spikes : numpy.ndarray of int, shape (n_rows,)
    """
    first, last = np.empty(unit.size, np.int64), np.empty(unit.size, np.int64)
    starts = np.flatnonzero(np.r_[True, unit[1:] != unit[:-1]]) if unit.size else np.empty(0, np.int64)
    for begin, end in zip(starts, np.r_[starts[1:], unit.size], strict=True):
        offset = trains.offsets[unit[begin]]
        train = trains.times_s[offset : trains.offsets[unit[begin] + 1]]
        first[begin:end] = offset + np.searchsorted(train, event_s[begin:end] + window[0] - _TOUCH_S)
        last[begin:end] = offset + np.searchsorted(train, event_s[begin:end] + window[1] - _TOUCH_S)
    n_spikes = last - first
    before = np.cumsum(n_spikes) - n_spikes
    index = np.arange(n_spikes.sum()) + np.repeat(first - before, n_spikes)
    return trains.times_s[index] - np.repeat(event_s, n_spikes), n_spikes


def bin_edges_s(window: tuple[float, float], bin_s: float) -> Floats:
    """Return the edges of equal bins that fill the window, s.

    Raises
    ------
    ValueError
        If the window is empty or holds no whole number of bins.
    """
    n_bins = round((window[1] - window[0]) / bin_s) if bin_s > 0 else 0
    if n_bins < 1 or not np.isclose(n_bins * bin_s, window[1] - window[0]):
        raise ValueError(f"The window {window} s holds no whole number of bins of {bin_s} s.")
    return np.linspace(window[0], window[1], n_bins + 1)


def mean_rate(spikes: AlignedSpikes, edges_s: ArrayLike) -> tuple[Floats, Floats]:
    """Average the rate over rows, in each bin.

    Returns
    -------
    rate_hz, sem_hz : numpy.ndarray of float, shape (n_bins,)
        Mean, and its standard error over rows (NaN with fewer than two); both NaN without rows.
    """
    edges = np.asarray(edges_s, np.float64)
    n_rows, n_bins = len(spikes), edges.size - 1
    which = np.searchsorted(edges - _TOUCH_S, spikes.times_s, side="right") - 1
    is_in = (which >= 0) & (which < n_bins)
    flat = spikes.row[is_in] * n_bins + which[is_in]
    counts = np.bincount(flat, minlength=n_rows * n_bins).reshape(n_rows, n_bins)
    rates = counts / np.diff(edges)
    nothing = np.full(n_bins, np.nan)
    mean = rates.mean(axis=0) if n_rows else nothing
    sem = rates.std(axis=0, ddof=1) / np.sqrt(n_rows) if n_rows > 1 else nothing
    return mean, sem
