"""The archive as Globus alone shows it, where it is not mounted here. Moving sources into it lives in `globus`."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from map_assets.archive.backends.arrival import arriving
from map_assets.archive.backends.globus_client import GlobusClient
from map_assets.archive.backends.globus_errands import BACK, Errands
from map_assets.archive.backends.globus_settings import GlobusSettings
from map_assets.archive.backends.globus_verdicts import Document, Verdict, judge
from map_assets.archive.backends.protocol import ArchiveBlocked, ArchiveNotReady, NotInArchive, ReadBack
from map_assets.archive.backends.question import asking, question
from map_assets.archive.backends.write_once import PARTS
from map_assets.archive.names import beside, safe
from map_assets.archive.reading import read_blocks
from map_assets.store.atomic import replacing
from map_assets.vocabulary.errors import ArchiveConflict, BadConfiguration, MapAssetsError


class ServedArchive:
    """The archive's files, seen and renamed through Globus, and read by letting them be transferred back.

    Parameters
    ----------
    settings : GlobusSettings
    client : GlobusClient
    """

    def __init__(self, settings: GlobusSettings, client: GlobusClient) -> None:
        self.settings = settings
        self.client = client
        self.errands = Errands(client, settings.records / "errands")

    def stat(self, archive_path: PurePosixPath) -> int | None:
        """Size of an archived file in bytes, or None where there is none."""
        size = self.client.size(self.settings.destination, safe(archive_path))
        if size == -1:
            raise ArchiveConflict(f"In the archive, {archive_path} is a folder; nothing was overwritten.")
        return size

    def listing(self, folder: PurePosixPath) -> Iterator[tuple[PurePosixPath, int]]:
        """Give every file under a folder, in order of the paths' bytes."""
        entries = self.client.entries(self.settings.destination, safe(folder) if folder.parts else folder)
        if not folder.parts:
            entries = [entry for entry in entries if not entry[0].startswith(".")]
        for name, is_folder, size in sorted(entries, key=lambda entry: f"{entry[0]}{'/' * entry[1]}".encode()):
            if is_folder:
                yield from self.listing(folder / name)
            else:
                yield folder / name, size

    def receipts(self, folder: PurePosixPath) -> list[PurePosixPath]:
        """Archive paths of the receipts (``*.json``) in a folder, in order of name."""
        entries = self.client.entries(self.settings.destination, safe(folder))
        return sorted(folder / name for name, is_folder, _ in entries if name.endswith(".json") and not is_folder)

    # -- names -----------------------------------------------------------------------------------------------------------
    def name_it(self, staged: PurePosixPath, final: PurePosixPath, size: int) -> None:
        """Give what stands under a name of its own its final name, where that is free.

        Globus has no rename that refuses a name which is taken, so it is looked at just before; a session's lease keeps
        others out.
        """
        destination = self.settings.destination
        if self.stat(final) is not None:
            raise ArchiveConflict(f"Something stands as {final} in the archive by now; nothing was overwritten.")
        self.client.make_folder(destination, final.parent)
        try:
            self.client.rename(destination, staged, final)
        except MapAssetsError:
            # the reply may have been lost, and the SDK have asked twice
            if self.client.size(destination, staged) is not None or self.stat(final) != size:
                raise

    def set_aside(self, archive_path: PurePosixPath) -> PurePosixPath:
        """Rename a damaged copy; see `ArchiveBackend.set_aside`."""
        size = self.stat(archive_path)
        if size is None:
            raise NotInArchive(f"The archive has no file {archive_path}.")
        aside = beside(archive_path, f".BAD-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
        self.name_it(archive_path, aside, size)
        return aside

    # -- bytes that come back ----------------------------------------------------------------------------------------------
    def read_back_sha256(self, archive_path: PurePosixPath) -> ReadBack:
        """Let an archived file be transferred back, and hash what arrived here."""
        found = hashlib.sha256()
        with self.back(archive_path) as (path, task), path.open("rb", buffering=0) as stream:
            size = read_blocks(stream, found.update)
        return ReadBack(found.hexdigest(), size, f"read back whole from a copy that Globus task {task} brought back")

    def fetch(self, archive_path: PurePosixPath, to: Path) -> ReadBack:
        """Let an archived file be transferred back, and copy it to a new file of this machine."""
        if os.path.lexists(to):
            raise FileExistsError(f"{to} is there already; nothing was overwritten.")
        with (
            asking(question() or "fetch"),
            self.back(archive_path) as (path, task),
            path.open("rb", buffering=0) as stream,
            arriving(to) as new,
        ):
            read_blocks(stream, new.write)
        return ReadBack(new.sha256, new.size, f"hashed while it was copied from what Globus task {task} brought back")

    def read_receipt(self, archive_path: PurePosixPath) -> bytes:
        """Let a small file be transferred back, and read it."""
        with self.back(archive_path) as (path, _):
            return path.read_bytes()

    @contextmanager
    def back(self, archive_path: PurePosixPath) -> Iterator[tuple[Path, str]]:
        """Have a copy of an archived file in the scratch folder, and the task that brought it, inside this block.

        Raises
        ------
        NotInArchive
            If there is none.
        ArchiveNotReady
            If it has not come yet; it goes on coming, and a later call that asks the same finds it (`question`).
        """
        scratch = self.settings.scratch
        if scratch is None:
            raise BadConfiguration("[archive.globus] names no scratch folder that files could be transferred back to.")
        size = self.stat(archive_path)
        if size is None:
            raise NotInArchive(f"The archive has no file {archive_path}.")
        destination = self.settings.destination
        asked = question() or secrets.token_hex(8)  # else nobody finds it again
        submission, ended = self.errands.run(
            f"{BACK}{archive_path} for {asked}",
            destination,
            scratch,
            lambda submission: [(destination.at(archive_path), scratch.at(submission), None)],
            f"bring {archive_path} back",
            drop=lambda submission: (scratch.folder / submission).unlink(missing_ok=True),
        )
        arrived = scratch.folder / submission
        try:
            self.must_have_succeeded(ended, f"{archive_path} was to come back")
            found = arrived.stat().st_size if arrived.is_file() else None
            if found != size:
                raise ArchiveNotReady(
                    f"{archive_path} was brought back with {found} bytes of {size}; it is asked for again. Check that "
                    f"{scratch.folder} is what collection {scratch.collection} serves as {scratch.path}."
                )
            yield arrived, str(ended.get("task_id"))
        finally:
            arrived.unlink(missing_ok=True)

    def send_receipt(self, archive_path: PurePosixPath, content: bytes) -> None:
        """Send a small file from the outbox and give it its name, which is free."""
        outbox = self.settings.outbox
        if outbox is None:
            raise BadConfiguration("[archive.globus] names neither a writable mount nor an outbox for receipts.")
        sha256 = hashlib.sha256(content).hexdigest()
        waiting = outbox.folder / f"{hashlib.sha256(str(archive_path).encode()).hexdigest()[:16]}-{sha256[:16]}"
        with replacing(waiting) as part:
            part.write_bytes(content)
        destination = self.settings.destination
        submission, ended = self.errands.run(
            f"receipt {archive_path} {sha256}",
            outbox,
            destination,
            lambda submission: [(outbox.at(waiting.name), destination.at(staging(submission) / waiting.name), sha256)],
            f"send {archive_path}",
        )
        self.must_have_succeeded(ended, f"{archive_path} was to be sent")
        self.name_it(staging(submission) / waiting.name, archive_path, len(content))
        waiting.unlink(missing_ok=True)
        self.client.remove_folder(destination, staging(submission))

    def must_have_succeeded(self, ended: Document, what: str) -> None:
        """Raise where a task that has ended did not end well."""
        verdict = self.verdict(ended)
        if verdict.state != "succeeded":
            kind = ArchiveBlocked if verdict.state == "blocked" else ArchiveNotReady
            raise kind(f"{what}, and did not: {verdict.detail}")

    def verdict(self, task: Document) -> Verdict:
        """Judge a task by its document, and by its events where something went wrong."""
        is_fine = task.get("status") == "SUCCEEDED" or (task.get("status") == "ACTIVE" and not task.get("faults"))
        events = [] if is_fine else self.client.events(str(task.get("task_id")))
        settings = self.settings
        return judge(task, events, datetime.now(UTC), max_faults=settings.max_faults, stuck_s=settings.stuck_s)


def staging(submission: str) -> PurePosixPath:
    """Folder in the archive where a submission's files stand until they get their names."""
    return PurePosixPath(PARTS, submission)
