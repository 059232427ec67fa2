"""Versions of sortings that stand in the session's own tables, to be carried over when no folder holds them. Choosing lives in `sorting_versions`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from map_assets.ephys.sorting_rows import VERSION_TABLES
from map_assets.ephys.sorting_versions import bare_content, version_id

Past = Callable[[str], Iterable[pa.Table]]
"""Gives what stands under a table's name, then what stood there before, the youngest first."""


class StandingVersions:
    """What the session's tables hold of earlier readings.

    The tables of the other versions are written before those of the current one, and `sortings` last. So a version is
    in the tables of the others, or is the one that `sortings` calls current; one that a crash caught on its way from the
    others to the current tables is found in what the others were before.

    A table `sortings` of the form that it had when a probe had one sorting stands for one version of each probe. Its name
    is made of what `units` and `spikes` of that form hold (`sorting_versions.bare_content`).

    Parameters
    ----------
    past : callable
        See `Past`.
    now : datetime.datetime
        Our clock: when versions of the older form are taken to be first seen.
    """

    def __init__(self, past: Past, now: datetime) -> None:
        self._past = past
        self._newest: dict[str, pa.Table | None] = {}
        self._older: dict[tuple[int, str], dict[str, pa.Table]] = {}
        found = self._standing("sortings")
        rows: list[dict[str, Any]] = [] if found is None else found.to_pylist()
        is_older = found is not None and "sorting" not in found.column_names
        self.rows = [row for old in rows if (row := self._of_older_form(old, now))] if is_older else rows

    def tables_of(self, row: Mapping[str, Any]) -> dict[str, pa.Table] | None:
        """Return a version's tables, or None where nothing has its units any more.

        Parameters
        ----------
        row : mapping
            Its row of `sortings`.
        """
        probe, sorting = row["probe"], row["sorting"]
        if (probe, sorting) in self._older:
            return self._older[probe, sorting]
        found: dict[str, pa.Table] = {}
        for name, declared in VERSION_TABLES.items():
            part = self._labels(probe, sorting) if name == "unit_labels" else self._part(name, row)
            if part is None and row["n_units"] and name in {"units", "spikes"}:
                return None
            found[name] = declared.empty() if part is None else declared.check(part)
        return found

    def _of_older_form(self, row: Mapping[str, Any], now: datetime) -> dict[str, Any] | None:
        """Make a row of today's form, and keep the version's tables; None where its units or spikes are gone."""
        probe = row["probe"]
        tables = (_rows(table, probe) for table in self._past("units") if "sorting" not in table.column_names)
        units = next((part for part in tables if part is not None), None)
        if units is None:
            return None
        trains = (_rows(table, probe) for table in self._past("spikes"))
        spikes = next((part for part in trains if part is not None and _are_of(part, units)), None)
        if spikes is None:
            return None
        sorting = version_id(row["sorter"], bare_content(units, spikes))
        kept = {name: declared.empty() for name, declared in VERSION_TABLES.items()}
        for name, part in (("units", units), ("spikes", spikes)):
            declared = VERSION_TABLES[name]
            whole = _with_sorting(part, sorting)
            for column in declared.columns:
                if column.name not in whole.column_names and column.nullable:
                    whole = whole.append_column(column.name, pa.nulls(whole.num_rows, column.type))
            kept[name] = declared.check(whole)
        self._older[probe, sorting] = kept
        return {**row, "sorting": sorting, "is_current": True, "first_seen": now}

    def _labels(self, probe: int, sorting: str) -> pa.Table | None:
        found = (_rows(table, probe, sorting) for table in self._past("unit_labels"))
        return next((part for part in found if part is not None), None)

    def _part(self, name: str, row: Mapping[str, Any]) -> pa.Table | None:
        """Rows of one version, looked for where they should be first."""
        probe, sorting = row["probe"], row["sorting"]
        others = self._standing(f"other_{name}")
        if others is not None and (part := _rows(others, probe, sorting)) is not None:
            return part
        if row["is_current"] and (part := self._own(name, row, [self._standing(name)])) is not None:
            return part
        earlier = (_rows(table, probe, sorting) for table in self._past(f"other_{name}"))
        part = next((part for part in earlier if part is not None), None)
        return self._own(name, row, self._past(name)) if part is None else part

    def _own(self, name: str, row: Mapping[str, Any], tables: Iterable[pa.Table | None]) -> pa.Table | None:
        """Rows of the first of these tables, of those that hold current versions, that has this version."""
        probe, sorting = row["probe"], row["sorting"]
        units = self._part("units", row) if name != "units" else None
        for table in tables:
            part = None if table is None else _rows(table, probe)
            if part is None:
                continue
            if name == "units":
                is_its = "sorting" not in part.column_names or set(part["sorting"].to_pylist()) <= {sorting, None}
            else:
                is_its = units is not None and _are_of(part, units)
            if is_its:
                return _with_sorting(part, sorting)
        return None

    def _standing(self, name: str) -> pa.Table | None:
        if name not in self._newest:
            self._newest[name] = next(iter(self._past(name)), None)
        return self._newest[name]


def _rows(table: pa.Table, probe: int, sorting: str | None = None) -> pa.Table | None:
    """Rows of a probe and version, without a copy where they stand together; None where there are none."""
    is_wanted = pc.equal(table["probe"], probe)
    if sorting is not None:
        is_wanted = pc.and_(is_wanted, pc.equal(table["sorting"], sorting))
    places = np.flatnonzero(is_wanted.to_numpy())
    if not len(places):
        return None
    first, last = int(places[0]), int(places[-1])
    return table.slice(first, last - first + 1) if last - first + 1 == len(places) else table.take(places)


def _are_of(spikes: pa.Table, units: pa.Table) -> bool:
    """Whether trains, or what stands beside them, are those of these units, by ids and numbers of spikes."""
    told = dict(zip(units["unit_id"].to_pylist(), units["n_spikes"].to_pylist(), strict=True))
    if set(spikes["unit_id"].to_pylist()) != told.keys():
        return False
    lists = [name for name in spikes.column_names if pa.types.is_list(spikes.schema.field(name).type)]
    counts = [pc.list_value_length(spikes[name]).to_pylist() for name in lists]
    expected = [told[unit_id] for unit_id in spikes["unit_id"].to_pylist()]
    return all(found in (of_unit, None) for column in counts for found, of_unit in zip(column, expected, strict=True))


def _with_sorting(part: pa.Table, sorting: str) -> pa.Table:
    values = pa.array([sorting] * part.num_rows, pa.string())
    rest = part.drop_columns(["sorting"]) if "sorting" in part.column_names else part
    return rest.append_column("sorting", values)
