"""The foraging task's protocol file: its ports, states and rigs. Which file it is stands in `protocol_file`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from map_assets.behavior.protocol_file import ProtocolFile, read_protocol_file


@dataclass(frozen=True)
class ForagingTask:
    """The task with one number of ports."""

    task: str
    task_protocol: int
    ports: tuple[str, ...]


@dataclass(frozen=True)
class ForagingProtocol:
    """A protocol file, read.

    Parameters
    ----------
    source : str
        Name and version of the file.
    experiment : str
        Pattern of the experiment's name.
    tasks : dict of int to ForagingTask
        By the number of lick ports.
    letters, lick_ports : dict of str to str
        Port -> its letter in names of states and settings; and its event where the log does not tell it.
    events : dict of str to tuple of str
        Event -> states, in the order of a trial.
    rigs : dict of str to str
        Setup in lower case -> rig.
    """

    source: str
    experiment: str
    fewest_trials: int
    shortest_open_s: float
    tasks: Mapping[int, ForagingTask]
    letters: Mapping[str, str]
    lick_ports: Mapping[str, str]
    events: Mapping[str, tuple[str, ...]]
    rigs: Mapping[str, str]

    def states(self, event: str, ports: tuple[str, ...]) -> list[str]:
        """Return the states of an event with these ports."""
        return [
            state.format(X=self.letters[port])
            for state in self.events[event]
            for port in (ports if "{X}" in state else ports[:1])
        ]


def read_foraging_protocol(folder: Path | None) -> ForagingProtocol:
    """Read the task's protocol file; parameter and errors as of `read_protocol_file`."""
    return read_protocol_file("foraging", folder, _protocol)


def _protocol(file: ProtocolFile) -> ForagingProtocol:
    values = file.values
    return ForagingProtocol(
        source=file.source,
        experiment=re.compile(values["experiment"]).pattern,
        fewest_trials=int(values["fewest_trials"]),
        shortest_open_s=float(values["shortest_open_s"]),
        tasks={
            int(number): ForagingTask(task["task"], int(task["task_protocol"]), tuple(task["ports"]))
            for number, task in values["tasks"].items()
        },
        letters=dict(values["letters"]),
        lick_ports=dict(values["lick_ports"]),
        events={event: tuple(values["events"][event]) for event in values["events"]},
        rigs=dict(values["rigs"]),
    )
