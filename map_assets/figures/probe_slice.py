"""Figure: each probe's contacts in the section that its track lies in, coronal but leaning with the track. Sections are cut in `ccf`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.figures.drawing import FAINT, INK, RIGHT, NotApplicable, drawn
from map_assets.figures.pages import Page, page
from map_assets.figures.probe_slice_page import ends_of, of_probe, page_of, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Colors = NDArray[np.uint8]

AROUND_UM = 900.0
"""Room around the contacts in the enlarged part."""
_NAMES = 9
_PIXEL_UM = 25.0


def draw(
    session: str,
    electrodes: pa.Table,
    probe_track_fits: pa.Table,
    sheets: Mapping[int, Labels],
    voxel_um: float,
    ontology: pa.Table | None = None,
) -> Page | NotApplicable:
    """Draw a row for each probe: the whole section, and what is around the contacts, enlarged, with the regions' names.

    Parameters
    ----------
    session : str
    electrodes, probe_track_fits : pyarrow.Table
        As in the store.
    sheets : mapping of int to numpy.ndarray of int, shape (n_dv, n_ml)
        Region ids of each probe's section, by insertion number; 0 without a label.
    voxel_um : float
        Edge of a section's pixel, um.
    ontology : pyarrow.Table, optional
        ``ccf_ontology``: colours and names; without it regions are grey.

    Notes
    -----
    The section holds one shank's track; contacts of other shanks, and of a bent track, stand before or behind it.
    Contacts in no labelled voxel are red.
    """
    placed = electrodes.filter(pc.field("ccf_ap_um").is_valid())
    fits = probe_track_fits.to_pylist()
    probes = sorted({fit["probe"] for fit in fits} & set(sheets))
    if not probes:
        return NotApplicable("no probe of the session has a traced track in an annotation volume")
    pictures = {probe: _painted(_fine(sheets[probe], voxel_um), ontology) for probe in probes}
    known = _names(ontology)
    shown = {probe: [fit for fit in fits if fit["probe"] == probe] for probe in probes}
    whole = {"placed": placed, "fits": shown, "pictures": pictures, "voxel_um": voxel_um}
    flat = drawn(0.6 + 3.1 * len(probes), partial(_fill, session=session, sheets=sheets, names=known, **whole))
    traces, layout = page_of(placed, shown, pictures, sheets, known, voxel_um)
    return Page(flat.png, flat.svg, page(traces, layout, f"{session}   probes in their sections"))


def _names(ontology: pa.Table | None) -> dict[int, str]:
    if ontology is None:
        return {}
    return dict(zip(ontology["region_id"].to_pylist(), ontology["region"].to_pylist(), strict=True))


def _fine(labels: Labels, voxel_um: float) -> Labels:
    """Part large voxels into pixels of about 25 um, so that borders are thin."""
    n = max(1, round(voxel_um / _PIXEL_UM))
    return labels.repeat(n, axis=0).repeat(n, axis=1)


def _painted(labels: Labels, ontology: pa.Table | None) -> Colors:
    """Colour a section by region, (n_dv, n_ml, 3); borders between regions are darker, what has no label is white."""
    colors = {}
    if ontology is not None:
        colors = dict(zip(ontology["region_id"].to_pylist(), ontology["color"].to_pylist(), strict=True))
    found, where = np.unique(labels, return_inverse=True)
    tints = [bytes.fromhex("FFFFFF" if one == 0 else colors.get(int(one), "C8C8C8")) for one in found]
    table = np.frombuffer(b"".join(tints), np.uint8).reshape(-1, 3)
    picture = (0.45 * table[where.reshape(labels.shape)] + 0.55 * 255).astype(np.uint8)
    edge = np.zeros(labels.shape, bool)
    edge[:-1] |= labels[:-1] != labels[1:]
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    picture[edge] = (picture[edge] * 0.72).astype(np.uint8)
    return picture


# -- for print ---------------------------------------------------------------------------------------------------------
def _fill(
    figure: Figure,
    *,
    session: str,
    placed: pa.Table,
    fits: Mapping[int, list[dict[str, Any]]],
    pictures: Mapping[int, Colors],
    sheets: Mapping[int, Labels],
    names: Mapping[int, str],
    voxel_um: float,
) -> None:
    panels = figure.subplots(len(fits), 2, squeeze=False, width_ratios=[1.35, 1])
    for (left, right), probe in zip(panels, fits, strict=True):
        height, width = sheets[probe].shape
        for axes in (left, right):
            extent = (0.0, width * voxel_um, height * voxel_um, 0.0)
            axes.imshow(pictures[probe], extent=extent, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            for fit in fits[probe]:
                axes.plot(*ends_of(fit), color=INK, lw=0.8)
        ml, dv, is_outside = of_probe(placed, probe)
        box = _box(ml, dv, fits[probe], (width * voxel_um, height * voxel_um))
        _dots(left, ml, dv, is_outside, 1.5)
        _dots(right, ml, dv, is_outside, 6.0)
        left.plot(*_outline(box), color=FAINT, lw=0.8)
        right.set(xlim=(box[0], box[1]), ylim=(box[3], box[2]))
        _name_regions(right, sheets[probe], names, box, voxel_um)
        left.annotate("L", (0.01, 0.02), xycoords="axes fraction", color=FAINT)
        left.annotate("R", (0.97, 0.02), xycoords="axes fraction", color=FAINT)
        left.set_title(words(probe, fits[probe], int(is_outside.sum())), loc="left", fontsize=8.5)
    figure.suptitle(f"{session}   probes in their sections", x=0.012, ha="left", fontsize=11, fontweight="bold")


def _dots(axes: Axes, ml: Floats, dv: Floats, is_outside: NDArray[np.bool_], size: float) -> None:
    for chosen, color in ((~is_outside, INK), (is_outside, RIGHT)):
        axes.scatter(ml[chosen], dv[chosen], s=size, color=color, linewidths=0, rasterized=True)


def _box(
    ml: Floats, dv: Floats, fits: list[dict[str, Any]], size: tuple[float, float]
) -> tuple[float, float, float, float]:
    """Choose what to enlarge: ML from, to, DV from, to."""
    every_ml = np.r_[ml, *(ends_of(fit)[0] for fit in fits)] if not len(ml) else ml
    every_dv = np.r_[dv, *(ends_of(fit)[1] for fit in fits)] if not len(dv) else dv
    top, bottom = max(every_dv.min() - 300, 0.0), min(every_dv.max() + 300, size[1])
    half = max((np.ptp(every_ml) / 2 + AROUND_UM), (bottom - top) * 0.5)
    middle = (every_ml.min() + every_ml.max()) / 2
    return max(middle - half, 0.0), min(middle + half, size[0]), top, bottom


def _outline(box: tuple[float, float, float, float]) -> tuple[list[float], list[float]]:
    return [box[0], box[1], box[1], box[0], box[0]], [box[2], box[2], box[3], box[3], box[2]]


def _name_regions(
    axes: Axes, labels: Labels, names: Mapping[int, str], box: tuple[float, float, float, float], voxel_um: float
) -> None:
    """Write the acronyms of the largest regions of the enlarged part, each at the voxel of it that is nearest to its middle."""
    ml, dv = (slice(int(low // voxel_um), int(high // voxel_um)) for low, high in (box[:2], box[2:]))
    part = labels[dv, ml]
    found, counts = np.unique(part[part > 0], return_counts=True)
    for region in found[np.argsort(-counts)][:_NAMES]:
        at = np.argwhere(part == region)
        row, column = at[np.argmin(((at - at.mean(axis=0)) ** 2).sum(axis=1))]
        place = (box[0] + (column + 0.5) * voxel_um, box[2] + (row + 0.5) * voxel_um)
        axes.annotate(names.get(int(region), str(region)), place, ha="center", va="center", fontsize=7, color="#555555")
