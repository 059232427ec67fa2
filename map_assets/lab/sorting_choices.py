"""Which sorting of a probe people said is to be used: an append-only log, and what stands by it. What it leads to is decided in `ephys`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from map_assets.lab.history import from_microseconds, microseconds
from map_assets.lab.records import CannotUndo
from map_assets.lab.registry import Registry
from map_assets.lab.schema import COUNTER
from map_assets.lab.schema import SORTING_CHOICES as CHOICES
from map_assets.vocabulary.errors import MapAssetsError
from map_assets.vocabulary.sorting import SortingChoice


class NeedsAReason(MapAssetsError):
    """A choice was made without a word why."""


@dataclass(frozen=True)
class ChoiceRecord:
    """One line of the log.

    Parameters
    ----------
    choice_id : int
    session : str
    probe : int
    sorting : str or None
        Version that was chosen; None for an undo.
    undoes : int or None
        Choice that was taken back; None for a choice.
    who : str
    at : datetime.datetime
        UTC.
    why : str or None
        None where an undo gave no reason.
    """

    choice_id: int
    session: str
    probe: int
    sorting: str | None
    undoes: int | None
    who: str
    at: datetime
    why: str | None


class SortingChoices:
    """People's decisions about sortings, in the registry's database. Nothing in it is ever changed or removed.

    Parameters
    ----------
    registry : Registry
    """

    def __init__(self, registry: Registry) -> None:
        self._engine = registry.engine

    def choose(
        self, session: str, probe: int, sorting: str, *, who: str, why: str, now: datetime | None = None
    ) -> SortingChoice:
        """Write down that a version is to be used; whether there is such a version is for the caller to know.

        Raises
        ------
        NeedsAReason
            If `why` is blank.
        """
        if not why.strip():
            raise NeedsAReason("A choice needs a reason: say why this sorting is to be used.")
        row = {"session": session, "probe": probe, "sorting": sorting, "who": who, "why": why.strip()}
        with self._engine.begin() as connection:
            record = _append(connection, row, now)
        return _choice(record)

    def undo(
        self, session: str, probe: int, *, who: str, why: str | None = None, now: datetime | None = None
    ) -> SortingChoice | None:
        """Take back the choice that stands for a probe.

        Returns
        -------
        SortingChoice or None
            The choice before, which stands now; None where the automatic rule decides again.

        Raises
        ------
        CannotUndo
            If no choice stands.
        """
        with self._engine.begin() as connection:
            _one_writer(connection)
            stand = _standing(_log(connection, session)).get(probe, [])
            if not stand:
                raise CannotUndo(f"Nobody's choice stands for probe {probe} of {session}: the automatic rule decides.")
            row = {"session": session, "probe": probe, "undoes": stand[-1].choice_id, "who": who, "why": why or None}
            _append(connection, row, now)
        return _choice(stand[-2]) if len(stand) > 1 else None

    def standing(self, session: str) -> dict[int, SortingChoice]:
        """Return the choices that stand for a session, by probe."""
        return {probe: _choice(records[-1]) for probe, records in _standing(self.log(session)).items() if records}

    def log(self, session: str) -> list[ChoiceRecord]:
        """List all choices and undos of a session, oldest first."""
        with self._engine.connect().execution_options(is_reading=True) as connection, connection.begin():
            return _log(connection, session)

    def fingerprint(self, session: str) -> str | None:
        """Hash the choices that stand for a session; None where none does."""
        stand = self.standing(session)
        seen = [[probe, choice.sorting, choice.who, str(choice.at), choice.why] for probe, choice in stand.items()]
        return hashlib.sha256(json.dumps(sorted(seen)).encode()).hexdigest()[:16] if seen else None


def _one_writer(connection: Connection) -> None:
    connection.execute(select(COUNTER.c.value).with_for_update())


def _append(connection: Connection, row: dict[str, Any], now: datetime | None) -> ChoiceRecord:
    """Add a line and count it: whoever looks at the registry's version looks at its sessions again."""
    connection.execute(update(COUNTER).values(value=COUNTER.c.value + 1))
    done = connection.execute(insert(CHOICES).values(**row, at_us=microseconds(now)))
    (choice_id,) = done.inserted_primary_key or (0,)
    return _record(connection.execute(select(CHOICES).where(CHOICES.c.choice_id == choice_id)).one())


def _log(connection: Connection, session: str) -> list[ChoiceRecord]:
    rows = connection.execute(select(CHOICES).where(CHOICES.c.session == session).order_by(CHOICES.c.choice_id))
    return [_record(row) for row in rows]


def _standing(log: Iterable[ChoiceRecord]) -> dict[int, list[ChoiceRecord]]:
    """Choices of each probe that were not taken back, oldest first."""
    records = list(log)
    undone = {record.undoes for record in records}
    stand: dict[int, list[ChoiceRecord]] = {}
    for record in records:
        if record.undoes is None and record.choice_id not in undone:
            stand.setdefault(record.probe, []).append(record)
    return stand


def _record(row: Row[Any]) -> ChoiceRecord:
    at = from_microseconds(row.at_us)
    return ChoiceRecord(row.choice_id, row.session, row.probe, row.sorting, row.undoes, row.who, at, row.why)


def _choice(record: ChoiceRecord) -> SortingChoice:
    sorting, why = record.sorting or "", record.why or ""
    return SortingChoice(record.session, record.probe, sorting, record.who, record.at, why)
