"""Figure: licks around the go cue. Bouts and rhythm are in the tables ``lick_bouts`` and ``lick_rhythm``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.figures.drawing import INK, SIDES, Drawing, NotApplicable, drawn, event_lines
from map_assets.figures.sheet import empty, head, panel_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

WINDOW_S = (-3.0, 3.0)
BIN_S = 0.01
REACTION_S = 1.5
_COLORS = {**SIDES, "middle": INK}


def draw(session: str, trials: pa.Table, licks: pa.Table) -> Drawing | NotApplicable:
    """Draw the session's licks around the go cue.

    Left: a row of ticks for each trial with a go cue, coloured by port, and below it licks per second in bins of 10 ms,
    averaged over these trials (near the ends of the session over those whose window reaches no further). Right: the
    first lick after the go cue by port, and the intervals between neighbouring licks at a port.
    """
    cued = trials.filter(pc.field("go_s").is_valid()).sort_by("trial")
    if cued.num_rows == 0:
        return NotApplicable("no trial of the session has a go cue")
    if licks.num_rows == 0:
        return NotApplicable("no lick was recorded in the session")
    return drawn(6.0, partial(_fill, session=session, trials=cued, licks=licks.sort_by("time_s")))


def _fill(figure: Figure, *, session: str, trials: pa.Table, licks: pa.Table) -> None:
    grid = figure.add_gridspec(2, 3, height_ratios=[1.6, 1])
    raster, average = figure.add_subplot(grid[0, :2]), figure.add_subplot(grid[1, :2])
    time, port = licks["time_s"].to_numpy(), np.array(licks["port"].to_pylist())
    go_s = trials["go_s"].to_numpy()
    names = [name for name in _COLORS if (port == name).any()]
    edges = np.round(np.arange(WINDOW_S[0], WINDOW_S[1] + BIN_S / 2, BIN_S), 9)
    n_covering = _covering(trials, edges)
    first, reacted = {}, 0
    answers = _first_after(time, go_s, trials["until_s"].to_numpy())
    for name in names:
        row, since = _around(time[port == name], go_s)
        raster.plot(
            since, row, ls="none", marker="|", ms=max(min(260 / len(go_s), 5.0), 1.0), mew=0.6, color=_COLORS[name]
        )
        counts = np.histogram(since, edges)[0]
        with np.errstate(divide="ignore", invalid="ignore"):
            average.stairs(
                np.where(n_covering > 0, counts / n_covering / BIN_S, 0.0), edges, color=_COLORS[name], lw=1.0
            )
        mine = answers[answers >= 0]
        first[name] = (time[mine] - go_s[answers >= 0])[port[mine] == name]
        reacted += len(first[name])
    for number, name in enumerate(reversed(names)):
        raster.annotate(
            name,
            (1 - 0.09 * number, 1),
            (0, 3),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="right",
            color=_COLORS[name],
            fontweight="bold",
        )
    raster.set(ylim=(len(go_s), 0), ylabel="trials with a go cue", xlim=WINDOW_S)
    raster.tick_params(labelbottom=False)
    average.set(xlabel="time from go cue (s)", ylabel="licks/s", xlim=WINDOW_S, ylim=(0, None))
    event_lines(raster, {"go": 0.0}, labelled=True)
    event_lines(average, {"go": 0.0}, labelled=False)
    _reactions(figure.add_subplot(grid[0, 2]), first, len(go_s))
    _intervals(figure.add_subplot(grid[1, 2]), {name: np.diff(time[port == name]) for name in names})
    head(
        figure,
        f"{session}   licking",
        f"{len(time)} licks, {len(go_s)} trials with a go cue, {reacted} of them answered before the next trial. "
        f"Bins of {1000 * BIN_S:.0f} ms.",
    )


def _around(time: Floats, go_s: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Row and time from the go cue of all licks in each trial's window; windows may overlap."""
    begin, end = (np.searchsorted(time, go_s + one) for one in WINDOW_S)
    n = end - begin
    row = np.repeat(np.arange(len(go_s)), n)
    at = np.arange(n.sum()) + np.repeat(begin - (np.cumsum(n) - n), n)
    return row, time[at] - go_s[row]


def _covering(trials: pa.Table, edges: Floats) -> NDArray[np.int64]:
    """How many trials' windows lie in the session's time at each bin: all but those before its begin or behind its end."""
    go_s = trials["go_s"].to_numpy()
    begin, end = trials["start_s"].to_numpy().min(), trials["until_s"].to_numpy().max()
    is_in = (go_s[:, None] + edges[:-1] >= begin) & (go_s[:, None] + edges[1:] <= end)
    return np.asarray(is_in.sum(axis=0))


def _first_after(time: Floats, go_s: Floats, until_s: Floats) -> NDArray[np.int64]:
    """Place of each trial's first lick at or after its go cue and before the next trial; -1 without."""
    at = np.searchsorted(time, go_s)
    is_one = at < len(time)
    is_one[is_one] = time[at[is_one]] < until_s[is_one]
    return np.where(is_one, at, -1)


def _reactions(axes: Axes, first: dict[str, Floats], n_trials: int) -> None:
    edges = np.arange(0, REACTION_S + 0.02, 0.02).tolist()
    for name, values in first.items():
        axes.hist(values, edges, histtype="step", color=_COLORS[name], lw=1.2)
    together = np.concatenate(list(first.values()))
    axes.set(xlabel="first lick, from go cue (s)", ylabel="trials", xlim=(0, REACTION_S))
    later = int((together > REACTION_S).sum())
    said = f"median {np.median(together):.3f} s" if len(together) else "none"
    panel_title(axes, f"{said}; {later} later, {n_trials - len(together)} none")


def _intervals(axes: Axes, intervals: dict[str, Floats]) -> None:
    edges = np.arange(0, 0.505, 0.005).tolist()
    short = {name: values[values < edges[-1]] for name, values in intervals.items()}
    if not any(len(values) for values in short.values()):
        empty(axes, "no two licks at a port\nfollow each other within 0.5 s")
        return
    for name, values in short.items():
        axes.hist(values, edges, histtype="step", color=_COLORS[name], lw=1.2)
    together = np.concatenate(list(short.values()))
    axes.set(xlabel="interval between licks (s)", ylabel="intervals", xlim=(0, edges[-1]))
    panel_title(axes, f"median {1000 * np.median(together):.0f} ms of those below 0.5 s")
