"""Rows of the registry as they are added, set and removed, each change kept as an edit; and taken back. Sheets live in `importing`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Date, Row, delete, insert, select, update
from sqlalchemy import Table as SqlTable

from map_assets.lab.schema import EDITS, RECORD_TABLES
from map_assets.vocabulary.errors import MapAssetsError


class CannotUndo(MapAssetsError):
    """An import cannot be taken back."""


@dataclass(frozen=True)
class Change:
    """What is to become of one row of the registry.

    Parameters
    ----------
    record : str
        Table, one of `RECORD_TABLES`.
    key : tuple
        Values of its primary key.
    action : str
        ``add``, ``set`` or ``remove``.
    fields : mapping of str to (old, new)
        Columns beside the key.
    subject_id : str or None
        Whose row it is.
    sheet_row : int or None
        Row of the sheet that says so.
    """

    record: str
    key: tuple[Any, ...]
    action: str
    fields: Mapping[str, tuple[Any, Any]]
    subject_id: str | None = None
    sheet_row: int | None = None


def key_columns(record: str) -> list[str]:
    """Names of a table's primary key columns."""
    return [column.name for column in RECORD_TABLES[record].primary_key.columns]


def find_row(connection: Connection, record: str, key: tuple[Any, ...]) -> Row[Any] | None:
    """Read one row by its key."""
    table = RECORD_TABLES[record]
    return connection.execute(select(table).where(_is_row(table, key))).first()


def apply(connection: Connection, import_id: int, changes: Iterable[Change]) -> None:
    """Change rows and keep what they were.

    A row that is added or removed is one edit a column, those unknown left out, and one edit for its key.
    """
    for change in changes:
        table = RECORD_TABLES[change.record]
        said = {name: new for name, (_, new) in change.fields.items()}
        if change.action == "add":
            connection.execute(
                insert(table).values(**dict(zip(key_columns(change.record), change.key, strict=True)), **said)
            )
        elif change.action == "remove":
            connection.execute(delete(table).where(_is_row(table, change.key)))
        elif said:
            connection.execute(update(table).where(_is_row(table, change.key)).values(**said))
        row_key = json.dumps([_json(value) for value in change.key])
        fixed = {
            "import_id": import_id,
            "sheet_row": change.sheet_row,
            "action": change.action,
            "record": change.record,
        }
        fixed |= {"row_key": row_key, "subject_id": change.subject_id}
        edits = [
            {**fixed, "field": name, "old": _text(old), "new": _text(new)}
            for name, (old, new) in change.fields.items()
            if old != new
        ]
        if change.action != "set":
            key_text = {"old": row_key, "new": None} if change.action == "remove" else {"old": None, "new": row_key}
            edits.insert(0, {**fixed, "field": "", **key_text})
        if edits:
            connection.execute(insert(EDITS), edits)


def reversed_changes(connection: Connection, import_id: int) -> list[Change]:
    """Work out what takes an import back.

    Raises
    ------
    CannotUndo
        If a row of it was touched by a later import, or another row now rests on one that would go.
    """
    edits = connection.execute(select(EDITS).where(EDITS.c.import_id == import_id).order_by(EDITS.c.edit_id)).all()
    by_row: dict[tuple[str, str], list[Row[Any]]] = {}
    for edit in edits:
        by_row.setdefault((edit.record, edit.row_key), []).append(edit)
    changes = []
    for (record, row_key), found in reversed(by_row.items()):
        later = connection.scalar(
            select(EDITS.c.import_id).where(
                EDITS.c.record == record, EDITS.c.row_key == row_key, EDITS.c.import_id > import_id
            )
        )
        if later is not None:
            raise CannotUndo(
                f"Import {import_id} cannot be undone: import {later} has changed {record} {row_key} since; undo that first."
            )
        changes.append(_reversed(record, row_key, found))
    gone = {change.key[0] for change in changes if change.action == "remove" and change.record == "subjects"}
    kept = {(change.record, change.key) for change in changes if change.action == "remove"}
    for name in ("water_restrictions", "probe_insertions"):
        table = RECORD_TABLES[name]
        for row in connection.execute(select(table).where(table.c.subject_id.in_(gone))):
            if (name, tuple(getattr(row, column) for column in key_columns(name))) not in kept:
                raise CannotUndo(
                    f"Import {import_id} cannot be undone: subject {row.subject_id} has {name} of another import."
                )
    return changes


def _reversed(record: str, row_key: str, edits: list[Row[Any]]) -> Change:
    table, columns = RECORD_TABLES[record], key_columns(record)
    key = tuple(_value(table, column, value) for column, value in zip(columns, json.loads(row_key), strict=True))
    fields = {
        edit.field: (_parsed(table, edit.field, edit.new), _parsed(table, edit.field, edit.old))
        for edit in edits
        if edit.field
    }
    action = {"add": "remove", "remove": "add", "set": "set"}[edits[0].action]
    return Change(record, key, action, fields, edits[0].subject_id)


def _is_row(table: SqlTable, key: tuple[Any, ...]) -> Any:
    conditions = [column == value for column, value in zip(table.primary_key.columns, key, strict=True)]
    first, *rest = conditions
    for condition in rest:
        first = first & condition
    return first


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(_json(value))


def _parsed(table: SqlTable, column: str, text: str | None) -> Any:
    return None if text is None else _value(table, column, json.loads(text))


def _value(table: SqlTable, column: str, value: Any) -> Any:
    return date.fromisoformat(value) if value is not None and isinstance(table.c[column].type, Date) else value
