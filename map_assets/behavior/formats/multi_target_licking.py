"""The multi-target-licking task's Bpod file: trials and blocks of targets. Opening the file lives in `behavior`.

The rig plans more trials than it runs: ``MATLABStartTimes`` of a trial that was never run is 0. Trials keep the number
that the rig planned them under (it is their code, too), and those that were never run are rows of `skipped_trials`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.behavior.about import about_file, check_enough_trials
from map_assets.behavior.blocks import block_tables, numbered_in_blocks
from map_assets.behavior.bpod import TODO_COPY, BpodTrials, read_bpod
from map_assets.behavior.bpod_events import event_times
from map_assets.behavior.kept_trials import KeptTrial, Skip, read_trials, tables_of
from map_assets.behavior.protocol_file import ProtocolFile, read_protocol_file
from map_assets.behavior.pybpod import PybpodLog
from map_assets.behavior.settings import MenuNames, is_on, setting, settings_gui
from map_assets.behavior.start import read_start
from map_assets.behavior.targets import Targets
from map_assets.behavior.visits import bitcode_start_s, is_free_water, named_visits
from map_assets.vocabulary.errors import PiecesDoNotFit
from map_assets.vocabulary.files import FoundFile
from map_assets.vocabulary.matlab import MatlabFile
from map_assets.vocabulary.matlab_struct import Struct

_CENTERS = ("X_center", "Y_center", "Z_center")
_NEEDED_STATES = ("TrigTrialStart", "TrialEnd")
_Place = tuple[tuple[str, Any], ...]
_NEVER_RUN = "it was planned and never run"


@dataclass(frozen=True)
class _Protocol:
    """The protocol file, read."""

    source: str
    task: str
    fewest_trials: int
    bitcode_bits: int
    lick_ports: Mapping[str, str]
    protocol_types: Mapping[int, str]


def _protocol(file: ProtocolFile) -> _Protocol:
    values = file.values
    return _Protocol(
        file.source,
        values["task"],
        int(values["fewest_trials"]),
        int(values["bitcode_bits"]),
        dict(values["lick_ports"]),
        {int(number): name for number, name in values["protocol_types"].items()},
    )


class MultiTargetLicking:
    """Reads the multi-target-licking task (one port that moves between targets)."""

    name = "multi_target_licking"

    def recognizes(self, content: MatlabFile | PybpodLog, protocols: Path | None) -> bool:  # noqa: ARG002
        """Whether the settings have a centre of targets, and not both a sample and a delay."""
        if not isinstance(content, MatlabFile):
            return False
        gui = settings_gui(content.struct("SessionData"))
        return all(name in gui for name in _CENTERS) and not ("SamplePeriod" in gui and "DelayPeriod" in gui)

    def read(
        self, session: str, file: FoundFile, content: MatlabFile | PybpodLog, protocols: Path | None
    ) -> dict[str, pa.Table]:
        """Read the file's tables; see `behavior.read.read_behavior`."""
        if not isinstance(content, MatlabFile):
            raise TypeError("a multi-target-licking file is a MATLAB file")
        data = content.struct("SessionData")
        protocol = read_protocol_file(self.name, protocols, _protocol)
        started = data.numbers("MATLABStartTimes")
        was_run = np.isfinite(started) & (started != 0)
        bpod = read_bpod(data, was_run)
        check_enough_trials(file, len(bpod), protocol.fewest_trials, protocol.source)
        block = _blocks(data, len(started))
        numbers = np.flatnonzero(was_run) + 1
        reader = _Reader(bpod, protocol, numbers, block[was_run], Targets(data, was_run))
        kept, skipped = read_trials(bpod.start_s, reader.trial)
        kept = numbered_in_blocks(kept)
        skipped = [{**row, "trial": int(numbers[row["trial"] - 1])} for row in skipped]
        skipped += [
            {"trial": int(place) + 1, "reason": _NEVER_RUN, "was_run": False} for place in np.flatnonzero(~was_run)
        ]
        about = about_file(
            file,
            content,
            read_start(session, data),
            task=protocol.task,
            task_protocol=reader.protocol_type(file),
            format=self.name,
            protocol_file=protocol.source,
            n_trials=len(started),
            rig_software=data.struct("Info").text("BpodVersion"),
        )
        tables = tables_of(session, about, kept, sorted(skipped, key=lambda row: int(row["trial"])))
        n_run = Counter(block[was_run].tolist())
        return tables | block_tables(session, kept, n_run, reader.about, reader.ports)


FORMAT = MultiTargetLicking()


class _Reader:
    """Reads trials of one file by the task's rules, and each block off its trials.

    A block's target stands where most of its trials have it; what else is said of it, its first kept trial says.
    """

    def __init__(
        self,
        bpod: BpodTrials,
        protocol: _Protocol,
        numbers: NDArray[np.int64],
        block: NDArray[np.int64],
        targets: Targets,
    ) -> None:
        self.bpod = bpod
        self.protocol = protocol
        self.numbers = numbers
        self.block = block
        self.targets = targets
        self.menus = MenuNames({"ProtocolType": protocol.protocol_types})
        self.about: dict[int, dict[str, Any]] = {}
        self.first_of_block = set(np.unique(block, return_index=True)[1].tolist())
        self.places = self._places()
        self.ports = {number: [dict(place)] for number, place in self.places.items()}

    def protocol_type(self, file: FoundFile) -> int:
        """Return the number of the first trial's protocol that is of the task, else of the first that has any.

        Raises
        ------
        PiecesDoNotFit
            If no trial has one.
        """
        numbers = [settings.struct("GUI").number("ProtocolType") for settings in self.bpod.settings]
        whole = [int(number) for number in numbers if number is not None and number.is_integer()]
        if not whole:
            raise PiecesDoNotFit(file.path, "no trial has a ProtocolType", expected="its number", todo=TODO_COPY)
        return next((number for number in whole if number in self.protocol.protocol_types), whole[0])

    def _place(self, index: int) -> _Place:
        target = self.targets.of(index, int(self.numbers[index]), float(self.bpod.trial_types[index]))
        y = self.bpod.settings[index].struct("GUI").number("Y_center")
        return (("port", target.port), ("position_x", target.x), ("position_y", y), ("position_z", target.z))

    def _places(self) -> dict[int, _Place]:
        """Find each block's target and where it stands: as most of its trials have it."""
        found: dict[int, Counter[_Place]] = {}
        for index, block in enumerate(self.block.tolist()):
            try:
                found.setdefault(block, Counter())[self._place(index)] += 1
            except Skip:
                continue  # it says the same when the trial itself is read
        return {block: places.most_common(1)[0][0] for block, places in found.items() if places}

    def trial(self, index: int) -> KeptTrial:
        """Read the run trial at `index` (from 0), or raise `Skip` with the first reason that applies."""
        bpod, number, block = self.bpod, int(self.numbers[index]), int(self.block[index])
        settings = bpod.settings[index]
        gui = settings.struct("GUI")
        lacking = [name for name in _NEEDED_STATES if name not in bpod.state_names[index]]
        if lacking:
            raise Skip(f"the state machine has no {', '.join(lacking)}")
        protocol_type = setting(gui, "ProtocolType")
        if protocol_type not in self.protocol.protocol_types:
            raise Skip(f"ProtocolType {protocol_type:g} is not the task")
        states = named_visits(bpod, index, ("TrialEnd",), ("TrigTrialStart",))
        for state in _NEEDED_STATES:
            if not len(states[state]):
                raise Skip(f"{state} was never visited")
        place = self._place(index)
        if place != self.places[block]:
            here, there = (", ".join(f"{name} {value}" for name, value in one) for one in (place, self.places[block]))
            raise Skip(f"its target is {here}; that of its block {block} is {there}")
        about = {
            "n_licks_for_reward": _whole(gui, "NumLicksForReward"),
            "roll_deg": gui.number("RollDeg"),
            "n_bins_x": (n_bins := _whole(gui, "num_bins")),
            "n_bins_y": 1,
            "n_bins_z": n_bins,
        }
        start_s = float(bpod.start_s[index])
        stop_s = start_s + float(states["TrialEnd"][0, 0])
        until_s = bpod.until_s(index)
        row = {
            "trial": number,
            "start_s": start_s,
            "stop_s": stop_s,
            "until_s": stop_s if until_s is None else until_s,
            "instruction": "none",
            "outcome": "N/A",
            "is_auto_water": is_on(gui, "Autowater") or index in self.first_of_block,
            "is_free_water": is_free_water(bpod, index),
            **dict.fromkeys(("n_samples", "n_delays", "n_go_cues"), 0),
            "bitcode": self._bitcode(number),
            "bitcode_start_s": bitcode_start_s(bpod, index),
            "protocol_type": self.menus.name(settings, "ProtocolType", protocol_type),
            "block": block,
        }
        licks = {port: event_times(bpod.events[index], name) for port, name in self.protocol.lick_ports.items()}
        self.about.setdefault(block, about)
        return KeptTrial(row, {"trialend": states["TrialEnd"]}, licks)

    def _bitcode(self, number: int) -> str | None:
        bits = self.protocol.bitcode_bits
        return f"{number:0{bits}b}"[::-1] if number < 1 << bits else None


def _whole(gui: Struct, name: str) -> int | None:
    value = gui.number(name)
    if value is not None and not value.is_integer():
        raise Skip(f"{name} is {value:g}, no whole number")
    return None if value is None else int(value)


def _blocks(data: Struct, n_planned: int) -> NDArray[np.int64]:
    """Block of each planned trial, from 1: one begins where the order within the block is 1.

    Raises
    ------
    PiecesDoNotFit
        If a trial is neither the first of a block nor the next one of it.
    """
    order = data.numbers("TrialBlockOrder")
    if len(order) != n_planned or not np.isfinite(order).all():
        raise PiecesDoNotFit(
            data.path,
            f"TrialBlockOrder places {int(np.isfinite(order).sum())} trials and MATLABStartTimes {n_planned}",
            expected="one place within its block for each trial",
            todo=TODO_COPY,
        )
    is_first = order == 1
    wrong = np.flatnonzero(~is_first & (order != np.r_[0, order[:-1]] + 1))
    if wrong.size:
        at = int(wrong[0])
        raise PiecesDoNotFit(
            data.path,
            f"TrialBlockOrder says {order[at]:g} of trial {at + 1}" + (f" after {order[at - 1]:g}" if at else ""),
            expected="1, or one more than of the trial before",
            todo=TODO_COPY,
        )
    return np.cumsum(is_first)
