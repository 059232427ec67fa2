"""Figure: how well each probe's clock meets the session's, trial by trial. The clocks are fitted in `ephys`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.figures.drawing import FAINT, INK, RIGHT, Drawing, NotApplicable, drawn, title_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
Clock = Mapping[str, Any]

LIMIT_MS = 5.0
RMS_LIMIT_MS = 1.0
"""Limits of the largest residual and of their root mean square, as the check of the clock maps has them."""
_ROOM = 1.35
_SHOWN = 6


def draw(session: str, clock_maps: pa.Table) -> Drawing | NotApplicable:
    """Draw the residuals of the session's clock maps.

    A panel for each probe with anchors: session time minus the map's, ms, over session time, with the limits (solid: of
    each residual, dotted: of their root mean square). Outliers, which the fit left out, are red; one beyond the axis
    stands at its edge with its value. Probes without anchors are named.
    """
    clocks = clock_maps.sort_by("probe").to_pylist()
    fitted = [clock for clock in clocks if clock["n_anchors"]]
    if not fitted:
        return NotApplicable("no probe has a clock map with anchors")
    others = [clock["probe"] for clock in clocks if not clock["n_anchors"]]
    height_in = 1.0 + 2.1 * len(fitted)
    return drawn(height_in, partial(_fill, session=session, clocks=fitted, others=others))


def _fill(figure: Figure, *, session: str, clocks: list[Clock], others: list[int]) -> None:
    panels = figure.subplots(len(clocks), 1, sharex=True, squeeze=False)[:, 0]
    for panel, clock in zip(panels, clocks, strict=True):
        _panel(panel, clock)
    panels[-1].set_xlabel("session time (min)")
    figure.supylabel("session time minus the map's (ms)", fontsize=9, color=INK)
    said = f"solid: limit of a residual, {LIMIT_MS:g} ms; dotted: limit of the rms, {RMS_LIMIT_MS:g} ms; red: outliers"
    if others:
        said += f"; no clock for probe {', '.join(map(str, others))}"
    title_lines(figure, f"{session}   clock residuals", said, pad=18)


def _panel(axes: Axes, clock: Clock) -> None:
    at_min, residual_ms = _points(clock, "anchor")
    off_min, off_ms = _points(clock, "outlier")
    edge = max(LIMIT_MS, float(np.max(np.abs(residual_ms)))) * _ROOM
    axes.axhline(0, color=FAINT, lw=0.8, zorder=0)
    for limit, style in ((LIMIT_MS, "-"), (RMS_LIMIT_MS, (0, (1, 2)))):
        for side in (-limit, limit):
            axes.axhline(side, color=FAINT, lw=0.9, ls=style, zorder=0)
    size = float(np.clip(900 / len(at_min), 4, 18))
    axes.scatter(at_min, residual_ms, s=size, color=INK, linewidths=0, alpha=0.75)
    _outliers(axes, off_min, off_ms, edge)
    axes.set(ylim=(-edge, edge), yticks=[-LIMIT_MS, 0, LIMIT_MS])
    axes.annotate(_words(clock), (0, 1), (0, 4), xycoords="axes fraction", textcoords="offset points", fontsize=9)


def _outliers(axes: Axes, at_min: Floats, residual_ms: Floats, edge: float) -> None:
    """Mark outliers; those beyond the axis as arrows at its edge, the first few with their values."""
    is_beyond = np.abs(residual_ms) > edge
    axes.scatter(at_min[~is_beyond], residual_ms[~is_beyond], s=26, color=RIGHT, marker="x", linewidths=1.3)
    for sign, marker in ((1, "^"), (-1, "v")):
        chosen = is_beyond & (np.sign(residual_ms) == sign)
        height = np.full(np.count_nonzero(chosen), sign * edge * 0.93)
        axes.scatter(at_min[chosen], height, s=26, color=RIGHT, marker=marker, linewidths=0, clip_on=False)
    for place in np.flatnonzero(is_beyond)[:_SHOWN]:
        axes.annotate(
            _size(residual_ms[place]),
            (at_min[place], np.sign(residual_ms[place]) * edge * 0.93),
            (5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=RIGHT,
        )


def _size(residual_ms: float) -> str:
    return f"{residual_ms / 1e3:+.2f} s" if abs(residual_ms) >= 1e3 else f"{residual_ms:+.0f} ms"


def _words(clock: Clock) -> str:
    """Say drift, residuals and counts of one probe."""
    n_outliers, n_refused = clock["n_outliers"] or 0, len(clock["contradicted_trials"] or [])
    anchors = "1 anchor" if clock["n_anchors"] == 1 else f"{clock['n_anchors']} anchors ({clock['anchor_kind']})"
    said = (
        f"probe {clock['probe']}:  drift {clock['drift_ppm']:+.2f} ppm,  rms {clock['residual_rms_s'] * 1e3:.3f} ms,  "
    )
    said += f"largest {clock['residual_max_s'] * 1e3:.3f} ms,  {anchors}"
    said += f",  {n_outliers} outlier{'' if n_outliers == 1 else 's'}" if n_outliers else ""
    return said + (f",  {n_refused} refused for their start" if n_refused else "")


def _points(clock: Clock, which: str) -> tuple[Floats, Floats]:
    """Session time, min, and residual, ms, of a probe's anchors or outliers."""
    at_s, residual_s = (clock[f"{which}_{what}"] or [] for what in ("session_s", "residual_s"))
    return np.asarray(at_s, np.float64) / 60, np.asarray(residual_s, np.float64) * 1e3
