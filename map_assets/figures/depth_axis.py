"""A shank's regions as a strip beside its depth, and depth in the brain. Places and regions come from `ccf`."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.figures.drawing import FAINT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_GREY = "C8C8C8"
_NO_PITCH_UM = 20.0


class Stretch(NamedTuple):
    """A stretch of a shank in one region: from, to (um along the shank), acronym, colour as hex triplet without #."""

    from_um: float
    to_um: float
    region: str
    color: str


def stretches(electrodes: pa.Table | None, shank: int, colors: Mapping[str, str]) -> list[Stretch]:
    """Cut a shank by region, from the tip upwards.

    Parameters
    ----------
    electrodes : pyarrow.Table or None
        One probe's, as in the store.
    shank : int
    colors : mapping of str to str
        Acronym -> hex triplet; grey where there is none.

    Notes
    -----
    The shank is cut into bins of the median pitch of its rows of contacts; a bin has the region of most of its contacts
    (of as many, the first by name), none where none of them lies in a labelled voxel. Neighbouring bins of one region
    are one stretch.
    """
    if electrodes is None:
        return []
    mine = electrodes.filter(pc.field("shank") == shank)
    heights = np.unique(mine["y_um"].to_numpy())
    pitch = float(np.median(np.diff(heights))) if len(heights) > 1 else _NO_PITCH_UM
    named = mine.filter(pc.field("region").is_valid())
    if named.num_rows == 0:
        return []
    bins = np.rint((named["y_um"].to_numpy() - heights[0]) / pitch).astype(np.int64)
    regions, code = np.unique(np.array(named["region"].to_pylist()), return_inverse=True)
    counts = np.zeros((bins.max() + 1, len(regions)), np.int64)
    np.add.at(counts, (bins, code), 1)
    most = np.where(counts.any(axis=1), counts.argmax(axis=1), -1)
    cuts = np.flatnonzero(np.r_[True, np.diff(most) != 0, True])
    found = []
    for first, end in pairwise(cuts):
        if most[first] >= 0:
            name = str(regions[most[first]])
            low = heights[0] + (first - 0.5) * pitch
            found.append(Stretch(float(low), float(low + (end - first) * pitch), name, colors.get(name, _GREY)))
    return found


def region_colors(ontology: pa.Table | None) -> dict[str, str]:
    """Colours of ``ccf_ontology`` by acronym; empty without it."""
    if ontology is None:
        return {}
    return dict(zip(ontology["region"].to_pylist(), ontology["color"].to_pylist(), strict=True))


def draw_strip(axes: Axes, found: list[Stretch], height_um: float) -> None:
    """Draw the strip into axes whose y is um along the shank; long enough stretches are named.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Narrow; its x is given up.
    found : list of Stretch
    height_um : float
        That the axes span, to tell what is long enough.
    """
    axes.set(xlim=(0, 1), xticks=[])
    axes.spines[:].set_visible(False)
    for one in found:
        axes.axhspan(one.from_um, one.to_um, color=f"#{one.color}", lw=0)
        if one.to_um - one.from_um > 0.035 * height_um:
            middle = (one.from_um + one.to_um) / 2
            axes.text(0.5, middle, one.region, ha="center", va="center", fontsize=6, color=INK, clip_on=True)
    if not found:
        axes.text(0.5, 0.5, "not traced", transform=axes.transAxes, rotation=90, ha="center", va="center", color=FAINT)


def tip_depth_um(fits: pa.Table | None, probe: int, shank: int) -> float | None:
    """How deep under the brain's surface a shank's tip-most row lies, along its track; None where it is not known."""
    if fits is None:
        return None
    rows = fits.filter((pc.field("probe") == probe) & (pc.field("shank") == shank)).to_pylist()
    return rows[0]["tip_row_depth_um"] if rows else None


def add_depth_in_brain(axes: Axes, tip_um: float | None) -> Any:
    """Give axes whose y is um along the shank a second scale, on the right: mm under the brain's surface."""
    if tip_um is None:
        return None

    def depth_mm(y_um: Any) -> Any:
        return (tip_um - np.asarray(y_um)) / 1000

    def back_um(depth: Any) -> Any:
        return tip_um - 1000 * np.asarray(depth)

    second = axes.secondary_yaxis("right", functions=(depth_mm, back_um))
    second.spines["right"].set_visible(True)
    second.tick_params(labelsize=7.5)
    return second
