"""The receipt for a session's archived files, once every one was read back. How a receipt is written lives in `receipt_file`.

It stands in two places: in the archive, written first, and in the lab's database. Each names the hash of the one
before it, so that an edited, removed or cut one shows on either side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from map_assets.archive.backends.protocol import ArchiveBackend
from map_assets.archive.elsewhere import is_elsewhere, refuse_elsewhere
from map_assets.archive.journal import Journal, Lease
from map_assets.archive.receipt_file import Receipt, list_text, read_receipts, write_receipt, written
from map_assets.archive.standing import Standing, rows_of, standing
from map_assets.archive.states import State
from map_assets.archive.tables import ARCHIVE_MANIFEST, ARCHIVE_RECEIPT
from map_assets.vocabulary.errors import ArchiveConflict, NotYet

_FROM_MANIFEST = ("share", "path", "role", "size", "mtime_ns", "sha256", "checks")


class NotVerified(NotYet):
    """A file has not been read back equal yet; there is no receipt without that."""


def receipt_session(
    session: str,
    manifest: pa.Table,
    backend: ArchiveBackend,
    journal: Journal,
    now: datetime | None = None,
) -> pa.Table:
    """Write a receipt for every file of a manifest, each proven by reading it back.

    Where nothing was verified since, and a receipt for these very files stands already, that receipt is the answer and
    no other is written. A manifest without files gets none.

    Parameters
    ----------
    session : str
        The session key.
    manifest : pyarrow.Table
        ARCHIVE_MANIFEST of the session.
    backend : ArchiveBackend
    journal : Journal
    now : datetime.datetime, optional
        Instant of the receipt, with a zone; by default the present.

    Returns
    -------
    pyarrow.Table
        ARCHIVE_RECEIPT, one row a file of the manifest, ordered by share and path; as the receipt in the archive has it.

    Raises
    ------
    NotVerified
        If a file was not read back equal.
    BadConfiguration
        If another archive has a receipt for some of the files.
    ArchiveConflict
        If the receipts do not form a chain, or one is not what the journal keeps.
    LeasedElsewhere
        If another process is at work on the session.
    """
    manifest = ARCHIVE_MANIFEST.check(manifest)
    if not manifest.num_rows:
        return ARCHIVE_RECEIPT.empty()
    with journal.lease(session) as lease, lease.kept():
        found = _proven(session, manifest, backend, journal)
        manifest_sha256 = hashlib.sha256(list_text(found.files).encode()).hexdigest()
        fresh = found.where(State.VERIFIED)
        receipts = standing_receipts(session, backend, journal)
        kept = journal.kept_hashes(session)
        ours = [receipt for receipt in receipts if str(receipt.path) in kept]
        _must_be_vouched(session, found, ours)
        receipt = _same(ours, manifest_sha256, found.take(fresh))
        if receipt is None:
            started = min(instant for instant in found.told.verified_at if instant is not None)
            previous = receipts[-1] if receipts else None
            del receipts, ours  # each names all of its files
            files = _entries(manifest, found)
            finished = now or datetime.now(UTC)
            receipt = write_receipt(session, files, manifest_sha256, backend, previous, started, finished)
        _keep(receipt, session, backend, journal)
        _receipted(receipt, found.take(fresh), journal, lease)
        return receipt.table()


def standing_receipts(session: str, backend: ArchiveBackend, journal: Journal) -> list[Receipt]:
    """Read a session's receipts from the archive, and hold them against those that the journal keeps.

    One that the journal does not keep is kept from now on where it says what the journal says of every file; else another
    wrote it, and it is only followed, never kept.

    Raises
    ------
    ArchiveConflict
        If one was edited, cut or removed on either side; the text that the journal keeps is the true one.
    """
    receipts = read_receipts(session, backend)
    in_archive = {str(receipt.path): receipt.sha256 for receipt in receipts}
    kept = journal.kept_hashes(session)
    for path, sha256 in kept.items():
        if in_archive.get(path) != sha256:
            what = "is not what it was when it was written" if path in in_archive else "was removed"
            raise ArchiveConflict(
                f"The receipt {path} in the archive {backend.location} {what}; put it back as it was: the lab's database "
                "keeps its text."
            )
    for receipt in receipts:
        if str(receipt.path) not in kept and _is_ours(receipt, standing(session, journal)):
            # the process ended between the two places
            _keep(receipt, session, backend, journal)
    return receipts


def _is_ours(receipt: Receipt, found: Standing) -> bool:
    """Whether the journal knows every reading that a receipt names."""
    columns = (found.files["archive_path"].to_pylist(), found.files["sha256"].to_pylist(), found.told.verified_at)
    known = {(place, sha256, written(at)) for place, sha256, at in zip(*columns, strict=True) if at is not None}
    return all(
        (file["archive_path"], file["sha256"], file["verified_at"]) in known for file in receipt.document["files"]
    )


def _must_be_vouched(session: str, found: Standing, receipts: Sequence[Receipt]) -> None:
    """Raise NotVerified where nothing says that a file was read back in this very archive."""
    unsaid = found.files.filter(pa.array([place is None for place in found.told.place], pa.bool_()))
    if not unsaid.num_rows:
        return
    told = {(file["archive_path"], file["sha256"]) for receipt in receipts for file in receipt.document["files"]}
    for place, sha256 in zip(unsaid["archive_path"].to_pylist(), unsaid["sha256"].to_pylist(), strict=True):
        if (place, sha256) not in told:
            raise NotVerified(
                f"{place} of {session} was read back, and neither the journal nor a receipt says that it was in this archive; "
                "there is no receipt before it is read back here."
            )


def _proven(session: str, manifest: pa.Table, backend: ArchiveBackend, journal: Journal) -> Standing:
    found = standing(session, journal)
    rows = rows_of(manifest, found)
    known = found.take(rows[rows >= 0])
    refuse_elsewhere(session, known, backend)
    n_proven = int((known.is_proven & ~is_elsewhere(known, backend)).sum())
    if n_proven < manifest.num_rows:
        raise NotVerified(
            f"{n_proven} of {manifest.num_rows} files of {session} have been read back equal in this archive; there is no "
            "receipt before all are."
        )
    return found.take(rows)


def _entries(manifest: pa.Table, found: Standing) -> list[dict[str, Any]]:
    """What the receipt says of each file."""
    places = found.files["archive_path"].to_pylist()
    rows = manifest.select(list(_FROM_MANIFEST)).to_pylist()
    told = zip(rows, places, found.told.method, found.told.verified_at, strict=True)
    return [
        {**row, "archive_path": place, "method": method, "verified_at": written(instant)}
        for row, place, method, instant in told
    ]


def _same(receipts: Sequence[Receipt], manifest_sha256: str, fresh: Standing) -> Receipt | None:
    """The latest receipt for these very files that speaks of their latest reading too."""
    latest = dict(zip(fresh.files["archive_path"].to_pylist(), map(written, fresh.told.verified_at), strict=True))
    for receipt in reversed(receipts):
        if receipt.document["manifest_sha256"] != manifest_sha256:
            continue
        read_at = {file["archive_path"]: file["verified_at"] for file in receipt.document["files"]}
        if all(read_at.get(place) == instant for place, instant in latest.items()):
            return receipt
    return None


def _keep(receipt: Receipt, session: str, backend: ArchiveBackend, journal: Journal) -> None:
    content = backend.read_receipt(receipt.path)
    if hashlib.sha256(content).hexdigest() != receipt.sha256:
        raise ArchiveConflict(
            f"The receipt {receipt.path} in the archive {backend.location} does not read back as it was written."
        )
    journal.keep_receipt(session, str(receipt.path), receipt.sha256, content.decode())


def _receipted(receipt: Receipt, found: Standing, journal: Journal, lease: Lease) -> None:
    evidence = {"receipt": str(receipt.path), "receipt_sha256": receipt.sha256}
    batches = found.files["batch"].to_pylist()
    numbers = found.files["file"].to_pylist()
    for batch in dict.fromkeys(batches):
        files = [number for one, number in zip(batches, numbers, strict=True) if one == batch]
        journal.move(batch, files, State.RECEIPTED, actor="receipt", evidence=evidence, lease=lease)
