"""Title and small print of figures of many panels. One line under the title alone is in `drawing.title_lines`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from map_assets.figures.drawing import FAINT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINE = 150
"""Letters of a line of small print."""


def head(figure: Figure, title: str, small_print: str) -> None:
    """Put a title on top, left, and the small print at the foot, outside all axes."""
    import textwrap

    figure.suptitle(title, x=0.012, ha="left", fontsize=11, fontweight="bold")
    figure.supxlabel("\n".join(textwrap.wrap(small_print, _LINE)), x=0.012, ha="left", fontsize=8, color=FAINT)


def panel_title(axes: Axes, said: str) -> None:
    """Head a panel, left."""
    axes.set_title(said, loc="left", fontsize=8.5)


def empty(axes: Axes, said: str) -> None:
    """Say in a panel why it shows nothing."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.text(0.5, 0.5, said, transform=axes.transAxes, ha="center", va="center", fontsize=8, color=FAINT, wrap=True)
