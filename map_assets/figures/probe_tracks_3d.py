"""Figure: all probes' tracks and contacts in the whole brain, from three sides and as a page that turns. Tracks are fitted in `ccf`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.figures.drawing import FAINT, INK, NotApplicable, drawn, title_lines
from map_assets.figures.pages import Page, packed, page, probe_color

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.floating[Any]]
Wholes = NDArray[np.integer[Any]]

_AXES = ("ap", "dv", "ml")
_BRAIN, _EDGE = "#e9e9e6", "#bdbdb8"
_PIXEL_UM = 40.0
_VIEWS = (
    ("from above", 2, 0, "left  \u2190  ML  \u2192  right", "posterior  \u2190  AP  \u2192  anterior"),
    ("from behind", 2, 1, "left  \u2190  ML  \u2192  right", "DV"),
    ("from the left", 0, 1, "anterior  \u2190  AP  \u2192  posterior", "DV"),
)
"""Name, axis to the right, axis downwards, and their labels."""


def draw(
    session: str, electrodes: pa.Table, probe_track_fits: pa.Table, vertices_um: Floats, faces: Wholes
) -> Page | NotApplicable:
    """Draw where the session's probes stand in the brain.

    Parameters
    ----------
    session : str
    electrodes, probe_track_fits : pyarrow.Table
        As in the store.
    vertices_um : numpy.ndarray of float, shape (n, 3)
        The brain's surface, AP, DV, ML in um.
    faces : numpy.ndarray of int, shape (m, 3)
        Its triangles, places in `vertices_um`.

    Notes
    -----
    Lines run from where the fitted track enters the brain to its deepest place (from the deepest contact upwards where it
    enters none); dots are contacts, open where they lie in no labelled voxel.
    """
    fits = probe_track_fits.sort_by([("probe", "ascending"), ("shank", "ascending")]).to_pylist()
    if not fits:
        return NotApplicable("no probe of the session has a traced track")
    placed = electrodes.filter(pc.field("ccf_ap_um").is_valid())
    fill = partial(_fill, session=session, placed=placed, fits=fits, vertices_um=vertices_um, faces=faces)
    flat = drawn(6.3, fill)
    title = f"{session}   probe tracks"
    return Page(flat.png, flat.svg, page(_traces(placed, fits, vertices_um, faces), _scene(), title))


def _ends(fit: dict[str, Any]) -> Floats:
    """Both ends of a shank's fitted track, upper first; shape (2, 3)."""
    tip = np.array([fit[f"deepest_{axis}_um"] for axis in _AXES])
    if fit["surface_ap_um"] is None:
        return np.stack([tip - 1000 * np.array([fit[f"direction_{axis}"] for axis in _AXES]), tip])
    return np.stack([[fit[f"surface_{axis}_um"] for axis in _AXES], tip])


def _places(table: pa.Table) -> Floats:
    return np.stack([table[f"ccf_{axis}_um"].to_numpy() for axis in _AXES], axis=1)


# -- for print ---------------------------------------------------------------------------------------------------------
def _fill(
    figure: Figure, *, session: str, placed: pa.Table, fits: list[dict[str, Any]], vertices_um: Floats, faces: Wholes
) -> None:
    grid = figure.add_gridspec(2, 2, width_ratios=[11.4, 13.2], height_ratios=[13.2, 8])
    spots = dict(zip(("from above", "from behind", "from the left"), (grid[0, 0], grid[1, 0], grid[1, 1]), strict=True))
    for name, right, down, x_label, y_label in _VIEWS:
        axes = figure.add_subplot(spots[name])
        _silhouette(axes, vertices_um[:, [right, down]], faces)
        for fit in fits:
            _track(axes, fit, placed, right, down)
        axes.set(aspect="equal", xticks=[], yticks=[])
        axes.set_title(name, loc="left", fontsize=9)
        axes.set_xlabel(x_label, fontsize=8)
        axes.set_ylabel(y_label, fontsize=8)
        axes.spines[:].set_visible(False)
        axes.invert_yaxis()
    _legend(figure.add_subplot(grid[0, 1]), fits)
    n_outside = pc.sum(pc.equal(placed["region_status"], "outside")).as_py() or 0
    below = f"{placed.num_rows} placed contacts, {n_outside} of them in no labelled voxel (open)"
    title_lines(figure, f"{session}   probe tracks", "")
    figure.axes[0].set_title("from above", loc="left", fontsize=9, color=INK)
    figure.axes[-1].set_title(below, loc="left", fontsize=8.5, color=FAINT)


def _silhouette(axes: Axes, corners: Floats, faces: Wholes) -> None:
    """Fill the brain's outline as it looks from one side."""
    import PIL.Image
    import PIL.ImageDraw

    start = corners.min(axis=0) - 2 * _PIXEL_UM
    width, height = (int(n) for n in np.ceil((corners.max(axis=0) + 2 * _PIXEL_UM - start) / _PIXEL_UM))
    mask = PIL.Image.new("L", (width, height))
    pen = PIL.ImageDraw.Draw(mask)
    for triangle in ((corners[faces] - start) / _PIXEL_UM).reshape(-1, 6).tolist():
        pen.polygon(triangle, fill=1)
    at = [start[axis] + _PIXEL_UM * np.arange(n) for axis, n in ((0, width), (1, height))]
    axes.contourf(*at, np.asarray(mask), [0.5, 1.5], colors=[_BRAIN])
    axes.contour(*at, np.asarray(mask), [0.5], colors=[_EDGE], linewidths=0.9)
    low, high = corners.min(axis=0) - 200, corners.max(axis=0) + 200
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    length = 2000.0
    axes.plot([high[0] - 300 - length, high[0] - 300], [high[1] - 100] * 2, color=FAINT, lw=1.5, clip_on=False)
    axes.annotate(
        "2 mm", (high[0] - 300 - length / 2, high[1] - 180), ha="center", va="bottom", fontsize=7.5, color=FAINT
    )


def _track(axes: Axes, fit: dict[str, Any], placed: pa.Table, right: int, down: int) -> None:
    color = probe_color(fit["probe"])
    ends = _ends(fit)[:, [right, down]]
    axes.plot(ends[:, 0], ends[:, 1], color=color, lw=1.1)
    axes.scatter(ends[:1, 0], ends[:1, 1], s=14, color=color, marker="_", linewidths=1.5)
    is_here = (pc.field("probe") == fit["probe"]) & (pc.field("shank") == fit["shank"])
    found = placed.filter(is_here)
    if not found.num_rows:
        return
    at = _places(found)[:, [right, down]]
    is_outside = np.array(found["region_status"].to_pylist()) == "outside"
    axes.scatter(at[~is_outside, 0], at[~is_outside, 1], s=2.5, color=color, linewidths=0, rasterized=True)
    axes.scatter(
        at[is_outside, 0], at[is_outside, 1], s=5, facecolors="none", edgecolors=color, linewidths=0.4, rasterized=True
    )


def _legend(axes: Axes, fits: list[dict[str, Any]]) -> None:
    """Say each shank's depth, tilt and residual, a line a shank."""
    axes.axis("off")
    for row, fit in enumerate(fits):
        axes.annotate(
            _words(fit),
            (0, 1 - min(0.085, 1 / len(fits)) * row),
            xycoords="axes fraction",
            va="top",
            color=probe_color(fit["probe"]),
            fontsize=8.5 if len(fits) <= 11 else 6.5,
        )


def _words(fit: dict[str, Any]) -> str:
    depth = fit["deepest_depth_um"]
    said = "no surface crossing" if depth is None else f"{depth:.0f} um deep"
    return (
        f"probe {fit['probe']} shank {fit['shank'] + 1}:  {said},  {fit['tilt_deg']:.0f}\u00b0 from vertical,  "
        f"{fit['residual_rms_um']:.0f} um about the line"
    )


# -- the page ----------------------------------------------------------------------------------------------------------
def _traces(placed: pa.Table, fits: list[dict[str, Any]], vertices_um: Floats, faces: Wholes) -> list[dict[str, Any]]:
    """The brain, then a line and dots for each shank; plotly's x, y, z are ML, AP, DV."""
    ap, dv, ml = (packed(np.asarray(one)) for one in vertices_um.T)
    i, j, k = (packed(np.asarray(one)) for one in faces.T)
    brain: dict[str, Any] = {"type": "mesh3d", "x": ml, "y": ap, "z": dv, "i": i, "j": j, "k": k, "opacity": 0.15}
    brain |= {"color": "#9a9a90", "hoverinfo": "skip", "name": "brain", "showlegend": True}
    traces = [brain]
    for fit in fits:
        name = f"probe {fit['probe']} shank {fit['shank'] + 1}"
        color, ends = probe_color(fit["probe"]), _ends(fit)
        line: dict[str, Any] = {
            "type": "scatter3d",
            "mode": "lines",
            "line": {"color": color, "width": 4},
            "hoverinfo": "text",
        }
        line |= {"text": _words(fit), "name": name, "legendgroup": name}
        traces.append(line | {"x": packed(ends[:, 2]), "y": packed(ends[:, 0]), "z": packed(ends[:, 1])})
        found = placed.filter((pc.field("probe") == fit["probe"]) & (pc.field("shank") == fit["shank"]))
        if found.num_rows:
            traces.append(_dots(found, name, color))
    return traces


def _dots(found: pa.Table, name: str, color: str) -> dict[str, Any]:
    at = _places(found)
    columns = ("electrode", "region", "region_status", "position_source")
    rows = zip(*(found[column].to_pylist() for column in columns), strict=True)
    said = [f"{name}, contact {number}<br>{region or status}<br>{source}" for number, region, status, source in rows]
    symbols = np.where(np.array(found["region_status"].to_pylist()) == "outside", "circle-open", "circle").tolist()
    return {
        "type": "scatter3d",
        "mode": "markers",
        "marker": {"color": color, "size": 2.5, "symbol": symbols},
        "x": packed(at[:, 2]),
        "y": packed(at[:, 0]),
        "z": packed(at[:, 1]),
        "text": said,
        "hovertemplate": "%{text}<br>AP %{y:.0f}  DV %{z:.0f}  ML %{x:.0f} um<extra></extra>",
        "name": name,
        "legendgroup": name,
        "showlegend": False,
    }


def _scene() -> dict[str, Any]:
    bare = {"showbackground": False, "zeroline": False, "gridcolor": "#e6e6e6"}
    return {
        "scene": {
            "aspectmode": "data",
            "xaxis": {**bare, "title": {"text": "ML (um, right +)"}},
            "yaxis": {**bare, "title": {"text": "AP (um, posterior +)"}, "autorange": "reversed"},
            "zaxis": {**bare, "title": {"text": "DV (um, down +)"}, "autorange": "reversed"},
            "camera": {"eye": {"x": -1.35, "y": 1.45, "z": 1.0}},
        },
        "legend": {"x": 0.01, "y": 0.93, "xanchor": "left"},
        "margin": {"l": 0, "r": 0, "t": 40, "b": 0},
    }
