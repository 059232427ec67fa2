"""What is asked of Globus: tasks, and single files of a collection. How it is asked lives in `globus_session`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any, Final

from map_assets.archive.backends.globus_session import APP, GlobusSession
from map_assets.archive.backends.globus_settings import CollectionSettings
from map_assets.archive.backends.globus_verdicts import Document
from map_assets.archive.backends.protocol import ArchiveBlocked, ArchiveNotReady, NotInArchive

_EVENTS: Final = 1000
"""The service gives no more, and its newest come first."""
_ENTRIES: Final = 100_000
"""As many as the service gives at a time."""


class GlobusClient(GlobusSession):
    """A service account at Globus Transfer, and what the archive asks of it.

    Every method raises ArchiveNotReady (to be asked again later) or ArchiveBlocked (a person is needed).
    """

    # -- tasks ---------------------------------------------------------------------------------------------------------
    def new_submission(self) -> str:
        """Get an id under which one task may be submitted, however often."""
        value = self.asked("get a submission id", lambda client: client.get_submission_id()).get("value")
        if not isinstance(value, str) or not value:
            raise ArchiveNotReady("Globus gave no submission id; it is asked for again later.")
        return value

    def submit(
        self,
        submission: str,
        source: CollectionSettings,
        destination: CollectionSettings,
        files: Sequence[tuple[str, str, str | None]],
        label: str,
    ) -> str:
        """Submit a transfer of single files; the same submission again is the same task.

        Parameters
        ----------
        submission : str
            From `new_submission`, written down before.
        source, destination : CollectionSettings
        files : sequence of (str, str, str or None)
            Path in the source collection, path in the destination's, and the sha256 that both files must have.
        label : str
            What people see in Globus.

        Returns
        -------
        str
            The task's id.
        """
        from globus_sdk import MISSING, TransferData

        settings = self.settings
        data = TransferData(
            source.collection,
            destination.collection,
            label=label[:128].strip(),
            submission_id=submission,
            sync_level="checksum",
            verify_checksum=True,
            preserve_timestamp=True,
            encrypt_data=True,
            fail_on_quota_errors=True,
            skip_source_errors=False,
            delete_destination_extra=False,
            deadline=datetime.now(UTC) + timedelta(seconds=settings.deadline_s),
            notify_on_succeeded=False,
            notify_on_failed=False,
            notify_on_inactive=False,
            source_local_user=source.local_user or MISSING,
            destination_local_user=destination.local_user or MISSING,
        )
        for source_path, destination_path, sha256 in files:
            checksum = sha256 if sha256 is not None and settings.algorithm == "SHA256" else MISSING
            data.add_item(
                source_path, destination_path, external_checksum=checksum, checksum_algorithm=settings.algorithm
            )
        told = self.asked(f"move {len(files)} files", lambda client: client.submit_transfer(data))
        task = told.get("task_id")
        if not isinstance(task, str) or not task:
            raise ArchiveNotReady(
                "Globus took the files and named no task; the same submission is asked for again later."
            )
        return task

    def task(self, task: str) -> Document:
        """Get a task's document."""
        return self.asked(f"tell of task {task}", lambda client: client.get_task(task))

    def events(self, task: str) -> list[Document]:
        """Get the newest events of a task, newest first."""
        told = self.asked(f"tell the events of task {task}", lambda client: client.task_event_list(task, limit=_EVENTS))
        return [event for event in told.get("DATA") or () if isinstance(event, dict)]

    def successes(self, task: str) -> list[Document]:
        """List the files that an ended task says it has transferred; not those that it found there already."""
        return list(self.paged(f"list the files of task {task}", lambda client, at: client.task_successful_transfers(task, marker=at)))  # fmt: skip

    def skipped(self, task: str) -> list[Document]:
        """List the files that an ended task left out."""
        return list(self.paged(f"list what task {task} left out", lambda client, at: client.task_skipped_errors(task, marker=at)))  # fmt: skip

    def cancel(self, task: str) -> None:
        """Ask for a task to end; without effect where it has ended or is not known."""
        try:
            self.asked(f"cancel task {task}", lambda client: client.cancel_task(task))
        except NotInArchive:
            return

    def wait(self, task: str) -> Document | None:
        """Wait, as long as the settings allow, for a task to end; its document, or None where it goes on."""
        end = time.monotonic() + self.settings.wait_s
        while True:
            document = self.task(task)
            if document.get("status") in {"SUCCEEDED", "FAILED"}:
                return document
            if time.monotonic() >= end:
                return None
            time.sleep(self.settings.poll_s)

    # -- files ---------------------------------------------------------------------------------------------------------
    def size(self, place: CollectionSettings, path: PurePosixPath) -> int | None:
        """Size of a file in bytes, -1 of a folder, None where there is nothing."""
        try:
            told = self.asked(
                f"look at {path}",
                lambda client: client.operation_stat(place.collection, place.at(path), local_user=_user(place)),
            )
        except NotInArchive:
            return None
        return int(told.get("size") or 0) if told.get("type") == "file" else -1

    def entries(self, place: CollectionSettings, folder: PurePosixPath) -> list[tuple[str, bool, int]]:
        """List a folder: name, whether it is a folder, and size of each entry; empty where there is none."""
        found: list[tuple[str, bool, int]] = []
        while True:
            page = self._page(place, folder, len(found))
            found += page
            if len(page) < _ENTRIES:
                return found

    def _page(self, place: CollectionSettings, folder: PurePosixPath, offset: int) -> list[tuple[str, bool, int]]:
        path = place.at(folder) if folder.parts else place.path
        try:
            told = self.asked(
                f"list {folder}",
                lambda client: client.operation_ls(
                    place.collection, path, limit=_ENTRIES, offset=offset, orderby="name", local_user=_user(place)
                ),
            )
        except NotInArchive:
            return []
        entries = told.get("DATA") or ()
        return [(str(entry["name"]), entry.get("type") == "dir", int(entry.get("size") or 0)) for entry in entries]

    def make_folder(self, place: CollectionSettings, folder: PurePosixPath) -> None:
        """Make a folder and its parents where they are not there."""
        if folder == PurePosixPath() or self.size(place, folder) == -1:
            return
        self.make_folder(place, folder.parent)
        try:
            self.asked(
                f"make the folder {folder}",
                lambda client: client.operation_mkdir(place.collection, place.at(folder), local_user=_user(place)),
            )
        except (ArchiveBlocked, ArchiveNotReady):
            if self.size(place, folder) != -1:  # it may have come to be, and the reply was lost
                raise

    def rename(self, place: CollectionSettings, old: PurePosixPath, new: PurePosixPath) -> None:
        """Give a file another name; what stands under that name is lost, so it is looked at before."""
        self.asked(
            f"rename {old} to {new}",
            lambda client: client.operation_rename(
                place.collection, place.at(old), place.at(new), local_user=_user(place)
            ),
        )

    def remove_folder(self, place: CollectionSettings, folder: PurePosixPath) -> None:
        """Ask for a folder with all that it holds to be removed; it is gone some time later."""
        from globus_sdk import MISSING, DeleteData

        data = DeleteData(
            place.collection,
            label=f"{APP} {folder.name}"[:128],
            recursive=True,
            ignore_missing=True,
            interpret_globs=False,
            local_user=place.local_user or MISSING,
            notify_on_succeeded=False,
            notify_on_failed=False,
            notify_on_inactive=False,
        )
        data.add_item(place.at(folder))
        self.asked(f"clear {folder} away", lambda client: client.submit_delete(data))


def _user(place: CollectionSettings) -> Any:
    from globus_sdk import MISSING

    return place.local_user or MISSING
