"""Corrections of tracings that people made, reviewed and took back: an append-only log, and what is in force by it. They are applied in `ccf`."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import Connection, Row, insert, inspect, select, update

from map_assets.lab.history import from_microseconds, microseconds
from map_assets.lab.records import CannotUndo
from map_assets.lab.registry import Registry
from map_assets.lab.schema import COUNTER
from map_assets.lab.tracing_schema import CORRECTIONS, TRACING_METADATA
from map_assets.vocabulary.errors import MapAssetsError
from map_assets.vocabulary.tracing import CorrectionKind, TracingCorrection

State = Literal["proposed", "in force", "taken back"]


class BadCorrection(MapAssetsError):
    """A correction that cannot be made as it was asked for."""


class CannotReview(MapAssetsError):
    """A correction that this person cannot review, or that needs no review."""


@dataclass(frozen=True)
class CorrectionRecord:
    """One correction and what became of it.

    Parameters
    ----------
    correction_id : int
    session : str
    probe : int
    tracing : str
        Version that it was made for.
    kind : {"flip", "shift"}
    amount_um : float or None
        Of a shift, towards the tip positive.
    state : {"proposed", "in force", "taken back"}
    who, why : str
    at : datetime.datetime
        UTC.
    reviewed_by : str or None
    reviewed_at : datetime.datetime or None
    is_own_review : bool
        Whether who made it reviewed it, and said so.
    undone_by : str or None
    undone_why : str or None
    """

    correction_id: int
    session: str
    probe: int
    tracing: str
    kind: CorrectionKind
    amount_um: float | None
    state: State
    who: str
    why: str
    at: datetime
    reviewed_by: str | None = None
    reviewed_at: datetime | None = None
    is_own_review: bool = False
    undone_by: str | None = None
    undone_why: str | None = None


class TracingCorrections:
    """People's corrections of what the histology says, in the registry's database. Nothing in it is ever changed or removed.

    A correction is in force when somebody else has reviewed it, or who made it has said that there is nobody else; until
    then, and after it was taken back, it changes nothing.

    Parameters
    ----------
    registry : Registry
    """

    def __init__(self, registry: Registry) -> None:
        self._engine = registry.engine
        if not inspect(self._engine).has_table(CORRECTIONS.name):
            with self._writing() as connection:
                TRACING_METADATA.create_all(connection)

    def correct(
        self,
        session: str,
        probe: int,
        tracing: str,
        kind: CorrectionKind,
        amount_um: float | None = None,
        *,
        who: str,
        why: str,
        now: datetime | None = None,
    ) -> CorrectionRecord:
        """Propose a correction of one tracing; whether there is such a tracing is for the caller to know.

        Raises
        ------
        BadCorrection
            If no reason is given, a shift has no length or a flip has one.
        """
        if not why.strip() or not who.strip():
            raise BadCorrection("A correction needs a person and a reason: say what was seen.")
        if kind == "flip" and amount_um is not None:
            raise BadCorrection("A flip mirrors left and right and has no length; leave the number of um away.")
        if kind == "shift" and (amount_um is None or not math.isfinite(amount_um) or amount_um == 0):
            raise BadCorrection("A shift needs a length in um, towards the tip positive, such as 120 or -40.")
        row = {"session": session, "probe": probe, "tracing": tracing, "kind": kind, "amount_um": amount_um}
        with self._writing() as connection:
            record_id = _append(connection, {**row, "action": "correct", "who": who, "why": why.strip()}, now)
            return _found(connection, record_id)

    def review(
        self,
        correction_id: int,
        *,
        who: str,
        why: str | None = None,
        is_own: bool = False,
        now: datetime | None = None,
    ) -> CorrectionRecord:
        """Put a proposed correction in force.

        Parameters
        ----------
        correction_id : int
        who : str
        why : str, optional
        is_own : bool
            Who made the correction reviews it too, and says so.

        Raises
        ------
        CannotReview
            If there is no such correction, it is not waiting for a review, or who made it does not say that they review
            their own.
        """
        with self._writing() as connection:
            found = _found(connection, correction_id, CannotReview)
            if found.state != "proposed":
                raise CannotReview(f"Correction {correction_id} is {found.state}; only a proposed one can be reviewed.")
            is_same = _person(found.who) == _person(who)
            if is_same and not is_own:
                raise CannotReview(
                    f"Correction {correction_id} was made by {who}: another person is to review it, or say that you review "
                    "your own."
                )
            _append(
                connection, {**_of(found), "action": "review", "who": who, "why": why, "is_own_review": is_same}, now
            )
            return _found(connection, correction_id)

    def undo(
        self, correction_id: int, *, who: str, why: str | None = None, now: datetime | None = None
    ) -> CorrectionRecord:
        """Take a correction back, whether it is in force or only proposed.

        Raises
        ------
        CannotUndo
            If there is no such correction, or it was taken back before.
        """
        with self._writing() as connection:
            found = _found(connection, correction_id, CannotUndo)
            if found.state == "taken back":
                raise CannotUndo(f"Correction {correction_id} was taken back by {found.undone_by} before.")
            _append(connection, {**_of(found), "action": "undo", "who": who, "why": why}, now)
            return _found(connection, correction_id)

    def log(self, session: str | None = None) -> list[CorrectionRecord]:
        """List the corrections of a session, or all, oldest first."""
        with self._engine.connect().execution_options(is_reading=True) as connection, connection.begin():
            return _log(connection, None if session is None else CORRECTIONS.c.session == session)

    def standing(self, session: str) -> tuple[TracingCorrection, ...]:
        """Return the corrections of a session that are in force, oldest first."""
        return tuple(
            TracingCorrection(
                *(one.correction_id, one.session, one.probe, one.tracing, one.kind, one.amount_um, one.who),
                *(one.reviewed_by or "", one.why, one.at),
            )
            for one in self.log(session)
            if one.state == "in force"
        )

    def fingerprint(self, session: str) -> str | None:
        """Hash the corrections of a session that are in force; None where there is none."""
        seen = [[one.correction_id, one.probe, one.tracing, one.kind, one.amount_um] for one in self.standing(session)]
        return hashlib.sha256(json.dumps(seen).encode()).hexdigest()[:16] if seen else None

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            connection.execute(select(COUNTER.c.value).with_for_update())  # one writer at a time
            yield connection


def _person(name: str) -> str:
    return " ".join(name.casefold().split())


def _of(found: CorrectionRecord) -> dict[str, Any]:
    """Columns of a record about a correction."""
    names = ("session", "probe", "tracing", "kind", "amount_um")
    return {"about": found.correction_id, **{name: getattr(found, name) for name in names}}


def _append(connection: Connection, row: dict[str, Any], now: datetime | None) -> int:
    """Add a line and count it: whoever looks at the registry's version looks at its sessions again."""
    connection.execute(update(COUNTER).values(value=COUNTER.c.value + 1))
    done = connection.execute(insert(CORRECTIONS).values(**{"is_own_review": False, **row}, at_us=microseconds(now)))
    return int(done.inserted_primary_key[0]) if done.inserted_primary_key else 0


def _found(connection: Connection, correction_id: int, error: type[MapAssetsError] = BadCorrection) -> CorrectionRecord:
    of_it = (CORRECTIONS.c.record_id == correction_id) | (CORRECTIONS.c.about == correction_id)
    found = [one for one in _log(connection, of_it) if one.correction_id == correction_id]
    if not found:
        raise error(f"There is no correction {correction_id}; `map-assets histology list SESSION` shows them.")
    return found[0]


def _log(connection: Connection, chosen: Any = None) -> list[CorrectionRecord]:
    statement = select(CORRECTIONS).order_by(CORRECTIONS.c.record_id)
    return _told(connection.execute(statement if chosen is None else statement.where(chosen)))


def _told(rows: Iterable[Row[Any]]) -> list[CorrectionRecord]:
    """Tell of each correction what its records say together."""
    found: dict[int, CorrectionRecord] = {}
    for row in rows:
        at = from_microseconds(row.at_us)
        if row.action == "correct":
            kind, facts = cast("CorrectionKind", row.kind), (row.session, row.probe, row.tracing)
            found[row.record_id] = CorrectionRecord(
                row.record_id, *facts, kind, row.amount_um, "proposed", row.who, row.why, at
            )
        elif row.about in found and row.action == "review":
            review = {"reviewed_by": row.who, "reviewed_at": at, "is_own_review": bool(row.is_own_review)}
            found[row.about] = replace(found[row.about], state="in force", **review)
        elif row.about in found:
            found[row.about] = replace(found[row.about], state="taken back", undone_by=row.who, undone_why=row.why)
    return list(found.values())
