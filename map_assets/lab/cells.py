"""What one cell of a sheet means: text, number, date, time, yes or no. Blank cells are unknown and never come here."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time
from typing import Any

ERRORS = frozenset({"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#GETTING_DATA"})
_ANIMAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,30}")
_SUBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}")
_DATE = re.compile(r"(\d{4})([-/])(\d{1,2})\2(\d{1,2})")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class BadCell(Exception):
    """A cell does not mean what its column holds; the text says what was expected. Never leaves the room."""


def plain(cell: Any) -> str:
    """Read text; a whole number that a spreadsheet made a float is written without its ``.0``."""
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        raise BadCell(f"{cell!s} is no text")
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    text = str(cell).strip()
    if _CONTROL.search(text):
        raise BadCell("it holds a control character")
    return text


def animal(cell: Any) -> str:
    """Read an animal's name as the rigs write it."""
    text = plain(cell)
    if not _ANIMAL.fullmatch(text):
        raise BadCell(f"{text!r} is no animal's name: letters, digits and hyphens, as in SC022")
    return text


def subject_id(cell: Any) -> str:
    """Read a subject's own number."""
    text = plain(cell)
    if not _SUBJECT.fullmatch(text):
        raise BadCell(f"{text!r} is no subject id: letters, digits, dots and hyphens, as in 407513")
    return text


def day(cell: Any) -> date:
    """Read a date: a spreadsheet's own, or YYYY-MM-DD or YYYY/MM/DD."""
    if isinstance(cell, datetime):
        if cell.time() != time(0):
            raise BadCell(f"{cell} is an instant, not a date")
        return cell.date()
    if isinstance(cell, date):
        return cell
    found = _DATE.fullmatch(plain(cell))
    if found is None:
        raise BadCell(f"{plain(cell)!r} is no date; expected YYYY-MM-DD")
    try:
        return date(int(found[1]), int(found[3]), int(found[4]))
    except ValueError as error:
        raise BadCell(f"{found[0]} does not exist") from error


def clock_time(cell: Any) -> str:
    """Read the time in a behaviour file's name as HHMMSS; a spreadsheet's number lacks its leading zeros."""
    if isinstance(cell, datetime | time):
        return cell.strftime("%H%M%S")
    text = plain(cell).replace(":", "").zfill(6)
    expected = f"{plain(cell)!r} is no time; expected HHMMSS as in the behaviour file's name"
    if not re.fullmatch(r"\d{6}", text):
        raise BadCell(expected)
    try:
        return datetime.strptime(text, "%H%M%S").strftime("%H%M%S")
    except ValueError as error:
        raise BadCell(expected) from error


def real(cell: Any) -> float:
    """Read a finite number with a decimal point."""
    try:
        value = float(plain(cell))
    except ValueError:
        raise BadCell(f"{plain(cell)!r} is no number; expected one with a decimal point, as in 25.5") from None
    if not math.isfinite(value):
        raise BadCell(f"{plain(cell)!r} is no finite number")
    return value


def positive(cell: Any) -> float:
    """Read a number above zero."""
    value = real(cell)
    if value <= 0:
        raise BadCell(f"{value:g} is not above zero")
    return value


def angle(cell: Any) -> float:
    """Read degrees."""
    value = real(cell)
    if abs(value) > 360:
        raise BadCell(f"{value:g} is no angle in degrees")
    return value


def whole(cell: Any) -> int:
    """Read a whole number, zero or above."""
    value = real(cell)
    if value < 0 or not value.is_integer():
        raise BadCell(f"{plain(cell)!r} is no whole number")
    return int(value)


def ordinal(cell: Any) -> int:
    """Read a number that counts from 1."""
    value = whole(cell)
    if value < 1:
        raise BadCell("it counts from 1")
    return value


def sex(cell: Any) -> str:
    """Read M, F, or U or Unknown as ``U``."""
    text = plain(cell).upper()
    if text not in {"M", "F", "U", "UNKNOWN"}:
        raise BadCell(f"{plain(cell)!r} is no sex; expected M, F or Unknown")
    return text[0]


def yes_or_no(cell: Any) -> bool:
    """Read yes or no."""
    text = "yes" if cell is True else "no" if cell is False else plain(cell).lower()
    if text not in {"yes", "no"}:
        raise BadCell(f"{text!r} is neither yes nor no")
    return text == "yes"


def hemisphere(cell: Any) -> str:
    """Read left, right or both."""
    text = plain(cell).lower()
    if text not in {"left", "right", "both"}:
        raise BadCell(f"{plain(cell)!r} is no hemisphere; expected left, right or both")
    return text


def skull_reference(cell: Any) -> str:
    """Read Bregma or Lambda."""
    text = plain(cell).capitalize()
    if text not in {"Bregma", "Lambda"}:
        raise BadCell(f"{plain(cell)!r} is no skull reference; expected Bregma or Lambda")
    return text


def good_periods(cell: Any) -> str:
    """Read periods in seconds, ``0-200;230-290;400-end``; the same with ``;`` and plain numbers is returned."""
    said, last, periods = plain(cell), -1.0, []
    for piece in re.split(r"[;,]", said):
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?|end)\s*", piece, re.IGNORECASE)
        if found is None:
            raise BadCell(f"{said!r} are no periods; expected seconds as in 0-200;230-290;400-end")
        start, end = float(found[1]), math.inf if found[2].lower() == "end" else float(found[2])
        if start < last or end <= start:
            raise BadCell(f"the periods {said!r} are not in order")
        last = end
        periods.append(f"{start:g}-{'end' if end == math.inf else format(end, 'g')}")
    return ";".join(periods)
