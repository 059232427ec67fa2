"""Small tables with one row a cluster, as Kilosort, Phy and their companions write them. What their labels mean is told in `kilosort_labels`."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from map_assets.ephys.sorters.protocol import SortingFolder, UnitLabels
from map_assets.vocabulary.errors import UnreadableFile
from map_assets.vocabulary.files import unchanged

_PATTERNS = ("cluster_*.tsv", "cluster_*.csv")
_ID = "cluster_id"
_OLDER_ID = "id"
_INFO = "cluster_info"
_LONGEST_ID = 18
_TODO = "Copy the file from the sorting computer again."


@dataclass(frozen=True)
class LabelTable:
    """One file: by column, in the file's order, what each cluster has; clusters with an empty cell are left out."""

    columns: Mapping[str, Mapping[int, str]]


def read_label_tables(folder: SortingFolder, needed: Iterable[str]) -> dict[str, LabelTable]:
    """Read every ``cluster_*.tsv`` and ``cluster_*.csv`` of a folder, by name.

    Parameters
    ----------
    folder : SortingFolder
    needed : iterable of str
        Files that must be tables of clusters; another one without a cluster_id column is about something else and left.

    Raises
    ------
    UnreadableFile
        If a needed file has no cluster_id and label columns, or any has an id that is no number, a short row, or two
        labels for one cluster.
    """
    must = set(needed)
    names = sorted(name for name in folder.files if any(fnmatchcase(name, pattern) for pattern in _PATTERNS))
    found = {name: _read(folder, name, is_needed=name in must) for name in names}
    return {name: table for name, table in found.items() if table is not None}


def labels_of(tables: Mapping[str, LabelTable]) -> UnitLabels:
    """List every cell of every table."""
    cells = [
        (unit_id, name, column, value)
        for name, table in tables.items()
        for column, values in table.columns.items()
        for unit_id, value in values.items()
    ]
    return UnitLabels(*(list(part) for part in zip(*cells, strict=True))) if cells else UnitLabels()


def read_text(folder: SortingFolder, name: str) -> str:
    """Read a text file of a folder, whatever bytes are in it."""
    path = folder.path(name)
    with unchanged(path):
        return path.read_bytes().decode("utf-8-sig", errors="replace")


def _read(folder: SortingFolder, name: str, *, is_needed: bool) -> LabelTable | None:
    """Read one file, tab- or comma-separated whatever its suffix."""
    path = folder.path(name)
    lines = [line for line in read_text(folder, name).splitlines() if line.strip()]
    delimiter = "\t" if lines and "\t" in lines[0] else ","
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
    except csv.Error as error:
        raise UnreadableFile(path, f"it is no table ({error})", expected="one row a cluster", todo=_TODO) from error
    header = rows[0] if rows else []
    key = _OLDER_ID if _ID not in header and name.startswith(_INFO) else _ID
    if key not in header or len(header) < 2:
        if is_needed:
            raise UnreadableFile(
                path, "it has no cluster_id and label columns", expected="these two columns", todo=_TODO
            )
        return None
    ids = header.index(key)
    columns: dict[str, dict[int, str]] = {column: {} for column in header if column and column != key}
    for row in rows[1:]:
        if len(row) < len(header) or not row[ids].isdecimal() or len(row[ids]) > _LONGEST_ID:
            raise UnreadableFile(path, f"row {row!r:.200} has no cluster id and label", expected="both", todo=_TODO)
        unit_id = int(row[ids])
        for column, value in zip(header, row, strict=False):
            if value and column in columns and columns[column].setdefault(unit_id, value) != value:
                raise UnreadableFile(path, f"cluster {unit_id} has two labels", expected="one", todo=_TODO)
    return LabelTable(columns)
