"""The registry: what people entered about animals, insertions, people and rigs, and who changed what. Sheets are read in `sheet`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from map_assets.lab.checks import find_problems
from map_assets.lab.history import Edit, edits, microseconds
from map_assets.lab.importing import ImportReport, compare
from map_assets.lab.kinds import DEFAULT_SPECIES, kind_of, read_rows
from map_assets.lab.records import CannotUndo, apply, reversed_changes
from map_assets.lab.schema import COUNTER, METADATA, PEOPLE, PROBE_INSERTIONS, SHEET_IMPORTS, SUBJECTS
from map_assets.lab.schema import WATER_RESTRICTIONS as ANIMALS
from map_assets.lab.sheet import SheetProblems, read_sheet
from map_assets.store.database import open_engine
from map_assets.vocabulary.session import SessionKey
from map_assets.vocabulary.subject import Insertion, Subject


class Registry:
    """What people entered, in the lab's database; safe for several threads and processes at once.

    Parameters
    ----------
    url : str
        ``sqlite:///file`` (parent folders are made) or ``postgresql://...``; tables are made where they are not there.
    """

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url, METADATA, COUNTER)

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self.engine.connect().execution_options(is_reading=True) as connection, connection.begin():
            yield connection

    # -- changing ------------------------------------------------------------------------------------------------------
    def import_sheet(
        self, path: Path, sheet: str | None = None, *, who: str, update: bool = False, now: datetime | None = None
    ) -> ImportReport:
        """Take in a sheet, all of it or nothing.

        Parameters
        ----------
        path : pathlib.Path
            A csv (UTF-8) or xlsx; its columns tell whether it holds animals, insertions, people or rigs. A blank cell is
            unknown and changes nothing.
        sheet : str, optional
            Sheet of a workbook; None takes its first.
        who : str
            Who imports it.
        update : bool
            Whether cells that differ from what is registered replace it; otherwise they are conflicts.
        now : datetime.datetime, optional
            Our clock; None reads it.

        Raises
        ------
        BadSheet
            With every problem of every row.
        """
        found = read_sheet(Path(path), sheet)
        kind = kind_of(found)
        rows, problems, messages = read_rows(kind, found)
        with self._writing() as connection:
            bad = {int(problem.removeprefix("row ").partition(",")[0]) for problem in problems}
            outcome = compare(connection, kind, [row for row in rows if row.number not in bad], is_update=update)
            problems = sorted(
                problems + outcome.problems, key=lambda text: int(text.removeprefix("row ").partition(",")[0])
            )
            if problems:
                raise SheetProblems(found.file, problems)
            if not rows:
                raise SheetProblems(found.file, ["it has a header and no rows"])
            import_id = None
            if outcome.changes:
                facts = {"kind": kind.name, "file": found.file, "sha256": found.sha256, "sheet": found.name}
                import_id = _note(connection, who, now, facts, outcome.n_new, outcome.n_changed)
                apply(connection, import_id, outcome.changes)
        return ImportReport(kind.name, outcome.n_new, outcome.n_same, outcome.n_changed, tuple(messages), import_id)

    def undo(self, import_id: int, who: str, why: str, now: datetime | None = None) -> int:
        """Take one import back; the history keeps both. Returns the undo's own import id (which can be undone too).

        Raises
        ------
        CannotUndo
            If there is no such import, or a later one touched its rows.
        """
        with self._writing() as connection:
            row = connection.execute(select(SHEET_IMPORTS).where(SHEET_IMPORTS.c.import_id == import_id)).first()
            if row is None:
                raise CannotUndo(f"There is no import {import_id}.")
            changes = reversed_changes(connection, import_id)
            facts = {"kind": row.kind, "why": why, "undoes": import_id}
            undo_id = _note(connection, who, now, facts, 0, row.n_new + row.n_changed)
            try:
                apply(connection, undo_id, changes)
            except IntegrityError as error:
                raise CannotUndo(
                    f"Import {import_id} cannot be undone: another row has its key or name now."
                ) from error
        return undo_id

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self.engine.begin() as connection:
            connection.execute(select(COUNTER.c.value).with_for_update())  # one writer at a time
            yield connection

    # -- looking -------------------------------------------------------------------------------------------------------
    def subject_of(self, animal: str) -> Subject | None:
        """Find an animal by the name that the rigs write (in any case); None where it is not registered."""
        with self._reading() as connection:
            row = connection.execute(_subjects().where(ANIMALS.c.animal_lower == animal.lower())).first()
        return None if row is None else _subject(row)

    def subjects(self) -> list[Subject]:
        """List all registered animals that have a name, by name."""
        with self._reading() as connection:
            return [_subject(row) for row in connection.execute(_subjects().order_by(ANIMALS.c.animal_lower))]

    def insertions_of(self, session: str) -> list[Insertion]:
        """List where a session's probes were aimed, by probe; a row that names the session's time goes before one that names the day."""
        key = SessionKey.parse(session)
        with self._reading() as connection:
            rows = _insertion_rows(connection, key.animal)
        chosen: dict[int, Row[Any]] = {}
        for row in sorted(rows, key=lambda one: one.behavior_time):
            if row.session_date == key.name_date and row.behavior_time in {"", f"{key.name_time:%H%M%S}"}:
                chosen[row.probe] = row
        return [_insertion(key.animal, chosen[probe]) for probe in sorted(chosen)]

    def version(self) -> int:
        """Return a number that grows with every import and undo that changed anything."""
        with self._reading() as connection:
            return int(connection.scalar(select(COUNTER.c.value)) or 0)

    def fingerprint(self, animal: str) -> str:
        """Hash all that exports use of an animal: its subject, person and insertions; 16 hex digits."""
        with self._reading() as connection:
            row = connection.execute(_subjects().where(ANIMALS.c.animal_lower == animal.lower())).first()
            insertions = [_insertion(animal, one) for one in _insertion_rows(connection, animal)]
        seen = [None if row is None else asdict(_subject(row)), [asdict(one) for one in insertions]]
        return hashlib.sha256(json.dumps(seen, default=str, sort_keys=True).encode()).hexdigest()[:16]

    def check(self) -> list[str]:
        """List what is odd in the registry, one sentence each; empty where nothing is."""
        with self._reading() as connection:
            return find_problems(connection)

    def history(self, animal: str | None = None) -> list[Edit]:
        """List all edits, or those of one animal, oldest first."""
        with self._reading() as connection:
            return edits(connection, animal)


def _note(
    connection: Connection, who: str, now: datetime | None, facts: dict[str, Any], n_new: int, n_changed: int
) -> int:
    """Write down an import or undo and count it."""
    at_us = microseconds(now)
    counts = {"n_new": n_new, "n_changed": n_changed}
    connection.execute(update(COUNTER).values(value=COUNTER.c.value + 1))
    result = connection.execute(insert(SHEET_IMPORTS).values(who=who, at_us=at_us, **facts, **counts))
    return int(result.inserted_primary_key[0]) if result.inserted_primary_key else 0


def _subjects() -> Any:
    return (
        select(SUBJECTS, ANIMALS.c.animal, PEOPLE.c.full_name)
        .join(ANIMALS, ANIMALS.c.subject_id == SUBJECTS.c.subject_id)
        .outerjoin(PEOPLE, PEOPLE.c.login == SUBJECTS.c.login)
    )


def _subject(row: Row[Any]) -> Subject:
    return Subject(
        subject_id=row.subject_id,
        animal=row.animal,
        sex=row.sex or "U",
        species=row.species or DEFAULT_SPECIES,
        date_of_birth=row.date_of_birth,
        strain=row.strain,
        genotype=row.genotype,
        source=row.source,
        person=row.full_name or row.login,
    )


def _insertion_rows(connection: Connection, animal: str) -> list[Row[Any]]:
    return list(
        connection.execute(
            select(PROBE_INSERTIONS)
            .join(ANIMALS, ANIMALS.c.subject_id == PROBE_INSERTIONS.c.subject_id)
            .where(ANIMALS.c.animal_lower == animal.lower())
            .order_by(PROBE_INSERTIONS.c.session_date, PROBE_INSERTIONS.c.behavior_time, PROBE_INSERTIONS.c.probe)
        )
    )


def _insertion(animal: str, row: Row[Any]) -> Insertion:
    places = ("skull_reference", "ap_um", "ml_um", "depth_um", "theta_deg", "phi_deg", "beta_deg", "brain_area")
    return Insertion(
        animal,
        row.session_date,
        row.behavior_time or None,
        row.probe,
        hemisphere=row.hemisphere,
        **{name: getattr(row, name) for name in places},
    )
