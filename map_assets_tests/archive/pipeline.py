"""A small archive with a session on a share, taken from manifest to receipt; and a mover that takes its time, as a service does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pyarrow as pa

from map_assets.archive.backends.folder import FolderArchive
from map_assets.archive.backends.protocol import ArchiveBackend, ArchiveNotReady, Item, Progress
from map_assets.archive.journal import Journal
from map_assets.archive.manifest import make_manifest
from map_assets.archive.moving import Limits
from map_assets.archive.polling import Polled, poll
from map_assets.archive.receipt import receipt_session
from map_assets.archive.transfer import Transfer, transfer_session
from map_assets.archive.verification import verify_session
from map_assets.vocabulary.errors import ArchiveConflict, MapAssetsError
from map_assets.vocabulary.files import FoundFile

SESSION = "SC022_20190228_151010"


def found_on(share: Path, name: str = "rig1", role: str = "raw") -> list[FoundFile]:
    return [
        FoundFile(name, share, PurePosixPath(path.relative_to(share)), role, path.stat().st_size, 0)
        for path in sorted(share.rglob("*"))
        if path.is_file()
    ]


@dataclass
class Pipeline:
    """A session's files on one share, an archive and a journal."""

    share: Path
    backend: ArchiveBackend
    journal: Journal
    limits: Limits = field(default_factory=Limits)
    cursor: int = 0

    @property
    def roots(self) -> Mapping[str, Path]:
        return {"rig1": self.share}

    def manifest(self) -> pa.Table:
        table, rejected = make_manifest(SESSION, found_on(self.share), workers=1)
        assert rejected == ()
        return table

    def transfer(self, manifest: pa.Table | None = None) -> Transfer:
        table = self.manifest() if manifest is None else manifest
        return transfer_session(SESSION, table, self.roots, self.backend, self.journal, limits=self.limits)

    def verify(self, manifest: pa.Table | None = None) -> pa.Table:
        table = self.manifest() if manifest is None else manifest
        return verify_session(SESSION, table, self.roots, self.backend, self.journal, limits=self.limits, workers=1)

    def receipt(self, manifest: pa.Table | None = None, now: object = None) -> pa.Table:
        table = self.manifest() if manifest is None else manifest
        return receipt_session(SESSION, table, self.backend, self.journal, now)  # type: ignore[arg-type]

    def poll(self) -> Polled:
        polled = poll(self.journal, self.backend, self.roots, self.cursor, limits=self.limits)
        self.cursor = polled.cursor
        return polled

    def run(self, manifest: pa.Table | None = None, now: object = None) -> pa.Table:
        """All that a folder needs from manifest to receipt."""
        table = self.manifest() if manifest is None else manifest
        self.transfer(table)
        self.verify(table)
        return self.receipt(table, now)

    def states(self) -> dict[str, str]:
        """The last state of each path."""
        files = self.journal.files(SESSION)
        return dict(zip(files["path"].to_pylist(), files["state"].to_pylist(), strict=True))

    def details(self, table: pa.Table) -> dict[str, str]:
        return dict(zip(table["path"].to_pylist(), table["detail"].to_pylist(), strict=True))


class SlowMover(FolderArchive):
    """A service that copies when it is told to, and remembers its tasks on disk, whoever asks.

    ``tasks.json`` beside the archive holds, by submission: how often it was asked for, its state, and whether its files
    were moved. What goes wrong is set in `wrong`, by archive path: ``corrupt`` (once), ``missing``, ``skipped``,
    ``conflict``; `outcome` is how tasks end.
    """

    def __init__(self, root: Path, *, is_ready: bool = False) -> None:
        super().__init__(root)
        self.is_ready = is_ready
        self.outcome = "succeeded"
        self.loses_replies = 0
        self.wrong: dict[str, str] = {}
        self.cancelled: list[str] = []
        self.is_away = False

    @property
    def name(self) -> str:
        return "slow"

    @property
    def _book(self) -> Path:
        return self.root.with_name(f"{self.root.name}.tasks.json")

    def tasks(self) -> dict[str, dict[str, object]]:
        return json.loads(self._book.read_text()) if self._book.exists() else {}

    def _note(self, submission: str, **said: object) -> None:
        tasks = self.tasks()
        tasks.setdefault(submission, {"n_asked": 0, "state": "active"}).update(said)
        draft = self._book.with_suffix(".draft")
        draft.write_text(json.dumps(tasks))
        draft.replace(self._book)

    def submit(self, submission: str, items: Sequence[Item]) -> Progress:
        if self.is_away:
            raise ArchiveNotReady("The service does not answer.")
        asked = self.tasks().get(submission, {}).get("n_asked", 0)
        self._note(submission, n_asked=int(str(asked)) + 1, n_items=len(items))
        if self.loses_replies:
            self.loses_replies -= 1
            raise ArchiveNotReady("The reply was lost.")
        return self.progress(submission, items) if self.is_ready else Progress(submission, "active", "queued")

    def progress(self, task: str, items: Sequence[Item]) -> Progress:
        if self.is_away:
            raise ArchiveNotReady("The service does not answer.")
        if not self.is_ready:
            return Progress(task, "active", f"0 of {len(items)} files", bytes_done=1)
        if self.outcome in {"blocked", "expired"}:
            self._note(task, state=self.outcome)
            return Progress(task, "blocked" if self.outcome == "blocked" else "failed", f"The task is {self.outcome}.")
        failed = {}
        for item in items:
            place = str(item.archive_path)
            wrong = self.wrong.get(place)
            if wrong in {"corrupt", "always corrupt"}:
                if wrong == "corrupt":
                    del self.wrong[place]
                content = bytearray(item.source.read_bytes() or b"?")
                content[0] ^= 1
                target = self.root / place
                target.parent.mkdir(parents=True, exist_ok=True)
                if not target.exists():
                    target.write_bytes(content)
            elif wrong == "conflict":
                failed[place] = ArchiveConflict(f"other bytes hold {place}")
            elif wrong == "mismatch":
                failed[place] = MapAssetsError(f"{place} arrived with another checksum")
            elif wrong not in {"missing", "skipped"}:
                done = super().submit(task, [item])
                failed.update(done.failed)
        is_bad = any(self.wrong.get(str(item.archive_path)) in {"missing", "mismatch"} for item in items)
        state = "failed" if is_bad else "succeeded"
        self._note(task, state=state)
        claims = {str(item.archive_path): "sha256:claimed" for item in items}
        return Progress(task, state, f"The task {state}.", failed, claims, sum(item.size for item in items), 1)

    def cancel(self, task: str) -> None:
        self.cancelled.append(task)
