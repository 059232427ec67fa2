"""How contra and ipsi look, and which is which. Colours of lick sides by themselves are in `drawing`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from map_assets.figures.drawing import LEFT, RIGHT

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Look:
    """How one side is drawn: told by colour, and again by the line's dashes and the mark's form.

    Parameters
    ----------
    color : str
    dashes : tuple of float
        On and off, points; empty for a whole line.
    marker : str
        Matplotlib's.
    symbol : str
        Plotly's.
    """

    color: str
    dashes: tuple[float, ...]
    marker: str
    symbol: str

    @property
    def line(self) -> Any:
        """Matplotlib's line style."""
        return (0, self.dashes) if self.dashes else "-"


CONTRA, IPSI = "contra", "ipsi"
_WHOLE, _DASHED = Look(LEFT, (), "o", "circle"), Look(RIGHT, (4.0, 1.6), "D", "diamond")
LOOKS = {CONTRA: _WHOLE, IPSI: _DASHED, "left": _WHOLE, "right": _DASHED}
"""Contra and ipsi; left and right stand for them where a probe's hemisphere is not known, and are named so."""


def hemispheres(selectivity: pa.Table | None) -> dict[int, str]:
    """Side of the brain by probe, as ``selectivity`` has it; a probe whose side is not known is left out."""
    if selectivity is None:
        return {}
    pairs = zip(selectivity["probe"].to_pylist(), selectivity["hemisphere"].to_pylist(), strict=True)
    return {probe: side for probe, side in pairs if side is not None}


def relative(side: str, hemisphere: str | None) -> str:
    """Contra or ipsi, for a side as seen from a hemisphere; the side itself where the hemisphere is not known."""
    if hemisphere is None:
        return side
    return IPSI if side == hemisphere else CONTRA


def in_order(names: Iterable[str]) -> list[str]:
    """Those of contra, ipsi, left and right that are there, in this order, each once."""
    there = set(names)
    return [name for name in LOOKS if name in there]


def probe_names(probes: Iterable[int], insertions: pa.Table | None) -> dict[int, str]:
    """Say of each probe where it was aimed at, as far as the registry knows."""
    rows = [] if insertions is None else insertions.to_pylist()
    aimed = {
        row["probe"]: " ".join(row[name] for name in ("hemisphere", "brain_area") if row[name] is not None)
        for row in rows
    }
    return {probe: f"probe {probe}" + (f", {aimed[probe]}" if aimed.get(probe) else "") for probe in probes}


def key_of(figure: Figure, names: Sequence[str], word: str, others: Sequence[tuple[Any, str]] = ()) -> None:
    """Put a key of the sides at the top right, outside all axes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        With a constrained layout.
    names : sequence of str
        Keys of `LOOKS`.
    word : str
        Behind each name, as in "trials".
    others : sequence of (artist, str)
        Further handles and what they stand for.
    """
    from matplotlib.lines import Line2D

    handles: list[Any] = [Line2D([], [], color=LOOKS[name].color, ls=LOOKS[name].line, lw=1.8) for name in names]
    labels = [f"{name} {word}" for name in names]
    handles += [artist for artist, _ in others]
    labels += [label for _, label in others]
    figure.legend(handles, labels, loc="outside upper right", ncols=len(handles), handlelength=2.6, borderaxespad=0.2)
