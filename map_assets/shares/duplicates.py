"""Which of several behaviour files of one session counts: decided by their bytes. Reading and writing the ledger live in `refresh`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from map_assets.shares.roles import SAME_BYTES, TWO_FILES
from map_assets.vocabulary.errors import BadInput, TwoFilesOneSession
from map_assets.vocabulary.files import sha256_of

Change = tuple[Row[Any], dict[str, Any]]


def settle_duplicates(rows: Sequence[Row[Any]], roots: Mapping[str, Path]) -> list[Change]:
    """Decide about the behaviour files of one session.

    The same bytes twice: the later file is ignored. Different bytes: the one that a person released stands, else the one
    that was taken in; the others go to quarantine; where none stands, all do. Files that are gone, still change or are
    in quarantine for another reason take no part.

    Parameters
    ----------
    rows : sequence of rows
        The ledger's rows of the session's behaviour files.
    roots : mapping of str to pathlib.Path
        Root of each share.

    Returns
    -------
    list of (row, dict)
        New values for rows that are to change.
    """
    here = [row for row in rows if row.absent_since_us is None]
    if any(not row.settled for row in here):
        here = [row for row in here if row.rule != SAME_BYTES]  # their other half may be the one that is changing
    part = [row for row in here if row.settled and (row.state != "quarantined" or row.rule == TWO_FILES)]
    hashes = _hashes(part, roots) if len(part) > 1 else {}
    changes: dict[int, dict[str, Any]] = {
        row.id: {"sha256": hashes[row.id]} for row in part if row.id in hashes and row.sha256 is None
    }
    part = [row for row in part if row.id in hashes or len(part) == 1]
    for row, values in _verdicts(part, hashes):
        changes[row.id] = changes.get(row.id, {}) | values
    return [(row, changes[row.id]) for row in rows if row.id in changes]


def _verdicts(part: Sequence[Row[Any]], hashes: Mapping[int, str]) -> list[Change]:
    order = sorted(part, key=_standing)
    if not order:
        return []
    first = order[0]
    alike = [row for row in order if hashes.get(row.id) == hashes.get(first.id)]
    others = [row for row in order if row not in alike]
    if not others or first.released_us is not None or first.state == "ingested":
        changes = [*_use(first, is_alone=len(order) == 1), *(change for row in alike[1:] for change in _ignore(row))]
        return [*changes, *(change for row in others for change in _dispute(row, first))]
    return [change for row in order for change in _dispute(row, others[0] if row in alike else first)]


def _standing(row: Row[Any]) -> tuple[Any, ...]:
    """Sort key: what a person released last, what was taken in last, what is not ignored, what came first."""
    return (
        -(row.released_us or 0),
        row.state != "ingested",
        -(row.ingested_us or 0),
        row.state == "ignored",
        row.first_seen_us,
        row.share,
        row.relpath,
    )


def _use(row: Row[Any], *, is_alone: bool) -> list[Change]:
    if row.state in {"waiting", "ingested"} or (is_alone and row.rule == TWO_FILES):
        return []  # that the other one is gone decides nothing: a person does
    return [(row, {"state": "waiting", "rule": None, "reason": None, "by": None})]


def _ignore(row: Row[Any]) -> list[Change]:
    if row.rule == SAME_BYTES:
        return []
    return [(row, {"state": "ignored", "rule": SAME_BYTES, "reason": None, "by": None, "ingested_us": None})]


def _dispute(row: Row[Any], other: Row[Any]) -> list[Change]:
    error = TwoFilesOneSession(
        row.relpath,
        f"{row.share}:{row.relpath} and {other.share}:{other.relpath} both name session {row.session} and differ",
        expected="one behaviour file for a session",
        todo="Release the right one from quarantine, or rename the wrong one.",
    )
    values = {"state": "quarantined", "rule": TWO_FILES, "reason": str(error), "by": "refresh", "ingested_us": None}
    if (row.state, row.rule, row.reason) == ("quarantined", TWO_FILES, str(error)):
        return []
    return [(row, values)]


def _hashes(rows: Sequence[Row[Any]], roots: Mapping[str, Path]) -> dict[int, str]:
    """Hash files, once each; one that cannot be read now takes no part."""
    found = {}
    for row in rows:
        try:
            found[row.id] = row.sha256 or sha256_of(roots[row.share] / row.relpath)
        except (BadInput, OSError):
            continue
    return found
