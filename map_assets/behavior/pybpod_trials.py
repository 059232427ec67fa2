"""Which rows of a PyBpod log are which trial's, and which trials are in doubt. The rows themselves are read in `pybpod`.

States are listed after a trial. Where something happens after they are and no ``TRIAL`` row stands between, that row is
lost, and a trial is opened where it must have stood, so that later ones keep their numbers.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from map_assets.behavior.pybpod import TORN, PybpodLog
from map_assets.vocabulary.errors import PiecesDoNotFit

TRIAL_TIME = "TRIAL-BPOD-TIME"
LAST_STATE = "End"
_OPENS = "New trial"
_HAPPENS = frozenset({"EVENT", "TRANSITION"})


@dataclass
class LogTrials:
    """The trials of a log.

    Parameters
    ----------
    opened : list of int
        Row that opens each trial, in order; where that row is lost, the first one that is left of the trial.
    has_row : list of bool
        Whether that is a whole ``TRIAL`` row.
    doubts : dict of int to str
        Trial, from 1 -> why what the log says of it may be another trial's, or not all of it.
    is_head_torn : bool
        Whether a row before the first trial is torn.
    """

    opened: list[int]
    has_row: list[bool]
    doubts: dict[int, str] = field(default_factory=dict)
    is_head_torn: bool = False

    def __len__(self) -> int:
        return len(self.opened)

    def until(self, row: int) -> int:
        """Return how many trials were opened at a row or before it."""
        return bisect_right(self.opened, row)


def find_trials(log: PybpodLog) -> LogTrials:
    """Find the trials of a log.

    Raises
    ------
    PiecesDoNotFit
        If there is none.
    """
    openings, twice = _openings(log)
    limits = [-1, *(row for row, _ in openings), len(log.kinds)]
    lost: list[int] = []
    strays: list[int] = []
    for place, (before, stop) in enumerate(pairwise(limits)):
        lost += _lost(log, before + 1, stop, strays, is_head=place == 0)
    openings = sorted([*openings, *((row, False) for row in lost)])
    if not openings:
        raise PiecesDoNotFit(log.path, "it holds no trial", expected="at least one", todo="Set the file aside.")
    trials = LogTrials([row for row, _ in openings], [is_whole for _, is_whole in openings])
    torn = [row for row, kind in enumerate(log.kinds) if kind == TORN]
    own = _last_own_rows(log, trials)
    trials.is_head_torn = bool(torn) and torn[0] < trials.opened[0]
    for row in torn:
        last = trials.until(row)
        first = min(last, bisect_left(trials.opened, row))  # one that opens trials ends the one before, too
        is_last = last > 0 and row >= own[last - 1]
        _doubt(trials, first, last + is_last, f"line {log.lines[row]} is no whole row of a log")
    for row in strays:
        last = trials.until(row)
        _doubt(trials, last, last + 1, f"line {log.lines[row]} stands after the trial's end")
    for row in lost:
        _doubt(
            trials, trials.until(row), trials.until(row), f"the row that opens it is lost before line {log.lines[row]}"
        )
    for row in _second_ends(log, trials):
        _doubt(trials, trials.until(row), trials.until(row), f"it ended once more in line {log.lines[row]}")
    for row in twice:
        _doubt(trials, trials.until(row), trials.until(row), f"line {log.lines[row]} opens it a second time")
    return trials


def _doubt(trials: LogTrials, first: int, last: int, reason: str) -> None:
    """Put trials in doubt, both ends included; what stands before trial 1 is about it."""
    for trial in range(max(first, 1), max(last, 1) + 1):
        trials.doubts.setdefault(trial, reason)


def _openings(log: PybpodLog) -> tuple[list[tuple[int, bool]], list[int]]:
    """Return rows that open trials, each with whether it is whole, and rows that only stand there a second time.

    A torn row that must have been one counts, as often as it says so.
    """
    found: list[tuple[int, bool]] = []
    twice: list[int] = []
    last = -2
    for row, (kind, text) in enumerate(zip(log.kinds, log.texts, strict=True)):
        if kind == "TRIAL":
            is_new = last != row - 1 or log.pc_times[row] != log.pc_times[last]
            found += [(row, True)] if is_new else []
            twice += [] if is_new else [row]
            last = row
        elif kind == TORN and (text.startswith("TRIAL;") or _OPENS in text):
            found += [(row, False)] * max(text.count(_OPENS), 1)
    return found, twice


def _lost(log: PybpodLog, first: int, stop: int, strays: list[int], *, is_head: bool) -> Iterator[int]:
    """Give the rows within one trial, or before them all, at which another must have begun.

    There something happens after the states were listed, and goes on; or the time falls back after something was printed.
    A single row there is out of its place, and joins `strays`.
    """
    rows = [row for row in range(first, stop) if log.kinds[row] in _HAPPENS]
    is_over = is_head
    latest_s, last = -np.inf, first - 1
    for place, row in enumerate(rows):
        is_over |= "STATE" in log.kinds[last + 1 : row]
        following = rows[place + 1] if place + 1 < len(rows) else None
        goes_on = following is not None and "STATE" not in log.kinds[row:following]
        fell_back = (
            following is not None
            and "stdout" in log.kinds[last + 1 : row]
            and max(log.initial_s[row], log.initial_s[following]) < latest_s
        )
        if (is_over and goes_on) or fell_back:
            yield row
            latest_s = -np.inf
        elif is_over:
            strays.append(row)
        is_over = False
        latest_s, last = np.fmax(latest_s, log.initial_s[row]), row


def _second_ends(log: PybpodLog, trials: LogTrials) -> Iterator[int]:
    """Give rows that end a trial which one of their kind has ended at another time."""
    said: dict[tuple[int, str], tuple[str, float]] = {}
    for row, (kind, text) in enumerate(zip(log.kinds, log.texts, strict=True)):
        if kind == "END-TRIAL" or (kind, text) == ("INFO", TRIAL_TIME):
            when = log.pc_times[row], float(np.nan_to_num(log.initial_s[row]))
            if said.setdefault((trials.until(row), kind), when) != when:
                yield row


def _last_own_rows(log: PybpodLog, trials: LogTrials) -> list[int]:
    """Return the last row of each trial that is surely its own: one of what happened in it, ended it or lists its states."""
    own = list(trials.opened)
    for row, (kind, text) in enumerate(zip(log.kinds, log.texts, strict=True)):
        if kind in {"STATE", "END-TRIAL"} or kind in _HAPPENS or (kind, text) == ("INFO", TRIAL_TIME):
            trial = trials.until(row)
            if trial:
                own[trial - 1] = row
    return own
