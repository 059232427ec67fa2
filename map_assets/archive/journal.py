"""The archive's journal: every step of every file, written down durably before the next is taken. Taking the steps lives elsewhere.

Events are only ever added; where a file stands is what its events say, one after the other. A session is worked on by
one process at a time, under a lease (`journal_leases`) that runs out by itself where its holder was killed. What was
asked of a mover is in `journal_submissions`, the tables are in `journal_schema`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, insert, select

from map_assets.archive.batch import FILES, Batch, Event
from map_assets.archive.journal_base import (
    NotAllowed,
    append,
    clock,
    event_of,
    files_of,
    instant,
    microseconds,
    states,
)
from map_assets.archive.journal_leases import LEASE_S, Lease, LeasedElsewhere, check_lease
from map_assets.archive.journal_schema import BATCHES, EVENTS, RECEIPTS
from map_assets.archive.journal_schema import FILES as FILE_ROWS
from map_assets.archive.journal_submissions import SubmittingJournal
from map_assets.archive.journal_turns import MANIFEST_ACTOR
from map_assets.archive.states import STEPS, State

__all__ = ["LEASE_S", "MANIFEST_ACTOR", "Journal", "Lease", "LeasedElsewhere", "NotAllowed"]

_ROWS_AT_ONCE = 5_000


class Journal(SubmittingJournal):
    """The journal in the lab's database; safe for several threads and processes at once.

    Methods that need the time take it as `now` (None: the clock).

    Parameters
    ----------
    url : str
        ``sqlite:///file`` or ``postgresql://...``; tables are made where they are not there.
    """

    # -- batches -------------------------------------------------------------------------------------------------------
    def open_batch(
        self, session: str, rows: pa.Table | Sequence[Mapping[str, Any]], now: datetime | None = None
    ) -> Batch | None:
        """Write down a batch of manifested files; those that a batch of the session holds already are left out.

        A file that was found UNSTABLE since is held no more: should it have those bytes again, it is taken up anew.

        Parameters
        ----------
        rows : pyarrow.Table or sequence of mapping
            share, path, archive_path, role, size, sha256, checks, mtime_ns, ctime_ns, device, inode of each file.

        Returns
        -------
        Batch or None
            None where every file is in a batch already.
        """
        schema = pa.schema(
            [FILES.field(name) for name in FILES.names if name not in {"batch", "file", "session", "state"}]
        )
        given = (
            rows.select(schema.names).cast(schema)
            if isinstance(rows, pa.Table)
            else pa.Table.from_pylist(list(rows), schema)
        )
        given = given.sort_by([("share", "ascending"), ("path", "ascending")])
        with self.engine.begin() as connection:
            earlier = connection.scalars(select(BATCHES.c.batch).where(BATCHES.c.session == session)).all()
            known = {item for batch in earlier for item in _standing(connection, batch)}
            keys = zip(*(given[name].to_pylist() for name in ("share", "path", "sha256")), strict=True)
            new = given.filter(pa.array([key not in known for key in keys], pa.bool_()))
            if not new.num_rows:
                return None
            batch = Batch(
                _name(session, len(earlier), new), session, clock(now), new.num_rows, pc.sum(new["size"]).as_py()
            )
            values = {"batch": batch.batch, "session": session, "n_files": batch.n_files, "n_bytes": batch.n_bytes}
            connection.execute(insert(BATCHES).values(opened_us=microseconds(batch.opened_at), **values))
            for first in range(0, new.num_rows, _ROWS_AT_ONCE):
                some = new.slice(first, _ROWS_AT_ONCE).to_pylist()
                numbered = [{"batch": batch.batch, "file": first + n, **row} for n, row in enumerate(some)]
                connection.execute(insert(FILE_ROWS), numbered)
            append(connection, batch.batch, np.arange(new.num_rows), State.MANIFESTED, now, MANIFEST_ACTOR, "", {})
        return batch

    def batches(self, session: str | None = None) -> list[Batch]:
        """List batches, all or of one session, oldest first."""
        statement = select(BATCHES).order_by(BATCHES.c.opened_us, BATCHES.c.batch)
        if session is not None:
            statement = statement.where(BATCHES.c.session == session)
        with self.reading() as connection:
            return [
                Batch(row.batch, row.session, instant(row.opened_us), row.n_files, row.n_bytes)
                for row in connection.execute(statement)
            ]

    def files(self, session: str | None = None, batch: str | None = None) -> pa.Table:
        """Tell where each file stands.

        Returns
        -------
        pyarrow.Table
            Columns of `batch.FILES`, by batch in the order they were opened, then number.
        """
        with self.reading() as connection:
            statement = select(BATCHES.c.batch).order_by(BATCHES.c.opened_us, BATCHES.c.batch)
            if session is not None:
                statement = statement.where(BATCHES.c.session == session)
            if batch is not None:
                statement = statement.where(BATCHES.c.batch == batch)
            named = connection.scalars(statement).all()
            return pa.concat_tables([FILES.empty_table(), *(files_of(connection, name) for name in named)])

    def state_of(self, batch: str, file: int) -> State:
        """Tell where one file stands."""
        with self.reading() as connection:
            return State(states(connection, batch, is_locking=False)[file])

    def events(self, batch: str) -> list[Event]:
        """List the steps of a batch, oldest first."""
        with self.reading() as connection:
            rows = connection.execute(select(EVENTS).where(EVENTS.c.batch == batch).order_by(EVENTS.c.seq))
            return [event_of(row) for row in rows]

    # -- steps ---------------------------------------------------------------------------------------------------------
    def move(
        self,
        batch: str,
        files: Iterable[int],
        to: State,
        *,
        actor: str,
        why: str = "",
        evidence: Mapping[str, Any] | None = None,
        lease: Lease | None = None,
        now: datetime | None = None,
    ) -> None:
        """Let files of a batch take one step, all of them or none.

        Raises
        ------
        NotAllowed
            If one of them cannot take it from where it stands.
        LeasedElsewhere
            If `lease` is given and is not held any more.
        """
        numbers = np.unique(np.fromiter(files, np.int64))
        if not numbers.size:
            return
        with self.engine.begin() as connection:
            if lease is not None:
                check_lease(connection, lease, None)  # a lease runs by the clock, whatever the step is dated
            stand = states(connection, batch)
            for state in np.unique(stand[numbers]):
                if to not in STEPS[State(state)]:
                    first = numbers[stand[numbers] == state][0]
                    raise NotAllowed(
                        f"File {first} of batch {batch} stands at {state} and cannot become {to} from there."
                    )
            append(connection, batch, numbers, to, now, actor, why, evidence or {})

    # -- receipts ------------------------------------------------------------------------------------------------------
    def keep_receipt(self, session: str, path: str, sha256: str, content: str, now: datetime | None = None) -> None:
        """Keep a receipt's text here too; without effect where it is kept already."""
        with self.engine.begin() as connection:
            if connection.scalar(select(RECEIPTS.c.sha256).where(RECEIPTS.c.sha256 == sha256)) is None:
                values = {
                    "sha256": sha256,
                    "session": session,
                    "path": path,
                    "content": content,
                    "kept_us": microseconds(now),
                }
                connection.execute(insert(RECEIPTS).values(**values))

    def kept_hashes(self, session: str) -> dict[str, str]:
        """Return the sha256 of a session's receipts that are kept here, by their path in the archive."""
        with self.reading() as connection:
            rows = connection.execute(select(RECEIPTS.c.path, RECEIPTS.c.sha256).where(RECEIPTS.c.session == session))
            return {row.path: row.sha256 for row in rows}

    def kept_receipts(self, session: str) -> dict[str, str]:
        """Return the texts of a session's receipts that are kept here, by their path in the archive."""
        with self.reading() as connection:
            rows = connection.execute(
                select(RECEIPTS).where(RECEIPTS.c.session == session).order_by(RECEIPTS.c.kept_us)
            )
            return {row.path: row.content for row in rows}


def _name(session: str, n_earlier: int, rows: pa.Table) -> str:
    """Name a batch after what is in it, and how many there were before it."""
    found = hashlib.sha256(f"{n_earlier}".encode())
    for line in zip(*(rows[name].to_pylist() for name in ("share", "path", "sha256")), strict=True):
        found.update("\n{}\0{}\0{}".format(*line).encode())
    return f"{session}-{found.hexdigest()[:16]}"


def _standing(connection: Connection, batch: str) -> list[tuple[str, str, str]]:
    columns = (FILE_ROWS.c.share, FILE_ROWS.c.path, FILE_ROWS.c.sha256)
    rows = connection.execute(select(*columns).where(FILE_ROWS.c.batch == batch).order_by(FILE_ROWS.c.file))
    return [
        (row.share, row.path, row.sha256)
        for row, state in zip(rows, states(connection, batch), strict=True)
        if state != State.UNSTABLE
    ]
