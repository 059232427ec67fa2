"""Spike trains around events, by arrays: nothing here goes through units and trials one by one. Reading them lives in `session`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from map_assets.vocabulary.clock import ClockMap

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


_TOUCH_SAMPLES, _TOUCH_S = 1e-6, 3e-11
"""A spike this near below a bound stands on it: floating-point session time is no finer."""


@dataclass(frozen=True)
class Trains:
    """Spike trains of the units of one probe, exact, and the way onto the session clock.

    Parameters
    ----------
    unit_id : numpy.ndarray of int, shape (n_units,)
    offsets : numpy.ndarray of int, shape (n_units + 1,)
        Unit i's spikes are ``samples[offsets[i]:offsets[i + 1]]``.
    samples : numpy.ndarray of int, shape (n_spikes,)
        On the probe's clock, rising within a unit.
    sample_rate_hz : float
        Exact.
    clock : ClockMap
        From the probe's seconds to the session's.
    """

    unit_id: Ints
    offsets: Ints
    samples: Ints
    sample_rate_hz: float
    clock: ClockMap

    def of(self, unit_id: int) -> Floats | None:
        """Return one unit's spikes on the session clock, s, or None if the probe has no such unit."""
        found = np.flatnonzero(self.unit_id == unit_id)
        if found.size == 0:
            return None
        return self.session_s(self.samples[self.offsets[found[0]] : self.offsets[found[0] + 1]])

    def session_s(self, samples: Ints) -> Floats:
        """Carry samples onto the session clock, s."""
        return self.clock.session_s(samples / self.sample_rate_hz)

    def sample_from(self, session_s: Floats) -> Ints:
        """Return the first sample that is not before each session time."""
        return np.ceil(self.clock.probe_s(session_s) * self.sample_rate_hz - _TOUCH_SAMPLES).astype(np.int64)


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

    def to_xarray(self, bin_s: float = 0.04) -> Any:
        """Counts in bins as an ``xarray.DataArray`` with the dimensions unit, trial and time_from_event_s.

        NaN where the probe did not observe the trial: that is no silence.

        Raises
        ------
        NotInstalled
            If xarray is not.
        ValueError
            If the window holds no whole number of bins.
        """
        from map_assets.analyst.ragged import counts_to_xarray

        return counts_to_xarray(self, bin_s)


def cut(trains: Trains, unit: Ints, event_s: Floats, window: tuple[float, float]) -> tuple[list[Floats], Ints]:
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
    times_s : list of numpy.ndarray of float
        Relative to the events, s; one array a unit, that of all its rows.
    n_spikes : numpy.ndarray of int, shape (n_rows,)
    """
    from_sample, to_sample = trains.sample_from(event_s + window[0]), trains.sample_from(event_s + window[1])
    n_spikes = np.empty(unit.size, np.int64)
    bounds = np.r_[0, np.flatnonzero(np.diff(unit)) + 1, unit.size] if unit.size else []
    parts = []
    for begin, end in pairwise(bounds):
        # one unit after the other: all that is touched for it fits the processor's cache
        train = trains.samples[trains.offsets[unit[begin]] : trains.offsets[unit[begin] + 1]]
        train.max(initial=0)  # read in order once: what is searched then does not wait for memory
        first, last = train.searchsorted(from_sample[begin:end]), train.searchsorted(to_sample[begin:end])
        count = np.subtract(last, first, out=n_spikes[begin:end])
        before = np.cumsum(count) - count
        index = np.arange(before[-1] + count[-1])
        index += np.repeat(first - before, count)
        times_s = trains.session_s(train.take(index))
        times_s -= np.repeat(event_s[begin:end], count)
        parts.append(times_s)
    return parts, n_spikes


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
    counts = spike_counts(spikes, edges)
    rates = counts / np.diff(edges)
    nothing = np.full(n_bins, np.nan)
    mean = rates.mean(axis=0) if n_rows else nothing
    sem = rates.std(axis=0, ddof=1) / np.sqrt(n_rows) if n_rows > 1 else nothing
    return mean, sem


def spike_counts(spikes: AlignedSpikes, edges_s: ArrayLike) -> Ints:
    """Count each row's spikes in half-open bins, shape (n_rows, n_bins)."""
    edges = np.asarray(edges_s, np.float64)
    n_rows, n_bins = len(spikes), edges.size - 1
    which = np.searchsorted(edges - _TOUCH_S, spikes.times_s, side="right") - 1
    is_in = (which >= 0) & (which < n_bins)
    flat = spikes.row[is_in] * n_bins + which[is_in]
    return np.bincount(flat, minlength=n_rows * n_bins).reshape(n_rows, n_bins)
