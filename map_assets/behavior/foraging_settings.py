"""What a foraging log prints beside its trials: settings in force, blocks, rewards, motors, codes. Trials are read in `foraging_trials`."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from map_assets.behavior.foraging_protocol import ForagingProtocol, ForagingTask
from map_assets.behavior.pybpod import PybpodLog
from map_assets.vocabulary.errors import PiecesDoNotFit

_SETTINGS, _UPDATED, _MOTORS = "Variables:", "Variables updated:", "LickportMotors:"
_BLOCK, _CODE = "Blocknumber:", "TrialBitCode:"
_MOTOR_AXES = {
    "lateral_position": "LickPort_Lateral_pos",
    "rostrocaudal_position": "LickPort_RostroCaudal_pos",
    "dorsoventral_position": "LickPort_DorsoVentral_pos",
}


class ForagingSettings:
    """What a log prints, given to the trial that it belongs to.

    What is printed after a trial (rewards left over, motors) is that trial's. Block and code are printed before a trial by
    newer tasks and after it by older ones, which a log shows by whether its first one stands before the first trial.
    """

    def __init__(self, log: PybpodLog, protocol: ForagingProtocol) -> None:
        self._log = log
        self._protocol = protocol
        self._opened: Sequence[int] = log.trial_rows.tolist()
        self._first: dict[str, Any] = next((values for _, values in log.settings(_SETTINGS)), {})
        self._in_force = [(-1, self._first)]
        for row, values in log.settings(_UPDATED):
            self._in_force.append((row, {**self._in_force[-1][1], **values}))
        self._motors = self._of_trials([(row, values) for row, values in log.settings(_MOTORS)], may_precede=False)
        self._left_over = {
            port: self._printed(f"reward_{letter}_accumulated:", may_precede=False)
            for port, letter in protocol.letters.items()
        }
        self.bitcodes: Mapping[int, str] = self._printed(_CODE)
        self.block_numbers: Mapping[int, int] = {
            trial: int(text) for trial, text in self._printed(_BLOCK).items() if text.isdecimal()
        }
        self._in_block, self.ports_of_block = self._blocks()
        self.n_trials_of_block = Counter(self._in_block.values())

    def _printed(self, label: str, *, may_precede: bool = True) -> dict[int, str]:
        found = [(one.row, one.text) for one in self._log.printed.get(label, [])]
        return self._of_trials(found, may_precede=may_precede)

    def _of_trials(self, printed: Sequence[tuple[int, Any]], *, may_precede: bool) -> dict[int, Any]:
        """Give what was printed to trials, numbered from 1; the first of each holds."""
        if not printed or not self._opened:
            return {}
        precedes = may_precede and printed[0][0] < self._opened[0]
        found: dict[int, Any] = {}
        for row, value in printed:
            trial = bisect_right(self._opened, row) + precedes
            if 1 <= trial <= len(self._opened):
                found.setdefault(trial, value)
        return found

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
        """Return how long a port's valve opens, by the settings in force at a row of the log, s."""
        rows = [at for at, _ in self._in_force]
        values = self._in_force[bisect_right(rows, row) - 1][1]
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
