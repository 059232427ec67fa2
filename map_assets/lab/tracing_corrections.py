"""Corrections of tracings that people made, reviewed and took back: an append-only log, and what is in force by it. They are applied in `ccf`, and what is refused stands in `tracing_rules`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Row, insert, inspect, select, text, update

from map_assets.lab.history import from_microseconds, microseconds
from map_assets.lab.records import CannotUndo
from map_assets.lab.registry import Registry
from map_assets.lab.schema import COUNTER
from map_assets.lab.tracing_rules import (
    BadCorrection,
    CannotReview,
    CorrectionRecord,
    check,
    does_the_same,
    person,
    told_as,
)
from map_assets.lab.tracing_schema import CORRECTIONS, TRACING_METADATA
from map_assets.vocabulary.errors import MapAssetsError
from map_assets.vocabulary.tracing import CorrectionKind, TracingCorrection


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
        elif not any(column["name"] == "shank" for column in inspect(self._engine).get_columns(CORRECTIONS.name)):
            with self._writing() as connection:
                connection.execute(text(f"alter table {CORRECTIONS.name} add column shank integer"))

    def correct(
        self,
        session: str,
        probe: int,
        tracing: str,
        kind: CorrectionKind,
        amount_um: float | None = None,
        *,
        shank: int | None = None,
        who: str,
        why: str,
        now: datetime | None = None,
    ) -> CorrectionRecord:
        """Propose a correction of one tracing; whether there is such a tracing is for the caller to know.

        Parameters
        ----------
        session : str
        probe : int
        tracing : str
        kind : {"flip", "shift", "drop"}
        amount_um : float, optional
            Of a shift.
        shank : int, optional
            From 0; without it all of the probe is corrected.
        who, why : str
        now : datetime.datetime, optional

        Raises
        ------
        BadCorrection
            If no reason is given, a shift has no length or another kind has one, or the same is proposed or in force.
        """
        if not why.strip() or not person(who):
            raise BadCorrection("A correction needs a person and a reason: say what was seen.")
        check(probe, kind, amount_um, shank)
        row: dict[str, Any] = {"session": session, "probe": probe, "tracing": tracing}
        row |= {"kind": kind, "amount_um": amount_um, "shank": shank}
        with self._writing() as connection:
            for one in _log(connection, CORRECTIONS.c.session == session):
                if one.state != "taken back" and does_the_same(one, row):
                    raise BadCorrection(f"{told_as(one)} is {one.state} already; take it back first, or leave it.")
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
            If there is no such correction, it is not waiting for a review, who made it does not say that they review
            their own, or the same is in force already.
        """
        if not person(who):
            raise CannotReview("A review needs a person: say who looked at it.")
        with self._writing() as connection:
            found = _found(connection, correction_id, CannotReview)
            if found.state != "proposed":
                raise CannotReview(f"Correction {correction_id} is {found.state}; only a proposed one can be reviewed.")
            for one in _log(connection, CORRECTIONS.c.session == found.session):
                if one.state == "in force" and does_the_same(one, _of(found)):
                    raise CannotReview(
                        f"{told_as(one)} is in force, and correction {correction_id} would do it twice; take one back."
                    )
            is_same = person(found.who) == person(who)
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
        if not person(who):
            raise CannotUndo("To take a correction back needs a person: say who decides.")
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
                *(one.reviewed_by or "", one.why, one.at, one.shank),
            )
            for one in self.log(session)
            if one.state == "in force"
        )

    def fingerprint(self, session: str) -> str | None:
        """Hash the corrections of a session that are in force; None where there is none."""
        seen = [
            [one.correction_id, one.probe, one.tracing, one.kind, one.amount_um, one.shank]
            for one in self.standing(session)
        ]
        return hashlib.sha256(json.dumps(seen).encode()).hexdigest()[:16] if seen else None

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            connection.execute(select(COUNTER.c.value).with_for_update())  # one writer at a time
            yield connection


def _of(found: CorrectionRecord) -> dict[str, Any]:
    """Columns of a record about a correction."""
    names = ("session", "probe", "tracing", "kind", "amount_um", "shank")
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
                row.record_id, *facts, kind, row.amount_um, "proposed", row.who, row.why, at, shank=row.shank
            )
        elif row.about in found and row.action == "review":
            review = {"reviewed_by": row.who, "reviewed_at": at, "is_own_review": bool(row.is_own_review)}
            found[row.about] = replace(found[row.about], state="in force", **review)
        elif row.about in found:
            found[row.about] = replace(found[row.about], state="taken back", undone_by=row.who, undone_why=row.why)
    return list(found.values())
