"""How many bytes of each session stand where on their way into the archive and off the share. Moving them lives elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from map_assets.archive.journal import Journal
from map_assets.archive.states import State

STATUS = pa.schema(
    [
        ("session", pa.string()),
        ("state", pa.string()),
        ("role", pa.string()),
        ("n_files", pa.int64()),
        ("n_bytes", pa.int64()),
    ]
)
"""Columns of `status_of`."""

_WAITING = frozenset({State.MANIFESTED, State.FAILED})
_STUCK = frozenset({State.BLOCKED, State.CONFLICT, State.SUSPECT})
_RECEIPTED = frozenset({State.RECEIPTED, State.APPROVED, State.HELD})
_ARCHIVED = _RECEIPTED | {State.VERIFIED, State.REMOVING, State.QUARANTINED, State.REMOVED}


class Bytes(NamedTuple):
    """Bytes of some sessions, by what is to become of them; a file may count in several.

    Parameters
    ----------
    waiting, in_flight, to_verify : int
        Not asked of a mover yet; asked; there and not read back yet.
    verified : int
        Read back equal, wherever the source is.
    removable : int
        With a receipt, of a role that may be removed, the source on its share: what removal could free at most.
    in_quarantine, freed : int
        Renamed on the share; gone from it.
    stuck : int
        A person is needed.
    """

    waiting: int
    in_flight: int
    to_verify: int
    verified: int
    removable: int
    in_quarantine: int
    freed: int
    stuck: int


def status_of(journal: Journal, session: str | None = None) -> pa.Table:
    """Count files and bytes by session, state and role, all or of one session; a file whose bytes were unstable is left out.

    Returns
    -------
    pyarrow.Table
        `STATUS`, by session, state and role.
    """
    counted = []
    # one batch's files are held at a time
    for batch in journal.batches(session):
        files = journal.files(batch.session, batch.batch).select(["session", "state", "role", "size"])
        files = files.filter(pc.not_equal(files["state"], str(State.UNSTABLE)))
        counted.append(files.group_by(["session", "state", "role"]).aggregate([([], "count_all"), ("size", "sum")]))
    if not counted:
        return STATUS.empty_table()
    found = pa.concat_tables(counted).group_by(["session", "state", "role"])
    summed = found.aggregate([("count_all", "sum"), ("size_sum", "sum")])
    columns = ("session", "state", "role", "count_all_sum", "size_sum_sum")
    return pa.table([summed[name] for name in columns], schema=STATUS).sort_by(
        [(name, "ascending") for name in ("session", "state", "role")]
    )


def bytes_of(status: pa.Table, removable_roles: Collection[str] = ()) -> Bytes:
    """Sum the bytes of a status up, for one page.

    Parameters
    ----------
    status : pyarrow.Table
        Of `status_of`.
    removable_roles : collection of str
        Roles of files that removal's policy takes.
    """
    by_state: dict[str, int] = {}
    removable = 0
    for row in status.to_pylist():
        by_state[row["state"]] = by_state.get(row["state"], 0) + row["n_bytes"]
        if row["state"] in _RECEIPTED and row["role"] in removable_roles:
            removable += row["n_bytes"]
    return Bytes(
        waiting=_sum(by_state, _WAITING),
        in_flight=_sum(by_state, {State.SUBMITTED}),
        to_verify=_sum(by_state, {State.TRANSFERRED}),
        verified=_sum(by_state, _ARCHIVED),
        removable=removable,
        in_quarantine=_sum(by_state, {State.REMOVING, State.QUARANTINED}),
        freed=_sum(by_state, {State.REMOVED}),
        stuck=_sum(by_state, _STUCK),
    )


def _sum(by_state: Mapping[str, int], states: Collection[State]) -> int:
    return sum(by_state.get(str(state), 0) for state in states)
