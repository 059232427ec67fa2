"""A drawing as bytes, and how every figure is rendered: same paper, same bytes for same data. What is drawn has a file a figure."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL.Image import Image

LEFT = "#1f5fb4"
RIGHT = "#c8322d"
INK = "#222222"
FAINT = "#8a8a8a"
SIDES = {"left": LEFT, "right": RIGHT}
"""Colours of the lick sides, as the MAP labs draw them."""

WIDTH_IN = 9.0
DPI = 100
MAX_PNG_BYTES = 100_000

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "map_assets",
    "path.simplify": True,
}
_settings_are_global = threading.Lock()


@dataclass(frozen=True)
class Drawing:
    """A figure, drawn.

    Parameters
    ----------
    png : bytes
        About 900 px wide, at most `MAX_PNG_BYTES`.
    svg : bytes
        The same for print.
    """

    png: bytes
    svg: bytes


@dataclass(frozen=True)
class NotApplicable:
    """A figure that this session has no data for; not a failure.

    Parameters
    ----------
    reason : str
        One sentence.
    """

    reason: str


def drawn(height_in: float, fill: Callable[[Figure], None]) -> Drawing:
    """Draw a figure of the house's width; the same data give the same bytes.

    Parameters
    ----------
    height_in : float
        Height, inches; the width is `WIDTH_IN`.
    fill : callable
        Puts the content into the empty figure.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with _settings_are_global, matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH_IN, height_in), dpi=DPI, facecolor="white", layout="constrained")
        FigureCanvasAgg(figure)
        fill(figure)
        engine = figure.get_layout_engine()
        if engine is not None:
            engine.execute(figure)
        figure.set_layout_engine("none")
        svg = io.BytesIO()
        figure.savefig(svg, format="svg", dpi=2 * DPI, metadata={"Date": None})
        return Drawing(_png(figure), svg.getvalue())


def _png(figure: Figure) -> bytes:
    """Render to PNG; one that is too heavy loses colours first, then pixels."""
    image = _pixels(figure, DPI)
    png = _encoded(image)
    for scale, colors in ((1.0, 128), (1.0, 32), (0.75, 32), (0.5, 16)):
        if len(png) <= MAX_PNG_BYTES:
            break
        if scale < 1.0:
            image = _pixels(figure, scale * DPI)
        png = _encoded(image.quantize(colors))
    return png


def _pixels(figure: Figure, dpi: float) -> Image:
    import PIL.Image
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(dpi)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return PIL.Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba()).convert("RGB")


def _encoded(image: Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=9)
    return out.getvalue()


def title_lines(figure: Figure, title: str, below: str, *, pad: float = 6) -> None:
    """Put a title and one line of small print over a figure; `pad` points of room below them."""
    figure.suptitle(title, x=0.012, ha="left", fontsize=11, fontweight="bold")
    figure.axes[0].set_title(below, loc="left", fontsize=8.5, color=FAINT, pad=pad)


def event_lines(axes: Axes, events: dict[str, float], *, labelled: bool) -> None:
    """Draw dashed lines at task events (name to x), with their names on top if `labelled`."""
    for name, at in events.items():
        axes.axvline(at, color=FAINT, lw=0.9, ls=(0, (4, 3)), zorder=0)
        if labelled:
            axes.annotate(
                name,
                (at, 1),
                (0, 2),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=8.5,
                color=FAINT,
            )
