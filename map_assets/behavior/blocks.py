"""Blocks of trials: numbering trials within them, and their two tables. What begins a new block lives with the task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from map_assets.behavior.kept_trials import KeptTrial
from map_assets.behavior.tables import BLOCK_PORTS, BLOCKS


def numbered_in_blocks(kept: Sequence[KeptTrial]) -> list[KeptTrial]:
    """Give each trial of a block its number among the block's kept ones; `kept` is in order of the trials."""
    seen: Counter[int] = Counter()
    found = []
    for trial in kept:
        block = trial.row.get("block")
        if block is None:
            found.append(trial)
            continue
        seen[block] += 1
        found.append(replace(trial, row={**trial.row, "block_trial": seen[block]}))
    return found


def block_tables(
    session: str,
    kept: Sequence[KeptTrial],
    n_trials: Mapping[int, int],
    about: Mapping[int, Mapping[str, Any]],
    ports: Mapping[int, Sequence[Mapping[str, Any]]],
) -> dict[str, pa.Table]:
    """Return the tables `blocks` and `block_ports`, of the blocks of which a trial was kept.

    Parameters
    ----------
    session : str
    kept : sequence of KeptTrial
        In order of the trials.
    n_trials : dict of int to int
        Block -> its trials that were run, skipped ones too.
    about : dict of int to dict
        Block -> further columns of its row of `blocks`.
    ports : dict of int to sequence of dict
        Block -> its rows of `block_ports`, without session and block.
    """
    first: dict[int, Mapping[str, Any]] = {}
    for trial in kept:
        block = trial.row.get("block")
        if block is not None:
            first.setdefault(block, trial.row)
    blocks = [
        {
            "session": session,
            "block": block,
            "first_trial": row["trial"],
            "start_s": row["start_s"],
            "n_trials": n_trials[block],
            **about.get(block, {}),
        }
        for block, row in first.items()
    ]
    rows = [{"session": session, "block": block, **port} for block in first for port in ports.get(block, ())]
    return {"blocks": BLOCKS.from_rows(blocks), "block_ports": BLOCK_PORTS.from_rows(rows)}
