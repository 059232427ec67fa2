"""Versions of what the histology gives for a probe: what is read anew becomes current, what stood is kept whole. Files are read in `histology`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from map_assets.ccf.corrections import apply_corrections, left_out
from map_assets.ccf.tables import ELECTRODE_POSITIONS, PROBE_TRACKS
from map_assets.ccf.tracing_changes import compare
from map_assets.ccf.track_tables import TRACED_POSITIONS, TRACED_TRACKS, TRACING_CHANGES, TRACINGS
from map_assets.vocabulary.table import Table
from map_assets.vocabulary.tracing import TracingCorrection

Past = Callable[[str], Iterable[pa.Table]]
"""Gives what stands under a table's name, then what stood there before, the youngest first."""

_DIGITS = 10
_KINDS: Mapping[str, tuple[Table, Table]] = {
    "positions": (ELECTRODE_POSITIONS, TRACED_POSITIONS),
    "track": (PROBE_TRACKS, TRACED_TRACKS),
}
_VALUES = ("contact", "x_um", "y_um", "ccf_ap_um", "ccf_dv_um", "ccf_ml_um")


@dataclass(frozen=True)
class Tracing:
    """One version of what the histology gives for one probe.

    Parameters
    ----------
    probe : int
        Insertion number, from 1.
    name : str
        Formats and hash of the places.
    parts : mapping of str to pyarrow.Table
        By kind (``positions``, ``track``): its rows, as traced.
    pieces : frozenset of tuple
        Kind, shank and hash of each shank's places.
    """

    probe: int
    name: str
    parts: Mapping[str, pa.Table]
    pieces: frozenset[tuple[str, int, str]]


def settle_tracings(
    session: str,
    read: Mapping[str, pa.Table],
    failed: Collection[int],
    *,
    past: Past,
    corrections: Sequence[TracingCorrection] = (),
    now: datetime,
) -> dict[str, pa.Table]:
    """Put what was read beside what stood, and decide for each probe which tracing is current.

    What was read is current, and what stood before is kept if it gave any shank another place, or one that is gone: a
    tracing that merely grew is one tracing. A probe of which a file could not be read keeps what stood; so does one whose
    files are not on the share any more.

    Parameters
    ----------
    session : str
        Session key.
    read : mapping of str to pyarrow.Table
        ``electrode_positions`` and ``probe_tracks`` as `histology.read_histology` gives them.
    failed : collection of int
        Probes of which a file could not be read.
    past : callable
        See `Past`.
    corrections : sequence of TracingCorrection
        Those in force.
    now : datetime.datetime
        Our clock.

    Returns
    -------
    dict of str to pyarrow.Table
        ``traced_positions``, ``traced_tracks``, ``tracing_changes``, ``tracings``, ``electrode_positions`` and
        ``probe_tracks``.

    Raises
    ------
    CannotCorrect
        If a correction cannot be applied.
    """
    stood, rows = _standing(past)
    found = {one.probe: one for one in _tracings({kind: read.get(own.name) for kind, (own, _) in _KINDS.items()})}
    current: dict[int, Tracing] = {}
    older: list[Tracing] = []
    for probe in sorted({*found, *stood}):
        known = stood.get(probe, {})
        before = known.get(_current_of(rows, probe, known))
        is_kept = before is not None and (probe in failed or probe not in found)
        current[probe] = before if is_kept and before is not None else found[probe]
        older += [one for one in known.values() if not one.pieces <= current[probe].pieces]
    names = {probe: one.name for probe, one in current.items()}
    positions, tracks = (_own(kind, current.values()) for kind in _KINDS)
    corrected = apply_corrections(positions, tracks, names, corrections)
    everything = [*current.values(), *older]
    tables = {declared.name: _traced(kind, everything) for kind, (_, declared) in _KINDS.items()}
    tables |= {own.name: data for (own, _), data in zip(_KINDS.values(), corrected, strict=True)}
    tables["tracing_changes"] = _changes(session, current, older)
    seen = {(row["probe"], row["tracing"]): row["first_seen"] for row in rows}
    on_share = {(one.probe, one.name) for one in found.values()}
    said = [_row(one, seen.get((one.probe, one.name), now), (one.probe, one.name) in on_share) for one in everything]
    for row in said:
        if names[row["probe"]] == row["tracing"]:
            row |= {"is_current": True} | _corrected(row["probe"], names, corrections)
    tables["tracings"] = TRACINGS.from_rows({"session": session, **row} for row in said)
    return tables


def _row(one: Tracing, first_seen: datetime, is_on_share: bool) -> dict[str, Any]:
    return {
        "probe": one.probe,
        "tracing": one.name,
        "is_current": False,
        "first_seen": first_seen,
        "is_on_share": is_on_share,
        "formats": one.name.rpartition("-")[0],
        "n_positions": one.parts["positions"].num_rows,
        "n_track_points": one.parts["track"].num_rows,
    }


def _corrected(probe: int, names: Mapping[int, str], corrections: Sequence[TracingCorrection]) -> dict[str, str | None]:
    """Say which corrections a probe's current tracing carries, and which were made for another."""
    applied = [one.correction_id for one in corrections if (one.probe, one.tracing) == (probe, names[probe])]
    unused = left_out(names, corrections).get(probe, [])
    return {"corrections": _numbers(applied), "corrections_left_out": _numbers(unused)}


def _numbers(ids: Sequence[int]) -> str | None:
    return ",".join(map(str, sorted(ids))) or None


def _standing(past: Past) -> tuple[dict[int, dict[str, Tracing]], list[dict[str, Any]]]:
    """What the session's tables hold: tracings by probe and name, and the rows of ``tracings``.

    Tables that were written before tracings had versions hold one, as traced.
    """
    rows = next(iter(past(TRACINGS.name)), TRACINGS.empty()).to_pylist()
    tables = {kind: next(iter(past(declared.name)), None) for kind, (_, declared) in _KINDS.items()}
    if all(table is None for table in tables.values()):
        tables = {kind: next(iter(past(own.name)), None) for kind, (own, _) in _KINDS.items()}
    found: dict[int, dict[str, Tracing]] = {}
    for one in _tracings(tables):
        found.setdefault(one.probe, {})[one.name] = one
    return found, rows


def _current_of(rows: Sequence[Mapping[str, Any]], probe: int, known: Mapping[str, Tracing]) -> str:
    """Name the tracing of a probe that is current by the standing tables; where they do not tell, the youngest."""
    of_probe = [row for row in rows if row["probe"] == probe and row["tracing"] in known]
    named = [row["tracing"] for row in of_probe if row["is_current"]]
    youngest = [row["tracing"] for row in sorted(of_probe, key=lambda row: row["first_seen"])]
    return str([*sorted(known), *youngest, *named][-1]) if known else ""


def _tracings(tables: Mapping[str, pa.Table | None]) -> list[Tracing]:
    """Part tables of places into tracings, by probe and, where they tell it, by name."""
    parts: dict[tuple[int, str], dict[str, pa.Table]] = {}
    for kind, table in tables.items():
        if table is None:
            continue
        by = [name for name in ("probe", "tracing") if name in table.column_names]
        for group in table.group_by(by).aggregate([]).to_pylist():
            is_its = pc.field("probe") == group["probe"]
            if "tracing" in group:
                is_its &= pc.field("tracing") == group["tracing"]
            rows = table.filter(is_its)
            kept = [name for name in rows.column_names if name not in {"tracing", "corrections"}]
            parts.setdefault((group["probe"], group.get("tracing", "")), {})[kind] = rows.select(kept)
    return [_tracing(probe, name, found) for (probe, name), found in sorted(parts.items())]


def _tracing(probe: int, name: str, found: Mapping[str, pa.Table]) -> Tracing:
    parts = {kind: found[kind] if kind in found else _bare(own) for kind, (own, _) in _KINDS.items()}
    pieces = frozenset(
        (kind, shank, _hash(rows.filter(pc.field("shank") == shank)))
        for kind, rows in parts.items()
        for shank in set(rows["shank"].to_pylist())
    )
    formats = set(parts["positions"]["format"].to_pylist()) or {"track"}
    digest = hashlib.sha256(repr(sorted(pieces)).encode()).hexdigest()[:_DIGITS]
    return Tracing(probe, name or f"{'+'.join(sorted(formats))}-{digest}", parts, pieces)


def _hash(rows: pa.Table) -> str:
    """Hash the places of one shank, in the order of the file; what the file claims of regions does not count."""
    digest = hashlib.sha256()
    for name in _VALUES:
        if name in rows.column_names:
            values = pc.cast(rows[name], pa.float64()).to_numpy()
            digest.update(name.encode() + np.where(np.isnan(values), np.nan, values + 0.0).tobytes())
    return digest.hexdigest()[:_DIGITS]


def _bare(own: Table) -> pa.Table:
    """A table of places as traced, without rows."""
    return own.empty().drop_columns(["corrections"])


def _own(kind: str, tracings: Iterable[Tracing]) -> pa.Table:
    """Rows of several probes' tracings in one table."""
    parts = [one.parts[kind].combine_chunks() for one in tracings]
    bare = _bare(_KINDS[kind][0])
    return pa.concat_tables(
        [bare.select(bare.column_names), *(part.select(bare.column_names).cast(bare.schema) for part in parts)]
    )


def _traced(kind: str, tracings: Iterable[Tracing]) -> pa.Table:
    declared = _KINDS[kind][1]
    parts = [
        one.parts[kind].append_column("tracing", pa.array([one.name] * one.parts[kind].num_rows, pa.string()))
        for one in sorted(tracings, key=lambda one: (one.probe, one.name))
    ]
    names = [column.name for column in declared.columns]
    return declared.check(
        pa.concat_tables([declared.empty(), *(part.select(names).cast(declared.schema) for part in parts)])
    )


def _changes(session: str, current: Mapping[int, Tracing], older: Sequence[Tracing]) -> pa.Table:
    """Compare every older tracing with its probe's current one."""
    rows = []
    for one in older:
        now = current[one.probe]
        key = {"session": session, "probe": one.probe, "tracing": one.name, "current_tracing": now.name}
        for kind in _KINDS:
            rows += [{**key, **row} for row in compare(one.parts[kind], now.parts[kind], kind)]
    return TRACING_CHANGES.from_rows(rows)
