"""A receipt as it stands in the archive: written once, chained to the one before. What it vouches for lives in `receipt`.

``{session}/receipts/{instant}-{manifest sha256[:16]}.json`` is canonical JSON (keys sorted, no blanks, UTF-8, one line
end), and ``....manifest-sha256.txt`` beside it is the same list of files for ``sha256sum -c``, to be run in the
archive's root. Each receipt names the hash of the one before it, so that an edited or removed receipt shows. The JSON
is written last: a text without its JSON is left over from a run that was interrupted, and claims nothing.
"""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from map_assets import __version__
from map_assets.archive.backends.protocol import ArchiveBackend
from map_assets.archive.manifest import manifest_text
from map_assets.archive.tables import ARCHIVE_RECEIPT
from map_assets.vocabulary.errors import ArchiveConflict, MapAssetsError

FORMAT = "map_assets archive receipt 1"
FOLDER = "receipts"
_INSTANT = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True)
class Receipt:
    """A receipt that stands in the archive.

    Parameters
    ----------
    path : pathlib.PurePosixPath
        Under the archive's root.
    sha256 : str
        Of its bytes, lower-case hex.
    document : mapping
        What it says.
    """

    path: PurePosixPath
    sha256: str
    document: Mapping[str, Any]

    def table(self) -> pa.Table:
        """Return ARCHIVE_RECEIPT, one row a file, in the receipt's order."""
        document = self.document
        return as_table(
            document["session"], document["files"], document["backend"]["name"], str(self.path), self.sha256
        )


def read_receipts(session: str, backend: ArchiveBackend) -> list[Receipt]:
    """Read a session's receipts, in order of name; the last of the chain comes last.

    Raises
    ------
    ArchiveConflict
        If one cannot be read, is of another session, or names a predecessor that was edited or removed.
    """
    receipts = []
    for path in backend.receipts(PurePosixPath(session, FOLDER)):
        content = backend.read_receipt(path)
        try:
            receipt = Receipt(
                path, hashlib.sha256(content).hexdigest(), json.loads(content, object_pairs_hook=_sharing())
            )
            is_ours = (receipt.document["format"], receipt.document["session"]) == (FORMAT, session)
            _check_whole(receipt.document)
        except (ValueError, KeyError, TypeError, MapAssetsError) as error:
            raise ArchiveConflict(
                f"The receipt {path} in the archive {backend.location} cannot be read ({error!r}); put it back as it was."
            ) from error
        if not is_ours:
            raise ArchiveConflict(
                f"The receipt {path} in the archive {backend.location} is no receipt of {session}; put it back as it was."
            )
        receipts.append(receipt)
    _check_chain(receipts, backend)
    followed = {receipt.document["previous_receipt_sha256"] for receipt in receipts}
    # a clock that was set back makes names that lie; the chain does not
    return sorted(receipts, key=lambda receipt: receipt.sha256 not in followed)


def _check_whole(document: Mapping[str, Any]) -> None:
    """Raise ValueError, KeyError or TypeError where a receipt lacks what is read of it."""
    document["previous_receipt_sha256"], document["manifest_sha256"], document["backend"]["name"]
    for file in document["files"]:
        datetime.fromisoformat(file["verified_at"])
        if not (isinstance(file["size"], int) and all(isinstance(file[name], str) for name in _TEXTS)):
            raise TypeError(f"an entry that is not whole: {file}")


_TEXTS = ("share", "path", "archive_path", "sha256", "method")


def _sharing() -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    """Keep one of each short text that many files of a receipt have in common."""
    texts: dict[str, str] = {}

    def share(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {name: texts.setdefault(value, value) if name in _SHARED else value for name, value in pairs}

    return share


_SHARED = frozenset({"share", "role", "checks", "method", "verified_at"})


def write_receipt(
    session: str,
    files: Sequence[Mapping[str, Any]],
    manifest_sha256: str,
    backend: ArchiveBackend,
    previous: Receipt | None,
    started: datetime,
    finished: datetime,
) -> Receipt:
    """Write a receipt and, before it, its list for ``sha256sum -c``.

    Parameters
    ----------
    files : sequence of mapping
        share, path, role, size, mtime_ns, sha256, checks, archive_path, method, verified_at (ISO 8601) of each.
    manifest_sha256 : str
        Hash of that list.
    started, finished : datetime.datetime
        Of the verification; the second is the receipt's instant.
    """
    receipt_id = f"{finished.astimezone(UTC).strftime(_INSTANT)}-{manifest_sha256[:16]}"
    path = PurePosixPath(session, FOLDER, f"{receipt_id}.json")
    manifest_file = path.with_name(f"{receipt_id}.manifest-sha256.txt")
    document = {
        "format": FORMAT,
        "receipt_id": receipt_id,
        "session": session,
        "manifest_file": str(manifest_file),
        "manifest_sha256": manifest_sha256,
        "files": list(files),
        "backend": {"name": backend.name, "location": backend.location},
        "verification": {
            "algorithm": "sha256",
            "started": written(started),
            "finished": written(finished),
            "host": socket.gethostname(),
            "tool": "map_assets",
            "tool_version": __version__,
        },
        "previous_receipt_sha256": None if previous is None else previous.sha256,
    }
    content = canonical(document)
    listed = {name: pa.array([file[name] for file in files], pa.string()) for name in ("archive_path", "sha256")}
    backend.put_receipt(manifest_file, list_text(pa.table(listed)).encode())
    backend.put_receipt(path, content)
    return Receipt(path, hashlib.sha256(content).hexdigest(), document)


def canonical(document: Mapping[str, Any]) -> bytes:
    """Write a receipt as it stands in the archive; the files one by one, for of many the text's pieces take much memory."""
    content = BytesIO()
    for name in sorted(document):
        content.write((b"," if content.tell() else b"{") + _json(name) + b":")
        if name == "files":
            content.write(b"[")
            for n, file in enumerate(document[name]):
                content.write((b"," if n else b"") + _json(file))
            content.write(b"]")
        else:
            content.write(_json(document[name]))
    content.write(b"}\n")
    return content.getvalue()


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def list_text(files: pa.Table) -> str:
    """Write the list for ``sha256sum -c`` of files with archive_path and sha256."""
    return manifest_text(files.select(["archive_path", "sha256"]))


def as_table(
    session: str, files: Sequence[Mapping[str, Any]], backend: str = "", receipt_file: str = "", sha256: str = ""
) -> pa.Table:
    """Turn a receipt's files into ARCHIVE_RECEIPT."""
    names = ("share", "path", "archive_path", "size", "sha256", "method")
    n_files = len(files)
    return ARCHIVE_RECEIPT.from_columns(
        {
            **{name: [file[name] for file in files] for name in names},
            "session": [session] * n_files,
            "backend": [backend] * n_files,
            "verified_at": [datetime.fromisoformat(file["verified_at"]) for file in files],
            "receipt_file": [receipt_file] * n_files,
            "receipt_sha256": [sha256] * n_files,
        }
    )


def written(instant: datetime) -> str:
    """Write an instant in UTC, ISO 8601, to the microsecond."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def _check_chain(receipts: Sequence[Receipt], backend: ArchiveBackend) -> None:
    present = {receipt.sha256 for receipt in receipts}
    for receipt in receipts:
        previous = receipt.document["previous_receipt_sha256"]
        if previous is not None and previous not in present:
            raise ArchiveConflict(
                f"The receipt before {receipt.path} in the archive {backend.location} was edited or removed "
                f"(its sha256 was {previous}); put it back as it was."
            )
