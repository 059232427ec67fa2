"""`psth`: each unit's firing around the go cue, averaged over the trials of each condition. Conditions live in `conditions`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.analyses.conditions import DELAY_RESPONSE, Condition
from map_assets.analyses.masks import Usable, usable_trials
from map_assets.analyses.tables import PSTH
from map_assets.analyses.trains import ProbeTrains, probe_trains

BIN_WIDTH_S = 0.04
FIRST_BIN = -75
N_BINS = 150
"""150 half-open bins of 40 ms from -3 s to 3 s around the go cue."""

_TOUCH_SAMPLES = 1e-6
"""A spike this near below a bin's edge stands on it: floating-point time is no finer."""

Floats = NDArray[np.float64]


def bin_starts_s() -> Floats:
    """Left edges of the bins relative to the go cue, s, shape (150,)."""
    return np.round(np.arange(FIRST_BIN, FIRST_BIN + N_BINS) * BIN_WIDTH_S, 9)


def make_psth(
    session: str,
    units: pa.Table,
    spikes: pa.Table,
    trial_spikes: pa.Table,
    trials: pa.Table,
    clock_maps: pa.Table,
    probes: pa.Table,
    conditions: Sequence[Condition] = DELAY_RESPONSE,
    photostim_sites: pa.Table | None = None,
    usable: Usable | None = None,
    smoothing_sd_s: float = 0.0,
) -> pa.Table:
    """Average each unit's firing around the go cue over the trials of each condition.

    A trial counts if the condition holds, it has a go cue, and the unit may be judged by it (`masks`: its probe observed
    it, and nobody left it out); a silent trial counts with zero spikes. Spikes are taken from the whole train, so a
    window that reaches into a neighbouring trial is filled like any other.

    Parameters
    ----------
    conditions : sequence of Condition
    photostim_sites : pyarrow.Table, optional
        For conditions that name an area of stimulation.
    usable : Usable, optional
        What people said of trials and units.
    smoothing_sd_s : float
        Of a Gaussian over the averaged bins (at the ends over those that there are); 0 smooths nothing.

    Returns
    -------
    pyarrow.Table
        ``psth``: a row for each unit and condition, units in the order of ``units``; without trials the rate is empty.
    """
    n_trials = np.zeros((units.num_rows, len(conditions)), np.int64)
    counts = np.zeros((units.num_rows, len(conditions), N_BINS), np.int64)
    go_s, unit_id = trials["go_s"].to_numpy(), units["unit_id"].to_numpy()
    holds = [condition.holds(trials, photostim_sites) for condition in conditions]
    held = np.array(holds, bool).reshape(len(conditions), trials.num_rows) & np.isfinite(go_s)
    for trains in probe_trains(units, spikes, trial_spikes, trials, clock_maps, probes):
        if trains.clock is None or trains.sample_rate_hz is None:
            continue
        mask = usable_trials(trains, unit_id[trains.rows], trials, usable)
        n_trials[trains.rows] = mask.astype(np.int64) @ held.T.astype(np.int64)
        counts[trains.rows] = _counts(trains, mask, go_s, held)
    return _table(session, units, [condition.name for condition in conditions], n_trials, counts, smoothing_sd_s)


def _counts(trains: ProbeTrains, mask: NDArray[np.bool_], go_s: Floats, holds: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count each unit's spikes in each bin, summed over the usable trials of each condition.

    Parameters
    ----------
    trains : ProbeTrains
        With clock and sample rate.
    mask : numpy.ndarray of bool, shape (n_units, n_trials)
        Which trials each unit may be judged by.
    go_s : numpy.ndarray of float, shape (n_trials,)
        Go cues; NaN where there is none.
    holds : numpy.ndarray of bool, shape (n_conditions, n_trials)

    Returns
    -------
    numpy.ndarray of int64, shape (n_units, n_conditions, n_bins)
    """
    used = np.flatnonzero(holds.any(axis=0))
    weights = holds[:, used].astype(np.float64)
    out = np.zeros((len(trains.rows), len(holds), N_BINS), np.int64)
    for unit, per_trial in trial_histograms(trains, go_s[used], np.arange(len(trains.rows))):
        out[unit] = np.rint((weights * mask[unit, used]) @ per_trial)
    return out


def trial_histograms(trains: ProbeTrains, go_s: Floats, units: NDArray[np.int64]) -> Iterator[tuple[int, Floats]]:
    """Count spikes in each bin around each go cue, one unit after the other.

    Parameters
    ----------
    trains : ProbeTrains
        With clock and sample rate.
    go_s : numpy.ndarray of float, shape (n_trials,)
    units : numpy.ndarray of int
        Which of the probe's.

    Yields
    ------
    unit : int
    counts : numpy.ndarray of float, shape (n_trials, n_bins)
    """
    assert trains.clock is not None
    assert trains.sample_rate_hz is not None
    width = BIN_WIDTH_S * trains.sample_rate_hz / (1.0 + trains.clock.drift_ppm * 1e-6)
    first_edge = trains.clock.probe_s(go_s) * trains.sample_rate_hz + FIRST_BIN * width - _TOUCH_SAMPLES
    from_sample = np.ceil(first_edge)
    to_sample = np.ceil(first_edge + N_BINS * width)
    for unit in units.tolist():
        train = trains.samples[trains.begin[unit] : trains.end[unit]]
        yield unit, _histograms(train, from_sample, to_sample, first_edge, width)


def _histograms(
    train: NDArray[np.int64], from_sample: Floats, to_sample: Floats, first_edge: Floats, width: float
) -> Floats:
    """Count one train's spikes in the bins of each trial's window, shape (n_trials, n_bins); windows may overlap."""
    begin = np.searchsorted(train, from_sample)
    n_inside = np.searchsorted(train, to_sample) - begin
    total = int(n_inside.sum())
    # Spike k of window t is train[begin[t] + k]; all windows at once, one after the other.
    window = np.repeat(np.arange(len(begin)), n_inside)
    spike = np.arange(total) + np.repeat(begin - (np.cumsum(n_inside) - n_inside), n_inside)
    bins = ((train[spike] - first_edge[window]) / width).astype(np.int64)
    flat = window * N_BINS + np.minimum(bins, N_BINS - 1)
    return np.bincount(flat, minlength=len(begin) * N_BINS).reshape(len(begin), N_BINS).astype(np.float64)


def _table(
    session: str,
    units: pa.Table,
    names: list[str],
    n_trials: NDArray[np.int64],
    counts: NDArray[np.int64],
    smoothing_sd_s: float,
) -> pa.Table:
    n_rows = n_trials.size
    is_seen = n_trials.ravel() > 0
    rates = counts.reshape(n_rows, N_BINS)[is_seen] / (n_trials.ravel()[is_seen, None] * BIN_WIDTH_S)
    if smoothing_sd_s > 0:
        rates = rates @ _gaussian(smoothing_sd_s)
    return PSTH.from_columns(
        {
            "session": [session] * n_rows,
            "probe": np.repeat(units["probe"].to_numpy(), len(names)),
            "unit_id": np.repeat(units["unit_id"].to_numpy(), len(names)),
            "condition": names * units.num_rows,
            "n_trials": n_trials.ravel(),
            "bin_start_from_go_s": _lists(np.tile(bin_starts_s(), n_rows), np.full(n_rows, N_BINS)),
            "bin_width_s": np.full(n_rows, BIN_WIDTH_S),
            "rate_hz": _lists(rates.ravel(), np.where(is_seen, N_BINS, 0)),
            "smoothing_sd_s": np.full(n_rows, smoothing_sd_s),
        }
    )


def _gaussian(sd_s: float) -> Floats:
    """Weights of each bin (rows) in each smoothed bin (columns); each column sums to one."""
    middle_s = bin_starts_s()
    weights = np.exp(-0.5 * ((middle_s[:, None] - middle_s) / sd_s) ** 2)
    return np.asarray(weights / weights.sum(axis=0))


def _lists(values: Floats, lengths: NDArray[np.int64]) -> pa.ListArray:
    offsets = np.r_[0, np.cumsum(lengths)].astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))
