"""`Frame`: a pandas frame that remembers its table, its columns' units and meanings, and goes back to Arrow exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow as pa

from map_assets.catalog import BY_NAME
from map_assets.vocabulary.table import Table


class Frame(pd.DataFrame):
    """A pandas frame with `arrow`; ``attrs["table"]`` is its table's name, ``attrs["columns"]`` unit and meaning of each column.

    Whole numbers and flags that may be unknown are pandas' nullable types (``Int64``, ``boolean``), never floats; lists
    are numpy arrays.
    """

    @property
    def _constructor(self) -> type[Frame]:
        return Frame

    def arrow(self) -> pa.Table:
        """Return the rows as an Arrow table; declared columns have their declared types, units and meanings."""
        declared = _declared(self.attrs.get("table"))
        described: Mapping[str, Mapping[str, str]] = self.attrs.get("columns", {})
        arrays, fields = [], []
        for name in self.columns:
            known = declared.get(str(name))
            array = pa.array(self[name], known.type if known is not None else None, from_pandas=True)
            is_nullable = known is None or known.nullable or array.null_count > 0
            arrays.append(array)
            fields.append(pa.field(str(name), array.type, is_nullable, dict(described.get(str(name), {})) or None))
        return pa.table(arrays, pa.schema(fields))


def frame_from(data: pa.Table, table: Table | None = None) -> Frame:
    """Turn an Arrow table into a `Frame`.

    Parameters
    ----------
    data : pyarrow.Table
    table : Table, optional
        Its declaration. Columns that may be null then get nullable types whether or not a null is among them.
    """
    data = data.rename_columns(_distinct(data.column_names))
    declared = {} if table is None else {field.name: field for field in table.schema}
    columns: dict[str, Any] = {}
    for field in data.schema:
        known = declared.get(field.name)
        column = data[field.name]
        may_be_null = column.null_count > 0 or (known is not None and known.nullable)
        columns[field.name] = _series(column, may_be_null)
    frame = Frame(columns, index=pd.RangeIndex(data.num_rows), columns=data.column_names)
    frame.attrs["table"] = None if table is None else table.name
    said = {field.name: field.metadata or getattr(declared.get(field.name), "metadata", None) for field in data.schema}
    frame.attrs["columns"] = {
        name: {key.decode(): value.decode() for key, value in metadata.items() if key in {b"unit", b"meaning"}}
        for name, metadata in said.items()
        if metadata
    }
    return frame


def _distinct(names: list[str]) -> list[str]:
    """Number the later ones of equal names, as in ``rate_hz``, ``rate_hz_2``: a join by hand may bring two."""
    seen: dict[str, int] = {}
    given = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        given.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return given


def _declared(table: str | None) -> dict[str, pa.Field]:
    return {} if table is None or table not in BY_NAME else {field.name: field for field in BY_NAME[table].schema}


def _series(column: pa.ChunkedArray, may_be_null: bool) -> Any:
    if pa.types.is_integer(column.type) and may_be_null:
        return column.to_pandas(types_mapper=lambda _: pd.Int64Dtype())
    if pa.types.is_boolean(column.type) and may_be_null:
        return column.to_pandas(types_mapper=lambda _: pd.BooleanDtype())
    return column.to_pandas()
