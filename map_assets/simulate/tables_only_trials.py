"""A session's trials at table level: when, which side, what the animal did, where the light was. Spikes live in `tables_only_spikes`."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

TRIAL_S: Final = 9.0
"""From the start of a trial to the next one's, s."""
GO_S, DELAY_S, SAMPLE_S = 3.6, 2.4, 1.75
"""From the start of the trial, s."""
STIM_S: Final = 0.5
_BLOCK_TRIALS: Final = 40


def trial_tables(
    session: str,  # noqa: ARG001 - what differs between sessions comes with `rng`
    n_trials: int,
    *,
    is_foraging: bool,
    rng: np.random.Generator,
) -> dict[str, dict[str, Any]]:
    """Make up trials, their events and licks, and of a foraging session its blocks.

    Parameters
    ----------
    session : str
    n_trials : int
    is_foraging : bool
    rng : numpy.random.Generator

    Returns
    -------
    dict of str to dict
        Columns by table.
    """
    trial = np.arange(1, n_trials + 1)
    start_s = TRIAL_S * (trial - 1) + rng.uniform(0, 0.4, n_trials)
    start_s[0] = 0.0
    side = rng.choice(("left", "right"), n_trials)
    outcome = rng.choice(("hit", "miss", "ignore"), n_trials, p=(0.7, 0.18, 0.12))
    go_s = start_s + GO_S
    trials: dict[str, Any] = {
        "trial": trial,
        "start_s": start_s,
        "stop_s": start_s + 7.5,
        "until_s": np.r_[start_s[1:], start_s[-1] + 7.5],
        "instruction": side,
        "outcome": outcome,
        "early_lick": rng.random(n_trials) < 0.1,
        "is_auto_water": np.zeros(n_trials, bool),
        "is_free_water": np.zeros(n_trials, bool),
        "sample_s": start_s + SAMPLE_S,
        "delay_s": start_s + DELAY_S,
        "go_s": go_s,
        "n_samples": np.ones(n_trials, int),
        "n_delays": np.ones(n_trials, int),
        "n_go_cues": np.ones(n_trials, int),
        "bitcode": [f"{n:020b}" for n in trial],
        "bitcode_start_s": start_s + 0.1,
        "photostim_onset_s": [None] * n_trials,
        "photostim_duration_s": [None] * n_trials,
        "photostim_power_mw": [None] * n_trials,
        "photostim_site": [None] * n_trials,
    }
    if is_foraging:
        return _foraging(trials, side, outcome, rng)
    site = [f"{one}_alm" for one in rng.choice(("left", "right", "both"), n_trials)]
    has_light = rng.random(n_trials) < 0.25
    trials["photostim_onset_s"] = [
        delay if lit else None for delay, lit in zip(trials["delay_s"], has_light, strict=True)
    ]
    trials["photostim_duration_s"] = [STIM_S if lit else None for lit in has_light]
    trials["photostim_power_mw"] = [5.5 if lit else None for lit in has_light]
    trials["photostim_site"] = [name if lit else None for name, lit in zip(site, has_light, strict=True)]
    durations = np.array([DELAY_S - SAMPLE_S, GO_S - DELAY_S, 0.1, 0.01])
    events = np.array([trials[name] for name in ("sample_s", "delay_s", "go_s", "stop_s")])
    answered = np.where(outcome == "miss", np.where(side == "left", "right", "left"), side)
    return {"trials": trials, "licks": _licks(trial, go_s, answered, outcome != "ignore", rng)} | {
        "trial_events": {
            "trial": np.repeat(trial, 4),
            "event_id": np.tile(np.arange(4), n_trials),
            "event": np.tile(("sample", "delay", "go", "trialend"), n_trials),
            "start_s": events.T.ravel(),
            "duration_s": np.tile(durations, n_trials),
        }
    }


def _licks(trial: Any, go_s: Any, port: Any, is_answered: Any, rng: np.random.Generator) -> dict[str, Any]:
    """Six licks at 7 Hz from the reaction on, at the port of the answer."""
    trial, go_s, port = trial[is_answered], go_s[is_answered], port[is_answered]
    reaction_s = rng.gamma(9.0, 0.02, (trial.size, 1)) + 0.05
    return {
        "trial": np.repeat(trial, 6),
        "lick_id": np.tile(np.arange(6), trial.size),
        "time_s": (go_s[:, None] + reaction_s + np.arange(6) / 7.0).ravel(),
        "port": np.repeat(port, 6),
    }


def _foraging(trials: dict[str, Any], side: Any, outcome: Any, rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    """The same trials with a free choice, in blocks of two baited ports."""
    n_trials = len(side)
    block = np.arange(n_trials) // _BLOCK_TRIALS + 1
    n_blocks = int(block[-1])
    p_left = np.where(np.arange(n_blocks) % 2 == 0, 0.4, 0.1)
    p_of = np.where(rng.random(n_trials) < 0.5, 0.5, p_left[block - 1])
    choice = np.where(rng.random(n_trials) < p_of / 0.5 * 0.9, "left", "right")
    trials |= {
        "instruction": ["none"] * n_trials,
        "choice": [None if one == "ignore" else side for side, one in zip(choice.tolist(), outcome, strict=True)],
        "block": block,
        "block_trial": np.arange(n_trials) % _BLOCK_TRIALS + 1,
    }
    first = np.arange(n_blocks) * _BLOCK_TRIALS
    return {
        "trials": trials,
        "licks": _licks(trials["trial"], trials["go_s"], choice, outcome != "ignore", rng),
        "blocks": {
            "block": np.arange(1, n_blocks + 1),
            "first_trial": first + 1,
            "start_s": trials["start_s"][first],
            "n_trials": np.bincount(block)[1:],
        },
        "block_ports": {
            "block": np.repeat(np.arange(1, n_blocks + 1), 2),
            "port": np.tile(("left", "right"), n_blocks),
            "reward_probability": np.c_[p_left, 0.5 - p_left].ravel(),
            "position_x": np.zeros(2 * n_blocks),
            "position_y": np.zeros(2 * n_blocks),
            "position_z": np.zeros(2 * n_blocks),
        },
    }
