"""What the orchestrator must remember of sessions: starts, stages done or failed, waits, and what was touched since. Files live in `ledger`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, or_, select, update

from map_assets.shares.schema import COUNTER, DIRTY_DAYS, METADATA, SESSIONS, STAGES, WAITS
from map_assets.shares.share import StageRecord
from map_assets.store.database import open_engine
from map_assets.vocabulary.session import SessionKey

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHUNK = 5000


def microseconds(now: datetime | None) -> int:
    """Return an instant (None: this one) as whole us since 1970 UTC; a time without zone is this machine's."""
    return ((now or datetime.now(UTC)).astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(value: int) -> datetime:
    """Return the instant in UTC."""
    return _EPOCH + timedelta(microseconds=value)


def chunks(values: Iterable[Any]) -> Iterator[Sequence[Any]]:
    """Cut values into lists that fit into one SQL statement."""
    listed = list(values)
    return (listed[start : start + _CHUNK] for start in range(0, len(listed), _CHUNK))


class StageMemory:
    """The part of the ledger that speaks of sessions and stages.

    Parameters
    ----------
    url : str
        ``sqlite:///file`` or ``postgresql://...``; tables are made where they are not there.
    """

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url, METADATA, COUNTER, is_durable=False)

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read one consistent picture; writers are not held up."""
        with self.engine.connect().execution_options(is_reading=True) as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[tuple[Connection, int]]:
        """Write all or nothing; gives the new value of the counter, whose row lock lets one writer in at a time."""
        with self.engine.begin() as connection:
            yield (
                connection,
                connection.execute(
                    update(COUNTER).values(value=COUNTER.c.value + 1).returning(COUNTER.c.value)
                ).scalar_one(),
            )

    # -- what was touched ----------------------------------------------------------------------------------------------
    def touched(self, since: int) -> tuple[list[str], int]:
        """List the sessions whose files, start or stages changed after counter value `since` (0: all), and the counter now."""
        with self.reading() as connection:
            counter = connection.scalar(select(COUNTER.c.value))
            keys = connection.scalars(
                select(SESSIONS.c.session).where(SESSIONS.c.touched > since).order_by(SESSIONS.c.session)
            ).all()
        return list(keys), int(counter or 0)

    def touch(self, sessions: Iterable[str]) -> None:
        """Let sessions be looked at again."""
        with self.writing() as (connection, stamp):
            touch(connection, stamp, sessions)

    # -- starts --------------------------------------------------------------------------------------------------------
    def set_session_start(self, session: str, start_local: datetime) -> None:
        """Remember when trial 1 began on the rig's wall clock (any zone is dropped); tells runs of one day apart."""
        start = start_local.replace(tzinfo=None).isoformat()
        day = SessionKey.parse(session).name_date.isoformat()
        with self.writing() as (connection, stamp):
            row = connection.execute(select(SESSIONS.c.start_local).where(SESSIONS.c.session == session)).first()
            if row is not None and row.start_local == start:
                return
            touch(connection, stamp, [session])
            connection.execute(update(SESSIONS).where(SESSIONS.c.session == session).values(start_local=start))
            mark_days(connection, stamp, [day])

    def session_start(self, session: str) -> datetime | None:
        """Return what `set_session_start` was told."""
        with self.reading() as connection:
            text = connection.scalar(select(SESSIONS.c.start_local).where(SESSIONS.c.session == session))
        return None if text is None else datetime.fromisoformat(text)

    # -- stages --------------------------------------------------------------------------------------------------------
    def record_stage(
        self,
        session: str,
        stage: str,
        signature: str,
        outcome: Literal["done", "failed"],
        detail: str = "",
        now: datetime | None = None,
    ) -> None:
        """Remember how a stage ended with inputs of that signature; the last record of a stage stands."""
        row = {"signature": signature, "outcome": outcome, "detail": detail, "at_us": microseconds(now)}
        with self.writing() as (connection, stamp):
            connection.execute(delete(STAGES).where(STAGES.c.session == session, STAGES.c.stage == stage))
            connection.execute(insert(STAGES).values(session=session, stage=stage, **row))
            touch(connection, stamp, [session])

    def stage_records(self, session: str) -> dict[str, StageRecord]:
        """Return a session's records by stage."""
        with self.reading() as connection:
            rows = connection.execute(select(STAGES).where(STAGES.c.session == session).order_by(STAGES.c.stage)).all()
        return {row.stage: _record(row) for row in rows}

    def unfinished(self, done_mark: str) -> list[tuple[str, StageRecord]]:
        """List the records, with their sessions, of stages that failed or whose detail lacks `done_mark`."""
        may_be = or_(STAGES.c.outcome == "failed", STAGES.c.detail.not_like(f"%{done_mark}%"))
        with self.reading() as connection:
            rows = connection.execute(select(STAGES).where(may_be).order_by(STAGES.c.session, STAGES.c.stage)).all()
        return [(row.session, _record(row)) for row in rows]

    def forget_stage(self, session: str, stage: str | None = None) -> None:
        """Forget a stage's record (None: all of the session), so that it is due again."""
        with self.writing() as (connection, stamp):
            forget_stages(connection, session, None if stage is None else STAGES.c.stage == stage)
            touch(connection, stamp, [session])

    # -- waits ---------------------------------------------------------------------------------------------------------
    def set_waits(self, session: str, reasons: Mapping[str, str]) -> None:
        """Put what a session's stages wait for in the place of what stood there; touches nothing."""
        rows = [{"session": session, "stage": stage, "reason": reason} for stage, reason in reasons.items()]
        with self.reading() as connection:
            stand = connection.execute(select(WAITS.c.stage, WAITS.c.reason).where(WAITS.c.session == session)).all()
        if {(stage, reason) for stage, reason in stand} == set(reasons.items()):
            return
        with self.writing() as (connection, _):
            connection.execute(delete(WAITS).where(WAITS.c.session == session))
            if rows:
                connection.execute(insert(WAITS), rows)

    def waits(self) -> list[tuple[str, str, str]]:
        """List all waits: session, stage, reason."""
        with self.reading() as connection:
            rows = connection.execute(select(WAITS).order_by(WAITS.c.session, WAITS.c.stage)).all()
        return [(row.session, row.stage, row.reason) for row in rows]


def touch(connection: Connection, stamp: int, sessions: Iterable[str | None]) -> None:
    """Stamp sessions with the counter, making rows of those that have none."""
    for part in chunks({key for key in sessions if key is not None}):
        known = set(connection.scalars(select(SESSIONS.c.session).where(SESSIONS.c.session.in_(part))))
        connection.execute(update(SESSIONS).where(SESSIONS.c.session.in_(part)).values(touched=stamp))
        fresh = [{"session": key, "touched": stamp} for key in part if key not in known]
        if fresh:
            connection.execute(insert(SESSIONS), fresh)


def mark_days(connection: Connection, stamp: int, days: Iterable[str | None]) -> None:
    """Let `refresh` look at all files of these days again."""
    for part in chunks({day for day in days if day is not None}):
        connection.execute(delete(DIRTY_DAYS).where(DIRTY_DAYS.c.day.in_(part)))
        connection.execute(insert(DIRTY_DAYS), [{"day": day, "stamp": stamp} for day in part])


def forget_stages(connection: Connection, session: str, which: ColumnElement[bool] | None) -> None:
    """Delete a session's stage records that meet a condition (None: all)."""
    statement = delete(STAGES).where(STAGES.c.session == session)
    connection.execute(statement if which is None else statement.where(which))


def _record(row: Row[Any]) -> StageRecord:
    return StageRecord(row.stage, row.signature, row.outcome, row.detail, from_microseconds(row.at_us))
