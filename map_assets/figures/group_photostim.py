"""Figure: what each place of light does to the mean firing of each probe's units, and to single units. Both are computed in `analyses`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.figures.drawing import FAINT, INK, Drawing, NotApplicable, drawn
from map_assets.figures.laterality import LOOKS, hemispheres, in_order, key_of, probe_names, relative
from map_assets.figures.sheet import empty, head, panel_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

_CONTROL = "all_noearlylick_nostim"
_STIM = re.compile(r"all_noearlylick_(?P<place>.+)_stim")
_LIGHT = "#cfe3f7"
_FROM_S, _TO_S = -3.0, 2.0


@dataclass(frozen=True)
class Place:
    """Where light went, as conditions name it: `name` (both_alm), `label`, the sites of that name, and when it was on."""

    name: str
    label: str
    sites: tuple[str, ...]
    window_s: tuple[float, float] | None


def draw(
    session: str,
    population_psth: pa.Table,
    photostim_effect: pa.Table,
    selectivity: pa.Table | None = None,
    photostim_sites: pa.Table | None = None,
    insertions: pa.Table | None = None,
) -> Drawing | NotApplicable:
    """Draw a row for each probe: the mean over its units without light, and with light at each place; and their rates below.

    The light is shaded. In its panels the thin pale lines repeat the trials without. Places are those of the conditions
    ``all_noearlylick_{place}_stim``, of which a laboratory may add some. The panels at the foot hold the rates of all
    units during the light against the same time without; full marks are units that it changed.

    Notes
    -----
    Trials are contra or ipsi by their instruction, as each probe sees it (left or right where its hemisphere is not
    known). They are hits and misses without early lick or given water.
    """
    if not photostim_effect.num_rows:
        return NotApplicable("no trial of the session was stimulated")
    means = population_psth.filter((pc.field("region") == "all") & (pc.field("selectivity") == "all"))
    places = _places(means, photostim_effect, photostim_sites)
    if not places:
        return NotApplicable("no unit was observed in a stimulated trial of a place that a condition names")
    probes = sorted(set(means["probe"].to_pylist()))
    fill = partial(
        _fill,
        session=session,
        curves={(row["probe"], row["condition"]): row for row in means.to_pylist()},
        effect=photostim_effect,
        places=places,
        names=probe_names(probes, insertions),
        side_of=hemispheres(selectivity),
    )
    return drawn(3.6 + 1.9 * len(probes), fill)


def _places(means: pa.Table, effect: pa.Table, photostim_sites: pa.Table | None) -> list[Place]:
    """Find the places of light, in the order of the conditions; by side a condition has its own mean."""
    found: dict[str, Place] = {}
    for condition in dict.fromkeys(means["condition"].to_pylist()):
        match = _STIM.fullmatch(condition.removesuffix("_left").removesuffix("_right"))
        if match is None or condition.endswith("_stim") or match["place"] in found:
            continue
        name = match["place"]
        sites = _sites_of(name, effect, photostim_sites)
        mine = effect.filter(pc.is_in(effect["photostim_site"], pa.array(sites, pa.string())))
        starts, lasts = (
            mine[column].drop_null().to_numpy().astype(float) for column in ("window_from_go_s", "window_s")
        )
        starts, lasts = starts[np.isfinite(starts)], lasts[np.isfinite(lasts)]
        window = (
            (float(np.median(starts)), float(np.median(starts) + np.median(lasts)))
            if starts.size and lasts.size
            else None
        )
        found[name] = Place(name, _label(name), sites, window)
    return list(found.values())


def _sites_of(place: str, effect: pa.Table, photostim_sites: pa.Table | None) -> tuple[str, ...]:
    """Sites that a place stands for: of its side and area, else that of its very name."""
    used = set(effect["photostim_site"].to_pylist())
    rows = [] if photostim_sites is None else photostim_sites.to_pylist()
    named = {row["photostim_site"] for row in rows if f"{row['hemisphere']}_{row['brain_area']}".casefold() == place}
    return tuple(sorted((named or {place}) & used))


def _label(place: str) -> str:
    side, _, area = place.partition("_")
    return f"{side} {area.upper() if len(area) <= 4 else area.replace('_', ' ')}"


# -- the drawing -------------------------------------------------------------------------------------------------------
def _fill(
    figure: Figure,
    *,
    session: str,
    curves: Mapping[tuple[int, str], dict[str, Any]],
    effect: pa.Table,
    places: list[Place],
    names: Mapping[int, str],
    side_of: Mapping[int, str],
) -> None:
    grid = figure.add_gridspec(len(names) + 1, len(places) + 1, height_ratios=[*[1.9] * len(names), 2.3])
    shown: set[str] = set()
    for row, (probe, name) in enumerate(names.items()):
        control = _sides(curves, probe, _CONTROL, side_of.get(probe))
        first = figure.add_subplot(grid[row, 0])
        shown |= _curves(first, control, None, [])
        n_units = max((one["n_units"] for one in control.values()), default=0)
        panel_title(first, f"{name}\nno light, {n_units} units")
        first.set_ylabel("spikes/s")
        for column, place in enumerate(places, start=1):
            axes = figure.add_subplot(grid[row, column], sharex=first, sharey=first)
            lit = _sides(curves, probe, f"all_noearlylick_{place.name}_stim", side_of.get(probe))
            shown |= _curves(axes, lit, place.window_s, list(control.items()))
            panel_title(axes, f"\n{place.label}" if lit else f"\n{place.label}: no such trial")
            axes.tick_params(labelleft=False)
        first.set_ylim(0, _top(curves, probe))
        if row == len(names) - 1:
            first.figure.axes[-1 - len(places)].set_xlabel("time from go cue (s)")
    _units(figure, grid, effect, places, len(names))
    key_of(figure, in_order(shown), "trials")
    small = "Mean over units and its standard error; shaded: light (median onset and length); thin: without light. Hits and "
    small += "misses without early lick or given water. At the foot, all units: mean rate during the light against that of the "
    small += "same time without; full: changed (corrected for many units)."
    head(figure, f"{session}   photostimulation", small)


def _top(curves: Mapping[tuple[int, str], dict[str, Any]], probe: int) -> float:
    """Rate up to which a probe's panels go: what is drawn of any condition by side, and a little more."""
    rows = [
        row
        for (of, name), row in curves.items()
        if of == probe and (name.startswith(f"{_CONTROL}_") or (_STIM.match(name) and not name.endswith("_stim")))
    ]
    highest = [np.nanmax(np.array(row["rate_hz"]) + np.nan_to_num(row["sem_hz"])) for row in rows]
    return 1.05 * float(max(highest, default=0.0)) or 1.0


def _sides(
    curves: Mapping[tuple[int, str], dict[str, Any]], probe: int, condition: str, hemisphere: str | None
) -> dict[str, dict[str, Any]]:
    """The means of a condition by side, as the probe sees them; a side without trials is left out."""
    found = {relative(side, hemisphere): curves.get((probe, f"{condition}_{side}")) for side in ("left", "right")}
    return {name: row for name in in_order(found) if (row := found[name]) is not None}


def _curves(
    axes: Axes,
    sides: Mapping[str, dict[str, Any]],
    window_s: tuple[float, float] | None,
    control: list[tuple[str, dict[str, Any]]],
) -> set[str]:
    for name, row in control:
        at = np.array(row["bin_start_from_go_s"]) + row["bin_width_s"] / 2
        axes.plot(at, row["rate_hz"], color=LOOKS[name].color, ls=LOOKS[name].line, lw=0.7, alpha=0.4)
    for name, row in sides.items():
        look, mean, sem = LOOKS[name], np.array(row["rate_hz"]), np.array(row["sem_hz"])
        at = np.array(row["bin_start_from_go_s"]) + row["bin_width_s"] / 2
        axes.fill_between(at, mean - sem, mean + sem, color=look.color, alpha=0.18, lw=0)
        axes.plot(at, mean, color=look.color, ls=look.line, lw=1.3)
    if window_s is not None:
        axes.axvspan(*window_s, color=_LIGHT, lw=0, zorder=0)
    axes.axvline(0, color=FAINT, lw=0.9, ls=(0, (4, 3)), zorder=0)
    axes.set(xlim=(_FROM_S, _TO_S))
    return set(sides)


def _units(figure: Figure, grid: Any, effect: pa.Table, places: list[Place], row: int) -> None:
    """Draw every unit's rate with light against that without, a panel for each place, on one pair of axes."""
    rates = np.concatenate([effect[name].to_numpy() for name in ("rate_control_hz", "rate_stim_hz")])
    most = float(np.nanmax(rates)) if np.isfinite(rates).any() else 1.0
    for column, place in enumerate(places, start=1):
        axes = figure.add_subplot(grid[row, column])
        mine = effect.filter(pc.is_in(effect["photostim_site"], pa.array(place.sites, pa.string())))
        x, y = mine["rate_control_hz"].to_numpy(), mine["rate_stim_hz"].to_numpy()
        known = np.isfinite(x) & np.isfinite(y)
        if not known.any():
            empty(axes, "too few trials")
            continue
        is_changed = np.array([value is True for value in mine["is_affected"].to_pylist()])
        n_tested = mine.num_rows - mine["is_affected"].null_count
        low, top = -0.3, max(1.3 * most, 2.0)
        axes.plot([low, top], [low, top], color=FAINT, lw=0.8)
        axes.scatter(x[known & ~is_changed], y[known & ~is_changed], s=9, facecolors="none", edgecolors=FAINT, lw=0.6)
        axes.scatter(x[known & is_changed], y[known & is_changed], s=9, color=INK, lw=0)
        n_stim = max(mine["n_stim"].to_pylist(), default=0)
        fell, rose = (int(np.count_nonzero(is_changed & known & (sign * (y - x) > 0))) for sign in (-1, 1))
        panel_title(axes, f"{fell} fell, {rose} rose of {n_tested}\nup to {n_stim} trials with light")
        axes.set_yscale("symlog", linthresh=1.0)
        axes.set_xscale("symlog", linthresh=1.0)
        axes.set(xlim=(low, top), ylim=(low, top), xlabel="no light (spikes/s)")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_ticks([value for value in (0, 1, 10, 100) if value <= top])
            axis.set_major_formatter("{x:g}")
            axis.set_minor_locator(_no_minor())
        if column == 1:
            axes.set_ylabel("light (spikes/s)")


def _no_minor() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()
