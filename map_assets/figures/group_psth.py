"""Figure: what contra- and ipsi-selective units do in contra and in ipsi trials, together and one by one. Selectivity is judged in `analyses`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.figures.drawing import FAINT, INK, Drawing, NotApplicable, drawn, event_lines
from map_assets.figures.laterality import CONTRA, IPSI, LOOKS, hemispheres, key_of, probe_names, relative
from map_assets.figures.sheet import empty, head, panel_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

_CONDITION = "good_noearlylick_{side}_hit"
_AVERAGED = 5
"""Bins of the moving average over each unit's difference."""
_CLASSES = (f"{CONTRA}-selective", f"{IPSI}-selective")


@dataclass(frozen=True)
class Group:
    """The units of one class, those of the first probe first, each probe's from the highest to the lowest.

    Parameters
    ----------
    probe : numpy.ndarray of int, shape (n_units,)
    contra_hz, ipsi_hz : numpy.ndarray of float, shape (n_units, n_bins)
        Mean rates in hit trials.
    """

    probe: NDArray[np.int64]
    contra_hz: Floats
    ipsi_hz: Floats


def draw(
    session: str,
    psth: pa.Table,
    unit_selectivity: pa.Table,
    selectivity: pa.Table,
    units: pa.Table,
    trials: pa.Table,
    insertions: pa.Table | None = None,
) -> Drawing | NotApplicable:
    """Draw a column for the contra-selective and one for the ipsi-selective units of the session.

    Above: the mean over units of their rates in contra and in ipsi hit trials, with its standard error over units. Below:
    a row for each unit, by probe and depth: contra less ipsi, averaged over 5 bins, over the largest absolute value of
    the row; blue where contra trials have more spikes, red where ipsi trials have.

    Notes
    -----
    Only units that have trials of both sides, and a probe whose hemisphere is known, can be in a class.
    """
    side_of = hemispheres(selectivity)
    groups = {name: make_group(name, psth, unit_selectivity, units, side_of) for name in _CLASSES}
    n_units = {name: len(group.probe) for name, group in groups.items()}
    if not any(n_units.values()):
        return NotApplicable(_why_none(unit_selectivity, side_of))
    starts = np.array(psth["bin_start_from_go_s"][0].as_py())
    bins = starts + psth["bin_width_s"][0].as_py() / 2
    names = probe_names(sorted({*groups[_CLASSES[0]].probe.tolist(), *groups[_CLASSES[1]].probe.tolist()}), insertions)
    fill = partial(
        _fill,
        session=session,
        groups=groups,
        bins=bins,
        names=names,
        events=_events(trials),
        rest=_rest(unit_selectivity),
    )
    return drawn(_height_in(max(n_units.values())), fill)


def make_group(
    name: str, psth: pa.Table, unit_selectivity: pa.Table, units: pa.Table, side_of: Mapping[int, str]
) -> Group:
    """Collect the rates of one class' units."""
    chosen = unit_selectivity.filter(pc.field("selectivity") == name)
    keys = set(zip(chosen["probe"].to_pylist(), chosen["unit_id"].to_pylist(), strict=True))
    found: dict[str, dict[tuple[int, int], Floats]] = {"left": {}, "right": {}}
    for side, rates in found.items():
        rows = psth.filter((pc.field("condition") == _CONDITION.format(side=side)) & (pc.field("n_trials") > 0))
        wanted = [key in keys for key in zip(rows["probe"].to_pylist(), rows["unit_id"].to_pylist(), strict=True)]
        for row in rows.filter(pa.array(wanted, pa.bool_())).select(["probe", "unit_id", "rate_hz"]).to_pylist():
            rates[row["probe"], row["unit_id"]] = np.array(row["rate_hz"])
    heights = {
        (row["probe"], row["unit_id"]): row["y_um"] for row in units.select(["probe", "unit_id", "y_um"]).to_pylist()
    }
    both = [key for key in found["left"].keys() & found["right"].keys() if key[0] in side_of]
    both.sort(key=lambda key: (key[0], -(heights.get(key) or -1.0), key[1]))
    towards: dict[str, list[Floats]] = {CONTRA: [], IPSI: []}
    for key in both:
        for side, rates in found.items():
            towards[relative(side, side_of[key[0]])].append(rates[key])
    contra, ipsi = (np.array(rates) if rates else np.empty((0, 0)) for rates in towards.values())
    return Group(np.array([probe for probe, _ in both], np.int64), contra, ipsi)


def scaled_difference(contra_hz: Floats, ipsi_hz: Floats) -> Floats:
    """Contra less ipsi, a moving average of each row, over the row's largest absolute value: from -1 to 1.

    At the ends the average is over the bins that there are; a row without any difference is zero. A row that is divided
    by its largest value with its sign turns over, or runs out of bounds, where that value is below or near zero.
    """
    difference = contra_hz - ipsi_hz
    box = np.ones(_AVERAGED)
    n_in = np.convolve(np.ones(difference.shape[1]), box, "same")
    smooth = np.array([np.convolve(row, box, "same") for row in difference]).reshape(difference.shape) / n_in
    largest = np.abs(smooth).max(axis=1, keepdims=True, initial=0.0)
    return np.asarray(np.divide(smooth, largest, out=np.zeros_like(smooth), where=largest > 0))


def _why_none(unit_selectivity: pa.Table, side_of: Mapping[int, str]) -> str:
    if not unit_selectivity.num_rows:
        return "the session's units were not tested for selectivity"
    if not side_of:
        return "the hemisphere of no probe is known, so that contra and ipsi cannot be told"
    return "no unit of the session is contra- or ipsi-selective"


def _rest(unit_selectivity: pa.Table) -> str:
    labels = unit_selectivity["selectivity"].to_pylist()
    counts = {name: labels.count(name) for name in ("mixed", "non-selective", None)}
    words = {"mixed": "mixed", "non-selective": "non-selective", None: "not judged"}
    return ", ".join(f"{n} {words[name]}" for name, n in counts.items() if n)


def _events(trials: pa.Table) -> dict[str, float]:
    """Median times of sample and delay from the go cue, s, of the session's trials, and the go cue itself."""
    go_s = trials["go_s"].to_numpy()
    found = {}
    for name in ("sample", "delay"):
        from_go = trials[f"{name}_s"].to_numpy() - go_s
        if np.isfinite(from_go).any():
            found[name] = float(np.nanmedian(from_go))
    return {**found, "go": 0.0}


def _height_in(n_rows: int) -> float:
    return float(np.clip(4.4 + 0.02 * n_rows, 5.6, 10.0))


# -- the drawing -------------------------------------------------------------------------------------------------------
def _fill(
    figure: Figure,
    *,
    session: str,
    groups: Mapping[str, Group],
    bins: Floats,
    names: Mapping[int, str],
    events: Mapping[str, float],
    rest: str,
) -> None:
    panels = figure.subplots(
        2,
        2,
        sharex=True,
        height_ratios=[1.4, _height_in(max(len(group.probe) for group in groups.values())) - 2.6],
        squeeze=False,
    )
    picture: Any = None
    for column, (name, group) in enumerate(groups.items()):
        mean, rows = panels[:, column]
        if not len(group.probe):
            empty(mean, f"no {name} unit")
            rows.axis("off")
            continue
        _means(mean, group, bins, f"{name}: {len(group.probe)} units")
        event_lines(mean, dict(events), labelled=False)
        picture = _heat(rows, group, bins, names)
        for at in events.values():
            rows.axvline(at, color=INK, lw=0.8, ls=(0, (4, 3)))
        rows.set(xlabel="time from go cue (s)", xlim=(bins[0], bins[-1]))
    bar = figure.colorbar(picture, ax=panels[1, :].tolist(), shrink=0.7, aspect=30, ticks=[-1, 0, 1], pad=0.01)
    bar.ax.set_yticklabels(["ipsi", "0", "contra"])
    bar.outline.set_visible(False)
    key_of(figure, [CONTRA, IPSI], "trials")
    small = (
        "Hits without early lick, light or given water. Bands: standard error over units. Rows: contra less ipsi over "
    )
    small += "the row's largest absolute value." + (f" Not shown: {rest} units." if rest else "")
    head(figure, f"{session}   selective units", small)


def _means(axes: Axes, group: Group, bins: Floats, said: str) -> None:
    for name, rates in ((CONTRA, group.contra_hz), (IPSI, group.ipsi_hz)):
        look, mean = LOOKS[name], rates.mean(axis=0)
        if len(rates) > 1:
            sem = rates.std(axis=0, ddof=1) / np.sqrt(len(rates))
            axes.fill_between(bins, mean - sem, mean + sem, color=look.color, alpha=0.22, lw=0)
        axes.plot(bins, mean, color=look.color, ls=look.line, lw=1.4)
    axes.set(ylabel="spikes/s")
    axes.set_ylim(bottom=0)
    panel_title(axes, said)


def _heat(axes: Axes, group: Group, bins: Floats, names: Mapping[int, str]) -> Any:
    from matplotlib import colormaps

    half, n = (bins[1] - bins[0]) / 2, len(group.probe)
    picture = axes.imshow(
        scaled_difference(group.contra_hz, group.ipsi_hz),
        extent=(bins[0] - half, bins[-1] + half, n, 0),
        aspect="auto",
        cmap=colormaps["RdBu"].resampled(21),
        vmin=-1,
        vmax=1,
        interpolation="nearest",
    )
    axes.set_yticks([])
    for probe, name in names.items():
        rows = np.flatnonzero(group.probe == probe)
        if not rows.size:
            continue
        if rows[0]:
            axes.axhline(rows[0], color=INK, lw=1.0)
        middle = (rows[0] + rows[-1] + 1) / 2
        aimed = name.replace(", ", "\n")
        said = f"{aimed}\n{rows.size} units" if rows.size > 0.15 * n else f"probe {probe}: {rows.size}"
        place = ("axes fraction", "data")
        axes.annotate(
            said, (0, middle), (-5, 0), place, "offset points", ha="right", va="center", fontsize=7.5, color=FAINT
        )
    return picture
