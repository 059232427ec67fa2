"""The page of the figure `probe_slice`: sections with the regions' names under the pointer, and what both forms of it say. The print is in `probe_slice`."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.figures.drawing import INK, RIGHT

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Colors = NDArray[np.uint8]

_HOVER_UM = 50.0


def of_probe(placed: pa.Table, probe: int) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """ML and DV of a probe's placed contacts, and whether each is in no labelled voxel."""
    rows = placed.filter(pc.field("probe") == probe)
    is_outside = np.array(rows["region_status"].to_pylist(), dtype=object) == "outside"
    return rows["ccf_ml_um"].to_numpy(), rows["ccf_dv_um"].to_numpy(), np.asarray(is_outside, np.bool_)


def ends_of(fit: dict[str, Any]) -> tuple[list[float], list[float]]:
    """ML and DV of the fitted track's upper and lower end."""
    ml, dv = fit["deepest_ml_um"], fit["deepest_dv_um"]
    if fit["surface_ml_um"] is None:
        return [ml - 1000 * fit["direction_ml"], ml], [dv - 1000 * fit["direction_dv"], dv]
    return [fit["surface_ml_um"], ml], [fit["surface_dv_um"], dv]


def words(probe: int, fits: list[dict[str, Any]], n_outside: int) -> str:
    """Say how deep a probe goes, where its tip is, and how many contacts lie outside."""
    depths = [fit["deepest_depth_um"] for fit in fits if fit["deepest_depth_um"] is not None]
    said = f"probe {probe}: deepest {max(depths):.0f} um under the surface" if depths else f"probe {probe}: no crossing"
    ap = np.mean([fit["deepest_ap_um"] for fit in fits])
    said += f", AP {ap:.0f} um at the tip"
    return said + (f"; {n_outside} contacts in no labelled voxel (red)" if n_outside else "")


def page_of(
    placed: pa.Table,
    fits: Mapping[int, list[dict[str, Any]]],
    pictures: Mapping[int, Colors],
    sheets: Mapping[int, Labels],
    names: Mapping[int, str],
    voxel_um: float,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """One panel a probe below another: the section as a picture, its regions' names under the pointer, contacts with theirs."""
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"showlegend": False, "margin": {"l": 60, "r": 20, "t": 80, "b": 40}}
    layout |= {"grid": {"rows": len(fits), "columns": 1, "pattern": "independent", "ygap": 0.16}}
    layout |= {"height": 120 + 640 * len(fits), "annotations": []}
    for number, probe in enumerate(fits, start=1):
        last = "" if number == 1 else str(number)
        axes = {"xaxis": f"x{last}", "yaxis": f"y{last}"}
        traces += [
            {**_picture(pictures[probe], voxel_um * len(sheets[probe]) / len(pictures[probe])), **axes},
            {**_hover(sheets[probe], names, voxel_um), **axes},
            *({**_line(fit), **axes} for fit in fits[probe]),
            {**_contacts(placed, probe), **axes},
        ]
        layout[f"xaxis{last}"] = {
            "showgrid": False,
            "zeroline": False,
            "title": {"text": "ML (um, right +)", "standoff": 4},
        }
        layout[f"yaxis{last}"] = {
            "title": {"text": "DV (um, down +)"},
            "autorange": "reversed",
            "scaleanchor": f"x{last}",
            "constrain": "domain",
            "showgrid": False,
            "zeroline": False,
        }
        n_outside = int(of_probe(placed, probe)[2].sum())
        note = {"text": words(probe, fits[probe], n_outside), "x": 0, "y": 1.02, "showarrow": False}
        note |= {"xref": f"x{last} domain", "yref": f"y{last} domain", "xanchor": "left", "yanchor": "bottom"}
        layout["annotations"].append(note)
    return traces, layout


def _picture(picture: Colors, pixel_um: float) -> dict[str, Any]:
    import PIL.Image

    out = io.BytesIO()
    PIL.Image.fromarray(picture).save(out, "PNG", compress_level=9)
    source = "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
    at = {"x0": pixel_um / 2, "dx": pixel_um, "y0": pixel_um / 2, "dy": pixel_um}
    return {"type": "image", "source": source, "hoverinfo": "skip", **at}


def _hover(labels: Labels, names: Mapping[int, str], voxel_um: float) -> dict[str, Any]:
    """Names under the pointer, every 50 um."""
    step = max(1, round(_HOVER_UM / voxel_um))
    coarse = labels[step // 2 :: step, step // 2 :: step]
    found, where = np.unique(coarse, return_inverse=True)
    texts = np.array([names.get(int(one), str(one)) if one else "" for one in found], dtype=object)
    at = {
        "x0": (step // 2 + 0.5) * voxel_um,
        "dx": step * voxel_um,
        "y0": (step // 2 + 0.5) * voxel_um,
        "dy": step * voxel_um,
    }
    return {
        "type": "heatmap",
        "z": np.zeros(coarse.shape, int).tolist(),
        "text": texts[where.reshape(coarse.shape)].tolist(),
        "hovertemplate": "%{text}<extra></extra>",
        "opacity": 0,
        "showscale": False,
        **at,
    }


def _line(fit: dict[str, Any]) -> dict[str, Any]:
    ml, dv = ends_of(fit)
    return {
        "type": "scatter",
        "mode": "lines",
        "x": ml,
        "y": dv,
        "line": {"color": INK, "width": 1},
        "hoverinfo": "skip",
    }


def _contacts(placed: pa.Table, probe: int) -> dict[str, Any]:
    rows = placed.filter(pc.field("probe") == probe)
    ml, dv, is_outside = of_probe(placed, probe)
    columns = (rows[name].to_pylist() for name in ("electrode", "shank", "region", "region_status", "ccf_ap_um"))
    said = [
        f"contact {electrode}, shank {shank + 1}<br>{region or status}<br>AP {ap:.0f} um"
        for electrode, shank, region, status, ap in zip(*columns, strict=True)
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": ml.tolist(),
        "y": dv.tolist(),
        "text": said,
        "hovertemplate": "%{text}<br>DV %{y:.0f}  ML %{x:.0f} um<extra></extra>",
        "marker": {"size": 4, "color": np.where(is_outside, RIGHT, INK).tolist()},
    }
