"""What became of one file on its way into the archive, and of what its source looks like. Writing it down is `moving`'s."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from map_assets.archive.backends.protocol import ArchiveBackend, ArchiveBlocked, ArchiveNotReady, Item, Progress
from map_assets.archive.states import State
from map_assets.vocabulary.errors import ArchiveConflict, ChangedWhileRead, MapAssetsError, ShareNotReady, UnsafePath
from map_assets.vocabulary.files import inside


class Roots(dict[str, Path]):
    """Root of each share on this machine, with the texts that their markers must hold.

    Parameters
    ----------
    roots : mapping of str to pathlib.Path
    markers : mapping of str to str or None
        By the share's name; None where none is known.
    """

    def __init__(self, roots: Mapping[str, Path], markers: Mapping[str, str | None]) -> None:
        super().__init__(roots)
        self.markers = dict(markers)


class Fate(NamedTuple):
    """What became of one file."""

    state: State
    why: str = ""
    counts: bool = True
    is_own: bool = False
    claim: str = ""
    is_adopted: bool = False


def fate_of(item: Item, progress: Progress, backend: ArchiveBackend) -> Fate:
    """Judge one file of a task that has come to its end: by what stands in the archive, not by what the mover claims."""
    place = str(item.archive_path)
    error = progress.failed.get(place)
    if error is not None:
        return Fate(_state_after(error), str(error), not isinstance(error, ArchiveNotReady), is_own=True)
    size = backend.stat(item.archive_path)
    if size == item.size:
        return Fate(State.TRANSFERRED, claim=progress.claims.get(place, ""))
    if progress.state == "blocked":
        return Fate(State.BLOCKED, progress.detail)
    found = "is not there" if size is None else f"has {size} bytes"
    claimed = "says that it moved" if progress.state == "succeeded" else "did not move"
    why = f"The archive {backend.location} {claimed} {place}, which {found} ({item.size} expected)."
    return Fate(State.FAILED, f"{why} {progress.detail}".strip(), is_own=progress.state == "succeeded")


def look_at_source(item: Item, root: Path, backend: ArchiveBackend) -> Fate | None:
    """Judge a file that cannot be asked for; None where its source stands as in the manifest.

    What has left its share may stand in the archive already.

    Raises
    ------
    ShareNotReady
        If the whole share is away.
    """
    try:
        found = inside(root, Path(item.path)).stat(follow_symlinks=False)
    except FileNotFoundError:
        must_be_there(item.share, root)
        if backend.stat(item.archive_path) == item.size:
            return Fate(State.TRANSFERRED, is_adopted=True)
        why = (
            f"{item.path} has left share {item.share!r} before the archive had it: lost before it was archived, "
            "unless it is put back as the manifest has it."
        )
        return Fate(State.FAILED, why, is_own=True)
    except UnsafePath as error:
        return Fate(State.BLOCKED, str(error), is_own=True)
    except OSError as error:
        why = f"{item.path} on share {item.share!r} cannot be looked at ({error.strerror}); mend its permissions."
        return Fate(State.FAILED, why, is_own=True)
    if not stat.S_ISREG(found.st_mode):
        return Fate(State.BLOCKED, f"{item.path} on share {item.share!r} is no plain file any more.", is_own=True)
    if found.st_size != item.size:
        why = (
            f"{item.path} on share {item.share!r} has {found.st_size} bytes, and {item.size} in the manifest; "
            "it is taken up again with a new manifest when it has stopped changing."
        )
        return Fate(State.UNSTABLE, why)
    return None


def must_be_there(share: str, root: Path) -> None:
    """Raise ShareNotReady where a share's root is away or empty: nothing is concluded from that."""
    try:
        is_there = any(root.iterdir())
    except OSError:
        is_there = False
    if not is_there:
        raise ShareNotReady(
            f"Share {share!r} is not at {root}, or is empty there; mount it again. Nothing was concluded about its files."
        )


def must_be_itself(share: str, roots: Mapping[str, Path]) -> None:
    """Raise ShareNotReady where another share, or none, stands in the place of one whose marker is known."""
    marker = roots.markers.get(share) if isinstance(roots, Roots) else None
    if marker is None:
        return
    place = roots[share] / ".map_assets_share"
    try:
        found = place.read_text("utf-8", "replace").strip()
    except OSError as error:
        raise ShareNotReady(
            f"{place} cannot be read ({error.strerror}); is share {share!r} mounted? Nothing was concluded about its files."
        ) from error
    if found != marker:
        raise ShareNotReady(
            f"{place} holds {found!r}, and share {share!r} is known by {marker!r}: another share is mounted there. Nothing "
            "was concluded about its files."
        )


def _state_after(error: MapAssetsError) -> State:
    if isinstance(error, ChangedWhileRead):
        return State.UNSTABLE
    if isinstance(error, ArchiveConflict):
        return State.CONFLICT
    return State.BLOCKED if isinstance(error, ArchiveBlocked | UnsafePath) else State.FAILED
