"""`Lab`: questions about all sessions at once. Questions about one live in `session`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from map_assets.analyst.source import FolderSource
from map_assets.analyst.sql import Desk

if TYPE_CHECKING:
    import pyarrow as pa

    from map_assets.analyst.explain import Explanation
    from map_assets.analyst.frame import Frame
    from map_assets.analyst.session import LabSession
    from map_assets.analyst.standing import Standing
    from map_assets.vocabulary.table import Table

Sessions = str | Iterable[str] | None


class Lab:
    """A laboratory's tables, open for reading; `map_assets.analyst.open_lab` makes one."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._desk = Desk(standing, {"subjects": partial(_subjects, standing)})

    def __repr__(self) -> str:
        then = "" if self.as_of is None else f" as of {self.as_of.isoformat()}"
        return f"<Lab {self._standing.source.location}{then}: {len(self._standing.sessions())} sessions>"

    @property
    def root(self) -> Path | str:
        """The store's folder, or its URL."""
        source = self._standing.source
        return source.root if isinstance(source, FolderSource) else source.location

    @property
    def as_of(self) -> datetime | None:
        """The instant at which the store is seen; None is now."""
        return self._standing.as_of

    def sessions(self) -> Frame:
        """All sessions, one row each, in order of key."""
        return self.table("sessions")

    def subjects(self) -> Frame:
        """The registered animals, one row each: subject, animal, sex, date_of_birth and more.

        They stand in the lab's database, not in the store; in `sql` they are the table ``subjects``.

        Raises
        ------
        NoRegistry
            If only a store is known here, and no configuration with the database.
        """
        from map_assets.analyst.records import subjects_table

        return self._frame(_subjects(self._standing), subjects_table())

    def session(self, key: str) -> LabSession:
        """One session.

        Raises
        ------
        NoSuchSession
            If there is none; keys that look like it are named.
        """
        from map_assets.analyst.session import LabSession

        return LabSession(self, self._standing, self._standing.known(key))

    def tables(self) -> Frame:
        """Every table there can be: table, meaning, key, and n_sessions that have it."""
        import pyarrow as pa

        from map_assets.catalog import TABLES

        rows: dict[str, list[Any]] = {
            "table": [table.name for table in TABLES],
            "meaning": [table.meaning for table in TABLES],
            "key": [", ".join(table.key) for table in TABLES],
            "n_sessions": [len(self._standing.having(table.name)) for table in TABLES],
        }
        return self._frame(pa.table(rows))

    def describe(self, table: str) -> Frame:
        """The columns of a table: column, type, unit, meaning, may_be_null, is_key.

        Columns that a table's files bring beyond its declaration (``units``, from ``metrics.csv``) come last, without
        unit and meaning.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        declared = self._standing.declared(table)
        schema = declared.schema
        if declared.is_open:
            found = [pq.read_schema(path) for path in self._standing.paths(table).values()]
            schema = pa.unify_schemas([schema, *found], promote_options="permissive")
        said = [field.metadata or {} for field in schema]
        rows: dict[str, list[Any]] = {
            "column": schema.names,
            "type": [str(field.type) for field in schema],
            "unit": [item.get(b"unit", b"").decode() for item in said],
            "meaning": [item.get(b"meaning", b"").decode() for item in said],
            "may_be_null": [field.nullable for field in schema],
            "is_key": [name in declared.key for name in schema.names],
        }
        return self._frame(pa.table(rows))

    def table(self, name: str, session: Sessions = None, columns: Sequence[str] | None = None) -> Frame:
        """A table of one session, of some, or of all that have it, as a pandas frame (``.arrow()`` for Arrow).

        Parameters
        ----------
        name : str
            One of `tables`.
        session : str or iterable of str, optional
            Session keys; by default every session that has the table.
        columns : sequence of str, optional
            Only these.

        Raises
        ------
        NoSuchTable
            If there is no such table, or a named session has none yet.
        NoSuchSession, NoSuchColumn
            If there is no such session or column.
        """
        return self._frame(self.arrow(name, session, columns), self._standing.declared(name))

    def arrow(self, name: str, session: Sessions = None, columns: Sequence[str] | None = None) -> pa.Table:
        """The same as `table`, as an Arrow table."""
        if session is None:
            from map_assets.analyst.whole import read_whole

            found = read_whole(self._desk, self._standing, name, columns)
            if found is not None:
                return found
        return self._standing.read(name, session, columns)

    def units(self, region: str | None = None, quality: str | None = None, session: Sessions = None) -> Frame:
        """Units with their place in the brain, their probe and their statistics, one row each.

        A join of `units` (without waveforms) with `electrodes`, `insertions`, `unit_stats` and `probes`; what has not
        arrived yet is null. In order of session, probe and unit number.

        Parameters
        ----------
        region : str, optional
            A target area as the lab names it (``ALM``, ``left ALM``): the units of the probes that were aimed there. Else
            an Allen acronym or full name: the units that lie there or in a region inside it.
        quality : str, optional
            The sorter's or curator's label, as found (``good``).
        session : str or iterable of str, optional
            Session keys; by default every session that has units.

        Raises
        ------
        NoSuchRegion
            If no probe was aimed at such an area and the Allen ontology has no such region.
        NoSuchTable
            If a named session has no units yet.
        """
        from map_assets.analyst.units import read_units

        sessions = None if session is None else [session] if isinstance(session, str) else list(session)
        if sessions is not None:
            standing = set(self._standing.having("units"))
            self._standing.must_have("units", [key for key in sessions if key not in standing])
        return read_units(self._desk, self._standing, region, quality, sessions)

    def sql(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> Frame:
        """Run a SELECT over every table of every session (DuckDB's SQL; each table is a view of its name).

        Parameters
        ----------
        query : str
            One SELECT, DESCRIBE, SUMMARIZE or SHOW.
        parameters : sequence or mapping, optional
            Values for ``?`` or ``$name`` in the query.

        Raises
        ------
        BadQuery
            If it is anything else, or DuckDB refuses it.

        Examples
        --------
        >>> lab.sql("select outcome, count(*) as n from trials group by outcome")    # doctest: +SKIP
        """
        return self._frame(self._desk.query(query, parameters))

    def explain(self, table: str, key: str | Mapping[str, Any]) -> Explanation:
        """Where a row comes from: versions, code, parameters, files with their hashes, and what people corrected.

        Parameters
        ----------
        table : str
        key : str or mapping
            The session, where the table has one row a session or all its rows are meant; else the row's key, as in
            ``{"session": "SC022_20190228_151010", "probe": 1, "unit_id": 7}``.

        Raises
        ------
        NoSuchRow, NoSuchSession, NoSuchTable
            If there is none.

        Examples
        --------
        >>> print(lab.explain("trials", {"session": key, "trial": 12}))    # doctest: +SKIP
        """
        from map_assets.analyst.explain import explain
        from map_assets.analyst.records import Records

        url = self._standing.database()
        return explain(self._standing, None if url is None else Records(url), table, key)

    def _frame(self, data: pa.Table, table: Table | None = None) -> Frame:
        from map_assets.analyst.frame import frame_from

        return frame_from(data, table)


def _subjects(standing: Standing) -> pa.Table:
    """Read the animals of the lab's database."""
    from map_assets.analyst.errors import NoRegistry
    from map_assets.analyst.records import Records

    url = standing.database()
    if url is None:
        raise NoRegistry(
            f"The animals stand in the lab's database, which {standing.source.location} does not name; open the lab by "
            "its map_assets.toml."
        )
    return Records(url).subjects()
