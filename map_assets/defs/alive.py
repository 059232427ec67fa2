"""Which runs under way are still somebody's: a process that was killed leaves its run STARTED for ever. Retrying is the sensor's part."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

RUNNER_TAG = "map_assets/runner"
AGAIN_TAG = "map_assets/again"
"""On a run in which a person wants everything made anew, though its inputs are the same."""
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def runner() -> str:
    """Name this process: host, number and when it began, so that a number given out anew is not taken for it."""
    return f"{socket.gethostname()}:{os.getpid()}:{_began(os.getpid())}"


def is_gone(name: str) -> bool:
    """Whether the process of that name has ended; of another host's nothing is known, and it counts as running."""
    host, number, began = name.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return _began(int(number)) != began
    return _began(int(number)) != began


def _began(number: int) -> str:
    """When a process began, in the kernel's ticks; empty where the system does not tell."""
    try:
        # the name in brackets may hold anything; what follows it are numbers
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def runs_under_way(instance: dg.DagsterInstance) -> Iterator[dg.DagsterRun]:
    """Give the runs that somebody still works on; one whose process was killed is reported as failed."""
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY)):
        name = run.tags.get(RUNNER_TAG)
        if name is not None and is_gone(name):
            instance.report_run_failed(run, f"The process that ran it ({name}) was ended from outside.")
        else:
            yield run
