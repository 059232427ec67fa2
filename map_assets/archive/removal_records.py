"""What people decided about removal, and what was seen and done: approvals, holds, acts and looks. Acting on them lives in `removal`."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, select

from map_assets.archive.journal_base import instant, microseconds
from map_assets.archive.removal_decisions import Approval, FileName, Hold, Look
from map_assets.archive.removal_policy import RemovalRefused
from map_assets.archive.removal_schema import (
    ACTS,
    APPROVALS,
    APPROVED_FILES,
    HOLDS,
    LIFTED,
    LOOKS,
    METADATA,
    REVOCATIONS,
)
from map_assets.store.database import open_engine

_PATHS_AT_ONCE = 500


class RemovalRecords:
    """The records in the lab's database; safe for several processes at once. `now` None is the clock."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url, METADATA)

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self.engine.connect().execution_options(is_reading=True) as connection, connection.begin():
            yield connection

    # -- approvals -----------------------------------------------------------------------------------------------------
    def approve(
        self,
        session: str,
        files: Sequence[Mapping[str, Any]],
        *,
        who: str,
        why: str,
        plan: str,
        lifetime_s: float,
        account: str = "",
        now: datetime | None = None,
    ) -> Approval:
        """Write down that named bytes may be removed.

        Parameters
        ----------
        files : sequence of mapping
            batch, file, share, path, size and sha256 of each.
        account : str
            User of the operating system who gives it; empty where that is not known.

        Raises
        ------
        RemovalRefused
            If no file, no person or no reason is named, or one has no hash.
        """
        _need(who, why)
        if not files or not all(len(file["sha256"]) == 64 for file in files):
            raise RemovalRefused("An approval names each file with its sha256; this one names none.")
        name = secrets.token_hex(8)
        at_us = microseconds(now)
        values = {"approval": name, "session": session, "who": who, "why": why, "plan": plan, "at_us": at_us}
        values |= {"account": account}
        columns = ("batch", "file", "share", "path", "size", "sha256")
        with self.engine.begin() as connection:
            connection.execute(insert(APPROVALS).values(**values, until_us=at_us + round(lifetime_s * 1e6)))
            rows = [{"approval": name, **{column: file[column] for column in columns}} for file in files]
            connection.execute(insert(APPROVED_FILES), rows)
        return next(one for one in self.approvals(session) if one.approval == name)

    def revoke(self, approval: str, *, who: str, why: str, now: datetime | None = None) -> None:
        """Take an approval back; what is in quarantine under it is put back at the next run."""
        _need(who, why)
        with self.engine.begin() as connection:
            values = {"approval": approval, "who": who, "why": why, "at_us": microseconds(now)}
            connection.execute(insert(REVOCATIONS).values(**values))

    def approvals(self, session: str) -> list[Approval]:
        """List a session's approvals, oldest first."""
        with self._reading() as connection:
            revoked = set(connection.scalars(select(REVOCATIONS.c.approval)))
            found = connection.execute(
                select(APPROVALS).where(APPROVALS.c.session == session).order_by(APPROVALS.c.at_us)
            ).all()
            files: dict[str, dict[FileName, str]] = {row.approval: {} for row in found}
            chosen = select(APPROVED_FILES).where(APPROVED_FILES.c.approval.in_(files))
            for row in connection.execute(chosen):
                files[row.approval][row.batch, row.file] = row.sha256
        return [
            Approval(
                *(row.approval, row.session, row.who, row.why, row.plan),
                *(instant(row.at_us), instant(row.until_us), files[row.approval], row.approval in revoked, row.account),
            )
            for row in found
        ]

    # -- holds ---------------------------------------------------------------------------------------------------------
    def hold(
        self,
        session: str,
        *,
        who: str,
        why: str,
        share: str | None = None,
        path: str | None = None,
        now: datetime | None = None,
    ) -> str:
        """Keep a session, its files on one share, or one of them, until the hold is lifted; returns the hold's name."""
        _need(who, why)
        name = secrets.token_hex(6)
        values = {"hold": name, "session": session, "share": share, "path": path, "who": who, "why": why}
        with self.engine.begin() as connection:
            connection.execute(insert(HOLDS).values(**values, at_us=microseconds(now)))
        return name

    def lift(self, hold: str, *, who: str, why: str, now: datetime | None = None) -> None:
        """End a hold."""
        _need(who, why)
        with self.engine.begin() as connection:
            connection.execute(insert(LIFTED).values(hold=hold, who=who, why=why, at_us=microseconds(now)))

    def holds(self, session: str) -> list[Hold]:
        """List the holds that stand on a session."""
        statement = (
            select(HOLDS).where(HOLDS.c.session == session, HOLDS.c.hold.not_in(select(LIFTED.c.hold)))
        ).order_by(HOLDS.c.at_us)
        with self._reading() as connection:
            return [
                Hold(row.hold, row.session, row.share, row.path, row.who, row.why, instant(row.at_us))
                for row in connection.execute(statement)
            ]

    # -- acts ----------------------------------------------------------------------------------------------------------
    def about_to(
        self,
        act: str,
        batch: str,
        file: int,
        event: int,
        *,
        actor: str,
        evidence: Mapping[str, Any],
        now: datetime | None = None,
    ) -> None:
        """Write down, durably, what is about to be done to a file; `event` is the journal's step that it rests on."""
        values = {"batch": batch, "file": file, "act": act, "event": event, "actor": actor, "at_us": microseconds(now)}
        with self.engine.begin() as connection:
            connection.execute(insert(ACTS).values(**values, evidence=json.dumps(evidence, sort_keys=True)))

    def was_about_to(self, act: str, batch: str, file: int, event: int) -> Mapping[str, Any] | None:
        """Return the evidence of the last such act resting on that step, or None."""
        statement = (
            select(ACTS.c.evidence)
            .where(ACTS.c.batch == batch, ACTS.c.file == file, ACTS.c.act == act, ACTS.c.event == event)
            .order_by(ACTS.c.seq.desc())
        )
        with self._reading() as connection:
            found = connection.scalar(statement.limit(1))
        return None if found is None else json.loads(found)

    # -- looks ---------------------------------------------------------------------------------------------------------
    def note_look(self, look: Look) -> None:
        """Write down what reading an archived copy again said."""
        values = {name: getattr(look, name) for name in Look.__dataclass_fields__ if name != "at"}
        with self.engine.begin() as connection:
            connection.execute(insert(LOOKS).values(**values, at_us=microseconds(look.at)))

    def last_equal(self, archive_paths: Iterable[str] | None = None) -> dict[tuple[str, str], datetime]:
        """When each copy was last read back equal, by archive path and sha256."""
        newest = select(LOOKS.c.archive_path, LOOKS.c.sha256, func.max(LOOKS.c.at_us).label("at_us"))
        newest = newest.where(LOOKS.c.verdict == "equal").group_by(LOOKS.c.archive_path, LOOKS.c.sha256)
        some = [newest]
        if archive_paths is not None:
            paths = sorted(set(archive_paths))
            chunks = (paths[first : first + _PATHS_AT_ONCE] for first in range(0, len(paths), _PATHS_AT_ONCE))
            some = [newest.where(LOOKS.c.archive_path.in_(chunk)) for chunk in chunks]
        with self._reading() as connection:
            return {
                (row.archive_path, row.sha256): instant(row.at_us)
                for statement in some
                for row in connection.execute(statement)
            }

    def looks(self, archive_path: str | None = None) -> list[Look]:
        """List looks, oldest first: all, or at one copy."""
        statement = select(LOOKS).order_by(LOOKS.c.seq)
        if archive_path is not None:
            statement = statement.where(and_(LOOKS.c.archive_path == archive_path))
        with self._reading() as connection:
            return [_look(row) for row in connection.execute(statement)]


def _look(row: Row[Any]) -> Look:
    return Look(
        *(row.archive_path, row.sha256, row.size, row.verdict, row.reason, row.method, row.detail),
        instant(row.at_us),
    )


def _need(who: str, why: str) -> None:
    if not who.strip() or not why.strip():
        raise RemovalRefused("Who decides and the reason must be named; both are kept.")
