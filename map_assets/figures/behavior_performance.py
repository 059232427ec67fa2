"""Figure: the session's performance over its trials, and under photostimulation by site. Rendering lives in `drawing`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.figures.drawing import FAINT, INK, SIDES, Drawing, NotApplicable, drawn, title_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

PANELS_PER_ROW = 4
OUTCOMES = ("hit", "miss", "ignore")
_COLORS = {**SIDES, "middle": INK, "none": FAINT}
"""Side -> colour; a trial that nobody instructed and in which the animal chose none has no side."""


def draw(session: str, trials: pa.Table, photostim_sites: pa.Table | None = None) -> Drawing | NotApplicable:
    """Draw the session's performance.

    Above: the running share of hits among all kept trials (ignored ones count as not correct), a box of a tenth of
    the session's trials (ten at least) that is cut, not padded, at the ends. Below it a tick for every trial, coloured
    by the instructed side (in a task of free choice by the chosen one, grey without a choice), in lanes by outcome, and
    again where the animal licked early or was given water. Then, if there
    was photostimulation, a panel for each site: the share of hits without and with light, by instructed side, without
    early licks and given water (where it is not known whether the animal licked early, it may have); bars are 95 % Wilson
    intervals.
    """
    if trials.num_rows == 0:
        return NotApplicable("the session has no trials")
    if not set(OUTCOMES) & set(trials["outcome"].to_pylist()):
        return NotApplicable("no trial of the session has an outcome: hit, miss or ignore")
    trials = trials.sort_by("trial")
    sites = _sites(trials)
    n_rows = -(-len(sites) // PANELS_PER_ROW)
    return drawn(4.0 + 2.6 * n_rows, partial(_fill, session=session, trials=trials, sites=sites, known=photostim_sites))


def running_share(is_hit: Flags, window: int) -> Floats:
    """Average a run of true and false over a centred box; near the ends over the trials that there are.

    Parameters
    ----------
    is_hit : numpy.ndarray of bool, shape (n,)
    window : int
        Trials in a whole box.
    """
    total = np.r_[0, np.cumsum(is_hit)]
    at = np.arange(len(is_hit))
    begin = np.maximum(at - window // 2, 0)
    end = np.minimum(at - window // 2 + window, len(is_hit))
    return np.asarray((total[end] - total[begin]) / (end - begin), np.float64)


def wilson_interval(n_hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share after Wilson; `n` is at least 1."""
    z = 1.959963984540054
    share = n_hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return float(min(max(middle - half, 0.0), share)), float(max(min(middle + half, 1.0), share))


def _sites(trials: pa.Table) -> list[str | None]:
    """Stimulated sites of the session in order of name; None stands for a stimulated trial whose site is unknown."""
    found = {row["photostim_site"] for row in _stimulated(trials).to_pylist()}
    named: list[str | None] = sorted(name for name in found if name is not None)
    return [*named, None] if None in found else named


def _stimulated(trials: pa.Table) -> pa.Table:
    import pyarrow.compute as pc

    return trials.filter(pc.field("photostim_onset_s").is_valid())


def _fill(figure: Figure, *, session: str, trials: pa.Table, sites: list[str | None], known: pa.Table | None) -> None:
    n_rows = -(-len(sites) // PANELS_PER_ROW)
    grid = figure.add_gridspec(2 + n_rows, PANELS_PER_ROW, height_ratios=[1.9, 1.5, *[2.1] * n_rows])
    top = figure.add_subplot(grid[0, :])
    lanes = figure.add_subplot(grid[1, :], sharex=top)
    outcome = np.array(trials["outcome"].to_pylist())
    window = max(round(trials.num_rows / 10), min(trials.num_rows, 10))
    side = _sides(trials)
    is_free = set(trials["instruction"].to_pylist()) == {"none"}
    _running(top, trials["trial"].to_numpy(), outcome == "hit", window)
    _legend(top, "chose" if is_free else "instructed", [name for name in _COLORS if name in SIDES or name in side])
    _lanes(lanes, trials, outcome, side)
    for number, site in enumerate(sites):
        panel = figure.add_subplot(grid[2 + number // PANELS_PER_ROW, number % PANELS_PER_ROW])
        _site_panel(panel, trials, site, _name_of(site, known), is_first=number % PANELS_PER_ROW == 0)
    if sites:
        figure.supxlabel(
            "By site: trials without early lick or given water, ignored ones count as not correct. "
            "Numbers: trials; bars: 95 % Wilson intervals.",
            x=0.012,
            ha="left",
            fontsize=8,
            color=FAINT,
        )
    share = np.mean(outcome == "hit")
    n_stim = _stimulated(trials).num_rows
    light = f"{n_stim} with photostimulation" if n_stim else "no photostimulation"
    title_lines(
        figure,
        f"{session}   behavioural performance",
        f"{trials.num_rows} trials, {100 * share:.0f} % hits, {light}; running share over {window} trials",
    )


def _running(axes: Axes, trial: NDArray[np.int64], is_hit: Flags, window: int) -> None:
    axes.axhline(0.5, color=FAINT, lw=0.8, ls=(0, (1, 2)))
    axes.plot(trial, running_share(is_hit, window), color=INK, lw=1.6)
    axes.set(ylim=(0, 1.02), yticks=[0, 0.5, 1], ylabel="share of hits", xlim=(trial[0] - 1, trial[-1] + 1))
    axes.tick_params(labelbottom=False)


def _legend(axes: Axes, word: str, sides: list[str]) -> None:
    """Name the sides' colours above the axes, from the right."""
    for number, side in enumerate(reversed(sides)):
        axes.annotate(
            "no choice" if side == "none" else f"{word} {side}",
            (1.0 - 0.155 * number, 1),
            (0, 6),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="right",
            color=_COLORS[side],
            fontweight="bold",
        )


def _sides(trials: pa.Table) -> NDArray[np.str_]:
    """Return each trial's side: the instructed one, else the one that the animal chose, else none."""
    pairs = zip(trials["instruction"].to_pylist(), trials["choice"].to_pylist(), strict=True)
    return np.array([choice or "none" if instruction == "none" else instruction for instruction, choice in pairs])


def _lanes(axes: Axes, trials: pa.Table, outcome: NDArray[np.str_], side: NDArray[np.str_]) -> None:
    """Draw a tick per trial in lanes; a lane without trials is left out, except hits, misses and ignored trials."""
    trial = trials["trial"].to_numpy()
    early, auto, free = (
        np.array(trials[name].to_pylist(), bool) for name in ("early_lick", "is_auto_water", "is_free_water")
    )
    lanes: dict[str, Flags] = {name: np.asarray(outcome == name) for name in OUTCOMES}
    lanes |= {name: flags for name, flags in (("early lick", early), ("water given", auto | free)) if flags.any()}
    width = float(np.clip(450 / len(trial), 0.4, 1.5))
    for height, flags in enumerate(lanes.values()):
        for name, color in _COLORS.items():
            if name in SIDES or name in side:
                axes.vlines(trial[flags & (side == name)], height - 0.36, height + 0.36, color=color, lw=width)
    names = [f"{name} ({np.count_nonzero(flags)})" for name, flags in lanes.items()]
    axes.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.45, -0.55), xlabel="trial")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _name_of(site: str | None, known: pa.Table | None) -> str:
    """Say where a site's light goes, as ``photostim_sites`` has it; else the site's own name."""
    rows = [] if known is None else [row for row in known.to_pylist() if row["photostim_site"] == site]
    if site is None:
        return "site unknown"
    targets = sorted({(row["hemisphere"], row["brain_area"]) for row in rows})
    return " + ".join(f"{side} {area}" for side, area in targets) or site


def _site_panel(axes: Axes, trials: pa.Table, site: str | None, name: str, *, is_first: bool) -> None:
    columns = {
        name: np.array(trials[name].to_pylist(), object) for name in ("outcome", "instruction", "photostim_site")
    }
    is_usual = np.ones(trials.num_rows, bool)
    for flag in ("early_lick", "is_auto_water", "is_free_water"):
        is_usual &= np.array([value is False for value in trials[flag].to_pylist()], bool)
    is_lit = np.isfinite(trials["photostim_onset_s"].to_numpy())
    arms = (is_usual & ~is_lit, is_usual & is_lit & (columns["photostim_site"] == site))
    for shift, (side, color) in zip((-0.05, 0.05), SIDES.items(), strict=True):
        shown = []
        for x, arm in enumerate(arms):
            chosen = columns["outcome"][arm & (columns["instruction"] == side)]
            if chosen.size:
                n_hits = int(np.count_nonzero(chosen == "hit"))
                shown.append((x + shift, n_hits / chosen.size, *wilson_interval(n_hits, chosen.size), chosen.size))
        if not shown:
            continue
        x_at, share, low, high, n = (np.array(one) for one in zip(*shown, strict=True))
        axes.errorbar(x_at, share, [share - low, high - share], color=color, marker="o", ms=5, lw=1.5, elinewidth=1.0)
        for x, count in zip(x_at, n, strict=True):
            axes.annotate(
                f"{count:.0f}",
                (x, 0),
                (9 * np.sign(shift), 3),
                textcoords="offset points",
                ha="center",
                fontsize=7.5,
                color=color,
            )
    axes.set(
        xlim=(-0.45, 1.45), ylim=(-0.02, 1.02), xticks=[0, 1], xticklabels=["no light", "light"], yticks=[0, 0.5, 1]
    )
    axes.set_title(f"{name} (n = {np.count_nonzero(arms[1])})")
    if is_first:
        axes.set_ylabel("share of hits")
    else:
        axes.tick_params(labelleft=False)
