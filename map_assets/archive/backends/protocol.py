"""What an archive backend can do. When it is asked to lives in `receipt`; one module a backend lives beside this one.

The contract, tested for every backend: a name once given keeps its bytes; nothing half-copied ever stands under a
final name; whatever was interrupted can be asked for again.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol

from map_assets.vocabulary.errors import MapAssetsError, NotYet


class NotInArchive(NotYet):
    """The archive has no file of that name."""


class ArchiveNotReady(MapAssetsError):
    """The archive cannot be written to or read from: full, unreachable, or not permitted."""


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

    def put(self, source: Path, archive_path: PurePosixPath, sha256: str, size: int) -> None:
        """Copy a file into the archive, durably, hashing on the way; without effect where the same bytes stand already.

        Raises
        ------
        ChangedWhileRead
            If the source's bytes are not (or no longer) those of `sha256` and `size`; nothing stands there then.
        ArchiveConflict
            If other bytes stand there; they are left as they are.
        ArchiveNotReady
            If the archive cannot take it.
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
