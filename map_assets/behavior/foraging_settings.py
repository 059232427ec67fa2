"""What a foraging log prints beside its trials: settings in force, blocks, rewards, motors, codes. Trials are read in `foraging_trials`."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from map_assets.behavior.foraging_protocol import ForagingProtocol, ForagingTask
from map_assets.behavior.pybpod import TORN, PybpodLog
from map_assets.behavior.pybpod_trials import LogTrials
from map_assets.vocabulary.errors import PiecesDoNotFit

_SETTINGS, _UPDATED, _MOTORS = "Variables:", "Variables updated:", "LickportMotors:"
_BLOCK, _CODE = "Blocknumber:", "TrialBitCode:"
_BESIDE = (_BLOCK, _CODE, "Trialnumber:")
_BITS = re.compile("[01]+")
_FEW_TRIALS, _FEW_SHARE = 2, 0.1
"""For so many trials, or this share of them, what is printed for each may be missing."""
_MOTOR_AXES = {
    "lateral_position": "LickPort_Lateral_pos",
    "rostrocaudal_position": "LickPort_RostroCaudal_pos",
    "dorsoventral_position": "LickPort_DorsoVentral_pos",
}


class ForagingSettings:
    """What a log prints, given to the trial that it belongs to.

    What is printed after a trial (rewards left over, motors) is that trial's. Block and code are printed before a trial by
    newer tasks and after it by older ones: a log of the first kind prints them before its first trial, one of the second
    after its last. Where that, or how often a label stands between two trials, does not tell, they are unknown.
    """

    def __init__(self, log: PybpodLog, trials: LogTrials, protocol: ForagingProtocol) -> None:
        self._log = log
        self._protocol = protocol
        self._trials = trials
        self._first: dict[str, Any] = next((values for _, values in log.settings(_SETTINGS)), {})
        self._changes = self._settings_in_force()
        self._motors = self._of_trials([(row, values) for row, values in log.settings(_MOTORS)], is_before=False)
        self._left_over = {
            port: self._of_trials(self._printed(f"reward_{letter}_accumulated:"), is_before=False)
            for port, letter in protocol.letters.items()
        }
        is_before = self._are_printed_before()
        self.bitcodes: Mapping[int, str] = {
            trial: text for trial, text in self._of_each_trial(_CODE, is_before).items() if _BITS.fullmatch(text)
        }
        self.block_numbers: Mapping[int, int] = {
            trial: int(text)
            for trial, text in self._of_each_trial(_BLOCK, is_before).items()
            if text.isascii() and text.isdecimal()
        }
        self._in_block, self.ports_of_block = self._blocks()
        self.n_trials_of_block = Counter(self._in_block.values())

    def _printed(self, label: str) -> list[tuple[int, Any]]:
        return [(one.row, one.text) for one in self._log.printed.get(label, [])]

    def _settings_in_force(self) -> list[tuple[int, dict[str, Any] | None]]:
        """Return rows from which settings hold, in order; None where it is not known which ones do.

        A label without settings, settings without a label, and a torn row that may have been either, leave open what
        holds from there on.
        """
        log, updates = self._log, dict(self._log.settings(_UPDATED))
        doubtful = {one.row for one in log.printed.get("", []) if one.text.startswith("{")}
        for row, (kind, text) in enumerate(zip(log.kinds, log.texts, strict=True)):
            is_label = kind == "stdout" and text.strip() == _UPDATED and row not in updates
            if is_label or (kind == TORN and ("Variables" in text or "{" in text)):
                doubtful.add(row)
        found: list[tuple[int, dict[str, Any] | None]] = [(-1, self._first)]
        for row in sorted({*updates, *doubtful}):
            found.append((row, {**(found[-1][1] or self._first), **updates[row]} if row in updates else None))
        return found

    def _are_printed_before(self) -> bool | None:
        """Whether block and code stand before their trial; None if the log does not tell.

        All labels that stand beside a trial are asked at both ends of the log, where alone the two kinds differ.
        """
        n_trials = len(self._trials)
        where = [{self._trials.until(row) for row, _ in self._printed(label)} for label in _BESIDE]
        before, after = (sum(end in found for found in where) for end in (0, n_trials))
        if before and not after:
            return True
        if after and not before:
            return None if self._trials.is_head_torn else False
        return True if before > 1 else None  # the rig was stopped between printing and the trial

    def _of_each_trial(self, label: str, is_before: bool | None) -> dict[int, str]:
        """Give what is printed once for each trial; nothing where that does not hold for nearly all of them."""
        found = {} if is_before is None else self._of_trials(self._printed(label), is_before=is_before)
        n_trials = len(self._trials)
        return found if n_trials - len(found) <= max(_FEW_TRIALS, _FEW_SHARE * n_trials) else {}

    def _of_trials(self, printed: Sequence[tuple[int, Any]], *, is_before: bool) -> dict[int, Any]:
        """Give what was printed to trials, numbered from 1; nothing where several are printed and differ."""
        found: dict[int, list[Any]] = {}
        for row, value in printed:
            found.setdefault(self._trials.until(row) + is_before, []).append(value)
        n_trials = len(self._trials)
        return {
            trial: values[0]
            for trial, values in found.items()
            if 1 <= trial <= n_trials and all(value == values[0] for value in values)
        }

    def task(self) -> ForagingTask:
        """Return the task by its number of lick ports; where the settings do not tell, there are two.

        Raises
        ------
        PiecesDoNotFit
            If the protocol file knows no task with that number.
        """
        number = self._first.get("lickport_number", 2)
        if not isinstance(number, int) or number not in self._protocol.tasks:
            raise PiecesDoNotFit(
                self._log.path,
                f"its lickport_number is {number!r}",
                expected=f"one of {', '.join(map(str, self._protocol.tasks))}",
                todo=f"Describe the task in the protocol file ({self._protocol.source}).",
            )
        return self._protocol.tasks[number]

    def channel(self, port: str) -> str:
        """Return the event of a contact with a port, as the log's settings name it, else as the protocol file does.

        Raises
        ------
        PiecesDoNotFit
            If neither tells.
        """
        name = f"WaterPort_{self._protocol.letters[port]}_ch_in"
        told = self._first.get(name, self._protocol.lick_ports.get(port))
        if not isinstance(told, str) or not told:
            raise PiecesDoNotFit(
                self._log.path,
                f"its settings have no {name}",
                expected=f"the event of a contact with the {port} port",
                todo=f"Name it under lick_ports of the protocol file ({self._protocol.source}).",
            )
        return told

    def open_duration_s(self, row: int, port: str) -> float | None:
        """Return how long a port's valve opens, by the settings in force at a row of the log, s; None if unknown."""
        values = self._changes[bisect_right(self._changes, row, key=lambda change: change[0]) - 1][1] or {}
        return _number(values.get(f"ValveOpenTime_{self._protocol.letters[port]}"))

    @property
    def keeps_rewards(self) -> bool:
        """Whether rewards that were not taken stay at their port, as the settings say."""
        return self._first.get("accumulate_reward") in (True, 1)

    def is_left_over(self, trial: int, port: str) -> bool | None:
        """Whether a reward still lay at a port after a trial; None if that was not printed."""
        return {"True": True, "False": False}.get(self._left_over[port].get(trial, ""))

    def ports(self, trial: int) -> dict[str, float | None]:
        """Return where the lick ports stood at the end of a trial, motor units; empty if that was not printed."""
        values = self._motors.get(trial, {})
        found = {axis: _number(values.get(name)) for axis, name in _MOTOR_AXES.items()}
        return found if any(value is not None for value in found.values()) else {}

    def block(self, trial: int) -> int | None:
        """Return a trial's block, from 1; None if it was not printed."""
        return self._in_block.get(trial)

    def _blocks(self) -> tuple[dict[int, int], dict[int, list[dict[str, Any]]]]:
        """Number the blocks: one begins where the probabilities of rewards change (unknown ones: where its number does)."""
        in_block: dict[int, int] = {}
        ports: dict[int, list[dict[str, Any]]] = {}
        last: Any = None
        for trial, number in sorted(self.block_numbers.items()):
            chances = {port: self._probability(port, number) for port in self.task().ports}
            known = {port: chance for port, chance in chances.items() if chance is not None}
            now = known or number
            if now != last:
                ports[len(ports) + 1] = [{"port": port, "reward_probability": chances[port]} for port in chances]
            last = now
            in_block[trial] = len(ports)
        return in_block, ports

    def _probability(self, port: str, block: int) -> float | None:
        listed = self._first.get(f"reward_probabilities_{self._protocol.letters[port]}")
        if not isinstance(listed, list | tuple) or not 1 <= block <= len(listed):
            return None
        value = _number(listed[block - 1])
        return None if value is None else round(value, 3)


def _number(value: Any) -> float | None:
    """Return a setting as a number; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        return None
    return float(value)
