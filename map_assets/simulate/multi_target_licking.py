"""A multi-target-licking session: lets it happen and writes its MATLAB file and its truth. Shared settings of plans stand in `blueprint`.

One port moves between the nine targets of a 3 x 3 grid; a block keeps one target. Some trials are planned and never run:
their ``MATLABStartTimes`` is 0 and the raw data lack them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.bpod import EVENT_CODES, FIRST_TRIAL_AFTER_S, datenum, start_local, struct_array
from map_assets.simulate.chance import generator
from map_assets.simulate.task_truth import TaskTruth
from map_assets.simulate.trial import BIT_STATES, TICKS_PER_S
from map_assets.simulate.writing import as_matlab_stores, cell, mat_bytes, write_bytes

_STATES = ("TrigTrialStart", *BIT_STATES[:20], "OffState17", "WaitForLicks", "Reward", "TrialEnd")
_MENU = ["2D", "Spontaneous"]


@dataclass(frozen=True)
class _Trial:
    """One planned trial: its block and place in it, its state machine in ticks of 0.1 ms, when it began (None: never)."""

    number: int
    block: int
    order: int
    target: int
    start_ms: int | None
    visits: tuple[tuple[str, int, int], ...]
    autowater: int
    is_free_water: bool

    def at(self, state: str) -> int:
        """Entry of the first visit of a state, ticks."""
        return next(entry for name, entry, _ in self.visits if name == state)


@dataclass(frozen=True)
class _Block:
    target: int
    n_trials: int
    n_licks: int
    roll_deg: float


def write_multi_target_licking(share: Path, plan: SessionPlan) -> tuple[list[Path], TaskTruth]:
    """Write the session's behaviour file under ``{animal}/{protocol}/Session Data``; return it and the session's truth."""
    rng = generator(plan.seed, plan.key, plan.task)
    blocks = _make_blocks(plan, rng)
    trials = _make_trials(plan, rng, blocks)
    run = [trial for trial in trials if trial.start_ms is not None]
    content = mat_bytes({"SessionData": _session_data(plan, trials, run, blocks)}, start_local(plan))
    path = share / plan.animal / plan.protocol / "Session Data" / plan.behavior_name
    return [write_bytes(path, content)], _truth(plan, run, trials, blocks)


def _make_blocks(plan: SessionPlan, rng: np.random.Generator) -> list[_Block]:
    blocks, n_left = [], plan.n_trials
    while n_left:
        n_trials = min(n_left, int(rng.integers(4, 12)))
        blocks.append(
            _Block(int(rng.integers(1, 10)), n_trials, int(rng.integers(1, 7)), float(rng.choice([-15, 0, 15])))
        )
        n_left -= n_trials
    return blocks


def _make_trials(plan: SessionPlan, rng: np.random.Generator, blocks: Sequence[_Block]) -> list[_Trial]:
    trials: list[_Trial] = []
    now_ms = 0
    for block_number, block in enumerate(blocks, 1):
        for order in range(1, block.n_trials + 1):
            visits = _visits(rng)
            was_run = rng.random() >= plan.lost_share or not trials
            flags = rng.random(2) < (plan.auto_water_share, 0.02)
            trials.append(
                _Trial(
                    len(trials) + 1,
                    block_number,
                    order,
                    block.target,
                    now_ms if was_run else None,
                    visits,
                    1 if flags[0] else 2,
                    bool(flags[1]),
                )
            )
            if was_run:
                now_ms += -(-visits[-1][2] // 10) + 83 + int(rng.integers(0, 900))
    return trials


def _visits(rng: np.random.Generator) -> tuple[tuple[str, int, int], ...]:
    found: list[tuple[str, int, int]] = []
    now = 0
    lengths = {"TrigTrialStart": 5_000, "WaitForLicks": int(rng.integers(2_000, 90_000)), "TrialEnd": 2_500}
    names = [name for name in _STATES if name != "Reward" or rng.random() < 0.8]
    for name in names:
        length = lengths.get(name, 100)
        found.append((name, now, now + length))
        now += length
    return tuple(found)


def _grid(rng_seed: int) -> np.ndarray[Any, np.dtype[Any]]:
    """Which target stands where: the number pad's order, the same all session."""
    return np.arange(1.0, 10.0).reshape(3, 3) if rng_seed % 2 else np.arange(9.0, 0.0, -1.0).reshape(3, 3)


def _positions(block: _Block, seed: int) -> tuple[np.ndarray[Any, np.dtype[Any]], np.ndarray[Any, np.dtype[Any]]]:
    across, down = np.meshgrid([-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0])
    return 62_000 + 2_500 * across + 10 * seed + block.n_licks, 41_000 + 1_500 * down + block.n_trials


def _session_data(
    plan: SessionPlan, trials: Sequence[_Trial], run: Sequence[_Trial], blocks: Sequence[_Block]
) -> dict[str, Any]:
    first = start_local(plan)
    wall = [0.0 if t.start_ms is None else datenum(first + timedelta(milliseconds=t.start_ms)) for t in trials]
    settings = [_settings(plan, trial, blocks[trial.block - 1]) for trial in trials]
    places = [_positions(blocks[trial.block - 1], plan.seed) for trial in trials]
    number = {name: index + 1 for index, name in enumerate(_STATES)}
    names = cell(list(_STATES))
    return {
        "TrialTypes": as_matlab_stores([trial.target for trial in trials]),
        "TrialBlockOrder": as_matlab_stores([trial.order for trial in trials]),
        "trial_type_mat": cell([_grid(plan.seed)] * len(trials)),
        "X_positions_mat": cell([x for x, _ in places]),
        "Z_positions_mat": cell([z for _, z in places]),
        "FreeTrials": as_matlab_stores([trial.is_free_water for trial in trials]),
        "StimTrials": np.zeros((0, 0)),
        "MATLABStartTimes": as_matlab_stores(wall),
        "Info": {
            "BpodVersion": "Bpod 0.7-0.9",
            "SessionDate": f"{first:%d-%b-%Y}",
            "SessionStartTime_UTC": f"{first + timedelta(seconds=4):%H:%M:%S}",
        },
        "nTrials": as_matlab_stores(len(run)),
        "RawEvents": {"Trial": cell([{"States": _named(trial), "Events": _events(trial)} for trial in run])},
        "RawData": {
            "OriginalStateNamesByNumber": cell([names] * len(run)),
            "OriginalStateData": cell([np.array([[number[n] for n, _, _ in t.visits]], np.uint8) for t in run]),
            "OriginalStateTimestamps": cell(
                [np.array([[*(entry for _, entry, _ in t.visits), t.visits[-1][2]]]) / TICKS_PER_S for t in run]
            ),
            "OriginalEventData": cell([np.full((1, len(t.visits)), EVENT_CODES["Tup"], np.uint8) for t in run]),
            "OriginalEventTimestamps": cell([np.array([[x for _, _, x in t.visits]]) / TICKS_PER_S for t in run]),
        },
        "TrialStartTimestamp": as_matlab_stores(
            [round(FIRST_TRIAL_AFTER_S + (trial.start_ms or 0) / 1000, 3) for trial in run]
        ),
        "SettingsFile": settings[0],
        "TrialSettings": struct_array(settings),
    }


def _named(trial: _Trial) -> dict[str, Any]:
    visited = {name: np.array([[entry, leave]]) / TICKS_PER_S for name, entry, leave in trial.visits}
    return visited | {name: np.full((1, 2), np.nan) for name in _STATES if name not in visited}


def _events(trial: _Trial) -> dict[str, Any]:
    return {"Tup": np.array([[leave for _, _, leave in trial.visits]]) / TICKS_PER_S}


def _settings(plan: SessionPlan, trial: _Trial, block: _Block) -> dict[str, Any]:
    numbers = {
        "X_center": 62_000,
        "Y_center": 50_000 + 7 * plan.seed,
        "Z_center": 41_000,
        "num_bins": 3,
        "NumLicksForReward": block.n_licks,
        "RollDeg": block.roll_deg,
        "ProtocolType": 1,
        "Autowater": trial.autowater,
    }
    return {
        "GUI": {name: as_matlab_stores(value) for name, value in numbers.items()},
        "GUIMeta": {"ProtocolType": {"Style": "popupmenu", "String": cell(_MENU)}},
    }


def _truth(plan: SessionPlan, run: Sequence[_Trial], trials: Sequence[_Trial], blocks: Sequence[_Block]) -> TaskTruth:
    starts_s = [(trial.start_ms or 0) / 1000 for trial in run]
    stops_s = [start + trial.at("TrialEnd") / TICKS_PER_S for start, trial in zip(starts_s, run, strict=True)]
    seen: dict[int, int] = {}
    rows, events, block_rows, ports = [], [], [], []
    for index, (trial, start_s, stop_s) in enumerate(zip(run, starts_s, stops_s, strict=True)):
        block = blocks[trial.block - 1]
        seen[trial.block] = seen.get(trial.block, 0) + 1
        if seen[trial.block] == 1:
            n_run = sum(one.block == trial.block for one in run)
            block_rows.append(
                {
                    "block": trial.block,
                    "first_trial": trial.number,
                    "start_s": start_s,
                    "n_trials": n_run,
                    "n_licks_for_reward": block.n_licks,
                    "roll_deg": block.roll_deg,
                    **dict(zip(("n_bins_x", "n_bins_y", "n_bins_z"), (3, 1, 3), strict=True)),
                }
            )
            x, z = _positions(block, plan.seed)
            here = _grid(plan.seed) == trial.target
            ports.append(
                {
                    "block": trial.block,
                    "port": f"mtl-{trial.target}",
                    "position_x": float(x[here][0]),
                    "position_y": 50_000.0 + 7 * plan.seed,
                    "position_z": float(z[here][0]),
                }
            )
        rows.append(
            {
                "trial": trial.number,
                "start_s": start_s,
                "stop_s": stop_s,
                "until_s": starts_s[index + 1] if index + 1 < len(run) else stop_s,
                "instruction": "none",
                "outcome": "N/A",
                "is_auto_water": trial.autowater == 1 or seen[trial.block] == 1,
                "is_free_water": trial.is_free_water,
                **dict.fromkeys(("n_samples", "n_delays", "n_go_cues"), 0),
                "bitcode": "".join(str(trial.number >> bit & 1) for bit in range(10)) if trial.number < 1024 else None,
                "bitcode_start_s": start_s + trial.at("OffState1") / TICKS_PER_S,
                "protocol_type": _MENU[0],
                "block": trial.block,
                "block_trial": seen[trial.block],
            }
        )
        events.append({"trial": trial.number, "event": "trialend", "start_s": stop_s, "duration_s": 0.25})
    lost = [{"trial": trial.number} for trial in trials if trial.start_ms is None]
    return TaskTruth(
        {"start_local": start_local(plan).isoformat(timespec="milliseconds"), "n_trials": len(trials)},
        {"trials": rows, "skipped_trials": lost, "trial_events": events, "blocks": block_rows, "block_ports": ports},
    )
