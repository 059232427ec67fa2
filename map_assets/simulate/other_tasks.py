"""Sessions of tasks other than the delayed response: behaviour file and truth, nothing else. The delayed response lives in `task` and `bpod`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from map_assets.simulate.blueprint import Part, SessionPlan, Task
from map_assets.simulate.multi_target_licking import write_multi_target_licking
from map_assets.simulate.pybpod import write_foraging
from map_assets.simulate.task_truth import TaskTruth, write_task_truth
from map_assets.vocabulary.errors import BadConfiguration

_WRITERS: dict[Task, Callable[[Path, SessionPlan], tuple[list[Path], TaskTruth]]] = {
    "multi target licking": write_multi_target_licking,
    "foraging": write_foraging,
}


def write_other_task(out: Path, share: str, plan: SessionPlan) -> tuple[list[Path], list[Path]]:
    """Write a session's behaviour file, if it has landed, and its truth; return the files of both.

    Raises
    ------
    BadConfiguration
        If the plan has probes, which are made up for the delayed response alone.
    """
    if plan.probes:
        raise BadConfiguration(
            f"A session of {plan.task} is made up without probes; {plan.key} has {len(plan.probes)}."
        )
    files, truth = _WRITERS[plan.task](out / share, plan)
    if Part.BEHAVIOR not in plan.parts:
        for path in files:
            path.unlink()
        files = []
    return files, write_task_truth(out, plan, truth)
