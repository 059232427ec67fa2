"""The delayed-response task's Bpod file: trials, events, licks and photostimulation. Opening the file lives in `behavior`.

The rules are those of the earlier MAP pipeline, but events are read by name and not by code, and every trial of the
file ends in one of two tables: `trials`, or `skipped_trials` with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from map_assets.behavior.about import about_file, check_enough_trials
from map_assets.behavior.bpod import BpodTrials, Numbers, read_bpod
from map_assets.behavior.bpod_events import event_times
from map_assets.behavior.kept_trials import KeptTrial, Skip, photostim_sites_of, read_trials, tables_of
from map_assets.behavior.protocol import Protocol, read_protocol
from map_assets.behavior.pybpod import PybpodLog
from map_assets.behavior.settings import MenuNames, is_on, setting, settings_gui
from map_assets.behavior.start import read_start
from map_assets.behavior.visits import bitcode_start_s, is_free_water, named_visits
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

_NEEDED_STATES = (*EVENTS.values(), "StopLicking")
_EARLY_LICKS, _REWARD, _TIME_OUT = ("EarlyLickSample", "EarlyLickDelay"), "Reward", "TimeOut"
_TOLD = (*_EARLY_LICKS, _REWARD, _TIME_OUT)
_INSTRUCTIONS: dict[tuple[float, float], str] = {(1, 1): "left", (1, 0): "right", (2, 1): "right", (2, 0): "left"}
"""(GUI.Reversal: 1 off, 2 on; trial type) -> instruction."""
_TARGETS = ("X_center", "Y_center", "Z_center")


class DelayResponse:
    """Reads the auditory delayed-response task (two lick ports)."""

    name = "delay_response"

    def recognizes(self, content: MatlabFile | PybpodLog, protocols: Path | None) -> bool:  # noqa: ARG002
        """Whether the settings, or trial 1's states, are of a task with a sample and a delay."""
        if not isinstance(content, MatlabFile):
            return False
        data = content.struct("SessionData")
        if not all(name in data for name in ("TrialSettings", "RawEvents", "RawData")):
            return False
        gui = settings_gui(data)
        if "SamplePeriod" in gui and "DelayPeriod" in gui:
            return True
        if all(name in gui for name in _TARGETS):
            return False
        trials = data.struct("RawEvents").structs("Trial")
        return bool(trials) and all(state in trials[0].struct("States") for state in ("SamplePeriod", "DelayPeriod"))

    def read(
        self, session: str, file: FoundFile, content: MatlabFile | PybpodLog, protocols: Path | None
    ) -> dict[str, pa.Table]:
        """Read the file's tables; see `behavior.read.read_behavior`."""
        if not isinstance(content, MatlabFile):
            raise TypeError("a delayed-response file is a MATLAB file")
        data = content.struct("SessionData")
        protocol = read_protocol(self.name, protocols)
        bpod = read_bpod(data)
        check_enough_trials(file, len(bpod), protocol.fewest_trials, protocol.source)
        start = read_start(session, data)
        reader = _Reader(bpod, protocol, SessionKey.parse(session).animal, file.relpath.name)
        kept, skipped = read_trials(bpod.start_s, reader.trial)
        about = about_file(
            file,
            content,
            start,
            task=protocol.task,
            task_protocol=protocol.task_protocol,
            format=self.name,
            protocol_file=protocol.source,
            n_trials=len(bpod),
            rig_software=data.struct("Info").text("BpodVersion"),
        )
        sites = photostim_sites_of(session, kept, protocol)
        return {**tables_of(session, about, kept, skipped), "photostim_sites": sites}


FORMAT = DelayResponse()


class _Reader:
    """Reads trials of one file by the task's rules."""

    def __init__(self, bpod: BpodTrials, protocol: Protocol, animal: str, file: str) -> None:
        self.bpod = bpod
        self.protocol = protocol
        self.period = protocol.photostim.period(animal, file)
        self.menus = MenuNames({"ProtocolType": protocol.protocol_types, "Autolearn": protocol.autolearn})

    def trial(self, index: int) -> KeptTrial:
        """Read the trial at `index` (from 0), or raise `Skip` with the first reason that applies."""
        bpod, protocol, settings = self.bpod, self.protocol, self.bpod.settings[index]
        gui = settings.struct("GUI")
        lacking = [name for name in _NEEDED_STATES if name not in bpod.state_names[index]]
        if lacking:
            raise Skip(f"the state machine has no {', '.join(lacking)}")
        protocol_type = setting(gui, "ProtocolType")
        if protocol_type < protocol.first_protocol_type:
            name = self.menus.name(settings, "ProtocolType", protocol_type)
            raise Skip(f"ProtocolType {protocol_type:g} ({name}) is not the task")
        states = named_visits(bpod, index, EVENTS.values(), _TOLD)
        found = {event: states[state] for event, state in EVENTS.items()}
        for event in ("presample", "trialend"):
            if not len(found[event]):
                raise Skip(f"{EVENTS[event]} was never visited")
        start_s = float(bpod.start_s[index])
        stop_s = start_s + float(found["trialend"][0, 0])
        until_s = bpod.until_s(index)
        autolearn = gui.number("Autolearn")
        row = {
            "trial": index + 1,
            "start_s": start_s,
            "stop_s": stop_s,
            "until_s": stop_s if until_s is None else until_s,
            "instruction": _instruction(setting(gui, "Reversal"), float(bpod.trial_types[index])),
            "outcome": "hit" if len(states[_REWARD]) else "miss" if len(states[_TIME_OUT]) else "ignore",
            "early_lick": protocol_type >= protocol.first_with_early_licks
            and any(len(states[name]) for name in _EARLY_LICKS),
            "is_auto_water": is_on(gui, "Autowater") or _gave_free_reward(settings),
            "is_free_water": is_free_water(bpod, index),
            **{f"{event}_s": _last_start(found[event], start_s) for event in ("sample", "delay", "go")},
            "n_samples": len(found["sample"]),
            "n_delays": len(found["delay"]),
            "n_go_cues": len(found["go"]),
            **self._photostim(index, protocol_type, autolearn, found["delay"]),
            "bitcode": _code(gui.text("randomID")),
            "bitcode_start_s": bitcode_start_s(bpod, index),
            "protocol_type": self.menus.name(settings, "ProtocolType", protocol_type),
            "autolearn": self.menus.name(settings, "Autolearn", autolearn),
        }
        ports = {port: event_times(bpod.events[index], name) for port, name in protocol.lick_ports.items()}
        return KeptTrial(row, found, ports)

    def _photostim(
        self, index: int, protocol_type: float, autolearn: float | None, delays_s: Numbers
    ) -> Mapping[str, Any]:
        light, code = self.protocol.photostim, float(self.bpod.stim_codes[index])
        if not code.is_integer():
            raise Skip(f"its stimulation code is {code:g}, no whole number")
        if code != 0 and autolearn is None and self.period is not None:
            raise Skip(
                f"its stimulation code is {code:g}, and without Autolearn it is unknown whether it was stimulated"
            )
        onset_s = light.onset_s(self.period, code, protocol_type, autolearn, delays_s)
        if onset_s is None:
            return dict.fromkeys(
                ("photostim_onset_s", "photostim_duration_s", "photostim_power_mw", "photostim_site"), None
            )
        site = light.sites.get(int(code))
        if site is None:
            raise Skip(f"it was stimulated by code {code:g}, which {self.protocol.source} does not know")
        return {
            "photostim_onset_s": float(self.bpod.start_s[index]) + onset_s,
            "photostim_duration_s": light.duration_s,
            "photostim_power_mw": light.power_mw,
            "photostim_site": site.name,
        }


def _instruction(reversal: float, trial_type: float) -> str:
    instruction = _INSTRUCTIONS.get((reversal, trial_type))
    if instruction is None:
        raise Skip(f"trial type {trial_type:g} with Reversal {reversal:g} is no known instruction")
    return instruction


def _code(written: str | None) -> str | None:
    """Return a code of zeros and ones; None of anything else."""
    return written if written is not None and re.fullmatch("[01]+", written) else None


def _gave_free_reward(settings: Struct) -> bool:
    """Whether free water came at a port: the first two entries of GaveFreeReward; the third is a counter."""
    if "GaveFreeReward" not in settings:
        return False
    given = settings.numbers("GaveFreeReward")[:2]
    if len(given) < 2 or not np.isfinite(given).all():
        raise Skip("its GaveFreeReward does not say whether water was given at the two ports")
    return bool(np.any(given))


def _last_start(pairs: Numbers, start_s: float) -> float | None:
    return start_s + float(pairs[-1, 0]) if len(pairs) else None
