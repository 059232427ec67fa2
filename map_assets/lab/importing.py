"""Holding a sheet's rows against the registry: what is new, the same, or in conflict. Reading cells lives in `kinds`, writing in `records`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from map_assets.lab.kinds import SheetKind, SheetRow
from map_assets.lab.records import Change, find_row, key_columns
from map_assets.lab.schema import SUBJECTS, WATER_RESTRICTIONS

_RECORDS = {
    "animals": ("subjects", "water_restrictions"),
    "insertions": ("probe_insertions",),
    "people": ("people",),
    "rigs": ("rigs",),
}


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Parameters
    ----------
    kind : str
        ``animals``, ``insertions``, ``people`` or ``rigs``.
    n_new, n_same, n_changed : int
        Rows of the sheet.
    messages : tuple of str
        What a person should know.
    import_id : int or None
        What `undo` takes; None where nothing was new or changed.
    """

    kind: str
    n_new: int
    n_same: int
    n_changed: int
    messages: tuple[str, ...] = ()
    import_id: int | None = None


@dataclass
class Comparison:
    """What a sheet would do to the registry.

    Parameters
    ----------
    changes : list of Change
    problems : list of str
        With any of them nothing may be imported.
    n_new, n_same, n_changed : int
        Rows of the sheet.
    """

    changes: list[Change] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    n_new: int = 0
    n_same: int = 0
    n_changed: int = 0


def compare(connection: Connection, kind: SheetKind, rows: Iterable[SheetRow], *, is_update: bool) -> Comparison:
    """Hold rows against the registry.

    A blank cell tells nothing and changes nothing. A cell that differs from what is registered is a conflict, unless
    `is_update`.
    """
    found = Comparison()
    seen: dict[tuple[Any, ...], int] = {}
    names: dict[str, tuple[str, int]] = {}
    for row in rows:
        problems = [*_complete(connection, kind, row), *_clashes(connection, kind, row, names)]
        problems = problems or _twins(kind, row, seen)
        changes: list[Change] = []
        is_new = False
        if not problems:
            for position, record in enumerate(_RECORDS[kind.name]):
                may_add = position == 0 or is_new or is_update
                change, said = _change(connection, kind, record, row, may_add=may_add, may_set=is_update)
                is_new = is_new or (position == 0 and change is not None and change.action == "add")
                problems += said
                changes += [] if change is None else [change]
        found.problems += [f"row {row.number}, {problem}" for problem in problems]
        found.changes += changes
        found.n_new += is_new
        found.n_changed += bool(changes) and not is_new
        found.n_same += not changes
    return found


def _complete(connection: Connection, kind: SheetKind, row: SheetRow) -> list[str]:
    """Fill in what a row's keys are: whose insertion it is, and to whom a water restriction belongs."""
    if kind.name == "animals":
        animal = row.values.get(("water_restrictions", "animal"))
        if animal is not None:
            row.values["water_restrictions", "subject_id"] = row.values["subjects", "subject_id"]
            row.values["water_restrictions", "animal_lower"] = animal.lower()
    if kind.name != "insertions":
        return []
    row.values.setdefault(("probe_insertions", "behavior_time"), "")
    animal, said = row.values.get(("water_restrictions", "animal")), row.values.get(("probe_insertions", "subject_id"))
    if animal is None:
        known = connection.scalar(select(SUBJECTS.c.subject_id).where(SUBJECTS.c.subject_id == said))
        return [] if known is not None else [f"subject_id: {said} is not registered; import the animal first"]
    owner = _owner(connection, animal)
    if owner is None:
        return [f"water_restriction_number: {animal} is not registered; import the animal first"]
    row.values["probe_insertions", "subject_id"] = owner
    return [] if said in {None, owner} else [f"subject_id: it is {said}, and {animal} is registered as {owner}"]


def _clashes(connection: Connection, kind: SheetKind, row: SheetRow, names: dict[str, tuple[str, int]]) -> list[str]:
    """Say whose animal's name a row wants to take."""
    if kind.name != "animals" or ("water_restrictions", "animal") not in row.values:
        return []
    animal, subject = row.values["water_restrictions", "animal"], row.values["subjects", "subject_id"]
    other, number = names.setdefault(animal.lower(), (subject, row.number))
    if other != subject:
        return [f"water_restriction_number: {animal} is subject {other} in row {number}"]
    owner = _owner(connection, animal)
    if owner not in {None, subject}:
        return [f"water_restriction_number: {animal} is registered as subject {owner} (case makes no difference)"]
    return []


def _owner(connection: Connection, animal: str) -> str | None:
    return connection.scalar(
        select(WATER_RESTRICTIONS.c.subject_id).where(WATER_RESTRICTIONS.c.animal_lower == animal.lower())
    )


def _twins(kind: SheetKind, row: SheetRow, seen: dict[tuple[Any, ...], int]) -> list[str]:
    """Say which earlier row tells of the same thing."""
    record = _RECORDS[kind.name][0]
    key = tuple(row.values[record, column] for column in key_columns(record))
    first = seen.setdefault(key, row.number)
    if first == row.number:
        return []
    return [f"{kind.header(record, key_columns(record)[-1])}: row {first} tells of the same {_named(record, key)}"]


def _change(
    connection: Connection, kind: SheetKind, record: str, row: SheetRow, *, may_add: bool, may_set: bool
) -> tuple[Change | None, list[str]]:
    """What one row does to one table."""
    values = {column: value for (name, column), value in row.values.items() if name == record}
    if not values:
        return None, []
    key = tuple(values.pop(column) for column in key_columns(record))
    subject = str(key[0]) if record in {"subjects", "water_restrictions", "probe_insertions"} else None
    stands = find_row(connection, record, key)
    fields = {
        column: (None if stands is None else getattr(stands, column), value)
        for column, value in values.items()
        if stands is None or getattr(stands, column) != value
    }
    if stands is None and may_add:
        return Change(record, key, "add", fields, subject, row.number), []
    if fields and not may_set:
        said = {kind.header(record, column): pair for column, pair in fields.items() if column != "animal_lower"}
        return None, [
            f"{name}: it is {new}, and {_named(record, key)} has {_said(old)}" for name, (old, new) in said.items()
        ]
    return (Change(record, key, "set", fields, subject, row.number) if fields else None), []


def _named(record: str, key: tuple[Any, ...]) -> str:
    return f"{record.replace('_', ' ')} {' '.join(str(part) for part in key if part != '')}"


def _said(value: Any) -> str:
    return "nothing there" if value is None else str(value)
