"""What every part of the journal stands on: the open database, its clock, and how rows are read. Steps live in `journal`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, insert, select

from map_assets.archive.batch import FILES, Event, Numbers, read_ranges, written_ranges
from map_assets.archive.journal_schema import BATCHES, EVENTS, METADATA
from map_assets.archive.journal_schema import FILES as FILE_ROWS
from map_assets.archive.states import State
from map_assets.store.database import open_engine
from map_assets.vocabulary.errors import MapAssetsError

_ROWS_AT_ONCE = 5_000


class NotAllowed(MapAssetsError):
    """A step that a file cannot take from where it stands."""


class OpenJournal:
    """The journal's database, open.

    Parameters
    ----------
    url : str
        ``sqlite:///file`` or ``postgresql://...``; tables are made where they are not there.
    """

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url, METADATA)

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open one picture of the database."""
        with self.engine.connect().execution_options(is_reading=True) as connection, connection.begin():
            yield connection


def append(
    connection: Connection,
    batch: str,
    files: Numbers,
    state: State,
    now: datetime | None,
    actor: str,
    why: str,
    evidence: Mapping[str, Any],
) -> None:
    """Write an event down."""
    connection.execute(
        insert(EVENTS).values(
            batch=batch,
            files=written_ranges(files.tolist()),
            state=str(state),
            at_us=microseconds(now),
            actor=actor,
            why=why,
            evidence=json.dumps(evidence, sort_keys=True),
        )
    )


def states(connection: Connection, batch: str, *, is_locking: bool = True) -> np.ndarray:
    """Tell where each file of a batch stands, by its number; an array of str.

    With `is_locking`, two processes that move files of the batch wait for each other here.
    """
    sought = select(BATCHES.c.n_files).where(BATCHES.c.batch == batch)
    n_files = connection.scalar(sought.with_for_update() if is_locking else sought)
    if n_files is None:
        raise NotAllowed(f"The journal has no batch {batch}.")
    found = np.full(n_files, "", object)
    events = select(EVENTS.c.files, EVENTS.c.state).where(EVENTS.c.batch == batch).order_by(EVENTS.c.seq)
    for files, state in connection.execute(events):
        found[read_ranges(files)] = state
    return found


def files_of(connection: Connection, batch: str) -> pa.Table:
    """Return `batch.FILES` of one batch."""
    session = connection.scalar(select(BATCHES.c.session).where(BATCHES.c.batch == batch))
    names = [name for name in FILES.names if name not in {"session", "state"}]
    schema = pa.schema([FILES.field(name) for name in names])
    rows = connection.execute(
        select(*(FILE_ROWS.c[name] for name in names)).where(FILE_ROWS.c.batch == batch).order_by(FILE_ROWS.c.file)
    )
    # a few thousand rows are held as Python's own values at a time
    pieces = [pa.table(list(zip(*some, strict=True)), schema=schema) for some in rows.partitions(_ROWS_AT_ONCE)]
    found = pa.concat_tables([schema.empty_table(), *pieces])
    stand = states(connection, batch, is_locking=False).tolist()
    told = {"session": pa.repeat(pa.scalar(session), len(stand)), "state": pa.array(stand, pa.string())}
    return pa.table([told.get(name, found[name] if name in names else None) for name in FILES.names], schema=FILES)


def event_of(row: Any) -> Event:
    """Read an event's row."""
    return Event(
        row.seq,
        row.batch,
        read_ranges(row.files),
        State(row.state),
        instant(row.at_us),
        row.actor,
        row.why,
        json.loads(row.evidence),
    )


def clock(now: datetime | None) -> datetime:
    """Return `now`, or what our clock says."""
    return now or datetime.now(UTC)


def microseconds(now: datetime | None) -> int:
    """Write an instant (None: the present) as whole microseconds since 1970 UTC."""
    return round(clock(now).timestamp() * 1e6)


def instant(us: int) -> datetime:
    """Read what `microseconds` wrote."""
    return datetime.fromtimestamp(us / 1e6, UTC)
