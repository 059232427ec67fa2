"""A tracing as pieces, one for each shank's positions and track: told apart, named, and put together. What is current is decided in `tracing_versions`."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from map_assets.ccf.tables import ELECTRODE_POSITIONS, PROBE_TRACKS
from map_assets.ccf.track_tables import TRACED_POSITIONS, TRACED_TRACKS
from map_assets.vocabulary.table import Table

KINDS: Mapping[str, tuple[Table, Table]] = {
    "positions": (ELECTRODE_POSITIONS, TRACED_POSITIONS),
    "track": (PROBE_TRACKS, TRACED_TRACKS),
}
"""The table of what is current, and that of all versions."""
_DIGITS = 10
_VALUES = ("contact", "x_um", "y_um", "ccf_ap_um", "ccf_dv_um", "ccf_ml_um")


@dataclass(frozen=True)
class Tracing:
    """One version of what the histology gives for one probe.

    Parameters
    ----------
    probe : int
        Insertion number, from 1.
    name : str
        Formats and hash of the places that it held first.
    parts : mapping of str to pyarrow.Table
        By kind (``positions``, ``track``): its rows, as traced.
    pieces : frozenset of tuple
        Kind, shank and hash of each shank's places.
    """

    probe: int
    name: str
    parts: Mapping[str, pa.Table]
    pieces: frozenset[tuple[str, int, str]]

    @property
    def formats(self) -> str:
        """Modules that read its positions; ``track`` where it has none."""
        return "+".join(sorted(set(self.parts["positions"]["format"].to_pylist()) or {"track"}))


def by_probe(tables: Mapping[str, pa.Table | None]) -> list[Tracing]:
    """Part tables of places into tracings, by probe and, where they tell it, by name.

    Parameters
    ----------
    tables : mapping of str to pyarrow.Table or None
        By kind; with a column ``tracing`` or without.

    Returns
    -------
    list of Tracing
    """
    parts: dict[tuple[int, str], dict[str, pa.Table]] = {}
    for kind, table in tables.items():
        if table is None:
            continue
        by = [name for name in ("probe", "tracing") if name in table.column_names]
        for group in table.group_by(by).aggregate([]).to_pylist():
            is_its = pc.field("probe") == group["probe"]
            if "tracing" in group:
                is_its &= pc.field("tracing") == group["tracing"]
            parts.setdefault((group["probe"], group.get("tracing", "")), {})[kind] = table.filter(is_its)
    return [_tracing(probe, name, found) for (probe, name), found in sorted(parts.items())]


def put_together(read: Tracing, before: Tracing | None, known: Collection[Tracing]) -> Tracing:
    """Add to what was read what the tracing before holds of shanks that nothing gives any more, and name the whole.

    A tracing that holds all of an earlier one is that one, grown, and keeps its name.

    Parameters
    ----------
    read : Tracing
        What the probe's files give now.
    before : Tracing or None
        The one that is current.
    known : collection of Tracing
        All of the probe, the current one too.

    Returns
    -------
    Tracing
    """
    whole = read
    if before is not None:
        parts = {kind: _joined(kind, read.parts[kind], before.parts[kind]) for kind in KINDS}
        whole = _tracing(read.probe, "", parts)
    earlier = sorted((one for one in known if one.pieces <= whole.pieces), key=lambda one: (one != before, one.name))
    name = earlier[0].name if earlier else whole.name
    return Tracing(whole.probe, name, whole.parts, whole.pieces)


def bare(kind: str) -> pa.Table:
    """A table of places as traced, without rows."""
    return KINDS[kind][0].empty().drop_columns(["corrections"])


def own(kind: str, tracings: Iterable[Tracing]) -> pa.Table:
    """Rows of several probes' tracings in one table."""
    return pa.concat_tables([bare(kind), *(one.parts[kind].combine_chunks() for one in tracings)])


def _joined(kind: str, read: pa.Table, stood: pa.Table) -> pa.Table:
    """Rows of both, by shank; of a shank that both have, those that were read."""
    given = pa.array(set(read["shank"].to_pylist()), stood.schema.field("shank").type)
    kept = stood.filter(pc.invert(pc.is_in(stood["shank"], given)))
    if not kept.num_rows:
        return read
    order = "position_id" if kind == "positions" else "point"
    whole = pa.concat_tables([read, kept]).sort_by([("shank", "ascending"), (order, "ascending")])
    if kind != "positions":
        return whole
    at = whole.schema.get_field_index(order)
    return whole.set_column(at, whole.schema.field(at), pa.array(range(whole.num_rows), whole.schema.field(at).type))


def _tracing(probe: int, name: str, found: Mapping[str, pa.Table]) -> Tracing:
    parts = {kind: _as_traced(kind, found[kind]) if kind in found else bare(kind) for kind in KINDS}
    pieces = frozenset(
        (kind, shank, _hash(kind, rows.filter(pc.field("shank") == shank)))
        for kind, rows in parts.items()
        for shank in set(rows["shank"].to_pylist())
    )
    made = Tracing(probe, name, parts, pieces)
    digest = hashlib.sha256(repr(sorted(pieces)).encode()).hexdigest()[:_DIGITS]
    return made if name else Tracing(probe, f"{made.formats}-{digest}", parts, pieces)


def _as_traced(kind: str, rows: pa.Table) -> pa.Table:
    like = bare(kind)
    return rows.select(like.column_names).cast(like.schema)


def _hash(kind: str, rows: pa.Table) -> str:
    """Hash the places of one shank; neither a file's claims of regions count, nor from which end a track was followed."""
    columns = {name: pc.cast(rows[name], pa.float64()).to_numpy() for name in _VALUES if name in rows.column_names}
    if kind == "track" and _is_turned(np.stack(list(columns.values()), axis=1)):
        columns = {name: values[::-1] for name, values in columns.items()}
    digest = hashlib.sha256()
    for name, values in columns.items():
        digest.update(name.encode() + np.where(np.isnan(values), np.nan, values + 0.0).tobytes())
    return digest.hexdigest()[:_DIGITS]


def _is_turned(points: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> bool:
    """Whether a track, read from its other end, comes first in the order of AP, DV, ML."""
    forth, back = points.tolist(), points[::-1].tolist()
    return bool(back < forth)
