"""Which archive a laboratory's database belongs to: the identity of each backend's archive. The marker in the archive is `backends.marker`'s."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime

from sqlalchemy import Insert, func, insert, select

from map_assets.archive.backends.protocol import ArchiveBackend
from map_assets.archive.journal_base import OpenJournal, microseconds
from map_assets.archive.journal_schema import ARCHIVES, RECEIPTS

_HEAD = '{"backend":'
_HEAD_LETTERS = 4096


class Identities:
    """The identities that the lab's database keeps; rows are only added, the last of a backend counts.

    Parameters
    ----------
    journal : OpenJournal
    """

    def __init__(self, journal: OpenJournal) -> None:
        self._journal = journal

    def known(self, backend: str) -> str | None:
        """Identity of a backend's archive, or None where none was ever used."""
        statement = select(ARCHIVES.c.identity).where(ARCHIVES.c.backend == backend).order_by(ARCHIVES.c.n.desc())
        with self._journal.reading() as connection:
            found = connection.scalar(statement.limit(1))
        return None if found is None else str(found)

    def keep(self, backend: str, location: str, identity: str, now: datetime | None = None) -> str:
        """Keep the identity of a backend's first archive; returns the one that is kept, which may be another process's."""
        with self._journal.engine.begin() as connection:
            found = connection.scalar(
                select(ARCHIVES.c.identity).where(ARCHIVES.c.backend == backend).order_by(ARCHIVES.c.n.desc()).limit(1)
            )
            if found is not None:
                return str(found)
            connection.execute(_row(backend, 0, location, identity, "", "first use", now))
        return identity

    def replace(
        self, backend: str, location: str, identity: str, *, who: str, why: str, now: datetime | None = None
    ) -> None:
        """Let another archive be a backend's from now on, because a person said so.

        Parameters
        ----------
        identity : str
            Text of the marker that stands in the other archive's root.
        who, why : str
            Both are kept.
        """
        with self._journal.engine.begin() as connection:
            last = connection.scalar(select(func.max(ARCHIVES.c.n)).where(ARCHIVES.c.backend == backend))
            n = 0 if last is None else int(last) + 1
            connection.execute(_row(backend, n, location, identity, who, why, now))

    def receipts(self, backend: str) -> Iterator[tuple[str, str]]:
        """Give path and sha256 of the receipts that the database keeps of a backend's archive."""
        head = func.substr(RECEIPTS.c.content, 1, _HEAD_LETTERS)
        with self._journal.reading() as connection:
            rows = connection.execute(select(RECEIPTS.c.path, RECEIPTS.c.sha256, head.label("head"))).all()
        return ((row.path, row.sha256) for row in rows if _backend_of(row.head) in {backend, None})


def place_of(backend: ArchiveBackend) -> dict[str, str]:
    """Say which archive a backend is, for a journal's evidence: its name, its location, and its identity where it has one."""
    return {"backend": backend.name, "location": backend.location, "identity": getattr(backend, "identity", "")}


def is_of(place: Mapping[str, str], backend: ArchiveBackend) -> bool:
    """Whether evidence is of this very archive; one that was mounted elsewhere is known by its identity."""
    here = place_of(backend)
    if place.get("backend") != here["backend"]:
        return False
    told = "identity" if place.get("identity") and here["identity"] else "location"
    return place.get(told) == here[told]


def _backend_of(head: str) -> str | None:
    """Name of the backend that a receipt's text begins with; None where it does not say."""
    if not head.startswith(_HEAD):
        return None
    try:
        return str(json.JSONDecoder().raw_decode(head, len(_HEAD))[0]["name"])
    except (ValueError, KeyError, TypeError):
        return None


def _row(backend: str, n: int, location: str, identity: str, who: str, why: str, now: datetime | None) -> Insert:
    values = {"location": location, "identity": identity, "who": who, "why": why, "known_us": microseconds(now)}
    return insert(ARCHIVES).values(backend=backend, n=n, **values)
