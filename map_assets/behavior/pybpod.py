"""PyBpod's session log (csv): its rows, what was printed in it, its trials. What a task's states mean lives in `formats`.

Rows are ``TYPE; PC-TIME; BPOD-INITIAL-TIME; BPOD-FINAL-TIME; MSG; +INFO`` (PyBpod API 1.8). ``TRIAL`` opens a trial,
``EVENT`` and ``TRANSITION`` tell what happens in it, after its end ``STATE`` rows list each visit of each state (NaN
where there was none) and an ``INFO`` row its start on the Bpod clock. What the task prints comes as ``stdout`` rows, one
for each word and blank, so a value is the row after its label and nothing else stands between them. Printed settings are
read as literals, never run. Which rows are which trial's is found in `pybpod_trials`.
"""

from __future__ import annotations

import ast
import csv
import hashlib
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from map_assets.vocabulary.errors import UnreadableFile

HEADER = b"TYPE;PC-TIME;BPOD-INITIAL-TIME;BPOD-FINAL-TIME;MSG;+INFO"
TORN = "torn"
"""Kind of a row that is not whole."""
_COLUMNS = 6
_TYPES = frozenset(
    {"INFO", "stdout", "stderr", "TRIAL", "TRANSITION", "EVENT", "EVENT-SUMMARY", "EVENT-RESUME", "STATE", "END-TRIAL"}
    | {"VAL", "SOFTCODE", "warning", "error", "debug", "UNTAGGED", "MESSAGE"}
)
_LITTER = re.compile(r"\s*\|?\s*|(During handling of|The above) .* exception.*", re.DOTALL)
"""Lines that the software leaves between rows."""
_PC_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?")
_SWALLOWED = re.compile(r"\n[A-Za-z-]+;\d{4}-\d\d-\d\d ")
"""A row inside another one's text: a quotation mark was lost."""
_PAIR = re.compile(r"\[\s*(['\"])(?P<name>.*?)\1")
_TODO = "Copy the file from the rig again; if the rig's own is like this, set it aside."


@dataclass(frozen=True)
class Printed:
    """Something the task printed after a label: the row of the label, and the text."""

    row: int
    text: str


@dataclass(frozen=True)
class PybpodLog:
    """A log's rows, column by column. One that is not whole is of kind `TORN`; its text is all that is left of it.

    Parameters
    ----------
    path : pathlib.Path
    data : bytes
    kinds, texts, more : list of str
        ``TYPE``, ``MSG`` and ``+INFO``.
    pc_times : list of str
    initial_s, final_s : numpy.ndarray of float, shape (n,)
        NaN where there is none.
    lines : list of int
        Last line of each row in the file, from 1.
    """

    path: Path
    data: bytes
    kinds: list[str]
    texts: list[str]
    more: list[str]
    pc_times: list[str]
    initial_s: NDArray[np.float64]
    final_s: NDArray[np.float64]
    lines: list[int]

    @property
    def size(self) -> int:
        """Bytes that were read."""
        return len(self.data)

    @property
    def sha256(self) -> str:
        """Of these bytes, lower-case hex."""
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def infos(self) -> dict[str, str]:
        """What the ``INFO`` rows before the first trial say, by name; the first of each."""
        found: dict[str, str] = {}
        for row, kind in enumerate(self.kinds):
            if kind == "TRIAL":
                break
            if kind == "INFO":
                found.setdefault(self.texts[row], self.more[row])
        return found

    def name(self, info: str) -> str | None:
        """Return the name in an INFO value such as ``['FOR01', '57b5...']``; a plain text is the name itself."""
        written = self.infos.get(info, "").strip()
        found = _PAIR.match(written)
        return (found["name"] if found else written) or None

    def pc_time(self, row: int) -> datetime:
        """Return a row's wall-clock time."""
        return datetime.fromisoformat(self.pc_times[row])

    @cached_property
    def printed(self) -> dict[str, list[Printed]]:
        """What was printed after each label (a text that ends in a colon), in order; what has no label stands under "".

        A label whose value is not there, or is a label itself, has nothing.
        """
        found: dict[str, list[Printed]] = {}
        label, at = "", 0
        for row, kind in enumerate(self.kinds):
            written = self.texts[row]
            text = written.strip()
            if kind == "stdout" and text.endswith(":"):
                label, at = text, row
            elif kind != "stdout" or (not text and "\n" in written):
                label = ""
            elif text not in ("", "|"):
                found.setdefault(label, []).append(Printed(at if label else row, text))
                label = ""
        return found

    def settings(self, label: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Read dictionaries that were printed after a label, with the row of each.

        Raises
        ------
        UnreadableFile
            If one is no dictionary of plain values.
        """
        for one in self.printed.get(label, []):
            try:
                values = ast.literal_eval(one.text)
            except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError) as error:
                raise self.odd(f"what it prints after '{label}' cannot be read") from error
            if not isinstance(values, dict):
                raise self.odd(f"what it prints after '{label}' is a {type(values).__name__}")
            yield one.row, values

    def odd(self, found: str) -> UnreadableFile:
        """Return the error that says what is wrong with what the log prints."""
        return UnreadableFile(self.path, found, expected="a dictionary of plain values", todo=_TODO)


def parse_log(path: Path, data: bytes) -> PybpodLog:
    """Read a log's rows.

    Raises
    ------
    UnreadableFile
        If it has no header line, or cannot be taken apart.
    """
    at = data.find(HEADER)
    if at < 0 or (at and data[at - 1 : at] not in (b"\n", b"\xbf")):
        raise UnreadableFile(path, "it has no header line", expected=f"a line {HEADER.decode()}", todo=_TODO)
    try:
        text = data[at:].decode("utf-8")
    except UnicodeDecodeError:
        text = data[at:].decode("latin-1")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";")
    first_line = data[:at].count(b"\n")
    columns: tuple[list[str], ...] = ([], [], [], [])
    times_s: tuple[list[float], list[float]] = ([], [])
    lines: list[int] = []
    try:
        next(reader)
        for fields in reader:
            numbers = _numbers(fields)
            if numbers is None:
                left = ";".join(fields)
                if _LITTER.fullmatch(left):
                    continue
                fields, numbers = [TORN, "", "", "", left, ""], (math.nan, math.nan)
            for column, value in zip(columns, (fields[0], fields[4], fields[5], fields[1]), strict=True):
                column.append(value)
            times_s[0].append(numbers[0])
            times_s[1].append(numbers[1])
            lines.append(first_line + reader.line_num)
    except csv.Error as error:
        raise UnreadableFile(
            path, f"line {first_line + reader.line_num} cannot be read ({error})", expected="a csv log", todo=_TODO
        ) from error
    kinds, texts, more, pc_times = columns
    return PybpodLog(path, data, kinds, texts, more, pc_times, np.array(times_s[0]), np.array(times_s[1]), lines)


def _numbers(fields: list[str]) -> tuple[float, float] | None:
    """Return a row's two times, NaN where there is none; None if it is no whole row."""
    if len(fields) != _COLUMNS or fields[0] not in _TYPES or not _PC_TIME.fullmatch(fields[1]):
        return None
    if "\n" in fields[4] and (fields[0] not in {"stdout", "stderr"} or _SWALLOWED.search(fields[4])):
        return None
    try:
        initial_s, final_s = (float(field) if field else math.nan for field in fields[2:4])
    except ValueError:
        return None
    return initial_s, final_s
