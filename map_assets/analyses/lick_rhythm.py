"""`lick_bouts` and `lick_rhythm`: when and how fast the animal licks. Firing around licks is in `movement`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from map_assets.analyses.parameters import LickingParameters
from map_assets.analyses.tables_movement import LICK_BOUTS, LICK_RHYTHM
from map_assets.analyses.trains import where

ALL = "all"


def make_lick_rhythm(
    session: str, licks: pa.Table, trials: pa.Table, parameters: LickingParameters, version: str
) -> tuple[pa.Table, pa.Table]:
    """Cut the session's licks into bouts, and tell their rhythm by port.

    Returns
    -------
    lick_bouts, lick_rhythm : pyarrow.Table
        In time order; and by port, all ports together first. Without licks both are empty.
    """
    licks = licks.sort_by("time_s")
    time, port = licks["time_s"].to_numpy(), np.array(licks["port"].to_pylist(), object)
    row = where(licks["trial"].to_numpy(), trials["trial"].to_numpy())
    go_s = np.where(row >= 0, trials["go_s"].to_numpy()[row], np.nan) if trials.num_rows else np.full(len(time), np.nan)
    first = np.flatnonzero(np.r_[True, np.diff(time) > parameters.bout_gap_s][: len(time)])
    last = np.r_[first[1:], len(time)][: len(first)] - 1
    bout = np.repeat(np.arange(len(first)), last - first + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(last > first, (last - first) / (time[last] - time[first]), np.nan)
    bouts = LICK_BOUTS.from_columns(
        {
            "session": [session] * len(first),
            "bout": np.arange(1, len(first) + 1),
            "trial": licks["trial"].take(first),
            "port": port[first].tolist(),
            "start_s": time[first],
            "stop_s": time[last],
            "n_licks": last - first + 1,
            "start_from_go_s": time[first] - go_s[first],
            "rate_hz": rate,
            "parameters_version": [version] * len(first),
        }
    )
    is_answer = _first_after_go(licks["trial"].to_numpy(), time - go_s)
    rows: list[dict[str, Any]] = []
    for name in ([ALL, *sorted(set(port.tolist()))]) if len(time) else []:
        here = np.ones(len(time), bool) if name == ALL else np.asarray(port == name, bool)
        intervals = np.diff(time[here])[np.diff(bout[here]) == 0]
        quartiles = np.percentile(intervals, [25, 50, 75]) if len(intervals) else np.full(3, np.nan)
        answers = (time - go_s)[here & is_answer]
        rows.append(
            {
                "session": session,
                "port": name,
                "n_licks": int(here.sum()),
                "n_intervals": len(intervals),
                "interval_median_s": quartiles[1],
                "interval_iqr_s": quartiles[2] - quartiles[0],
                "rate_hz": 1 / quartiles[1],
                "n_first_licks": len(answers),
                "first_lick_median_s": float(np.median(answers)) if len(answers) else np.nan,
                "parameters_version": version,
            }
        )
    names = list(LICK_RHYTHM.schema.names)
    return bouts, LICK_RHYTHM.from_columns({name: [one[name] for one in rows] for name in names})


def _first_after_go(trial: np.ndarray, from_go_s: np.ndarray) -> np.ndarray:
    """Whether each lick (in time order) is its trial's first at or after the go cue."""
    after = np.flatnonzero(from_go_s >= 0)
    found = np.zeros(len(trial), bool)
    found[after[np.unique(trial[after], return_index=True)[1]]] = True
    return found
