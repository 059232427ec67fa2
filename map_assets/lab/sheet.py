"""Reading a sheet (csv or xlsx) into cells as they stand. What the cells mean lives in `cells` and `kinds`."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from map_assets.vocabulary.errors import BadSheet

_MOST_BYTES = 64 * 2**20
_MOST_NAMED = 50


class SheetProblems(BadSheet):
    """A sheet that cannot be imported; nothing was changed.

    Parameters
    ----------
    file : str
        Name of the file.
    problems : sequence of str
        Each with row and column where it has them.
    """

    def __init__(self, file: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        shown = list(self.problems[:_MOST_NAMED])
        if len(self.problems) > len(shown):
            shown.append(f"and {len(self.problems) - len(shown)} more")
        super().__init__(f"{file} cannot be imported, and nothing was changed: " + "; ".join(shown) + ".")


@dataclass(frozen=True)
class Sheet:
    """Cells of a sheet, as they stand.

    Parameters
    ----------
    file : str
        Name of the file.
    sha256 : str
        Of its bytes.
    name : str or None
        Name of the sheet in a workbook.
    headers : tuple of str
        In lower case with underscores; an empty one has no cells below it.
    rows : tuple of (int, tuple)
        Row number as the spreadsheet shows it, and its cells; rows without any cell are left out.
    """

    file: str
    sha256: str
    name: str | None
    headers: tuple[str, ...]
    rows: tuple[tuple[int, tuple[Any, ...]], ...]


def read_sheet(path: Path, name: str | None = None) -> Sheet:
    """Read a csv (UTF-8; comma, semicolon or tab) or an xlsx.

    Parameters
    ----------
    path : pathlib.Path
    name : str, optional
        Sheet of a workbook; None takes its only or first one.

    Raises
    ------
    BadSheet
        If the file cannot be read as what its name says, or its header names a column twice.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise SheetProblems(path.name, ["it is larger than 64 MiB, which no registry sheet is"])
        content = path.read_bytes()
    except OSError as error:
        raise SheetProblems(path.name, [f"it cannot be read ({error.strerror})"]) from error
    suffix = path.suffix.lower()
    if suffix == ".xlsx":
        name, cells = _xlsx(path.name, content, name)
    elif suffix in {".csv", ".tsv", ".txt"}:
        if name is not None:
            raise SheetProblems(path.name, [f"a {suffix} file has no sheet {name!r}"])
        cells = _csv(path.name, content)
    else:
        raise SheetProblems(
            path.name, [f"a registry sheet is a .csv or .xlsx file, not {suffix or 'one without ending'}"]
        )
    filled = [(number, row) for number, row in enumerate(cells, start=1) if not all(_is_blank(cell) for cell in row)]
    if not filled:
        raise SheetProblems(path.name, ["it holds nothing"])
    headers = tuple(_header(cell) for cell in filled[0][1])
    twice = sorted({header for header in headers if header and headers.count(header) > 1})
    if twice:
        raise SheetProblems(path.name, [f"column {header} stands there twice" for header in twice])
    return Sheet(path.name, hashlib.sha256(content).hexdigest(), name, headers, tuple(filled[1:]))


def _header(cell: Any) -> str:
    return re.sub(r"[^a-z0-9]+", "_", str(cell or "").strip().lower()).strip("_")


def _is_blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _csv(file: str, content: bytes) -> list[tuple[Any, ...]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SheetProblems(file, [f"byte {error.start} is not UTF-8; save it as 'CSV UTF-8'"]) from error
    first = text.lstrip().split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        return [tuple(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)]
    except csv.Error as error:
        raise SheetProblems(file, [f"it is no table of cells: {error}"]) from error


def _xlsx(file: str, content: bytes, name: str | None) -> tuple[str, list[tuple[Any, ...]]]:
    from zipfile import BadZipFile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        workbook = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as error:
        raise SheetProblems(file, [f"it is no Excel workbook ({error})"]) from error
    try:
        names = workbook.sheetnames
        chosen = name if name is not None else names[0]
        if chosen not in names:
            raise SheetProblems(file, [f"it has no sheet {chosen!r}, only {_listed(names)}"])
        return chosen, [tuple(row) for row in workbook[chosen].iter_rows(values_only=True)]
    finally:
        workbook.close()


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
