"""A table's declaration as its own Parquet files tell it: for tables that no catalog lists. Declaring one lives in `vocabulary.table`."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from map_assets.vocabulary.table import Column, Table


def declaration_in(schema: pa.Schema) -> Table | None:
    """Read the declaration that a table was written with; None where the file carries none.

    Parameters
    ----------
    schema : pyarrow.Schema
        Of a file that `map_assets.store` wrote: name, meaning and key in its metadata, unit and meaning in its fields'.
    """
    told = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
    if not {"table", "meaning", "key"} <= told.keys():
        return None
    columns = []
    for field in schema:
        said = field.metadata or {}
        meaning, unit = said.get(b"meaning", b"").decode(), said.get(b"unit", b"").decode()
        columns.append(Column(field.name, field.type, meaning, unit, field.nullable))
    return Table(told["table"], told["meaning"], tuple(told["key"].split(",")), tuple(columns))


def declared_under(root: Path) -> dict[str, Table]:
    """Declarations of the tables that stand in a folder laid out as a store, by name, as the youngest file of each has it."""
    import pyarrow.parquet as pq

    found = {}
    folder = root / "tables"
    for one in sorted(folder.iterdir()) if folder.is_dir() else []:
        files = sorted(one.glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
        table = declaration_in(pq.read_schema(files[-1])) if files else None
        if table is not None:
            found[table.name] = table
    return found
