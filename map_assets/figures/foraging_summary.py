"""Figure: a session of free choice. All that is drawn comes from the tables ``foraging_*``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.figures.drawing import FAINT, INK, LEFT, RIGHT, SIDES, Drawing, NotApplicable, drawn
from map_assets.figures.sheet import empty, head, panel_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

_COLORS = {**SIDES, "middle": INK}
_BOX = 11
_MODEL = "#d98a00"
_LANES = {"left": -0.12, "right": 1.12, "middle": -0.42}


def draw(
    session: str,
    foraging_trials: pa.Table,
    foraging_sessions: pa.Table,
    foraging_blocks: pa.Table,
    foraging_models: pa.Table,
    foraging_history: pa.Table,
) -> Drawing | NotApplicable:
    """Draw what the animal chose and got, and what explains it.

    Above: a tick for each choice at its side, long where it gave water; the share of right choices over a box of 11
    choices, what the best model of values expected, and the right port's share of the reward probabilities. Below: choice
    against reward ratios by block, with the line of matching; the weights of past choices; the models' AIC above the
    lowest; and reaction times and the pauses between trials (their medians above).
    """
    if foraging_trials.num_rows == 0:
        return NotApplicable("the session has no trials of free choice")
    if not any(foraging_trials["choice"].to_pylist()):
        return NotApplicable("the animal made no choice in the session")
    tables = (foraging_trials.sort_by("trial"), foraging_blocks, foraging_models, foraging_history)
    return drawn(6.4, partial(_fill, session=session, tables=tables, said=foraging_sessions.to_pylist()[0]))


def _fill(
    figure: Figure, *, session: str, tables: tuple[pa.Table, pa.Table, pa.Table, pa.Table], said: dict[str, Any]
) -> None:
    trials, blocks, models, history = tables
    grid = figure.add_gridspec(2, 4, height_ratios=[1.25, 1])
    _choices(figure.add_subplot(grid[0, :]), trials)
    _matching(figure.add_subplot(grid[1, 0]), blocks, said)
    _history(figure.add_subplot(grid[1, 1]), history)
    _models(figure.add_subplot(grid[1, 2]), models)
    _times(figure.add_subplot(grid[1, 3]), trials)
    efficiency = f", efficiency {100 * said['efficiency']:.0f} %" if said["efficiency"] is not None else ""
    head(
        figure,
        f"{session}   foraging: {said['n_choices']} free choices, {_percent(said['reward_rate'])} rewarded{efficiency}",
        f"{said['n_trials']} trials, {said['n_ignored']} without a choice; stays after reward "
        f"{_percent(said['stay_after_reward'])}, after none {_percent(said['stay_after_none'])}.",
    )


def _choices(axes: Axes, trials: pa.Table) -> None:
    trial, choice = trials["trial"].to_numpy(), np.array(trials["choice"].to_pylist(), object)
    got = np.array([bool(one) for one in trials["is_rewarded"].to_pylist()])
    width = float(np.clip(450 / len(trial), 0.4, 1.5))
    for port, color in _COLORS.items():
        base = _LANES[port]
        out = 1 if base > 0.5 else -1
        for rewarded, length in ((True, 0.13), (False, 0.06)):
            at = trial[(choice == port) & (got == rewarded)]
            axes.vlines(at, base, base + out * length, color=color, lw=width)
    sided = np.isin(choice.astype(str), ["left", "right"])
    chance = [trials[f"reward_probability_{port}"].to_numpy() for port in ("left", "right")]
    with np.errstate(divide="ignore", invalid="ignore"):
        axes.plot(trial, chance[1] / (chance[0] + chance[1]), color=FAINT, lw=1.2, drawstyle="steps-mid")
    lines = [("reward probability, right of both", FAINT)]
    if sided.any():
        axes.plot(trial[sided], _boxed((choice[sided] == "right").astype(float)), color=INK, lw=1.5)
        lines.append((f"right choices, {_BOX} at a time", INK))
    expected = trials["choice_probability"].to_numpy()
    expected = np.where(choice == "right", expected, 1 - expected)
    if np.isfinite(expected).any() and not (choice == "middle").any():
        known = np.isfinite(expected)
        axes.plot(trial[known], _boxed(expected[known]), color=_MODEL, lw=1.2)
        lines.append(("expected by the best model of values", _MODEL))
    for number, (name, color) in enumerate(lines):
        axes.annotate(
            name, (0.33 * number, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", color=color,
            fontsize=8.5, fontweight="bold",
        )  # fmt: skip
    has_middle = (choice == "middle").any()
    ticks = {**({"middle": -0.48} if has_middle else {}), "left": -0.18, "0": 0, "0.5": 0.5, "1": 1, "right": 1.18}
    axes.set(
        xlim=(trial[0] - 1, trial[-1] + 1),
        ylim=(-0.6 if has_middle else -0.28, 1.28),
        xlabel="trial (long ticks: rewarded)",
        yticks=list(ticks.values()),
        yticklabels=list(ticks),
    )


def _boxed(values: Floats) -> Floats:
    """Average over a centred box, cut at the ends."""
    total = np.r_[0.0, np.cumsum(values)]
    at = np.arange(len(values))
    begin, end = np.maximum(at - _BOX // 2, 0), np.minimum(at + _BOX // 2 + 1, len(values))
    return np.asarray((total[end] - total[begin]) / (end - begin))


def _matching(axes: Axes, blocks: pa.Table, said: dict[str, Any]) -> None:
    counted = blocks.filter(pc.field("is_counted"))
    if said["matching_slope"] is None:
        empty(
            axes, f"{counted.num_rows} blocks have enough choices\nand rewards at both of two ports;\nmatching takes 3"
        )
        return
    n = {name: counted[name].to_numpy() for name in ("n_left", "n_right", "n_rewarded_left", "n_rewarded_right")}
    x, y = np.log2(n["n_rewarded_right"] / n["n_rewarded_left"]), np.log2(n["n_right"] / n["n_left"])
    ends = np.array([x.min(), x.max()])
    axes.axline((0, 0), slope=1, color=FAINT, lw=0.8, ls=(0, (4, 3)))
    axes.plot(ends, said["matching_bias"] + said["matching_slope"] * ends, color=INK, lw=1.2)
    axes.scatter(x, y, s=14, color=INK, lw=0)
    axes.set(xlabel="log2 rewards, right / left", ylabel="log2 choices, right / left")
    panel_title(axes, f"slope {said['matching_slope']:.2f}, bias {said['matching_bias']:+.2f}")


def _history(axes: Axes, history: pa.Table) -> None:
    if history.num_rows == 0:
        empty(axes, "too few free choices of two ports\nfor weights of past choices")
        return
    lag = history["lag"].to_numpy()
    axes.axhline(0, color=FAINT, lw=0.8)
    for name, color in (("rewarded", LEFT), ("unrewarded", RIGHT)):
        error = history[f"{name}_std_err"].to_numpy()
        axes.errorbar(lag, history[name].to_numpy(), error, color=color, marker="o", ms=3, lw=1.2, elinewidth=0.8)
    axes.set(xlabel="choices back", ylabel="log odds to repeat")
    panel_title(axes, "blue rewarded, red not; ± 1 SE")


def _models(axes: Axes, models: pa.Table) -> None:
    if models.num_rows == 0:
        empty(axes, "too few free choices\nfor models")
        return
    rows = sorted(models.to_pylist(), key=lambda row: -row["aic"])
    lowest = rows[-1]["aic"]
    colors = [_MODEL if row["has_values"] else FAINT for row in rows]
    axes.barh(range(len(rows)), [row["aic"] - lowest for row in rows], color=colors, height=0.3, align="edge")
    for at, row in enumerate(rows):
        name = row["model"].replace("q_learning", "values").replace("_", " ")
        axes.annotate(
            f"{name}: +{row['aic'] - lowest:.0f}", (0, at + 0.33), (2, 0), textcoords="offset points", fontsize=7
        )
    axes.set(yticks=[], ylim=(-0.2, len(rows)), xlabel="AIC above the lowest")
    panel_title(axes, f"best: p = {rows[-1]['likelihood_per_choice']:.2f} a choice")


def _times(axes: Axes, trials: pa.Table) -> None:
    edges = np.linspace(0, 10, 51).tolist()
    shown = []
    for name, color, label in (("reaction_time_s", INK, "black: reaction"), ("iti_s", FAINT, "grey: pause")):
        values = trials[name].to_numpy()
        values = values[np.isfinite(values)]
        if len(values):
            axes.hist(np.minimum(values, 9.99), edges, histtype="step", color=color, lw=1.2)
            shown.append(f"{label} {np.median(values):.2f} s")
    if not shown:
        empty(axes, "neither reaction times\nnor pauses are known")
        return
    axes.set(xlabel="s (10: that or longer)", ylabel="trials", xlim=(0, 10))
    panel_title(axes, "\n".join(shown))


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.0f} %"
