"""Figure: each probe's trials on its coding direction, and those of every two probes against each other. Directions are made in `analyses`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.figures.drawing import FAINT, INK, Drawing, NotApplicable, drawn, event_lines
from map_assets.figures.laterality import LOOKS, in_order, key_of, probe_names, relative
from map_assets.figures.sheet import empty, head, panel_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

_FEWEST = 3
"""Trials of a side without which no line is fitted."""


def draw(
    session: str,
    coding_direction: pa.Table,
    coding_direction_traces: pa.Table,
    insertions: pa.Table | None = None,
) -> Drawing | NotApplicable:
    """Draw a square of panels, a row and a column for each probe that has a direction.

    On the diagonal: the mean projection over time of contra and ipsi trials, with its standard error over trials; dashed
    lines at the median sample, delay and go cue. Above it: every trial's end point on the column's probe against that on
    the row's, with a line for each side and Pearson's r. One probe's end points stand beside its trace.

    Notes
    -----
    Trials are projected on directions that were made without them. Contra and ipsi are as seen from each probe, those of
    a pair from the row's; where a probe's hemisphere is not known, left and right stand, right positive.
    """
    traces = coding_direction_traces.to_pylist()
    probes = sorted({row["probe"] for row in traces})
    if not probes:
        return NotApplicable("no probe of the session has a coding direction: too few units, or trials of a side")
    ends = {probe: _End.of(coding_direction, probe) for probe in probes}
    fill = partial(_fill, session=session, traces=traces, ends=ends, names=probe_names(probes, insertions))
    n = len(probes)
    return drawn(4.2 if n == 1 else 1.0 + 2.6 * n if n == 2 else 0.9 + min(2.2 * n, 10.0), fill)


class _End:
    """One probe's end points: `trial`, `side` (instructed) and `hz` (contra positive where `hemisphere` is known)."""

    def __init__(self, trial: NDArray[np.int64], side: NDArray[np.str_], hz: Floats, hemisphere: str | None) -> None:
        self.trial, self.side, self.hz, self.hemisphere = trial, side, hz, hemisphere

    @classmethod
    def of(cls, table: pa.Table, probe: int) -> _End:
        import pyarrow.compute as pc

        mine = table.filter(pc.field("probe") == probe).sort_by("trial")
        hemisphere = mine["hemisphere"][0].as_py() if mine.num_rows else None
        hz = mine["projection_hz" if hemisphere is None else "projection_contra_hz"].to_numpy()
        return cls(mine["trial"].to_numpy(), np.array(mine["side"].to_pylist(), str), hz, hemisphere)

    def relative(self) -> NDArray[np.str_]:
        """Each trial's side as seen from the probe."""
        return np.array([relative(side, self.hemisphere) for side in self.side.tolist()], str)


def _fill(
    figure: Figure,
    *,
    session: str,
    traces: list[dict[str, Any]],
    ends: Mapping[int, _End],
    names: Mapping[int, str],
) -> None:
    n = len(ends)
    grid = figure.add_gridspec(max(n, 1), max(n, 2), width_ratios=[2, 1] if n == 1 else None)
    for row, (probe, end) in enumerate(ends.items()):
        _trace(figure.add_subplot(grid[row, row]), [one for one in traces if one["probe"] == probe], names[probe])
        for column, (other, other_end) in list(enumerate(ends.items()))[row + 1 :]:
            _pair(figure.add_subplot(grid[row, column]), end, other_end, (probe, other))
    if n == 1:
        _spread(figure.add_subplot(grid[0, 1]), next(iter(ends.values())))
    shown = in_order(side for end in ends.values() for side in end.relative().tolist())
    key_of(figure, shown, "trials")
    small = (
        "Cross-validated: each trial is projected on a direction made without it. Bands: standard error over trials. "
    )
    small += "Dashed: median sample, delay, go. d': difference of the sides' end points over their pooled standard deviation."
    if n > 1:
        small += " Pairs: contra and ipsi as the row's probe sees them; each axis is positive towards its own probe's contra."
    head(figure, f"{session}   coding direction", small)


def _trace(axes: Axes, rows: list[dict[str, Any]], name: str) -> None:
    first = rows[0]
    sign = -1.0 if first["hemisphere"] == "right" else 1.0
    width = first["bin_width_s"]
    for row in rows:
        look = LOOKS[relative(row["side"], row["hemisphere"])]
        at = np.array(row["bin_start_from_go_s"]) + width / 2
        mean, sem = sign * np.array(row["projection_hz"]), np.array(row["sem_hz"])
        axes.fill_between(at, mean - sem, mean + sem, color=look.color, alpha=0.25, lw=0)
        axes.plot(at, mean, color=look.color, ls=look.line, lw=1.4)
    sample, delay = first["sample_from_go_s"]
    events = {name: at for name, at in (("sample", sample), ("delay", delay), ("go", 0.0)) if np.isfinite(at)}
    event_lines(axes, {}, labelled=False)
    event_lines(axes, {name: at for name, at in events.items() if at >= -3}, labelled=False)
    start = np.array(first["bin_start_from_go_s"])
    axes.set(xlim=(start[0], start[-1] + width), xlabel="time from go cue (s)", ylabel="projection (spikes/s)")
    n_trials = " + ".join(str(row["n_trials"]) for row in rows)
    separation = first["separation"]
    told = "" if separation is None else f", |d'| {abs(separation):.1f}"
    panel_title(axes, f"{name}\n{first['n_units']} units{told}\n{n_trials} trials")


def _pair(axes: Axes, end: _End, other: _End, probes: tuple[int, int]) -> None:
    """Draw the end points of two probes; contra and ipsi as the first sees them."""
    _, here, there = np.intersect1d(end.trial, other.trial, return_indices=True)
    side, y, x = end.relative()[here], end.hz[here], other.hz[there]
    if not here.size:
        empty(axes, "no trial in both")
        return
    said = []
    for name in in_order(side.tolist()):
        look, chosen = LOOKS[name], side == name
        axes.scatter(x[chosen], y[chosen], s=9, color=look.color, marker=look.marker, linewidths=0, alpha=0.55)
        found = _line(x[chosen], y[chosen])
        if found is None:
            continue
        r, ends_x, ends_y = found
        axes.plot(ends_x, ends_y, color=look.color, ls=look.line, lw=1.4)
        said.append(f"{name} {r:+.2f}")
    axes.set(xlabel=f"probe {probes[1]} (spikes/s)", ylabel=f"probe {probes[0]} (spikes/s)")
    panel_title(axes, f"end points, {here.size} trials\nr {', '.join(said) or 'not to be told'}")


def _line(x: Floats, y: Floats) -> tuple[float, Floats, Floats] | None:
    """Pearson's r and the ends of the regression line; None with too few points or none to tell apart."""
    if len(x) < _FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    slope = np.cov(x, y)[0, 1] / np.var(x, ddof=1)
    ends = np.array([x.min(), x.max()])
    return float(np.corrcoef(x, y)[0, 1]), ends, y.mean() + slope * (ends - x.mean())


def _spread(axes: Axes, end: _End) -> None:
    """Draw one probe's end points as histograms."""
    edges = np.histogram_bin_edges(end.hz, bins=min(24, max(6, len(end.hz) // 6))).tolist()
    side = end.relative()
    for name in in_order(side.tolist()):
        look = LOOKS[name]
        axes.hist(end.hz[side == name], edges, color=look.color, alpha=0.35, lw=0)
        axes.hist(end.hz[side == name], edges, histtype="step", color=look.color, ls=look.line, lw=1.2)
    axes.axvline(0, color=FAINT, lw=0.8)
    axes.set(xlabel="end point (spikes/s)", ylabel="trials")
    panel_title(axes, "end points of the trials")
    axes.title.set_color(INK)
