"""The gate: everything that must hold of one file at the moment of its removal, looked at anew. Passing through it lives in `removal`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from map_assets.archive.journal import Journal
from map_assets.archive.journal_base import clock
from map_assets.archive.reading import read_once
from map_assets.archive.removal_approval import Desk
from map_assets.archive.removal_decisions import Approval, Hold, account_here, standing
from map_assets.archive.removal_policy import Doubtful, LeaveRanOut, NoLeave, RemovalStopped, ShareRoot
from map_assets.archive.removal_proof import Named, check_receipt, prove_copies, receipted
from map_assets.archive.removal_quarantine import Facts, facts, source_path
from map_assets.archive.states import State
from map_assets.vocabulary.errors import BadInput


@dataclass(frozen=True)
class Gate:
    """The gate of one session, as the records have it when it is opened.

    Parameters
    ----------
    desk : Desk
    roots : mapping of str to ShareRoot
    approvals, holds, receipts
        Of the session.
    actor, account : str
        Who runs the removal, and as which user of the operating system; empty where nothing is removed.
    now : datetime.datetime
        When the records were read last.
    told : datetime.datetime, optional
        The present, where it is not to be our clock's.
    """

    desk: Desk
    roots: Mapping[str, ShareRoot]
    approvals: Sequence[Approval]
    holds: Sequence[Hold]
    receipts: Mapping[tuple[str, str, str], Named]
    actor: str
    account: str
    now: datetime
    told: datetime | None = None

    @property
    def journal(self) -> Journal:
        """The journal."""
        return self.desk.journal

    def root_of(self, row: Mapping[str, Any]) -> ShareRoot:
        """Return the file's share, proven to be there and itself; raises RemovalStopped, also under the kill switch."""
        self.desk.policy.check_kill_switch()
        if row["share"] not in self.roots:
            raise RemovalStopped(f"The configuration knows no share {row['share']}; nothing is removed from it.")
        root = self.roots[row["share"]]
        root.check()
        return root

    def check_leave(self, row: Mapping[str, Any], *, is_new: bool) -> Approval:
        """Make sure that a person lets these very bytes go, and nobody holds them.

        Parameters
        ----------
        is_new : bool
            Whether the file still stands on its share: then its approval must not have expired, and its time on the
            share must be over.

        Raises
        ------
        LeaveRanOut
            If no approval of these bytes stands.
        NoLeave
            If somebody holds them, or the policy keeps their role.
        RemovalStopped
            If it is too early, or the one who approved may not run the removal.
        """
        who, policy = f"{row['share']}:{row['path']}", self.desk.policy
        stays = policy.why_it_stays(row["role"], row["path"])
        if stays:
            raise NoLeave(State.HELD, f"{who}: {stays}.")
        hold = next((one for one in self.holds if one.covers(row["share"], row["path"])), None)
        if hold is not None:
            raise NoLeave(State.HELD, f"{who}: {hold.who} holds it ({hold.why}).")
        name, sha256 = (row["batch"], row["file"]), row["sha256"]
        named = [one for one in self.approvals if one.files.get(name) == sha256 and not one.is_revoked]
        approval = standing(self.approvals, name, sha256, self.now) if is_new else (named[-1] if named else None)
        if approval is None:
            raise LeaveRanOut(State.HELD, f"{who}: no approval that stands names these bytes.")
        if approval.who == self.actor and not policy.allow_self_approval:
            raise RemovalStopped(
                f"{who}: {approval.who} approved its removal and cannot run it too; let somebody else do so."
            )
        if self.account and approval.account == self.account and not policy.allow_self_approval:
            raise RemovalStopped(
                f"{who}: {approval.who} approved its removal as {self.account}, who cannot run it too under another "
                "name; let another user of the machine do so."
            )
        return approval

    def prove_archived(self, row: Mapping[str, Any]) -> tuple[Named, list[dict[str, Any]]]:
        """Read receipt and copies again; raises Doubtful where anything is not proven."""
        archive = self.desk.backends[0]
        check_receipt(row, self.receipts, archive, self.journal)  # before the long reading, and after it
        copies = prove_copies(row, self.desk.backends, self.desk.records, self.desk.policy, self.now)
        return check_receipt(row, self.receipts, archive, self.journal), copies

    def check_age(self, row: Mapping[str, Any], named: Named) -> None:
        """Raise RemovalStopped while the file's time on its share is not over."""
        until = named.verified_at + self.desk.policy.hold
        if self.now < until:
            raise RemovalStopped(f"{row['share']}:{row['path']} stays on its share until {until:%Y-%m-%d %H:%M} UTC.")

    def source(self, row: Mapping[str, Any], root: ShareRoot) -> tuple[Path, Facts]:
        """Read the source whole; raises Doubtful (HELD) where its bytes are not the manifest's or it has other names."""
        path = source_path(root, row["path"])
        return path, self.read_source(row, path)

    def read_source(self, row: Mapping[str, Any], path: Path) -> Facts:
        """Read a source, on its share or in quarantine, and return the facts that held around the read."""
        who, found = f"{row['share']}:{row['path']}", facts(path)
        if found is None:
            raise Doubtful(State.HELD, f"{who}: there is no file {path}; nothing of ours removed it.")
        if found["n_links"] != 1:
            raise Doubtful(State.HELD, f"{who}: {path} has {found['n_links']} names; only a file with one is removed.")
        if found["size"] != row["size"]:
            raise Doubtful(State.HELD, f"{who}: {path} has {found['size']} bytes, and the manifest says {row['size']}.")
        digest = hashlib.sha256()
        try:
            read_once(path, digest.update)
        except BadInput as error:
            raise Doubtful(State.HELD, f"{who}: {error}") from error
        if digest.hexdigest() != row["sha256"] or facts(path) != found:
            raise Doubtful(State.HELD, f"{who}: {path} does not hold the bytes of the manifest any more.")
        return found

    def check_apart(self, row: Mapping[str, Any], found: Facts) -> None:
        """Raise Doubtful (SUSPECT) where an archived copy is the source itself, seen through another mount."""
        for backend in self.desk.backends:
            root = getattr(backend, "root", None)
            if not isinstance(root, Path):
                continue  # no file system of this machine
            with suppress(FileNotFoundError):
                copy = (root / row["archive_path"]).stat()
                if (copy.st_dev, copy.st_ino) == (found["device"], found["inode"]):
                    raise Doubtful(
                        State.SUSPECT,
                        f"{row['share']}:{row['path']}: the copy {row['archive_path']} in {backend.location} is the source itself.",
                    )

    def fresh(self, session: str) -> Gate:
        """Return the gate with what the records and the clock say by now; the receipts stay as they were read."""
        records = self.desk.records
        return replace(self, approvals=records.approvals(session), holds=records.holds(session), now=self.moment())

    def moment(self) -> datetime:
        """Say what time it is; a run may take longer than a file's grace."""
        return clock(self.told)


def open_gate(
    desk: Desk,
    session: str,
    roots: Mapping[str, ShareRoot],
    actor: str,
    now: datetime | None = None,
    account: str | None = None,
) -> Gate:
    """Read what the records say of a session now; receipts that cannot be read, or form no chain, vouch for nothing."""
    try:
        named = receipted(session, desk.backends[0], desk.journal)
    except Exception:  # noqa: BLE001 - each file of the session is then in doubt, and said to be
        named = {}
    runner = account_here() if account is None else account
    return Gate(desk, roots, (), (), named, actor, runner, clock(now), now).fresh(session)
