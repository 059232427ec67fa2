"""`Lab`: questions about all sessions at once. Questions about one live in `session`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from map_assets.analyst.regions import aimed_at, resolve_region
from map_assets.analyst.sql import Desk
from map_assets.catalog import TABLES
from map_assets.vocabulary.table import Table

if TYPE_CHECKING:
    from map_assets.analyst.frame import Frame
    from map_assets.analyst.session import LabSession
    from map_assets.analyst.standing import Standing

Sessions = str | Iterable[str] | None

_UNIT = ["session", "probe", "unit_id"]
_PLACE = ["shank", "ccf_ap_um", "ccf_dv_um", "ccf_ml_um", "region_id", "region", "region_status", "hemisphere"]
_PROBE = ["serial_number", "part_number", "probe_type", "sorter", "sorter_version", "curation"]


class Lab:
    """A laboratory's tables, open for reading; `map_assets.analyst.open_lab` makes one."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._desk = Desk(standing)

    def __repr__(self) -> str:
        then = "" if self.as_of is None else f" as of {self.as_of.isoformat()}"
        return f"<Lab {self.root}{then}: {len(self._standing.sessions())} sessions>"

    @property
    def root(self) -> Path:
        """The store's folder."""
        return self._standing.store.root

    @property
    def as_of(self) -> datetime | None:
        """The instant at which the store is seen; None is now."""
        return self._standing.as_of

    def sessions(self) -> Frame:
        """All sessions, one row each, in order of key."""
        return self.table("sessions")

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
        rows: dict[str, list[Any]] = {
            "table": [table.name for table in TABLES],
            "meaning": [table.meaning for table in TABLES],
            "key": [", ".join(table.key) for table in TABLES],
            "n_sessions": [len(self._standing.paths(table.name)) for table in TABLES],
        }
        return self._frame(pa.table(rows))

    def describe(self, table: str) -> Frame:
        """The columns of a table: column, type, unit, meaning, may_be_null, is_key.

        Columns that a table's files bring beyond its declaration (``units``, from ``metrics.csv``) come last, without
        unit and meaning.
        """
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
        return self._standing.read(name, session, columns)

    def units(self, region: str | None = None, quality: str | None = None, session: Sessions = None) -> Frame:
        """Units with their place in the brain, their probe and their statistics, one row each.

        A join of `units` (without waveforms) with `electrodes`, `unit_stats` and `probes`; what has not arrived yet
        is null.

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
        from map_assets.analyst.frame import is_among, joined

        found = self._frame(
            self.arrow("units", session).drop_columns(["waveform_uv"]), self._standing.declared("units")
        )
        if quality is not None:
            found = found[found["quality"] == quality]
        electrodes = self._beside("electrodes", session, ["session", "probe", "electrode", *_PLACE])
        if region is not None:
            targets = self._beside("insertions", session, ["session", "probe", "brain_area", "hemisphere"])
            aimed = aimed_at(region, targets)
            if aimed.empty:
                wanted = resolve_region(region, self.arrow("ccf_ontology"), set(electrodes["region"].dropna()))
                aimed = electrodes.loc[electrodes["region"].isin(wanted), ["session", "probe", "electrode"]]
            found = found[is_among(found, aimed)]
        found = joined(found, electrodes, ["session", "probe", "electrode"])
        found = joined(found, self._beside("unit_stats", session, None), _UNIT)
        found = joined(found, self._beside("probes", session, ["session", "probe", *_PROBE]), ["session", "probe"])
        return found.reset_index(drop=True)

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

    def _beside(self, name: str, session: Sessions, columns: Sequence[str] | None) -> Frame:
        """Read a table of those of the sessions that have it."""
        standing = self._standing.paths(name)
        keys = standing if session is None else [session] if isinstance(session, str) else session
        return self.table(name, [key for key in keys if key in standing], columns)

    def _frame(self, data: pa.Table, table: Table | None = None) -> Frame:
        from map_assets.analyst.frame import frame_from

        return frame_from(data, table)
