"""Placing files: which session each belongs to, and which of two behaviour files of one session counts. Scanning lives in `scan`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row, delete, select, update

from map_assets.shares.duplicates import settle_duplicates
from map_assets.shares.grouping import Clue, KnownSession, Placed, assign, clue_of
from map_assets.shares.ledger import Ledger, keep_facts
from map_assets.shares.roles import SAME_BYTES
from map_assets.shares.schema import DIRTY_DAYS, FILES, METAS, SESSIONS, SHARES
from map_assets.shares.stages import chunks, microseconds, touch
from map_assets.vocabulary.session import SessionKey

_DAYS_AT_ONCE = 200
_COLUMNS = (
    *("id", "share", "relpath", "size", "mtime_ns", "first_seen_us", "settled", "absent_since_us", "role", "day"),
    *("session", "state", "reason", "unplaced", "rule", "by", "ingested_us", "sha256", "released_us"),
)


@dataclass
class _Day:
    """All files of one day that may matter, and when the recordings in each folder were begun."""

    stamp: int
    rows: list[Row[Any]] = field(default_factory=list)
    sessions: list[KnownSession] = field(default_factory=list)
    recorded: dict[tuple[str, str], list[datetime]] = field(default_factory=lambda: defaultdict(list))
    placed: dict[tuple[str, Clue], Placed] = field(default_factory=dict)


def refresh(ledger: Ledger, now: datetime | None = None) -> None:
    """Give files their sessions and settle duplicates, for the days on which anything happened since the last call."""
    with ledger.reading() as connection:
        dirty = connection.execute(select(DIRTY_DAYS).order_by(DIRTY_DAYS.c.day)).all()
    for start in range(0, len(dirty), _DAYS_AT_ONCE):
        days = {row.day: _Day(row.stamp) for row in dirty[start : start + _DAYS_AT_ONCE]}
        kinds, roots = _load(ledger, days)
        changes = {name: _decide(day, kinds, roots) for name, day in days.items()}
        _write(ledger, days, changes, microseconds(now))


def _load(ledger: Ledger, days: Mapping[str, _Day]) -> tuple[dict[str, str], dict[str, Path]]:
    with ledger.reading() as connection:
        shares = connection.execute(select(SHARES.c.share, SHARES.c.kind, SHARES.c.root)).all()
        wanted = FILES.c.day.in_(list(days)) & ((FILES.c.state != "ignored") | (FILES.c.rule == SAME_BYTES))
        rows = connection.execute(select(*(FILES.c[name] for name in _COLUMNS)).where(wanted)).all()
        # a file that went away before it was taken in (renamed, say) names no session any more
        keys = {
            row.session
            for row in rows
            if row.role == "behavior" and (row.state == "ingested" or row.absent_since_us is None)
        }
        starts: dict[str, str | None] = {}
        for part in chunks(keys):
            found = connection.execute(select(SESSIONS).where(SESSIONS.c.session.in_(part)))
            starts |= {row.session: row.start_local for row in found}
        metas = {
            (row.share, row.relpath): datetime.fromisoformat(row.created)
            for part in chunks(row.relpath for row in rows if row.role == "spikeglx_meta")
            for row in connection.execute(select(METAS).where(METAS.c.relpath.in_(part), METAS.c.created.is_not(None)))
        }
    kinds = {row.share: row.kind for row in shares}
    for row in rows:
        day = days[row.day]
        day.rows.append(row)
        began = metas.get((row.share, row.relpath))
        if began is not None and row.role == "spikeglx_meta":
            for folder in clue_of(kinds[row.share], row.relpath).folders:
                day.recorded[row.share, folder].append(began)
    for key in sorted(keys):
        parsed, start = SessionKey.parse(key), starts.get(key)
        known = KnownSession(parsed, None if start is None else datetime.fromisoformat(start))
        days[parsed.name_date.isoformat()].sessions.append(known)
    return kinds, {row.share: Path(row.root) for row in shares}


def _decide(day: _Day, kinds: Mapping[str, str], roots: Mapping[str, Path]) -> list[tuple[Row[Any], dict[str, Any]]]:
    """What is to be changed in the rows of one day."""
    changes: list[tuple[Row[Any], dict[str, Any]]] = []
    behavior: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in day.rows:
        if row.role == "behavior":
            behavior[row.session].append(row)
        elif row.state in {"waiting", "ingested"}:
            changes += _placing(row, _place(row, day, kinds[row.share]))
    for rows in behavior.values():
        if len(rows) > 1:
            changes += settle_duplicates(rows, roots)
    return changes


def _place(row: Row[Any], day: _Day, kind: str) -> Placed:
    clue = clue_of(kind, row.relpath)
    placed = day.placed.get((row.share, clue))
    if placed is None:
        folders = ((row.share, folder) for folder in clue.folders)
        recorded: list[datetime] = next((day.recorded[at] for at in folders if at in day.recorded), [])
        placed = day.placed[row.share, clue] = assign(clue, day.sessions, recorded)
    return placed


def _placing(row: Row[Any], placed: Placed) -> list[tuple[Row[Any], dict[str, Any]]]:
    if (placed.session, placed.reason) == (row.session, row.unplaced):
        return []
    values: dict[str, Any] = {"session": placed.session, "unplaced": placed.reason}
    if row.state == "ingested":
        if placed.session is None or placed.session == row.session:
            return []  # what was taken in stays where it is until another session is sure
        values |= {"state": "waiting", "by": None, "ingested_us": None}
    return [(row, values)]


def _write(
    ledger: Ledger, days: Mapping[str, _Day], changes: Mapping[str, list[tuple[Row[Any], dict[str, Any]]]], now_us: int
) -> None:
    """Write what was decided about each day, unless something happened on it meanwhile."""
    with ledger.writing() as (connection, stamp):
        alike: dict[tuple[tuple[str, Any], ...], list[Row[Any]]] = defaultdict(list)
        for name, day in days.items():
            mine = (DIRTY_DAYS.c.day == name) & (DIRTY_DAYS.c.stamp == day.stamp)
            if connection.execute(delete(DIRTY_DAYS).where(mine)).rowcount:
                for row, values in changes[name]:
                    alike[tuple(values.items())].append(row)
        sessions: list[str | None] = []
        for said, rows in alike.items():
            values = dict(said)
            if "state" in values:
                keep_facts(connection, [row.id for row in rows if row.state == "ingested"], now_us, "moved")
            for part in chunks(row.id for row in rows):
                connection.execute(update(FILES).where(FILES.c.id.in_(part)).values(**values))
            sessions += [*(row.session for row in rows), values.get("session")]
        touch(connection, stamp, sessions)
