"""The interactive page of `unit_characteristic`: the same maps, every unit telling what it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from map_assets.figures.drawing import FAINT
from map_assets.figures.page_grid import PanelGrid
from map_assets.figures.pages import packed, page
from map_assets.figures.unit_map import hover, places, regions_of
from map_assets.figures.unit_measures import LIGHT, STYLES, Measure

_LARGEST_PX = 26.0
_NONE_PX = 4.0
_HEIGHT_PX = 560


def page_of(
    session: str,
    units: pa.Table,
    measures: list[Measure],
    electrodes: pa.Table | None,
    names: dict[int, str],
    light: str,
) -> bytes:
    """Write the page; a row of maps for each probe, a column for each measure.

    Parameters
    ----------
    session : str
    units : pyarrow.Table
        Those that are shown.
    measures : list of Measure
    electrodes : pyarrow.Table, optional
        For the units' regions.
    names : dict of int to str
        What each probe is called.
    light : str
        What the light's measure is called.
    """
    grid, regions = PanelGrid(len(names), len(measures)), regions_of(units, electrodes)
    x_um, y_um = places(units)
    probe_of = units["probe"].to_numpy()
    traces: list[dict[str, Any]] = []
    for row, (probe, name) in enumerate(names.items()):
        for column, measure in enumerate(measures):
            title = light if measure.name == LIGHT else measure.name
            said = f"<b>{name}</b>   {title}" if column == 0 else title
            y: dict[str, Any] = {"title": "from the tip (um)" if column == 0 else ""}
            if column:
                y |= {"matches": _y_of(row, len(measures)), "showticklabels": False}
            axes = grid.axes(row, column, said, {"title": "across (um)"}, y)
            words = hover(units, regions, [_words(size) for size in measure.size_hz])
            traces += _marks(axes, measure, probe_of == probe, x_um, y_um, words, shows_key=row == 0)
    layout = {
        **grid.layout,
        "height": 90 + _HEIGHT_PX * len(names),
        "margin": {"l": 60, "r": 10, "t": 70, "b": 50},
    }
    layout["legend"] = {"orientation": "h", "x": 1.0, "xanchor": "right", "y": 1.01, "yanchor": "bottom"}
    return page(traces, layout, f"{session}   unit characteristics")


def _y_of(row: int, n_columns: int) -> str:
    number = row * n_columns + 1
    return "y" if number == 1 else f"y{number}"


def _words(size_hz: float) -> str:
    return "not judged" if np.isnan(size_hz) else f"difference {size_hz:.2f} spikes/s"


def _marks(
    axes: dict[str, str], measure: Measure, is_here: Any, x_um: Any, y_um: Any, words: list[str], *, shows_key: bool
) -> list[dict[str, Any]]:
    """One trace for each kind of unit that there is; of all panels the key names a kind once."""
    shown = [kind for kind in STYLES if (measure.kind == kind).any()]
    known = measure.size_hz[np.isin(measure.kind.astype(str), shown)]
    most = float(np.nanmax(known)) if known.size else 1.0
    found = []
    for kind in ("none", *shown):
        chosen = np.flatnonzero(is_here & (measure.kind == kind))
        color, _, symbol = STYLES.get(kind, (FAINT, "", "circle"))
        size = np.full(chosen.size, _NONE_PX)
        if kind != "none":
            size = np.maximum(_LARGEST_PX * np.sqrt(measure.size_hz[chosen] / (most or 1.0)), _NONE_PX)
        found.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": packed(x_um[chosen]),
                "y": packed(y_um[chosen]),
                "marker": {
                    "symbol": symbol if kind == "none" else f"{symbol}-open",
                    "size": packed(size),
                    "color": color,
                    "line": {"width": 1.5},
                },
                "text": [words[at] for at in chosen],
                "hovertemplate": "%{text}<extra></extra>",
                "name": _NAMES[kind],
                "legendgroup": kind,
                "showlegend": shows_key and measure.name in ("sample", LIGHT) and kind != "none",
                **axes,
            }
        )
    return found


_NAMES = {
    "none": "no difference",
    "contra": "contra-selective",
    "ipsi": "ipsi-selective",
    "fewer": "light: fewer spikes",
    "more": "light: more spikes",
}
