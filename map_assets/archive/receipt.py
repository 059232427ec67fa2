"""A session's raw files into the archive, each read back, and a receipt for them. Hashing the sources lives in `manifest`.

Names in the archive keep their bytes for ever. A file's first copy is ``{session}/{share}/{path}``. When other bytes
come later under the same source path (a session sorted again), they go to ``{session}/{share}/{path}.v-{sha256[:12]}``
beside it; the receipt, and the list for ``sha256sum -c`` beside the receipt, name for one manifest the archived file
that holds each source file. So every manifest's bytes stay readable through its own receipt, whatever came later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from map_assets.archive.backends.protocol import ArchiveBackend
from map_assets.archive.manifest import archive_path, in_parallel, manifest_text
from map_assets.archive.receipt_file import FOLDER, as_table, read_receipts, write_receipt, written
from map_assets.archive.tables import ARCHIVE_MANIFEST, ARCHIVE_RECEIPT
from map_assets.vocabulary.errors import ArchiveConflict, BadConfiguration, MapAssetsError
from map_assets.vocabulary.files import inside


@dataclass(frozen=True)
class _Archived:
    """One file that was read back in the archive."""

    row: Mapping[str, Any]
    place: PurePosixPath
    is_new: bool
    method: str
    verified_at: datetime

    def entry(self) -> dict[str, Any]:
        """Return what the receipt says of the file."""
        kept = ("share", "path", "role", "size", "mtime_ns", "sha256", "checks")
        return {
            **{name: self.row[name] for name in kept},
            "archive_path": str(self.place),
            "method": self.method,
            "verified_at": written(self.verified_at),
        }


def archive_session(
    session: str,
    manifest: pa.Table,
    roots: Mapping[str, Path],
    backend: ArchiveBackend,
    now: datetime | None = None,
    *,
    workers: int | None = None,
) -> pa.Table:
    """Copy into the archive what it lacks, read every file back, and write a receipt.

    Where nothing had to be copied and a receipt for these very files stands already, that receipt is the answer and
    no other is written. One file's failure leaves the others archived, and no receipt. A manifest without files gets
    none either.

    Parameters
    ----------
    session : str
        The session key.
    manifest : pyarrow.Table
        ARCHIVE_MANIFEST of the session.
    roots : mapping of str to pathlib.Path
        Root of each share on this machine, by the share's name.
    backend : ArchiveBackend
    now : datetime.datetime, optional
        Instant of verification and receipt, with a zone; by default the present.
    workers : int, optional
        Files at a time; by default one a core, at most four.

    Returns
    -------
    pyarrow.Table
        ARCHIVE_RECEIPT, one row a file of the manifest, ordered by share and path; as the receipt in the archive has it.

    Raises
    ------
    ChangedWhileRead
        If a source file is no longer what the manifest says.
    UnreadableFile, UnsafePath
        If a source file that the archive lacks is gone, is a link or leaves its root.
    ArchiveConflict
        If archived bytes are not what a receipt says, or the receipts do not form a chain.
    ArchiveNotReady
        If the archive cannot take a file.
    BadConfiguration
        If a share has no root, or is called ``receipts``.
    """
    rows = ARCHIVE_MANIFEST.check(manifest).to_pylist()
    _check_shares(session, rows, roots)
    if not rows:
        return ARCHIVE_RECEIPT.empty()
    receipts = read_receipts(session, backend)
    known = {file["archive_path"]: file["sha256"] for receipt in receipts for file in receipt.document["files"]}
    started = now or datetime.now(UTC)

    def archive(row: Mapping[str, Any]) -> _Archived | MapAssetsError:
        try:
            return _archive_file(row, roots[row["share"]], backend, known, now)
        except MapAssetsError as error:
            return error

    archived = _all_or_raise(in_parallel(archive, sorted(rows, key=lambda row: -row["size"]), workers))
    files = [item.entry() for item in sorted(archived, key=lambda item: (item.row["share"], item.row["path"]))]
    manifest_sha256 = hashlib.sha256(manifest_text(as_table(session, files)).encode()).hexdigest()
    if not any(item.is_new for item in archived):
        for receipt in reversed(receipts):
            if receipt.document["manifest_sha256"] == manifest_sha256:
                return receipt.table()
    previous = receipts[-1] if receipts else None
    finished = now or datetime.now(UTC)
    return write_receipt(session, files, manifest_sha256, backend, previous, started, finished).table()


def _all_or_raise(found: Sequence[_Archived | MapAssetsError]) -> list[_Archived]:
    errors = [item for item in found if isinstance(item, MapAssetsError)]
    if errors:
        if len(errors) > 1:
            errors[0].add_note(f"So it went with {len(errors)} of the session's {len(found)} files.")
        raise errors[0]
    return [item for item in found if isinstance(item, _Archived)]


def _check_shares(session: str, rows: Sequence[Mapping[str, Any]], roots: Mapping[str, Path]) -> None:
    for row in rows:
        if row["session"] != session:
            raise BadConfiguration(f"The manifest is of session {row['session']}, and was given for {session}.")
    for share in sorted({row["share"] for row in rows}):
        if share == FOLDER:
            raise BadConfiguration(f"A share may not be called {FOLDER!r}: the archive keeps its receipts there.")
        if share not in roots:
            raise BadConfiguration(f"The manifest names share {share!r}, which the configuration does not know.")


def _archive_file(
    row: Mapping[str, Any], root: Path, backend: ArchiveBackend, known: Mapping[str, str], now: datetime | None
) -> _Archived:
    """Find or make the one archived copy of a file, and read it back.

    The plain name is taken if it is free or holds these bytes, else the name with the version. Other bytes under a
    name that no receipt knows are an interrupted run's copy of another version: they are left alone. Other bytes
    under a name whose receipt promises these are damage.
    """
    sha256, size = row["sha256"], row["size"]
    plain = archive_path(row["session"], row["share"], row["path"])
    for place in (plain, plain.with_name(f"{plain.name}.v-{sha256[:12]}")):
        claimed = known.get(str(place))
        if claimed not in {None, sha256}:
            continue
        held_size = backend.stat(place)
        if held_size is None:
            backend.put(inside(root, Path(row["path"])), place, sha256, size)
        elif held_size != size and claimed is None:
            continue
        held = backend.read_back_sha256(place)
        if (held.sha256, held.size) == (sha256, size):
            return _Archived(row, place, held_size is None, held.method, now or datetime.now(UTC))
        if held_size is None or claimed is not None:
            raise ArchiveConflict(
                f"{place} in the archive {backend.location} reads back as {held.size} bytes of sha256 {held.sha256}, "
                f"not as the {size} bytes of {sha256} that were archived there: the copy is damaged. Nothing was "
                "overwritten; set that copy aside and run again while the source is there."
            )
    raise ArchiveConflict(f"{place} in the archive {backend.location} holds other bytes; nothing was overwritten.")
