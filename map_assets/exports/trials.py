"""Behaviour and task as MATLAB variables, a row a trial. Spikes live in `spikes`, video in `tracking`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.exports.cells import Cells, Floats, Ints, cells, column, numbers, place_of, texts, views

_OUTCOMES = {"hit": 1.0, "miss": 0.0, "ignore": -1.0}
_SIDES = {"left": "l", "right": "r", "middle": "m", "none": "n"}
_PORTS = {"left": 0.0, "right": 1.0, "middle": 2.0}
_STIMULATED = {"left": 1.0, "right": 2.0, "both": 6.0}
"""The earlier pipeline's numbers for stimulation of ALM, by hemisphere."""
_STIMULATED_AREA = "ALM"


def trial_variables(tables: Mapping[str, pa.Table]) -> dict[str, Any]:
    """Make the variables ``behavior_*``, ``task_*`` and ``trial_*``.

    Parameters
    ----------
    tables : mapping of str to pyarrow.Table
        `trials`, `trial_events`, `licks`; `photostim_sites` where there is one.

    Returns
    -------
    dict
        For T trials in the order of their numbers: columns (T, 1), cells (T, 1), and (2, T) for what has an onset and
        a duration. Times are seconds from the start of the trial. What a trial lacks is NaN, its row stays.
    """
    trials = tables["trials"].sort_by("trial")
    licks = _Licks(tables["licks"], trials)
    made: dict[str, Any] = {
        "behavior_report": column(_coded(trials["outcome"], _OUTCOMES)),
        "behavior_early_report": column(trials["early_lick"]),
        "behavior_lick_times": licks.cells(licks.from_start_s),
        "behavior_lick_directions": licks.cells(licks.direction),
        "behavior_is_free_water": column(trials["is_free_water"]),
        "behavior_is_auto_water": column(trials["is_auto_water"]),
        "behavior_auto_learn": texts(text or "n/a" for text in trials["autolearn"].to_pylist()),
        "task_trial_type": _letters(trials["instruction"]),
        "task_stimulation": _stimulation(trials, tables.get("photostim_sites")),
        "task_stimulation_site": texts(trials["photostim_site"].to_pylist()),
    }
    events = tables["trial_events"]
    for name, event in (("task_sample_time", "sample"), ("task_delay_time", "delay"), ("task_cue_time", "go")):
        made[name] = _visit(events, trials, event, is_last=True)
    made["trial_end_time"] = _visit(events, trials, "trialend", is_last=False)
    made["trial_number"] = column(trials["trial"])
    made["trial_start_time"] = column(trials["start_s"])
    return made


class _Licks:
    """Licks in the order of trials and time, and how many each trial has; those of other trials are left out."""

    def __init__(self, licks: pa.Table, trials: pa.Table) -> None:
        trial = place_of(licks["trial"].to_numpy(), trials["trial"].to_numpy())
        time_s = licks["time_s"].to_numpy()
        order = np.lexsort((time_s, trial))
        order = order[trial[order] >= 0]
        self._counts: Ints = np.bincount(trial[order], minlength=trials.num_rows).astype(np.int64)
        self.from_start_s: Floats = time_s[order] - trials["start_s"].to_numpy()[trial[order]]
        self.direction: Floats = _coded(licks["port"], _PORTS)[order]

    def cells(self, values: Floats) -> Cells:
        return cells(views(values, self._counts))


def _coded(words: pa.ChunkedArray, numbers_of: Mapping[str, float]) -> Floats:
    """Say words as numbers; NaN for any other."""
    place = pc.index_in(words, pa.array(list(numbers_of), pa.string()))
    codes = np.array([*numbers_of.values(), np.nan])
    return np.asarray(codes[pc.fill_null(place, len(numbers_of)).to_numpy()], np.float64)


def _letters(instruction: pa.ChunkedArray) -> NDArray[np.str_]:
    """Say where the reward is as one letter a trial, shape (T, 1)."""
    return np.array([_SIDES.get(word, "n") for word in instruction.to_pylist()], "U1").reshape(-1, 1)


def _stimulation(trials: pa.Table, sites: pa.Table | None) -> Floats:
    """Power (mW), kind, on and off (s from the start of the trial), shape (T, 4); without stimulation 0 and NaN."""
    start_s, onset_s, duration_s, power = (
        numbers(trials[name]) for name in ("start_s", "photostim_onset_s", "photostim_duration_s", "photostim_power_mw")
    )
    is_stimulated = np.isfinite(onset_s)
    kinds = {} if sites is None else {row["photostim_site"]: _kind(row) for row in sites.to_pylist()}
    kind = np.array([kinds.get(name, np.nan) for name in trials["photostim_site"].to_pylist()], np.float64)
    on_s = onset_s - start_s
    return np.column_stack([np.where(is_stimulated, power, 0.0), kind, on_s, on_s + duration_s])


def _kind(site: Mapping[str, Any]) -> float:
    return _STIMULATED.get(site["hemisphere"], np.nan) if site["brain_area"] == _STIMULATED_AREA else np.nan


def _visit(events: pa.Table, trials: pa.Table, event: str, *, is_last: bool) -> Floats:
    """Onset and duration of the last (or first) visit of a state in each trial, shape (2, T), s; NaN without any."""
    visits = events.filter(pc.equal(events["event"], event))
    trial = place_of(visits["trial"].to_numpy(), trials["trial"].to_numpy())
    order = np.lexsort((visits["event_id"].to_numpy(), trial))
    order = order[trial[order] >= 0]
    trial = trial[order]
    is_wanted = np.r_[trial[1:] != trial[:-1], True] if is_last else np.r_[True, trial[1:] != trial[:-1]]
    rows, at = order[is_wanted[: len(order)]], trial[is_wanted[: len(order)]]
    made = np.full((2, trials.num_rows), np.nan)
    made[0, at] = visits["start_s"].to_numpy()[rows] - trials["start_s"].to_numpy()[at]
    made[1, at] = visits["duration_s"].to_numpy()[rows]
    return made
