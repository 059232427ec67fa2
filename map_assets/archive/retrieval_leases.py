"""Restored copies that are kept for a time: noted, and taken away when it is over. Bringing files back lives in `retrieval`.

Only a copy that a retrieval made and noted is ever taken away, only while it holds the archived bytes, and only when the
archive has just been read and holds them too.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import insert, select

from map_assets.archive.backends.protocol import ArchiveBackend
from map_assets.archive.journal_base import clock, instant, microseconds
from map_assets.archive.removal_proof import look_at_copy
from map_assets.archive.removal_records import RemovalRecords
from map_assets.archive.removal_schema import RESTORED, RESTORED_ENDS
from map_assets.archive.retrieval import Wanted
from map_assets.store.atomic import fsync_folder
from map_assets.vocabulary.errors import MapAssetsError
from map_assets.vocabulary.files import sha256_of


@dataclass(frozen=True)
class RestoredCopy:
    """A copy that a retrieval brought to this lab; `until` None means that it stays."""

    copy: str
    session: str
    archive_path: str
    size: int
    sha256: str
    place: Path
    host: str
    who: str
    at: datetime
    until: datetime | None


class NotKeptThere(MapAssetsError):
    """A copy was to be kept for a time in a place whose files nobody takes away without an approval."""


def check_places(wanted: Iterable[Wanted], kept: Mapping[str, Path]) -> None:
    """Make sure that copies that go again by themselves stand in no share and in no archive.

    Parameters
    ----------
    wanted : iterable of Wanted
    kept : mapping of str to pathlib.Path
        Roots of the shares and the archive, by what to call them.

    Raises
    ------
    NotKeptThere
        If one would.
    """
    for one in wanted:
        place = one.place.resolve()
        for name, root in kept.items():
            if place.is_relative_to(root.resolve()):
                raise NotKeptThere(
                    f"{one.place} is in {name}, from which nothing is taken away without an approval: retrieve without a time "
                    "to keep it, or to another folder."
                )


def note_restored(
    records: RemovalRecords, fetched: Iterable[Wanted], *, who: str, keep_s: float | None, now: datetime | None = None
) -> int:
    """Write down which copies a retrieval made, and for how long they are kept (None: for good); returns how many."""
    at = clock(now)
    until = None if keep_s is None else microseconds(at + timedelta(seconds=keep_s))
    rows = [
        {
            **{name: getattr(one, name) for name in ("session", "archive_path", "size", "sha256")},
            "copy": secrets.token_hex(8),
            "place": str(one.place.absolute()),
            "host": socket.gethostname(),
            "who": who,
            "at_us": microseconds(at),
            "until_us": until,
        }
        for one in fetched
        if one.what == "fetched"
    ]
    if rows:
        with records.engine.begin() as connection:
            connection.execute(insert(RESTORED), rows)
    return len(rows)


def restored_copies(records: RemovalRecords) -> list[RestoredCopy]:
    """List the copies that were restored and not taken away since, oldest first."""
    statement = select(RESTORED).where(RESTORED.c.copy.not_in(select(RESTORED_ENDS.c.copy))).order_by(RESTORED.c.at_us)
    with records.engine.begin() as connection:
        return [
            RestoredCopy(
                *(row.copy, row.session, row.archive_path, row.size, row.sha256, Path(row.place), row.host, row.who),
                *(instant(row.at_us), None if row.until_us is None else instant(row.until_us)),
            )
            for row in connection.execute(statement)
        ]


def take_away_expired(
    records: RemovalRecords, backends: Sequence[ArchiveBackend], *, now: datetime | None = None
) -> dict[Path, str]:
    """Take away this machine's restored copies whose time is over.

    Returns
    -------
    dict of pathlib.Path to str
        What became of each: ``removed``, ``gone``, ``kept: it was changed`` (for good), or ``waits: ...`` while its
        archived copy is not proven.
    """
    moment, host = clock(now), socket.gethostname()
    found = {}
    for copy in restored_copies(records):
        if copy.host == host and copy.until is not None and copy.until <= moment:
            found[copy.place] = said = _ended(copy, records, backends, moment)
            if not said.startswith("waits"):
                with records.engine.begin() as connection:
                    values = {"copy": copy.copy, "what": said, "at_us": microseconds(moment)}
                    connection.execute(insert(RESTORED_ENDS).values(**values))
    return found


def _ended(copy: RestoredCopy, records: RemovalRecords, backends: Sequence[ArchiveBackend], now: datetime) -> str:
    if not copy.place.exists():
        return "gone"
    try:
        before = copy.place.lstat()
        if copy.place.is_symlink() or sha256_of(copy.place) != copy.sha256:
            return "kept: it was changed"
        row = {"archive_path": copy.archive_path, "sha256": copy.sha256, "size": copy.size}
        for backend in backends:
            look = look_at_copy(row, backend, records, "retrieval", now)
            if look.verdict != "equal":
                return f"waits: its archived copy is not proven ({look.detail})"
        after = copy.place.lstat()
        if (before.st_ino, before.st_mtime_ns, before.st_ctime_ns) != (
            after.st_ino,
            after.st_mtime_ns,
            after.st_ctime_ns,
        ):
            return "kept: it was changed"
        copy.place.unlink()
        fsync_folder(copy.place.parent)
    except (OSError, MapAssetsError) as error:
        return f"waits: {error}"
    return "removed"
