"""Figure: where on each shank spikes were found, over the session. They are counted in `shank_maps`; steadiness of single units is in `drift`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.figures.depth_axis import (
    Stretch,
    add_depth_in_brain,
    draw_strip,
    region_colors,
    stretches,
    tip_depth_um,
)
from map_assets.figures.drawing import FAINT, Drawing, NotApplicable, drawn
from map_assets.figures.laterality import probe_names
from map_assets.figures.shank_maps import N_DEPTHS, ShankMap, shank_maps
from map_assets.figures.sheet import head, panel_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DARKEST = 99.0
"""Percentile of the bins with spikes that is black; single bins above it are no darker."""
_WIDTHS = ([5.0, 1.2, 0.9], [14.0, 1.1, 2.2])
"""Of map, strip and counts: of one of many shanks, of the only one."""
_TOGETHER = (8, 2)
"""Bins of time that are drawn as one."""
_GREYS = 9


def draw(
    session: str,
    units: pa.Table,
    spikes: pa.Table,
    probes: pa.Table,
    clock_maps: pa.Table,
    sites: pa.Table,
    spike_features: pa.Table | None = None,
    electrodes: pa.Table | None = None,
    probe_track_fits: pa.Table | None = None,
    ontology: pa.Table | None = None,
    insertions: pa.Table | None = None,
) -> Drawing | NotApplicable:
    """Draw a map for each probe and shank: spikes a second by time and by depth along the shank, dark where there are many.

    Parameters
    ----------
    sites : pyarrow.Table
        ``probe_sites``: which contact is on which shank.
    spike_features : pyarrow.Table, optional
        Depths of single spikes; a unit without them stands at its own depth.
    electrodes, probe_track_fits, ontology : pyarrow.Table, optional
        For the strip of regions on the left, and the depth under the brain's surface on the right.

    Notes
    -----
    Units that are labelled noise, and those without a depth, are left out. The curve on the right counts spikes by depth.
    """
    found = list(shank_maps(units, spikes, probes, clock_maps, sites, spike_features))
    if not found:
        return NotApplicable("no unit of the session has spikes and a depth on its probe")
    colors = region_colors(ontology)
    strips = {
        (one.probe, one.shank): stretches(
            None if electrodes is None else electrodes.filter(pc.field("probe") == one.probe), one.shank, colors
        )
        for one in found
    }
    tips = {(one.probe, one.shank): tip_depth_um(probe_track_fits, one.probe, one.shank) for one in found}
    names = probe_names({one.probe for one in found}, insertions)
    fill = partial(_fill, session=session, maps=found, strips=strips, tips=tips, names=names)
    return drawn(0.7 + 3.0 * len(names), fill)


def _fill(
    figure: Figure,
    *,
    session: str,
    maps: list[ShankMap],
    strips: dict[tuple[int, int], list[Stretch]],
    tips: dict[tuple[int, int], float | None],
    names: dict[int, str],
) -> None:
    rows = figure.add_gridspec(len(names), 1)
    for place, (probe, name) in enumerate(sorted(names.items())):
        mine = [one for one in maps if one.probe == probe]
        is_alone = len(mine) == 1
        columns = rows[place].subgridspec(1, 3 * len(mine), width_ratios=_WIDTHS[is_alone] * len(mine))
        for number, one in enumerate(mine):
            panel, strip, side = (figure.add_subplot(columns[3 * number + part]) for part in range(3))
            key = (one.probe, one.shank)
            _map(panel, one, is_alone=is_alone)
            draw_strip(strip, strips[key], one.top_um)
            second = _side(side, one, tips[key], is_alone=is_alone)
            strip.set(ylim=(0, one.top_um), yticks=[])
            _words(panel, one, name if number == 0 else "", is_alone=is_alone)
            if number == 0:
                panel.set_ylabel("from the tip (mm)")
            else:
                panel.tick_params(labelleft=False)
            if second is not None and number == len(mine) - 1:
                second.set_ylabel("under the brain's surface (mm)", fontsize=8)
    head(figure, f"{session}   drift maps", _small_print(maps))


def _words(axes: Axes, one: ShankMap, name: str, *, is_alone: bool) -> None:
    if is_alone:
        said = f"{name}:  {one.n_units} units, {_many(one.n_spikes)} spikes, black: {_darkest(one, is_alone):.0f}/s"
        panel_title(axes, said)
    else:
        said = f"{name}\nshank {one.shank + 1}: {one.n_units} units\nblack: {_darkest(one, is_alone):.0f}/s"
        axes.set_title(said, loc="left", fontsize=8)


def _map(axes: Axes, one: ShankMap, *, is_alone: bool) -> None:
    from matplotlib import colormaps
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.imshow(
        _shown(one, is_alone),
        extent=(*one.minutes, 0.0, one.top_um),
        aspect="auto",
        origin="lower",
        cmap=colormaps["Greys"].resampled(_GREYS),
        vmin=0.0,
        vmax=_darkest(one, is_alone),
        interpolation="nearest",
    )
    unit = "min" if one.is_on_session_clock else "min of the probe's clock"
    axes.set_xlabel(f"session time ({unit})" if is_alone else unit)
    axes.xaxis.set_major_locator(MaxNLocator(7 if is_alone else 3, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y_um, _: f"{y_um / 1000:g}"))


def _shown(one: ShankMap, is_alone: bool) -> NDArray[np.float64]:
    return np.asarray(one.rate_hz.reshape(N_DEPTHS, -1, _TOGETHER[is_alone]).mean(axis=2))


def _darkest(one: ShankMap, is_alone: bool) -> float:
    """Rate that is drawn black, spikes a second."""
    shown = _shown(one, is_alone)
    return float(np.percentile(shown[shown > 0], _DARKEST)) if shown.any() else 1.0


def _side(axes: Axes, one: ShankMap, tip_um: float | None, *, is_alone: bool) -> Any:
    """Draw the spikes by depth; the scale of depth in the brain, if any, is given back."""
    from matplotlib.ticker import MaxNLocator

    middle = (np.arange(N_DEPTHS) + 0.5) * one.top_um / N_DEPTHS
    thousands = one.spikes_by_depth / 1000
    axes.fill_betweenx(middle, thousands, color=FAINT, lw=0, step="mid")
    axes.set(ylim=(0, one.top_um), yticks=[], xlim=(0, max(float(thousands.max()), 1e-3) * 1.05))
    axes.set_xlabel("10\u00b3 spikes" if is_alone else "10\u00b3")
    axes.xaxis.set_major_locator(MaxNLocator(2 if is_alone else 1))
    axes.spines["left"].set_visible(False)
    return add_depth_in_brain(axes, tip_um)


def _many(n: int) -> str:
    return f"{n / 1e6:.1f} million" if n >= 1_000_000 else f"{n:,}"


def _small_print(maps: list[ShankMap]) -> str:
    said = (
        f"Spikes a second, {N_DEPTHS} bins of depth (right of the regions: spikes by depth, all of the session). "
        "Units labelled noise are left out."
    )
    rough = sorted({one.probe for one in maps if not one.has_depths})
    if rough:
        said += (
            f" Some spikes of probe {', '.join(map(str, rough))} have no depth of their own and stand at their unit's."
        )
    off = sorted({one.probe for one in maps if not one.is_on_session_clock})
    return said + (f" No session clock for probe {', '.join(map(str, off))}." if off else "")
