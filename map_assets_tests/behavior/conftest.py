"""A small delayed-response rig: writes Bpod files trial by trial, so that a test can bend one thing at a time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from map_assets.behavior.read import read_behavior
from map_assets.vocabulary.files import FoundFile

STATES = [
    "TrigTrialStart",
    "PreSamplePeriod",
    *(f"{edge}State{bit}" for bit in range(1, 3) for edge in ("Off", "On")),
    "OffState3",
    "SamplePeriod",
    "EarlyLickSample",
    "DelayPeriod",
    "EarlyLickDelay",
    "ResponseCue",
    "AnswerPeriod",
    "Reward",
    "RewardConsumption",
    "NoResponse",
    "TimeOut",
    "StopLicking",
    "TrialEnd",
]

HIT = [
    ("TrigTrialStart", 0.0, 0.5),
    ("PreSamplePeriod", 0.5, 0.51),
    ("OffState1", 0.51, 0.52),
    ("OnState1", 0.52, 0.53),
    ("OffState2", 0.53, 0.93),
    ("SamplePeriod", 0.93, 2.13),
    ("DelayPeriod", 2.13, 3.33),
    ("ResponseCue", 3.33, 3.38),
    ("AnswerPeriod", 3.38, 3.8),
    ("Reward", 3.8, 3.83),
    ("RewardConsumption", 3.83, 5.33),
    ("StopLicking", 5.33, 6.83),
    ("TrialEnd", 6.83, 7.08),
]


def one_trial(
    states: Iterable[tuple[str, float, float]] = HIT,
    state_names: Iterable[str] = STATES,
    left: Iterable[float] = (),
    right: Iterable[float] = (3.8,),
    start_s: float | None = None,
    trial_type: float = 0,
    stim: int = 0,
    free: int = 0,
    given: Iterable[int] = (0, 0, 7),
    **gui: Any,
) -> dict[str, Any]:
    """What one trial is made of; a GUI setting of None is left out."""
    settings = {"ProtocolType": 5, "Autolearn": 4, "Autowater": 2, "Reversal": 1, "randomID": "0110", **gui}
    settings = {"SamplePeriod": 1.2, "DelayPeriod": 1.2} | {k: v for k, v in settings.items() if v is not None}
    return {
        "states": chained(states),
        "state_names": list(state_names),
        "events": {"Port1In": list(left), "Port2In": list(right)},
        "start_s": start_s,
        "trial_type": trial_type,
        "stim": stim,
        "free": free,
        "gui": settings,
        "given": list(given),
    }


def chained(states: Iterable[tuple[str, float, float]]) -> list[tuple[str, float, float]]:
    """Let each state begin where the one before it ends, as a state machine does; NoResponse fills what is between."""
    found: list[tuple[str, float, float]] = []
    for name, entry, leave in states:
        now = found[-1][2] if found else 0.0
        if entry > now:
            found.append(("NoResponse", now, entry))
        found.append((name, max(entry, now), max(leave, entry, now) if leave == leave else leave))
    return found


def cell(values: Iterable[Any]) -> np.ndarray:
    """A 1 x n cell."""
    values = list(values)
    array = np.empty((1, len(values)), object)
    for place, value in enumerate(values):
        array[0, place] = value
    return array


def row(values: Iterable[Any]) -> np.ndarray:
    """A 1 x n array of numbers; whole ones in the smallest unsigned type, as MATLAB stores them."""
    array = np.array([list(values)], float)
    if array.size and np.all(array == np.round(array)) and array.min() >= 0 and array.max() < 256:
        return array.astype(np.uint8)
    return array


def session_data(trials: list[dict[str, Any]]) -> dict[str, Any]:
    """`SessionData` of a file with these trials."""
    numbers = [{name: number for number, name in enumerate(trial["state_names"], 1)} for trial in trials]
    starts = [3500.5 + 10.0 * i if t["start_s"] is None else t["start_s"] for i, t in enumerate(trials)]
    return {
        "nTrials": len(trials),
        "TrialTypes": row(trial["trial_type"] for trial in trials),
        "StimTrials": row(trial["stim"] for trial in trials),
        "FreeTrials": row(trial["free"] for trial in trials),
        "MATLABStartTimes": np.array([[737116.4745494907 + (s - starts[0]) / 86400 for s in starts]]),
        "Info": {
            "BpodVersion": "Bpod 0.7-0.9",
            "SessionDate": "25-Feb-2018",
            "SessionStartTime_UTC": "11:23:28",
        },
        "TrialStartTimestamp": np.array([starts]),
        "TrialSettings": np.array(
            [({**trial["gui"]}, row(trial["given"])) for trial in trials],
            dtype=[("GUI", object), ("GaveFreeReward", object)],
        ).reshape(1, -1),
        "SettingsFile": {"GUI": {"SamplePeriod": 1.2, "DelayPeriod": 1.2, "randomID": "stale"}},
        "RawEvents": {"Trial": cell({"States": _states(t), "Events": _events(t)} for t in trials)},
        "RawData": {
            "OriginalStateNamesByNumber": cell(cell(t["state_names"]) for t in trials),
            "OriginalStateData": cell(
                row(number[name] for name, _, _ in t["states"]) for t, number in zip(trials, numbers, strict=True)
            ),
            "OriginalStateTimestamps": cell(
                np.array([[*(entry for _, entry, _ in t["states"]), t["states"][-1][2]]]) for t in trials
            ),
            "OriginalEventData": cell(row(code for _, code in _happened(trial)) for trial in trials),
            "OriginalEventTimestamps": cell(np.array([[time for time, _ in _happened(t)]], float) for t in trials),
        },
    }


def _states(trial: dict[str, Any]) -> dict[str, np.ndarray]:
    visits = {name: [times for state, *times in trial["states"] if state == name] for name in trial["state_names"]}
    return {name: np.array(times or [[np.nan, np.nan]]) for name, times in visits.items()}


def _happened(trial: dict[str, Any]) -> list[tuple[float, int]]:
    """Times and codes of all events, in order of time."""
    codes = {"Port1In": 69, "Port2In": 71}
    return sorted((time, codes[name]) for name, times in trial["events"].items() for time in times)


def _events(trial: dict[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.array([times]) for name, times in trial["events"].items() if times}


class Rig:
    """Writes behaviour files into a folder and reads them."""

    session = "dl25_20180225_102508"
    states = STATES
    hit = HIT
    trial = staticmethod(one_trial)
    cell = staticmethod(cell)
    session_data = staticmethod(session_data)

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def without(self, *names: str) -> list[tuple[str, float, float]]:
        """A hit, less the visits of some states."""
        return [visit for visit in HIT if visit[0] not in names]

    def after(self, state: str, *visits: tuple[str, float, float]) -> list[tuple[str, float, float]]:
        """A hit, with more visits after one of its states."""
        place = next(number for number, visit in enumerate(HIT) if visit[0] == state) + 1
        return [*HIT[:place], *visits, *HIT[place:]]

    def write(
        self,
        trials: list[dict[str, Any]],
        *,
        name: str = "dl25_tw2_20180225_102508.mat",
        rig: str | None = "RRig",
        compressed: bool = False,
        **changes: Any,
    ) -> FoundFile:
        """Write a file; `changes` replace fields of SessionData, None leaves one out."""
        data = session_data(trials)
        data.update(changes)
        return self.save(
            {"SessionData": {key: value for key, value in data.items() if value is not None}}, name, rig, compressed
        )

    def save(
        self,
        variables: dict[str, Any],
        name: str = "dl25_tw2_20180225_102508.mat",
        rig: str | None = "RRig",
        compressed: bool = False,
    ) -> FoundFile:
        """Write any variables."""
        from scipy.io import savemat

        savemat(self.folder / name, variables, long_field_names=True, do_compression=compressed, oned_as="row")
        return self.found(name, rig)

    def found(self, name: str, rig: str | None = "RRig") -> FoundFile:
        """The file as a scan finds it."""
        facts = (self.folder / name).stat()
        return FoundFile("rig1", self.folder, PurePosixPath(name), "behavior", facts.st_size, facts.st_mtime_ns, rig)

    def read(self, trials: list[dict[str, Any]], session: str | None = None, **changes: Any) -> dict[str, pa.Table]:
        """Write a file and read it."""
        return read_behavior(session or self.session, self.write(trials, **changes))


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """A rig that writes into the test's own folder."""
    return Rig(tmp_path)
