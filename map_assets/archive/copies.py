"""The laboratory's archived copies, session by session, with when each was last read back whole. Reading them lives in `fixity`."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import select

from map_assets.archive.batch import FILES, read_ranges
from map_assets.archive.journal import Journal
from map_assets.archive.journal_base import microseconds, states
from map_assets.archive.journal_schema import BATCHES, EVENTS
from map_assets.archive.removal_records import RemovalRecords
from map_assets.archive.states import PROVEN, State

_WITH_A_COPY = pa.array(sorted(str(state) for state in (*PROVEN, State.SUSPECT)))
_NOTHING = FILES.empty_table()
_ROWS_AT_ONCE = 20_000


class Copies(NamedTuple):
    """Some archived copies.

    Parameters
    ----------
    files : pyarrow.Table
        `batch.FILES`, each copy once.
    seen_us : numpy.ndarray of int
        When each was last read back equal, microseconds since 1970 UTC; 0 where never.
    """

    files: pa.Table
    seen_us: np.ndarray


def oldest_copies(
    journal: Journal,
    records: RemovalRecords,
    budget_bytes: int,
    sessions: Collection[str] | None = None,
    most_files: int | None = None,
) -> pa.Table:
    """Choose what to read again: copies that were proven once, or are in doubt, the longest unread first.

    One session's files are looked at after the other, and no more of them are held than may be chosen in the end.

    Parameters
    ----------
    budget_bytes : int
        Bytes to read; one file is always chosen, however large.
    sessions : collection of str, optional
        Only copies of these.
    most_files : int, optional
        Files to read at most.

    Returns
    -------
    pyarrow.Table
        Rows of `batch.FILES`, in the order to read them; each copy once.
    """
    held: list[Copies] = []
    n_held = 0
    for copies in copies_by_session(journal, records, sessions):
        held.append(copies)
        n_held += copies.files.num_rows
        if n_held > _ROWS_AT_ONCE + held[0].files.num_rows:
            held = [oldest(held, budget_bytes, most_files, is_last=False)]
            n_held = held[0].files.num_rows
    return oldest(held, budget_bytes, most_files).files


def oldest(some: list[Copies], budget_bytes: int, most_files: int | None = None, *, is_last: bool = True) -> Copies:
    """Of some copies, those that are chosen from them: see `oldest_copies`.

    Unless it is the last choice, the first file that goes beyond the bytes is kept too: no younger one may pass it.
    """
    files = pa.concat_tables([_NOTHING, *(one.files for one in some)])
    seen_us = np.concatenate([np.empty(0, np.int64), *(one.seen_us for one in some)])
    names = {"archive_path": files["archive_path"], "sha256": files["sha256"]}
    order = pc.sort_indices(
        pa.table({"seen_us": seen_us, **names}), sort_keys=[(name, "ascending") for name in ("seen_us", *names)]
    ).to_numpy()[:most_files]
    sizes = np.cumsum(files["size"].to_numpy()[order])
    n_files = max(int(np.searchsorted(sizes, budget_bytes, side="right")) + (not is_last), min(1, len(order)))
    chosen = order[:n_files]
    return Copies(files.take(pa.array(chosen)).combine_chunks(), seen_us[chosen])


def copies_by_session(
    journal: Journal, records: RemovalRecords, sessions: Collection[str] | None = None
) -> Iterator[Copies]:
    """Give the archived copies of one session after the other, in order of name."""
    known = sessions_of(journal) if sessions is None else sorted(sessions)
    for session in known:
        files, proven_us = _with_a_copy(journal, session)
        if not files.num_rows:
            continue
        names = list(zip(files["archive_path"].to_pylist(), files["sha256"].to_pylist(), strict=True))
        # a copy that several batches name was last proven when any of them proved it
        newest: dict[tuple[str, str], int] = {}
        for name, at_us in zip(names, proven_us.tolist(), strict=True):
            newest[name] = max(at_us, newest.get(name, 0))
        for name, at in records.last_equal(path for path, _ in newest).items():
            if name in newest:
                newest[name] = max(microseconds(at), newest[name])
        first = {name: row for row, name in reversed(list(enumerate(names)))}
        rows = pa.array(sorted(first.values()), pa.int64())
        yield Copies(files.take(rows), np.array([newest[names[row]] for row in rows.to_pylist()], np.int64))


def sessions_of(journal: Journal, at: Collection[State] | None = None) -> list[str]:
    """Name the sessions that have files, or files that stand at one of these states, in order of name.

    Only batches some of whose files ever came to such a state are looked at.
    """
    batches = select(BATCHES.c.batch, BATCHES.c.session)
    if at is not None:
        came_there = select(EVENTS.c.batch).where(EVENTS.c.state.in_([str(state) for state in at])).distinct()
        batches = batches.where(BATCHES.c.batch.in_(came_there))
    with journal.reading() as connection:
        found = connection.execute(batches).all()
        if at is None:
            return sorted({row.session for row in found})
        wanted = {str(state) for state in at}
        return sorted(
            {row.session for row in found if wanted & set(states(connection, row.batch, is_locking=False).tolist())}
        )


def _with_a_copy(journal: Journal, session: str) -> tuple[pa.Table, np.ndarray]:
    """A session's files that have a copy, and when each was verified, microseconds since 1970 UTC."""
    files = journal.files(session)
    verified_us: dict[str, np.ndarray] = {}
    events = select(EVENTS.c.batch, EVENTS.c.files, EVENTS.c.at_us).join(BATCHES, BATCHES.c.batch == EVENTS.c.batch)
    events = events.where(BATCHES.c.session == session, EVENTS.c.state == str(State.VERIFIED)).order_by(EVENTS.c.seq)
    for batch in journal.batches(session):
        verified_us[batch.batch] = np.zeros(batch.n_files, np.int64)
    with journal.reading() as connection:
        for row in connection.execute(events):
            verified_us[row.batch][read_ranges(row.files)] = row.at_us
    proven_us = np.concatenate([np.empty(0, np.int64), *verified_us.values()])[: files.num_rows]
    has_copy = pc.is_in(files["state"], _WITH_A_COPY)
    return files.filter(has_copy), proven_us[has_copy.to_numpy()]
