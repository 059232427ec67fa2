"""What the lab's database says, read and never written: animals, who changed what, and how the stages ended. Explaining a row lives in `explain`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from map_assets.vocabulary.errors import BadConfiguration
from map_assets.vocabulary.url import masked_url

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection, Row, Select

    from map_assets.vocabulary.table import Table

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class StageEnd:
    """How a stage of a session ended last.

    Parameters
    ----------
    stage, outcome : str
    at : datetime.datetime
        UTC.
    made : tuple of str
        Tables that it wrote.
    inputs : dict of str to str or None
        Version of each table that it may have taken; None where there was none.
    code, package, parameters : str or None
        Version of the stage's code and of the package, and the settings its result depends on; None where the record
        does not tell.
    """

    stage: str
    outcome: str
    at: datetime
    made: tuple[str, ...]
    inputs: dict[str, str | None]
    code: str | None
    package: str | None
    parameters: str | None


@dataclass(frozen=True)
class TakenFile:
    """A file of a share, as the ledger has it."""

    share: str
    path: str
    role: str | None
    size: int
    state: str
    stage: str | None
    sha256: str | None


@dataclass(frozen=True)
class Correction:
    """What a person changed: ``registry``, ``sorting`` or ``tracing``; when, who, what and why."""

    about: str
    at: datetime
    who: str
    what: str
    why: str | None


class Records:
    """The lab's database, open for reading.

    Parameters
    ----------
    url : str
        ``sqlite:///file`` or ``postgresql://...``.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    @contextmanager
    def _reading(self) -> Iterator[Connection | None]:
        """One consistent picture; None where there is no database yet."""
        from sqlalchemy import create_engine
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import DBAPIError

        url = make_url(self._url)
        if url.get_backend_name() == "sqlite":
            path = Path(str(url.database)).absolute()
            if not path.is_file():
                yield None
                return
            url = make_url("sqlite://").set(database=path.as_uri(), query={"mode": "ro", "uri": "true"})
        engine = create_engine(url)
        try:
            with engine.connect() as connection:
                if engine.name == "postgresql":
                    connection.exec_driver_sql("set transaction read only")
                yield connection
        except DBAPIError as error:
            raise BadConfiguration(f"The database {masked_url(self._url)} cannot be read: {error.orig}.") from error
        finally:
            engine.dispose()

    def _rows(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        """Ask; no rows where one of the tables is not there yet."""
        from sqlalchemy import Table as SqlTable
        from sqlalchemy import inspect
        from sqlalchemy.sql.visitors import iterate

        needed = {item.name for item in iterate(statement) if isinstance(item, SqlTable)}
        with self._reading() as connection:
            if connection is None or not needed <= set(inspect(connection).get_table_names()):
                return []
            return connection.execute(statement).all()

    def subjects(self) -> pa.Table:
        """The registered animals, as `SUBJECTS` says."""
        from sqlalchemy import func, select

        from map_assets.lab.schema import PEOPLE, SUBJECTS, WATER_RESTRICTIONS

        person = func.coalesce(PEOPLE.c.full_name, SUBJECTS.c.login).label("person")
        statement = (
            select(SUBJECTS, WATER_RESTRICTIONS.c.animal, person)
            .outerjoin(WATER_RESTRICTIONS, WATER_RESTRICTIONS.c.subject_id == SUBJECTS.c.subject_id)
            .outerjoin(PEOPLE, PEOPLE.c.login == SUBJECTS.c.login)
            .order_by(SUBJECTS.c.subject_id)
        )
        declared = subjects_table()
        names = [column.name for column in declared.columns if column.name != "subject"]
        rows = self._rows(statement)
        return declared.from_rows(
            {"subject": row.subject_id, **{name: getattr(row, name) for name in names}} for row in rows
        )

    def stages(self, session: str) -> list[StageEnd]:
        """How each stage of a session ended last."""
        from sqlalchemy import select

        from map_assets.shares.schema import STAGES

        return [_stage_end(row) for row in self._rows(select(STAGES).where(STAGES.c.session == session))]

    def files(self, session: str) -> list[TakenFile]:
        """A session's files, by share and path."""
        from sqlalchemy import select

        from map_assets.shares.schema import FILES

        rows = self._rows(select(FILES).where(FILES.c.session == session).order_by(FILES.c.share, FILES.c.relpath))
        return [TakenFile(row.share, row.relpath, row.role, row.size, row.state, row.by, row.sha256) for row in rows]

    def corrections(self, session: str) -> list[Correction]:
        """What people changed about a session and its animal after it was first entered, oldest first."""
        from sqlalchemy import select

        from map_assets.lab.schema import EDITS, SHEET_IMPORTS, SORTING_CHOICES
        from map_assets.lab.tracing_schema import CORRECTIONS

        animal = json.dumps(session.partition("_")[0].lower())
        owners = select(EDITS.c.subject_id).where(
            EDITS.c.field == "animal_lower", (EDITS.c.new == animal) | (EDITS.c.old == animal)
        )
        edits = self._rows(
            select(EDITS, SHEET_IMPORTS.c.at_us, SHEET_IMPORTS.c.who, SHEET_IMPORTS.c.why)
            .join(SHEET_IMPORTS, SHEET_IMPORTS.c.import_id == EDITS.c.import_id)
            .where(EDITS.c.subject_id.in_(owners), EDITS.c.action != "add")
        )
        choices = self._rows(select(SORTING_CHOICES).where(SORTING_CHOICES.c.session == session))
        tracings = self._rows(select(CORRECTIONS).where(CORRECTIONS.c.session == session))
        found = [
            Correction(
                "registry", _at(row.at_us), row.who, f"{row.record} {row.field}: {row.old} -> {row.new}", row.why
            )
            for row in edits
        ]
        found += [
            Correction(
                "sorting",
                _at(row.at_us),
                row.who,
                f"probe {row.probe}: " + (f"use {row.sorting}" if row.sorting else f"choice {row.undoes} taken back"),
                row.why,
            )
            for row in choices
        ]
        found += [
            Correction(
                "tracing",
                _at(row.at_us),
                row.who,
                f"probe {row.probe}"
                + ("" if row.shank is None else f" shank {row.shank + 1}")
                + f": {row.action} {row.kind}"
                + ("" if row.amount_um is None else f" by {row.amount_um:g} um"),
                row.why,
            )
            for row in tracings
        ]
        return sorted(found, key=lambda one: one.at)


def subjects_table() -> Table:
    """The declaration of `subjects`, which stands in the database and not in the store."""
    import pyarrow as pa

    from map_assets.vocabulary.table import Column, Table, text

    return Table(
        "subjects",
        "one animal, as people entered it",
        ("subject",),
        (
            text("subject", "registry's subject id"),
            text("animal", "water-restriction name, which the rigs write; null if it has none", nullable=True),
            text("sex", "M, F or U; null if unknown", nullable=True),
            Column("date_of_birth", pa.date32(), "null if unknown", "", True),
            text("species", "Latin binomial; null if unknown", nullable=True),
            text("strain", "null if unknown", nullable=True),
            text("genotype", "null if unknown", nullable=True),
            text("source", "where the animal comes from; null if unknown", nullable=True),
            text("cage_number", "null if unknown", nullable=True),
            text("person", "who works with the animal; null if unknown", nullable=True),
        ),
    )


def _at(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _stage_end(row: Row[Any]) -> StageEnd:
    told = json.loads(row.detail) if row.detail.startswith("{") else {}
    return StageEnd(
        row.stage,
        row.outcome,
        _at(row.at_us),
        tuple(told.get("made") or ()),
        dict(told.get("inputs") or {}),
        told.get("code"),
        told.get("package"),
        told.get("parameters"),
    )
