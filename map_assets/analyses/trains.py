"""Spike trains and observed trials as flat arrays, unit by unit. What is computed from them has a file an analysis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.vocabulary.clock import ClockMap

Whole = NDArray[np.int64]


@dataclass(frozen=True)
class ProbeTrains:
    """The units of one probe, their trains, and the trials that were observed.

    Parameters
    ----------
    probe : int
        Insertion number, from 1.
    rows : numpy.ndarray of int, shape (n_units,)
        Where the units stand in the table ``units``.
    samples : numpy.ndarray of int64
        All spikes on the probe's clock, unit after unit, rising within each.
    begin, end : numpy.ndarray of int, shape (n_units,)
        Unit i has ``samples[begin[i]:end[i]]``.
    is_observed : numpy.ndarray of bool, shape (n_units, n_trials)
        Whether ``trial_spikes`` has a row of the unit and the trial; trials in the order of the table ``trials``.
    n_in_trials : numpy.ndarray of int, shape (n_units,)
        Spikes in the observed trials.
    sample_rate_hz : float or None
        None where unknown.
    clock : ClockMap or None
        None where the probe's clock could not be matched.
    observed_from_s, observed_to_s : float
        Session times between which the probe recorded; infinite where unknown.
    """

    probe: int
    rows: Whole
    samples: Whole
    begin: Whole
    end: Whole
    is_observed: NDArray[np.bool_]
    n_in_trials: Whole
    sample_rate_hz: float | None
    clock: ClockMap | None
    observed_from_s: float
    observed_to_s: float


def probe_trains(
    units: pa.Table,
    spikes: pa.Table,
    trial_spikes: pa.Table,
    trials: pa.Table,
    clock_maps: pa.Table,
    probes: pa.Table,
) -> Iterator[ProbeTrains]:
    """Go through the probes of ``units``, in rising order; a unit without a row in ``spikes`` has no spikes."""
    for probe in sorted(pc.unique(units["probe"]).to_pylist()):
        is_here = pc.field("probe") == probe
        rows = np.flatnonzero(units["probe"].to_numpy() == probe)
        unit_id = units["unit_id"].to_numpy()[rows]
        samples, begin, end = _trains(unit_id, spikes.filter(is_here))
        is_observed, n_in_trials = _observed(unit_id, trials["trial"].to_numpy(), trial_spikes.filter(is_here))
        rate = _first(probes.filter(is_here)).get("sample_rate_hz")
        clock = _first(clock_maps.filter(is_here))
        offset, drift = clock.get("offset_s"), clock.get("drift_ppm")
        start, stop = clock.get("observed_from_s"), clock.get("observed_to_s")
        yield ProbeTrains(
            probe=probe,
            rows=rows,
            samples=samples,
            begin=begin,
            end=end,
            is_observed=is_observed,
            n_in_trials=n_in_trials,
            sample_rate_hz=rate,
            clock=None if offset is None or drift is None else ClockMap(offset, drift),
            observed_from_s=-np.inf if start is None else start,
            observed_to_s=np.inf if stop is None else stop,
        )


def _first(table: pa.Table) -> dict[str, float | None]:
    names = ("sample_rate_hz", "offset_s", "drift_ppm", "observed_from_s", "observed_to_s")
    there = [name for name in names if name in table.column_names]
    return table.select(there).slice(0, 1).to_pylist()[0] if table.num_rows else {}


def _trains(unit_id: Whole, spikes: pa.Table) -> tuple[Whole, Whole, Whole]:
    """Flatten one probe's trains and find each unit's stretch."""
    if spikes.num_rows == 0:
        nothing = np.zeros(len(unit_id), np.int64)
        return np.empty(0, np.int64), nothing, nothing
    lists = spikes["samples"].combine_chunks()
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy().astype(np.int64)
    bounds = np.r_[0, np.cumsum(lengths)]
    at = _where(unit_id, spikes["unit_id"].to_numpy())
    begin = np.where(at >= 0, bounds[at], 0)
    end = np.where(at >= 0, bounds[at + 1], 0)
    return lists.flatten().to_numpy(), begin, end


def _observed(unit_id: Whole, trial: Whole, trial_spikes: pa.Table) -> tuple[NDArray[np.bool_], Whole]:
    """Turn one probe's rows of ``trial_spikes`` into a mask of units and trials, and count the spikes in it."""
    is_observed = np.zeros((len(unit_id), len(trial)), bool)
    unit = _where(trial_spikes["unit_id"].to_numpy(), unit_id)
    column = _where(trial_spikes["trial"].to_numpy(), trial)
    is_known = (unit >= 0) & (column >= 0)
    is_observed[unit[is_known], column[is_known]] = True
    n_in_trials = np.zeros(len(unit_id), np.int64)
    np.add.at(n_in_trials, unit[is_known], trial_spikes["n_spikes"].to_numpy()[is_known])
    return is_observed, n_in_trials


def _where(wanted: Whole, present: Whole) -> Whole:
    """Where each of `wanted` stands in `present` (no order needed); -1 where it does not."""
    if len(present) == 0:
        return np.full(len(wanted), -1)
    order = np.argsort(present, kind="stable")
    at = order[np.minimum(np.searchsorted(present[order], wanted), len(present) - 1)]
    return np.where(present[at] == wanted, at, -1)
