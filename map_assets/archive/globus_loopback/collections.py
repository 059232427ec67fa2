"""Folders of this machine as collections of the loopback service: paths, listings and checksums. Tasks live in `tasks`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class Refused(Exception):
    """A request that the service refuses."""

    def __init__(self, status: int, code: str, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.extra = extra


@dataclass(frozen=True)
class Collection:
    """A folder as a collection.

    Parameters
    ----------
    collection : str
        UUID.
    folder : pathlib.Path
        What stands at ``/``.
    entity_type : str
        ``GCSv5_guest_collection``, ``GCSv5_mapped_collection``, ...
    high_assurance : bool
        Asks for a recent login, which a service account cannot give.
    algorithms : tuple of str
        Checksums that it can reckon.
    is_checking : bool
        Whether it looks at checksums at all.
    """

    collection: str
    folder: Path
    entity_type: str = "GCSv5_guest_collection"
    high_assurance: bool = False
    algorithms: tuple[str, ...] = ("MD5", "SHA256")
    is_checking: bool = True

    @property
    def needs_consent(self) -> bool:
        """Whether a token must carry its data_access scope."""
        return self.entity_type == "GCSv5_mapped_collection" and not self.high_assurance

    def document(self) -> dict[str, Any]:
        """Describe it, as the service does."""
        return {
            "DATA_TYPE": "endpoint",
            "id": self.collection,
            "display_name": self.folder.name,
            "entity_type": self.entity_type,
            "high_assurance": self.high_assurance,
        }

    def path(self, text: str) -> Path:
        """Return the path on this machine of a path in the collection; raises Refused where it leaves it."""
        root = self.folder.resolve()
        found = root / text.lstrip("/")
        is_inside = found == root or found.parent.resolve().is_relative_to(root)
        if ".." in text.split("/") or not is_inside or found.is_symlink():
            raise Refused(403, "EndpointPermissionDenied", f"Denied by endpoint, path not allowed: {text}")
        return found

    def entries(self, text: str) -> list[dict[str, Any]]:
        """List a folder in order of name."""
        folder = self.path(text)
        if not folder.is_dir():
            raise Refused(404, "ClientError.NotFound", f"Directory '{text}' not found on endpoint")
        return [_described(path) for path in sorted(folder.iterdir())]

    def stat(self, text: str) -> dict[str, Any]:
        """Describe one file or folder."""
        path = self.path(text)
        if not path.exists():
            raise Refused(404, "NotFound", f"Path not found: {text}")
        return _described(path)

    def make_folder(self, text: str) -> dict[str, Any]:
        """Make one folder, whose parent is there."""
        try:
            self.path(text).mkdir()
        except FileExistsError:
            raise Refused(502, "ExternalError.MkdirFailed.Exists", f"Path already exists: {text}") from None
        except FileNotFoundError:
            raise Refused(404, "ClientError.NotFound", f"No such file or directory: {text}") from None
        return {"DATA_TYPE": "mkdir_result", "code": "DirectoryCreated", "message": "The directory was created"}

    def rename(self, old: str, new: str) -> dict[str, Any]:
        """Rename; as file servers do, what stood under the new name is lost."""
        try:
            self.path(old).replace(self.path(new))
        except FileNotFoundError:
            raise Refused(404, "NotFound", f"Path not found: {old}") from None
        except OSError as error:
            raise Refused(502, "ExternalError.RenameFailed", f"{error.strerror}: {new}") from None
        return {"DATA_TYPE": "result", "code": "FileRenamed", "message": "File or directory renamed successfully"}


def checksum(path: Path, algorithm: str) -> str:
    """Hash a file, lower-case hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm.lower()).hexdigest()


def _described(path: Path) -> dict[str, Any]:
    status = path.lstat()
    kind = "invalid_symlink" if path.is_symlink() else "dir" if path.is_dir() else "file"
    return {
        "DATA_TYPE": "file",
        "name": path.name,
        "type": kind,
        "size": status.st_size,
        "last_modified": f"{datetime.fromtimestamp(int(status.st_mtime), UTC):%Y-%m-%d %H:%M:%S+00:00}",
        "permissions": f"{status.st_mode & 0o7777:04o}",
    }
