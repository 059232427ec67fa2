"""What a scan found on a share, as the rooms see it. Scanning and deciding what a file is live in `shares`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from map_assets.vocabulary.errors import BadInput, ChangedWhileRead, UnreadableFile, UnsafePath


@dataclass(frozen=True)
class FoundFile:
    """One file of a session.

    Parameters
    ----------
    share : str
        Name of the share in the configuration.
    root : pathlib.Path
        Root of that share on this machine.
    relpath : pathlib.PurePosixPath
        Path under the root.
    role : str
        What the file is for: ``behavior``, ``spikeglx_meta``, ``spikeglx_bin``, ``bitcode``, ``sorting``,
        ``unit_classes``, ``histology``, ``tracking``, ``tracking_map``, ``video`` or ``raw``.
    size : int
        Bytes.
    mtime_ns : int
        Modification time on the share's clock, ns.
    rig : str or None
        The rig that the share belongs to, where the configuration names one.
    """

    share: str
    root: Path
    relpath: PurePosixPath
    role: str
    size: int
    mtime_ns: int
    rig: str | None = None

    @property
    def path(self) -> Path:
        """Absolute path on this machine."""
        return self.root / self.relpath


@dataclass(frozen=True)
class Rejected:
    """Files that a reader could not use, and why; the rest of the session goes on."""

    files: tuple[FoundFile, ...]
    error: BadInput


def inside(root: Path, path: Path) -> Path:
    """Return `path` resolved, if it lies under `root` and no part of it is a link.

    Raises
    ------
    UnsafePath
        If it leaves the root or passes a symbolic link.
    """
    real_root = root.resolve()
    lexical = Path(os.path.normpath(path if path.is_absolute() else root.absolute() / path))
    resolved = lexical.resolve()
    for base in (root.absolute(), real_root):
        if lexical.is_relative_to(base) and resolved == real_root / lexical.relative_to(base):
            return resolved
    raise UnsafePath(
        path,
        "it is a link or leaves its root",
        expected=f"a plain file under {root}",
        todo="Copy the file itself there.",
    )


@contextmanager
def unchanged(path: Path) -> Iterator[os.stat_result]:
    """Read a file inside this block and know that nobody wrote to it meanwhile.

    Raises
    ------
    ChangedWhileRead
        If size, modification or change time, or inode differ after the block.
    UnreadableFile
        If the file cannot be reached at all.
    """
    todo = "It is taken up again when it has stopped changing."
    try:
        before = path.stat(follow_symlinks=False)
    except OSError as error:
        raise UnreadableFile(
            path, f"cannot be reached ({error.strerror})", expected="a readable file", todo=todo
        ) from error
    yield before
    try:
        after = path.stat(follow_symlinks=False)
    except OSError as error:
        raise ChangedWhileRead(path, "it vanished while it was read", expected="a finished file", todo=todo) from error
    marks = ("st_size", "st_mtime_ns", "st_ctime_ns", "st_ino")
    if any(getattr(before, mark) != getattr(after, mark) for mark in marks):
        raise ChangedWhileRead(path, "it was written to while it was read", expected="a finished file", todo=todo)


def sha256_of(path: Path) -> str:
    """Hash a file, proven unchanged around the read; lower-case hex."""
    with unchanged(path), path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
