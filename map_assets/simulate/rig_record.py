"""What a rig's lines tell the recording besides codes: events, licks, frames. They are written into the bitcode file in `bitcode`.

As the rigs' scripts do it: a trial's licks are those from its code to the next trial's, its frames those from the start
of the behaviour computer's trial to the next one's. A trial whose code is not there leaves its own to the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.simulate.clocks import ProbeClock
from map_assets.simulate.deeplabcut import FRAME_RATE_HZ, n_frames
from map_assets.simulate.trial import BIT_STATES, Trial
from map_assets.simulate.writing import cell

Times = NDArray[np.float64]

HEADINGS = ("bitcodestart", "go", "choice", "choice", "reward", "trialend", "bpodstart", "zaberready")
"""Columns of the markers, as the rigs' scripts head them; the first choice is the left port's."""
CAMERAS = ("Camera 1", "Camera 0")
FIRST_FRAME_S = 0.0012
"""From the start of the trial to the middle of the first exposure, s."""
RECORDED_ON_S = 0.2
"""From the start of the first trial that is not recorded whole to the recording's end, at least, s."""
_STEPS_S = (0.5, 0.52, 0.54)
"""Steps of the motor that brings the ports, from the start of the code, s."""
_CELLS = {"zaberPerTrial": ("zaberstep", None), "lickLPerTrial": ("lick", "left"), "lickRPerTrial": ("lick", "right")}


@dataclass(frozen=True)
class RigRecord:
    """What one file tells, on the session clock, s.

    Parameters
    ----------
    markers : numpy.ndarray of float, shape (n, 8)
        In the columns of `HEADINGS`; NaN where there was none.
    cells : dict of str to list of numpy.ndarray
        By the variable's name, one array a trial.
    frames : dict of str to list of numpy.ndarray
        By the camera's name, one array a trial.
    """

    markers: Times
    cells: dict[str, list[Times]]
    frames: dict[str, list[Times]]

    def variables(self, clock: ProbeClock) -> dict[str, Any]:
        """Give the file's variables, seconds of the probe's clock."""

        def column(times: Times) -> Times:
            return clock.map.probe_s(times)[:, None]

        return {
            "digMarkerPerTrial": clock.map.probe_s(self.markers),
            "headings": cell(list(HEADINGS)),
            **{name: cell([column(times) for times in lists]) for name, lists in self.cells.items()},
            "cameraPerTrial": cell([cell([column(times) for times in lists]) for lists in self.frames.values()]),
            "chan": {"cameras": [[5.0, 6.0]], "cameraNameInDJ": cell(list(self.frames))},
        }

    def tables(self, trial: Sequence[int]) -> dict[str, pa.Table]:
        """Give the truth: the tables `rig_events` (in time order within a trial) and `frame_times`."""
        rows = [
            (number, float(at), event, _port(place))
            for number, times in zip(trial, self.markers, strict=True)
            for place, (event, at) in enumerate(zip(HEADINGS, times, strict=True))
            if np.isfinite(at)
        ]
        for name, (event, port) in _CELLS.items():
            lists = zip(trial, self.cells[name], strict=True)
            rows += [(number, float(at), event, port) for number, times in lists for at in times]
        rows.sort(key=lambda row: row[:2])
        frames = [
            (camera, number, times.tolist())
            for camera, lists in self.frames.items()
            for number, times in zip(trial, lists, strict=True)
        ]
        return {
            "rig_events": _table(
                {"trial": pa.int64(), "time_s": pa.float64(), "event": pa.string(), "port": pa.string()}, rows
            ),
            "frame_times": _table(
                {"camera": pa.string(), "trial": pa.int64(), "frame_s": pa.list_(pa.float64())}, frames
            ),
        }


def make_rig_record(trials: Sequence[Trial], seen: Sequence[Trial]) -> RigRecord:
    """Make what the lines tell of the trials in `seen`, whose codes were decoded, out of all that happened in `trials`."""
    code_s = [trial.at_s(trial.of(BIT_STATES[0])[0].entry) for trial in seen]
    start_s = [trial.start_s for trial in seen]
    is_last = seen[-1].trial == len(trials)
    until_s = np.inf if is_last else trials[seen[-1].trial].start_s + RECORDED_ON_S
    licks = {
        side: np.array([trial.at_s(lick.start) for trial in trials for lick in trial.licks if lick.side == side])
        for side in ("left", "right")
    }
    frames = np.concatenate([_exposures_s(trial) for trial in trials])
    zaber = [at + np.array(_STEPS_S) for at in code_s]
    markers = np.array([_markers(trial, at, steps[-1]) for trial, at, steps in zip(seen, code_s, zaber, strict=True)])
    return RigRecord(
        markers,
        {
            "zaberPerTrial": zaber,
            "lickLPerTrial": _between(licks["left"], code_s, until_s),
            "lickRPerTrial": _between(licks["right"], code_s, until_s),
        },
        {camera: _between(frames, start_s, until_s) for camera in CAMERAS},
    )


def _markers(trial: Trial, code_s: float, ready_s: float) -> list[float]:
    go_s = trial.last_s("ResponseCue")
    answers = [lick for lick in trial.licks if go_s is not None and trial.at_s(lick.start) > go_s][:1]
    choice_s = {lick.side: trial.at_s(lick.start) for lick in answers}
    told = (code_s, go_s, choice_s.get("left"), choice_s.get("right"), trial.last_s("Reward"), trial.last_s("TrialEnd"))
    return [np.nan if at is None else at for at in (*told, trial.start_s, ready_s)]


def _exposures_s(trial: Trial) -> Times:
    return trial.start_s + FIRST_FRAME_S + np.arange(n_frames(trial)) / FRAME_RATE_HZ


def _between(times: Times, start_s: Sequence[float], until_s: float) -> list[Times]:
    """Cut sorted times at the starts and the end; what is before the first belongs to none."""
    return [times[begin:end] for begin, end in pairwise(np.searchsorted(times, [*start_s, until_s]).tolist())]


def _port(column: int) -> str | None:
    return {2: "left", 3: "right"}.get(column)


def _table(kinds: dict[str, pa.DataType], rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ((),) * len(kinds)
    return pa.table(
        {name: pa.array(list(column), kind) for (name, kind), column in zip(kinds.items(), columns, strict=True)}
    )
