"""SQL over every table of every session, by DuckDB: read only, and only the store. The views that queries see live in `views`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

from map_assets.analyst.errors import BadQuery
from map_assets.analyst.views import Views

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from map_assets.analyst.standing import Standing

_ALL_TABLES = re.compile(r"\bshow\b|information_schema|duckdb_|sqlite_master|query_table", re.IGNORECASE)


class Desk:
    """Two DuckDB connections in memory, with a view for each table that a query has named so far.

    They may read the store's tables and their earlier versions only, may write none, load no extension, and their
    settings are locked. One sees the files as they are. The other sees them without their columns of lists, and reads a
    table that is asked for a second time into memory, unless it is large: a question over many small files spends most
    of its time on opening them. A query that can do without lists goes there.

    Parameters
    ----------
    standing : Standing
    beside : mapping of str to callable, optional
        Tables that do not stand in the store, by name, and what reads each anew.
    """

    def __init__(self, standing: Standing, beside: Mapping[str, Any] | None = None) -> None:
        self._beside = beside or {}
        self._whole, self._plain = Views(standing, is_plain=False), Views(standing, is_plain=True)
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

    def over(
        self,
        query: str,
        tables: Iterable[str],
        sessions: Sequence[str] | None,
        parameters: Mapping[str, Any] | None = None,
        join: tuple[str, str] | None = None,
    ) -> pa.Table:
        """Run one of our own queries over some sessions or all (None).

        In it ``{name}`` stands for each of `tables`, without its columns of lists; and where `join` is a name and a
        query, that name stands for the query's rows.
        """
        with self._lock:
            cursor = self._plain.cursor()
            sources = {name: self._plain.source(cursor, name, sessions) for name in tables}
            if join is not None:
                inner = join[1].format(**sources)
                named = list(sources)
                sources[join[0]] = (
                    f"({inner})" if sessions is not None else self._plain.join(cursor, join[0], inner, named)
                )
        return cursor.execute(query.format(**sources), parameters).to_arrow_table()

    def _ready(self, query: str) -> duckdb.DuckDBPyConnection:
        from map_assets.catalog import TABLES

        cursor = self._whole.cursor()
        kinds = [statement.type.name for statement in cursor.extract_statements(query)]
        if kinds != ["SELECT"]:
            raise BadQuery(
                f"lab.sql runs one SELECT at a time and changes nothing; this is {' and '.join(kinds) or 'none'}."
            )
        is_all = _ALL_TABLES.search(query) is not None
        named = [table.name for table in TABLES if is_all or _names(query, table.name)]
        views = self._whole
        if not is_all and self._plain.can_answer(cursor, query, named):
            views, cursor = self._plain, self._plain.cursor()
        for name in named:
            views.view(cursor, name)
        for name, read in self._beside.items():
            if name not in {table.name for table in TABLES} and _names(query, name):
                cursor.register("beside", read())
                cursor.execute(f"create or replace table {name} as select * from beside")  # noqa: S608
                cursor.unregister("beside")
        return cursor


def _names(query: str, table: str) -> bool:
    return re.search(rf"\b{table}\b", query, re.IGNORECASE) is not None


def _plain_numbers(result: pa.Table) -> pa.Table:
    """Turn decimals (DuckDB's sums of whole numbers and its literals) into whole numbers where they are, else floats."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for n, field in enumerate(result.schema):
        if pa.types.is_decimal(field.type):
            column = result.column(n)
            limit = pc.max(pc.abs(column)).as_py() or 0
            is_whole = field.type.scale == 0 and limit < 2**63
            result = result.set_column(n, field.name, column.cast(pa.int64() if is_whole else pa.float64()))
    return result
