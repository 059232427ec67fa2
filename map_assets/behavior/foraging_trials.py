"""Trials of a foraging log: states, licks, choice and water. What is printed beside them lives in `foraging_settings`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from map_assets.behavior.foraging_protocol import ForagingProtocol
from map_assets.behavior.foraging_settings import ForagingSettings
from map_assets.behavior.kept_trials import KeptTrial, Skip
from map_assets.behavior.pybpod import PybpodLog
from map_assets.behavior.pybpod_trials import TRIAL_TIME, LogTrials, find_trials
from map_assets.vocabulary.errors import PiecesDoNotFit

_TICK_S = 1e-4
"""Bpod's clock counts 0.1 ms."""
_CLOCKS_APART_S = 60.0
"""A single time further off the wall clock's than this, against all others, is damaged."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class _Told:
    """What the rows of one trial tell: state -> visits (entry, exit), n x 2; transitions by state; event -> times, s."""

    visits: Mapping[str, Numbers]
    transitions: Counter[str]
    events: Mapping[str, Numbers]

    def visited(self, state: str) -> bool:
        """Whether a state was visited."""
        return len(self.visits.get(state, ())) > 0

    def check(self) -> None:
        """Hold the list of visits against the transitions; the state that a trial begins in is listed once more.

        Raises
        ------
        Skip
            If they disagree.
        """
        firsts = [state for state, pairs in self.visits.items() if len(pairs) and pairs[0, 0] == 0]
        excess = {
            state: len(self.visits.get(state, ())) - self.transitions[state]
            for state in {*self.visits, *self.transitions}
        }
        begun = [state for state in firsts if excess[state] == 1]
        for state, more in sorted(excess.items()):
            if more and state not in begun[:1]:
                n_listed, n_entered = len(self.visits.get(state, ())), self.transitions[state]
                raise Skip(f"{state} was entered {n_entered} times and is listed with {n_listed} visits")
        if not begun:
            raise Skip("no state is listed that the trial began in")


class ForagingTrials:
    """All trials of a log.

    Parameters
    ----------
    log : PybpodLog
    protocol : ForagingProtocol

    Raises
    ------
    PiecesDoNotFit, UnreadableFile
        If it holds no trial, does not say when trial 1 began, or its settings do not say which ports there are, or
        cannot be read.
    """

    def __init__(self, log: PybpodLog, protocol: ForagingProtocol) -> None:
        self._log = log
        self._protocol = protocol
        self._rows = find_trials(log)
        self._settings = ForagingSettings(log, self._rows, protocol)
        self.task = self._settings.task()
        self._channels = {port: self._settings.channel(port) for port in self.task.ports}
        self._events = {event: protocol.states(event, self.task.ports) for event in protocol.events}
        self.start_s, self._has_bpod_time, self.started = _starts(log, self._rows)
        self.n_trials_of_block = self._settings.n_trials_of_block
        self.ports_of_block = self._settings.ports_of_block

    def __len__(self) -> int:
        return len(self.start_s)

    def read(self, index: int) -> KeptTrial:
        """Read the trial at `index` (from 0), or raise `Skip` with the first reason that applies."""
        trial, start_s = index + 1, float(self.start_s[index])
        if trial in self._rows.doubts:
            raise Skip(self._rows.doubts[trial])
        told = self._told(index)
        if not any(state in told.visits for state in self._events["go"]):
            raise Skip("its states are not listed: it was broken off")
        if self._has_bpod_time.any() and not self._has_bpod_time[index]:
            raise Skip(f"it has no {TRIAL_TIME}, so its start is known by the wall clock alone")
        told.check()
        ended_s = np.concatenate([np.empty(0), *(pairs[:, 1] for pairs in told.visits.values())])
        if not ended_s.size:
            raise Skip("no state was visited")
        found = {event: self._visits(event, told) for event in self._events}
        stop_s = start_s + float(ended_s.max())
        later = self.start_s[index + 1 :]
        licks = {port: told.events.get(channel, np.empty(0)) for port, channel in self._channels.items()}
        go_s = found["go"][:, 0]
        first_licks = [float(times[0]) for times in licks.values() if times.size]
        bitcode, sent = self._settings.bitcodes.get(trial), found["bitcodestart"]
        choice, was_rewarded = self._choice(told)
        rewards = self._rewards(trial, self._rows.opened[index], told)
        row = {
            "trial": trial,
            "start_s": start_s,
            "stop_s": stop_s,
            "until_s": float(later[0]) if np.isfinite(later[:1]).any() else stop_s,
            "instruction": "none",
            "outcome": "hit" if was_rewarded else "miss" if choice else "ignore",
            "early_lick": min(first_licks, default=np.inf) < float(go_s[0]) if go_s.size else None,
            "is_auto_water": any(f"Auto_Water_{letter}" in told.visits for letter in self._protocol.letters.values()),
            "is_free_water": False,
            "delay_s": start_s + float(found["delay"][-1, 0]) if len(found["delay"]) else None,
            "go_s": start_s + float(go_s[-1]) if go_s.size else None,
            "n_samples": 0,
            "n_delays": len(found["delay"]),
            "n_go_cues": len(go_s),
            "bitcode": bitcode,
            "bitcode_start_s": start_s + float(sent[0, 0]) if bitcode is not None and len(sent) else None,
            "protocol_type": self._log.name("PROTOCOL-NAME"),
            "choice": choice,
            "block": self._settings.block(trial),
        }
        return KeptTrial(row, found, licks, rewards, self._settings.ports(trial))

    def _told(self, index: int) -> _Told:
        log = self._log
        first, last = [*self._rows.opened, len(log.kinds)][index : index + 2]
        contacts = set(self._channels.values())
        seen: set[tuple[Any, ...]] = set()
        visits: dict[str, list[tuple[float, float]]] = {}
        transitions: Counter[str] = Counter()
        events: dict[str, dict[str, list[float]]] = {"EVENT": {}, "EVENT-SUMMARY": {}, "EVENT-RESUME": {}}
        for row in range(first, last):
            kind, text = log.kinds[row], log.texts[row]
            if kind == "STATE" or log.more[row] in contacts:
                same = (kind, text, log.more[row], float(log.initial_s[row]), str(log.final_s[row]))
                if np.isfinite(log.initial_s[row]) and same in seen:
                    raise Skip(f"line {log.lines[row]} says the same as one before it")
                seen.add(same)
            if kind == "STATE":
                pairs = visits.setdefault(text, [])
                entry, leave = float(log.initial_s[row]), float(log.final_s[row])
                if np.isfinite(entry) != np.isfinite(leave) or not _lasted(leave - entry, log.more[row]):
                    raise Skip(f"{text} is listed from {entry:g} to {leave:g} s, which lasted {log.more[row]} s")
                if np.isfinite(entry):
                    pairs.append((entry, leave))
            elif kind == "TRANSITION":
                transitions[text] += 1
            elif kind in events:
                events[kind].setdefault(log.more[row], []).append(float(log.initial_s[row]))
        happened = next((times for times in events.values() if _are_timed(times)), {})
        return _Told(
            {state: np.array(sorted(pairs)).reshape(-1, 2) for state, pairs in visits.items()},
            transitions,
            {name: np.sort(np.array(times)) for name, times in happened.items()},
        )

    def _visits(self, event: str, told: _Told) -> Numbers:
        listed = [told.visits[state] for state in self._events[event] if state in told.visits]
        if event == "go":
            listed = [pairs for pairs in listed if len(pairs)][:1]
        pairs = np.concatenate([np.empty((0, 2)), *listed])
        return pairs[np.argsort(pairs[:, 0], kind="stable")]

    def _choice(self, told: _Told) -> tuple[str | None, bool]:
        """Which port the animal chose, and whether it was rewarded."""
        letters = self._protocol.letters
        chosen = [port for port in self.task.ports if told.visited(f"Choice_{letters[port]}")]
        rewarded = [port for port in self.task.ports if told.visited(f"Reward_{letters[port]}")]
        return (chosen[0] if chosen else None), bool(rewarded)

    def _rewards(self, trial: int, row: int, told: _Told) -> tuple[Mapping[str, Any], ...]:
        """Rows of `available_rewards`: a reward lay at a port if it was taken, or left over after the trial."""
        found = []
        for port in self.task.ports:
            letter = self._protocol.letters[port]
            was_taken, is_left_over = told.visited(f"Reward_{letter}"), self._settings.is_left_over(trial, port)
            is_told = is_left_over is not None and self._settings.keeps_rewards
            opened = told.visits.get(f"Auto_Water_{letter}", np.empty((0, 2)))
            found.append(
                {
                    "port": port,
                    "is_available": True if was_taken or is_left_over else False if is_told else None,
                    "is_left_over": is_left_over,
                    "is_auto_water": bool(np.any(opened[:, 1] - opened[:, 0] > self._protocol.shortest_open_s)),
                    "open_duration_s": self._settings.open_duration_s(row, port),
                }
            )
        return tuple(found)


def _are_timed(times: Mapping[str, Sequence[float]]) -> bool:
    """Whether events carry times; on older machines those come after the trial, as a summary."""
    return bool(times) and all(np.isfinite(values).all() for values in times.values())


def _lasted(duration_s: float, written: str) -> bool:
    """Whether a visit lasted as long as its row says; where that says nothing, so it did."""
    try:
        said = float(written) if written else duration_s
    except ValueError:
        return False
    return bool(abs(said - duration_s) < _TICK_S) or not (np.isfinite(said) or np.isfinite(duration_s))


def _starts(log: PybpodLog, trials: LogTrials) -> tuple[Numbers, NDArray[np.bool_], datetime]:
    """Start of each trial on the session clock, s, NaN if unknown, and whether it is the Bpod clock's; when trial 1 began.

    The Bpod clock's own (an INFO row after each trial) where there is one. A trial without, broken off, is placed by the
    wall clock against its nearest neighbour; a log without any is placed by the wall clock alone. Where the row that
    opens a trial is lost, the wall clock says nothing.
    """
    opened = [
        log.pc_time(row) if is_whole else None for row, is_whole in zip(trials.opened, trials.has_row, strict=True)
    ]
    some = next((time for time in opened if time is not None), None)
    wall = np.array([np.nan if some is None or time is None else (time - some).total_seconds() for time in opened])
    bpod = np.full(len(trials), np.nan)
    for row, kind in enumerate(log.kinds):
        if kind == "INFO" and log.texts[row] == TRIAL_TIME and (trial := trials.until(row)):
            bpod[trial - 1] = log.initial_s[row]
    apart_s = bpod - wall
    is_off = np.abs(apart_s - np.nanmedian(apart_s)) > _CLOCKS_APART_S if np.isfinite(apart_s).any() else bpod != bpod
    if np.count_nonzero(is_off) <= 1:
        bpod[is_off] = np.nan
    known = np.flatnonzero(np.isfinite(bpod))
    times, has_bpod_time = wall.copy(), np.zeros(len(trials), bool)
    if known.size and np.all(np.diff(bpod[known]) > 0):
        has_bpod_time[known] = True
        both = np.flatnonzero(np.isfinite(bpod) & np.isfinite(wall))
        if both.size:
            nearest = both[np.abs(np.arange(len(trials))[:, None] - both[None, :]).argmin(axis=1)]
            times = bpod[nearest] + wall - wall[nearest]
        times[known] = bpod[known]
    with_wall = np.flatnonzero(np.isfinite(times) & np.isfinite(wall))
    if not np.isfinite(times[0]) or some is None or not with_wall.size:
        raise PiecesDoNotFit(
            log.path,
            "the row that opens its first trial is lost, and nothing says when that trial began",
            expected=f"a TRIAL row, or its {TRIAL_TIME}",
            todo="Copy the file from the rig again; if the rig's own is like this, set it aside.",
        )
    at = with_wall[0]
    return times - times[0], has_bpod_time, some + timedelta(seconds=float(wall[at] - (times[at] - times[0])))
