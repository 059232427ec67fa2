"""What was asked of a mover and how it ended, written down before it is asked. Asking lives in `transfer` and `polling`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import delete, insert, select, update

from map_assets.archive.batch import Submission, read_ranges, written_ranges
from map_assets.archive.journal_base import NotAllowed, append, clock, instant, microseconds, states
from map_assets.archive.journal_leases import Lease, check_lease
from map_assets.archive.journal_schema import BATCHES, SUBMISSIONS, TURNS
from map_assets.archive.journal_turns import TurningJournal, call
from map_assets.archive.states import STEPS, State


class SubmittingJournal(TurningJournal):
    """The journal's submissions."""

    def plan_submission(
        self, batch: str, files: Iterable[int], submission: str, backend: str, lease: Lease, now: datetime | None = None
    ) -> Submission:
        """Write down what is about to be asked of the mover, and that the files are submitted, in one transaction."""
        made = clock(now)
        numbers = np.unique(np.fromiter(files, np.int64))
        with self.engine.begin() as connection:
            check_lease(connection, lease, made)
            stand = states(connection, batch)
            wrong = [n for n in numbers.tolist() if State.SUBMITTED not in STEPS[State(stand[n])]]
            if wrong:
                raise NotAllowed(
                    f"File {wrong[0]} of batch {batch} stands at {stand[wrong[0]]} and cannot be submitted."
                )
            connection.execute(
                insert(SUBMISSIONS).values(
                    submission=submission,
                    batch=batch,
                    backend=backend,
                    files=written_ranges(numbers),
                    made_us=microseconds(made),
                    detail="",
                    bytes_done=0,
                    is_polled=False,
                )
            )
            connection.execute(delete(TURNS).where(TURNS.c.session == lease.session))
            append(connection, batch, numbers, State.SUBMITTED, made, backend, "", {"submission": submission})
        return Submission(submission, batch, backend, numbers, made, None, None, "", 0, None, None, False)

    def note_task(
        self, submission: str, task: str, detail: str = "", bytes_done: int = 0, now: datetime | None = None
    ) -> None:
        """Write down the mover's task, or how far it has come."""
        with self.engine.begin() as connection:
            connection.execute(
                update(SUBMISSIONS)
                .where(SUBMISSIONS.c.submission == submission)
                .values(task=task, detail=detail, bytes_done=bytes_done, polled_us=microseconds(now))
            )

    def settle(
        self, submission: str, outcome: str, detail: str, *, is_polled: bool, now: datetime | None = None
    ) -> None:
        """Write down how the mover's task ended: ``succeeded``, ``failed`` or ``blocked``; without effect the second time.

        What its files are then is `move`'s, and is written down first: a submission that is still open is looked at again.
        """
        with self.engine.begin() as connection:
            settled = connection.execute(
                update(SUBMISSIONS)
                .where(SUBMISSIONS.c.submission == submission, SUBMISSIONS.c.outcome.is_(None))
                .values(
                    outcome=outcome,
                    detail=detail,
                    settled_us=microseconds(now),
                    polled_us=microseconds(now),
                    is_polled=is_polled,
                )
            )
            if is_polled and settled.rowcount:
                owner = select(BATCHES.c.session).join(SUBMISSIONS, SUBMISSIONS.c.batch == BATCHES.c.batch)
                session = connection.scalar(owner.where(SUBMISSIONS.c.submission == submission))
                call(connection, str(session), "ended", now)

    def tasks(self, backend: str) -> list[tuple[str, Submission]]:
        """List a mover's tasks that have not come to their end, with their sessions, the longest not looked at first."""
        statement = select(BATCHES.c.session, SUBMISSIONS).join(SUBMISSIONS, SUBMISSIONS.c.batch == BATCHES.c.batch)
        statement = statement.where(SUBMISSIONS.c.settled_us.is_(None), SUBMISSIONS.c.task.is_not(None))
        statement = statement.where(SUBMISSIONS.c.backend == backend)
        with self.reading() as connection:
            found = connection.execute(statement.order_by(SUBMISSIONS.c.polled_us.nulls_first(), SUBMISSIONS.c.made_us))
            return [(row.session, _submission(row)) for row in found]

    def submissions(self, session: str | None = None, *, is_open: bool | None = None) -> list[Submission]:
        """List submissions, oldest first: all or of one session, open ones or ended ones."""
        statement = select(SUBMISSIONS).order_by(SUBMISSIONS.c.made_us, SUBMISSIONS.c.submission)
        if session is not None:
            statement = statement.join(BATCHES, BATCHES.c.batch == SUBMISSIONS.c.batch).where(
                BATCHES.c.session == session
            )
        if is_open is not None:
            settled = SUBMISSIONS.c.settled_us
            statement = statement.where(settled.is_(None) if is_open else settled.is_not(None))
        with self.reading() as connection:
            return [_submission(row) for row in connection.execute(statement)]


def _submission(row: Any) -> Submission:
    return Submission(
        row.submission,
        row.batch,
        row.backend,
        read_ranges(row.files),
        instant(row.made_us),
        row.task,
        row.outcome,
        row.detail,
        row.bytes_done,
        None if row.polled_us is None else instant(row.polled_us),
        None if row.settled_us is None else instant(row.settled_us),
        row.is_polled,
    )
