"""What every MATLAB Bpod session file holds, task aside: trials side by side. What one trial's states did lives in `visits`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from map_assets.behavior.kept_trials import Skip
from map_assets.vocabulary.errors import PiecesDoNotFit
from map_assets.vocabulary.matlab_struct import AnyMatrix, Struct, unwrapped

Numbers = NDArray[np.float64]

TICK_S = 1.001e-4
"""Bpod's clock counts 0.1 ms; two records of one moment are no further apart."""
_CLOCKS_APART_S = 60.0
"""So far may a trial's start by the computer's clock be off from that by Bpod's, against the trials around it."""
_AROUND = 5
"""Trials before and after."""

TODO_COPY = "Copy the file from the rig again; if the rig's own is like this, set it aside."


@dataclass(frozen=True, eq=False)
class BpodTrials:
    """All trials of a file, side by side; lists and arrays have one element a trial.

    Parameters
    ----------
    start_s : numpy.ndarray of float, shape (n,)
        Start on the session clock (zero = start of trial 1), s.
    trial_types, stim_codes, free_water : numpy.ndarray of float, shape (n,)
        As in the file; codes and free water are zero where the file has no such field.
    settings, states, events : list of Struct
        ``TrialSettings``, and ``States`` and ``Events`` of ``RawEvents.Trial``.
    state_names : list of list of str
        The state machine's states; state number k (from 1) is element k - 1.
    state_data, state_times_s : list of numpy.ndarray of float
        Numbers of the visited states, and their entries with the last one's exit, s from the trial's start.
    event_codes, event_times_s : list of numpy.ndarray of float
        Codes of the events of ``RawData``, and when they happened, s from the trial's start.
    clocks_apart_s : numpy.ndarray of float, shape (n,)
        How far each trial's start by the computer's clock is from that by Bpod's, against the trials around it, s; NaN
        where one of them does not say.
    """

    start_s: Numbers
    trial_types: Numbers
    stim_codes: Numbers
    free_water: Numbers
    settings: list[Struct]
    states: list[Struct]
    events: list[Struct]
    state_names: list[list[str]]
    state_data: list[Numbers]
    state_times_s: list[Numbers]
    event_codes: list[Numbers]
    event_times_s: list[Numbers]
    clocks_apart_s: Numbers

    def __len__(self) -> int:
        return len(self.start_s)

    def check_start(self, index: int) -> None:
        """Hold a trial's start against the computer's clock.

        Raises
        ------
        Skip
            If it has none, or the clocks contradict each other.
        """
        if not np.isfinite(self.start_s[index]):
            raise Skip("it has no TrialStartTimestamp")
        if abs(self.clocks_apart_s[index]) > _CLOCKS_APART_S:
            apart_s = abs(self.clocks_apart_s[index])
            raise Skip(f"its TrialStartTimestamp and MATLABStartTimes are {apart_s:.0f} s apart")

    def until_s(self, index: int) -> float | None:
        """Return the next known start after that of the trial at `index`; None after the last."""
        later = self.start_s[index + 1 :]
        later = later[np.isfinite(later)]
        return float(later[0]) if later.size else None


def read_bpod(data: Struct, was_run: NDArray[np.bool_] | None = None) -> BpodTrials:
    """Read ``SessionData`` trial by trial.

    Parameters
    ----------
    data : Struct
    was_run : numpy.ndarray of bool, shape (n_planned,), optional
        For rigs that plan more trials than they run: which of the planned ones were run. Fields with an element for each
        planned trial are cut to those; ``RawData`` and ``RawEvents`` hold only those in any case.

    Raises
    ------
    PiecesDoNotFit
        If the file has no trial, its arrays disagree on how many there are, or trial 1 has no start or two.
    UnreadableFile
        If a field that every Bpod file has is missing or of another kind.
    """
    raw = data.struct("RawData")
    trials = data.struct("RawEvents").structs("Trial")
    arrays: dict[str, Any] = {
        "TrialStartTimestamp": data.numbers("TrialStartTimestamp"),
        "TrialTypes": data.numbers("TrialTypes"),
        "TrialSettings": data.structs("TrialSettings"),
        "RawEvents.Trial": trials,
        "OriginalStateNamesByNumber": _state_names(raw),
    }
    for name in ("OriginalStateData", "OriginalStateTimestamps", "OriginalEventData", "OriginalEventTimestamps"):
        arrays[name] = [
            raw.as_numbers(cell, f"{name} of trial {number}") for number, cell in enumerate(raw.cells(name), 1)
        ]
    for name in ("StimTrials", "FreeTrials", "MATLABStartTimes"):
        if name in data and ((values := data.numbers(name)).size or was_run is None):
            arrays[name] = values
    if was_run is not None:
        arrays |= {name: _cut(values, was_run) for name, values in arrays.items()}
    lengths = {name: len(values) for name, values in arrays.items()}
    n_trials = data.number("nTrials")
    if n_trials is not None and was_run is None:
        lengths["nTrials"] = int(n_trials)
    _check_lengths(data.path, lengths)
    start_s = arrays["TrialStartTimestamp"]
    if not np.isfinite(start_s[0]):
        raise PiecesDoNotFit(
            data.path,
            "trial 1 has no TrialStartTimestamp",
            expected="its start, which is zero of the session clock",
            todo=TODO_COPY,
        )
    datenums = arrays.get("MATLABStartTimes", np.zeros(0))
    apart_s = clocks_apart_s(start_s, datenums if len(datenums) else np.full(len(start_s), np.nan))
    if abs(apart_s[0]) > _CLOCKS_APART_S:
        raise PiecesDoNotFit(
            data.path,
            f"the start of its first trial is {abs(apart_s[0]):.0f} s off between TrialStartTimestamp and MATLABStartTimes",
            expected="one time by both clocks: it is zero of the session clock",
            todo=TODO_COPY,
        )
    zeros = np.zeros(len(start_s))
    return BpodTrials(
        start_s=start_s - start_s[0],
        trial_types=arrays["TrialTypes"],
        stim_codes=arrays.get("StimTrials", zeros),
        free_water=arrays.get("FreeTrials", zeros),
        settings=arrays["TrialSettings"],
        states=[trial.struct("States") for trial in trials],
        events=[trial.struct("Events") for trial in trials],
        state_names=arrays["OriginalStateNamesByNumber"],
        state_data=arrays["OriginalStateData"],
        state_times_s=arrays["OriginalStateTimestamps"],
        event_codes=arrays["OriginalEventData"],
        event_times_s=arrays["OriginalEventTimestamps"],
        clocks_apart_s=apart_s,
    )


def clocks_apart_s(start_s: Numbers, datenums: Numbers) -> Numbers:
    """Return how far each trial's start by the computer's clock is from that by Bpod's, less what it is around it, s.

    The two drift against each other, some 0.1 s in 15 min.
    """
    with np.errstate(invalid="ignore"):
        wall_s = np.where(datenums > 0, datenums, np.nan) * 86400.0
    later_s = wall_s - start_s
    found = np.full(len(start_s), np.nan)
    known = np.flatnonzero(np.isfinite(later_s))
    for place, trial in enumerate(known):
        around = known[max(place - _AROUND, 0) : place + _AROUND + 1]
        found[trial] = later_s[trial] - np.median(later_s[around])
    return found


def _cut(values: Any, was_run: NDArray[np.bool_]) -> Any:
    """Keep the trials that were run, where there is an element for each planned one."""
    if len(values) != len(was_run):
        return values
    if isinstance(values, np.ndarray):
        return values[was_run]
    return [value for value, kept in zip(values, was_run, strict=True) if kept]


def _check_lengths(path: Path, lengths: dict[str, int]) -> None:
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise PiecesDoNotFit(
            path,
            f"its fields disagree on how many trials there are: {found}",
            expected="one number",
            todo=TODO_COPY,
        )
    if set(lengths.values()) == {0}:
        raise PiecesDoNotFit(path, "it holds no trial", expected="at least one", todo="Set the file aside.")


def _state_names(raw: Struct) -> list[list[str]]:
    cells = raw.cells("OriginalStateNamesByNumber")
    if cells and all(cell.kind == "text" for cell in cells):
        return [[cell.text() for cell in cells]]  # the cell of a one-trial session, squeezed away
    known: dict[bytes, list[str]] = {}
    for cell in cells:
        if cell.raw not in known:
            known[cell.raw] = _texts(cell)
    return [known[cell.raw] for cell in cells]


def _texts(cell: AnyMatrix) -> list[str]:
    """Return a cell's texts; an element that is none is empty."""
    elements = map(unwrapped, cell.cells() if cell.kind == "cell" else [])
    return [element.text() if element.kind == "text" else "" for element in elements]
