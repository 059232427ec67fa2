"""Versions of what the histology gives for a probe: what is read anew becomes current, what stood is kept whole. Files are read in `histology`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from map_assets.ccf.corrections import apply_corrections, left_out
from map_assets.ccf.tracing_changes import compare
from map_assets.ccf.tracing_pieces import KINDS, Tracing, by_probe, own, put_together
from map_assets.ccf.track_tables import TRACING_CHANGES, TRACINGS
from map_assets.vocabulary.tracing import TracingCorrection

Past = Callable[[str], Iterable[pa.Table]]
"""Gives what stands under a table's name, then what stood there before, the youngest first."""


def settle_tracings(
    session: str,
    read: Mapping[str, pa.Table],
    failed: Collection[int] = (),  # noqa: ARG001 - what nothing gives stays as it stood, whatever the reason
    *,
    past: Past,
    corrections: Sequence[TracingCorrection] = (),
    now: datetime,
) -> dict[str, pa.Table]:
    """Put what was read beside what stood, and decide for each probe which tracing is current.

    What was read is current, shank by shank: a shank's positions or track that nothing gives any more, because its file
    cannot be read or has left the share, stay as they stood. What stood before is kept if it gave any shank another
    place: a tracing that merely grew is one tracing.

    Parameters
    ----------
    session : str
        Session key.
    read : mapping of str to pyarrow.Table
        ``electrode_positions`` and ``probe_tracks`` as `histology.read_histology` gives them.
    failed : collection of int
        Probes of which a file could not be read; they need no rule of their own.
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
    """
    stood, rows = _standing(past)
    found = {one.probe: one for one in by_probe({kind: read.get(held.name) for kind, (held, _) in KINDS.items()})}
    current: dict[int, Tracing] = {}
    older: list[Tracing] = []
    for probe in sorted({*found, *stood}):
        known = stood.get(probe, {})
        before = known.get(_current_of(rows, probe, known))
        now_current = put_together(found[probe], before, known.values()) if probe in found else before
        if now_current is not None:
            current[probe] = now_current
            older += [one for one in known.values() if not one.pieces <= now_current.pieces]
    names = {probe: one.name for probe, one in current.items()}
    positions, tracks = (own(kind, current.values()) for kind in KINDS)
    *corrected, unmoved = apply_corrections(positions, tracks, names, corrections)
    everything = [*current.values(), *older]
    tables = {declared.name: _traced(kind, everything) for kind, (_, declared) in KINDS.items()}
    tables |= {held.name: data for (held, _), data in zip(KINDS.values(), corrected, strict=True)}
    tables["tracing_changes"] = _changes(session, current, older)
    seen = {(row["probe"], row["tracing"]): row["first_seen"] for row in rows}
    given = {probe: one.pieces for probe, one in found.items()}
    said = [
        _row(one, seen.get((one.probe, one.name), now), one.pieces <= given.get(one.probe, frozenset()))
        for one in everything
    ]
    for row in said:
        if names[row["probe"]] == row["tracing"]:
            row |= {"is_current": True} | _corrected(row["probe"], names, corrections)
            row["shanks_not_shifted"] = _numbers([shank + 1 for shank in unmoved.get(row["probe"], ())])
    tables["tracings"] = TRACINGS.from_rows({"session": session, **row} for row in said)
    return tables


def _row(one: Tracing, first_seen: datetime, is_on_share: bool) -> dict[str, Any]:
    return {
        "probe": one.probe,
        "tracing": one.name,
        "is_current": False,
        "first_seen": first_seen,
        "is_on_share": is_on_share,
        "formats": one.formats,
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
    tables = {kind: next(iter(past(declared.name)), None) for kind, (_, declared) in KINDS.items()}
    if all(table is None for table in tables.values()):
        tables = {kind: next(iter(past(held.name)), None) for kind, (held, _) in KINDS.items()}
    found: dict[int, dict[str, Tracing]] = {}
    for one in by_probe(tables):
        found.setdefault(one.probe, {})[one.name] = one
    return found, rows


def _current_of(rows: Sequence[Mapping[str, Any]], probe: int, known: Mapping[str, Tracing]) -> str:
    """Name the tracing of a probe that is current by the standing tables; where they do not tell, the youngest."""
    of_probe = [row for row in rows if row["probe"] == probe and row["tracing"] in known]
    named = [row["tracing"] for row in of_probe if row["is_current"]]
    youngest = [row["tracing"] for row in sorted(of_probe, key=lambda row: row["first_seen"])]
    return str([*sorted(known), *youngest, *named][-1]) if known else ""


def _traced(kind: str, tracings: Iterable[Tracing]) -> pa.Table:
    declared = KINDS[kind][1]
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
        for kind in KINDS:
            rows += [{**key, **row} for row in compare(one.parts[kind], now.parts[kind], kind)]
    return TRACING_CHANGES.from_rows(rows)
