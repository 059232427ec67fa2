"""A drawing with an interactive page beside it, and how every page is written. What is shown has a file a figure; `drawing` renders for print."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from map_assets.figures.drawing import INK, Drawing

PROBE_COLORS = ("#1f5fb4", "#c8322d", "#2e8b57", "#8a4fbf", "#d98a00", "#0f9aa8", "#b0307f", "#6b6b3a")
"""By insertion number, from the first."""


@dataclass(frozen=True)
class Page(Drawing):
    """A figure, drawn, with a page on which it can be turned and asked.

    Parameters
    ----------
    html : bytes
        Self-contained: plotly's script is in it, 4.8 MB. So it opens without a network, from a share, out of a mail or from
        the store's history, years later; a script beside it would be left behind, one from the web be gone or changed.
    """

    html: bytes


def probe_color(probe: int) -> str:
    """Colour of a probe by its insertion number, from 1."""
    return PROBE_COLORS[(probe - 1) % len(PROBE_COLORS)]


def page(traces: Sequence[Mapping[str, Any]], layout: Mapping[str, Any], title: str) -> bytes:
    """Write a plotly figure as a self-contained page; the same data give the same bytes.

    Parameters
    ----------
    traces, layout : sequence of mapping, mapping
        As plotly's figures have them.
    title : str
        Of the page and the figure.
    """
    import html

    import plotly.io

    font = {"family": "DejaVu Sans, Arial, sans-serif", "size": 13, "color": INK}
    head = {"text": title, "x": 0.01, "xanchor": "left", "font": {"size": 15}}
    whole = {"font": font, "title": head, "paper_bgcolor": "white", "plot_bgcolor": "white", **layout}
    figure = {"data": [dict(trace) for trace in traces], "layout": whole}
    body = plotly.io.to_html(
        figure,
        config={"displaylogo": False, "responsive": True},
        include_plotlyjs=True,
        full_html=False,
        validate=False,
        div_id="figure",
        default_height="94vh",
    )
    text = (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{html.escape(title)}</title></head>\n'
    )
    return (text + f"<body>\n{body}\n</body>\n</html>\n").encode()


def packed(values: NDArray[Any]) -> dict[str, str]:
    """Pack numbers for plotly as bytes, not as text: a third of the size, and exact. Times of float32 are enough for um."""
    kinds = {"f": ("f4", np.float32), "i": ("i4", np.int32), "u": ("i4", np.int32)}
    name, kind = kinds[values.dtype.kind]
    found = {"dtype": name, "bdata": base64.b64encode(np.ascontiguousarray(values, kind).tobytes()).decode()}
    return found if values.ndim == 1 else {**found, "shape": ",".join(map(str, values.shape))}
