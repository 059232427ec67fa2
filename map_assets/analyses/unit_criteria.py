"""`unit_criteria`: whether each unit meets the quality criteria of its probe's target. The thresholds' file is read in `criteria_file`."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.analyses.criteria_file import CriteriaFile, Criterion, read_criteria
from map_assets.analyses.tables import DRIFT, UNIT_CRITERIA, UNIT_STATS
from map_assets.analyses.trains import Floats, by_probe, of_probe, where
from map_assets.vocabulary.errors import BadConfiguration


def make_unit_criteria(
    session: str,
    units: pa.Table,
    unit_stats: pa.Table,
    insertions: pa.Table | None = None,
    drift: pa.Table | None = None,
    criteria: CriteriaFile | None = None,
) -> pa.Table:
    """Hold each unit's measures against the thresholds of the area that its probe was aimed at.

    A measure that is null makes the answer null, whatever the others say: nobody has looked. The criteria that a unit
    is known to fail are listed all the same. A probe whose target is unknown is not judged; one whose target has no
    criteria has none to fail, as in the earlier MAP pipeline.

    Parameters
    ----------
    session : str
        Session key.
    units, unit_stats : pyarrow.Table
    insertions, drift : pyarrow.Table, optional
        Targets of the probes, and further measures.
    criteria : CriteriaFile, optional
        By default the package's.

    Returns
    -------
    pyarrow.Table
        ``unit_criteria``, one row for each row of ``units``, in their order.

    Raises
    ------
    BadConfiguration
        If the criteria ask for a column that a table never has.
    """
    held = criteria or read_criteria()
    tables = {"units": units, "unit_stats": unit_stats, "drift": DRIFT.empty() if drift is None else drift}
    n = units.num_rows
    area: NDArray[np.object_] = np.full(n, None, object)
    passed: NDArray[np.object_] = np.full(n, None, object)
    n_criteria = np.zeros(n, np.int64)
    failed: list[list[str]] = [[] for _ in range(n)]
    unknown: list[list[str]] = [[] for _ in range(n)]
    for probe, rows, unit_id in by_probe(units):
        target = None if insertions is None else (of_probe(insertions, probe)["brain_area"].to_pylist() or [None])[0]
        if target is None:
            continue
        area[rows], passed[rows] = target, True
        for criterion in held.of(target):
            values = _values(tables[criterion.table], criterion, probe, unit_id)
            is_unknown = np.isnan(values)
            is_met = (values > criterion.above) & (values < criterion.below)
            n_criteria[rows] += 1
            passed[rows] = passed[rows] & is_met
            for row in rows[~is_met & ~is_unknown].tolist():
                failed[row].append(str(criterion))
            for row in rows[is_unknown].tolist():
                unknown[row].append(str(criterion))
    passed[np.array([bool(missing) for missing in unknown], bool)] = None
    return UNIT_CRITERIA.from_columns(
        {
            "session": [session] * n,
            "probe": units["probe"],
            "unit_id": units["unit_id"],
            "brain_area": area,
            "n_criteria": n_criteria,
            "passed": pa.array(passed.tolist(), pa.bool_()),
            "failed": failed,
            "unknown": unknown,
            "criteria_version": [held.version] * n,
        }
    )


def _values(table: pa.Table, criterion: Criterion, probe: int, unit_id: NDArray[np.int64]) -> Floats:
    """A measure of one probe's units; NaN where it is null, or the table has no such row or column."""
    declared = {"unit_stats": UNIT_STATS, "drift": DRIFT}.get(criterion.table)
    if declared is not None and criterion.column not in declared.schema.names:
        raise BadConfiguration(
            f"criteria: {criterion.table} has no column {criterion.column}, which {criterion} rests on."
        )
    values = np.full(len(unit_id), np.nan)
    if criterion.column not in table.column_names:
        return values
    column = table.schema.field(criterion.column).type
    if not pa.types.is_floating(column) and not pa.types.is_integer(column):
        raise BadConfiguration(f"criteria: {criterion.table}.{criterion.column} holds no numbers, but {column}.")
    mine = of_probe(table, probe)
    at = where(unit_id, mine["unit_id"].to_numpy())
    values[at >= 0] = mine[criterion.column].cast(pa.float64()).to_numpy()[at[at >= 0]]
    return values
