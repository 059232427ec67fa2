"""Spike trains and observed trials as flat arrays, unit by unit. What is computed from them has a file an analysis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.vocabulary.clock import ClockMap

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]

_SAMPLE_DIGITS = 3
"""Edges are exact to a thousandth of a sample, as in ``trial_spikes``: below it are only roundings of the clock map."""


class Spiking(NamedTuple):
    """The six tables that tell what units did in which trials."""

    units: pa.Table
    spikes: pa.Table
    trial_spikes: pa.Table
    trials: pa.Table
    clock_maps: pa.Table
    probes: pa.Table


@dataclass(frozen=True)
class TrialCounts:
    """Which trials each unit of one probe was observed in, and which of its spikes are theirs.

    Parameters
    ----------
    is_observed : numpy.ndarray of bool, shape (n_units, n_trials)
        Whether ``trial_spikes`` has a row of the unit and the trial; trials in the order of the table ``trials``.
    first_spike, n_spikes : numpy.ndarray of int64, shape (n_units, n_trials)
        Index of the trial's first spike in the unit's train, and how many there are; zero where not observed.
    """

    is_observed: NDArray[np.bool_]
    first_spike: Whole
    n_spikes: Whole


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
    trials : TrialCounts
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
    trials: TrialCounts
    sample_rate_hz: float | None
    clock: ClockMap | None
    observed_from_s: float
    observed_to_s: float

    @property
    def is_observed(self) -> NDArray[np.bool_]:
        """Whether each unit was observed in each trial, shape (n_units, n_trials)."""
        return self.trials.is_observed

    @property
    def n_in_trials(self) -> Whole:
        """Each unit's spikes in the observed trials, shape (n_units,)."""
        return np.asarray(self.trials.n_spikes.sum(axis=1))

    def at_sample(self, session_s: Floats) -> Whole | None:
        """First sample at or after each session time; None where the probe's clock or rate is unknown."""
        if self.clock is None or self.sample_rate_hz is None:
            return None
        at = np.round(self.clock.probe_s(session_s) * self.sample_rate_hz, _SAMPLE_DIGITS)
        return np.ceil(at).astype(np.int64)


def probe_trains(
    units: pa.Table,
    spikes: pa.Table,
    trial_spikes: pa.Table,
    trials: pa.Table,
    clock_maps: pa.Table,
    probes: pa.Table,
) -> Iterator[ProbeTrains]:
    """Go through the probes of ``units``, in rising order; a unit without a row in ``spikes`` has no spikes."""
    for probe, rows, unit_id in by_probe(units):
        samples, begin, end = flat_lists(unit_id, of_probe(spikes, probe), "samples")
        rate = _first(of_probe(probes, probe)).get("sample_rate_hz")
        clock = _first(of_probe(clock_maps, probe))
        offset, drift = clock.get("offset_s"), clock.get("drift_ppm")
        start, stop = clock.get("observed_from_s"), clock.get("observed_to_s")
        yield ProbeTrains(
            probe=probe,
            rows=rows,
            samples=samples,
            begin=begin,
            end=end,
            trials=trial_counts(unit_id, trials["trial"].to_numpy(), of_probe(trial_spikes, probe)),
            sample_rate_hz=rate,
            clock=None if offset is None or drift is None else ClockMap(offset, drift),
            observed_from_s=-np.inf if start is None else start,
            observed_to_s=np.inf if stop is None else stop,
        )


def by_probe(units: pa.Table) -> Iterator[tuple[int, Whole, Whole]]:
    """Go through the probes in rising order: number, where its units stand in ``units``, their ids."""
    numbers, ids = units["probe"].to_numpy(), units["unit_id"].to_numpy()
    for probe in np.unique(numbers).tolist():
        rows = np.flatnonzero(numbers == probe)
        yield probe, rows, ids[rows]


def of_probe(table: pa.Table, probe: int) -> pa.Table:
    """One probe's rows; where they stand together nothing is copied."""
    here = np.flatnonzero(table["probe"].to_numpy() == probe)
    if len(here) and here[-1] - here[0] + 1 != len(here):
        return table.take(here)
    return table.slice(int(here[0]) if len(here) else 0, len(here))


def _first(table: pa.Table) -> dict[str, float | None]:
    names = ("sample_rate_hz", "offset_s", "drift_ppm", "observed_from_s", "observed_to_s")
    there = [name for name in names if name in table.column_names]
    return table.select(there).slice(0, 1).to_pylist()[0] if table.num_rows else {}


def flat_lists(unit_id: Whole, table: pa.Table, column: str) -> tuple[NDArray[Any], Whole, Whole]:
    """Flatten one probe's lists, one row a unit, and find where each unit's begin and end; both zero without a row."""
    if table.num_rows == 0:
        nothing = np.zeros(len(unit_id), np.int64)
        return np.empty(0, np.int64), nothing, nothing
    parts = table[column]
    lists = parts.chunk(0) if parts.num_chunks == 1 else parts.combine_chunks()  # which copies even a single one
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy().astype(np.int64)
    bounds = np.r_[0, np.cumsum(lengths)]
    at = where(unit_id, table["unit_id"].to_numpy())
    begin = np.where(at >= 0, bounds[at], 0)
    end = np.where(at >= 0, bounds[at + 1], 0)
    return lists.flatten().to_numpy(zero_copy_only=False), begin, end


def trial_counts(unit_id: Whole, trial: Whole, trial_spikes: pa.Table) -> TrialCounts:
    """Lay one probe's rows of ``trial_spikes`` out by unit and trial."""
    shape = len(unit_id), len(trial)
    unit = where(trial_spikes["unit_id"].to_numpy(), unit_id)
    column = where(trial_spikes["trial"].to_numpy(), trial)
    known = np.flatnonzero((unit >= 0) & (column >= 0))
    at = unit[known], column[known]
    is_observed, first_spike, n_spikes = np.zeros(shape, bool), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    is_observed[at] = True
    first_spike[at] = trial_spikes["first_spike"].to_numpy()[known]
    n_spikes[at] = trial_spikes["n_spikes"].to_numpy()[known]
    return TrialCounts(is_observed, first_spike, n_spikes)


def alike(is_observed: NDArray[np.bool_]) -> Iterator[tuple[Whole, NDArray[np.bool_]]]:
    """Go through the units that were observed in the same trials, together: their rows, and the mask of those trials."""
    if not len(is_observed):
        return
    _, first, kind = np.unique(np.packbits(is_observed, axis=1), axis=0, return_index=True, return_inverse=True)
    order = np.argsort(kind.ravel(), kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(kind.ravel()[order])) + 1):
        yield rows, is_observed[first[kind.ravel()[rows[0]]]]


def where(wanted: Whole, present: Whole) -> Whole:
    """Where each of `wanted` stands in `present` (no order needed); -1 where it does not."""
    if len(present) == 0:
        return np.full(len(wanted), -1)
    order = np.argsort(present, kind="stable")
    at = order[np.minimum(np.searchsorted(present[order], wanted), len(present) - 1)]
    return np.where(present[at] == wanted, at, -1)
