"""The truth of a foraging session, as tables of the behaviour room. What happened in it is made in `foraging`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.foraging import LETTERS, OPEN_S, PORTS, ForagingTrial, chances, first_trial_at, ports_of
from map_assets.simulate.task_truth import TaskTruth
from map_assets.simulate.trial import TICKS_PER_S

EVENTS = {
    "ITIBeforeVideoOn": "videostart",
    "Start": "bitcodestart",
    "DelayStart": "delay",
    "GoCue_real": "go",
    **{f"Choice_{letter}": "choice" for letter in "LRM"},
    **{f"Reward_{letter}": "reward" for letter in "LRM"},
    **{f"Double_dipped_to_{letter}": "doubledip" for letter in "LRM"},
    "ITI": "trialend",
}
"""State -> event; GoCue is the go of trials without automatic water."""
_ORDER = ("videostart", "bitcodestart", "delay", "go", "choice", "reward", "doubledip", "trialend")


def truth_of(plan: SessionPlan, trials: Sequence[ForagingTrial]) -> TaskTruth:
    """Give a session's truth, tables as the behaviour room names them."""
    ports, listed = ports_of(plan), chances(plan)
    tables: dict[str, list[dict[str, Any]]] = {
        name: []
        for name in (
            *("trials", "skipped_trials", "trial_events", "licks", "blocks", "block_ports"),
            *("water_port_settings", "available_rewards"),
        )
    }
    seen: dict[int, int] = {}
    for index, trial in enumerate(trials):
        if trial.was_broken_off:
            tables["skipped_trials"].append({"trial": trial.trial, "start_s": trial.start_ms / 1000})
            continue
        seen[trial.block] = seen.get(trial.block, 0) + 1
        until_s = trials[index + 1].start_ms / 1000 if index + 1 < len(trials) else trial.at_s(trial.now)
        tables["trials"].append(_row(trial, until_s, seen[trial.block]))
        if seen[trial.block] == 1:
            n_trials = sum(one.block == trial.block for one in trials)
            tables["blocks"].append(
                {
                    "block": trial.block,
                    "first_trial": trial.trial,
                    "start_s": trial.start_ms / 1000,
                    "n_trials": n_trials,
                }
            )
            tables["block_ports"] += [
                {"block": trial.block, "port": port, "reward_probability": round(listed[port][trial.block - 1], 3)}
                for port in ports
            ]
        for event in _ORDER:
            tables["trial_events"] += [
                {"trial": trial.trial, "event": event, "start_s": trial.at_s(a), "duration_s": (b - a) / TICKS_PER_S}
                for state, a, b in trial.visits
                if _event(trial, state) == event
            ]
        tables["licks"] += [{"trial": trial.trial, "time_s": trial.at_s(ticks), "port": p} for ticks, p in trial.licks]
        tables["water_port_settings"].append(
            {
                "trial": trial.trial,
                **{f"{axis.lower()}_position": float(value) for axis, value in trial.motors.items()},
            }
        )
        tables["available_rewards"] += [
            {
                "trial": trial.trial,
                "port": port,
                "is_available": trial.left_over[port] or bool(trial.of(f"Reward_{LETTERS[port]}")),
                "is_left_over": trial.left_over[port],
                "is_auto_water": any(b > a for _, a, b in trial.of(f"Auto_Water_{LETTERS[port]}")),
                "open_duration_s": OPEN_S[port],
            }
            for port in ports
        ]
    facts = {
        "start_local": first_trial_at(plan).isoformat(timespec="milliseconds"),
        "n_trials": len(trials),
        "random_seed": str(plan.seed),
    }
    return TaskTruth(facts, tables)


def _event(trial: ForagingTrial, state: str) -> str | None:
    return "go" if state == "GoCue" and not trial.is_auto_water else EVENTS.get(state)


def _row(trial: ForagingTrial, until_s: float, block_trial: int) -> dict[str, Any]:
    go = trial.of("GoCue_real" if trial.is_auto_water else "GoCue")[-1][1]
    delays = trial.of("DelayStart")
    chosen = [port for port in PORTS if trial.of(f"Choice_{LETTERS[port]}")]
    rewarded = any(trial.of(f"Reward_{letter}") for letter in "LRM")
    return {
        "trial": trial.trial,
        "start_s": trial.start_ms / 1000,
        "stop_s": trial.at_s(trial.now),
        "until_s": until_s,
        "instruction": "none",
        "outcome": "hit" if rewarded else "miss" if chosen else "ignore",
        "early_lick": any(ticks < go for ticks, _ in trial.licks),
        "is_auto_water": trial.is_auto_water,
        "is_free_water": False,
        "delay_s": trial.at_s(delays[-1][1]),
        "go_s": trial.at_s(go),
        "n_samples": 0,
        "n_delays": len(delays),
        "n_go_cues": 1,
        "bitcode": trial.bitcode,
        "bitcode_start_s": trial.at_s(trial.of("Start")[0][1]),
        "choice": chosen[0] if chosen else None,
        "block": trial.block,
        "block_trial": block_trial,
    }
