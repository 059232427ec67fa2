"""The truth beside made-up sessions of tasks other than the delayed response: behaviour alone. That of delayed response lives in `truth`.

::

    truth/{session}/session.json     task, seed, start, number of trials
    truth/{session}/{table}.parquet  trials, skipped_trials, trial_events, licks, blocks, block_ports,
                                     water_port_settings, available_rewards; columns as the behaviour room names them
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.writing import write_text
from map_assets.store import replacing
from map_assets.vocabulary.errors import NoSuchTable


@dataclass(frozen=True)
class TaskTruth:
    """The truth of one session.

    Parameters
    ----------
    facts : dict
        ``start_local``, ``n_trials`` and the like.
    rows : dict of str to sequence of dict
        Table -> rows, without the session.
    """

    facts: Mapping[str, Any]
    rows: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)


def write_task_truth(folder: Path, plan: SessionPlan, truth: TaskTruth) -> list[Path]:
    """Write a session's truth under ``truth/{session}``."""
    place = folder / "truth" / plan.key
    facts = {"session": plan.key, "task": plan.task, "seed": plan.seed, **truth.facts}
    written = [write_text(place / "session.json", json.dumps(facts, indent=1) + "\n")]
    for name, rows in truth.rows.items():
        path = place / f"{name}.parquet"
        with replacing(path) as part:
            pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), part, compression="zstd")
        written.append(path)
    return written


def read_task_truth(folder: Path, session: str) -> TaskTruth:
    """Read a session's truth from the laboratory's folder.

    Raises
    ------
    NoSuchTable
        If the laboratory has no such session.
    """
    place = Path(folder) / "truth" / session
    if not (place / "session.json").is_file():
        raise NoSuchTable(f"No truth of session {session} in {folder}; it is written with the laboratory.")
    rows = {path.stem: pq.read_table(path, partitioning=None).to_pylist() for path in sorted(place.glob("*.parquet"))}
    return TaskTruth(json.loads((place / "session.json").read_text("utf-8")), rows)
