"""The small file that stands where a source was removed and says where its bytes are. Removing the source lives in `removal_quarantine`.

It takes only names that are free: nothing of anybody's is ever overwritten by it.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from map_assets.archive.removal_policy import TOMBSTONE, Doubtful, RemovalStopped
from map_assets.archive.removal_quarantine import NO_LINKS
from map_assets.archive.states import State
from map_assets.store.atomic import fsync_file, fsync_folder

_LONGEST_NAME = 255
_LARGEST_TOMBSTONE = 1 << 20
_TOLD = {"session", "share", "path", "size", "sha256", "archive_path", "approval", "receipt", "copies", "removed_at"}


def tombstone_place(source: Path, row: Mapping[str, Any]) -> Path | None:
    """Say where to write, beside a file, where its bytes are: a free name, the second one where other bytes went before.

    Returns
    -------
    pathlib.Path or None
        None where it is written there already.

    Raises
    ------
    Doubtful
        HELD, if a file that we did not write has the name.
    """
    for place in _tombstone_places(source, row["sha256"]):
        if not os.path.lexists(place):
            return place
        is_claim = stat.S_ISREG(place.lstat().st_mode) and place.lstat().st_size == 0
        if is_claim:  # of a run that was stopped, on a file system without links; where there are links it is refused
            return place
        said = _tombstone(place)
        if said is None or (said["share"], said["path"]) != (row["share"], row["path"]):
            break
        if said["sha256"] == row["sha256"]:
            return None
    raise Doubtful(
        State.HELD,
        f"{place} is no word of ours about {row['path']} and has the name that one would get; give it another name.",
    )


def write_tombstone(place: Path, said: Mapping[str, Any]) -> None:
    """Write at a place of `tombstone_place` where a file's bytes are now; nothing where its folder has gone too.

    Raises
    ------
    Doubtful
        HELD, if something got the name meanwhile; it is left as it is.
    RemovalStopped
        If the share does not let us.
    """
    if not place.parent.is_dir():
        return
    part = place.with_name(f".{secrets.token_hex(6)}.part")
    try:
        part.write_text(json.dumps(said, indent=2, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")
        fsync_file(part)
        try:
            os.link(part, place)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            _claim(place)
            part.replace(place)
        fsync_folder(place.parent)
    except FileExistsError as error:
        raise Doubtful(State.HELD, f"{place} got its name meanwhile; it is left as it is.") from error
    except OSError as error:
        raise RemovalStopped(f"{place} cannot be written ({error.strerror}); the file stays in quarantine.") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _tombstone_places(source: Path, sha256: str) -> tuple[Path, ...]:
    """Name the sidecar, and the second one; where a name is too long for one it is shortened, its whole is inside."""
    name, more = source.name, len(f".{sha256[:12]}{TOMBSTONE}")
    if len(name.encode()) + more <= _LONGEST_NAME:
        return source.with_name(f"{name}{TOMBSTONE}"), source.with_name(f"{name}.{sha256[:12]}{TOMBSTONE}")
    mark = hashlib.sha256(f"{name}\0{sha256}".encode()).hexdigest()[:12]
    while len(name.encode()) + more > _LONGEST_NAME:
        name = name[:-1]
    return (source.with_name(f"{name}.{mark}{TOMBSTONE}"),)


def _tombstone(place: Path) -> Mapping[str, Any] | None:
    """Read a sidecar of ours; None where it is something else."""
    if not stat.S_ISREG(place.lstat().st_mode) or place.lstat().st_size > _LARGEST_TOMBSTONE:
        return None
    try:
        said = json.loads(place.read_text("utf-8"))
    except (ValueError, OSError):
        return None
    return said if isinstance(said, dict) and said.keys() >= _TOLD else None


def _claim(place: Path) -> None:
    try:
        place.touch(exist_ok=False)
    except FileExistsError:
        if place.lstat().st_size:
            raise
