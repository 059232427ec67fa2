"""Events of Bpod trials by name, held against the raw sequence of codes and times. States are read in `visits`."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import numpy as np

from map_assets.behavior.bpod import TICK_S, BpodTrials, Numbers
from map_assets.behavior.kept_trials import Skip
from map_assets.vocabulary.matlab_struct import Struct


def event_times(events: Struct, name: str) -> Numbers:
    """Return when a named event happened, in time order, shape (n,), s from the trial's start; none if it never did."""
    return np.sort(events.numbers(name)) if name in events else np.empty(0)


def check_events(bpod: BpodTrials, index: int) -> None:
    """Hold one trial's named events against its codes: each name stands for one code in the whole file.

    Raises
    ------
    Skip
        If they disagree on when anything happened.
    """
    codes, times_s = bpod.event_codes[index], bpod.event_times_s[index]
    if len(codes) != len(times_s):
        raise Skip(f"{len(codes)} events happened and {len(times_s)} times of events are written")
    named = {name: event_times(bpod.events[index], name) for name in bpod.events[index].names}
    n_named = sum(map(len, named.values()))
    if n_named != len(times_s):
        raise Skip(f"{len(times_s)} events happened by RawData and {n_named} by RawEvents")
    known = _codes_of_names(bpod)
    for name, found_s in named.items():
        if len(found_s) and not _are_equal(found_s, np.sort(times_s[codes == known.get(name)])):
            raise Skip(f"{name} happened at other times by RawEvents than by RawData")


@lru_cache(maxsize=1)
def _codes_of_names(bpod: BpodTrials) -> dict[str, float]:
    """Find the code of each name: the one that happened at its times in the most trials."""
    votes: Counter[tuple[str, float]] = Counter()
    for events, codes, times_s in zip(bpod.events, bpod.event_codes, bpod.event_times_s, strict=True):
        if len(codes) != len(times_s):
            continue
        happened = {code: np.sort(times_s[codes == code]) for code in np.unique(codes).tolist()}
        for name in events.names:
            found_s = event_times(events, name)
            votes.update((name, code) for code, raw_s in happened.items() if len(raw_s) and _are_equal(found_s, raw_s))
    known: dict[str, float] = {}
    for (name, code), _ in votes.most_common():
        if name not in known and code not in known.values():
            known[name] = code
    return known


def _are_equal(some_s: Numbers, others_s: Numbers) -> bool:
    """Whether times are the same to the tick of Bpod's clock; a time that is no number is none."""
    return len(some_s) == len(others_s) and bool(np.all(np.abs(some_s - others_s) <= TICK_S))
