"""In what share of the observed time's bins each unit fired: a column of `unit_stats`, which lives in a file of its own name."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from map_assets.analyses.trains import Floats, ProbeTrains, Whole, alike

N_BINS = 100
"""Bins of the observed time, as in the Allen Institute's ecephys_spike_sorting, which the MAP criteria were set against."""


def presence(trains: ProbeTrains, trials: pa.Table, n_bins: int = N_BINS) -> tuple[Floats, Floats]:
    """Tell in which share of equal bins of the observed time each unit of a probe fired.

    The intervals of a unit's observed trials are laid end to end and cut into equal bins, so that time in which nobody
    looked is neither silent nor present. A bin is half-open; a spike on an edge belongs to the bin that begins there.

    Parameters
    ----------
    trains : ProbeTrains
    trials : pyarrow.Table
        With ``start_s`` and ``until_s``.
    n_bins : int

    Returns
    -------
    share, bin_s : numpy.ndarray of float, shape (n_units,)
        The share, and how long a bin is, s; NaN where nothing was observed or the probe's clock is unknown.
    """
    share, bin_s = np.full((2, len(trains.rows)), np.nan)
    start_s, length_s = observed_s(trains, trials)
    for units, is_seen in alike(trains.is_observed):
        seen = np.flatnonzero(is_seen & (length_s > 0))
        seen = seen[np.argsort(start_s[seen], kind="stable")]
        pieces = _pieces(start_s[seen], length_s[seen], n_bins)
        edges = trains.at_sample(np.concatenate(pieces[:2]))
        if not len(seen) or edges is None:
            continue
        share[units] = _fired(trains, units, edges.reshape(2, -1), pieces[2]).mean(axis=1)
        bin_s[units] = length_s[seen].sum() / n_bins
    return share, bin_s


def observed_s(trains: ProbeTrains, trials: pa.Table) -> tuple[Floats, Floats]:
    """Begin and length of each trial, from its start to its ``until_s``, as far as the probe recorded it, s."""
    start = np.maximum(trials["start_s"].to_numpy(), trains.observed_from_s)
    return start, np.maximum(np.minimum(trials["until_s"].to_numpy(), trains.observed_to_s) - start, 0.0)


def _pieces(start_s: Floats, length_s: Floats, n_bins: int) -> tuple[Floats, Floats, Whole]:
    """Cut intervals, laid end to end, into equal bins; return each piece's begin and end on the session clock, and its bin."""
    laid = np.r_[0.0, np.cumsum(length_s)]
    edges = np.arange(1, n_bins) * (laid[-1] / n_bins)
    cuts = np.unique(np.r_[laid, edges])
    trial = np.searchsorted(laid[1:-1], cuts[:-1], "right")
    shift = (start_s - laid[:-1])[trial] if len(start_s) else cuts[:-1]
    return cuts[:-1] + shift, cuts[1:] + shift, np.searchsorted(edges, cuts[:-1], "right")


def _fired(trains: ProbeTrains, units: Whole, edges: Whole, bins: Whole) -> Floats:
    """Whether each unit has a spike in each bin, shape (n_units, n_bins), from the pieces' first samples and ends."""
    places, at = np.unique(edges, return_inverse=True)
    at = at.reshape(edges.shape)
    found = np.empty((len(units), len(places)), np.int64)
    for row, unit in enumerate(units):
        found[row] = np.searchsorted(trains.samples[trains.begin[unit] : trains.end[unit]], places)
    has_spike = (found[:, at[1]] > found[:, at[0]]).astype(np.float64)
    first = np.flatnonzero(np.diff(bins, prepend=-1))
    return np.asarray(np.maximum.reduceat(has_spike, first, axis=1))
