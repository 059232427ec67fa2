"""What became of the files that were on their way off their shares, for tables and people. Removing lives in `removal`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from map_assets.archive.batch import Event
from map_assets.archive.journal import Journal
from map_assets.archive.removal_gate import Gate
from map_assets.archive.removal_policy import Doubtful, RemovalStopped
from map_assets.archive.removal_tables import SOURCE_REMOVED
from map_assets.archive.states import State


class Outcome(NamedTuple):
    """Where a file stands after a run of removal, and why; `is_well` is False where something stopped it."""

    session: str
    batch: str
    file: int
    share: str
    path: str
    size: int
    state: State
    said: str
    is_well: bool = True


def steps_of(journal: Journal, rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, int], Event]:
    """Return the last step REMOVING or QUARANTINED of each file that ever took one, by batch and number."""
    found = {}
    for batch in dict.fromkeys(row["batch"] for row in rows):
        for event in journal.events(batch):
            if event.state in {State.REMOVING, State.QUARANTINED}:
                for number in event.files.tolist():
                    found[batch, number] = event
    return found


def rehearse(gate: Gate, session: str) -> list[Outcome]:
    """Say what a run of removal would do by what is written down; no byte is read, nothing is done.

    Returns
    -------
    list of Outcome
        One for each file whose removal is approved or under way; states as they are.
    """
    rows = gate.journal.files(session).to_pylist()
    steps = steps_of(gate.journal, rows)
    found = []
    for row in rows:
        state = State(row["state"])
        if state not in {State.APPROVED, State.REMOVING, State.QUARANTINED}:
            continue
        step = steps.get((row["batch"], row["file"]))
        is_well = True
        try:
            gate.root_of(row)
            gate.check_leave(row, is_new=state is not State.QUARANTINED)
            said = "would be proven again and moved into quarantine"
            if state is State.QUARANTINED and step is not None:
                due = step.at + gate.desk.policy.grace
                is_due = gate.now >= due
                said = (
                    "would be proven again and removed" if is_due else f"in quarantine until {due:%Y-%m-%d %H:%M} UTC"
                )
        except (RemovalStopped, Doubtful) as error:
            said, is_well = str(error), False
        name = (session, row["batch"], row["file"], row["share"], row["path"], row["size"])
        found.append(Outcome(*name, state, said, is_well))
    return found


def removed_files(journal: Journal, session: str) -> pa.Table:
    """Return SOURCE_REMOVED of a session, from the journal: every file whose removal was approved, as far as it came."""
    rows = journal.files(session).to_pylist()
    approvals: dict[tuple[str, int], str] = {}
    last: dict[tuple[str, int], Event] = {}
    for batch in dict.fromkeys(row["batch"] for row in rows):
        for event in journal.events(batch):
            names = [(batch, number) for number in event.files.tolist()]
            last.update(dict.fromkeys(names, event))
            if event.state is State.APPROVED:
                approvals.update(dict.fromkeys(names, str(event.evidence.get("approval", ""))))
    kept = ("session", "batch", "file", "share", "path", "size", "sha256", "archive_path", "state")
    found = []
    for row in rows:
        name = (row["batch"], row["file"])
        if name in approvals and State(row["state"]) is not State.RECEIPTED:
            more = {"approval": approvals[name], "reason": last[name].why, "at": last[name].at}
            found.append({**{column: row[column] for column in kept}, **more})
    return SOURCE_REMOVED.from_rows(found)


def away(journal: Journal, session: str) -> dict[tuple[str, str], tuple[int, int]]:
    """Tell which of the session's files we took off their shares ourselves: no stage need wait for them.

    Returns
    -------
    dict
        Size in bytes and modification time in ns, as they were then, by share and path. Other bytes that came under that
        name later and were archived too speak for it alone; those that were not are told by size and time.
    """
    rows = journal.files(session).to_pylist()
    latest = {(row["share"], row["path"]): row for row in rows if State(row["state"]) is not State.UNSTABLE}
    gone = [row for row in latest.values() if State(row["state"]) in {State.QUARANTINED, State.REMOVED}]
    steps = steps_of(journal, gone)
    found = {}
    for row in gone:
        step = steps.get((row["batch"], row["file"]))
        before = {} if step is None else step.evidence.get("facts", {})
        found[row["share"], row["path"]] = (row["size"], before.get("mtime_ns", row["mtime_ns"]))
    return found
