"""The archive in a Globus collection: asking for files and looking how far they are. What stands there is told by `globus_side`, a task's end by `globus_ends`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final, Literal

from map_assets.archive.backends.globus_canary import Canary
from map_assets.archive.backends.globus_ends import End, Part
from map_assets.archive.backends.globus_errands import Posted
from map_assets.archive.backends.globus_served import staging
from map_assets.archive.backends.globus_settings import CollectionSettings, GlobusSettings
from map_assets.archive.backends.globus_side import GlobusSide
from map_assets.archive.backends.globus_sources import not_to_be_sent
from map_assets.archive.backends.protocol import ArchiveBlocked, Item, Progress
from map_assets.archive.names import refuse_collisions
from map_assets.vocabulary.errors import MapAssetsError

_LOG = logging.getLogger(__name__)
_NO_TASK: Final = "-"


class GlobusArchive(GlobusSide):
    """An archive that Globus fills from the shares' collections.

    Files are moved under names of their own in ``.parts/{submission}`` and get their final names when their task has
    ended: so a final name never shows half a file. A submission has one id for each collection that shares are served
    by, and its task is written ``{task}@{id}``, several joined by ``+``.

    Parameters
    ----------
    settings : GlobusSettings
    """

    def __init__(self, settings: GlobusSettings) -> None:
        super().__init__(settings)
        self._canary = Canary(self._served)
        self._posted = Posted(settings.records / "tasks")
        self._sources = sorted({_key(share) for share in settings.shares.values()})

    @property
    def name(self) -> str:
        """The backend's name in the configuration."""
        return "globus"

    @property
    def location(self) -> str:
        """Collection and path."""
        destination = self.settings.destination
        return f"Globus collection {destination.collection} at {destination.path}"

    # -- moving ----------------------------------------------------------------------------------------------------------
    def new_submission(self) -> str:
        """Get an id for each collection that serves shares."""
        return "+".join(self.client.new_submission() for _ in self._sources)

    def submit(self, submission: str, items: Sequence[Item]) -> Progress:
        """Ask Globus for files; see `ArchiveBackend.submit`. The same submission again finds the same tasks."""
        refuse_collisions(item.archive_path for item in items)
        parts = self._parts(submission.split("+"), [""] * len(self._sources), items)
        failed: dict[str, MapAssetsError] = {}
        posted: list[str] = []
        for part in parts:
            task = self._posted.task(part.submission) or _NO_TASK
            waiting = self._to_send(part.items, failed) if task == _NO_TASK else []
            if task != _NO_TASK:
                posted.append(task)
            elif waiting:
                try:
                    task = self._post(part, waiting, submission)
                except ArchiveBlocked:
                    for other in posted:
                        self.client.cancel(other)
                    raise
                posted.append(task)
            part.task = task
        task = "+".join(f"{part.task}@{part.submission}" for part in parts)
        if posted:
            return Progress(task, "active", f"Globus was asked for {len(items) - len(failed)} files.", failed)
        detail = f"{len(items) - len(failed)} of {len(items)} files stand in the archive already."
        return Progress(task, "succeeded" if len(failed) < len(items) else "failed", detail, failed)

    def progress(self, task: str, items: Sequence[Item]) -> Progress:
        """Ask how far the tasks of a submission have come; where all have ended, what arrived gets its names."""
        pairs = [pair.partition("@") for pair in task.split("+")]
        parts = self._parts([pair[2] for pair in pairs], [pair[0] for pair in pairs], items)
        ends = [End.of(part, self, self._served) for part in parts]
        for end in ends:
            if end.verdict.must_cancel:
                self.client.cancel(end.part.task)
        states = {end.verdict.state for end in ends}
        detail = " ".join(end.verdict.detail for end in ends if end.verdict.detail)
        n_bytes = sum(end.count("bytes_transferred") for end in ends)
        n_faults = sum(end.count("faults") for end in ends)
        if "active" in states:
            return Progress(task, "active", detail, bytes_done=n_bytes, faults=n_faults)
        failed: dict[str, MapAssetsError] = {}
        claims: dict[str, str] = {}
        for end in ends:
            end.take_in(failed, claims)
            if end.verdict.is_over and end.has_left:
                self.clear(staging(end.part.submission), [end.part.staged(item).name for item in end.part.items])
        order: tuple[Literal["blocked", "failed", "succeeded"], ...] = ("blocked", "failed", "succeeded")
        state = next(state for state in order if state in states)
        return Progress(
            task,
            state,
            f"{detail}{self.room() if any(end.is_full for end in ends) else ''}",
            failed,
            claims,
            n_bytes,
            n_faults,
        )

    def cancel(self, task: str) -> None:
        """Ask for the tasks of a submission to end."""
        for pair in task.split("+"):
            one = pair.partition("@")[0]
            if one not in {"", _NO_TASK}:
                self.client.cancel(one)

    # -- inside ------------------------------------------------------------------------------------------------------------
    def _share(self, item: Item) -> CollectionSettings:
        try:
            return self.settings.shares[item.share]
        except KeyError:
            raise ArchiveBlocked(
                f"[archive.globus.shares] does not name share {item.share!r}; add its collection."
            ) from None

    def _parts(self, submissions: Sequence[str], tasks: Sequence[str], items: Sequence[Item]) -> list[Part]:
        if len(submissions) != len(self._sources):
            raise ArchiveBlocked(
                "The shares' collections in [archive.globus] are others than when this was submitted; let it be tried again."
            )
        found = {
            key: Part(*pair, []) for key, pair in zip(self._sources, zip(submissions, tasks, strict=True), strict=True)
        }
        for item in items:
            found[_key(self._share(item))].items.append(item)
        return list(found.values())

    def _to_send(self, items: Sequence[Item], failed: dict[str, MapAssetsError]) -> list[Item]:
        """Return what the archive lacks; what cannot be sent goes to `failed`."""
        sendable = []
        for item in items:
            error = not_to_be_sent(item)
            if error is None:
                sendable.append(item)
            else:
                failed[str(item.archive_path)] = error
        sizes = self.sizes(sendable)
        waiting = []
        for item in sendable:
            if item.archive_path not in sizes:
                waiting.append(item)
            elif (conflict := self.conflict(item, sizes[item.archive_path])) is not None:
                failed[str(item.archive_path)] = conflict
        return waiting

    def _post(self, part: Part, items: Sequence[Item], submission: str) -> str:
        source, destination = self._share(items[0]), self.settings.destination
        paths = [self.source_path(item) for item in items]
        self._canary.prove(source, items, paths)
        files = [
            (path, destination.at(part.staged(item)), item.sha256) for path, item in zip(paths, items, strict=True)
        ]
        label = f"{items[0].archive_path.parts[0][:60]} {len(items)} files {submission[:36]}"
        task = self.client.submit(part.submission, source, destination, files, label)
        self._posted.note(part.submission, task)
        return task

    def source_path(self, item: Item) -> str:
        """Path of an item's source in the collection that serves its share."""
        return self._share(item).at(item.path)


def _key(share: CollectionSettings) -> tuple[str, str]:
    return share.collection, share.local_user or ""
