"""Looking at a share's root and listing what is below it, once and without following links. Comparing with the ledger lives in `scan`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from map_assets.shares.share import MARKER, ScanStatus

_MARKER_BYTES = 4096


class Facts(NamedTuple):
    """What a listing tells of a file: unless all four stay the same it changed."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass
class Look:
    """What a look at a share found.

    Parameters
    ----------
    status, message : str
        As in `ScanReport`; where the status is not ``ok`` the rest means nothing.
    found : dict of str to Facts
        Every file, link and other thing that is no folder, by path under the root.
    odd : set of str
        Those of `found` that are links or no regular files.
    unread : list of str
        Folders (and files) that could not be read: nothing is known of what is in them.
    marker : str or None
        Text of the root's marker.
    """

    status: ScanStatus
    message: str = ""
    found: dict[str, Facts] = field(default_factory=dict)
    odd: set[str] = field(default_factory=set)
    unread: list[str] = field(default_factory=list)
    marker: str | None = None

    def is_unread(self, relpath: str) -> bool:
        """Whether a path lies where nothing could be read."""
        return any(relpath == folder or relpath.startswith(f"{folder}/") for folder in self.unread)


def look_at(root: Path, *, expected_marker: str | None, is_marker_binding: bool, had_files: bool) -> Look:
    """List a share, if it can be reached and is the one it was.

    Parameters
    ----------
    expected_marker : str or None
        Text that the root's marker must hold, from the configuration or from before.
    is_marker_binding : bool
        Whether a marker is expected at all.
    had_files : bool
        Whether the share ever held files.
    """
    try:
        before = root.stat()
        if not stat.S_ISDIR(before.st_mode):
            return Look("unreachable", f"{root} is no folder.")
        if not os.listdir(root):  # noqa: PTH208 - names are enough
            return _empty(root, had_files=had_files)
        marker = read_marker(root)
        if is_marker_binding and marker != expected_marker:
            found = "none" if marker is None else repr(marker)
            return Look("wrong", f"{root} should hold {MARKER} with {expected_marker!r}, and holds {found}.")
        look = _walk(root)
        after = root.stat()
        if (before.st_dev, before.st_ino) != (after.st_dev, after.st_ino) or read_marker(root) != marker:
            return Look("unreachable", f"{root} was replaced while it was read.")
    except OSError as error:
        return Look("unreachable", f"{root} cannot be read ({error.strerror}).")
    if look.found.keys() <= {MARKER} and not look.unread:
        return _empty(root, had_files=had_files)
    look.marker = marker
    if look.unread:
        look.message = (
            f"{len(look.unread)} places could not be read, as {look.unread[0]}; nothing is concluded about them."
        )
    return look


def read_marker(root: Path) -> str | None:
    """Return the text of the root's marker, or None where there is none.

    Raises
    ------
    OSError
        If there is one and it cannot be read.
    """
    try:
        with (root / MARKER).open("rb") as stream:
            return stream.read(_MARKER_BYTES).decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return None


def _empty(root: Path, *, had_files: bool) -> Look:
    said = "held files before and is empty now; is the share mounted?" if had_files else "holds nothing yet."
    return Look("empty", f"{root} {said}")


def _walk(root: Path) -> Look:
    look = Look("ok")
    folders = [("", str(root))]
    while folders:
        prefix, folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                _list(look, folders, prefix, entries)
        except FileNotFoundError:
            if not prefix:
                raise
        except OSError:
            if not prefix:
                raise
            look.unread.append(_storable(prefix[:-1]))
    return look


def _list(look: Look, folders: list[tuple[str, str]], prefix: str, entries: Iterable[os.DirEntry[str]]) -> None:
    """Take down what one folder holds."""
    for entry in entries:
        relpath = prefix + entry.name
        try:
            if entry.is_dir(follow_symlinks=False):
                folders.append((f"{relpath}/", entry.path))
                continue
            facts = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue  # it went while we looked
        except OSError:
            look.unread.append(_storable(relpath))
            continue
        if not relpath.isascii():
            relpath = _storable(relpath)
        if not stat.S_ISREG(facts.st_mode):
            look.odd.add(relpath)
        # inodes may use all 64 bits; databases have 63 and a sign
        inode = facts.st_ino if facts.st_ino < 2**63 else facts.st_ino - 2**64
        look.found[relpath] = Facts(facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, inode)


def _storable(relpath: str) -> str:
    """Write bytes that are no text as ``\\udcXX``, which no database refuses; such a name is never used as a path."""
    return relpath.encode("utf-8", "backslashreplace").decode("utf-8")
