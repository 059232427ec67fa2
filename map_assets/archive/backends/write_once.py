"""A folder in which a name, once given, keeps its bytes. What the archive puts into it lives in `folder`.

A file is written under a name of its own in ``.parts``, made durable, and then given its final name as a hard link,
which the file system refuses where that name is taken: so a final name never shows half a file and never changes its
bytes. The folder's file system must therefore know hard links.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from map_assets.archive.backends.marker import Known, Marker
from map_assets.archive.backends.protocol import ArchiveBlocked, ArchiveNotReady, NotInArchive, ReadBack
from map_assets.archive.names import safe
from map_assets.archive.reading import read_blocks
from map_assets.store.atomic import fsync_folder
from map_assets.vocabulary.errors import ArchiveConflict, MapAssetsError, UnsafePath
from map_assets.vocabulary.files import inside

PARTS: Final = ".parts"
_BEGUN_BYTES: Final = 16 << 20
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NOT_LET: Final = frozenset({errno.EACCES, errno.EROFS})
NO_NAME: Final = frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ})
"""What a file system says of a name that it cannot keep."""


class WriteOnceFolder:
    """A folder whose names keep their bytes.

    Parameters
    ----------
    root : pathlib.Path or str
        Made when something is first archived.
    stale_part_s : float
        Age from which an unfinished copy, left by a process that was killed, is cleared away; told by the archive's
        own clock, never by this machine's.
    known : Known, optional
        What the lab's database knows of archives: the folder must then be the one that it knows (`marker`). Without it
        any folder is taken, and made.
    """

    def __init__(self, root: Path | str, *, stale_part_s: float = 86_400.0, known: Known | None = None) -> None:
        self.root = Path(root).absolute()
        self._marker = None if known is None else Marker(self.root, self.name, known)
        self.stale_part_s = stale_part_s
        self._is_swept = False

    @property
    def name(self) -> str:
        """The backend's name in the configuration."""
        return "folder"

    @property
    def identity(self) -> str:
        """What its marker says; empty where nobody looks for one, or none was made yet."""
        return "" if self._marker is None else self._marker.identity

    def must_be_itself(self) -> None:
        """Raise ArchiveNotReady where another folder, or a bare mount point, stands in the archive's place."""
        if self._marker is not None:
            self._marker.check()

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

    # -- inside ------------------------------------------------------------------------------------------------------
    def _path(self, archive_path: PurePosixPath) -> Path:
        self.must_be_itself()
        return inside(self.root, Path(safe(archive_path)))

    def _unreadable(self, archive_path: PurePosixPath, error: OSError) -> MapAssetsError:
        self.must_be_itself()  # it may have gone since it was last asked
        if isinstance(error, FileNotFoundError):
            return NotInArchive(f"The archive {self.root} has no file {archive_path}.")
        if isinstance(error, IsADirectoryError):
            return ArchiveConflict(f"In the archive {self.root}, {archive_path} is a folder; nothing was overwritten.")
        return ArchiveNotReady(f"The archive {self.root} could not read {archive_path}: {error.strerror or error}.")

    def _place(self, archive_path: PurePosixPath, fill: Callable[[BinaryIO], None], sha256: str, size: int) -> None:
        final = self._path(archive_path)
        try:
            if final.exists():
                return self._must_hold(archive_path, sha256, size)
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
        except OSError as error:
            raise self._not_ready(archive_path, error) from error
        return self.must_be_itself()

    def _must_hold(self, archive_path: PurePosixPath, sha256: str, size: int) -> None:
        """Refuse other bytes under a name; equal ones are made durable, whoever put them there."""
        held = self.read_back_sha256(archive_path)
        if (held.sha256, held.size) != (sha256, size):
            raise ArchiveConflict(
                f"The archive {self.root} holds {held.size} bytes of sha256 {held.sha256} as {archive_path}, and was "
                f"given {size} bytes of sha256 {sha256} under that name; nothing was overwritten."
            )
        handle = os.open(self._path(archive_path), os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    @contextmanager
    def _part(self) -> Iterator[Path]:
        parts = self.root / PARTS
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
        if self._marker is not None and folder in {self.root, self.root.resolve()}:
            raise FileNotFoundError(errno.ENOENT, "the archive's root is not there", str(folder))
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        fsync_folder(folder.parent)

    def _write(self, part: BinaryIO, block: memoryview) -> None:
        """Write the next bytes, and now and then let the disk begin with them, so that the sync at the end is short."""
        try:
            part.write(block)
            if hasattr(os, "posix_fadvise") and part.tell() % _BEGUN_BYTES < len(block) < part.tell():
                os.posix_fadvise(part.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        except OSError as error:
            raise self._not_ready(PurePosixPath(part.name), error) from error

    def _not_ready(self, what: PurePosixPath, error: OSError) -> MapAssetsError:
        if error.errno in NO_NAME:
            return UnsafePath(
                str(what),
                f"the archive {self.root} cannot keep that name ({error.strerror})",
                expected="names that its file system takes",
                todo="Rename the file or folder on its share.",
            )
        place = next(folder for folder in (self.root, *self.root.absolute().parents) if folder.is_dir())
        free = shutil.disk_usage(place).free
        kind = ArchiveBlocked if error.errno in _NO_ROOM | _NOT_LET else ArchiveNotReady
        return kind(
            f"The archive {self.root} could not keep {what}: {error.strerror or error} ({free} bytes are free there); "
            "nothing stands under that name. Make room, or mend the folder (it must take hard links), and run again."
        )

    def _make_ready(self) -> None:
        if self._marker is not None:
            self._marker.make()
        try:
            self._make_folder(self.root / PARTS)
        except OSError as error:
            raise self._not_ready(PurePosixPath(PARTS), error) from error

    def _make_durable(self, folders: Iterable[PurePosixPath]) -> None:
        """Make every name in these folders durable, and the folders' own, whoever made them."""
        for folder in sorted({above for one in folders for above in (one, *one.parents)}, reverse=True):
            try:
                fsync_folder(self.root / folder)
            except OSError as error:
                raise self._not_ready(folder, error) from error
