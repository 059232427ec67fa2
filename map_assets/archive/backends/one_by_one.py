"""A submission of a backend that copies by itself: each file in turn, a few at a time. How one file is copied lives with the backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from map_assets.archive.backends.protocol import ArchiveBlocked, ArchiveNotReady, Item, Progress
from map_assets.archive.names import refuse_collisions
from map_assets.archive.parallel import each_in_parallel
from map_assets.vocabulary.errors import MapAssetsError

_PATIENCE = 3


def copy_one_by_one(
    submission: str, items: Sequence[Item], copy: Callable[[Item], None], place: str, workers: int | None = None
) -> Progress:
    """Copy every item; one file's failure leaves the others to be copied.

    Where a person is needed (no room, no permission), or where three files in a row found the archive not ready, the
    rest is not tried.

    Parameters
    ----------
    copy : callable
        Copies one item, or raises a MapAssetsError.
    place : str
        The archive, for the sentence.
    workers : int, optional
        Files at a time; by default one a core, at most four.

    Raises
    ------
    ArchiveConflict
        If two items' names cannot stand side by side; nothing was copied.
    ArchiveNotReady
        If no file could be copied, and only because the archive was not ready.
    """
    refuse_collisions(item.archive_path for item in items)
    failed: dict[str, MapAssetsError] = {}
    in_a_row: list[ArchiveNotReady] = []
    stop: list[MapAssetsError] = []

    def attempt(item: Item) -> MapAssetsError | None:
        if stop:
            return stop[0]
        try:
            copy(item)
        except MapAssetsError as error:
            if isinstance(error, ArchiveNotReady):
                in_a_row.append(error)
            if isinstance(error, ArchiveBlocked) or len(in_a_row) >= _PATIENCE:
                stop.append(error)
            return error
        in_a_row.clear()
        return None

    for item, error in zip(items, each_in_parallel(attempt, items, workers), strict=True):
        if error is not None:
            failed[str(item.archive_path)] = error
    if items and len(failed) == len(items) and all(isinstance(error, ArchiveNotReady) for error in failed.values()):
        raise next(iter(failed.values()))
    return _told(submission, items, failed, place)


def by_size(task: str, items: Sequence[Item], stat: Callable[[Item], int | None], place: str) -> Progress:
    """Say which items stand there by size: nothing is under way, and what was not finished was interrupted."""
    lacking: dict[str, MapAssetsError] = {
        str(item.archive_path): ArchiveNotReady(f"{item.archive_path} is not in {place}: its copying was interrupted.")
        for item in items
        if stat(item) != item.size
    }
    return _told(task, items, lacking, place)


def _told(task: str, items: Sequence[Item], failed: dict[str, MapAssetsError], place: str) -> Progress:
    there = [item for item in items if str(item.archive_path) not in failed]
    is_blocked = any(isinstance(error, ArchiveBlocked) for error in failed.values())
    return Progress(
        task,
        "blocked" if is_blocked else "succeeded" if there or not items else "failed",
        f"{len(there)} of {len(items)} files stand in {place}.",
        failed,
        bytes_done=sum(item.size for item in there),
    )
