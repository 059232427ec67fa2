"""Spike times of each unit and trial as MATLAB cells. Which trials a probe observed is decided where `trial_spikes` is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.exports.cells import NOTHING, Floats, Ints, cells, place_of, views
from map_assets.vocabulary.clock import ClockMap
from map_assets.vocabulary.errors import TableDoesNotFit

GO_CUE, TRIAL_START = "go cue", "trial start"


@dataclass(frozen=True)
class TrialIndex:
    """Where each trial's spikes stand in each unit's train; arrays of shape (n_units, n_trials).

    Parameters
    ----------
    first, n_spikes : numpy.ndarray of int
        Zero where the trial was not observed.
    is_observed : numpy.ndarray of bool
    """

    first: Ints
    n_spikes: Ints
    is_observed: NDArray[np.bool_]


def spike_variables(tables: Mapping[str, pa.Table], probe: int, unit_id: Ints) -> dict[str, Any]:
    """Make ``neuron_single_units``, ``neuron_observed`` and ``neuron_time_zero``.

    Times are seconds from the trial's last go cue; in a session without any go cue, from the start of the trial. In a
    trial without go cue of a session with some, each spike is a NaN: it is counted, and has no such time.

    Parameters
    ----------
    tables : mapping of str to pyarrow.Table
        `trials`, `spikes`, `trial_spikes`, `clock_maps` and `probes`.
    probe : int
    unit_id : numpy.ndarray of int, shape (n_units,)
        Rising.

    Returns
    -------
    dict
        U x 1 cells of T x 1 cells of times; U x T flags; a text.

    Raises
    ------
    TableDoesNotFit
        If `trial_spikes` speaks of spikes that are not there, or of a probe without clock.
    """
    trials = tables["trials"].sort_by("trial")
    go_s, start_s = trials["go_s"].to_numpy(), trials["start_s"].to_numpy()
    has_go = bool(np.isfinite(go_s).any())
    zero_s = go_s if has_go else start_s
    index = _index(tables["trial_spikes"], probe, unit_id, trials["trial"].to_numpy())
    clock = _clock(tables, probe) if index.is_observed.any() else None
    trains = _trains(tables["spikes"], probe)
    units = []
    for unit, first, n_spikes in zip(unit_id.tolist(), index.first, index.n_spikes, strict=True):
        train = trains.get(unit, np.empty(0, np.int64))
        if (first + n_spikes).max(initial=0) > len(train):
            raise TableDoesNotFit(
                f"trial_spikes: unit {unit} of probe {probe} has {len(train)} spikes, and the index more."
            )
        times_s = NOTHING if clock is None else clock.from_s(train[_ranges(first, n_spikes)])
        units.append(cells(views(times_s - np.repeat(zero_s, n_spikes), n_spikes)))
    return {
        "neuron_single_units": cells(units),
        "neuron_observed": index.is_observed,
        "neuron_time_zero": GO_CUE if has_go else TRIAL_START,
    }


def _index(trial_spikes: pa.Table, probe: int, unit_id: Ints, trial: Ints) -> TrialIndex:
    rows = trial_spikes.filter(pc.equal(trial_spikes["probe"], probe))
    unit = place_of(rows["unit_id"].to_numpy(), unit_id)
    at = place_of(rows["trial"].to_numpy(), trial)
    is_here = (unit >= 0) & (at >= 0)
    where = unit[is_here], at[is_here]
    first, n_spikes = np.zeros((2, len(unit_id), len(trial)), np.int64)
    is_observed = np.zeros((len(unit_id), len(trial)), bool)
    first[where] = rows["first_spike"].to_numpy()[is_here]
    n_spikes[where] = rows["n_spikes"].to_numpy()[is_here]
    is_observed[where] = True
    return TrialIndex(first, n_spikes, is_observed)


@dataclass(frozen=True)
class _Clock:
    clock: ClockMap
    sample_rate_hz: float

    def from_s(self, samples: Ints) -> Floats:
        """Carry samples onto the session clock, s."""
        return self.clock.session_s(samples / self.sample_rate_hz)


def _clock(tables: Mapping[str, pa.Table], probe: int) -> _Clock:
    fit = _row(tables["clock_maps"].select(["probe", "offset_s", "drift_ppm"]), probe)
    about = _row(tables["probes"].select(["probe", "sample_rate_hz"]), probe)
    offset_s, rate_hz = fit.get("offset_s"), about.get("sample_rate_hz")
    if offset_s is None or rate_hz is None:
        lacking = "clock map" if offset_s is None else "sample rate"
        raise TableDoesNotFit(f"trial_spikes: has rows of probe {probe}, which has no {lacking}.")
    return _Clock(ClockMap(offset_s, fit["drift_ppm"]), rate_hz)


def _row(table: pa.Table, probe: int) -> dict[str, Any]:
    return next((row for row in table.to_pylist() if row["probe"] == probe), {})


def _trains(spikes: pa.Table, probe: int) -> dict[int, Ints]:
    """Each unit's samples, as views into the table."""
    trains: dict[int, Ints] = {}
    for batch in spikes.select(["probe", "unit_id", "samples"]).to_batches():
        offsets, samples = batch["samples"].offsets.to_numpy(), batch["samples"].values.to_numpy()
        rows = zip(batch["probe"].to_pylist(), batch["unit_id"].to_pylist(), offsets[:-1], offsets[1:], strict=True)
        trains |= {unit: samples[first:end] for number, unit, first, end in rows if number == probe}
    return trains


def _ranges(first: Ints, count: Ints) -> Ints:
    """Count up from each first index: those of all ranges, one after the other."""
    before = np.cumsum(count) - count
    return np.asarray(np.arange(int(count.sum())) + np.repeat(first - before, count), np.int64)
