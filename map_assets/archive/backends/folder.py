"""The archive in a folder of this machine: a disk, or a mounted share. What is archived when lives in `receipt`.

A file is copied under a name of its own in ``.parts``, made durable, and then given its final name as a hard link,
which the file system refuses where that name is taken: so a final name never shows half a file and never changes its
bytes. The folder's file system must therefore know hard links.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from map_assets.archive.backends.protocol import ArchiveNotReady, NotInArchive, ReadBack
from map_assets.archive.reading import read_blocks, read_once
from map_assets.store.atomic import fsync_folder
from map_assets.vocabulary.errors import ArchiveConflict, ChangedWhileRead, MapAssetsError, UnsafePath
from map_assets.vocabulary.files import inside

_PARTS = ".parts"


class FolderArchive:
    """An archive in a folder.

    Parameters
    ----------
    root : pathlib.Path or str
        Made when something is first archived.
    stale_part_s : float
        Age from which an unfinished copy, left by a process that was killed, is cleared away; told by the archive's
        own clock, never by this machine's.
    """

    def __init__(self, root: Path | str, *, stale_part_s: float = 86_400.0) -> None:
        self.root = Path(root).absolute()
        self.stale_part_s = stale_part_s
        self._is_swept = False

    @property
    def name(self) -> str:
        """The backend's name in the configuration."""
        return "folder"

    @property
    def location(self) -> str:
        """The root, resolved."""
        return str(self.root.resolve())

    def put(self, source: Path, archive_path: PurePosixPath, sha256: str, size: int) -> None:
        """Copy a file into the archive; see `ArchiveBackend.put`. The copy keeps the modification time and is read-only."""

        def copy(part: BinaryIO) -> None:
            found = hashlib.sha256()
            status = read_once(source, found.update, lambda block: self._write(part, block))
            if (found.hexdigest(), status.st_size) != (sha256, size):
                raise ChangedWhileRead(
                    source,
                    f"it now has {status.st_size} bytes of sha256 {found.hexdigest()}",
                    expected=f"{size} bytes of sha256 {sha256}, as in the manifest",
                    todo="Make the manifest anew; the archive keeps what it has.",
                )
            part.flush()
            os.utime(part.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))

        self._place(archive_path, copy, sha256, size)

    def put_receipt(self, archive_path: PurePosixPath, content: bytes) -> None:
        """Write a small file once; see `ArchiveBackend.put_receipt`."""
        sha256 = hashlib.sha256(content).hexdigest()
        self._place(archive_path, lambda part: self._write(part, memoryview(content)), sha256, len(content))

    def read_back_sha256(self, archive_path: PurePosixPath) -> ReadBack:
        """Read an archived file whole and hash it, after asking the system to forget its cached pages."""
        path = self._path(archive_path)
        method = "read back whole; page cache not dropped"
        found = hashlib.sha256()
        try:
            # no proof that it stands still: nothing writes under a final name, and a copy's second name may yet go
            with path.open("rb", buffering=0) as stream:
                if hasattr(os, "posix_fadvise"):
                    os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                    method = "read back whole after posix_fadvise(DONTNEED)"
                size = read_blocks(stream, found.update)
        except OSError as error:
            raise self._unreadable(archive_path, error) from error
        return ReadBack(found.hexdigest(), size, method)

    def stat(self, archive_path: PurePosixPath) -> int | None:
        """Size of an archived file in bytes, or None where there is none."""
        try:
            status = self._path(archive_path).stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unreadable(archive_path, error) from error
        if not stat.S_ISREG(status.st_mode):
            raise self._unreadable(archive_path, IsADirectoryError())
        return status.st_size

    def read_receipt(self, archive_path: PurePosixPath) -> bytes:
        """Read a small file."""
        try:
            return self._path(archive_path).read_bytes()
        except OSError as error:
            raise self._unreadable(archive_path, error) from error

    def receipts(self, folder: PurePosixPath) -> list[PurePosixPath]:
        """Archive paths of the receipts (``*.json``) in a folder, in order of name."""
        return sorted(folder / path.name for path in self._path(folder).glob("*.json"))

    # -- inside ------------------------------------------------------------------------------------------------------
    def _path(self, archive_path: PurePosixPath) -> Path:
        parts = archive_path.parts
        if not parts or archive_path.is_absolute() or ".." in parts or parts[0] == _PARTS or "\0" in str(archive_path):
            raise UnsafePath(
                str(archive_path) or "(empty)",
                "it is no path under the archive's root",
                expected="a relative path without ..",
                todo="Rename the share or the file.",
            )
        return inside(self.root, Path(archive_path))

    def _unreadable(self, archive_path: PurePosixPath, error: OSError) -> MapAssetsError:
        if isinstance(error, FileNotFoundError):
            return NotInArchive(f"The archive {self.root} has no file {archive_path}.")
        if isinstance(error, IsADirectoryError):
            return ArchiveConflict(f"In the archive {self.root}, {archive_path} is a folder; nothing was overwritten.")
        return ArchiveNotReady(f"The archive {self.root} could not read {archive_path}: {error.strerror or error}.")

    def _place(self, archive_path: PurePosixPath, fill: Callable[[BinaryIO], None], sha256: str, size: int) -> None:
        final = self._path(archive_path)
        if final.exists():
            return self._must_hold(archive_path, sha256, size)
        try:
            self._make_folder(final.parent)
            with self._part() as part:
                with part.open("xb") as stream:
                    fill(stream)
                    stream.flush()
                    os.fchmod(stream.fileno(), 0o444)
                    os.fsync(stream.fileno())
                try:
                    os.link(part, final)
                except FileExistsError:
                    return self._must_hold(archive_path, sha256, size)
                fsync_folder(final.parent)
        except OSError as error:
            raise self._not_ready(archive_path, error) from error
        return None

    def _must_hold(self, archive_path: PurePosixPath, sha256: str, size: int) -> None:
        held = self.read_back_sha256(archive_path)
        if (held.sha256, held.size) != (sha256, size):
            raise ArchiveConflict(
                f"The archive {self.root} holds {held.size} bytes of sha256 {held.sha256} as {archive_path}, and was "
                f"given {size} bytes of sha256 {sha256} under that name; nothing was overwritten."
            )

    @contextmanager
    def _part(self) -> Iterator[Path]:
        parts = self.root / _PARTS
        self._make_folder(parts)
        part = parts / f"{secrets.token_hex(12)}.part"
        try:
            yield part
        finally:
            part.unlink(missing_ok=True)
        if not self._is_swept:
            self._sweep(parts)

    def _sweep(self, parts: Path) -> None:
        """Clear away unfinished copies that nobody has touched for long."""
        self._is_swept = True
        probe = parts / f"{secrets.token_hex(12)}.part"
        probe.touch()
        now = probe.stat().st_ctime
        probe.unlink()
        for left in parts.glob("*.part"):
            try:
                if now - left.stat(follow_symlinks=False).st_ctime > self.stale_part_s:
                    left.unlink()
            except FileNotFoundError:  # its owner finished meanwhile
                continue

    def _make_folder(self, folder: Path) -> None:
        """Make a folder and its parents, each durable in the one above."""
        if folder.is_dir():
            return
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        fsync_folder(folder.parent)

    def _write(self, part: BinaryIO, block: memoryview) -> None:
        try:
            part.write(block)
        except OSError as error:
            raise self._not_ready(PurePosixPath(part.name), error) from error

    def _not_ready(self, what: PurePosixPath, error: OSError) -> ArchiveNotReady:
        place = next(folder for folder in (self.root, *self.root.absolute().parents) if folder.is_dir())
        free = shutil.disk_usage(place).free
        return ArchiveNotReady(
            f"The archive {self.root} could not keep {what}: {error.strerror or error} ({free} bytes are free there); "
            "nothing stands under that name. Make room, or mend the folder (it must take hard links), and run again."
        )
