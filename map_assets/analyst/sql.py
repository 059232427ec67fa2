"""SQL over every table of every session, by DuckDB: read only, and only the store. Reading single tables lives in `lab`."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from map_assets.analyst.errors import BadQuery
from map_assets.catalog import TABLES

if TYPE_CHECKING:
    import duckdb

    from map_assets.analyst.standing import Standing
    from map_assets.vocabulary.table import Table

_ALL_TABLES = re.compile(r"\bshow\b|information_schema|duckdb_|sqlite_master|query_table", re.IGNORECASE)


class Desk:
    """One DuckDB connection in memory, with a view for each table that a query has named so far.

    The connection may read files under the store's ``tables`` and ``history`` only, may write none, loads no
    extension, and its settings are locked. A view is made anew when the table's files are not the same as before.
    """

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._views: dict[str, tuple[Path, ...]] = {}
        self._lock = Lock()

    def query(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> pa.Table:
        """Run one SELECT (or DESCRIBE, SUMMARIZE, SHOW).

        Raises
        ------
        BadQuery
            If it is anything else, or DuckDB refuses it.
        """
        import duckdb

        try:
            with self._lock:
                cursor = self._ready(query)
            result = cursor.execute(query, parameters).to_arrow_table()
        except duckdb.Error as error:
            raise BadQuery(f"DuckDB refuses the query: {error}") from error
        return _plain_numbers(result)

    def _ready(self, query: str) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            self._connection = _connect(self._standing.store.root.absolute())
        cursor = self._connection.cursor()
        kinds = [statement.type.name for statement in cursor.extract_statements(query)]
        if kinds != ["SELECT"]:
            raise BadQuery(
                f"lab.sql runs one SELECT at a time and changes nothing; this is {' and '.join(kinds) or 'none'}."
            )
        for table in TABLES:
            if re.search(rf"\b{table.name}\b", query, re.IGNORECASE) or _ALL_TABLES.search(query):
                self._view(cursor, table)
        return cursor

    def _view(self, cursor: duckdb.DuckDBPyConnection, table: Table) -> None:
        paths = tuple(path.absolute() for path in self._standing.paths(table.name).values())
        if self._views.get(table.name) == paths:
            return
        if paths:
            files = ", ".join(_quoted(str(path)) for path in paths)
            source = f"read_parquet([{files}], union_by_name = true, hive_partitioning = false)"
        else:
            source = f"nothing.{table.name}"
            cursor.register("empty_table", table.empty())
            cursor.execute(f"create or replace table {source} as select * from empty_table")  # noqa: S608
            cursor.unregister("empty_table")
        cursor.execute(f"create or replace view {table.name} as select * from {source}")  # noqa: S608
        self._views[table.name] = paths


def _connect(root: Path) -> duckdb.DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect(":memory:")
    spill = Path(tempfile.gettempdir()) / f"map_assets_duckdb_{os.getpid()}"
    readable = ", ".join(_quoted(f"{root / folder}/") for folder in ("tables", "history"))
    for statement in (
        "create schema nothing",
        "set timezone = 'UTC'",
        "set python_enable_replacements = false",
        "set autoinstall_known_extensions = false",
        "set autoload_known_extensions = false",
        f"set temp_directory = {_quoted(str(spill))}",
        f"set allowed_directories = [{readable}]",
        "set enable_external_access = false",
        "set lock_configuration = true",
    ):
        connection.execute(statement)
    return connection


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _plain_numbers(result: pa.Table) -> pa.Table:
    """Turn decimals (DuckDB's sums of whole numbers and its literals) into whole numbers where they are, else floats."""
    for n, field in enumerate(result.schema):
        if pa.types.is_decimal(field.type):
            column = result.column(n)
            limit = pc.max(pc.abs(column)).as_py() or 0
            is_whole = field.type.scale == 0 and limit < 2**63
            result = result.set_column(n, field.name, column.cast(pa.int64() if is_whole else pa.float64()))
    return result
