"""The interactive page of `clustering_quality`: the same measures, every unit telling what it is."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.figures.page_grid import PanelGrid
from map_assets.figures.pages import packed, page, probe_color
from map_assets.figures.quality_measures import LABELS, Quality
from map_assets.figures.unit_map import hover, places, regions_of

_LARGEST_PX = 26.0
_MAPPED = ("amplitude", "snr", "rate")


def page_of(
    session: str,
    units: pa.Table,
    measures: dict[str, Quality],
    label: NDArray[np.str_],
    electrodes: pa.Table | None,
    names: dict[int, str],
) -> bytes:
    """Write the page: six panels of one measure against another, then three maps for each probe.

    Parameters
    ----------
    session : str
    units : pyarrow.Table
    measures : dict of str to Quality
        In the units' order, as `label`.
    label : numpy.ndarray of str
    electrodes : pyarrow.Table, optional
        For the units' regions.
    names : dict of int to str
        What each probe is called.
    """
    grid = PanelGrid(2 + len(names), 3)
    said = [" ".join(f"{name} {one.values[at]:.3g}" for name, one in measures.items()) for at in range(units.num_rows)]
    words = hover(units, regions_of(units, electrodes), said)
    probe_of, (x_um, y_um) = units["probe"].to_numpy(), places(units)
    traces: list[dict[str, Any]] = []
    for number, (x, y) in enumerate(combinations(("amplitude", "snr", "rate", "isi"), 2)):
        axes = grid.axes(number // 3, number % 3, "", _axis(measures[x]), _axis(measures[y]))
        known = np.isfinite(measures[x].values) & np.isfinite(measures[y].values)
        traces += _points(axes, _on_axis(measures[x]), _on_axis(measures[y]), known, probe_of, label, words, names)
    for row, (probe, name) in enumerate(names.items(), start=2):
        for column, measure in enumerate(_MAPPED):
            title = f"<b>{name}</b>   {measures[measure].name}" if column == 0 else measures[measure].name
            y_axis = {"title": "from the tip (um)" if column == 0 else ""}
            axes = grid.axes(row, column, title, {"title": "across (um)"}, y_axis)
            values = measures[measure].values
            chosen = np.flatnonzero((probe_of == probe) & np.isfinite(values) & np.isfinite(x_um) & np.isfinite(y_um))
            most = float(np.nanmax(np.r_[values, 0.0])) or 1.0
            size = np.maximum(_LARGEST_PX * np.sqrt(np.clip(values[chosen], 0, None) / most), 2.0)
            marker = {
                "symbol": "circle-open",
                "size": packed(size),
                "color": probe_color(probe),
                "line": {"width": 1.3},
            }
            traces.append(_trace(axes, x_um[chosen], y_um[chosen], marker, [words[at] for at in chosen], name, probe))
    layout: dict[str, Any] = {
        **grid.layout,
        "height": 90 + 400 * grid.n_rows,
        "margin": {"l": 60, "r": 10, "t": 70, "b": 50},
        "legend": {"orientation": "h", "x": 1.0, "xanchor": "right", "y": 1.0, "yanchor": "bottom"},
    }
    title = f"{session}   clustering quality"
    marks = "full circle: good, open square: mua, cross: other labels"
    layout["title"] = {"text": f"{title}<br><sup>{marks}</sup>", "x": 0.01, "xanchor": "left", "font": {"size": 15}}
    return page(traces, layout, title)


def _axis(measure: Quality) -> dict[str, Any]:
    found: dict[str, Any] = {"title": measure.name}
    return found if measure.linear_to is None else {**found, "type": "log", "tickformat": "~g", "dtick": 1}


def _points(
    axes: dict[str, str],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    known: NDArray[np.bool_],
    probe_of: NDArray[np.int64],
    label: NDArray[np.str_],
    words: list[str],
    names: dict[int, str],
) -> list[dict[str, Any]]:
    """One trace for each probe, coloured as its tracks are, with a mark for each label."""
    symbols = np.array([LABELS[name].symbol for name in label.tolist()], str)
    found = []
    for probe, name in names.items():
        chosen = np.flatnonzero(known & (probe_of == probe))
        marker = {"symbol": symbols[chosen].tolist(), "size": 6, "color": probe_color(probe), "opacity": 0.7}
        marker["line"] = {"width": 1, "color": probe_color(probe)}
        at = [words[one] for one in chosen]
        shows = axes["xaxis"] == "x"
        found.append(_trace(axes, x[chosen], y[chosen], marker, at, name, probe, shows=shows))
    return found


def _on_axis(measure: Quality) -> NDArray[np.float64]:
    """Values as they stand on the axis: what is under its lowest decade stands there, and the pointer tells it."""
    return measure.values if measure.linear_to is None else np.maximum(measure.values, measure.linear_to)


def _trace(
    axes: dict[str, str],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    marker: dict[str, Any],
    words: list[str],
    name: str,
    probe: int,
    *,
    shows: bool = False,
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": packed(x),
        "y": packed(y),
        "marker": marker,
        "text": words,
        "hovertemplate": "%{text}<extra></extra>",
        "name": name,
        "legendgroup": str(probe),
        "showlegend": shows,
        **axes,
    }
