"""Versions of sortings that stand in the session's own tables, to be carried over when no folder holds them. Choosing lives in `sorting_versions`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from map_assets.ephys.sorting_rows import VERSION_TABLES

Past = Callable[[str], Iterator[pa.Table]]
"""Gives what stands under a table's name, then what stood there before, the youngest first."""


class StandingVersions:
    """What the session's tables hold of earlier readings.

    The tables of the other versions are written before those of the current one, and `sortings` last. So a version is
    in the tables of the others, or is the one that `sortings` calls current; one that a crash caught on its way from the
    others to the current tables is found in what the others were before.

    Parameters
    ----------
    past : callable
        See `Past`.
    """

    def __init__(self, past: Past) -> None:
        self._past = past
        self._newest: dict[str, pa.Table | None] = {}
        found = self._standing("sortings")
        is_known = found is not None and "sorting" in found.column_names
        self.rows: list[dict[str, Any]] = found.to_pylist() if found is not None and is_known else []

    def tables_of(self, row: Mapping[str, Any]) -> dict[str, pa.Table] | None:
        """Return a version's tables, or None where nothing has its units any more.

        Parameters
        ----------
        row : mapping
            Its row of `sortings`.
        """
        probe, sorting = row["probe"], row["sorting"]
        found: dict[str, pa.Table] = {}
        for name, declared in VERSION_TABLES.items():
            part = self._labels(probe, sorting) if name == "unit_labels" else self._part(name, row)
            if part is None and row["n_units"] and name in {"units", "spikes"}:
                return None
            found[name] = declared.empty() if part is None else declared.check(part)
        return found

    def _labels(self, probe: int, sorting: str) -> pa.Table | None:
        found = (_rows(table, probe, sorting) for table in self._past("unit_labels"))
        return next((part for part in found if part is not None), None)

    def _part(self, name: str, row: Mapping[str, Any]) -> pa.Table | None:
        """Rows of one version, looked for where they should be first."""
        probe, sorting = row["probe"], row["sorting"]
        others = self._standing(f"other_{name}")
        if others is not None and (part := _rows(others, probe, sorting)) is not None:
            return part
        own = self._standing(name) if row["is_current"] else None
        if own is not None and (part := _rows(own, probe)) is not None:
            return _with_sorting(part, sorting)
        earlier = (_rows(table, probe, sorting) for table in self._past(f"other_{name}"))
        return next((part for part in earlier if part is not None), None)

    def _standing(self, name: str) -> pa.Table | None:
        if name not in self._newest:
            self._newest[name] = next(self._past(name), None)
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


def _with_sorting(part: pa.Table, sorting: str) -> pa.Table:
    values = pa.array([sorting] * part.num_rows, pa.string())
    rest = part.drop_columns(["sorting"]) if "sorting" in part.column_names else part
    return rest.append_column("sorting", values)
