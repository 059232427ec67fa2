"""Figure: the jaw's phase and the units that follow it. Phase and tuning come from the tables ``jaw_oscillation`` and ``jaw_phase``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.figures.drawing import FAINT, INK, LEFT, Drawing, NotApplicable, drawn
from map_assets.figures.sheet import empty, head, panel_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

N_UNITS = 4
SHOWN_S = 3.0
PHASES = "0: jaw lowest, ±π: highest"


def draw(session: str, jaw_oscillation: pa.Table, jaw_phase: pa.Table) -> Drawing | NotApplicable:
    """Draw the jaw's phase over the session and the units that follow it.

    Above: 3 s of the filtered jaw of the trial with most movement, with its amplitude, and coloured by phase where a
    phase is told. Below: the time spent in each phase; the preferred phases of tuned units against the length of their
    vectors, and of the others in grey; and the rate by phase of the units with the lowest p (of equals, the longest
    vector).
    """
    if not any((np.asarray(run.values) >= 0).any() for run in jaw_oscillation["run"] if run.is_valid):
        return NotApplicable("no movement of the jaw was tracked in the session")
    tested = jaw_phase.filter(pc.field("p").is_valid())
    rows = sorted(tested.to_pylist(), key=lambda row: (row["p"], -row["vector_length"]))
    return drawn(6.6, partial(_fill, session=session, jaw=jaw_oscillation, rows=rows, n_units=jaw_phase.num_rows))


def _fill(figure: Figure, *, session: str, jaw: pa.Table, rows: list[dict[str, Any]], n_units: int) -> None:
    grid = figure.add_gridspec(3, 12, height_ratios=[1.1, 1.5, 1.5])
    _trace(figure.add_subplot(grid[0, :]), jaw)
    _time_spent(figure.add_subplot(grid[1, :5]), rows, jaw)
    _population(figure.add_subplot(grid[1, 5:]), rows)
    width = 12 // N_UNITS
    for at in range(N_UNITS):
        axes = figure.add_subplot(grid[2, at * width : (at + 1) * width])
        if at < len(rows):
            _tuning(axes, rows[at], is_first=at == 0)
        else:
            empty(axes, "no further unit was tested")
    n_tuned = sum(row["is_tuned"] for row in rows)
    first = jaw.slice(0, 1).to_pylist()[0]
    head(
        figure,
        f"{session}   jaw phase: {n_tuned} of {len(rows)} tested units follow it ({n_units} units)",
        f"{first['feature']} of the {first['camera']} camera, {first['band_low_hz']:g} to {first['band_high_hz']:g} Hz. "
        f"Phase {PHASES}. p from shifts of the phase within each movement.",
    )


def _trace(axes: Axes, jaw: pa.Table) -> None:
    moving = [int((np.asarray(run.values) >= 0).sum()) for run in jaw["run"]]
    row = jaw.slice(int(np.argmax(moving)), 1).to_pylist()[0]
    time, filtered, amplitude, phase = (
        np.array(row[name], float) for name in ("time_s", "filtered_px", "amplitude_px", "phase_rad")
    )
    is_told = np.array(row["run"]) >= 0
    begin = time[np.argmax(np.convolve(is_told, np.ones(round(SHOWN_S / row["step_s"])), "valid"))]
    here = (time >= begin) & (time <= begin + SHOWN_S)
    since = time - begin
    cut = np.r_[False, np.diff(time) > 1.5 * row["step_s"]]
    for each, style in ((filtered, "-"), (amplitude, ":")):
        axes.plot(since[here], np.where(cut, np.nan, each)[here], style, color=FAINT, lw=0.8)
    shown = here & is_told
    dots = axes.scatter(since[shown], filtered[shown], c=phase[shown], cmap="twilight", vmin=-np.pi, vmax=np.pi, s=5)
    bar = axes.figure.colorbar(dots, ax=axes, pad=0.01, ticks=[-np.pi, 0, np.pi])
    bar.ax.set_yticklabels(["-π", "0", "π"])
    axes.invert_yaxis()
    axes.set(xlabel=f"time (s) from {begin:.2f} s of the session", ylabel="jaw (px)", xlim=(0, SHOWN_S))
    panel_title(axes, f"trial {row['trial']}: filtered jaw, its amplitude dotted, coloured by phase where one is told")


def _time_spent(axes: Axes, rows: list[dict[str, Any]], jaw: pa.Table) -> None:
    run = np.concatenate([np.asarray(one.values) for one in jaw["run"]])
    phase = np.concatenate([np.asarray(one.values) for one in jaw["phase_rad"]])[run >= 0]
    n_bins = len(rows[0]["phase_bin_start_rad"]) if rows else 20
    step = float(np.median(jaw["step_s"].to_numpy()))
    counts, edges = np.histogram(phase, n_bins, (-np.pi, np.pi))
    axes.stairs(counts * step, edges, baseline=None, color=INK, lw=1.2)
    axes.set(ylim=(0, None), ylabel="time spent (s)", xlabel="phase")
    _phase_axis(axes)
    panel_title(axes, f"{len(phase) * step:.0f} s in {len(np.unique(run[run >= 0]))} movements")


def _population(axes: Axes, rows: list[dict[str, Any]]) -> None:
    if not rows:
        empty(axes, "no unit had enough spikes\nduring movements of the jaw")
        return
    for is_tuned, color in ((False, FAINT), (True, LEFT)):
        some = [row for row in rows if row["is_tuned"] is is_tuned]
        phase, length = ([row[name] for row in some] for name in ("preferred_phase_rad", "vector_length"))
        axes.scatter(phase, length, s=12, color=color, lw=0, alpha=0.8, rasterized=True)
    axes.set(ylim=(0, None), ylabel="vector length", xlabel="preferred phase")
    _phase_axis(axes)
    panel_title(axes, "units: blue tuned, grey not (length above 0 comes with few spikes)")


def _tuning(axes: Axes, row: dict[str, Any], *, is_first: bool) -> None:
    edges = np.array([*row["phase_bin_start_rad"], np.pi])
    axes.stairs(row["rate_hz"], edges, baseline=None, color=LEFT if row["is_tuned"] else FAINT, lw=1.4)
    axes.axvline(row["preferred_phase_rad"], color=FAINT, lw=0.9, ls=(0, (4, 3)))
    axes.set(ylim=(0, None), ylabel="spikes/s" if is_first else "", xlabel="phase")
    _phase_axis(axes)
    panel_title(axes, f"probe {row['probe']}, unit {row['unit_id']}: p = {row['p']:.1g}")


def _phase_axis(axes: Axes) -> None:
    axes.set(xlim=(-np.pi, np.pi), xticks=[-np.pi, 0, np.pi], xticklabels=["-π", "0", "π"])
