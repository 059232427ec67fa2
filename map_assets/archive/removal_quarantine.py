"""The acts of removal on a share's own disk: into quarantine, back again, and the end. When each may be done lives in `removal`.

A file goes into quarantine by a rename on its own share, comes back by a link that overwrites nothing, and its end is
one unlink of one named file. No act ever takes a folder with what is in it.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from map_assets.archive.removal_policy import QUARANTINE, Doubtful, RemovalStopped, ShareRoot
from map_assets.archive.states import State
from map_assets.store.atomic import fsync_folder
from map_assets.vocabulary.errors import UnsafePath
from map_assets.vocabulary.files import inside

NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
Facts = dict[str, int]


def source_path(root: ShareRoot, path: str) -> Path:
    """Where a file stands on its share; raises Doubtful where a link or a path out of the root is in the way."""
    return _inside(root, Path(path))


def quarantine_path(root: ShareRoot, batch: str, path: str) -> Path:
    """Where it waits; the same name below a folder of its batch."""
    return _inside(root, Path(QUARANTINE, batch, path))


def facts(path: Path) -> Facts | None:
    """What the file system says of a file; None where nothing has that name.

    Raises
    ------
    Doubtful
        HELD, if it is no plain file.
    """
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(found.st_mode):
        raise Doubtful(State.HELD, f"{path} is no plain file; it is left as it is.")
    return {
        "size": found.st_size,
        "mtime_ns": found.st_mtime_ns,
        "ctime_ns": found.st_ctime_ns,
        "device": found.st_dev,
        "inode": found.st_ino,
        "n_links": found.st_nlink,
    }


def into_quarantine(source: Path, quarantined: Path, root: ShareRoot) -> None:
    """Rename a file into quarantine, durably.

    Raises
    ------
    RemovalStopped
        If the share does not let us; the file stands where it was.
    """
    try:
        _make_folder(quarantined.parent, root.path)
        if os.path.lexists(quarantined):
            raise Doubtful(State.HELD, f"{quarantined} is taken; nothing was moved onto it.")
        source.rename(quarantined)
        fsync_folder(quarantined.parent)
        fsync_folder(source.parent)
    except OSError as error:
        raise RemovalStopped(
            f"{source} could not be moved into quarantine ({error.strerror}); it is tried again at the next run."
        ) from error


def put_back(source: Path, quarantined: Path, root: ShareRoot) -> bool:
    """Give a file in quarantine its own name again, durably, if nothing else has that by now.

    Returns
    -------
    bool
        False where another file has its name: both are kept, this one in quarantine.

    Raises
    ------
    RemovalStopped
        If the share does not let us; the file stays in quarantine.
    """
    try:
        if os.path.lexists(source) and not os.path.samestat(source.lstat(), quarantined.lstat()):
            return False
        _make_folder(source.parent, root.path)
        try:
            if not os.path.lexists(source):
                os.link(quarantined, source, follow_symlinks=False)
            fsync_folder(source.parent)
            quarantined.unlink()  # one of two names of the same bytes
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in NO_LINKS or os.path.lexists(source):
                raise
            quarantined.rename(source)
        fsync_folder(source.parent)
        fsync_folder(quarantined.parent)
    except OSError as error:
        raise RemovalStopped(
            f"{quarantined} could not be put back as {source} ({error.strerror}); it is tried again at the next run."
        ) from error
    clear_folders(quarantined, root)
    return True


def end(quarantined: Path, expected: Facts) -> None:
    """Unlink one file in quarantine, if it is the very one that was read last; durable.

    Raises
    ------
    Doubtful
        HELD, if it is not.
    RemovalStopped
        If the share does not let us.
    """
    if facts(quarantined) != expected:
        raise Doubtful(State.HELD, f"{quarantined} was touched after it was read for the last time.")
    try:
        quarantined.unlink()
        fsync_folder(quarantined.parent)
    except OSError as error:
        raise RemovalStopped(
            f"{quarantined} could not be unlinked ({error.strerror}); it is tried again at the next run."
        ) from error


def clear_folders(quarantined: Path, root: ShareRoot) -> None:
    """Take away the folders of quarantine that are empty by now; never one with anything in it."""
    top = root.path.resolve()
    with suppress(OSError):
        for folder in quarantined.parents:
            if folder == top or not folder.is_relative_to(top):
                return
            folder.rmdir()


def _make_folder(folder: Path, root: Path) -> None:
    if folder.is_dir():
        return
    if not root.is_dir():
        raise FileNotFoundError(errno.ENOENT, "the share's root is not there", str(root))
    _make_folder(folder.parent, root)
    folder.mkdir(exist_ok=True)
    fsync_folder(folder.parent)


def _inside(root: ShareRoot, path: Path) -> Path:
    if path.is_absolute():
        raise Doubtful(State.HELD, f"{path} is no path under the root of share {root.name}.")
    try:
        return inside(root.path, path)
    except UnsafePath as error:
        raise Doubtful(State.HELD, str(error)) from error
