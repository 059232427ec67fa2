"""The delayed-response task's Bpod file: trials, events, licks and photostimulation. Opening the file lives in `behavior`.

The rules are those of the earlier MAP pipeline, but events are read by name and not by code, and every trial of the
file ends in one of two tables: `trials`, or `skipped_trials` with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from map_assets.behavior.bpod import BpodTrials, Numbers, event_times, read_bpod, visits
from map_assets.behavior.kept_trials import KeptTrial, licks_of, photostim_sites_of, trial_events_of
from map_assets.behavior.protocol import Protocol, read_protocol
from map_assets.behavior.start import read_start
from map_assets.behavior.tables import BEHAVIOR_FILE, SKIPPED_TRIALS, TRIALS
from map_assets.vocabulary.files import FoundFile
from map_assets.vocabulary.matlab import MatlabFile
from map_assets.vocabulary.matlab_struct import Struct
from map_assets.vocabulary.session import SessionKey

EVENTS = {
    "presample": "PreSamplePeriod",
    "sample": "SamplePeriod",
    "delay": "DelayPeriod",
    "go": "ResponseCue",
    "trialend": "TrialEnd",
}
"""Event -> state of the rig's state machine, in the order of a trial."""

PORTS = {"left": "Port1In", "right": "Port2In"}
"""Lick port -> Bpod's event of a contact with it."""

_NEEDED_STATES = (*EVENTS.values(), "StopLicking")
_INSTRUCTIONS: dict[tuple[float, float], str] = {(1, 1): "left", (1, 0): "right", (2, 1): "right", (2, 0): "left"}
"""(GUI.Reversal: 1 off, 2 on; trial type) -> instruction."""
_BITCODE_STATE = re.compile(r"(On|Off)State\d+")
_MENUS = ("ProtocolType", "Autolearn")
_ON = 1


class _Skip(Exception):
    """Why a trial is not kept."""


class DelayResponse:
    """Reads the auditory delayed-response task (two lick ports)."""

    name = "delay_response"

    def recognizes(self, content: MatlabFile) -> bool:
        """Whether the settings, or trial 1's states, are of a task with a sample and a delay."""
        data = content.struct("SessionData")
        if not all(name in data for name in ("TrialSettings", "RawEvents", "RawData")):
            return False
        gui = settings_gui(data)
        if "SamplePeriod" in gui and "DelayPeriod" in gui:
            return True
        if all(name in gui for name in ("X_center", "Y_center", "Z_center")):
            return False
        trials = data.struct("RawEvents").structs("Trial")
        return bool(trials) and all(state in trials[0].struct("States") for state in ("SamplePeriod", "DelayPeriod"))

    def read(self, session: str, file: FoundFile, content: MatlabFile) -> dict[str, pa.Table]:
        """Read the file's tables; see `behavior.read.read_behavior`."""
        data = content.struct("SessionData")
        protocol = read_protocol(self.name)
        start = read_start(session, data)
        bpod = read_bpod(data)
        reader = _Reader(bpod, protocol, SessionKey.parse(session).animal, file.relpath.name)
        kept: list[KeptTrial] = []
        skipped: list[dict[str, Any]] = []
        for index in range(len(bpod)):
            try:
                kept.append(reader.trial(index))
            except _Skip as reason:
                skipped.append({"session": session, "trial": index + 1, "reason": str(reason)})
        about = {
            "session": session,
            "file": str(file.relpath),
            "share": file.share,
            "rig": file.rig,
            "size": content.size,
            "sha256": content.sha256,
            "task": protocol.task,
            "task_protocol": protocol.task_protocol,
            "format": self.name,
            "n_trials": len(bpod),
            "start_local": start.start_local.isoformat(timespec="milliseconds"),
            "start_source": start.source,
            "info_start_local": start.info_start_local and start.info_start_local.isoformat(timespec="milliseconds"),
            "rig_software": data.struct("Info").text("BpodVersion"),
        }
        return {
            "behavior_file": BEHAVIOR_FILE.from_rows([about]),
            "trials": TRIALS.from_rows({"session": session, **trial.row} for trial in kept),
            "skipped_trials": SKIPPED_TRIALS.from_rows(skipped),
            "trial_events": trial_events_of(session, kept),
            "licks": licks_of(session, kept),
            "photostim_sites": photostim_sites_of(session, kept, protocol),
        }


FORMAT = DelayResponse()


def settings_gui(data: Struct) -> Struct:
    """Return the GUI settings that tell the task: SettingsFile's, else trial 1's."""
    gui = data.struct("SettingsFile").struct("GUI")
    settings = [] if gui.names or "TrialSettings" not in data else data.structs("TrialSettings")
    return settings[0].struct("GUI") if settings else gui


class _Reader:
    """Reads trials of one file by the task's rules."""

    def __init__(self, bpod: BpodTrials, protocol: Protocol, animal: str, file: str) -> None:
        self.bpod = bpod
        self.protocol = protocol
        self.period = protocol.photostim.period(animal, file)
        self.menus: dict[bytes, dict[str, list[str]]] = {}

    def trial(self, index: int) -> KeptTrial:
        """Read the trial at `index` (from 0), or raise `_Skip` with the first reason that applies."""
        bpod, states, settings = self.bpod, self.bpod.states[index], self.bpod.settings[index]
        gui = settings.struct("GUI")
        lacking = [name for name in _NEEDED_STATES if name not in bpod.state_names[index]]
        if lacking:
            raise _Skip(f"the state machine has no {', '.join(lacking)}")
        protocol_type = _setting(gui, "ProtocolType")
        if protocol_type < self.protocol.first_protocol_type:
            name = self._name(settings, "ProtocolType", protocol_type, self.protocol.protocol_types)
            raise _Skip(f"ProtocolType {protocol_type:g} ({name}) is not the task")
        found = {event: visits(states, state) for event, state in EVENTS.items()}
        self._check_visits(index, found)
        start_s = float(bpod.start_s[index])
        autolearn = gui.number("Autolearn")
        row = {
            "trial": index + 1,
            "start_s": start_s,
            "stop_s": start_s + float(found["trialend"][0, 0]),
            "instruction": _instruction(_setting(gui, "Reversal"), float(bpod.trial_types[index])),
            "outcome": _outcome(states),
            "early_lick": protocol_type >= self.protocol.first_with_early_licks and _has_early_lick(states),
            "is_auto_water": _setting(gui, "Autowater") == _ON or _gave_free_reward(settings),
            "is_free_water": bool(bpod.free_water[index] != 0),
            **{f"{event}_s": _last_start(found[event], start_s) for event in ("sample", "delay", "go")},
            "n_samples": len(found["sample"]),
            "n_delays": len(found["delay"]),
            "n_go_cues": len(found["go"]),
            **self._photostim(index, protocol_type, autolearn, found["delay"]),
            "bitcode": gui.text("randomID"),
            "bitcode_start_s": _bitcode_start(
                bpod.state_names[index], bpod.state_data[index], bpod.state_times_s[index], start_s
            ),
            "protocol_type": self._name(settings, "ProtocolType", protocol_type, self.protocol.protocol_types),
            "autolearn": self._name(settings, "Autolearn", autolearn, self.protocol.autolearn),
        }
        return KeptTrial(row, found, {port: event_times(bpod.events[index], name) for port, name in PORTS.items()})

    def _check_visits(self, index: int, found: Mapping[str, Numbers]) -> None:
        """Hold the named visits against the raw sequence of states; both are in the file."""
        bpod = self.bpod
        data, times_s = bpod.state_data[index], bpod.state_times_s[index]
        if not np.isfinite(bpod.start_s[index]):
            raise _Skip("it has no TrialStartTimestamp")
        for event in ("presample", "trialend"):
            if not len(found[event]):
                raise _Skip(f"{EVENTS[event]} was never visited")
        if len(times_s) != len(data) + 1:
            raise _Skip(f"{len(data)} states were visited and {len(times_s)} times written; one more time than states")
        for event, state in EVENTS.items():
            n_raw = int(np.count_nonzero(data == bpod.state_names[index].index(state) + 1))
            if n_raw != len(found[event]):
                raise _Skip(f"{state} was visited {n_raw} times by RawData and {len(found[event])} times by RawEvents")
            if not np.isfinite(found[event]).all():
                raise _Skip(f"{state} was entered and never left")

    def _photostim(
        self, index: int, protocol_type: float, autolearn: float | None, delays_s: Numbers
    ) -> dict[str, Any]:
        light, code = self.protocol.photostim, float(self.bpod.stim_codes[index])
        onset_s = light.onset_s(self.period, code, protocol_type, autolearn, delays_s)
        if onset_s is None:
            return dict.fromkeys(
                ("photostim_onset_s", "photostim_duration_s", "photostim_power_mw", "photostim_site"), None
            )
        site = light.sites.get(int(code)) if code.is_integer() else None
        if site is None:
            raise _Skip(f"it was stimulated by code {code:g}, which {self.protocol.source} does not know")
        return {
            "photostim_onset_s": float(self.bpod.start_s[index]) + onset_s,
            "photostim_duration_s": light.duration_s,
            "photostim_power_mw": light.power_mw,
            "photostim_site": site.name,
        }

    def _name(self, settings: Struct, setting: str, number: float | None, names: Mapping[int, str]) -> str | None:
        """Name the number of a choice: as the file's own menus do, else as the protocol file does, else by itself."""
        if number is None:
            return None
        raw = settings.matrix("GUIMeta").raw if "GUIMeta" in settings else b""
        if raw not in self.menus:
            self.menus[raw] = _menus(settings)
        place, choices = int(number), self.menus[raw].get(setting, [])
        return choices[place - 1] if 1 <= place <= len(choices) else names.get(place, f"{number:g}")


def _setting(gui: Struct, name: str) -> float:
    value = gui.number(name)
    if value is None:
        raise _Skip(f"its GUI settings have no {name}")
    return value


def _instruction(reversal: float, trial_type: float) -> str:
    instruction = _INSTRUCTIONS.get((reversal, trial_type))
    if instruction is None:
        raise _Skip(f"trial type {trial_type:g} with Reversal {reversal:g} is no known instruction")
    return instruction


def _outcome(states: Struct) -> str:
    if len(visits(states, "Reward")):
        return "hit"
    return "miss" if len(visits(states, "TimeOut")) else "ignore"


def _has_early_lick(states: Struct) -> bool:
    return any(len(visits(states, name)) for name in ("EarlyLickSample", "EarlyLickDelay"))


def _gave_free_reward(settings: Struct) -> bool:
    """Whether free water came at a port: the first two entries of GaveFreeReward; the third is a counter."""
    return bool(np.any(settings.numbers("GaveFreeReward")[:2])) if "GaveFreeReward" in settings else False


def _last_start(pairs: Numbers, start_s: float) -> float | None:
    return start_s + float(pairs[-1, 0]) if len(pairs) else None


def _bitcode_start(names: list[str], visited: Numbers, times_s: Numbers, start_s: float) -> float | None:
    """When the first of the states that write the code was entered; None where the machine has or visited none."""
    numbers = [number for number, name in enumerate(names, 1) if _BITCODE_STATE.fullmatch(name)]
    entries_s = times_s[:-1][np.isin(visited, numbers)]
    return start_s + float(entries_s.min()) if entries_s.size else None


def _menus(settings: Struct) -> dict[str, list[str]]:
    """Return the choices of each menu of the rig's GUI, in the order of their numbers, less their step numbers."""
    meta = settings.struct("GUIMeta")
    menus = {setting: meta.struct(setting) for setting in _MENUS if setting in meta}
    return {
        setting: [re.sub(r"_step\d+$", "", text.text()) for text in menu.cells("String") if text.kind == "text"]
        for setting, menu in menus.items()
        if "String" in menu
    }
