"""Giving and taking back leave to remove, by name and hash. Acting upon leave lives in `removal`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from map_assets.archive.backends.protocol import ArchiveBackend
from map_assets.archive.journal import Journal, Lease
from map_assets.archive.journal_base import clock
from map_assets.archive.removal_decisions import Approval, account_here
from map_assets.archive.removal_plan import fingerprint, plan_removal, removable
from map_assets.archive.removal_policy import RemovalPolicy, RemovalRefused
from map_assets.archive.removal_proof import receipted
from map_assets.archive.removal_records import RemovalRecords
from map_assets.archive.states import State


@dataclass(frozen=True)
class Desk:
    """What decisions about removal rest on: journal, records, rules and the backends (the first holds the receipts)."""

    journal: Journal
    records: RemovalRecords
    backends: Sequence[ArchiveBackend]
    policy: RemovalPolicy

    def plan(self, session: str, now: datetime | None = None) -> pa.Table:
        """Compute REMOVAL_PLAN of a session; nothing is done.

        Raises
        ------
        ArchiveConflict
            If the receipts in the archive cannot be read or do not form a chain.
        """
        files = self.journal.files(session)
        named = receipted(session, self.backends[0], self.journal) if files.num_rows else {}
        looks = self.records.last_equal(files["archive_path"].to_pylist())
        return plan_removal(files, named, looks, self.records.holds(session), self.policy, clock(now))


def approve(
    desk: Desk,
    session: str,
    *,
    plan: str,
    who: str,
    why: str,
    only: Sequence[str] | None = None,
    account: str | None = None,
    now: datetime | None = None,
) -> Approval:
    """Give leave to remove the files of a plan that somebody has looked at.

    Parameters
    ----------
    plan : str
        Fingerprint of the plan that was shown; where it would let other bytes go by now, nothing is approved.
    only : sequence of str, optional
        Of its files only these, each as ``share:path`` in full; a folder or a pattern names no file.
    account : str, optional
        User of the operating system who gives it, kept beside `who`; by default whose process this is.

    Raises
    ------
    RemovalRefused
        If the plan is another by now, lets nothing go, or does not name a file of `only`.
    LeasedElsewhere
        If another process is at work on the session.
    """
    with desk.journal.lease(session) as lease:
        fresh = desk.plan(session, now)
        rows = removable(fresh).to_pylist()
        if not rows:
            raise RemovalRefused(
                f"No file of {session} may be removed now; `map-assets archive plan {session}` says why."
            )
        if fingerprint(fresh) != plan:
            raise RemovalRefused(
                f"The removal plan of {session} is {fingerprint(fresh)} by now, not {plan}: look at it again "
                f"(`map-assets archive plan {session}`), then approve that."
            )
        if only is not None:
            by_name = {f"{row['share']}:{row['path']}": row for row in rows}
            unknown = [name for name in only if name not in by_name]
            if unknown or not only:
                raise RemovalRefused(
                    f"{unknown[0] if unknown else 'Nothing'} names no removable file of {session}; an approval names each "
                    "file in full as SHARE:PATH, never a folder or a pattern."
                )
            rows = [by_name[name] for name in dict.fromkeys(only)]
        lifetime_s = desk.policy.approval_lifetime_s
        giver = account_here() if account is None else account
        given = desk.records.approve(
            session, rows, who=who, why=why, plan=plan, lifetime_s=lifetime_s, account=giver, now=now
        )
        lease.renew()
        for batch in dict.fromkeys(row["batch"] for row in rows):
            numbers = [row["file"] for row in rows if row["batch"] == batch]
            evidence = {"approval": given.approval}
            desk.journal.move(batch, numbers, State.APPROVED, actor=who, why=why, evidence=evidence, now=now)
    return given


def take_back(desk: Desk, session: str, *, who: str, why: str, now: datetime | None = None) -> int:
    """Take every approval of a session back that stands; what is in quarantine is put back by the next look at it.

    Returns
    -------
    int
        How many approvals.

    Raises
    ------
    RemovalRefused
        If nobody or no reason is named.
    LeasedElsewhere
        If another process is at work on the session; the approvals are taken back all the same.
    """
    given = [one for one in desk.records.approvals(session) if not one.is_revoked]
    for approval in given:
        desk.records.revoke(approval.approval, who=who, why=why, now=now)
    with desk.journal.lease(session) as lease:
        _back_to_receipted(desk, session, State.APPROVED, lease, who=who, why=why, now=now)
    return len(given)


def let_go_on(desk: Desk, session: str, *, who: str, why: str, now: datetime | None = None) -> int:
    """Lift every hold of a session and let files whose removal was stopped be planned again; returns how many files."""
    if not who.strip() or not why.strip():
        raise RemovalRefused("Who decides and the reason must be named; both are kept.")
    with desk.journal.lease(session) as lease:
        for hold in desk.records.holds(session):
            desk.records.lift(hold.hold, who=who, why=why, now=now)
        return _back_to_receipted(desk, session, State.HELD, lease, who=who, why=why, now=now)


def _back_to_receipted(
    desk: Desk, session: str, state: State, lease: Lease, *, who: str, why: str, now: datetime | None
) -> int:
    files = desk.journal.files(session)
    found = files.filter(pc.field("state") == str(state))
    for batch in dict.fromkeys(found["batch"].to_pylist()):
        numbers = np.asarray(found.filter(pc.field("batch") == batch)["file"])
        lease.renew()
        desk.journal.move(batch, numbers.tolist(), State.RECEIPTED, actor=who, why=why, now=now)
    return int(found.num_rows)
