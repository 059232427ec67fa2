"""What comes to pass of itself, and who is told: transfers that ended, sessions whose turn it is. Settling them is `journal_submissions`'.

No more is asked of a mover at once than the limits say, over all sessions; a session that finds no place waits its turn.
What is to be told has a number of its own, so that no clock decides who hears of it.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select

from map_assets.archive.journal_base import microseconds
from map_assets.archive.journal_leases import LeasingJournal
from map_assets.archive.journal_schema import BATCHES, CALLS, EVENTS, SUBMISSIONS, TURNS
from map_assets.archive.states import State

MANIFEST_ACTOR = "manifest"
"""Who opens a batch."""


class TurningJournal(LeasingJournal):
    """The journal's turns, and its marks of what came to pass."""

    def n_in_flight(self, backend: str) -> int:
        """Count the tasks that a mover has been given and that have not come to their end, of all sessions."""
        count = select(func.count()).select_from(SUBMISSIONS)
        is_open = SUBMISSIONS.c.settled_us.is_(None) & SUBMISSIONS.c.task.is_not(None)
        with self.reading() as connection:
            return int(connection.scalar(count.where(is_open, SUBMISSIONS.c.backend == backend)) or 0)

    def wait_turn(self, session: str, now: datetime | None = None) -> None:
        """Let a session wait until there is a place with the mover; under its lease. Without effect where it waits."""
        with self.engine.begin() as connection:
            if connection.scalar(select(TURNS.c.session).where(TURNS.c.session == session)) is None:
                connection.execute(insert(TURNS).values(session=session, since_us=microseconds(now)))

    def is_under_way(self, session: str) -> bool:
        """Whether a mover is at work on a session, or it waits its turn."""
        is_open = select(SUBMISSIONS.c.submission).join(BATCHES, BATCHES.c.batch == SUBMISSIONS.c.batch)
        is_open = is_open.where(BATCHES.c.session == session, SUBMISSIONS.c.settled_us.is_(None))
        waits = select(TURNS.c.session).where(TURNS.c.session == session)
        with self.reading() as connection:
            return any(connection.scalar(statement.limit(1)) is not None for statement in (is_open, waits))

    def call_next(self, n_places: int, now: datetime | None = None) -> list[str]:
        """Call the sessions that have waited longest, as many as there are places; they are told of from then on."""
        if n_places <= 0:
            return []
        longest = select(TURNS.c.session).order_by(TURNS.c.since_us, TURNS.c.session).limit(n_places)
        with self.engine.begin() as connection:
            called = list(connection.scalars(longest))
            for session in called:
                connection.execute(delete(TURNS).where(TURNS.c.session == session))
                call(connection, session, "turn", now)
        return called

    def calls_after(self, cursor: int) -> tuple[list[str], int]:
        """Name the sessions that are to be told of since a cursor, and give the next one.

        A cursor that this database never gave (it was restored, or is another) counts as 0: they are told of again.
        """
        with self.reading() as connection:
            last = int(connection.scalar(select(func.max(CALLS.c.seq))) or 0)
            since = cursor if 0 <= cursor <= last else 0
            return sorted(set(connection.scalars(select(CALLS.c.session).where(CALLS.c.seq > since)))), last

    def last_step(self, session: str) -> str:
        """Number of the last step of any of a session's files; empty where it has none."""
        statement = select(func.max(EVENTS.c.seq)).join(BATCHES, BATCHES.c.batch == EVENTS.c.batch)
        with self.reading() as connection:
            found = connection.scalar(statement.where(BATCHES.c.session == session))
        return "" if found is None else str(found)

    def marks(self, session: str | None = None) -> dict[str, str]:
        """Fingerprint, for each session or one, what came to pass of itself: transfers that ended, turns, files given back.

        A stage that moves files is due again when this changes; what the stage itself did does not change it.
        """
        of_batch = BATCHES.c.batch == SUBMISSIONS.c.batch
        polled = select(BATCHES.c.session, func.count(), func.max(SUBMISSIONS.c.settled_us)).join(SUBMISSIONS, of_batch)
        polled = polled.where(SUBMISSIONS.c.is_polled).group_by(BATCHES.c.session)
        turns = select(CALLS.c.session, func.count(), func.max(CALLS.c.seq)).where(CALLS.c.what == "turn")
        given = select(BATCHES.c.session, func.count(), func.max(EVENTS.c.seq)).join(
            EVENTS, EVENTS.c.batch == BATCHES.c.batch
        )
        given = given.where(EVENTS.c.state == str(State.MANIFESTED), EVENTS.c.actor != MANIFEST_ACTOR)
        kinds = {
            "polled": (polled, BATCHES.c.session),
            "turn": (turns.group_by(CALLS.c.session), CALLS.c.session),
            "given back": (given.group_by(BATCHES.c.session), BATCHES.c.session),
        }
        found: dict[str, str] = {}
        with self.reading() as connection:
            for kind, (statement, of) in kinds.items():
                chosen = statement if session is None else statement.where(of == session)
                for name, n_rows, last in connection.execute(chosen):
                    found[name] = f"{found.get(name, '')}{kind} {n_rows}, last {last}; "
        return found


def call(connection: Connection, session: str, what: str, now: datetime | None) -> None:
    """Write down that a session is to be told of."""
    connection.execute(insert(CALLS).values(session=session, what=what, at_us=microseconds(now)))
