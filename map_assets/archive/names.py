"""What a file's name says (probe, camera, video), and which paths may stand in an archive, alone and side by side. Hashing lives in `manifest`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from map_assets.vocabulary.errors import ArchiveConflict, UnsafePath

_IMEC: Final = re.compile(r"(?<![A-Za-z])imec(\d+)(?!\d)", re.IGNORECASE)
_VIDEO: Final = re.compile(r".*?_(?P<camera>[A-Za-z][A-Za-z_]*)_(?P<number>\d{1,9})((-|DLC|_filtered).*)?", re.DOTALL)
_MAP: Final = re.compile(r".*?_(?P<camera>[A-Za-z][A-Za-z_]*)", re.DOTALL)
_NAME_BYTES: Final = 255


class Said(NamedTuple):
    """What a file's path tells of it; None where it tells nothing.

    Parameters
    ----------
    probe : int or None
        Insertion number, from 1: ``imecN`` is probe N + 1.
    camera : str or None
        The camera's position as the name spells it.
    video_number : int or None
        The number that the camera's videos are counted by; which trial it shows is told by the session's `videos`.
    """

    probe: int | None = None
    camera: str | None = None
    video_number: int | None = None


def said_by(path: PurePosixPath, role: str) -> Said:
    """Read probe, camera and video number from a path.

    Parameters
    ----------
    path : pathlib.PurePosixPath
        Under the share's root. The nearest folder with ``imecN`` tells the probe, else the file's own name.
    role : str
        Only names of roles ``video``, ``tracking`` and ``tracking_map`` say a camera.
    """
    if role == "tracking_map":
        form = _MAP.fullmatch(path.stem)
        return Said(camera=form["camera"] if form else None)
    if role in {"video", "tracking"}:
        form = _VIDEO.fullmatch(path.stem)
        return Said(None, form["camera"], int(form["number"])) if form else Said()
    for part in (*reversed(path.parts[:-1]), path.name):
        if found := _IMEC.findall(part):
            return Said(probe=int(found[-1]) + 1)
    return Said()


def beside(path: PurePosixPath, suffix: str) -> PurePosixPath:
    """Return the path with a suffix on its name, the name cut so that both fit into the 255 bytes of a file system."""
    name = path.name.encode()[: _NAME_BYTES - len(suffix.encode())].decode(errors="ignore")
    return path.with_name(name + suffix)


def safe(path: PurePosixPath) -> PurePosixPath:
    """Return an archive path if it is one: relative, without ``..``, and not below a folder that the archive keeps for itself.

    Raises
    ------
    UnsafePath
        If it is not; names that begin with a dot are the archive's own at its root.
    """
    parts = path.parts
    if not parts or path.is_absolute() or ".." in parts or parts[0].startswith((".", "~")) or "\0" in str(path):
        raise UnsafePath(
            str(path) if parts else "(empty)",
            "it is no path under the archive's root",
            expected="a relative path without .., whose first part does not begin with a dot",
            todo="Rename the share or the file.",
        )
    return path


def refuse_collisions(paths: Iterable[PurePosixPath]) -> None:
    """Refuse paths of which two would be one, or one the folder of another, on a file system that folds case or Unicode forms.

    Raises
    ------
    ArchiveConflict
        On the first such pair.
    """
    taken: dict[str, PurePosixPath] = {}
    folders: dict[str, PurePosixPath] = {}
    for path in paths:
        folded = _folded(path)
        if folded in taken:
            raise _collision(taken[folded], path)
        taken[folded] = path
        for folder in path.parents:
            name = _folded(folder)
            if name in folders:  # then its parents are there too
                break
            folders[name] = path
    for name in taken.keys() & folders.keys():
        raise _collision(taken[name], folders[name])


def _folded(path: PurePosixPath) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", str(path)).casefold())


def _collision(one: PurePosixPath, other: PurePosixPath) -> ArchiveConflict:
    return ArchiveConflict(
        f"{str(one)!r} and {str(other)!r} cannot both stand in the archive: their names are one, or one is the other's "
        "folder, where letters' case and Unicode forms are not told apart. Nothing was moved; rename one of them."
    )
