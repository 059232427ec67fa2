"""Who changed what in the registry, cell by cell. Changing and taking back live in `records`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select

from map_assets.lab.schema import EDITS, SHEET_IMPORTS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(now: datetime | None) -> int:
    """Return an instant (None: this one) as whole us since 1970 UTC; a time without zone is this machine's."""
    return ((now or datetime.now(UTC)).astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(value: int) -> datetime:
    """Return the instant in UTC."""
    return _EPOCH + timedelta(microseconds=value)


@dataclass(frozen=True)
class Edit:
    """One cell that was changed.

    Parameters
    ----------
    edit_id, import_id : int
    at : datetime.datetime
        UTC.
    who : str
    why : str or None
    file, sha256 : str or None
        Sheet that said so; None for an undo.
    sheet_row : int or None
    action : str
        ``add``, ``set`` or ``remove``.
    record : str
        ``subjects``, ``water_restrictions``, ``probe_insertions``, ``people`` or ``rigs``.
    row : str
        Key of the row.
    field : str
        Column; empty where the row itself was added or removed.
    old, new : str or None
        None is unknown.
    """

    edit_id: int
    import_id: int
    at: datetime
    who: str
    why: str | None
    file: str | None
    sha256: str | None
    sheet_row: int | None
    action: str
    record: str
    row: str
    field: str
    old: str | None
    new: str | None


def edits(connection: Connection, animal: str | None) -> list[Edit]:
    """List all edits, or those of an animal that has or had that name, oldest first."""
    statement = (
        select(EDITS, SHEET_IMPORTS.c.at_us, SHEET_IMPORTS.c.who, SHEET_IMPORTS.c.why)
        .add_columns(SHEET_IMPORTS.c.file, SHEET_IMPORTS.c.sha256)
        .join(SHEET_IMPORTS, SHEET_IMPORTS.c.import_id == EDITS.c.import_id)
        .order_by(EDITS.c.edit_id)
    )
    if animal is not None:
        name = json.dumps(animal.lower())
        owners = select(EDITS.c.subject_id).where(
            EDITS.c.field == "animal_lower", (EDITS.c.new == name) | (EDITS.c.old == name)
        )
        statement = statement.where(EDITS.c.subject_id.in_(owners))
    return [_edit(row) for row in connection.execute(statement) if row.field != "animal_lower"]


def _edit(row: Row[Any]) -> Edit:
    def shown(text: str | None) -> str | None:
        return None if text is None else str(json.loads(text))

    key = " ".join(str(part) for part in json.loads(row.row_key) if part != "")
    is_row = row.field == ""
    return Edit(
        row.edit_id,
        row.import_id,
        from_microseconds(row.at_us),
        row.who,
        row.why,
        row.file,
        row.sha256,
        row.sheet_row,
        row.action,
        row.record,
        key,
        row.field,
        (key if row.old else None) if is_row else shown(row.old),
        (key if row.new else None) if is_row else shown(row.new),
    )
