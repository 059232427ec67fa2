"""The kinds of sheet that can be imported: which columns name a kind, and what its rows mean. Comparing lives in `importing`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from map_assets.lab import cells
from map_assets.lab.sheet import Sheet, SheetProblems

DEFAULT_SPECIES = "Mus musculus"
_MM = 20.0


@dataclass(frozen=True)
class Field:
    """One column of a sheet: how a cell is read, and the registry's column that it fills."""

    header: str
    record: str
    column: str
    read: Callable[[Any], Any]
    is_needed: bool = False
    others: tuple[str, ...] = ()
    """Other headers for the same."""


@dataclass
class SheetRow:
    """One row of a sheet.

    Parameters
    ----------
    number : int
        As the spreadsheet shows it.
    values : dict
        By record and column, without those that are unknown.
    unread : set
        Record and column of cells that could not be read.
    """

    number: int
    values: dict[tuple[str, str], Any] = field(default_factory=dict)
    unread: set[tuple[str, str]] = field(default_factory=set)

    def lacks(self, record: str, column: str) -> bool:
        """Whether the cell is blank."""
        return (record, column) not in self.values and (record, column) not in self.unread


@dataclass(frozen=True)
class SheetKind:
    """A kind of sheet.

    Parameters
    ----------
    name : str
    names_it : frozenset of str
        Columns by which it is recognised.
    fields : tuple of Field
    refuses : callable
        Looks at one row; yields what is wrong with its values together.
    never : frozenset of str
        Columns that such a sheet never has.
    """

    name: str
    names_it: frozenset[str]
    fields: tuple[Field, ...]
    refuses: Callable[[SheetRow], Iterator[str]]
    never: frozenset[str] = frozenset()

    def header(self, record: str, column: str) -> str:
        """Name a registry column as the sheet does."""
        return next((one.header for one in self.fields if (one.record, one.column) == (record, column)), column)


def _animals_together(row: SheetRow) -> Iterator[str]:
    born: date | None = row.values.get(("subjects", "date_of_birth"))
    restricted: date | None = row.values.get(("water_restrictions", "start_date"))
    if born is not None and restricted is not None and restricted < born:
        yield f"wr_start_date: {restricted} is before the date of birth, {born}"
    facts = [name for record, name in row.values if record == "water_restrictions" and name != "animal"]
    if facts and row.lacks("water_restrictions", "animal"):
        yield "water_restriction_number: it is blank, and the row tells of a water restriction"


def _insertions_together(row: SheetRow) -> Iterator[str]:
    values = row.values
    place = [values[key] for name in ("ap_um", "ml_um", "depth_um") if (key := ("probe_insertions", name)) in values]
    if place and 0 < max(abs(value) for value in place) < _MM:
        yield "ap_location, ml_location, depth: all are below 20, which looks like mm; the registry takes um"
    side, ml_um = values.get(("probe_insertions", "hemisphere")), values.get(("probe_insertions", "ml_um"))
    if side in {"left", "right"} and ml_um and side != ("right" if ml_um > 0 else "left"):
        yield f"hemisphere: it is {side}, and ml_location {ml_um:g} is on the other side (right is positive)"
    if row.lacks("water_restrictions", "animal") and row.lacks("probe_insertions", "subject_id"):
        yield "water_restriction_number: neither it nor subject_id tells the animal"


def _nothing(_: SheetRow) -> Iterator[str]:
    return iter(())


_INSERTION = "probe_insertions"
KINDS: tuple[SheetKind, ...] = (
    SheetKind(
        "animals",
        frozenset({"subject_id", "water_restriction_number"}),
        (
            Field("subject_id", "subjects", "subject_id", cells.subject_id, is_needed=True),
            Field("username", "subjects", "login", cells.plain),
            Field("cage_number", "subjects", "cage_number", cells.plain, others=("cage",)),
            Field("date_of_birth", "subjects", "date_of_birth", cells.day),
            Field("sex", "subjects", "sex", cells.sex),
            Field("animal_source", "subjects", "source", cells.plain),
            Field("species", "subjects", "species", cells.plain),
            Field("strain", "subjects", "strain", cells.plain),
            Field("genotype", "subjects", "genotype", cells.plain),
            Field("water_restriction_number", "water_restrictions", "animal", cells.animal),
            Field("wr_start_date", "water_restrictions", "start_date", cells.day),
            Field("wr_start_weight", "water_restrictions", "start_weight_g", cells.positive),
        ),
        _animals_together,
        never=frozenset({"insertion_number"}),
    ),
    SheetKind(
        "insertions",
        frozenset({"session_date", "insertion_number"}),
        (
            Field("water_restriction_number", "water_restrictions", "animal", cells.animal),
            Field("subject_id", _INSERTION, "subject_id", cells.subject_id),
            Field("session_date", _INSERTION, "session_date", cells.day, is_needed=True),
            Field("behaviour_time", _INSERTION, "behavior_time", cells.clock_time, others=("behavior_time",)),
            Field("insertion_number", _INSERTION, "probe", cells.ordinal, is_needed=True),
            Field("skull_reference", _INSERTION, "skull_reference", cells.skull_reference),
            Field("ap_location", _INSERTION, "ap_um", cells.real),
            Field("ml_location", _INSERTION, "ml_um", cells.real),
            Field("depth", _INSERTION, "depth_um", cells.real),
            Field("theta", _INSERTION, "theta_deg", cells.angle),
            Field("phi", _INSERTION, "phi_deg", cells.angle),
            Field("beta", _INSERTION, "beta_deg", cells.angle),
            Field("brain_area", _INSERTION, "brain_area", cells.plain),
            Field("hemisphere", _INSERTION, "hemisphere", cells.hemisphere),
            Field("drift_presence", _INSERTION, "has_drift", cells.yes_or_no),
            Field("alignment_confidence", _INSERTION, "is_alignment_sure", cells.yes_or_no),
            Field("number_of_landmarks", _INSERTION, "n_landmarks", cells.whole),
            Field("insertion_comment", _INSERTION, "comment", cells.plain),
            Field("good_period", _INSERTION, "good_periods", cells.good_periods),
            Field("project", _INSERTION, "project", cells.plain),
        ),
        _insertions_together,
    ),
    SheetKind(
        "people",
        frozenset({"username", "fullname"}),
        (
            Field("username", "people", "login", cells.plain, is_needed=True),
            Field("fullname", "people", "full_name", cells.plain),
        ),
        _nothing,
    ),
    SheetKind(
        "rigs",
        frozenset({"rig"}),
        (
            Field("rig", "rigs", "rig", cells.plain, is_needed=True),
            Field("room", "rigs", "room", cells.plain),
            Field("rig_description", "rigs", "description", cells.plain, others=("description",)),
        ),
        _nothing,
    ),
)


def kind_of(sheet: Sheet) -> SheetKind:
    """Find the one kind whose columns the sheet has.

    Raises
    ------
    BadSheet
        If it has those of none or of several.
    """
    headers = set(sheet.headers)
    fitting = [kind for kind in KINDS if kind.names_it <= headers and not kind.never & headers]
    if len(fitting) == 1:
        return fitting[0]
    known = ", ".join(f"{kind.name} ({', '.join(sorted(kind.names_it))})" for kind in KINDS)
    found = (
        "its columns are those of " + " and ".join(kind.name for kind in fitting)
        if fitting
        else "it is of no known kind"
    )
    raise SheetProblems(sheet.file, [f"{found}; sheets are known by their columns: {known}"])


def read_rows(kind: SheetKind, sheet: Sheet) -> tuple[list[SheetRow], list[str], list[str]]:
    """Read every cell of a sheet.

    Returns
    -------
    rows : list of SheetRow
    problems : list of str
        Of all rows, each with row number and column; with any of them nothing may be imported.
    messages : list of str
        What a person should know, such as columns that are not used.
    """
    by_header = {header: one for one in kind.fields for header in (one.header, *one.others)}
    unused = [header for header in sheet.headers if header and header not in by_header]
    messages = [f"column {header} is not used" for header in unused]
    rows, problems = [], []
    for number, row_cells in sheet.rows:
        row = SheetRow(number)
        for position, cell in enumerate(row_cells):
            problem = _read_cell(row, cell, position, sheet.headers, by_header)
            if problem is not None:
                problems.append(f"row {number}, {problem}")
        blank = [one.header for one in kind.fields if one.is_needed and row.lacks(one.record, one.column)]
        problems += [f"row {number}, {header}: it is blank" for header in blank]
        problems += [f"row {number}, {problem}" for problem in kind.refuses(row)]
        rows.append(row)
    return rows, problems, messages


def _read_cell(
    row: SheetRow, cell: Any, position: int, headers: tuple[str, ...], by_header: Mapping[str, Field]
) -> str | None:
    """Put one cell's value into the row, or say what is wrong with it."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    header = headers[position] if position < len(headers) else ""
    if not header:
        return f"column {position + 1}: {cell!r} stands below no header"
    found = by_header.get(header)
    if found is None:
        return None
    key = (found.record, found.column)
    if key in row.values:
        return f"{header}: another column of the sheet gives the same"
    row.unread.add(key)
    if isinstance(cell, str) and cell.strip().upper() in cells.ERRORS:
        return f"{header}: the spreadsheet shows the error {cell.strip()}"
    try:
        row.values[key] = found.read(cell)
    except cells.BadCell as error:
        return f"{header}: {error}"
    row.unread.discard(key)
    return None
