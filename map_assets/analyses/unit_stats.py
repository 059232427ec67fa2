"""`unit_stats`: how much each unit fired in the trials its probe observed, and how clean its train is. Presence lives in `presence`."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.analyses.presence import N_BINS, observed_s, presence
from map_assets.analyses.tables import UNIT_STATS
from map_assets.analyses.trains import ProbeTrains, Whole, probe_trains

ISI_LIMIT_S = 0.002
"""Intervals below it count as violations of the refractory period, s (the earlier MAP pipeline's limit)."""

_AT_ONCE = 1 << 16
"""Spikes whose intervals are formed at a time: few enough to stay in the processor's cache."""


def make_unit_stats(
    session: str,
    units: pa.Table,
    spikes: pa.Table,
    trial_spikes: pa.Table,
    trials: pa.Table,
    clock_maps: pa.Table,
    probes: pa.Table,
    isi_limit_s: float = ISI_LIMIT_S,
) -> pa.Table:
    """Count each unit's spikes in the trials its probe observed, its refractory violations, and where it fired at all.

    A trial lasts from its ``start_s`` to its ``until_s``, as in ``trial_spikes``. Time observed is the sum over the
    same trials, cut to what the probe recorded, so spikes and seconds are of the same intervals.

    Returns
    -------
    pyarrow.Table
        ``unit_stats``, one row for each row of ``units``, in their order.

    Notes
    -----
    ``isi_violation`` is the measure of the earlier MAP pipeline and of ecephys_spike_sorting (after Hill, Mehta and
    Kleinfeld 2011): violations over the time in which they could occur, relative to the unit's rate. The earlier
    pipeline divided spikes of whole trials by times without the pauses between them; here both are of one interval.
    """
    n = units.num_rows
    counts = {name: np.zeros(n, np.int64) for name in ("n_trials", "n_spikes_in_trials")}
    refractory = np.full((5, n), np.nan)
    seconds, share, bin_s = np.zeros(n), np.full(n, np.nan), np.full(n, np.nan)
    for trains in probe_trains(units, spikes, trial_spikes, trials, clock_maps, probes):
        counts["n_trials"][trains.rows] = trains.is_observed.sum(axis=1)
        counts["n_spikes_in_trials"][trains.rows] = trains.n_in_trials
        seconds[trains.rows] = trains.is_observed @ observed_s(trains, trials)[1]
        share[trains.rows], bin_s[trains.rows] = presence(trains, trials, N_BINS)
        if trains.sample_rate_hz is not None:
            refractory[:, trains.rows] = _refractory(trains, isi_limit_s * trains.sample_rate_hz)
    n_violations, n_intervals, n_violations_in, n_intervals_in, n_distinct = refractory
    with np.errstate(divide="ignore", invalid="ignore"):
        rate_hz = np.where(seconds > 0, counts["n_spikes_in_trials"] / seconds, np.nan)
        contamination = n_violations_in / (2 * n_distinct * isi_limit_s) / (n_distinct / seconds)
        violation_share = np.where(n_intervals > 0, n_violations / n_intervals, np.nan)
    return UNIT_STATS.from_columns(
        {
            "session": [session] * n,
            "probe": units["probe"],
            "unit_id": units["unit_id"],
            **counts,
            "observed_s": seconds,
            "rate_hz": rate_hz,
            "n_isi_violations": n_violations,
            "isi_violation_share": violation_share,
            "isi_limit_s": np.full(n, isi_limit_s),
            "n_isi_violations_in_trials": n_violations_in,
            "isi_violation": np.where((n_intervals_in > 0) & (seconds > 0), contamination, np.nan),
            "presence_ratio": share,
            "presence_bin_s": bin_s,
        }
    )


def _refractory(trains: ProbeTrains, limit_samples: float) -> NDArray[np.float64]:
    """Count each unit's intervals, and those under the limit; one that spans two units or two trials counts for none.

    Returns
    -------
    numpy.ndarray of float, shape (5, n_units)
        Violations and intervals of the whole train, violations and intervals within the observed trials, and the
        spikes of these trials, those on one sample counted once.
    """
    short = _short(trains.samples, limit_samples)
    doubled = short[trains.samples[short + 1] == trains.samples[short]]
    first = trains.begin[:, None] + trains.trials.first_spike
    last = first + np.maximum(trains.trials.n_spikes - 1, 0)
    n_intervals_in = (last - first).sum(axis=1)
    whole_last = np.maximum(trains.end - 1, trains.begin)
    return np.array(
        [
            _among(short, trains.begin, whole_last),
            whole_last - trains.begin,
            _among(short, first, last).sum(axis=1),
            n_intervals_in,
            trains.n_in_trials - _among(doubled, first, last).sum(axis=1),
        ],
        np.float64,
    )


def _short(samples: Whole, limit_samples: float) -> Whole:
    """Positions of spikes that are followed by the next entry in less than the limit."""
    found = [np.empty(0, np.int64)]
    for first in range(0, len(samples), _AT_ONCE):
        found.append(np.flatnonzero(np.diff(samples[first : first + _AT_ONCE + 1]) < limit_samples) + first)
    return np.concatenate(found)


def _among(marks: Whole, first: Whole, last: Whole) -> Whole:
    """How many of the rising `marks` lie in each half-open stretch."""
    return np.asarray(np.searchsorted(marks, last) - np.searchsorted(marks, first))
