"""What the state machine did in one trial, by name, and whether the file's two records of it agree. Reading all trials lives in `bpod`, events in `bpod_events`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

import numpy as np

from map_assets.behavior.bpod import TICK_S, TODO_COPY, BpodTrials, Numbers
from map_assets.behavior.bpod_events import check_events
from map_assets.behavior.kept_trials import Skip
from map_assets.vocabulary.errors import UnreadableFile
from map_assets.vocabulary.matlab_struct import Struct

_BITCODE_STATE = re.compile(r"(On|Off)State\d+")


def visits(states: Struct, name: str) -> Numbers:
    """Return a state's visits in time order, shape (n, 2): entry and exit, s from the trial's start.

    A state that was never visited, or that the machine does not have, has none. An exit is NaN where the file has none.

    Raises
    ------
    UnreadableFile
        If the times do not come in pairs.
    """
    if name not in states:
        return np.empty((0, 2))
    times = states.numbers(name)
    if times.size % 2:
        raise UnreadableFile(
            states.path,
            f"{states.where}.{name} holds {times.size} times",
            expected="entry and exit of each visit",
            todo=TODO_COPY,
        )
    pairs = times.reshape(-1, 2)
    pairs = pairs[np.isfinite(pairs[:, 0])]
    return pairs[np.argsort(pairs[:, 0], kind="stable")] if len(pairs) > 1 else pairs


def named_visits(bpod: BpodTrials, index: int, whole: Iterable[str], told: Iterable[str] = ()) -> dict[str, Numbers]:
    """Return the visits of states that a task reads, held against the raw sequence of states and events.

    Parameters
    ----------
    bpod : BpodTrials
    index : int
        Of the trial, from 0.
    whole : iterable of str
        States whose times count; each visit must have an end.
    told : iterable of str
        States of which only counts whether they were visited.

    Returns
    -------
    dict of str to numpy.ndarray of float, shape (n, 2)
        As `visits` gives them.

    Raises
    ------
    Skip
        If the trial has no start, or RawEvents and RawData disagree on what happened when.
    """
    data, times_s, names = bpod.state_data[index], bpod.state_times_s[index], bpod.state_names[index]
    bpod.check_start(index)
    whole, told = tuple(whole), tuple(told)
    found = {state: visits(bpod.states[index], state) for state in (*whole, *told)}
    if len(times_s) != len(data) + 1:
        raise Skip(f"{len(data)} states were visited and {len(times_s)} times written; one more time than states")
    if not bool(np.all((data >= 1) & (data <= len(names)) & (data == np.floor(data)))):
        raise Skip(f"a state was visited whose number is none of 1 to {len(names)}")
    for state in whole:
        if not np.isfinite(found[state]).all():
            raise Skip(f"{state} was entered and never left")
    if not np.isfinite(times_s).all():
        raise Skip("a visited state has no time")
    if np.any(np.diff(times_s) < 0):
        raise Skip("a state was left before it was entered")
    _check_states(found, data, times_s, names)
    check_events(bpod, index)
    return found


def _check_states(found: Mapping[str, Numbers], data: Numbers, times_s: Numbers, names: list[str]) -> None:
    """Hold visits by name against the raw sequence: as many, at the same times."""
    for state, pairs in found.items():
        at = np.flatnonzero(data == names.index(state) + 1) if state in names else np.empty(0, np.int64)
        if len(at) != len(pairs):
            raise Skip(f"{state} was visited {len(at)} times by RawData and {len(pairs)} times by RawEvents")
        raw_s = np.column_stack([times_s[at], times_s[at + 1]])
        if not np.all(np.abs(raw_s - pairs) <= TICK_S):
            raise Skip(f"{state} was visited at other times by RawEvents than by RawData")


def bitcode_start_s(bpod: BpodTrials, index: int) -> float | None:
    """When the first of the states that write the code was entered, session clock; None where there is or was none."""
    numbers = _bitcode_states(tuple(bpod.state_names[index]))
    visited, times_s = bpod.state_data[index].tolist(), bpod.state_times_s[index].tolist()
    entries_s = [time for number, time in zip(visited, times_s, strict=False) if number in numbers]
    return float(bpod.start_s[index]) + min(entries_s) if entries_s else None


@lru_cache(maxsize=64)
def _bitcode_states(names: tuple[str, ...]) -> frozenset[int]:
    """Numbers of the states that write the code."""
    return frozenset(number for number, name in enumerate(names, 1) if _BITCODE_STATE.fullmatch(name))


def is_free_water(bpod: BpodTrials, index: int) -> bool:
    """Whether the rig flagged a trial as only a drop of water.

    Raises
    ------
    Skip
        If its flag is no number.
    """
    value = float(bpod.free_water[index])
    if not np.isfinite(value):
        raise Skip("its FreeTrials flag is no number")
    return value != 0
