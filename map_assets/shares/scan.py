"""Scanning a share: what is there is compared with what the ledger has, and the ledger learns the difference. Placing lives in `refresh`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from map_assets.shares.difference import Difference, compare
from map_assets.shares.ledger import Ledger, keep_facts
from map_assets.shares.refresh import refresh
from map_assets.shares.roles import rules_mark
from map_assets.shares.schema import FILES, METAS, SHARES, STAGES
from map_assets.shares.settling import MetaBook
from map_assets.shares.share import ScanReport, Share
from map_assets.shares.stages import chunks, mark_days, microseconds, touch
from map_assets.shares.walk import Look, look_at

_JUDGED_TOGETHER = frozenset({"sorting"})
"""Roles of whose files a folder is one thing."""


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
    is_restart, is_renamed = _is_restart(memory, now_us), memory.rules != rules_mark(share.kind)
    with ledger.reading() as connection:
        book = MetaBook(share, look, connection.execute(select(METAS).where(METAS.c.share == share.name)).all())
        difference = compare(connection, share, look, book, now_us, is_restart=is_restart, is_renamed=is_renamed)
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
                rest = {"had_files": False, "scan_status": "never scanned", "message": "", "scan_stamp": 0, "rules": ""}
                connection.execute(insert(SHARES).values(share=share.name, **facts, **rest))
            else:
                connection.execute(update(SHARES).where(SHARES.c.share == share.name).values(**facts))
            row = connection.execute(statement).one()
    return row


def _is_restart(memory: Row[Any], now_us: int) -> bool:
    """Whether all waits start anew: our clock went back, or passes where it stood before it did."""
    went_back = memory.clock_us is not None and now_us < memory.clock_us
    return went_back or (memory.clock_high_us is not None and now_us >= memory.clock_high_us)


def _write(
    share: Share, ledger: Ledger, look: Look, memory: Row[Any], book: MetaBook, difference: Difference, now_us: int
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
        said |= {"clock_us": now_us, "clock_high_us": high, "rules": rules_mark(share.kind)}
        _note(connection, share, **said, had_files=True, marker=marker)
        if _is_restart(memory, now_us):
            here = (FILES.c.share == share.name) & FILES.c.settled.is_(False)
            connection.execute(update(FILES).where(here).values(still_since_us=now_us))
        _write_metas(connection, share, book)
        _write_changed(connection, difference, now_us)
        _take_up_again(connection, share, difference, now_us)
        if difference.new:
            connection.execute(insert(FILES), difference.new)
        _each(connection, [row.id for row in difference.settled], {"settled": True, "unsettled": None})
        _each(connection, [row.id for row in difference.absent], {"absent_since_us": now_us})
        _each(connection, [row.id for row in difference.back], {"absent_since_us": None})
        _one_by_one(connection, "unsettled", difference.reasons)
        _one_by_one(connection, "inode", difference.inodes)
        mark_days(connection, stamp, [*difference.days(), *_disputed_days(connection, difference)])
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


def _write_changed(connection: Connection, difference: Difference, now_us: int) -> None:
    """Put changed files back to waiting; what was known of those that meant something goes into the history."""
    if not difference.changed:
        return
    keep_facts(connection, [row.id for row in difference.meant], now_us, "changed")
    for row in difference.meant:
        if row.session is not None and row.by is not None:
            # due again; what its last result was worth stays known until there is another
            mine = (STAGES.c.session == row.session) & (STAGES.c.stage == row.by)
            connection.execute(update(STAGES).where(mine).values(signature=""))
    kept = {"share", "relpath", "first_seen_us"}
    rows = []
    for row, values in difference.changed:
        session = values["session"] or (row.session if values["state"] == "waiting" else None)
        rows.append({**{k: v for k, v in values.items() if k not in kept}, "session": session, "row_id": row.id})
    connection.execute(update(FILES).where(FILES.c.id == bindparam("row_id")), rows)


def _take_up_again(connection: Connection, share: Share, difference: Difference, now_us: int) -> None:
    """Let go of what a stage put into quarantine with a whole folder, when a file of that folder came or changed.

    A sorter's files are judged together: when the one that was damaged or missing is mended, so are the others.
    """
    arrived = [(values["relpath"], values["role"]) for values in difference.new]
    arrived += [(row.relpath, row.role) for row, _ in difference.changed]
    folders = {relpath.rpartition("/")[0] for relpath, role in arrived if role in _JUDGED_TOGETHER}
    if not folders:
        return
    here = (FILES.c.share == share.name) & (FILES.c.state == "quarantined") & FILES.c.role.in_(_JUDGED_TOGETHER)
    by_stage = FILES.c.rule.is_(None) & FILES.c.by.is_not(None) & FILES.c.settled.is_(True)
    rows = connection.execute(select(FILES.c.id, FILES.c.relpath, FILES.c.session).where(here & by_stage)).all()
    rows = [row for row in rows if row.relpath.rpartition("/")[0] in folders]
    keep_facts(connection, [row.id for row in rows], now_us, "retried", "scan", "a file of its folder came or changed")
    _each(connection, [row.id for row in rows], {"state": "waiting", "reason": None, "by": None})


def _disputed_days(connection: Connection, difference: Difference) -> list[str]:
    """Days on which one of several behaviour files of a session settled."""
    days: set[str] = set()
    for part in chunks(difference.settled_behavior()):
        here = (FILES.c.role == "behavior") & FILES.c.session.in_(part)
        several = select(FILES.c.day).where(here).group_by(FILES.c.session, FILES.c.day).having(func.count() > 1)
        days.update(connection.scalars(several))
    return sorted(days)


def _each(connection: Connection, ids: Iterable[int], values: dict[str, Any]) -> None:
    for part in chunks(ids):
        connection.execute(update(FILES).where(FILES.c.id.in_(part)).values(**values))


def _one_by_one(connection: Connection, column: str, values: list[tuple[int, Any]]) -> None:
    if values:
        statement = update(FILES).where(FILES.c.id == bindparam("row_id")).values({column: bindparam("value")})
        connection.execute(statement, [{"row_id": row_id, "value": value} for row_id, value in values])
