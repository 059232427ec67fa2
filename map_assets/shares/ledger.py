"""The ledger: one row for every file ever found on a share, and what became of it. Filling it lives in `scan` and `refresh`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import Connection, Row, and_, case, func, insert, literal, select, update

from map_assets.shares.naming import is_plain_file, named
from map_assets.shares.schema import CHANGES, FILES, SHARES, STAGES
from map_assets.shares.share import FileChange, FileState, Inventory, LedgerFile, NoSuchFile, ShareStatus
from map_assets.shares.stages import (
    StageMemory,
    chunks,
    forget_stages,
    from_microseconds,
    mark_days,
    microseconds,
    touch,
)
from map_assets.vocabulary.files import FoundFile

READY = "it has settled and waits for its stage"
GONE = "it is not on the share any more"
_KEPT = ("share", "relpath", "size", "mtime_ns", "ctime_ns", "inode", "session", "state", "reason", "by", "sha256")


class Ledger(StageMemory):
    """What was found on the shares and what became of it; safe for several threads and processes at once.

    All writes are short transactions. Methods that need the time take it as `now` (None: the clock).

    Parameters
    ----------
    url : str
        ``sqlite:///file`` (parent folders are made) or ``postgresql://...``; tables are made where they are not there.
    """

    # -- looking -------------------------------------------------------------------------------------------------------
    def sessions(self) -> list[str]:
        """List the keys of all sessions that have a file on the shares which is not ignored, or one that was taken in."""
        stands = (FILES.c.state == "ingested") | ((FILES.c.state != "ignored") & FILES.c.absent_since_us.is_(None))
        with self.reading() as connection:
            keys = connection.scalars(
                select(FILES.c.session).where(FILES.c.session.is_not(None), stands).distinct().order_by(FILES.c.session)
            )
            return [str(key) for key in keys]

    def inventory(self, session: str) -> Inventory:
        """Collect a session's files that are neither ignored nor in quarantine."""
        columns = (FILES.c.share, FILES.c.relpath, FILES.c.role, FILES.c.size, FILES.c.mtime_ns, FILES.c.ctime_ns)
        with self.reading() as connection:
            rows = connection.execute(
                select(*columns, FILES.c.settled, FILES.c.absent_since_us, SHARES.c.root, SHARES.c.rig)
                .join(SHARES, SHARES.c.share == FILES.c.share)
                .where(
                    FILES.c.session == session, FILES.c.state.in_(("waiting", "ingested")), FILES.c.role.is_not(None)
                )
                .order_by(FILES.c.share, FILES.c.relpath)
            ).all()
        groups: dict[str, list[FoundFile]] = {"files": [], "unsettled": [], "absent": []}
        for row in rows:
            group = "absent" if row.absent_since_us is not None else "files" if row.settled else "unsettled"
            root, relpath = Path(row.root), PurePosixPath(row.relpath)
            groups[group].append(FoundFile(row.share, root, relpath, row.role, row.size, row.mtime_ns, row.rig))
        changed = {(row.share, row.relpath): row.ctime_ns for row in rows}
        return Inventory(session, changed_ns=changed, **{name: tuple(found) for name, found in groups.items()})

    def files(
        self, share: str | None = None, state: FileState | None = None, session: str | None = None
    ) -> list[LedgerFile]:
        """List files, all or of one share, state or session, by share and path."""
        wanted = {"share": share, "state": state, "session": session}
        statement = select(FILES).order_by(FILES.c.share, FILES.c.relpath)
        for name, value in wanted.items():
            if value is not None:
                statement = statement.where(FILES.c[name] == value)
        with self.reading() as connection:
            return [_ledger_file(row) for row in connection.execute(statement)]

    def changes(self, share: str, relpath: str) -> list[FileChange]:
        """List what a file was before it changed, moved, was retried or released; oldest first."""
        names = [name for name in FileChange.__dataclass_fields__ if name != "at"]
        with self.reading() as connection:
            rows = connection.execute(
                select(CHANGES).where(CHANGES.c.share == share, CHANGES.c.relpath == relpath).order_by(CHANGES.c.id)
            ).all()
        return [
            FileChange(at=from_microseconds(row.at_us), **{name: getattr(row, name) for name in names}) for row in rows
        ]

    def status(self) -> list[ShareStatus]:
        """Count each share's files by what became of them, in one picture."""
        states = ("ingested", "waiting", "quarantined", "ignored")
        counts = [
            func.coalesce(func.sum(case((FILES.c.state == state, 1), else_=0)), 0).label(state) for state in states
        ]
        absent = func.count(FILES.c.absent_since_us).label("absent")
        statement = (
            select(SHARES, func.count(FILES.c.id).label("found"), *counts, absent)
            .outerjoin(FILES, FILES.c.share == SHARES.c.share)
            .group_by(SHARES.c.share)
            .order_by(SHARES.c.share)
        )
        with self.reading() as connection:
            rows = connection.execute(statement).all()
        return [
            ShareStatus(
                share=row.share,
                found=row.found,
                absent=row.absent,
                last_scan=None if row.last_scan_us is None else from_microseconds(row.last_scan_us),
                scan_status=row.scan_status,
                message=row.message,
                **{state: int(getattr(row, state)) for state in states},
            )
            for row in rows
        ]

    def waiting_reasons(self) -> list[tuple[str, int]]:
        """List why files wait and how many do for each reason, most first."""
        gone = case((FILES.c.absent_since_us.is_not(None), GONE))
        why = func.coalesce(gone, FILES.c.unsettled, FILES.c.unplaced, FILES.c.reason, READY)
        counted = select(why.label("why")).where(FILES.c.state == "waiting").subquery()
        n_files = func.count().label("n_files")
        statement = select(counted.c.why, n_files).group_by(counted.c.why).order_by(n_files.desc(), counted.c.why)
        with self.reading() as connection:
            return [(row.why, row.n_files) for row in connection.execute(statement)]

    # -- what became of files ------------------------------------------------------------------------------------------
    def mark_ingested(self, files: Iterable[FoundFile], by: str, now: datetime | None = None) -> int:
        """Say that a stage took files in.

        Only settled, waiting files count whose size and modification time are still those of `files`: what changed
        meanwhile is due again, and what another stage put into quarantine stays there.

        Returns
        -------
        int
            How many files were marked.
        """
        values = {"state": "ingested", "by": by, "ingested_us": microseconds(now), "reason": None, "rule": None}
        with self.writing() as (connection, stamp):
            rows = [row for row in _rows_of(connection, files, ("waiting",)) if row.settled]
            _set(connection, [row.id for row in rows], values)
            mark_days(connection, stamp, _behavior_days(rows))
        return len(rows)

    def quarantine(self, files: Iterable[FoundFile], reason: str, by: str, now: datetime | None = None) -> int:
        """Put files aside with a sentence why, unless they changed meanwhile; returns how many were put aside."""
        values = {"state": "quarantined", "reason": reason, "by": by, "rule": None}
        with self.writing() as (connection, stamp):
            rows = _rows_of(connection, files, ("waiting", "ingested"))
            keep_facts(connection, [row.id for row in rows], microseconds(now), "quarantined", by, reason)
            _set(connection, [row.id for row in rows], values)
            mark_days(connection, stamp, _behavior_days(rows))
            touch(connection, stamp, [row.session for row in rows])
        return len(rows)

    def hold(self, files: Iterable[FoundFile], reason: str) -> int:
        """Say what waiting files wait for, unless they changed meanwhile; returns how many wait for it now."""
        with self.writing() as (connection, _):
            rows = _rows_of(connection, files, ("waiting",))
            _set(connection, [row.id for row in rows], {"reason": reason})
        return len(rows)

    def retry(self, share: str, relpath: str, now: datetime | None = None) -> None:
        """Take a file out of quarantine to be looked at once more, and forget its session's failed stages.

        Raises
        ------
        NoSuchFile
            If the ledger has no such file.
        UnsafePath, NameDoesNotParse
            If its name or kind still is what put it aside.
        """
        self._reopen(share, relpath, microseconds(now), "retried")

    def release(self, share: str, relpath: str, why: str, who: str, now: datetime | None = None) -> None:
        """Let a person say that a file is to be used as it is: incomplete, or in the place of another of its session.

        Holds until the file changes. Raises as `retry` does.
        """
        self._reopen(share, relpath, microseconds(now), "released", who, why)

    def _reopen(
        self, share: str, relpath: str, now_us: int, what: str, who: str | None = None, why: str | None = None
    ) -> None:
        with self.writing() as (connection, stamp):
            row = connection.execute(
                select(FILES, SHARES.c.kind, SHARES.c.root)
                .join(SHARES, SHARES.c.share == FILES.c.share)
                .where(FILES.c.share == share, FILES.c.relpath == relpath)
            ).first()
            if row is None:
                raise NoSuchFile(
                    f"The ledger knows no file {relpath} on share {share}; scan first, or correct the name."
                )
            name = named(row.kind, relpath, is_plain=is_plain_file(Path(row.root) / relpath))
            if name.refusal is not None:
                raise name.refusal
            if name.role is None:
                raise NoSuchFile(f"{relpath} on share {share} is ignored by rule {name.rule}; it cannot be used.")
            keep_facts(connection, [row.id], now_us, what, who, why)
            values: dict[str, Any] = {"state": "waiting", "reason": None, "rule": None, "by": None, "role": name.role}
            values |= {"day": name.day, "session": name.session or row.session}
            if what == "released":
                values |= {"settled": True, "unsettled": None}
                values |= {"released_by": who, "released_why": why, "released_us": now_us}
            _set(connection, [row.id], values)
            mark_days(connection, stamp, [name.day])
            if row.session is not None:
                forget_stages(connection, row.session, STAGES.c.outcome == "failed")
                touch(connection, stamp, [row.session])


def keep_facts(
    connection: Connection, ids: Iterable[int], now_us: int, what: str, who: str | None = None, why: str | None = None
) -> None:
    """Copy what files are now into the history, before something is changed."""
    said = [literal(now_us), literal(what), literal(who), literal(why)]
    for part in chunks(ids):
        rows = select(*(FILES.c[name] for name in _KEPT), *said).where(FILES.c.id.in_(part))
        connection.execute(insert(CHANGES).from_select([*_KEPT, "at_us", "what", "who", "why"], rows))


def _set(connection: Connection, ids: Iterable[int], values: dict[str, Any]) -> None:
    for part in chunks(ids):
        connection.execute(update(FILES).where(FILES.c.id.in_(part)).values(**values))


def _rows_of(connection: Connection, files: Iterable[FoundFile], states: tuple[str, ...]) -> list[Row[Any]]:
    """Rows of those files that are what they were, by share (few) and path (many)."""
    by_share: dict[str, dict[str, FoundFile]] = {}
    for file in files:
        by_share.setdefault(file.share, {})[str(file.relpath)] = file
    rows = []
    for share, wanted in by_share.items():
        for part in chunks(wanted):
            here = and_(FILES.c.share == share, FILES.c.relpath.in_(part), FILES.c.state.in_(states))
            found = connection.execute(select(FILES).where(here)).all()
            rows += [row for row in found if (row.size, row.mtime_ns) == _facts(wanted[row.relpath])]
    return rows


def _behavior_days(rows: Iterable[Row[Any]]) -> list[str | None]:
    """Days on which the standing of a behaviour file is another one now."""
    return [row.day for row in rows if row.role == "behavior"]


def _facts(file: FoundFile) -> tuple[int, int]:
    return file.size, file.mtime_ns


def _ledger_file(row: Row[Any]) -> LedgerFile:
    gone = None if row.absent_since_us is None else GONE
    waits = (gone or row.unsettled or row.unplaced or row.reason or READY) if row.state == "waiting" else None
    return LedgerFile(
        row.share,
        row.relpath,
        row.size,
        row.mtime_ns,
        row.ctime_ns,
        row.inode,
        from_microseconds(row.first_seen_us),
        from_microseconds(row.last_change_seen_us),
        row.session,
        row.role,
        row.state,
        row.reason if row.state == "quarantined" else waits,
        row.rule,
        row.by,
        bool(row.settled),
        None if row.absent_since_us is None else from_microseconds(row.absent_since_us),
        row.sha256,
        row.released_by,
        row.released_why,
    )
