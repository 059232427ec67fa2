"""The archive in a folder of this machine: a disk, or a mounted share. How a name gets its bytes lives in `write_once`."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from map_assets.archive.backends.arrival import arriving
from map_assets.archive.backends.one_by_one import by_size, copy_one_by_one
from map_assets.archive.backends.protocol import Item, Progress, ReadBack
from map_assets.archive.backends.write_once import NO_NAME, WriteOnceFolder
from map_assets.archive.names import beside
from map_assets.archive.reading import read_blocks, read_once
from map_assets.store.atomic import fsync_folder
from map_assets.vocabulary.errors import ChangedWhileRead


class FolderArchive(WriteOnceFolder):
    """An archive in a folder; see `WriteOnceFolder` for its parameters."""

    @property
    def location(self) -> str:
        """The root, resolved."""
        return str(self.root.resolve())

    def new_submission(self) -> str:
        """Return an id; a folder needs none, and keeps none."""
        return secrets.token_hex(16)

    def submit(self, submission: str, items: Sequence[Item]) -> Progress:
        """Copy files, a few at a time, and return when each is there or known not to be; see `ArchiveBackend.submit`."""
        self._make_ready()

        def copy(item: Item) -> None:
            self._copy(item.source, item.archive_path, item.sha256, item.size)

        done = copy_one_by_one(submission, items, copy, str(self.root))
        self._make_durable({item.archive_path.parent for item in items if str(item.archive_path) not in done.failed})
        return done

    def progress(self, task: str, items: Sequence[Item]) -> Progress:
        """Say what stands there, made durable; see `by_size`. `submit` returns when it has ended: nothing is under way."""
        done = by_size(task, items, lambda item: self.stat(item.archive_path), str(self.root))
        self._make_durable({item.archive_path.parent for item in items if str(item.archive_path) not in done.failed})
        return done

    def cancel(self, task: str) -> None:
        """Do nothing: `submit` returns only when it has ended."""

    def put(self, source: Path, archive_path: PurePosixPath, sha256: str, size: int) -> None:
        """Copy one file into the archive, durably. The copy keeps the modification time and is read-only.

        Raises
        ------
        ChangedWhileRead
            If the source is not, or does not stay, the file that the manifest names.
        UnreadableFile, UnsafePath
            If it cannot be read, or is no plain file.
        ArchiveConflict
            If other bytes stand under the name.
        ArchiveBlocked
            If there is no room.
        ArchiveNotReady
            If the folder cannot be written to.
        """
        self._make_ready()
        self._copy(source, archive_path, sha256, size)
        self._make_durable([archive_path.parent])

    def put_receipt(self, archive_path: PurePosixPath, content: bytes) -> None:
        """Write a small file once; see `ArchiveBackend.put_receipt`."""
        sha256 = hashlib.sha256(content).hexdigest()
        self._make_ready()
        self._place(archive_path, lambda part: self._write(part, memoryview(content)), sha256, len(content))
        self._make_durable([archive_path.parent])

    def set_aside(self, archive_path: PurePosixPath) -> PurePosixPath:
        """Rename a damaged copy; see `ArchiveBackend.set_aside`. Between the two steps it has both names."""
        path = self._path(archive_path)
        instant = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        aside = beside(archive_path, f".BAD-{instant}")
        try:
            os.link(path, self._path(aside), follow_symlinks=False)
            fsync_folder(path.parent)
            path.unlink()
            fsync_folder(path.parent)
        except OSError as error:
            raise self._unreadable(archive_path, error) from error
        return aside

    def listing(self, folder: PurePosixPath) -> Iterator[tuple[PurePosixPath, int]]:
        """Give every plain file under a folder, in order of the paths' bytes, one folder's names held at a time."""
        self.must_be_itself()
        place = self.root if folder == PurePosixPath() else self._path(folder)
        try:
            with os.scandir(place) as entries:
                found = sorted((os.fsencode(f"{one.name}/" if one.is_dir(follow_symlinks=False) else one.name), one)
                               for one in entries if folder.parts or not one.name.startswith("."))  # fmt: skip
            for name, entry in found:
                if name.endswith(b"/"):
                    yield from self.listing(folder / entry.name)
                elif entry.is_file(follow_symlinks=False):
                    yield folder / entry.name, entry.stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            self.must_be_itself()
        except OSError as error:
            raise self._unreadable(folder, error) from error

    def fetch(self, archive_path: PurePosixPath, to: Path) -> ReadBack:
        """Copy an archived file to a new file of this machine; see `ArchiveBackend.fetch`."""
        path = self._path(archive_path)
        try:
            archived = path.open("rb", buffering=0)
        except OSError as error:
            raise self._unreadable(archive_path, error) from error
        with archived, arriving(to) as new:
            try:
                read_blocks(archived, new.write)
            except OSError as error:
                raise self._unreadable(archive_path, error) from error
        return ReadBack(new.sha256, new.size, "hashed while it was copied from the archive's folder")

    def stat(self, archive_path: PurePosixPath) -> int | None:
        """Size of an archived file in bytes, or None where there is none."""
        try:
            status = self._path(archive_path).stat()
        except OSError as error:
            if isinstance(error, FileNotFoundError) or error.errno in NO_NAME:
                self.must_be_itself()
                return None
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
        try:
            with os.scandir(self._path(folder)) as entries:
                return sorted(folder / one.name for one in entries if one.name.endswith(".json"))
        except FileNotFoundError:
            self.must_be_itself()
            return []
        except OSError as error:
            raise self._unreadable(folder, error) from error

    # -- inside ------------------------------------------------------------------------------------------------------
    def _copy(self, source: Path, archive_path: PurePosixPath, sha256: str, size: int) -> None:
        """Copy a file; the folder that got its name is not yet durable."""

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
