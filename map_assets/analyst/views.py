"""What a DuckDB connection sees of the store: one view a table, made anew when its files change. Who may ask what lives in `sql`."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import duckdb

    from map_assets.analyst.standing import Standing
    from map_assets.vocabulary.table import Table

_MOST_HELD_BYTES: Final = 512 << 20
_MOST_HELD_BYTES_A_TABLE: Final = 192 << 20
"""Of the files; in memory their columns without lists take about as much."""

_Files = tuple[tuple[str, int, int, int], ...]
"""Path, modification time, size and inode of each of a table's files: what tells whether they are the same as before."""


class Views:
    """One connection and its views.

    Parameters
    ----------
    standing : Standing
    is_plain : bool
        Whether columns of lists are left out, and small tables are held in memory from the second time on.
    """

    def __init__(self, standing: Standing, *, is_plain: bool) -> None:
        self._standing, self._is_plain = standing, is_plain
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._seen: dict[str, _Files] = {}
        self._held_bytes: dict[str, int] = {}
        self._joins: dict[str, tuple[str, tuple[_Files, ...]]] = {}

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a cursor of the connection, which is opened at the first use."""
        if self._connection is None:
            self._connection = _connect(self._standing.source.readable)
        return self._connection.cursor()

    def view(self, cursor: duckdb.DuckDBPyConnection, name: str) -> None:
        """Let a table's name stand for its files as they are now."""
        table = self._standing.declared(name)
        files = tuple(_stamp(path) for path in self._standing.paths(name).values())
        is_same = self._seen.get(name) == files
        if is_same and (name in self._held_bytes or not self._may_hold(files)):
            return
        source = self._selected(cursor, table, (Path(file[0]) for file in files))
        if is_same:
            cursor.execute(f"create or replace table held.{name} as {source}")
            source = f"select * from held.{name}"  # noqa: S608
            self._held_bytes[name] = sum(file[2] for file in files)
        cursor.execute(f"create or replace view {name} as {source}")
        if not is_same and self._held_bytes.pop(name, None) is not None:
            cursor.execute(f"drop table held.{name}")
        self._seen[name] = files

    def source(self, cursor: duckdb.DuckDBPyConnection, name: str, sessions: Sequence[str] | None) -> str:
        """What stands for a table after ``from``: its view, or where sessions are named, their files."""
        if sessions is None:
            self.view(cursor, name)
            return name
        paths = self._standing.paths(name, sessions).values()
        return f"({self._selected(cursor, self._standing.declared(name), paths)})"

    def join(self, cursor: duckdb.DuckDBPyConnection, name: str, query: str, tables: Sequence[str]) -> str:
        """What stands for a join of whole tables after ``from``: itself, or once all of them are held, its rows in memory."""
        if not all(table in self._held_bytes for table in tables):
            return f"({query})"
        made_from = query, tuple(self._seen[table] for table in tables)
        if self._joins.get(name) != made_from:
            cursor.execute(f"create or replace table held.{name} as {query}")
            self._joins[name] = made_from
        return f"held.{name}"

    def can_answer(self, cursor: duckdb.DuckDBPyConnection, query: str, tables: Iterable[str]) -> bool:
        """Whether a query names no column of lists, and asks for none without naming it (by ``*``, a row as a whole, and so on)."""
        (text,) = cursor.execute("select json_serialize_sql($1::varchar)", [query]).fetchone() or ("{}",)
        tree = json.loads(text)
        if tree.get("error", True):
            return False
        lists = {
            column.name.casefold()
            for name in tables
            for column in self._standing.declared(name).columns
            if str(column.type).startswith("list")
        }
        nodes = list(_nodes(tree))
        places = {
            str(node.get(key)).casefold() for node in nodes for key in ("alias", "table_name") if "table_name" in node
        }
        for node in nodes:
            kind = node.get("class"), node.get("type"), node.get("ref_type")
            if "STAR" in kind or "SHOW_REF" in kind or "PIVOT" in kind or "NATURAL" in kind or "POSITIONAL" in kind:
                return False
            names = [str(name).casefold() for name in node.get("column_names") or []] if kind[0] == "COLUMN_REF" else []
            if names and (lists & set(names) or names[-1] in places):
                return False
        return True

    def _may_hold(self, files: _Files) -> bool:
        n_bytes = sum(file[2] for file in files)
        has_room = sum(self._held_bytes.values()) + n_bytes <= _MOST_HELD_BYTES
        return self._is_plain and len(files) > 1 and n_bytes <= _MOST_HELD_BYTES_A_TABLE and has_room

    def _selected(self, cursor: duckdb.DuckDBPyConnection, table: Table, paths: Iterable[Path]) -> str:
        """Select a table's rows from its files, or where there are none, from an empty table."""
        files = ", ".join(_quoted(str(path)) for path in paths)
        if files:
            source = f"read_parquet([{files}], union_by_name = true, hive_partitioning = false)"
        else:
            cursor.register("empty_table", table.empty())
            cursor.execute(f"create or replace table nothing.{table.name} as select * from empty_table")  # noqa: S608
            cursor.unregister("empty_table")
            source = f"nothing.{table.name}"
        columns = "*"
        if self._is_plain:
            lists = [c.name for c in table.columns if str(c.type).startswith("list")]
            left_out = ", ".join(_quoted(name) for name in lists)
            # not `exclude`: a file of before a column was declared does not have it
            columns = f"columns(name -> name not in ({left_out}))" if 0 < len(lists) < len(table.columns) else "*"
        return f"select {columns} from {source}"  # noqa: S608


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every node of a query's tree; ``order by all`` is none, since it orders by what is selected."""
    if isinstance(tree, dict):
        if tree.get("type") == "ORDER_MODIFIER":
            tree = [one for one in tree["orders"] if one["expression"].get("class") != "STAR"]
            yield from _nodes(tree)
            return
        yield tree
        for part in tree.values():
            yield from _nodes(part)
    elif isinstance(tree, list):
        for part in tree:
            yield from _nodes(part)


def _stamp(path: Path) -> tuple[str, int, int, int]:
    found = path.stat()
    return str(path), found.st_mtime_ns, found.st_size, found.st_ino


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _connect(folders: Sequence[Path]) -> duckdb.DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect(":memory:")
    spill = Path(tempfile.gettempdir()) / f"map_assets_duckdb_{os.getpid()}"
    readable = ", ".join(_quoted(f"{folder}/") for folder in folders)
    for statement in (
        "create schema nothing",
        "create schema held",
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
