"""Which files may leave their shares: computed from what is written down, never doing anything. Leave is given in `removal_approval`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from map_assets.archive.removal_decisions import Hold
from map_assets.archive.removal_policy import RemovalPolicy
from map_assets.archive.removal_proof import Named
from map_assets.archive.removal_tables import REMOVAL_PLAN
from map_assets.archive.states import State

_UNDER_WAY = {
    State.APPROVED: "its removal is approved",
    State.REMOVING: "it is being removed",
    State.QUARANTINED: "it is in quarantine",
    State.REMOVED: "it has been removed",
    State.HELD: "its removal was stopped; see the journal, then `map-assets archive lift`",
    State.SUSPECT: "its archived copy is in doubt",
}


def plan_removal(
    files: pa.Table,
    receipts: Mapping[tuple[str, str, str], Named],
    looks: Mapping[tuple[str, str], datetime],
    holds: Sequence[Hold],
    policy: RemovalPolicy,
    now: datetime,
) -> pa.Table:
    """Judge each file of a session by the policy.

    Parameters
    ----------
    files : pyarrow.Table
        `batch.FILES` of the session, from the journal.
    receipts : mapping
        As `removal_proof.receipted` gives them.
    looks : mapping
        When each copy was last read back equal since its receipt, by archive path and sha256.
    holds : sequence of Hold
        That stand on the session.
    policy : RemovalPolicy
    now : datetime.datetime
        With a zone.

    Returns
    -------
    pyarrow.Table
        REMOVAL_PLAN, in the journal's order.
    """
    rows = [_judged(row, receipts, looks, holds, policy, now) for row in files.to_pylist()]
    return REMOVAL_PLAN.from_rows(rows)


def removable(plan: pa.Table) -> pa.Table:
    """Return the plan's rows that a person may approve."""
    return plan.filter(pc.field("is_removable"))


def fingerprint(plan: pa.Table) -> str:
    """Name the set of bytes that a plan would let go: 16 hex digits over batch, file and sha256 of its removable rows."""
    columns = ("batch", "file", "share", "path", "sha256", "size")
    lines = [repr(tuple(row[name] for name in columns)) for row in removable(plan).to_pylist()]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def _judged(
    row: Mapping[str, Any],
    receipts: Mapping[tuple[str, str, str], Named],
    looks: Mapping[tuple[str, str], datetime],
    holds: Sequence[Hold],
    policy: RemovalPolicy,
    now: datetime,
) -> dict[str, Any]:
    named = receipts.get((row["share"], row["path"], row["sha256"]))
    is_named = named is not None and (named.archive_path, named.size) == (row["archive_path"], row["size"])
    receipted_at = named.verified_at if is_named and named is not None else None
    seen = looks.get((row["archive_path"], row["sha256"]))
    verified_at = max((at for at in (receipted_at, seen) if at is not None), default=None)
    reason = _reason(row, receipted_at, verified_at, holds, policy, now)
    kept = ("session", "batch", "file", "share", "path", "role", "size", "sha256", "archive_path", "state")
    return {
        **{name: row[name] for name in kept},
        "is_removable": not reason,
        "reason": reason,
        "removable_from": None if receipted_at is None else receipted_at + policy.hold,
        "verified_at": verified_at,
    }


def _reason(
    row: Mapping[str, Any],
    receipted_at: datetime | None,
    verified_at: datetime | None,
    holds: Sequence[Hold],
    policy: RemovalPolicy,
    now: datetime,
) -> str:
    state = State(row["state"])
    stays = policy.why_it_stays(row["role"], row["path"])
    if stays:
        return stays
    if state is not State.RECEIPTED:
        return _UNDER_WAY.get(state, f"it is not archived yet ({state})")
    if receipted_at is None or verified_at is None:
        return "no receipt that stands both in the archive and in the database vouches for it"
    hold = next((one for one in holds if one.covers(row["share"], row["path"])), None)
    if hold is not None:
        return f"{hold.who} holds it: {hold.why}"
    if verified_at > now:
        return "its copy was verified after the present: the clock was set back"
    if now < receipted_at + policy.hold:
        return f"it stays until {receipted_at + policy.hold:%Y-%m-%d %H:%M} UTC"
    if (now - verified_at).total_seconds() > policy.max_verification_age_s:
        return f"its copy was last read back at {verified_at:%Y-%m-%d}; verify it again"
    return ""
