"""Figure: where on each probe the selective units sit, by period, and those that light changes. Both are judged in `analyses`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.figures.depth_axis import Stretch, draw_strip, region_colors, stretches
from map_assets.figures.drawing import FAINT, NotApplicable, drawn
from map_assets.figures.laterality import CONTRA, IPSI, probe_names
from map_assets.figures.pages import Page
from map_assets.figures.sheet import empty, head, panel_title
from map_assets.figures.unit_characteristic_page import page_of
from map_assets.figures.unit_map import areas, draw_units, frame, places, size_key
from map_assets.figures.unit_measures import LIGHT, PERIODS, STYLES, Measure, choose_site, of_light, of_period

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]


def draw(
    session: str,
    units: pa.Table,
    selectivity: pa.Table,
    photostim_effect: pa.Table | None = None,
    photostim_sites: pa.Table | None = None,
    electrodes: pa.Table | None = None,
    ontology: pa.Table | None = None,
    insertions: pa.Table | None = None,
) -> Page | NotApplicable:
    """Draw a row for each probe: a map of its units for sample, delay, response, and light, with the strip of regions.

    The area of a mark is the difference of the mean rates, contra and ipsi (with and without light), over the largest of
    the session. Dots are units without a difference (that were tested).

    Notes
    -----
    Light is that of both hemispheres where it was used, else that with most stimulated trials.
    """
    is_judged = pc.field("selectivity").is_valid() & pc.field("hemisphere").is_valid()
    judged = set(selectivity.filter(is_judged)["probe"].to_pylist())
    known = units.filter(pc.field("x_um").is_valid() & pc.field("y_um").is_valid())
    known = known.filter(pc.is_in(known["probe"], pa.array(sorted(judged), pa.int64())))
    if not known.num_rows:
        return NotApplicable(_why_none(units, selectivity, judged))
    measures = [of_period(known, selectivity, name) for name in PERIODS]
    site, said = choose_site(photostim_effect, photostim_sites)
    if photostim_effect is not None and site is not None:
        measures.append(of_light(known, photostim_effect, site))
    probes = sorted(set(known["probe"].to_pylist()))
    colors, strips = region_colors(ontology), {}
    for probe in probes:
        mine = None if electrodes is None else electrodes.filter(pc.field("probe") == probe)
        strips[probe] = stretches(mine, 0, colors)
    names = probe_names(probes, insertions)
    left_out = sorted(set(units["probe"].to_pylist()) - set(probes))
    fill = partial(
        _fill,
        session=session,
        left_out=left_out,
        units=known,
        measures=measures,
        strips=strips,
        names=names,
        light=said,
    )
    flat = drawn(1.7 + 2.9 * len(probes), fill)
    return Page(flat.png, flat.svg, page_of(session, known, measures, electrodes, names, said))


def _why_none(units: pa.Table, selectivity: pa.Table, judged: set[int]) -> str:
    if not selectivity.num_rows:
        return "the session's units were not tested for selectivity"
    if not judged:
        if not any(selectivity["hemisphere"].is_valid().to_pylist()):
            return "the hemisphere of no probe is known, so that contra and ipsi cannot be told"
        return "no unit had enough trials to be tested for selectivity"
    return "no unit that was tested has a place on its probe" if units.num_rows else "the session has no units"


# -- for print ---------------------------------------------------------------------------------------------------------
def _fill(
    figure: Figure,
    *,
    session: str,
    left_out: list[int],
    units: pa.Table,
    measures: list[Measure],
    strips: dict[int, list[Stretch]],
    names: dict[int, str],
    light: str,
) -> None:
    grid = figure.add_gridspec(
        len(names) + 1, 5, width_ratios=[4, 4, 4, 4, 1.1], height_ratios=[*[2.9] * len(names), 0.75]
    )
    largest = {measure.name: _largest(measure) for measure in measures}
    most = max(largest[name] for name in PERIODS)
    for row, (probe, name) in enumerate(names.items()):
        is_here = units["probe"].to_numpy() == probe
        x_um, y_um = places(units)
        for column, measure in enumerate(measures):
            axes = figure.add_subplot(grid[row, column])
            full = largest[LIGHT] if measure.name == LIGHT else most
            _map(axes, measure, is_here, (x_um, y_um), full, light)
            frame(axes, x_um[is_here], y_um[is_here], is_first=column == 0)
            head_line = name if column == 0 else ""
            panel_title(axes, f"{head_line}\n{axes.get_title(loc='left')}")
            if row == len(names) - 1:
                axes.set_xlabel("across (um)")
        for column in range(len(measures), 4):
            empty(figure.add_subplot(grid[row, column]), "no photostimulation" if LIGHT not in largest else "")
        strip = figure.add_subplot(grid[row, 4])
        limits = axes.get_ylim()
        draw_strip(strip, strips[probe], limits[1] - limits[0])
        strip.set(ylim=limits, yticks=[])
    key = {"|contra \u2212 ipsi| (spikes/s)": most}
    if LIGHT in largest:
        key[f"light, {light} (spikes/s)"] = largest[LIGHT]
    size_key(figure.add_subplot(grid[-1, :3]), key)
    figure.add_subplot(grid[-1, 3:]).axis("off")
    _key(figure, has_light=LIGHT in largest)
    small = "Area: difference of mean rates. Marks: units whose difference is significant once corrected for many units; dots: "
    small += "the others that were tested. Percentages: of the selective units. Strip: regions along the first shank."
    if left_out:
        small += f" Not shown: probe {', '.join(map(str, left_out))} (not tested, no places, or hemisphere not known)."
    head(figure, f"{session}   unit characteristics", small)


def _largest(measure: Measure) -> float:
    shown = measure.size_hz[[kind in STYLES for kind in measure.kind]]
    shown = shown[np.isfinite(shown)]
    return float(shown.max()) if shown.size else 0.0


def _map(
    axes: Axes, measure: Measure, is_here: NDArray[np.bool_], at: tuple[Floats, Floats], full: float, light: str
) -> None:
    x_um, y_um = at
    plain = is_here & (measure.kind == "none")
    axes.scatter(x_um[plain], y_um[plain], s=2.5, color=FAINT, linewidths=0, alpha=0.7)
    counts = {}
    for kind, (color, marker, _) in STYLES.items():
        chosen = is_here & (measure.kind == kind)
        counts[kind] = int(np.count_nonzero(chosen))
        draw_units(axes, x_um, y_um, areas(measure.size_hz, full), chosen, color=color, marker=marker)
    n_tested = int(np.count_nonzero(is_here & np.array([kind is not None for kind in measure.kind])))
    if measure.name == LIGHT:
        said = f"{light}\n{counts['fewer']} fell, {counts['more']} rose of {n_tested}"
    else:
        n = counts[CONTRA] + counts[IPSI]
        share = "" if not n else f"{100 * counts[CONTRA] / n:.0f} % contra, {100 * counts[IPSI] / n:.0f} % ipsi"
        said = f"{measure.name}: {n} of {n_tested}\n{share}"
    axes.set_title(said, loc="left")


def _key(figure: Figure, *, has_light: bool) -> None:
    from matplotlib.lines import Line2D

    words = {CONTRA: "contra-selective", IPSI: "ipsi-selective", "fewer": "light: fewer", "more": "light: more"}
    shown: list[Any] = [
        Line2D([], [], ls="none", marker=STYLES[kind][1], mec=STYLES[kind][0], mfc="none", ms=7)
        for kind in words
        if has_light or kind in (CONTRA, IPSI)
    ]
    figure.legend(
        shown, list(words.values())[: len(shown)], loc="outside upper right", ncols=len(shown), columnspacing=1.0
    )
