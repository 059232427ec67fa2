"""Leases: one process at a time works on a session's archive. What it does under the lease lives with the callers."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from threading import Event, Thread
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from map_assets.archive.journal_base import OpenJournal, instant, microseconds
from map_assets.archive.journal_schema import LEASES
from map_assets.vocabulary.errors import NotYet

LEASE_S = 900.0
"""How long a session stays leased to a process that says nothing more."""


class LeasedElsewhere(NotYet):
    """Another process is at work on the session's archive."""


@dataclass
class Lease:
    """Leave to work on a session's archive until it runs out; `renew` before each long piece of work."""

    journal: LeasingJournal
    session: str
    owner: str

    def renew(self, seconds: float = LEASE_S) -> None:
        """Hold on for longer; raises LeasedElsewhere where the lease ran out and another process took it."""
        self.journal.take_lease(self.session, self.owner, seconds)

    @contextmanager
    def kept(self, seconds: float = LEASE_S) -> Iterator[None]:
        """Renew again and again while one long piece of work is done; a process that is killed renews no more."""
        is_done = Event()

        def renew() -> None:
            while not is_done.wait(seconds / 3):
                try:
                    self.renew(seconds)
                except LeasedElsewhere:  # the next step under the lease is refused, and says so
                    return
                except DBAPIError:  # the database may be back before the lease runs out
                    continue

        self.renew(seconds)
        renewing = Thread(target=renew, name=f"lease on {self.session}", daemon=True)
        renewing.start()
        try:
            yield
        finally:
            is_done.set()
            renewing.join()


class LeasingJournal(OpenJournal):
    """The journal's leases."""

    @contextmanager
    def lease(self, session: str, seconds: float = LEASE_S) -> Iterator[Lease]:
        """Work on a session's archive alone.

        Raises
        ------
        LeasedElsewhere
            If another process does.
        """
        lease = Lease(self, session, secrets.token_hex(8))
        lease.renew(seconds)
        try:
            yield lease
        finally:
            with self.engine.begin() as connection:
                mine = (LEASES.c.session == session) & (LEASES.c.owner == lease.owner)
                connection.execute(delete(LEASES).where(mine))

    def take_lease(self, session: str, owner: str, seconds: float, now: datetime | None = None) -> None:
        """Take or renew a lease; raises LeasedElsewhere where another owner's has not run out."""
        now_us = microseconds(now)
        values = {"owner": owner, "until_us": now_us + round(seconds * 1e6)}
        try:
            with self.engine.begin() as connection:
                held = connection.execute(_of(session).with_for_update()).one_or_none()
                if held is None:
                    connection.execute(insert(LEASES).values(session=session, **values))
                    return
                if held.owner != owner and held.until_us > now_us:
                    until = f"until {instant(held.until_us):%H:%M:%S} UTC"
                    raise LeasedElsewhere(f"The archive of {session} is worked on by another process {until}.")
                connection.execute(update(LEASES).where(LEASES.c.session == session).values(**values))
        except IntegrityError as error:  # another process wrote the first row of this session at the same moment
            raise LeasedElsewhere(f"The archive of {session} was just taken up by another process.") from error


def check_lease(connection: Connection, lease: Lease, now: datetime | None) -> None:
    """Raise LeasedElsewhere where a lease has run out; nobody takes it over before this transaction ends."""
    held = connection.execute(_of(lease.session).with_for_update()).one_or_none()
    if held is None or held.owner != lease.owner or held.until_us <= microseconds(now):
        raise LeasedElsewhere(
            f"The lease on the archive of {lease.session} has run out; nothing more is done under it."
        )


def _of(session: str) -> Select[Any]:
    return select(LEASES).where(LEASES.c.session == session)
