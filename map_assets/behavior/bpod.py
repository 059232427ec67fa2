"""What every MATLAB Bpod session file holds, task aside: trials side by side. What one trial's states did lives in `visits`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from map_assets.vocabulary.errors import PiecesDoNotFit
from map_assets.vocabulary.matlab_struct import AnyMatrix, Struct, unwrapped

Numbers = NDArray[np.float64]

TODO_COPY = "Copy the file from the rig again; if the rig's own is like this, set it aside."


@dataclass(frozen=True)
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
    event_counts : list of (int, int)
        How many codes of events, and times of events, ``RawData`` holds.
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
    event_counts: list[tuple[int, int]]

    def __len__(self) -> int:
        return len(self.start_s)

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
        If the file has no trial, its arrays disagree on how many there are, or trial 1 has no start.
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
        event_counts=[
            (len(codes), len(times))
            for codes, times in zip(arrays["OriginalEventData"], arrays["OriginalEventTimestamps"], strict=True)
        ],
    )


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
