"""What a session of free choice was like: choices, rewards, matching, efficiency, models. Firing is fitted in `period_fits`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.analyses import tables_foraging as t
from map_assets.analyses.choice_history import history_weights
from map_assets.analyses.choice_models import Choices, Fitted, fit_models, follow
from map_assets.analyses.parameters import ForagingParameters
from map_assets.analyses.trains import Floats, Whole, where

PORTS = ("left", "right", "middle")
_MIN_MATCHING_BLOCKS = 3


def make_foraging(
    session: str,
    trials: pa.Table,
    trial_events: pa.Table,
    block_ports: pa.Table,
    parameters: ForagingParameters,
    version: str,
) -> dict[str, pa.Table]:
    """Tell what the animal chose and got, how well that was, and which model of choosing is likeliest.

    Returns
    -------
    dict of str to pyarrow.Table
        ``foraging_trials``, ``foraging_sessions``, ``foraging_blocks``, ``foraging_models`` and ``foraging_history``;
        with fewer than ``min_choices`` free choices there are no models and no history.
    """
    trials = trials.sort_by("trial")
    told = _Told(trials, trial_events, block_ports)
    choices = told.choices()
    fits: tuple[Fitted, ...] = ()
    if choices.is_free.sum() >= parameters.min_choices:
        fits = fit_models(choices, parameters.n_starts)
    blocks = _blocks(session, told, parameters, version)
    return {
        "foraging_trials": _trials(session, told, choices, fits, version),
        "foraging_sessions": _session(session, told, blocks, version),
        "foraging_blocks": blocks,
        "foraging_models": _models(session, fits, version),
        "foraging_history": _history(session, choices, parameters, version),
    }


class _Told:
    """The trials as arrays, in order; a port is 0 left, 1 right, 2 middle, or -1 without a choice."""

    def __init__(self, trials: pa.Table, trial_events: pa.Table, block_ports: pa.Table) -> None:
        self.trials = trials
        self.trial = trials["trial"].to_numpy()
        self.port = np.array([PORTS.index(one) if one in PORTS else -1 for one in trials["choice"].to_pylist()], int)
        self.has_choice = self.port >= 0
        self.is_rewarded = np.asarray(trials["outcome"].to_numpy(zero_copy_only=False) == "hit", bool)
        given = pc.or_(trials["is_auto_water"], trials["is_free_water"])
        self.is_free = self.has_choice & ~np.asarray(given.to_numpy(zero_copy_only=False), bool)
        self.block = trials["block"].to_numpy(zero_copy_only=False).astype(float)
        self.probability = np.full((len(self.trial), len(PORTS)), np.nan)
        for row in block_ports.to_pylist():
            if row["port"] in PORTS and row["reward_probability"] is not None:
                self.probability[self.block == row["block"], PORTS.index(row["port"])] = row["reward_probability"]
        self.has_middle = bool((self.port == 2).any() or np.isfinite(self.probability[:, 2]).any())
        chosen_s = first_event_s(self.trial, trial_events, "choice")
        self.reaction_s = np.where(self.has_choice, chosen_s - trials["go_s"].to_numpy(), np.nan)
        ended_s = first_event_s(self.trial, trial_events, "trialend")
        code_s = trials["bitcode_start_s"].to_numpy()
        self.iti_s = next_of(self.trial, code_s) - ended_s

    def choices(self) -> Choices:
        """All trials with a choice."""
        at = np.flatnonzero(self.has_choice)
        n_ports = 3 if self.has_middle else 2
        return Choices(self.port[at], self.is_rewarded[at].astype(float), self.is_free[at], n_ports)

    def stays(self) -> Floats:
        """1 where a trial repeats the last choice, 0 where not, NaN without either, shape (n_trials,)."""
        at = np.flatnonzero(self.has_choice)
        found = np.full(len(self.trial), np.nan)
        found[at[1:]] = self.port[at[1:]] == self.port[at[:-1]]
        return found


def first_event_s(trial: Whole, trial_events: pa.Table, event: str) -> Floats:
    """Begin of each trial's first event of a kind, s, shape (n_trials,); NaN without."""
    found = np.full(len(trial), np.nan)
    events = trial_events.filter(pc.field("event") == event).sort_by([("start_s", "descending")])
    at = where(events["trial"].to_numpy(), trial)
    found[at[at >= 0]] = events["start_s"].to_numpy()[at >= 0]  # the first stands last, and so stays
    return found


def next_of(trial: Whole, values: Floats) -> Floats:
    """Value of the trial with the next number, shape (n_trials,); NaN where that one was not kept."""
    is_next = np.diff(trial) == 1
    return np.asarray(np.r_[np.where(is_next, values[1:], np.nan), np.full(min(len(values), 1), np.nan)])


def attainable_rate(first: float, second: float) -> float:
    """Reward rate of the best cycle at two ports whose rewards stay until taken, by their probabilities.

    The better port is chosen so often in a row that a reward is then likelier to wait at the other one, which is chosen
    once (Houston and McNamara 1981; Sugrue, Corrado and Newsome 2004).
    """
    best, other = max(first, second), min(first, second)
    if other <= 0 or best >= 1:
        return best
    n = np.floor(np.log(1 - best) / np.log(1 - other))
    return float(best + (1 - (1 - other) ** (n + 1) - best**2) / (n + 1))


def _blocks(session: str, told: _Told, parameters: ForagingParameters, version: str) -> pa.Table:
    rows = []
    for block in np.unique(told.block[np.isfinite(told.block)]):
        here = told.is_free & (told.block == block)
        chosen = np.bincount(told.port[here], minlength=len(PORTS))
        got = np.bincount(told.port[here & told.is_rewarded], minlength=len(PORTS))
        chance = told.probability[np.flatnonzero(told.block == block)[0]]
        row: dict[str, Any] = {"session": session, "block": int(block), "n_choices": int(here.sum())}
        for at, port in enumerate(PORTS):
            row[f"reward_probability_{port}"] = None if np.isnan(chance[at]) else float(chance[at])
            row[f"n_{port}"], row[f"n_rewarded_{port}"] = int(chosen[at]), int(got[at])
        row["choice_share_right"] = chosen[1] / chosen[:2].sum() if chosen[:2].sum() else None
        row["reward_share_right"] = got[1] / got[:2].sum() if got[:2].sum() else None
        enough = here.sum() >= parameters.min_block_choices
        row["is_counted"] = bool(enough and chosen[:2].all() and got[:2].all() and not told.has_middle)
        rows.append(row | {"parameters_version": version})
    return t.FORAGING_BLOCKS.from_rows(rows)


def _session(session: str, told: _Told, blocks: pa.Table, version: str) -> pa.Table:
    free = np.flatnonzero(told.is_free)
    stays, before = told.stays(), np.full(len(told.trial), np.nan)
    at = np.flatnonzero(told.has_choice)
    before[at[1:]] = told.is_rewarded[at[:-1]]
    row: dict[str, Any] = {
        "session": session,
        "n_trials": len(told.trial),
        "n_ignored": int((~told.has_choice).sum()),
        "n_choices": len(free),
        "n_rewarded": int(told.is_rewarded[free].sum()),
        "reward_rate": _mean(told.is_rewarded[free]),
        "stay_after_reward": _mean(stays[told.is_free & (before == 1)]),
        "stay_after_none": _mean(stays[told.is_free & (before == 0)]),
        "reaction_time_median_s": _median(told.reaction_s),
        "iti_median_s": _median(told.iti_s),
        "parameters_version": version,
    }
    chance = told.probability[free, :2]
    if len(free) and not told.has_middle and np.isfinite(chance).all():
        pairs, n = np.unique(chance, axis=0, return_counts=True)
        row["attainable_rate"] = float(np.average([attainable_rate(*pair) for pair in pairs.tolist()], weights=n))
        row["efficiency"] = row["reward_rate"] / row["attainable_rate"] if row["attainable_rate"] else None
    return t.FORAGING_SESSIONS.from_rows([row | _matching(blocks)])


def _matching(blocks: pa.Table) -> dict[str, Any]:
    counted = blocks.filter(pc.field("is_counted"))
    row: dict[str, Any] = {"n_matching_blocks": counted.num_rows}
    if counted.num_rows < _MIN_MATCHING_BLOCKS:
        return row
    n = {name: counted[name].to_numpy() for name in ("n_left", "n_right", "n_rewarded_left", "n_rewarded_right")}
    x, y = np.log2(n["n_rewarded_right"] / n["n_rewarded_left"]), np.log2(n["n_right"] / n["n_left"])
    if np.ptp(x) == 0:
        return row
    slope, bias = np.polyfit(x, y, 1)
    r2 = np.corrcoef(x, y)[0, 1] ** 2 if np.ptp(y) else None
    return row | {"matching_slope": float(slope), "matching_bias": float(bias), "matching_r2": r2}


def _trials(session: str, told: _Told, choices: Choices, fits: Sequence[Fitted], version: str) -> pa.Table:
    n = len(told.trial)
    columns: dict[str, Any] = {
        "session": [session] * n,
        "trial": told.trial,
        "block": told.trials["block"],
        "choice": told.trials["choice"],
        "is_rewarded": _where(told.has_choice, told.is_rewarded.tolist()),
        "is_free": told.is_free,
        "is_stay": _where(np.isfinite(told.stays()), (told.stays() == 1).tolist()),
        **{f"reward_probability_{port}": told.probability[:, at] for at, port in enumerate(PORTS)},
        "reaction_time_s": told.reaction_s,
        "iti_s": told.iti_s,
        "parameters_version": [version] * n,
    }
    with_values = [one for one in fits if one.has_values]
    if with_values:
        best = min(with_values, key=lambda one: one.aic)
        columns |= {"model": [best.model] * n, **_latent(told, choices, best.parameters)}
    return t.FORAGING_TRIALS.from_columns(columns)


def _latent(told: _Told, choices: Choices, parameters: Mapping[str, float]) -> dict[str, Any]:
    """Lay a learner's values out by trial: one without a choice finds those that the next choice finds."""
    values, probability = follow(choices, dict(parameters))
    n_before: Whole = np.cumsum(told.has_choice) - told.has_choice
    last = len(choices.port) - 1
    value = values[np.minimum(n_before, last)]
    chosen = np.arange(len(choices.port)), choices.port
    found = {f"q_{port}": value[:, at] for at, port in enumerate(PORTS[: choices.n_ports])}
    of_choice = np.full((2, len(told.trial)), np.nan)
    of_choice[:, told.has_choice] = probability[chosen], choices.reward - values[chosen]
    # behind the last choice nothing is known of what it taught
    for each in found.values():
        each[n_before > last] = np.nan
    return found | {
        "q_relative": found["q_right"] - found["q_left"],
        "q_total": found["q_right"] + found["q_left"],
        "choice_probability": of_choice[0],
        "rpe": of_choice[1],
    }


def _models(session: str, fits: Sequence[Fitted], version: str) -> pa.Table:
    lowest = min((one.aic for one in fits), default=None)
    rows = [
        {
            "session": session,
            "model": one.model,
            "n_choices": one.n_choices,
            "n_parameters": len(one.parameters),
            "log_likelihood": one.log_likelihood,
            "aic": one.aic,
            "bic": one.bic,
            "likelihood_per_choice": float(np.exp(one.log_likelihood / one.n_choices)),
            "is_best": one.aic == lowest,
            "has_values": one.has_values,
            **one.parameters,
            "parameters_version": version,
        }
        for one in fits
    ]
    names = t.FORAGING_MODELS.schema.names
    return t.FORAGING_MODELS.from_columns({name: [row.get(name) for row in rows] for name in names})


def _history(session: str, choices: Choices, parameters: ForagingParameters, version: str) -> pa.Table:
    if choices.n_ports != 2 or choices.is_free.sum() < parameters.min_choices:
        return t.FORAGING_HISTORY.empty()
    found = history_weights(choices, parameters.n_lags)
    rows = [] if found is None else [{"session": session, **row, "parameters_version": version} for row in found]
    return t.FORAGING_HISTORY.from_rows(rows)


def _where(mask: NDArray[np.bool_], values: list[Any]) -> list[Any]:
    return [value if known else None for value, known in zip(values, mask.tolist(), strict=True)]


def _mean(values: NDArray[Any]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _median(values: Floats) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None
