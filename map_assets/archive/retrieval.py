"""Archived files brought back to a folder of this machine. Which copies are kept for how long lives in `retrieval_leases`.

What is wanted is read from the receipts in the archive, so that files come back where the lab's database is lost too.
Each file is fetched beside its place, hashed there, and given its name only when it is whole; a name that is taken is
never overwritten. Asked again, a retrieval goes on with the files that are not there yet.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from socket import gethostname
from typing import Literal

from map_assets.archive.backends.protocol import ArchiveBackend
from map_assets.archive.receipt_file import read_receipts
from map_assets.store.atomic import fsync_folder
from map_assets.vocabulary.errors import MapAssetsError
from map_assets.vocabulary.files import inside, sha256_of

_ABANDONED_S = 2 * 86_400.0
STAGING = ".retrieving"
"""Folder, in the one that files are retrieved to, in which they stand until they are whole."""
What = Literal["fetch", "fetched", "there", "in the way", "failed"]


class NothingToRetrieve(MapAssetsError):
    """No archived file is what was asked for."""


@dataclass(frozen=True)
class Wanted:
    """One archived file that is to come back.

    Parameters
    ----------
    session, share, path, role : str
        Which file it was.
    archive_path : str
        Its copy, under the archive's root.
    size : int
        Bytes.
    sha256 : str
        Lower-case hex.
    place : pathlib.Path
        Where it is to stand.
    what : str
        ``fetch``, ``fetched``, ``there`` (the same bytes stand there), ``in the way`` (others do) or ``failed``.
    said : str
        Why it failed, or empty.
    """

    session: str
    share: str
    path: str
    role: str
    archive_path: str
    size: int
    sha256: str
    place: Path
    what: What = "fetch"
    said: str = ""


def wanted_files(
    session: str, backend: ArchiveBackend, to: Path, *, only: Sequence[str] = (), roles: Sequence[str] = ()
) -> list[Wanted]:
    """Say what a session's receipts name, each source file's last version; nothing is fetched.

    Parameters
    ----------
    session : str
    backend : ArchiveBackend
        That holds the receipts.
    to : pathlib.Path
        Folder of this machine; a file goes to ``{to}/{session}/{share}/{path}``.
    only : sequence of str
        Shell patterns for ``share:path``, its path or its name; empty takes all.
    roles : sequence of str
        Roles to take; empty takes all.

    Raises
    ------
    NothingToRetrieve
        If no archived file of the session is meant.
    ArchiveConflict
        If the receipts cannot be read or do not form a chain.
    UnsafePath
        If a receipt names a path that leaves `to`.
    """
    last = {
        (file["share"], file["path"]): file
        for receipt in read_receipts(session, backend)
        for file in receipt.document["files"]
    }
    found = []
    for (share, path), file in sorted(last.items()):
        names = (f"{share}:{path}", path, PurePosixPath(path).name)
        is_meant = not only or any(fnmatchcase(name, pattern) for pattern in only for name in names)
        if is_meant and (not roles or file["role"] in roles):
            place = inside(to, Path(session, share, path))
            facts = (file["role"], file["archive_path"], file["size"], file["sha256"])
            found.append(_looked_at(Wanted(session, share, path, *facts, place)))
    if not found:
        asked = f" that is {' or '.join((*only, *roles))}" if only or roles else ""
        raise NothingToRetrieve(f"The archive's receipts name no file of {session}{asked}.")
    return found


def retrieve(
    wanted: Iterable[Wanted],
    backends: Sequence[ArchiveBackend],
    to: Path,
    *,
    heard: Callable[[Wanted], object] = lambda _: None,
) -> list[Wanted]:
    """Bring files back; one that fails leaves the others.

    Parameters
    ----------
    wanted : iterable of Wanted
    backends : sequence of ArchiveBackend
        Asked in turn: a copy that is not what its receipt says is never delivered, and the next is tried.
    to : pathlib.Path
        As for `wanted_files`.
    heard : callable
        Told of each file as it is done.

    Returns
    -------
    list of Wanted
        In order, with what became of each.
    """
    _clear(to / STAGING)
    staging = to / STAGING / f"{machine_here()}-{os.getpid()}"
    done = []
    for one in wanted:
        done.append(_retrieved(one, backends, staging))
        heard(done[-1])
    with suppress(OSError):  # not empty, or never made
        staging.rmdir()
        staging.parent.rmdir()
    return done


def _clear(staging: Path) -> None:
    """Clear away what retrievals of this machine that were killed left, and what no machine has touched for long."""
    for folder in staging.glob("*-*"):
        machine, _, process = folder.name.rpartition("-")
        with suppress(OSError):  # another retrieval clears it too
            if _has_ended(process) if machine == machine_here() else _is_abandoned(folder):
                for left in folder.iterdir():
                    left.unlink()
                folder.rmdir()


def machine_here() -> str:
    """Name this machine as far as process numbers mean something: containers share host names, and have numbers of their own."""
    try:
        return f"{gethostname()}-{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return gethostname()


def _has_ended(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (ValueError, PermissionError):
        return False
    return False


def _is_abandoned(folder: Path) -> bool:
    touched = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    return time.time() - touched > _ABANDONED_S


def _retrieved(one: Wanted, backends: Sequence[ArchiveBackend], staging: Path) -> Wanted:
    one = _looked_at(one)
    if one.what != "fetch":
        return one
    try:
        for folder in (staging, one.place.parent):
            folder.mkdir(parents=True, exist_ok=True)
        staged = staging / one.sha256
        said = []
        for backend in backends:
            staged.unlink(missing_ok=True)
            reason = _fetch(one, backend, staged)
            if not reason:
                return _given_its_name(one, staged)
            said.append(f"{backend.location}: {reason}")
        return replace(one, what="failed", said=f"{'; '.join(said)}. Another copy may stand on share {one.share}.")
    except OSError as error:
        return replace(one, what="failed", said=f"{one.place} cannot be written: {error.strerror or error}.")


def _fetch(one: Wanted, backend: ArchiveBackend, staged: Path) -> str:
    """Fetch and prove one copy; says what is wrong with it, or nothing."""
    try:
        backend.fetch(PurePosixPath(one.archive_path), staged)
    except MapAssetsError as error:
        return str(error).rstrip(".")
    size, sha256 = staged.stat().st_size, sha256_of(staged)
    if (size, sha256) == (one.size, one.sha256):
        return ""
    staged.unlink()
    return (
        f"{one.archive_path} came as {size} bytes of sha256 {sha256}, and its receipt says {one.size} of {one.sha256}"
    )


def _given_its_name(one: Wanted, staged: Path) -> Wanted:
    """Give a whole file its name, if nothing has that by now."""
    try:
        try:
            os.link(staged, one.place)
        except FileExistsError:
            return _looked_at(one)
        except OSError:  # a file system without hard links: take the name with an empty file, then replace that
            one.place.touch(exist_ok=False)
            staged.replace(one.place)
    except FileExistsError:
        return _looked_at(one)
    finally:
        staged.unlink(missing_ok=True)
    fsync_folder(one.place.parent)
    return replace(one, what="fetched")


def _looked_at(one: Wanted) -> Wanted:
    """See what stands at its place."""
    if not os.path.lexists(one.place):
        return replace(one, what="fetch", said="")
    try:
        is_plain = one.place.is_file() and not one.place.is_symlink()
        if is_plain and one.place.stat().st_size == one.size and sha256_of(one.place) == one.sha256:
            return replace(one, what="there", said="")
    except (OSError, MapAssetsError) as error:
        return replace(one, what="in the way", said=f"{one.place} cannot be read ({error}); nothing was overwritten.")
    return replace(one, what="in the way", said=f"{one.place} holds something else; nothing was overwritten.")
