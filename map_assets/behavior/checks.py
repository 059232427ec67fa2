"""Claims about behaviour tables, as functions of tables. When they are run, and what a failure stops, lives with the wing."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.vocabulary.table import Verdict

_TICK_S = 1e-4
"""Bpod's clock counts 0.1 ms."""

_AFTER_LAST_STOP_S = 1.0
"""How long the last trial's TrialEnd state, which has no trial after it, may last."""


def trials_are_in_order(trials: pa.Table) -> Verdict:
    """Numbers and starts rise, and each trial stops after its start and before the next one's."""
    number, start_s, stop_s = (_floats(trials, name) for name in ("trial", "start_s", "stop_s"))
    figures = {
        "n_trials": trials.num_rows,
        "n_numbers_not_rising": _count(np.diff(number) <= 0),
        "n_starts_not_rising": _count(np.diff(start_s) <= 0),
        "n_stops_before_start": _count(stop_s <= start_s),
        "n_overlaps": _count(stop_s > _floats(trials, "until_s") + _TICK_S),
    }
    n_bad = sum(value for name, value in figures.items() if name != "n_trials")
    if n_bad == 0:
        return Verdict(True, f"All {trials.num_rows} trials are in order and none overlaps the next.", figures)
    return Verdict(False, f"{n_bad} breaks of order among {trials.num_rows} trials.", figures)


def events_lie_in_their_trials(trials: pa.Table, trial_events: pa.Table) -> Verdict:
    """Each event begins and ends between its trial's start and the next trial's."""
    start_s = _floats(trial_events, "start_s")
    stop_s = start_s + _floats(trial_events, "duration_s")
    return _lie_in_their_trials(trials, trial_events, start_s, stop_s, "events")


def licks_lie_in_their_trials(trials: pa.Table, licks: pa.Table) -> Verdict:
    """Each lick is between its trial's start and the next trial's."""
    time_s = _floats(licks, "time_s")
    return _lie_in_their_trials(trials, licks, time_s, time_s, "licks")


def every_trial_is_accounted_for(behavior_file: pa.Table, trials: pa.Table, skipped_trials: pa.Table) -> Verdict:
    """Each trial of the file is kept or skipped, and none is both."""
    n_in_file = int(pc.sum(behavior_file["n_trials"]).as_py() or 0)
    kept, skipped = (set(table["trial"].to_pylist()) for table in (trials, skipped_trials))
    figures = {
        "n_in_file": n_in_file,
        "n_kept": len(kept),
        "n_skipped": len(skipped),
        "n_in_both": len(kept & skipped),
    }
    told = f"{len(kept)} trials kept and {len(skipped)} skipped of {n_in_file} in the file"
    if not kept & skipped and kept | skipped == set(range(1, n_in_file + 1)):
        return Verdict(True, f"{told}.", figures)
    return Verdict(False, f"{told}, {len(kept & skipped)} of them both; they do not add up.", figures)


def starts_agree(behavior_file: pa.Table, largest_s: float = 60.0) -> Verdict:
    """The start that the trials tell and the one that the file's Info names lie close together.

    Parameters
    ----------
    behavior_file : pyarrow.Table
    largest_s : float
        How far apart they may be, s. Info's is taken when the first trial is saved, some seconds after its start.
    """
    (row,) = behavior_file.select(["start_local", "info_start_local"]).to_pylist()
    if row["info_start_local"] is None:
        return Verdict(True, "The file's Info names no start.", {})
    start, noted = (datetime.fromisoformat(row[name]) for name in ("start_local", "info_start_local"))
    later_s = round((noted - start).total_seconds(), 3)
    told = f"Info's start is {later_s:g} s after that of trial 1."
    return Verdict(abs(later_s) <= largest_s, told, {"later_s": later_s})


def blocks_hold_their_trials(trials: pa.Table, blocks: pa.Table) -> Verdict:
    """Each trial's block is listed, begins with its first kept trial, and holds no more trials than were run."""
    in_block = _floats(trials, "block")
    number, start_s = _floats(trials, "trial"), _floats(trials, "start_s")
    n_unlisted = _count(np.isfinite(in_block) & ~np.isin(in_block, _floats(blocks, "block")))
    n_wrong = 0
    for row in blocks.to_pylist():
        mine = in_block == row["block"]
        first = np.argmin(np.where(mine, number, np.inf)) if mine.any() else None
        is_right = first is not None and (number[first], start_s[first]) == (row["first_trial"], row["start_s"])
        n_wrong += not (is_right and _count(mine) <= row["n_trials"])
    figures = {"n_blocks": blocks.num_rows, "n_trials_unlisted": n_unlisted, "n_blocks_wrong": n_wrong}
    if n_unlisted or n_wrong:
        told = (
            f"{n_wrong} of {blocks.num_rows} blocks do not fit their trials, {n_unlisted} trials name no listed block."
        )
        return Verdict(False, told, figures)
    return Verdict(True, f"All {blocks.num_rows} blocks hold their trials.", figures)


def _lie_in_their_trials(
    trials: pa.Table, rows: pa.Table, first_s: NDArray[np.float64], last_s: NDArray[np.float64], what: str
) -> Verdict:
    number, start_s = _floats(trials, "trial"), _floats(trials, "start_s")
    until_s = _floats(trials, "until_s")
    is_last = number == number.max(initial=-np.inf)
    until_s = np.where(is_last, np.maximum(until_s, _floats(trials, "stop_s") + _AFTER_LAST_STOP_S), until_s)
    of_row = _floats(rows, "trial")
    order = np.argsort(number, kind="stable")
    place = np.searchsorted(number, of_row, sorter=order)
    is_known = np.isin(of_row, number)
    index = order[place[is_known]]
    is_early = first_s[is_known] < start_s[index] - _TICK_S
    is_late = last_s[is_known] > until_s[index] + _TICK_S
    figures = {
        f"n_{what}": rows.num_rows,
        "n_before_trial": _count(is_early),
        "n_after_trial": _count(is_late),
        "n_without_trial": _count(~is_known),
    }
    n_bad = _count(is_early | is_late) + _count(~is_known)
    if n_bad == 0:
        return Verdict(True, f"All {rows.num_rows} {what} lie in their trials.", figures)
    return Verdict(False, f"{n_bad} of {rows.num_rows} {what} lie outside their trials.", figures)


def _floats(table: pa.Table, name: str) -> NDArray[np.float64]:
    return np.asarray(table[name].to_numpy(), np.float64)


def _count(flags: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(flags))
