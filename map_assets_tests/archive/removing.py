"""A share whose files are archived with receipts, and people who decide about them: what the tests of removal stand on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from map_assets.archive.backends.folder import FolderArchive
from map_assets.archive.backends.protocol import ArchiveBackend, Item, Progress
from map_assets.archive.journal import Journal
from map_assets.archive.manifest import manifest_text
from map_assets.archive.receipt_file import as_table, read_receipts, write_receipt, written
from map_assets.archive.removal import remove_approved
from map_assets.archive.removal_approval import Desk, approve
from map_assets.archive.removal_decisions import Approval
from map_assets.archive.removal_plan import fingerprint
from map_assets.archive.removal_policy import MARKER, QUARANTINE, RemovalPolicy, ShareRoot
from map_assets.archive.removal_records import RemovalRecords
from map_assets.archive.removal_report import Outcome
from map_assets.archive.states import State

SESSION = "SC022_20190228_151010"
SHARE, UUID = "rig1", "6f1c0b1e-rig1"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
FILES = {
    "run/a.ap.bin": (b"neural " * 3000, "spikeglx_bin"),
    "run/b.ap.bin": (bytes(range(256)) * 40, "spikeglx_bin"),
    "video/c 1.avi": (b"frames " * 500, "video"),
    "behavior.mat": (b"behaviour " * 10, "behavior"),
}


@dataclass
class Bench:
    """One session on one share, its archive and its database; time is `now` and moves only when told."""

    work: Path
    policy: RemovalPolicy = field(default_factory=RemovalPolicy)
    now: datetime = START
    others: Sequence[ArchiveBackend] = ()
    marker: str | None = UUID
    backend: ArchiveBackend = field(init=False)

    def __post_init__(self) -> None:
        self.root, self.archive = self.work / SHARE, self.work / "archive"
        self.url = f"sqlite:///{self.work / 'lab.db'}"
        self.backend = FolderArchive(self.archive)
        self.journal, self.records = Journal(self.url), RemovalRecords(self.url)

    # -- the rig -------------------------------------------------------------------------------------------------------
    def record(self, files: Mapping[str, tuple[bytes, str]] = FILES) -> None:
        self.root.mkdir(exist_ok=True)
        (self.root / MARKER).write_text(f"{UUID}\n")
        for name, (content, _) in files.items():
            self.write(name, content)

    def write(self, name: str, content: bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    # -- the pipeline --------------------------------------------------------------------------------------------------
    def manifested(self, names: Mapping[str, str]) -> list[dict[str, Any]]:
        rows = []
        for name, role in sorted(names.items()):
            path = self.root / name
            sha256, status = hashlib.sha256(path.read_bytes()).hexdigest(), path.stat()
            place = f"{SESSION}/{SHARE}/{name}"
            held = self.backend.stat(PurePosixPath(place))
            if held is not None and self.backend.read_back_sha256(PurePosixPath(place)).sha256 != sha256:
                place = f"{place}.v-{sha256[:12]}"
            row = {"share": SHARE, "path": name, "archive_path": place, "role": role, "checks": "", "sha256": sha256}
            row |= {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "ctime_ns": status.st_ctime_ns}
            rows.append({**row, "device": status.st_dev, "inode": status.st_ino})
        return rows

    def archive_all(
        self, files: Mapping[str, tuple[bytes, str]] = FILES, moved: Callable[..., Progress] | None = None
    ) -> None:
        """Take files through the whole pipeline, to their receipt."""
        batch = self.journal.open_batch(SESSION, self.manifested({n: role for n, (_, role) in files.items()}), self.now)
        assert batch is not None
        rows = self.journal.files(batch=batch.batch).to_pylist()
        items = [
            Item(
                SHARE, PurePosixPath(row["path"]), self.root / row["path"],
                PurePosixPath(row["archive_path"]), row["size"], row["sha256"],
            )
            for row in rows
        ]  # fmt: skip
        done = (
            self.backend.submit(self.backend.new_submission(), items) if moved is None else moved(self.backend, items)
        )
        assert done.state == "succeeded" and not done.failed
        numbers = range(len(rows))
        self.journal.move(batch.batch, numbers, State.TRANSFERRED, actor="test", now=self.now)
        for row in rows:
            assert self.backend.read_back_sha256(PurePosixPath(row["archive_path"])).sha256 == row["sha256"]
        self.journal.move(batch.batch, numbers, State.VERIFIED, actor="test", now=self.now)
        self.give_receipt(rows)
        self.journal.move(batch.batch, numbers, State.RECEIPTED, actor="test", now=self.now)

    def give_receipt(self, rows: Sequence[Mapping[str, Any]]) -> None:
        kept = ("share", "path", "role", "size", "mtime_ns", "sha256", "checks", "archive_path")
        said = {"method": "read back whole", "verified_at": written(self.now)}
        entries = [{**{name: row[name] for name in kept}, **said} for row in rows]
        digest = hashlib.sha256(manifest_text(as_table(SESSION, entries)).encode()).hexdigest()
        before = read_receipts(SESSION, self.backend)
        previous = before[-1] if before else None
        receipt = write_receipt(SESSION, entries, digest, self.backend, previous, self.now, self.now)
        text = self.backend.read_receipt(receipt.path).decode()
        self.journal.keep_receipt(SESSION, str(receipt.path), receipt.sha256, text, self.now)

    # -- people --------------------------------------------------------------------------------------------------------
    @property
    def desk(self) -> Desk:
        return Desk(self.journal, self.records, (self.backend, *self.others), self.policy)

    @property
    def roots(self) -> dict[str, ShareRoot]:
        return {SHARE: ShareRoot(SHARE, self.root, self.marker)}

    def later(self, days: float) -> None:
        self.now += timedelta(days=days)

    def rules(self, **changes: Any) -> None:
        self.policy = replace(self.policy, **changes)

    def approve(self, only: Sequence[str] | None = None, who: str = "rivera") -> Approval:
        plan = fingerprint(self.desk.plan(SESSION, self.now))
        names = None if only is None else [f"{SHARE}:{name}" for name in only]
        return approve(self.desk, SESSION, plan=plan, who=who, why="published", only=names, account=who, now=self.now)

    def remove(self, actor: str = "okafor", account: str | None = None) -> dict[str, Outcome]:
        done = remove_approved(self.desk, SESSION, self.roots, actor=actor, account=account or actor, now=self.now)
        return {one.path: one for one in done}

    # -- what stands ---------------------------------------------------------------------------------------------------
    def states(self) -> dict[str, str]:
        """State of each file's youngest batch, by path."""
        return {row["path"]: row["state"] for row in self.journal.files(SESSION).to_pylist()}

    def on_share(self) -> set[str]:
        """Names on the share, quarantine, marker and tombstones aside."""
        return {
            str(path.relative_to(self.root))
            for path in self.root.rglob("*")
            if path.is_file() and path.name != MARKER and QUARANTINE not in path.parts and ".archived." not in path.name
        }

    def in_quarantine(self) -> list[Path]:
        return [path for path in (self.root / QUARANTINE).rglob("*") if path.is_file()]

    def copy_of(self, name: str) -> Path:
        return self.archive / SESSION / SHARE / name

    def damage(self, name: str, content: bytes | None = None) -> None:
        path = self.copy_of(name)
        kept = path.read_bytes()
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        else:
            self.lost = kept


def flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def rewrite_unnoticed(path: Path, content: bytes) -> None:
    """Put other bytes of the same length into a file and give it its old modification time."""
    status = path.stat()
    assert len(content) == status.st_size
    with path.open("r+b") as stream:
        stream.write(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
