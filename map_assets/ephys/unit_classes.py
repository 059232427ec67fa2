"""The classifier's file: which units of a session it calls good. Labels of sorters and curators are read in `sorters`.

``{animal}_{YYYYMMDD}_{HHMMSS}_GoodUnitsIdx_*.mat`` (made for the project "Brain-wide neural activity underlying
memory-guided movement") holds two MATLAB structs with the same fields, one a region (``ALM_qc``): ``Idx``, places of good
units, and ``AnnoName``, the CCF region of each. A place counts from 1 through all units of the session, those of
insertion 1 first, each insertion's by rising unit id. It is no id: after another sorting it means another unit, so a
file stays with the sortings that it was joined with first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.ephys.sorting_past import Past
from map_assets.ephys.tables.classes import UNIT_CLASSES
from map_assets.vocabulary.errors import BadInput, CompanionMissing, NameDoesNotParse, PiecesDoNotFit
from map_assets.vocabulary.files import FoundFile, Rejected, sha256_of, unchanged
from map_assets.vocabulary.matlab import MatlabFile, open_matlab
from map_assets.vocabulary.matlab_struct import Struct

GOOD, UNLABELLED = "good", "unlabelled"

_NAME = re.compile(r"(?P<session>[^_]+_\d{8}_\d{6})_GoodUnitsIdx.*\.mat", re.IGNORECASE)
_SUFFIX = "_qc"
_TOTALS = ("nUnits", "n_units", "numUnits", "Nunits")
"""Names under which a file may tell how many units it counted."""
_TODO = "Ask for the classifier's file anew, made from this session's sorting."


@dataclass(frozen=True)
class GoodUnits:
    """A classifier's file, read; members have one element a good unit.

    Parameters
    ----------
    place : numpy.ndarray of int, shape (n,)
        From 1, through all units of the session.
    annotation : list of (str or None)
    list_name : list of str
    n_units : int or None
        How many units the file says that it counted.
    """

    place: NDArray[np.int64]
    annotation: list[str | None]
    list_name: list[str]
    n_units: int | None


def read_unit_classes(
    session: str,
    files: Sequence[FoundFile],
    units: pa.Table,
    probes: pa.Table | None = None,
    past: Past = lambda _name: iter(()),
) -> tuple[dict[str, pa.Table], tuple[Rejected, ...]]:
    """Give every unit of a session its class.

    Parameters
    ----------
    session : str
        Session key.
    files : sequence of FoundFile
        The session's files; the one with the role ``unit_classes`` is read.
    units : pyarrow.Table
        All units of the session.
    probes : pyarrow.Table, optional
        Tells of probes that are not sorted yet: without their units every later place would mean another unit.
    past : callable
        Gives what stands under `unit_classes`, then what stood there before, the youngest first. It tells with which
        sortings this very file was joined first; with others its places would mean other units.

    Returns
    -------
    tables : dict of str to pyarrow.Table
        `unit_classes`, a row for each unit in the file's order; left out without a usable file.
    rejected : tuple of Rejected
        A file that could not be used, or that waits for the sortings that it was made from. Two files for one session
        are both rejected.
    """
    mine = [file for file in files if file.role == "unit_classes"]
    if not mine:
        return {}, ()
    try:
        if len(mine) > 1:
            names = " and ".join(file.relpath.name for file in mine)
            raise _misfit(
                mine[0].path, f"the session has {len(mine)} such files: {names}", "one", "Keep the one that counts."
            )
        _check_name(mine[0].path, session)
        with unchanged(mine[0].path):
            found, digest = read_good_units(mine[0].path), sha256_of(mine[0].path)
        _check_fit(mine[0].path, found, units.num_rows, probes)
        _check_sorting(mine[0].path, _sortings_of(units), _first_joined(past, digest))
    except BadInput as error:
        return {}, (Rejected(tuple(mine), error),)
    return {"unit_classes": _table(session, mine[0], digest, found, units)}, ()


def read_good_units(path: Path) -> GoodUnits:
    """Read a classifier's file.

    Raises
    ------
    UnreadableFile
        If it is damaged, or no MATLAB 5 to 7 file, or a field is of another kind.
    PiecesDoNotFit
        If it has no lists, a place is no whole number from 1, the annotations of a list are not as many as its places,
        or one unit stands in the lists twice.
    ChangedWhileRead
        If it was written to meanwhile.
    """
    file = open_matlab(path, todo=_TODO)
    lists, names = file.struct("Idx"), file.struct("AnnoName")
    fields = [name for name in lists.names if name.endswith(_SUFFIX)]
    if not fields:
        raise _misfit(path, "it has no list of units", f"a struct Idx with fields that end in {_SUFFIX}")
    places: list[int] = []
    annotation: list[str | None] = []
    list_name: list[str] = []
    for name in fields:
        values = lists.numbers(name)
        if not np.all(np.isfinite(values) & (values >= 1) & (values < 2**31) & (values == np.rint(values))):
            raise _misfit(path, f"Idx.{name} holds what is no place of a unit", "whole numbers from 1")
        places += values.astype(int).tolist()
        annotation += _annotations(path, names, name, len(values))
        list_name += [name] * len(values)
    place = np.array(places, np.int64)
    first, counts = np.unique(place, return_counts=True)
    if np.any(counts > 1):
        twice = int(first[counts > 1][0])
        where = " and ".join(dict.fromkeys(list_name[k] for k in np.flatnonzero(place == twice)))
        raise _misfit(path, f"unit {twice} stands in its lists more than once ({where})", "each unit once")
    return GoodUnits(place, annotation, list_name, _total(path, file, lists))


def _annotations(path: Path, names: Struct, name: str, count: int) -> list[str | None]:
    """Return a list's annotations: a cell of texts, one text, or rows of text; none where the file has no such field."""
    if name not in names:
        return [None] * count
    found: list[str] = []
    for matrix in names.cells(name):
        if matrix.kind != "text" and matrix.size:
            raise _misfit(path, f"AnnoName.{name} holds what is no text", "the name of a region for each unit")
        rows = matrix.rows() if matrix.kind == "text" else []
        found += rows or [""]
    if len(found) != count:
        raise _misfit(path, f"AnnoName.{name} has {len(found)} names for {count} units of Idx.{name}", "one for each")
    return [text.strip() or None for text in found]


def _total(path: Path, file: MatlabFile, lists: Struct) -> int | None:
    for name in _TOTALS:
        if name in lists:
            told = lists.number(name)
        elif name in file.variables:
            values = lists.as_numbers(file.variables[name], name)
            told = float(values[0]) if values.size == 1 else None
        else:
            continue
        if told is None or not told.is_integer():
            raise _misfit(path, f"{name} is no count of units", "one whole number")
        return int(told)
    return None


def _check_name(path: Path, session: str) -> None:
    named = _NAME.fullmatch(path.name)
    if named is None:
        raise NameDoesNotParse(
            path,
            "its name tells no session",
            expected="{animal}_{YYYYMMDD}_{HHMMSS}_GoodUnitsIdx_....mat",
            todo="Give it its session's name.",
        )
    if named["session"].casefold() != session.casefold():
        todo = "Move it into the folder of its own session."
        raise _misfit(
            path, f"it names {named['session']} and lies with the files of {session}", "that session's file", todo
        )


def _check_fit(path: Path, found: GoodUnits, n_units: int, probes: pa.Table | None) -> None:
    """See that the places can mean this session's units."""
    if found.n_units is not None and found.n_units != n_units:
        raise _misfit(path, f"it counted {found.n_units} units, and the session has {n_units}", "the same units")
    unsorted = [] if probes is None else probes.filter(probes["sorter"].is_null())["probe"].to_pylist()
    if unsorted and found.n_units is None:
        raise CompanionMissing(
            path,
            f"probe {', '.join(map(str, sorted(unsorted)))} of the session has no sorting, and the file counts through the "
            "units of all probes",
            expected="every probe sorted",
            todo="Copy the missing sorting; the file is then read again.",
        )
    largest = int(found.place.max(initial=0))
    if largest > n_units:
        raise _misfit(path, f"it names unit {largest}, and the session has {n_units}", "the same units")


def _sortings_of(table: pa.Table) -> dict[int, str | None]:
    """Return each probe's sorting, None where it is not known."""
    if "sorting" not in table.column_names:
        return dict.fromkeys(table["probe"].to_pylist())
    return dict(zip(table["probe"].to_pylist(), table["sorting"].to_pylist(), strict=True))


def _first_joined(past: Past, digest: str) -> dict[int, str | None]:
    """Return the sortings with which a file of this content was joined first; nothing where it never was."""
    first: dict[int, str | None] = {}
    for table in past(UNIT_CLASSES.name):
        if "file_sha256" in table.column_names:
            mine = table.filter(pc.equal(table["file_sha256"], digest))
            first = _sortings_of(mine) or first
    return first


def _check_sorting(path: Path, now: Mapping[int, str | None], first: Mapping[int, str | None]) -> None:
    """See that the units are those that the file was made from, as far as it is known."""
    if not first:
        return
    changed = [
        probe
        for probe in sorted({*now, *first})
        if (probe in now) != (probe in first) or (now[probe] and first[probe] and now[probe] != first[probe])
    ]
    if changed:
        before = ", ".join(f"{first.get(probe) or 'no sorting'} of probe {probe}" for probe in changed)
        raise CompanionMissing(
            path,
            f"it was made for another sorting: it counts through the units of {before}, which are not the current ones",
            expected="the sortings that it was first joined with",
            todo="Choose that sorting again, or have the classifier's file made anew from the current one.",
        )


def _table(session: str, file: FoundFile, digest: str, found: GoodUnits, units: pa.Table) -> pa.Table:
    names = [name for name in ("probe", "unit_id", "sorting") if name in units.column_names]
    ordered = units.select(names).sort_by([("probe", "ascending"), ("unit_id", "ascending")])
    n_units = ordered.num_rows
    kind, annotation, list_name = np.full((3, n_units), None, object)
    kind[:] = UNLABELLED
    kind[found.place - 1] = GOOD
    annotation[found.place - 1] = found.annotation
    list_name[found.place - 1] = found.list_name
    modified = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=file.mtime_ns // 1000)
    return UNIT_CLASSES.from_columns(
        {
            "session": [session] * n_units,
            "probe": ordered["probe"],
            "unit_id": ordered["unit_id"],
            "class": kind,
            "annotation": annotation,
            "list_name": list_name,
            **({"sorting": ordered["sorting"]} if "sorting" in names else {}),
            "file": [file.relpath.as_posix()] * n_units,
            "file_sha256": [digest] * n_units,
            "file_modified_at": [modified] * n_units,
        }
    )


def _misfit(path: Path, found: str, expected: str, todo: str = _TODO) -> PiecesDoNotFit:
    return PiecesDoNotFit(path, found, expected=expected, todo=todo)
