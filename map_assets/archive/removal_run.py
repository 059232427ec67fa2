"""One run of removal over one session's files: what is done with a file in each state. Which files, and in which order, lives in `removal`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import DBAPIError

from map_assets.archive.batch import Event
from map_assets.archive.journal import Lease, LeasedElsewhere
from map_assets.archive.removal_gate import Gate
from map_assets.archive.removal_policy import Budget, Doubtful, LeaveRanOut, NoLeave, RemovalStopped, ShareRoot
from map_assets.archive.removal_proof import look_at_copy
from map_assets.archive.removal_quarantine import (
    clear_folders,
    end,
    facts,
    into_quarantine,
    put_back,
    quarantine_path,
    source_path,
)
from map_assets.archive.removal_report import Outcome
from map_assets.archive.removal_tombstone import tombstone_place, write_tombstone
from map_assets.archive.states import STEPS, State

Row = Mapping[str, Any]
_UNLINKING = "unlinking"
_ON_DISK = ("size", "mtime_ns", "inode")


@dataclass
class Run:
    """A run, holding the session's lease; after its first `doubt` it takes nothing more away."""

    gate: Gate
    session: str
    lease: Lease
    budget: Budget
    only_watches: bool = False
    doubt: str = ""
    moved: dict[tuple[str, int], State] = field(default_factory=dict)

    def carefully(
        self, work: Callable[[Row, Event | None], Outcome | None], row: Row, step: Event | None
    ) -> Outcome | None:
        """Do one thing with one file; whatever goes wrong, the file is kept. Where the database fails, the run stops."""
        try:
            return self.kept_in_doubt(work, row, step)
        except DBAPIError as error:  # nothing can be written down, so nothing may be done
            raise RemovalStopped(
                f"The database failed ({type(error.orig).__name__}) at {row['share']}:{row['path']}; the next run goes on."
            ) from error

    def kept_in_doubt(
        self, work: Callable[[Row, Event | None], Outcome | None], row: Row, step: Event | None
    ) -> Outcome | None:
        """Do one thing with one file; a doubt, or what could not be looked at, keeps it or puts it back."""
        try:
            return work(row, step)
        except (LeasedElsewhere, DBAPIError):
            raise
        except RemovalStopped as stop:
            return self.outcome(row, self.state_of(row), str(stop), is_well=False)
        except Doubtful as doubt:
            return self.keep(row, doubt)
        except Exception as error:  # noqa: BLE001 - what could not be checked is not proven: as good as a doubt
            said = f"{row['share']}:{row['path']} could not be checked ({type(error).__name__}: {error})."
            return self.keep(row, Doubtful(State.HELD, said))

    # -- the works -------------------------------------------------------------------------------------------------
    def return_left_over(self, row: Row, _: Event | None) -> Outcome | None:
        """Put a file back that a stopped removal left in quarantine."""
        if row["share"] not in self.gate.roots:
            return None
        root = self.gate.roots[row["share"]]
        quarantined = quarantine_path(root, row["batch"], row["path"])
        root.check()
        if facts(quarantined) is None:
            return None
        return self.outcome(row, State(row["state"]), self.return_it(row, root), is_well=False)

    def settle(self, row: Row, step: Event | None) -> Outcome:
        """Go on with a removal that was interrupted around its rename, by what stands on the disk."""
        root = self.gate.root_of(row)
        source = source_path(root, row["path"])
        quarantined = quarantine_path(root, row["batch"], row["path"])
        there, kept = facts(source), facts(quarantined)
        if kept is None and there is not None:
            return self.take(row, step)
        if kept is None or there is not None:
            what = "stands neither on its share nor" if kept is None else "has a new file under its name and is"
            raise Doubtful(State.HELD, f"{row['share']}:{row['path']} {what} in quarantine.")
        before = {} if step is None else step.evidence.get("facts", {})
        if any(before.get(name) != kept[name] for name in _ON_DISK):
            raise Doubtful(State.HELD, f"{quarantined} is not the file that was moved there.")
        return self.note_quarantined(row, root, {} if step is None else step.evidence)

    def take(self, row: Row, _: Event | None) -> Outcome:
        """Pass a file through the gate and rename it into quarantine."""
        self.go_on()
        gate, root = self.gate, self.gate.root_of(row)
        gate.check_leave(row, is_new=True)
        self.lease.renew()
        named, copies = gate.prove_archived(row)
        gate.check_age(row, named)
        source, found = gate.source(row, root)
        gate.check_apart(row, found)
        tombstone_place(source, row)
        quarantined = quarantine_path(root, row["batch"], row["path"])
        self.budget.spend("quarantine", row["size"])
        root = self.last_word(row, is_new=True)
        approval = self.gate.check_leave(row, is_new=True)
        if facts(source) != found:
            raise Doubtful(State.HELD, f"{source} was touched after it was read for the last time.")
        evidence = {
            "approval": approval.approval,
            "receipt": str(named.receipt),
            "copies": copies,
            "quarantine": str(quarantined.relative_to(root.path.resolve())),
            "facts": found,
        }
        if row["state"] != State.REMOVING:
            self.move(row, State.REMOVING, approval.why, evidence)
        into_quarantine(source, quarantined, root)
        kept = facts(quarantined)
        if kept is None or any(kept[name] != found[name] for name in _ON_DISK):
            raise Doubtful(State.HELD, f"Another file got the name {row['path']} while it was moved into quarantine.")
        return self.note_quarantined(row, root, evidence)

    def note_quarantined(self, row: Row, root: ShareRoot, evidence: Mapping[str, Any]) -> Outcome:
        """Write down that a file is in quarantine, as it stands there."""
        quarantined = quarantine_path(root, row["batch"], row["path"])
        self.move(row, State.QUARANTINED, "", {**evidence, "facts": facts(quarantined)})
        until = self.gate.moment() + self.gate.desk.policy.grace
        return self.outcome(row, State.QUARANTINED, f"in quarantine until {until:%Y-%m-%d %H:%M} UTC")

    def look_at_quarantined(self, row: Row, step: Event | None) -> Outcome:
        """See that a file in quarantine is as it was left; when its grace is over, end it."""
        if step is None:
            raise Doubtful(
                State.HELD, f"The journal does not say how {row['share']}:{row['path']} came into quarantine."
            )
        root = self.gate.root_of(row)
        source = source_path(root, row["path"])
        quarantined = quarantine_path(root, row["batch"], row["path"])
        there, found = facts(source), facts(quarantined)
        left = step.evidence["facts"]
        if found is None and (there is None or any(left.get(name) != there[name] for name in _ON_DISK)):
            return self.missing_in_quarantine(row, step)
        if found is None:
            raise Doubtful(State.HELD, f"{row['share']}:{row['path']} was put back from quarantine, and not by us.")
        if there is not None:
            raise Doubtful(
                State.HELD, f"A new file stands as {row['share']}:{row['path']}; the old one is kept in quarantine."
            )
        if any(left.get(name) != found[name] for name in _ON_DISK):
            raise Doubtful(State.HELD, f"{quarantined} was touched while it was in quarantine.")
        self.gate.check_leave(row, is_new=False)
        due = step.at + self.gate.desk.policy.grace
        if self.gate.now < due or self.only_watches:
            return self.outcome(row, State.QUARANTINED, f"in quarantine until {due:%Y-%m-%d %H:%M} UTC")
        return self.finish(row, step)

    def finish(self, row: Row, step: Event) -> Outcome:
        """Prove everything once more, and unlink."""
        self.go_on()
        root = self.gate.root_of(row)
        source = source_path(root, row["path"])
        quarantined = quarantine_path(root, row["batch"], row["path"])
        self.budget.spend("end", row["size"])
        self.lease.renew()
        named, copies = self.gate.prove_archived(row)
        found = self.gate.read_source(row, quarantined)
        root = self.last_word(row, is_new=False)
        if facts(source) is not None:
            raise Doubtful(State.HELD, f"A new file stands as {row['share']}:{row['path']}; the old one is kept.")
        evidence = {"approval": step.evidence.get("approval"), "receipt": str(named.receipt), "copies": copies}
        self.gate.desk.records.about_to(
            _UNLINKING, row["batch"], row["file"], step.seq, actor=self.gate.actor, evidence=evidence, now=self.gate.now
        )
        place = tombstone_place(source, row)
        kept = ("session", "share", "path", "size", "sha256", "archive_path")
        said = {**{name: row[name] for name in kept}, **evidence, "removed_at": self.gate.now.isoformat()}
        if place is not None:
            write_tombstone(place, said)
        end(quarantined, found)
        self.note_removed(row, evidence)
        clear_folders(quarantined, root)
        return self.outcome(row, State.REMOVED, "removed; the archive holds it")

    def missing_in_quarantine(self, row: Row, step: Event) -> Outcome:
        """Tell a file that we were about to unlink from one that somebody else took away."""
        evidence = self.gate.desk.records.was_about_to(_UNLINKING, row["batch"], row["file"], step.seq)
        if evidence is None:
            raise Doubtful(State.HELD, f"{row['share']}:{row['path']} is gone from quarantine, and not by us.")
        self.note_removed(row, evidence)
        for backend in self.gate.desk.backends:
            look = look_at_copy(row, backend, self.gate.desk.records, "gate", self.gate.now)
            if look.verdict in {"different", "missing"}:
                raise Doubtful(
                    State.SUSPECT, f"The copy {row['archive_path']} in {backend.location} is not proven: {look.detail}."
                )
        return self.outcome(row, State.REMOVED, "removed; the archive holds it")

    def note_removed(self, row: Row, evidence: Mapping[str, Any]) -> None:
        """Write down that a file is gone; where that fails nothing is in doubt, and the next run makes up for it."""
        try:
            self.move(row, State.REMOVED, "", evidence)
        except (LeasedElsewhere, DBAPIError):
            raise
        except Exception as error:
            raise RemovalStopped(
                f"{row['share']}:{row['path']} was removed and that could not be written down ({type(error).__name__}: {error}); "
                "the next run does."
            ) from error

    # -- what they share -------------------------------------------------------------------------------------------
    def go_on(self) -> None:
        """Raise RemovalStopped after a doubt in this run."""
        if self.doubt:
            raise RemovalStopped(f"Not in this run, for there was a doubt: {self.doubt}")

    def last_word(self, row: Row, *, is_new: bool) -> ShareRoot:
        """Hold the lease, the leave, the kill switch and the share's marker against what they are at this moment."""
        self.lease.renew()
        self.gate = self.gate.fresh(self.session)
        self.gate.check_leave(row, is_new=is_new)
        return self.gate.root_of(row)

    def keep(self, row: Row, doubt: Doubtful) -> Outcome:
        """Write down that a file's removal stops, then put it back if it is in quarantine."""
        self.lease.renew()
        state, root = self.state_of(row), self.gate.roots.get(row["share"])
        try:
            if root is not None:
                root.check()
        except RemovalStopped as stop:
            if doubt.state is State.HELD:  # a share that went away says nothing about its files
                return self.outcome(row, state, str(stop), is_well=False)
        to = State.RECEIPTED if isinstance(doubt, LeaveRanOut) and state is State.APPROVED else doubt.state
        if not isinstance(doubt, NoLeave):
            self.doubt = self.doubt or str(doubt)
        if to in STEPS[state]:
            self.move(row, to, str(doubt), {})
        said = str(doubt)
        try:
            if root is not None and facts(quarantine_path(root, row["batch"], row["path"])) is not None:
                root.check()
                said = f"{said} {self.return_it(row, root)}"
        except (RemovalStopped, Doubtful, OSError) as error:
            said = f"{said} It is not put back yet: {error}"
        return self.outcome(row, self.state_of(row), said, is_well=False)

    def return_it(self, row: Row, root: ShareRoot) -> str:
        """Put a file back from quarantine and say so."""
        quarantined = quarantine_path(root, row["batch"], row["path"])
        if put_back(source_path(root, row["path"]), quarantined, root):
            return "It is back in its place."
        return f"Another file has its name; it is kept as {quarantined}."

    def move(self, row: Row, to: State, why: str, evidence: Mapping[str, Any]) -> None:
        journal, gate = self.gate.journal, self.gate
        now = gate.moment()
        journal.move(
            row["batch"], [row["file"]], to, actor=gate.actor, why=why, evidence=evidence, lease=self.lease, now=now
        )
        self.moved[row["batch"], row["file"]] = to

    def state_of(self, row: Row) -> State:
        """Where a file stands by now; nobody else moves it while the lease is held."""
        return self.moved.get((row["batch"], row["file"]), State(row["state"]))

    def outcome(self, row: Row, state: State, said: str, *, is_well: bool = True) -> Outcome:
        name = (self.session, row["batch"], row["file"], row["share"], row["path"], row["size"])
        return Outcome(*name, state, said, is_well)
