"""Units where they sit on their probe, as marks of different size. What the sizes mean is up to each figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.figures.drawing import FAINT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

FULL_PT2 = 150.0
"""Area of the largest mark, points squared."""
KEY_SHARES = (0.2, 0.5, 0.8)
"""Shares of the largest value that the key of sizes shows, as in the earlier MAP pipeline."""


def places(units: pa.Table) -> tuple[Floats, Floats]:
    """Where units sit: um across the probe, um along the shank from the tip-most row; NaN where it is not known."""
    x_um, y_um = (units[name].to_numpy().astype(np.float64) for name in ("x_um", "y_um"))
    return x_um, y_um


def areas(values: Floats, largest: float, full_pt2: float = FULL_PT2) -> Floats:
    """Area of each unit's mark, points squared: as the value, that of the largest `full_pt2`; zero without one."""
    if not largest > 0:
        return np.zeros_like(values)
    return np.nan_to_num(np.clip(values / largest, 0, 1)) * full_pt2


def draw_units(
    axes: Axes,
    x_um: Floats,
    y_um: Floats,
    area_pt2: Floats,
    chosen: Flags,
    *,
    color: str,
    marker: str = "o",
    is_full: bool = False,
) -> None:
    """Draw one kind of units as marks, open so that none hides another."""
    axes.scatter(
        x_um[chosen],
        y_um[chosen],
        s=area_pt2[chosen],
        facecolors=color if is_full else "none",
        edgecolors=color,
        marker=marker,
        linewidths=0.0 if is_full else 0.9,
        alpha=0.8,
        rasterized=chosen.sum() > 300,
    )


def frame(axes: Axes, x_um: Floats, y_um: Floats, *, is_first: bool) -> None:
    """Give a map its axes: across the probe in um, along the shank in mm, both with room for the marks."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    left, right = float(np.nanmin(x_um)), float(np.nanmax(x_um))
    low, high = float(np.nanmin(y_um)), float(np.nanmax(y_um))
    room, above = max(0.3 * (right - left), 15.0), max(0.06 * (high - low), 30.0)
    axes.set(xlim=(left - room, right + room), ylim=(low - above, high + above))
    axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y / 1000:g}"))
    if is_first:
        axes.set_ylabel("from the tip (mm)")
    else:
        axes.tick_params(labelleft=False)


def size_key(axes: Axes, largest: Mapping[str, float], full_pt2: float = FULL_PT2) -> None:
    """Fill axes with the key of sizes: a row for each measure (said with its unit), a mark for each share of the largest."""
    axes.set(xlim=(0, 1), ylim=(0, max(len(largest), 1)))
    axes.axis("off")
    for row, (measure, most) in enumerate(largest.items()):
        height = len(largest) - row - 0.5
        axes.text(0.0, height, measure, va="center", fontsize=8, color=FAINT)
        for place, share in enumerate(KEY_SHARES):
            at = 0.42 + 0.2 * place
            axes.scatter([at], [height], s=[share * full_pt2], facecolors="none", edgecolors=INK, linewidths=0.9)
            axes.text(at + 0.045, height, f"{share * most:.3g}", va="center", fontsize=8)


def hover(units: pa.Table, regions: Sequence[str | None], extra: Sequence[str]) -> list[str]:
    """Say of each unit what the pointer tells: probe, unit, label, region, and more."""
    rows = zip(units["probe"].to_pylist(), units["unit_id"].to_pylist(), units["quality"].to_pylist(), strict=True)
    return [
        f"probe {probe}, unit {unit}, {quality}<br>{region or 'region unknown'}<br>{more}"
        for (probe, unit, quality), region, more in zip(rows, regions, extra, strict=True)
    ]


def regions_of(units: pa.Table, electrodes: pa.Table | None) -> list[str | None]:
    """The region of each unit's electrode; None where it is not known."""
    if electrodes is None:
        return [None] * units.num_rows
    names = ("probe", "electrode", "region")
    known: dict[tuple[Any, Any], str | None] = {
        (probe, contact): region
        for probe, contact, region in zip(*(electrodes[name].to_pylist() for name in names), strict=True)
    }
    return [known.get(key) for key in zip(units["probe"].to_pylist(), units["electrode"].to_pylist(), strict=True)]
