"""Scanning a share: what is there is compared with what the ledger has, and the ledger learns the difference. Placing lives in `refresh`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from map_assets.shares.ledger import Ledger, keep_facts
from map_assets.shares.naming import named
from map_assets.shares.refresh import refresh
from map_assets.shares.roles import SAME_BYTES
from map_assets.shares.schema import FILES, METAS, SHARES, STAGES
from map_assets.shares.settling import MetaBook, why_unsettled
from map_assets.shares.share import ScanReport, Share
from map_assets.shares.stages import chunks, forget_stages, mark_days, microseconds, touch
from map_assets.shares.walk import Look, look_at

_KNOWN = (
    *("id", "relpath", "size", "mtime_ns", "ctime_ns", "inode", "settled", "unsettled", "still_since_us"),
    *("absent_since_us", "role", "state", "rule", "day", "session", "by"),
)
_MEANT = frozenset({"ingested", "quarantined"})
_UNKNOWN: dict[str, Any] = dict.fromkeys(
    (
        "absent_since_us",
        "unplaced",
        "reason",
        "by",
        "ingested_us",
        "sha256",
        "released_by",
        "released_why",
        "released_us",
    )
)


@dataclass
class _Difference:
    """What a scan has to tell the ledger."""

    new: list[dict[str, Any]] = field(default_factory=list)
    changed: list[tuple[Row[Any], dict[str, Any]]] = field(default_factory=list)
    settled: list[Row[Any]] = field(default_factory=list)
    reasons: list[tuple[int, str]] = field(default_factory=list)
    absent: list[Row[Any]] = field(default_factory=list)
    back: list[Row[Any]] = field(default_factory=list)
    inodes: list[tuple[int, int]] = field(default_factory=list)
    is_restart: bool = False

    @property
    def n_settled(self) -> int:
        """Files that settled in this scan, at first sight too."""
        fresh = [*self.new, *(values for _, values in self.changed)]
        return len(self.settled) + sum(bool(row["settled"] and row["state"] == "waiting") for row in fresh)

    def days(self) -> list[str | None]:
        """Days whose files are to be placed anew."""
        moved = [row for row in (*self.settled, *self.absent, *self.back) if row.role == "behavior"]
        changed = [row for row, _ in self.changed]
        return [*(row["day"] for row in self.new), *(row.day for row in (*moved, *changed))]

    def sessions(self) -> list[str | None]:
        """Sessions whose inventory is another one now."""
        changed = [row for row, _ in self.changed]
        moved = (*changed, *self.settled, *self.absent, *self.back)
        return [*(row["session"] for row in self.new), *(row.session for row in moved)]


def scan_share(share: Share, ledger: Ledger, now: datetime | None = None) -> ScanReport:
    """Look at all of a share once and write into the ledger what is new, changed, settled or gone.

    A file settles when size, modification time, change time and inode stayed the same for ``share.settle_s`` by our own
    clock; a SpikeGLX pair in addition only when its ``.meta`` has its end marks and its ``.bin`` the size named there.
    Unless the share can be reached, holds files and is the one it was, nothing is concluded about any file. A file that
    vanished stays what it was and is marked absent.

    Parameters
    ----------
    share : Share
    ledger : Ledger
    now : datetime.datetime, optional
        Our clock; None reads it.

    Returns
    -------
    ScanReport
    """
    began = time.perf_counter()
    memory = _remembered(share, ledger)
    now_us = microseconds(now)
    is_binding = share.marker is not None or memory.marker is not None
    look = look_at(
        share.path,
        expected_marker=memory.marker if share.marker is None else share.marker,
        is_marker_binding=is_binding,
        had_files=memory.had_files,
    )
    if look.status != "ok":
        with ledger.writing() as (connection, _):
            _note(connection, share, last_scan_us=now_us, scan_status=look.status, message=look.message)
        return ScanReport(share.name, look.status, seconds=time.perf_counter() - began, message=look.message)
    book, difference = _compare(share, ledger, look, memory, now_us)
    is_stale = not _write(share, ledger, look, memory, book, difference, now_us)
    n_found, seconds = len(look.found), time.perf_counter() - began
    if is_stale:
        said = "another scan of this share ended first; what it found stands."
        return ScanReport(share.name, "ok", n_found, seconds=seconds, message=said)
    counts = (len(difference.new), len(difference.changed), difference.n_settled, len(difference.absent))
    return ScanReport(share.name, "ok", n_found, *counts, seconds, look.message)


def scan_all(shares: Iterable[Share], ledger: Ledger, now: datetime | None = None) -> list[ScanReport]:
    """Scan every share, then place what was found; a share that cannot be read stops no other.

    Parameters
    ----------
    now : datetime.datetime, optional
        Our clock; None reads it for each share.
    """
    reports = []
    for share in shares:
        try:
            reports.append(scan_share(share, ledger, now))
        except OSError as error:
            reports.append(ScanReport(share.name, "unreachable", message=f"{share.path}: {error.strerror}."))
    refresh(ledger, now)
    return reports


def _remembered(share: Share, ledger: Ledger) -> Row[Any]:
    """Return the ledger's row of the share, made or brought up to the configuration first."""
    facts = {"kind": share.kind, "root": str(share.path), "rig": share.rig, "settle_s": share.settle_s}
    statement = select(SHARES).where(SHARES.c.share == share.name)
    with ledger.reading() as connection:
        row = connection.execute(statement).first()
    if row is None or any(getattr(row, name) != value for name, value in facts.items()):
        with ledger.writing() as (connection, _):
            row = connection.execute(statement).first()
            if row is None:
                rest = {"had_files": False, "scan_status": "never scanned", "message": "", "scan_stamp": 0}
                connection.execute(insert(SHARES).values(share=share.name, **facts, **rest))
            else:
                connection.execute(update(SHARES).where(SHARES.c.share == share.name).values(**facts))
            row = connection.execute(statement).one()
    return row


def _compare(share: Share, ledger: Ledger, look: Look, memory: Row[Any], now_us: int) -> tuple[MetaBook, _Difference]:
    """Compare what was found with what the ledger has."""
    with ledger.reading() as connection:
        rows = connection.execute(select(*(FILES.c[name] for name in _KNOWN)).where(FILES.c.share == share.name)).all()
        metas = connection.execute(select(METAS).where(METAS.c.share == share.name)).all()
    book = MetaBook(share, look, metas)
    known = {row.relpath: row for row in rows}
    difference = _Difference(is_restart=_is_restart(memory, now_us))
    for relpath, facts in look.found.items():
        row = known.get(relpath)
        if row is None:
            difference.new.append(_first_row(share, book, look, relpath, now_us))
        elif row[2:5] != facts[:3] or (row.inode != facts.inode and not row.settled):
            difference.changed.append((row, _first_row(share, book, look, relpath, now_us)))
        else:
            if row.inode != facts.inode:  # a remount deals new ones; what replaces a file has a change time of its own
                difference.inodes.append((row.id, facts.inode))
            if row.absent_since_us is not None:
                difference.back.append(row)
            if not row.settled:
                still_us = 0 if difference.is_restart else now_us - row.still_since_us
                reason = why_unsettled(share, book, row.role, relpath, still_us)
                if reason is None:
                    difference.settled.append(row)
                elif reason != row.unsettled:
                    difference.reasons.append((row.id, reason))
    difference.absent = [
        row
        for relpath, row in known.items()
        if relpath not in look.found and row.absent_since_us is None and not look.is_unread(relpath)
    ]
    return book, difference


def _is_restart(memory: Row[Any], now_us: int) -> bool:
    """Whether all waits start anew: our clock went back, or passes where it stood before it did."""
    went_back = memory.clock_us is not None and now_us < memory.clock_us
    return went_back or (memory.clock_high_us is not None and now_us >= memory.clock_high_us)


def _first_row(share: Share, book: MetaBook, look: Look, relpath: str, now_us: int) -> dict[str, Any]:
    """Row of a file that is new or has changed: nothing of what was known of other bytes is kept."""
    name = named(share.kind, relpath, is_plain=relpath not in look.odd)
    state = "waiting" if name.role is not None else "ignored" if name.rule is not None else "quarantined"
    unsettled = why_unsettled(share, book, name.role, relpath, 0) if state == "waiting" else None
    facts = look.found[relpath]
    told = {"role": name.role, "day": name.day, "session": name.session, "state": state, "rule": name.rule}
    if name.refusal is not None:
        told |= {"reason": str(name.refusal), "by": "scan"}
    seen = dict.fromkeys(("first_seen_us", "last_change_seen_us", "still_since_us"), now_us)
    settled = {"settled": unsettled is None, "unsettled": unsettled}
    return {"share": share.name, "relpath": relpath} | facts._asdict() | _UNKNOWN | seen | settled | told


def _write(
    share: Share, ledger: Ledger, look: Look, memory: Row[Any], book: MetaBook, difference: _Difference, now_us: int
) -> bool:
    """Tell the ledger the difference in one transaction; False if another scan of the share was faster."""
    with ledger.writing() as (connection, stamp):
        standing = connection.scalar(select(SHARES.c.scan_stamp).where(SHARES.c.share == share.name))
        if standing != memory.scan_stamp:
            return False
        said = {"last_scan_us": now_us, "scan_status": "ok", "message": look.message, "scan_stamp": stamp}
        high = None
        if memory.clock_us is not None and now_us < max(memory.clock_us, memory.clock_high_us or 0):
            high = max(memory.clock_us, memory.clock_high_us or 0)
        marker = look.marker if look.marker is not None else memory.marker
        _note(connection, share, **said, had_files=True, marker=marker, clock_us=now_us, clock_high_us=high)
        if difference.is_restart:
            here = (FILES.c.share == share.name) & FILES.c.settled.is_(False)
            connection.execute(update(FILES).where(here).values(still_since_us=now_us))
        _write_metas(connection, share, book)
        _write_changed(connection, difference, now_us)
        if difference.new:
            connection.execute(insert(FILES), difference.new)
        _each(connection, [row.id for row in difference.settled], {"settled": True, "unsettled": None})
        _each(connection, [row.id for row in difference.absent], {"absent_since_us": now_us})
        _each(connection, [row.id for row in difference.back], {"absent_since_us": None})
        _one_by_one(connection, "unsettled", difference.reasons)
        _one_by_one(connection, "inode", difference.inodes)
        mark_days(connection, stamp, difference.days())
        touch(connection, stamp, difference.sessions())
    return True


def _note(connection: Connection, share: Share, **values: Any) -> None:
    connection.execute(update(SHARES).where(SHARES.c.share == share.name).values(**values))


def _write_metas(connection: Connection, share: Share, book: MetaBook) -> None:
    rows = book.rows_read()
    for part in chunks(row["relpath"] for row in rows):
        connection.execute(delete(METAS).where(METAS.c.share == share.name, METAS.c.relpath.in_(part)))
    if rows:
        connection.execute(insert(METAS), rows)


def _write_changed(connection: Connection, difference: _Difference, now_us: int) -> None:
    """Put changed files back to waiting; what was known of those that meant something goes into the history."""
    if not difference.changed:
        return
    meant = [row for row, _ in difference.changed if row.state in _MEANT or row.rule == SAME_BYTES]
    keep_facts(connection, [row.id for row in meant], now_us, "changed")
    for row in meant:
        if row.session is not None and row.by is not None:
            forget_stages(connection, row.session, STAGES.c.stage == row.by)
    kept = {"share", "relpath", "first_seen_us"}
    rows = []
    for row, values in difference.changed:
        session = values["session"] or (row.session if values["state"] == "waiting" else None)
        rows.append({**{k: v for k, v in values.items() if k not in kept}, "session": session, "row_id": row.id})
    connection.execute(update(FILES).where(FILES.c.id == bindparam("row_id")), rows)


def _each(connection: Connection, ids: Iterable[int], values: dict[str, Any]) -> None:
    for part in chunks(ids):
        connection.execute(update(FILES).where(FILES.c.id.in_(part)).values(**values))


def _one_by_one(connection: Connection, column: str, values: list[tuple[int, Any]]) -> None:
    if values:
        statement = update(FILES).where(FILES.c.id == bindparam("row_id")).values({column: bindparam("value")})
        connection.execute(statement, [{"row_id": row_id, "value": value} for row_id, value in values])
