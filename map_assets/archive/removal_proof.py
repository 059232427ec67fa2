"""Proof that a file's bytes stand in the archive at this moment: its receipt in both places, every copy read back. What is done upon it lives in `removal`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from map_assets.archive.backends.protocol import ArchiveBackend, ArchiveNotReady, NotInArchive, ReadBack
from map_assets.archive.backends.question import asking
from map_assets.archive.journal import Journal
from map_assets.archive.journal_base import clock
from map_assets.archive.receipt_file import read_receipts
from map_assets.archive.removal_decisions import Look
from map_assets.archive.removal_policy import Doubtful, RemovalPolicy, RemovalStopped
from map_assets.archive.removal_records import RemovalRecords
from map_assets.archive.states import State


@dataclass(frozen=True)
class Named:
    """What a receipt says of one file, and which receipt that is."""

    archive_path: str
    size: int
    verified_at: datetime
    receipt: PurePosixPath
    receipt_sha256: str


def receipted(session: str, backend: ArchiveBackend, journal: Journal) -> dict[tuple[str, str, str], Named]:
    """Say what the receipts that stand alike in the archive and in the lab's database vouch for, by (share, path, sha256).

    Raises
    ------
    ArchiveConflict
        If the receipts in the archive cannot be read or do not form a chain.
    """
    kept = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in journal.kept_receipts(session).items()}
    found = {}
    for receipt in read_receipts(session, backend):
        if kept.get(str(receipt.path)) != receipt.sha256:
            continue
        for file in receipt.document["files"]:
            found[file["share"], file["path"], file["sha256"]] = Named(
                file["archive_path"],
                file["size"],
                datetime.fromisoformat(file["verified_at"]),
                receipt.path,
                receipt.sha256,
            )
    return found


def check_receipt(
    row: Mapping[str, Any],
    named: Mapping[tuple[str, str, str], Named],
    backend: ArchiveBackend,
    journal: Journal,
) -> Named:
    """Make sure, by reading it again, that a receipt in both places vouches for a file of the journal.

    Raises
    ------
    Doubtful
        HELD, if none does, or one of its two places holds other bytes or none.
    """
    who = f"{row['share']}:{row['path']}"
    found = named.get((row["share"], row["path"], row["sha256"]))
    if found is None or (found.archive_path, found.size) != (row["archive_path"], row["size"]):
        raise Doubtful(
            State.HELD,
            f"{who}: no receipt that stands both in the archive and in the database vouches for these bytes.",
        )
    text = journal.kept_receipts(row["session"]).get(str(found.receipt))
    try:
        there = hashlib.sha256(backend.read_receipt(found.receipt)).hexdigest()
    except Exception as error:
        raise Doubtful(State.HELD, f"{who}: its receipt {found.receipt} cannot be read ({error}).") from error
    here = None if text is None else hashlib.sha256(text.encode()).hexdigest()
    if not there == here == found.receipt_sha256:
        raise Doubtful(State.HELD, f"{who}: its receipt {found.receipt} is not the same in its two places any more.")
    return found


def look_at_copy(
    row: Mapping[str, Any],
    backend: ArchiveBackend,
    records: RemovalRecords,
    reason: str,
    now: datetime | None = None,
) -> Look:
    """Read an archived copy whole and note down what it said; only ``equal`` is proof of anything."""
    verdict, method, detail = "unread", "", ""
    try:
        with asking(f"{reason} of {row.get('batch')}:{row.get('file')} at {row.get('state')}"):
            held: ReadBack = backend.read_back_sha256(PurePosixPath(row["archive_path"]))
        method = held.method
        is_equal = (held.sha256, held.size) == (row["sha256"], row["size"])
        verdict = "equal" if is_equal else "different"
        detail = "" if is_equal else f"it reads back as {held.size} bytes of sha256 {held.sha256}"
    except NotInArchive:
        verdict, detail = "missing", "it is not there"
    except ArchiveNotReady as error:
        detail = str(error)
    except Exception as error:  # noqa: BLE001 - whatever kept it from being read, it was not proven
        detail = f"{type(error).__name__}: {error}"
    look = Look(row["archive_path"], row["sha256"], row["size"], verdict, reason, method, detail, clock(now))
    records.note_look(look)
    return look


def prove_copies(
    row: Mapping[str, Any],
    backends: Sequence[ArchiveBackend],
    records: RemovalRecords,
    policy: RemovalPolicy,
    now: datetime | None = None,
) -> list[dict[str, Any]]:
    """Read every copy of a file back now.

    Returns
    -------
    list of dict
        backend, location and method of each, for the journal.

    Raises
    ------
    Doubtful
        SUSPECT, if one is not proven (however many others are), or fewer than the policy's `min_copies` are.
    RemovalStopped
        If one could not be read just now: nothing is known against it, and nothing is removed upon it.
    """
    who = f"{row['share']}:{row['path']}"
    proven = []
    for backend in backends:
        look = look_at_copy(row, backend, records, "gate", now)
        if look.verdict == "equal" and policy.accepts(look.method):
            proven.append({"backend": backend.name, "location": backend.location, "method": look.method})
        elif look.verdict == "unread":
            raise RemovalStopped(
                f"{who}: the copy {row['archive_path']} in {backend.location} could not be read back just now "
                f"({look.detail}); it is tried again at the next run."
            )
        else:
            said = look.detail or f"it was {look.method}, which the policy does not count as proof"
            raise Doubtful(
                State.SUSPECT,
                f"{who}: the copy {row['archive_path']} in {backend.location} is not proven: {said} "
                f"({len(proven)} of {len(backends)} copies were proven before it).",
            )
    if len(proven) < policy.min_copies:
        raise Doubtful(
            State.SUSPECT, f"{who}: {len(proven)} copies are proven, and the policy asks for {policy.min_copies}."
        )
    return proven
