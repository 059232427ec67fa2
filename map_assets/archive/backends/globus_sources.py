"""Which source files Globus can be asked for, as they stand on this machine. Asking lives in `globus`."""

from __future__ import annotations

import stat
from pathlib import PurePosixPath

from map_assets.archive.backends.protocol import Item
from map_assets.archive.names import safe
from map_assets.vocabulary.errors import BadInput, ChangedWhileRead, UnreadableFile, UnsafePath


def not_to_be_sent(item: Item) -> BadInput | None:
    """Say why Globus is not to be asked for a file, or nothing.

    Returns
    -------
    UnsafePath
        Its name is none that Globus moves, or it is a link or another thing than a plain file.
    UnreadableFile
        It is gone.
    ChangedWhileRead
        It has another size than in the manifest.
    """
    try:
        _must_be_sendable(item)
    except UnsafePath as error:
        return error
    expected = f"{item.size} bytes of sha256 {item.sha256}, as in the manifest"
    try:
        found = item.source.stat(follow_symlinks=False)
    except OSError as error:
        why = f"it cannot be reached ({error.strerror}) and is not in the archive"
        return UnreadableFile(item.source, why, expected=expected, todo="Put it back on the share as it was.")
    if not stat.S_ISREG(found.st_mode):
        todo = "Copy the file itself there."
        return UnsafePath(item.source, "it is no plain file", expected="a plain file", todo=todo)
    if found.st_size != item.size:
        return changed(item, f"it now has {found.st_size} bytes")
    return None


def changed(item: Item, found: str) -> ChangedWhileRead:
    """Say that a file is not, or did not stay, what the manifest says."""
    return ChangedWhileRead(
        item.source,
        found,
        expected=f"{item.size} bytes of sha256 {item.sha256}, as in the manifest",
        todo="It is taken up again when it has stopped changing; the archive keeps what it has.",
    )


def _must_be_sendable(item: Item) -> None:
    safe(item.archive_path)
    for path in (item.path, item.archive_path):
        if not _is_moved_by_globus(path):
            raise UnsafePath(
                ascii(str(path)),
                "Globus cannot move a file of that name",
                expected="a path under its root without .., ~ in front, line ends and other control characters",
                todo="Rename the file.",
            )


def _is_moved_by_globus(path: PurePosixPath) -> bool:
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    has_control = any(ord(letter) < 32 or ord(letter) == 127 for letter in text)
    return not (path.is_absolute() or ".." in path.parts or path.parts[:1] == ("~",) or has_control)
