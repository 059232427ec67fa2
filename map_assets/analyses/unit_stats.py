"""`unit_stats`: how much each unit fired in the trials its probe observed, and how clean its train is."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.analyses.tables import UNIT_STATS
from map_assets.analyses.trains import ProbeTrains, Whole, probe_trains

ISI_LIMIT_S = 0.002
"""Intervals below it count as violations of the refractory period, s (the earlier MAP pipeline's limit)."""


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
    """Count each unit's spikes in the trials its probe observed, and its refractory violations.

    A trial lasts from its start to the next kept trial's start, the last one to its stop, as in ``trial_spikes``.
    Time observed is the sum over the same trials, cut to what the probe recorded, so spikes and seconds are of the
    same intervals. Violations are counted over the whole train.

    Returns
    -------
    pyarrow.Table
        ``unit_stats``, one row for each row of ``units``, in their order.
    """
    n = units.num_rows
    whole = {name: np.zeros(n, np.int64) for name in ("n_trials", "n_spikes_in_trials", "n_isi_violations")}
    observed_s = np.zeros(n)
    has_rate = np.zeros(n, bool)
    n_intervals = np.zeros(n, np.int64)
    start_s, stop_s = _intervals(trials)
    for trains in probe_trains(units, spikes, trial_spikes, trials, clock_maps, probes):
        lasts_s = np.minimum(stop_s, trains.observed_to_s) - np.maximum(start_s, trains.observed_from_s)
        whole["n_trials"][trains.rows] = trains.is_observed.sum(axis=1)
        whole["n_spikes_in_trials"][trains.rows] = trains.n_in_trials
        observed_s[trains.rows] = trains.is_observed @ np.maximum(lasts_s, 0.0)
        n_intervals[trains.rows] = np.maximum(trains.end - trains.begin - 1, 0)
        if trains.sample_rate_hz is not None:
            has_rate[trains.rows] = True
            whole["n_isi_violations"][trains.rows] = _violations(trains, isi_limit_s * trains.sample_rate_hz)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate_hz = np.where(observed_s > 0, whole["n_spikes_in_trials"] / observed_s, np.nan)
        share = np.where(has_rate & (n_intervals > 0), whole["n_isi_violations"] / n_intervals, np.nan)
    return UNIT_STATS.from_columns(
        {
            "session": [session] * n,
            "probe": units["probe"],
            "unit_id": units["unit_id"],
            "n_trials": whole["n_trials"],
            "n_spikes_in_trials": whole["n_spikes_in_trials"],
            "observed_s": observed_s,
            "rate_hz": rate_hz,
            "n_isi_violations": pa.array(whole["n_isi_violations"], mask=~has_rate),
            "isi_violation_share": share,
            "isi_limit_s": np.full(n, isi_limit_s),
        }
    )


def _intervals(trials: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Each trial's start and the next one's, s; the last one's stop. Trials stand in any order."""
    start_s = trials["start_s"].to_numpy()
    stop_s = trials["stop_s"].to_numpy().copy()
    order = np.argsort(start_s, kind="stable")
    stop_s[order[:-1]] = start_s[order[1:]]
    return start_s, stop_s


def _violations(trains: ProbeTrains, limit_samples: float) -> Whole:
    """Count each unit's intervals under the limit; an interval that spans two units counts for none."""
    short = np.flatnonzero(np.diff(trains.samples) < limit_samples)
    before_end = np.searchsorted(short, np.maximum(trains.end - 1, trains.begin))
    return np.asarray(before_end - np.searchsorted(short, trains.begin), np.int64)
