"""What other tables tell of each unit, as columns of the file's units. The units themselves live in `units`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    Where both name the sorting, a row of another sorting is of another unit, whatever its number.
    """
    has_sorting = "sorting" in units.column_names and "sorting" in table.column_names
    names = ("probe", "unit_id", "sorting") if has_sorting else ("probe", "unit_id")
    return pc.index_in(_keys(units, names), _keys(table, names))


def _keys(table: pa.Table, names: Sequence[str]) -> pa.Array:
    columns = (table[name].to_pylist() for name in names)
    return pa.array(["/".join(map(str, row)) for row in zip(*columns, strict=True)], pa.string())
