"""Which trials each unit may be judged by: the one answer that every analysis uses. Choosing trials by what happened is `conditions`.

A unit counts in a trial if its probe observed the trial, the trial lies in the probe's good periods where people named
any, and no exclusion names it. A probe for which nobody named a good period is good throughout; one whose good periods
hold no trial has none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.analyses.trains import ProbeTrains, Whole


@dataclass(frozen=True)
class Usable:
    """What people said of a session's trials, beside what was observed; either may be unknown.

    Parameters
    ----------
    good_periods : pyarrow.Table, optional
        probe, first_trial, last_trial (both included) of each good period.
    exclusions : pyarrow.Table, optional
        probe, unit_id (null for all units of the probe), first_trial, last_trial (both included) of what is left out.
    """

    good_periods: pa.Table | None = None
    exclusions: pa.Table | None = None


def usable_trials(
    trains: ProbeTrains, unit_id: Whole, trials: pa.Table, usable: Usable | None = None
) -> NDArray[np.bool_]:
    """Tell which trials each unit of a probe may be judged by.

    Parameters
    ----------
    trains : ProbeTrains
        Of one probe.
    unit_id : numpy.ndarray of int64, shape (n_units,)
        Its units, in their order.
    trials : pyarrow.Table
    usable : Usable, optional
        What people said; without it every observed trial is usable.

    Returns
    -------
    numpy.ndarray of bool, shape (n_units, n_trials)
    """
    mask = trains.is_observed.copy()
    trial = trials["trial"].to_numpy()
    said = usable or Usable()
    periods = _of_probe(said.good_periods, trains.probe)
    if periods:
        mask &= np.any([_between(trial, row) for row in periods], axis=0)
    for row in _of_probe(said.exclusions, trains.probe):
        units = slice(None) if row["unit_id"] is None else np.flatnonzero(unit_id == row["unit_id"])
        mask[units] &= ~_between(trial, row)
    return mask


def _between(trial: Whole, row: dict[str, int]) -> NDArray[np.bool_]:
    return (trial >= row["first_trial"]) & (trial <= row["last_trial"])


def _of_probe(table: pa.Table | None, probe: int) -> list[dict[str, int]]:
    return [] if table is None else [row for row in table.to_pylist() if row["probe"] == probe]
