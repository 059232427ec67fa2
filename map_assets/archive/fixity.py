"""Archived copies read again, the longest unread first; what is not proven becomes SUSPECT. The first reading lives in `verification`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from map_assets.archive.backends.protocol import ArchiveBackend
from map_assets.archive.copies import oldest_copies
from map_assets.archive.journal import Journal, LeasedElsewhere
from map_assets.archive.removal_decisions import Look
from map_assets.archive.removal_proof import look_at_copy
from map_assets.archive.removal_records import RemovalRecords
from map_assets.archive.states import STEPS, State

_DAMAGED = {"different", "missing"}
_TELLS_OF_THE_SOURCE = {State.REMOVED, State.SUBMITTED, State.TRANSFERRED}
_UNREADABLE_IN_A_ROW = 3
_ROWS_AT_ONCE = 1_000
MOST_FILES = 100_000
"""Files that are read at most where no sessions are named: what is chosen is held in memory."""


def read_again(
    journal: Journal,
    records: RemovalRecords,
    backends: Sequence[ArchiveBackend],
    budget_bytes: int,
    *,
    sessions: Collection[str] | None = None,
    now: datetime | None = None,
    heard: Callable[[Mapping[str, Any], Look], object] = lambda _row, _look: None,
) -> list[Look]:
    """Read the longest unread copies again, in every backend, and write down what they said.

    A copy that is missing or differs turns its file SUSPECT, and one in doubt that is whole in every backend clears it.
    A copy that could not be read changes nothing and stays the first to be read; after three in a row the rest is left
    for another night. With `sessions`, only copies of theirs are read.
    """
    files = oldest_copies(journal, records, budget_bytes, sessions, MOST_FILES if sessions is None else None)
    looks: list[Look] = []
    for row in _rows(files):
        of_row = [look_at_copy(row, backend, records, "fixity", now) for backend in backends]
        looks.extend(of_row)
        if row["state"] == State.SUSPECT or any(look.verdict != "equal" for look in of_row):
            judge(row, of_row, journal, now=now)
        for look in of_row:
            heard(row, look)
        if [look.verdict for look in looks[-_UNREADABLE_IN_A_ROW:]] == ["unread"] * _UNREADABLE_IN_A_ROW:
            break
    return looks


def judge(
    row: Mapping[str, Any], looks: Sequence[Look], journal: Journal, *, now: datetime | None = None
) -> State | None:
    """Let a file of the journal take the step that looks at its copies call for.

    Returns
    -------
    State or None
        Where it stands now; None where nothing changed, or another process is at work on its session (the look is
        written down; the next one takes the step).
    """
    verdicts = {look.verdict for look in looks}
    try:
        with journal.lease(row["session"]):
            state = journal.state_of(row["batch"], row["file"])
            if verdicts & _DAMAGED and State.SUSPECT in STEPS[state]:
                to, why = State.SUSPECT, next(look.detail for look in looks if look.verdict in _DAMAGED)
            elif verdicts == {"equal"} and state is State.SUSPECT:
                to, why = _before_doubt(row, journal), "every copy reads back whole again"
            else:
                return None
            evidence = {"looks": [[look.archive_path, look.verdict, look.method] for look in looks]}
            journal.move(row["batch"], [row["file"]], to, actor="fixity", why=why, evidence=evidence, now=now)
            return to
    except LeasedElsewhere:
        return None


def _rows(files: pa.Table) -> Iterator[Mapping[str, Any]]:
    for some in files.to_batches(max_chunksize=_ROWS_AT_ONCE):
        yield from some.to_pylist()


def _before_doubt(row: Mapping[str, Any], journal: Journal) -> State:
    """Where a file whose copies are whole again goes on from."""
    past = [event.state for event in journal.events(row["batch"]) if row["file"] in event.files]
    # one that was copied again since it was removed stands on its share again
    last = next((state for state in reversed(past) if state in _TELLS_OF_THE_SOURCE), None)
    if last is State.REMOVED:
        return State.REMOVED
    return State.RECEIPTED if State.RECEIPTED in past else State.FAILED
