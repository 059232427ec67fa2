"""`drift`: how steadily each unit fired over the session, and how far its spikes wandered. How much it fired lives in `unit_stats`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.analyses.tables import DRIFT
from map_assets.analyses.trains import Floats, TrialCounts, Whole, alike, by_probe, flat_lists, of_probe, trial_counts
from map_assets.vocabulary.errors import BadConfiguration


@dataclass(frozen=True)
class Smoothing:
    """How trials are joined to blocks, and when a block is odd.

    Parameters
    ----------
    window_trials, step_trials : int
        Neighbouring observed trials of a block, and trials from one block's first to the next one's.
    low, high : float
        A block is odd if as few spikes or fewer have a probability under `low`, or as many or more one under 1 - `high`.
    depth_spikes : int
        Spikes with a depth that a block needs before its median depth counts.
    """

    window_trials: int = 6
    step_trials: int = 6
    low: float = 0.05
    high: float = 0.95
    depth_spikes: int = 10

    def __post_init__(self) -> None:
        if min(self.window_trials, self.step_trials, self.depth_spikes) < 1 or not 0 < self.low < self.high < 1:
            raise BadConfiguration(f"drift: {self} cannot be used; blocks need a trial, a step and 0 < low < high < 1.")


def make_drift(
    session: str,
    units: pa.Table,
    trial_spikes: pa.Table,
    trials: pa.Table,
    spike_features: pa.Table | None = None,
    smoothing: Smoothing | None = None,
) -> pa.Table:
    """Ask of each block of trials whether a steady Poisson train would have so few or so many spikes.

    Only trials that the unit's probe observed count. The earlier MAP pipeline compared rates in Hz with a Poisson
    distribution of counts, and called a block without spikes odd wherever the unit fired seldom; here spikes are
    compared with those expected in the block's own duration, and both tails hold the count itself.

    Parameters
    ----------
    session : str
        Session key.
    units, trial_spikes, trials : pyarrow.Table
    spike_features : pyarrow.Table, optional
        With ``depth_um``, one list a unit, in the order of its spikes.
    smoothing : Smoothing, optional

    Returns
    -------
    pyarrow.Table
        ``drift``, one row for each row of ``units``, in their order.
    """
    how = smoothing or Smoothing()
    n = units.num_rows
    n_trials, n_blocks = np.zeros((2, n), np.int64)
    metric, trend, range_um = np.full((3, n), np.nan)
    start_s = trials["start_s"].to_numpy()
    lasts_s = trials["until_s"].to_numpy() - start_s
    for probe, rows, unit_id in by_probe(units):
        found = trial_counts(unit_id, trials["trial"].to_numpy(), of_probe(trial_spikes, probe))
        features = None if spike_features is None else of_probe(spike_features, probe)
        depths = None if features is None or not features.num_rows else flat_lists(unit_id, features, "depth_um")
        for these, is_seen in alike(found.is_observed):
            seen = np.flatnonzero(is_seen)
            seen = seen[np.argsort(start_s[seen], kind="stable")]
            at = rows[these]
            first = np.arange(0, len(seen) - how.window_trials + 1, how.step_trials)
            n_trials[at], n_blocks[at] = len(seen), len(first)
            if len(first) < 2:
                continue
            spikes = found.n_spikes[np.ix_(these, seen)]
            metric[at] = _odd_share(spikes, lasts_s[seen], first, how)
            trend[at] = _trend(spikes, start_s[seen], lasts_s[seen], first, how.window_trials)
            if depths is not None:
                range_um[at] = [_range_um(found, *depths, unit, seen, first, how) for unit in these]
    return DRIFT.from_columns(
        {
            "session": [session] * n,
            "probe": units["probe"],
            "unit_id": units["unit_id"],
            "n_trials": n_trials,
            "n_blocks": n_blocks,
            "window_trials": np.full(n, how.window_trials),
            "step_trials": np.full(n, how.step_trials),
            "drift_metric": metric,
            "rate_trend_hz_per_h": trend,
            "max_drift_um": range_um,
            "depth_spikes": np.full(n, how.depth_spikes),
        }
    )


def _blocks(values: NDArray[np.number], first: Whole, window: int) -> Floats:
    """Sum over each block of trials, along the last axis."""
    total = np.cumsum(values, axis=-1, dtype=np.float64)
    total = np.concatenate([np.zeros((*total.shape[:-1], 1)), total], axis=-1)
    return np.asarray(total[..., first + window] - total[..., first])


def _odd_share(spikes: Whole, lasts_s: Floats, first: Whole, how: Smoothing) -> Floats:
    """Share of each unit's blocks that are odd, shape (n_units,); NaN without spikes."""
    from scipy.special import pdtr, pdtrc

    counts = _blocks(spikes, first, how.window_trials)
    exposure_s = _blocks(lasts_s, first, how.window_trials)
    n_spikes = spikes.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = (n_spikes / lasts_s.sum())[:, None] * exposure_s
        so_few = pdtr(counts, expected)
        so_many = np.where(counts > 0, pdtrc(np.maximum(counts - 1, 0), expected), 1.0)
    share = ((so_few < how.low) | (so_many < 1 - how.high)).mean(axis=1)
    return np.where(n_spikes > 0, share, np.nan)


def _trend(spikes: Whole, start_s: Floats, lasts_s: Floats, first: Whole, window: int) -> Floats:
    """Slope of the blocks' rates over their middles, weighted by duration, Hz/h, shape (n_units,)."""
    weight = _blocks(lasts_s, first, window)
    with np.errstate(divide="ignore", invalid="ignore"):
        middle_h = _blocks(lasts_s * (start_s + lasts_s / 2), first, window) / weight / 3600
        from_mean = middle_h - weight @ middle_h / weight.sum()
        rate_hz = _blocks(spikes, first, window) / weight
        return np.asarray(rate_hz @ (weight * from_mean) / (weight @ from_mean**2))


def _range_um(
    found: TrialCounts, depth_um: Floats, begin: Whole, end: Whole, unit: int, seen: Whole, first: Whole, how: Smoothing
) -> float:
    """Range of one unit's median depths over the blocks with enough spikes; NaN with fewer than two."""
    if begin[unit] == end[unit]:
        return np.nan
    trial = (first[:, None] + np.arange(how.window_trials)).ravel()
    n_spikes = found.n_spikes[unit, seen][trial]
    before = np.cumsum(n_spikes) - n_spikes
    spike = np.arange(n_spikes.sum()) + np.repeat(begin[unit] + found.first_spike[unit, seen][trial] - before, n_spikes)
    in_block = n_spikes.reshape(-1, how.window_trials).sum(axis=1)
    # one row a block, filled up with infinities, which stand behind every known depth once the rows are sorted
    depth = np.full((len(first), in_block.max()), np.inf, depth_um.dtype)
    depth[np.arange(depth.shape[1]) < in_block[:, None]] = depth_um[spike]
    depth[np.isnan(depth)] = np.inf
    depth.sort(axis=1)
    n_known = np.isfinite(depth).sum(axis=1)
    row = np.flatnonzero(n_known >= how.depth_spikes)
    if len(row) < 2:
        return np.nan
    middle = [depth[row, at].astype(np.float64) for at in ((n_known[row] - 1) // 2, n_known[row] // 2)]
    return float(np.ptp(np.mean(middle, axis=0)))
