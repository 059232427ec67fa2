"""What other tables tell of each unit, as columns of the file's units. The units themselves live in `units`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from map_assets.nwb.columns import columns_of, meaning_of

JOINED = ("unit_stats", "cell_type", "drift", "unit_criteria", "unit_classes")
"""Tables with at most one row a unit whose columns stand beside the unit's own."""

_KEY = frozenset({"session", "probe", "unit_id"})


def joined_name(table: str, column: str) -> str:
    """Return the name that a column of another table has among the units': the table's name before it."""
    return column if column == table else f"{table}_{column}"


def joined_columns(units: pa.Table, tables: Mapping[str, pa.Table]) -> list[Any]:
    """Make the columns that other tables have of the file's units; a unit without a row knows nothing there."""
    made = []
    for name in JOINED:
        table = tables.get(name)
        if table is None or not table.num_rows:
            continue
        rows = table.take(rows_of(units, table))
        for field in table.schema:
            if field.name not in _KEY:
                made += columns_of(joined_name(name, field.name), meaning_of(field), rows[field.name])
    return made


def rows_of(units: pa.Table, table: pa.Table) -> pa.Array:
    """Return the row of each unit in another table with the columns probe and unit_id; null where it has none.

    A row that names another sorting than the unit's is of another unit, whatever its number; a sorting that is unknown
    on either side fits.
    """
    rows = pc.index_in(_keys(units), _keys(table))
    if "sorting" not in units.column_names or "sorting" not in table.column_names:
        return rows
    ours, theirs = units["sorting"].combine_chunks(), table["sorting"].combine_chunks().take(rows)
    return pc.if_else(pc.fill_null(pc.equal(ours, theirs), True), rows, None)


def n_of_other_sortings(units: pa.Table, table: pa.Table) -> int:
    """Count the rows of another table that have a unit's number, but are of another sorting."""
    by_number = pc.index_in(_keys(units), _keys(table))
    return int(rows_of(units, table).null_count - by_number.null_count)


def _keys(table: pa.Table) -> pa.Array:
    columns = (table[name].to_pylist() for name in ("probe", "unit_id"))
    return pa.array(["/".join(map(str, row)) for row in zip(*columns, strict=True)], pa.string())
