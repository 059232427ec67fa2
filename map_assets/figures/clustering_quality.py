"""Figure: how well the session's units were sorted, measure against measure and along each probe. The measures are gathered in `quality_measures`."""

from __future__ import annotations

from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.figures.clustering_quality_page import page_of
from map_assets.figures.drawing import NotApplicable, drawn
from map_assets.figures.laterality import probe_names
from map_assets.figures.pages import Page
from map_assets.figures.quality_measures import LABELS, Quality, labels_of, qualities
from map_assets.figures.sheet import empty, head, panel_title
from map_assets.figures.unit_map import areas, draw_units, frame, places, size_key

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

_MAPPED = ("amplitude", "snr", "rate")
_COLUMNS = 6
"""Maps in a row: those of two probes."""
_FULL_PT2 = 90.0
"""Area of the largest mark, points squared: here every unit has one."""


def draw(
    session: str,
    units: pa.Table,
    unit_stats: pa.Table | None = None,
    electrodes: pa.Table | None = None,
    insertions: pa.Table | None = None,
) -> Page | NotApplicable:
    """Draw six panels of one measure against another, and for each probe three maps of its units.

    The measures: amplitude, signal to noise, rate, and violations of the refractory period (a rate relative to the
    unit's own, not a share). In the maps a mark's area is the unit's value over the session's largest.
    """
    if not units.num_rows:
        return NotApplicable("the session has no units")
    measures = qualities(units, unit_stats)
    known = {name: np.isfinite(measure.values) for name, measure in measures.items()}
    x_um, y_um = places(units)
    has_place = np.isfinite(x_um) & np.isfinite(y_um)
    if not has_place.any() and not any((known[a] & known[b]).any() for a, b in combinations(known, 2)):
        return NotApplicable("no unit of the session has two measures, or a place on its probe")
    probe_of = units["probe"].to_numpy()
    names = probe_names(sorted(set(probe_of[has_place].tolist())), insertions)
    label = labels_of(units)
    fill = partial(
        _fill, session=session, measures=measures, label=label, at=(x_um, y_um), probe_of=probe_of, names=names
    )
    n_rows = -(-len(names) * len(_MAPPED) // _COLUMNS)
    flat = drawn(5.6 + (0.8 if n_rows else 0.0) + 2.7 * n_rows, fill)
    html = page_of(session, units, measures, label, electrodes, probe_names(sorted(set(probe_of.tolist())), insertions))
    return Page(flat.png, flat.svg, html)


def _fill(
    figure: Figure,
    *,
    session: str,
    measures: dict[str, Quality],
    label: NDArray[np.str_],
    at: tuple[Floats, Floats],
    probe_of: NDArray[np.int64],
    names: dict[int, str],
) -> None:
    n_maps = -(-len(names) * len(_MAPPED) // _COLUMNS)
    heights = [2.4, 2.4, *([0.8] if n_maps else []), *[2.7] * n_maps]
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    rows = [grid[row].subgridspec(1, 3 if row < 2 else _COLUMNS) for row in range(len(heights))]
    for number, (x, y) in enumerate(combinations(("amplitude", "snr", "rate", "isi"), 2)):
        axes = figure.add_subplot(rows[number // 3][number % 3])
        _scatter(axes, measures[x], measures[y], label)
    if n_maps:
        largest = {name: float(np.nanmax(np.r_[measures[name].values, 0.0])) for name in _MAPPED}
        key = {f"area: {measures[name].name}": largest[name] for name in _MAPPED if largest[name] > 0}
        size_key(figure.add_subplot(grid[2]), key, _FULL_PT2)
        for number, (probe, name) in enumerate(names.items()):
            for part, measure in enumerate(_MAPPED):
                place = number * len(_MAPPED) + part
                axes = figure.add_subplot(rows[3 + place // _COLUMNS][place % _COLUMNS])
                is_here = (probe_of == probe) & np.isfinite(at[0]) & np.isfinite(at[1])
                _map(axes, measures[measure], largest[measure], label, at, is_here, is_first=part == 0)
                panel_title(axes, f"{name if part == 0 else ''}\n{measure}")
    _key(figure, label)
    isi = "ISI violation: intervals under the refractory limit, as a rate relative to the unit's own; not a share, may exceed 1."
    head(figure, f"{session}   clustering quality", isi)


def _scatter(axes: Axes, x: Quality, y: Quality, label: NDArray[np.str_]) -> None:
    known = np.isfinite(x.values) & np.isfinite(y.values)
    if not known.any():
        empty(axes, f"no unit has both\n{x.name} and {y.name}")
        return
    for name, look in LABELS.items():
        chosen = known & (label == name)
        axes.scatter(
            x.values[chosen],
            y.values[chosen],
            s=9,
            marker=look.marker,
            linewidths=0.0 if look.is_full else 0.7,
            alpha=0.6,
            rasterized=chosen.sum() > 500,
            **_paint(look.color, look.marker, is_full=look.is_full),
        )
    for scale, limits, axis, measure in (
        (axes.set_xscale, axes.set_xlim, axes.xaxis, x),
        (axes.set_yscale, axes.set_ylim, axes.yaxis, y),
    ):
        if measure.linear_to is not None:
            scale("symlog", linthresh=measure.linear_to)
            most = float(np.nanmax(measure.values[known]))
            limits(-0.3 * measure.linear_to, 1.6 * max(most, measure.linear_to))
            decades = [0.0, *(measure.linear_to * 10.0**power for power in range(9))]
            axis.set_ticks([value for value in decades if value <= max(most, measure.linear_to)])
            axis.set_major_formatter("{x:g}")
            axis.set_minor_locator(_no_ticks())
    axes.set(xlabel=x.name, ylabel=y.name)


def _no_ticks() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()


def _paint(color: str, marker: str, *, is_full: bool) -> dict[str, Any]:
    if marker == "x":
        return {"color": color}
    return {"facecolors": color if is_full else "none", "edgecolors": color}


def _map(
    axes: Axes,
    measure: Quality,
    largest: float,
    label: NDArray[np.str_],
    at: tuple[Floats, Floats],
    is_here: NDArray[np.bool_],
    *,
    is_first: bool,
) -> None:
    x_um, y_um = at
    frame(axes, x_um[is_here], y_um[is_here], is_first=is_first)
    if not np.isfinite(measure.values[is_here]).any():
        axes.text(0.5, 0.5, "not known", transform=axes.transAxes, ha="center", va="center", fontsize=8)
    for name, look in LABELS.items():
        marker = "o" if look.marker == "x" else look.marker
        chosen = is_here & (label == name) & np.isfinite(measure.values)
        draw_units(axes, x_um, y_um, areas(measure.values, largest, _FULL_PT2), chosen, color=look.color, marker=marker)
    axes.set_xlabel("um")


def _key(figure: Figure, label: NDArray[np.str_]) -> None:
    from matplotlib.lines import Line2D

    shown = [name for name in LABELS if (label == name).any()]
    handles = [
        Line2D(
            [],
            [],
            ls="none",
            marker=LABELS[name].marker,
            mec=LABELS[name].color,
            mfc=LABELS[name].color if LABELS[name].is_full else "none",
            ms=5,
        )
        for name in shown
    ]
    counts = [f"{name} ({np.count_nonzero(label == name)})" for name in shown]
    figure.legend(handles, counts, loc="outside upper right", ncols=len(shown), columnspacing=1.0)
