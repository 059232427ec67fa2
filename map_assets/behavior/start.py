"""When a Bpod session began by the rig's wall clock, and whether that fits its name. Trials live in `bpod`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np

from map_assets.behavior.bpod import TODO_COPY
from map_assets.vocabulary.errors import PiecesDoNotFit, UnreadableFile
from map_assets.vocabulary.matlab_struct import Struct
from map_assets.vocabulary.session import SessionKey

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATENUM_1970 = 719529.0
_EARLIEST_START = timedelta(minutes=10)
_LATEST_START = timedelta(hours=12)
"""How long after the time in the file's name a session may begin; names are made when the rig's software is opened."""


@dataclass(frozen=True)
class Start:
    """When the session began by the rig's wall clock (no zone is written): trial 1, where that comes from, and Info's."""

    start_local: datetime
    source: str
    info_start_local: datetime | None


def read_start(session: str, data: Struct) -> Start:
    """Find the wall-clock start of trial 1 and hold it against the date in the session's name.

    ``MATLABStartTimes`` (a MATLAB datenum a trial; zero is none) is taken at its first valid trial, less what the Bpod
    clock says passed since trial 1; where trials were planned and never run, the first valid one is trial 1 of the Bpod
    clock. Without one, Info's date and time stand in: they are some seconds late.

    Raises
    ------
    PiecesDoNotFit
        If the file says no start, one before the time in its name or more than 12 h after it, or another day. A session
        whose name is of the evening may begin after midnight.
    """
    info = data.struct("Info")
    info_date = _info_date(info)
    info_start = _info_start(info, info_date)
    datenums = data.numbers("MATLABStartTimes") if "MATLABStartTimes" in data else np.empty(0)
    valid = np.flatnonzero(np.isfinite(datenums) & (datenums > 0))
    bpod_s = data.numbers("TrialStartTimestamp")
    elapsed_s = 0.0
    if len(datenums) == len(bpod_s):
        valid = valid[np.isfinite(bpod_s[valid])]
        elapsed_s = float(bpod_s[valid[0]] - bpod_s[0]) if valid.size else 0.0
    if valid.size:
        start = _from_datenum(data.path, float(datenums[valid[0]]), elapsed_s)
        source = "MATLABStartTimes"
    elif info_start is not None:
        start, source = info_start, "Info.SessionDate and Info.SessionStartTime_UTC"
    else:
        raise PiecesDoNotFit(
            data.path,
            "neither MATLABStartTimes nor Info says when it began",
            expected="a start",
            todo=TODO_COPY,
        )
    check_days(data.path, session, {"Info.SessionDate": info_date})
    check_start(data.path, session, source, start)
    return Start(start, source, info_start)


def check_start(path: Path, session: str, source: str, start: datetime) -> None:
    """Hold a start, and where the file tells it, against the session's key.

    Raises
    ------
    PiecesDoNotFit
        If it lies before the time in the key, or long after it.
    """
    key = SessionKey.parse(session)
    named = datetime.combine(key.name_date, key.name_time)
    if not named - _EARLIEST_START <= start <= named + _LATEST_START:
        raise PiecesDoNotFit(
            path,
            f"its name says {named:%Y-%m-%d %H:%M} and its {source} {start:%Y-%m-%d %H:%M}",
            expected=f"a start between {named - _EARLIEST_START:%Y-%m-%d %H:%M} and {named + _LATEST_START:%Y-%m-%d %H:%M}",
            todo="Find out which is right and rename the file.",
        )


def check_days(path: Path, session: str, days: dict[str, date | None]) -> None:
    """Hold days that a file tells, by where it tells them, against the session's key.

    Raises
    ------
    PiecesDoNotFit
        If one is another day than the key's; a session named in the evening may begin on the next.
    """
    key = SessionKey.parse(session)
    named = datetime.combine(key.name_date, key.name_time)
    allowed = {named.date(), (named + _LATEST_START).date()}
    for source, day in days.items():
        if day is not None and day not in allowed:
            raise PiecesDoNotFit(
                path,
                f"its name says {named:%Y-%m-%d %H:%M} and its {source} {day:%Y-%m-%d}",
                expected="one day (or the next, if it began after midnight)",
                todo="Find out which is right and rename the file.",
            )


def _from_datenum(path: Path, datenum: float, elapsed_s: float) -> datetime:
    """Turn days since year 0 into wall-clock time, to the millisecond, `elapsed_s` earlier."""
    try:
        passed = timedelta(milliseconds=round(((datenum - _DATENUM_1970) * 86400.0 - elapsed_s) * 1000.0))
        return datetime(1970, 1, 1) + passed
    except (OverflowError, ValueError) as error:
        raise PiecesDoNotFit(
            path, f"MATLABStartTimes holds {datenum}", expected="days since year 0", todo=TODO_COPY
        ) from error


def _info_date(info: Struct) -> date | None:
    written = info.text("SessionDate")
    if written is None:
        return None
    found = re.fullmatch(r"(\d{1,2})-([A-Z][a-z]{2})-(\d{4})", written)
    if found is None or found[2] not in _MONTHS:
        raise UnreadableFile(
            info.path, f"Info.SessionDate is '{written}'", expected="dd-Mmm-yyyy, as in 25-Feb-2018", todo=TODO_COPY
        )
    try:
        return date(int(found[3]), _MONTHS.index(found[2]) + 1, int(found[1]))
    except ValueError as error:
        raise UnreadableFile(
            info.path, f"Info.SessionDate is '{written}'", expected="a day that exists", todo=TODO_COPY
        ) from error


def _info_start(info: Struct, day: date | None) -> datetime | None:
    """Info's start; its field is called UTC and holds the rig's wall clock."""
    written = info.text("SessionStartTime_UTC")
    if written is None or day is None:
        return None
    try:
        return datetime.combine(day, datetime.strptime(written, "%H:%M:%S").time())
    except ValueError as error:
        raise UnreadableFile(
            info.path, f"Info.SessionStartTime_UTC is '{written}'", expected="HH:MM:SS", todo=TODO_COPY
        ) from error
