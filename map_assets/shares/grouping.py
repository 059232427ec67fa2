"""From names to sessions: pure functions. What a file is for lives in `roles`, applying all this in `scan` and `refresh`.

Folder conventions are those of the MAP rigs: ``{animal}/{YYYYMMDD}/``, ``{animal}/catgt_{YYYYMMDD}_g0/``,
``{animal}/catgt_{animal}_{MMDDYY}_g0/``, raw runs ``{animal}_{date}_g0/``, tracking ``{animal}/{animal}_{MMDDYY}[_n]/``,
``{animal}/{YYYYMMDD}[_n]/tracking/`` and ``{camera}/{animal}/{YYYY_MM_DD}[_n]/``, histology ``{animal}/{YYYYMMDD}_{insertion}/``
and ``landmarks_{animal}_{YYYYMMDD}[_{HHMMSS}]_...``. A date of six digits is always MMDDYY.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from map_assets.vocabulary.errors import NameDoesNotParse
from map_assets.vocabulary.session import SessionKey

START_TOLERANCE = timedelta(minutes=30)
"""How far a recording's creation may be from trial 1 of its session, on the two computers' own clocks."""

_BEHAVIOR = re.compile(
    r"(?P<animal>[A-Za-z0-9][A-Za-z0-9-]{0,30})_.+_(?P<date>\d{8})_(?P<time>\d{6})\.(mat|csv)", re.IGNORECASE
)
_PYBPOD = re.compile(
    r"(?P<date>\d{8})-(?P<time>\d{6})([_-](?P<animal>[A-Za-z0-9][A-Za-z0-9-]{0,30}))?\.csv", re.IGNORECASE
)
_PYBPOD_FOLDERS = frozenset({"experiments", "setups", "sessions"})
_ANIMAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,30}")
_DATE = re.compile(r"\d{8}|\d{4}-\d{2}-\d{2}|\d{6}")
_PREFIXES = frozenset({"catgt", "supercat", "landmarks", "track"})
_FOLDER_WORDS = frozenset(
    {"data", "ephys", "histology", "imaging", "raw", "sorted", "spikeglx", "tracking", "video", "videos"}
    | {"body", "bottom", "side"}
)
_APART = re.compile(r"(\d{4})_(\d{2})_(\d{2})(?=_|$)")
"""A date whose parts stand apart, as the multi-target-licking rig names its cameras' folders."""


@dataclass(frozen=True)
class Clue:
    """What a path tells of its session.

    Parameters
    ----------
    animals : tuple of str
        Words that may be the animal, likeliest first.
    day : datetime.date
    folders : tuple of str
        Folders that belong to that day, deepest first; recordings in them tell when they began.
    name_time : datetime.time or None
        A time in the name.
    is_key_time : bool
        Whether that time is the behaviour file's own, so that no other session will do.
    ordinal : int or None
        Which session of the day, from 1, where the convention counts them.
    """

    animals: tuple[str, ...]
    day: date
    folders: tuple[str, ...]
    name_time: time | None = None
    is_key_time: bool = False
    ordinal: int | None = None


@dataclass(frozen=True)
class KnownSession:
    """A session that a behaviour file names, and its start on the rig's wall clock where it is known."""

    key: SessionKey
    start_local: datetime | None = None


@dataclass(frozen=True)
class Placed:
    """The session of a file, or why there is none yet."""

    session: str | None
    reason: str | None = None


def behavior_session(relpath: str) -> SessionKey:
    """Read the session from a behaviour file's name, ``{animal}_{protocol}_{YYYYMMDD}_{HHMMSS}.mat``.

    PyBpod names its logs ``{YYYYMMDD}-{HHMMSS}.csv``: without an animal in the name it is the uppermost folder that may
    be one; a PyBpod project (the folder above ``experiments``) is none.

    Raises
    ------
    NameDoesNotParse
        If the name is not of such a form, its date or time does not exist, or no folder tells the animal of a log.
    """
    folder, _, name = relpath.rpartition("/")
    found = _BEHAVIOR.fullmatch(name) or _PYBPOD.fullmatch(name)
    problem = "its name tells no session"
    if found is not None:
        animal = found["animal"] or _log_animal(folder)
        if animal is None:
            raise NameDoesNotParse(
                relpath,
                "neither its name nor a folder above it tells the animal",
                expected="it below a folder named after the animal, as in FOR01/20210315-103000/20210315-103000.csv",
                todo="Move the animal's project or sessions into such a folder.",
            )
        try:
            return SessionKey.parse(f"{animal}_{found['date']}_{found['time']}")
        except NameDoesNotParse as error:
            problem = error.found
    raise NameDoesNotParse(
        name,
        problem,
        expected="{animal}_{protocol}_{YYYYMMDD}_{HHMMSS}.mat, as in SC022_tw2_20190228_151010.mat",
        todo="Rename it as the rig would have, or move it off the share.",
    )


def _log_animal(folder: str) -> str | None:
    """Tell the animal of a PyBpod log by its folders: the uppermost that may be one, above a PyBpod project if there is one."""
    parts = folder.split("/")
    inside = next((depth for depth, part in enumerate(parts) if part.lower() == "experiments"), None)
    if inside is not None:
        parts = parts[: max(inside - 1, 0)]
    skipped = _FOLDER_WORDS | _PYBPOD_FOLDERS
    return next(
        (part for part in parts if _ANIMAL.fullmatch(part) and part.lower() not in skipped and not part[:8].isdigit()),
        None,
    )


def clue_of(kind: str, relpath: str) -> Clue:
    """Read animal and date from a path under a share of any kind but behaviour.

    Raises
    ------
    NameDoesNotParse
        If neither a folder nor the file's name tells both.
    """
    folder, _, name = relpath.rpartition("/")
    clue = _folder_clue(kind, folder)
    has_key_time = _bears_the_key(kind, name.lower())
    if clue is None or has_key_time:
        folders = tuple(folder.split("/")) if folder else ()
        named = _clue_in(kind, name.split(".")[0], folders)
        if named is not None:
            is_key_time = (has_key_time or kind == "histology") and named.name_time is not None
            clue = replace(named, folders=(folder,), is_key_time=is_key_time)
    if clue is None:
        raise NameDoesNotParse(
            relpath,
            "neither its folders nor its name tell animal and date",
            expected="it below a folder such as SC022/20190228, SC022/catgt_SC022_022819_g0 or SC022_20190228_g0",
            todo="Move it into the animal's folder of that day.",
        )
    return clue


def _bears_the_key(kind: str, name: str) -> bool:
    """Whether people name such a file by the session's own date and time, whatever folder it lies in."""
    is_landmarks = kind == "histology" and name.startswith(("landmarks_", "track_"))
    return is_landmarks or (kind == "ephys" and "goodunitsidx" in name)


@lru_cache(maxsize=65536)
def _folder_clue(kind: str, folder: str) -> Clue | None:
    """Take the uppermost folder that tells a date below (or with) something that may be an animal."""
    parts = tuple(folder.split("/")) if folder else ()
    for depth, part in enumerate(parts):
        clue = _clue_in(kind, part, parts[:depth])
        if clue is not None:
            dated = [
                "/".join(parts[: below + 1])
                for below in range(depth, len(parts))
                if below == depth or clue.day in [day for _, day in _dates(parts[below])]
            ]
            return replace(clue, folders=tuple(reversed(dated)))
    return None


def _clue_in(kind: str, part: str, above: tuple[str, ...]) -> Clue | None:
    """Read one folder's or file's name, given the folders above it."""
    part = _APART.sub(r"\1\2\3", part, count=1) if kind == "tracking" else part
    dates = _dates(part)
    if not dates:
        return None
    position, day = dates[0]
    words = part.split("_")
    before = [word for word in words[:position] if word.lower() not in _PREFIXES]
    candidates = [*before[:1], *reversed(above)]
    animals: dict[str, str] = {}
    for word in candidates:
        if _ANIMAL.fullmatch(word) and word.lower() not in _FOLDER_WORDS and not _dates(word):
            animals.setdefault(word.casefold(), word)
    if not animals:
        return None
    after = words[position + 1 :]
    ordinal = None
    if kind == "tracking":
        ordinal = int(after[0]) if len(after) == 1 and re.fullmatch(r"[1-9]\d?", after[0]) else 1
    return Clue(tuple(animals.values()), day, (), _time(after[0]) if after else None, False, ordinal)


def _dates(part: str) -> list[tuple[int, date]]:
    """Positions of the words of a name that are dates, and the dates; with four-digit years first."""
    found = []
    for position, word in enumerate(part.split("_")):
        if _DATE.fullmatch(word):
            form = "%m%d%y" if len(word) == 6 else "%Y%m%d"
            try:
                found.append((len(word) == 6, position, datetime.strptime(word.replace("-", ""), form).date()))
            except ValueError:
                continue  # digits that are no date: a time, a serial number
    return [(position, day) for _, position, day in sorted(found)]


def _time(word: str) -> time | None:
    try:
        return datetime.strptime(word, "%H%M%S").time() if re.fullmatch(r"\d{6}", word) else None
    except ValueError:
        return None


def assign(clue: Clue, sessions: Sequence[KnownSession], recorded: Sequence[datetime] = ()) -> Placed:
    """Decide which session a path belongs to.

    Parameters
    ----------
    clue : Clue
        What the path tells.
    sessions : sequence of KnownSession
        Those that behaviour files name (of that day or of any).
    recorded : sequence of datetime.datetime
        When the SpikeGLX recordings of the same run were begun, on the recording computer's wall clock.

    Returns
    -------
    Placed
        The session, or a sentence saying what is waited for.
    """
    names = {animal.casefold() for animal in clue.animals}
    day = sorted(
        (one for one in sessions if one.key.name_date == clue.day and one.key.animal.casefold() in names),
        key=lambda one: one.key,
    )
    who = " or ".join(clue.animals)
    if not day:
        return Placed(None, f"waiting for a behaviour file of {who} on {clue.day}")
    if len({one.key.animal.casefold() for one in day}) > 1:
        return Placed(None, f"waiting: its path names {who}, and each has a session on {clue.day}; move it")
    animal = day[0].key.animal
    if clue.name_time is not None:
        exact = [one for one in day if one.key.name_time == clue.name_time]
        if exact:
            return Placed(str(exact[0].key))
        if clue.is_key_time:
            wanted = SessionKey(animal, clue.day, clue.name_time)
            return Placed(None, f"waiting for the behaviour file of {wanted}, which its name tells")
    if clue.ordinal is not None:
        if clue.ordinal <= len(day):
            return Placed(str(day[clue.ordinal - 1].key))
        return Placed(None, f"waiting for behaviour file number {clue.ordinal} of {animal} on {clue.day}")
    if len(day) == 1:
        return Placed(str(day[0].key))
    return _by_time(day, f"{len(day)} sessions of {animal} on {clue.day}", recorded)


def _by_time(day: Sequence[KnownSession], which: str, recorded: Sequence[datetime]) -> Placed:
    """Tell sessions of one day apart by when the run's recordings were begun."""
    if not recorded:
        return Placed(
            None, f"waiting: there are {which}, and nothing in its folder tells which; put the time in its name"
        )
    unknown = [str(one.key) for one in day if one.start_local is None]
    if unknown:
        return Placed(None, f"waiting: there are {which}, and the start of {', '.join(unknown)} is not known yet")
    starts = {str(one.key): one.start_local for one in day if one.start_local is not None}
    chosen = set()
    for began in recorded:
        gap, key = min((abs(began - start), key) for key, start in starts.items())
        if gap > START_TOLERANCE:
            return Placed(
                None,
                f"waiting: there are {which}, and none began within 30 min of its recording's start at {began:%H:%M:%S}",
            )
        chosen.add(key)
    if len(chosen) > 1:
        return Placed(
            None, f"waiting: there are {which}, and its folder holds recordings of {' and '.join(sorted(chosen))}"
        )
    return Placed(chosen.pop())
