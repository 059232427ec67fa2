"""Writes the behaviour computer's MATLAB file of a delayed-response session. What the animal did lives in `task`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.defects import Defect, trials_in_behavior
from map_assets.simulate.trial import STATES, TICKS_PER_S, Trial
from map_assets.simulate.writing import as_matlab_stores, cell, mat_bytes, write_bytes

EVENT_CODES = {"Tup": 109, "WavePlayer1_3": 3, "Port1In": 69, "Port1Out": 70, "Port2In": 71, "Port2Out": 72}
FIRST_TRIAL_AFTER_S = 61.308
"""From the zero of the rig's clock to the start of trial 1."""

_MENUS = {
    "ProtocolType": [
        *("Water-Valve-Calibration", "Licking", "AutoAssist_step1", "NoAutoAssist_step2", "DelayEnforce_step3"),
        *("SampleDelayEnforce_step4", "Fixed_step5", "Prep_delay_step6"),
    ],
    "Autolearn": ["On", "Off", "fixed", "antiBias"],
    "Autowater": ["On", "Off"],
    "Reversal": ["Off", "On"],
}
_PANELS = {
    "Behavior": [
        *("WaterValveTime", "SamplePeriod", "DelayPeriod", "AnswerPeriod"),
        *("ConsumptionPeriod", "StopLickingPeriod", "TimeOut"),
    ],
    "PolePositions": ["LickportMotorPosition", "LickportLeftPos", "LickportRightPos"],
    "Protocol": ["ProtocolType"],
    "TrialParameters": [
        *("Autolearn", "Autowater", "Reversal", "MaxSame", "NoTrialProb", "Min_correct_Right"),
        *("Max_incorrect_Right", "Min_correct_Left", "Max_incorrect_Left"),
    ],
}


def start_local(plan: SessionPlan) -> datetime:
    """Wall-clock start of trial 1."""
    return plan.bpod_started_at + timedelta(seconds=FIRST_TRIAL_AFTER_S)


def write_behavior(share: Path, plan: SessionPlan, trials: Sequence[Trial]) -> list[Path]:
    """Write the session's behaviour file under ``{animal}/{protocol}/Session Data`` with the defects of its plan."""
    kept = trials[: trials_in_behavior(len(trials), plan.defects, plan.n_missing_trials)]
    ended_at = start_local(plan) + timedelta(seconds=kept[-1].at_s(kept[-1].length))
    is_unknown = Defect.UNKNOWN_TASK in plan.defects
    data = unknown_task(plan) if is_unknown else session_data(plan, kept)
    content = mat_bytes({"SessionData": data}, ended_at)
    if Defect.TRUNCATED_MAT in plan.defects:
        content = content[: len(content) * 2 // 3]
    folder = share / plan.animal
    written = [write_bytes(folder / plan.protocol / "Session Data" / plan.behavior_name, content)]
    if Defect.DUPLICATE_KEY in plan.defects:
        other = mat_bytes({"SessionData": data}, ended_at + timedelta(days=1))
        written.append(write_bytes(folder / f"{plan.protocol}copy" / "Session Data" / plan.behavior_name, other))
    return written


def session_data(plan: SessionPlan, trials: Sequence[Trial]) -> dict[str, Any]:
    """Nest a session as the rig does: the variable SessionData."""
    first = start_local(plan)
    wall = [datenum(first + timedelta(seconds=trial.start_s)) for trial in trials]
    noted_at = first + timedelta(seconds=(trials[1].start_s if len(trials) > 1 else trials[0].length / TICKS_PER_S))
    settings = [_settings(plan, trials, index) for index in range(len(trials))]
    data: dict[str, Any] = {
        "TrialTypes": as_matlab_stores([trial.trial_type for trial in trials]),
        "LickPortMotorPosition": as_matlab_stores([127_000] * len(trials)),
        "ProbeTrials": as_matlab_stores([0] * len(trials)),
        "StimTrials": as_matlab_stores([trial.stim_code for trial in trials]),
    }
    if Defect.FREE_WATER in plan.defects:
        data["FreeTrials"] = as_matlab_stores([trial.is_free_water for trial in trials])
    return data | {
        "MATLABStartTimes": as_matlab_stores(wall),
        "Info": {
            "BpodVersion": "Bpod 0.7-0.9",
            "SessionDate": f"{first:%d-%b-%Y}",
            "SessionStartTime_UTC": f"{noted_at:%H:%M:%S}",
            "SessionStartTime_MATLAB": datenum(noted_at),
        },
        "nTrials": as_matlab_stores(len(trials)),
        "RawEvents": {"Trial": cell([{"States": _states(trial), "Events": _events(trial)} for trial in trials])},
        "RawData": _raw_data(trials),
        "TrialStartTimestamp": as_matlab_stores([round(FIRST_TRIAL_AFTER_S + t.start_ms / 1000, 3) for t in trials]),
        "SettingsFile": settings[max(0, len(trials) - 2)],
        "TrialSettings": struct_array(settings),
    }


def unknown_task(plan: SessionPlan) -> dict[str, Any]:
    """Nest a Bpod session of a task of which the lab's software knows nothing."""
    trial = {"States": {"WaitForPoke": np.array([[0.0, 1.5]])}, "Events": {"Port3In": np.array([[1.5]])}}
    settings = {"GUI": {"RewardAmount": as_matlab_stores(5), "ResponseTime": as_matlab_stores(2.5)}}
    return {
        "Info": {"BpodVersion": "Bpod 0.7-0.9", "SessionDate": f"{plan.named_at:%d-%b-%Y}"},
        "nTrials": as_matlab_stores(1),
        "RawEvents": {"Trial": cell([trial])},
        "TrialStartTimestamp": as_matlab_stores(3.25),
        "SettingsFile": settings,
        "TrialSettings": struct_array([settings]),
    }


def datenum(moment: datetime) -> float:
    """MATLAB's days since year 0."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return moment.toordinal() + 366 + (moment - midnight).total_seconds() / 86_400


def _states(trial: Trial) -> dict[str, NDArray[np.float64]]:
    """Visits of every state, (visits, 2) s from the trial's start; visited ones first, as they came; the rest NaN."""
    visits: dict[str, list[tuple[int, int]]] = {}
    for visit in trial.visits:
        visits.setdefault(visit.state, []).append((visit.entry, visit.exit))
    never = np.full((1, 2), np.nan)
    return {name: np.array(found) / TICKS_PER_S for name, found in visits.items()} | {
        name: never for name in STATES if name not in visits
    }


def _events(trial: Trial) -> dict[str, NDArray[np.float64]]:
    """Times of every event that happened, s from the trial's start, in the order of their first."""
    times: dict[str, list[int]] = {}
    for ticks, name in trial.events:
        times.setdefault(name, []).append(ticks)
    return {name: np.array([found]) / TICKS_PER_S for name, found in times.items()}


def _raw_data(trials: Sequence[Trial]) -> dict[str, Any]:
    names = cell(list(STATES))
    number = {name: index + 1 for index, name in enumerate(STATES)}
    return {
        "OriginalStateNamesByNumber": cell([names] * len(trials)),
        "OriginalStateData": cell([_row([number[visit.state] for visit in t.visits], np.uint8) for t in trials]),
        "OriginalEventData": cell([_row([EVENT_CODES[name] for _, name in t.events], np.uint8) for t in trials]),
        "OriginalStateTimestamps": cell(
            [_row([*(visit.entry for visit in t.visits), t.length], np.float64) / TICKS_PER_S for t in trials]
        ),
        "OriginalEventTimestamps": cell(
            [_row([ticks for ticks, _ in t.events], np.float64) / TICKS_PER_S for t in trials]
        ),
    }


def _row(values: Sequence[float], kind: type[Any]) -> NDArray[Any]:
    return np.array([values], kind)


def _settings(plan: SessionPlan, trials: Sequence[Trial], index: int) -> dict[str, Any]:
    """The settings in force in one trial."""
    trial = trials[index]
    numbers = {
        "WaterValveTime": 0.03,
        "SamplePeriod": plan.sample_s,
        "DelayPeriod": plan.delay_s,
        "AnswerPeriod": 1.5,
        "ConsumptionPeriod": 1.5,
        "StopLickingPeriod": 1.5,
        "TimeOut": 1,
        "LickportMotorPosition": 127_000,
        "LickportLeftPos": 0,
        "LickportRightPos": 0,
        "ProtocolType": plan.protocol_type,
        "Autolearn": plan.autolearn,
        "Autowater": trial.autowater,
        "Reversal": 2 if plan.is_reversed else 1,
        "MaxSame": 3,
        "NoTrialProb": 0.5,
        "Min_correct_Right": 2,
        "Max_incorrect_Right": 2,
        "Min_correct_Left": 2,
        "Max_incorrect_Left": 2,
    }
    n_hits = sum(done.outcome == "hit" for done in trials[max(0, index - 39) : index + 1])
    history = [
        [5, 2, 0.025],
        [5, 218, 0.775],
        [5, 184, 0.8],
        [5, 108, 0.625],
        [plan.protocol_type, index + 2, n_hits / 40],
    ]
    return {
        "GUI": {**{name: as_matlab_stores(value) for name, value in numbers.items()}, "randomID": trial.bitcode},
        "GUIPanels": {name: cell(list(fields)) for name, fields in _PANELS.items()},
        "GUIMeta": {name: {"Style": "popupmenu", "String": cell(list(menu))} for name, menu in _MENUS.items()},
        "ProtocolHistory": np.array(history, np.float64),
        "LickPortMove": as_matlab_stores(0),
        "GaveFreeReward": as_matlab_stores([*trial.gave_free_reward, trial.trial]),
    }


def struct_array(rows: Sequence[dict[str, Any]]) -> NDArray[np.void]:
    """Make a 1 x n MATLAB struct array."""
    array = np.empty((1, len(rows)), [(name, object) for name in rows[0]])
    for index, row in enumerate(rows):
        for name, value in row.items():
            array[0, index][name] = value
    return array
