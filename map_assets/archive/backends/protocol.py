"""What an archive backend can do. When it is asked to lives in `receipt`; one module a backend lives beside this one.

The contract, tested for every backend: a name once given keeps its bytes; nothing half-copied ever stands under a
final name; whatever was interrupted can be asked for again. What a mover says of its own work is a claim: files count
as transferred when they are there with their size, and as verified when `read_back_sha256` has read them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple, Protocol

from map_assets.vocabulary.errors import MapAssetsError, NotYet


class NotInArchive(NotYet):
    """The archive has no file of that name."""


class ArchiveNotReady(MapAssetsError):
    """The archive cannot be written to or read from: full, unreachable, or not permitted."""


class ArchiveBlocked(MapAssetsError):
    """A person is needed before the archive can go on (consent, permission, quota, a paused task); the text says what to do."""


class Item(NamedTuple):
    """One file to be moved into the archive.

    Parameters
    ----------
    share : str
        Name of the share that it is on.
    path : pathlib.PurePosixPath
        Under the share's root.
    source : pathlib.Path
        Absolute path on this machine.
    archive_path : pathlib.PurePosixPath
        Under the archive's root.
    size : int
        Bytes.
    sha256 : str
        Lower-case hex.
    """

    share: str
    path: PurePosixPath
    source: Path
    archive_path: PurePosixPath
    size: int
    sha256: str


class Progress(NamedTuple):
    """How far a mover has come with a task.

    Parameters
    ----------
    task : str
        The mover's own name for it.
    state : str
        ``active``; ``succeeded`` (every file not in `failed` is claimed to be there); ``failed`` (may be asked for
        again); ``blocked`` (a person is needed; the task may still be there, paused).
    detail : str
        One sentence for a person.
    failed : mapping of str to MapAssetsError
        Files that are known not to be there, by archive path, and why: ChangedWhileRead (the source is not the
        manifest's), ArchiveConflict (other bytes hold the name), ArchiveBlocked, or another that may be tried again.
    claims : mapping of str to str
        What the mover itself says of each file's bytes, by archive path (``sha256:...``, ``md5:...`` or empty).
    bytes_done : int
    faults : int
        Faults that the mover counted and retried by itself.
    """

    task: str
    state: Literal["active", "succeeded", "failed", "blocked"]
    detail: str
    failed: Mapping[str, MapAssetsError] = {}
    claims: Mapping[str, str] = {}
    bytes_done: int = 0
    faults: int = 0


class ReadBack(NamedTuple):
    """What stands in the archive, told by its own bytes.

    Parameters
    ----------
    sha256 : str
        Of the bytes read back, lower-case hex.
    size : int
        Bytes read back.
    method : str
        How they were read, in words that a receipt can quote.
    """

    sha256: str
    size: int
    method: str


class ArchiveBackend(Protocol):
    """A place for bytes; paths are relative to its root, with ``/`` between parts."""

    @property
    def name(self) -> str:
        """The backend's name in the configuration."""

    @property
    def location(self) -> str:
        """Where its root is, in words that a receipt can quote."""

    def new_submission(self) -> str:
        """Return an id under which `submit` may be called; it is written down before that."""

    def submit(self, submission: str, items: Sequence[Item]) -> Progress:
        """Move files into the archive, durably; once for one submission, however often it is asked.

        A backend that copies by itself does so here and returns when it is done; one that asks a service returns what
        the service said, and is asked for `progress` later. Where the same bytes stand already, nothing is done; other
        bytes are never overwritten.

        Raises
        ------
        ArchiveNotReady
            If nothing could be asked (unreachable): the same submission may be asked for again.
        ArchiveBlocked
            If a person is needed first.
        """

    def progress(self, task: str, items: Sequence[Item]) -> Progress:
        """Ask how far a task has come; never waits.

        A backend that copies in `submit` has nothing under way: it says ``failed`` for a task that it does not know.

        Raises
        ------
        ArchiveNotReady
            If it cannot be asked just now.
        """

    def cancel(self, task: str) -> None:
        """Ask for a task to end; without effect where it has ended."""

    def set_aside(self, archive_path: PurePosixPath) -> PurePosixPath:
        """Give a damaged copy another name (``{name}.BAD-{instant}``), so that its own is free again, and return that.

        The bytes stay. Raises NotInArchive where there is none.
        """

    def listing(self, folder: PurePosixPath) -> Iterator[tuple[PurePosixPath, int]]:
        """Give archive path and size of every file under a folder (``.`` for all), in order of name, a page at a time."""

    def fetch(self, archive_path: PurePosixPath, to: Path) -> ReadBack:
        """Copy an archived file to a new file of this machine, durably, hashing the bytes that were written.

        Raises
        ------
        NotInArchive
            If there is none.
        FileExistsError
            If `to` is there; it is left as it is.
        ArchiveNotReady
            If the archive cannot be read.
        """

    def read_back_sha256(self, archive_path: PurePosixPath) -> ReadBack:
        """Read an archived file again, whole, from as near to the medium as the backend can, and hash it.

        Raises
        ------
        NotInArchive
            If there is none.
        """

    def stat(self, archive_path: PurePosixPath) -> int | None:
        """Size of an archived file in bytes, or None where there is none."""

    def put_receipt(self, archive_path: PurePosixPath, content: bytes) -> None:
        """Write a small file once, durably; without effect where the same bytes stand already.

        Raises
        ------
        ArchiveConflict
            If other bytes stand there.
        """

    def read_receipt(self, archive_path: PurePosixPath) -> bytes:
        """Read a small file.

        Raises
        ------
        NotInArchive
            If there is none.
        """

    def receipts(self, folder: PurePosixPath) -> list[PurePosixPath]:
        """Archive paths of the receipts (``*.json``) in a folder, in order of name; empty where there is no folder."""
