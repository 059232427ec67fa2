"""Figure: raster and PSTH of one unit around the go cue, by lick side. The averages come from the table ``psth``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.figures.drawing import (
    FAINT,
    SIDES,
    Drawing,
    NotApplicable,
    drawn,
    event_lines,
    title_lines,
)
from map_assets.vocabulary.clock import ClockMap
from map_assets.vocabulary.errors import TableDoesNotFit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

_CONDITION = "good_noearlylick_{side}_hit"


@dataclass(frozen=True)
class _Side:
    """One lick side's trials of the unit.

    `spike_s` and `row`: every spike's time from the go cue, s, and its trial's row from 0; `rate_hz` and `sem_hz`:
    mean and its standard error in each bin (NaN with one trial); `n_trials` at least 1.
    """

    n_trials: int
    spike_s: Floats
    row: NDArray[np.int64]
    rate_hz: Floats
    sem_hz: Floats


def draw(
    session: str,
    trials: pa.Table,
    units: pa.Table,
    spikes: pa.Table,
    trial_spikes: pa.Table,
    psth: pa.Table,
    clock_maps: pa.Table,
    probes: pa.Table,
) -> Drawing | NotApplicable:
    """Draw the most active unit's spikes in hit trials around the go cue.

    The unit: of those with the label "good" (if none has it, of all) that were observed in a hit trial, the one with
    the most spikes; of equals the lower probe, then the lower unit id. The trials: hits without early lick, given
    water or photostimulation, as in the conditions ``good_noearlylick_{left,right}_hit``. Dashed lines stand at the
    median sample, delay and go cue of these trials; bands are one standard error of the mean over trials.

    Raises
    ------
    TableDoesNotFit
        If ``psth`` was made from other trials than these tables hold.
    """
    hits = _hits(trials)
    if hits.num_rows == 0:
        return NotApplicable("the session has no hit trial without early lick, given water or photostimulation")
    chosen = _choose(units, psth)
    if chosen is None:
        return NotApplicable("no unit was observed in a hit trial")
    unit, rule = chosen
    is_unit = (pc.field("probe") == unit["probe"]) & (pc.field("unit_id") == unit["unit_id"])
    observed = trial_spikes.filter(is_unit)["trial"]
    seen = hits.filter(pc.is_in(hits["trial"], observed.combine_chunks())).sort_by("trial")
    time_s = _session_s(spikes.filter(is_unit), unit["probe"], clock_maps, probes)
    rows = {row["condition"]: row for row in psth.filter(is_unit).to_pylist()}
    sides = {
        name: side
        for name in SIDES
        if (side := _side(time_s, seen.filter(pc.field("instruction") == name), rows[_CONDITION.format(side=name)]))
    }
    if not sides:
        return NotApplicable("no hit trial in which the unit was observed has an instructed side")
    starts = np.array(rows[_CONDITION.format(side="left")]["bin_start_from_go_s"])
    width = rows[_CONDITION.format(side="left")]["bin_width_s"]
    title = f"{session}   probe {unit['probe']}, unit {unit['unit_id']}"
    fill = partial(_fill, title=title, rule=rule, sides=sides, bin_s=starts + width / 2, events=_events(seen))
    return drawn(6.4, fill)


def _hits(trials: pa.Table) -> pa.Table:
    is_plain = (
        (pc.field("outcome") == "hit")
        & ~pc.field("early_lick")
        & ~pc.field("is_auto_water")
        & ~pc.field("is_free_water")
        & pc.field("photostim_onset_s").is_null()
        & pc.field("go_s").is_valid()
    )
    return trials.filter(is_plain)


def _choose(units: pa.Table, psth: pa.Table) -> tuple[dict[str, Any], str] | None:
    """Choose the unit, and say by what rule; see `draw`."""
    in_hits = psth.filter((pc.field("condition") == "good_noearlylick_hit") & (pc.field("n_trials") > 0))
    seen = set(zip(in_hits["probe"].to_pylist(), in_hits["unit_id"].to_pylist(), strict=True))
    rows = units.select(["probe", "unit_id", "quality", "n_spikes"]).to_pylist()
    candidates = [row for row in rows if (row["probe"], row["unit_id"]) in seen]
    good = [row for row in candidates if row["quality"].casefold() == "good"]
    among = good or candidates
    if not among:
        return None
    unit = min(among, key=lambda row: (-row["n_spikes"], row["probe"], row["unit_id"]))
    kind = 'labelled "good"' if good else 'observed in hit trials, none of which is labelled "good"'
    rule = f"most spikes ({unit['n_spikes']:,}) of the session's {len(among)} units {kind}"
    return unit, rule


def _session_s(train: pa.Table, probe: int, clock_maps: pa.Table, probes: pa.Table) -> Floats:
    """One unit's spikes on the session clock, s, rising."""
    clock = clock_maps.filter(pc.field("probe") == probe).to_pylist()[0]
    rate_hz = probes.filter(pc.field("probe") == probe)["sample_rate_hz"][0].as_py()
    samples = train["samples"].combine_chunks().flatten().to_numpy()
    return ClockMap(clock["offset_s"], clock["drift_ppm"]).session_s(samples / rate_hz)


def _side(time_s: Floats, trials: pa.Table, average: dict[str, Any]) -> _Side | None:
    """Collect one side's spikes around the go cues of `trials`; None without trials."""
    n_trials = trials.num_rows
    if n_trials != average["n_trials"]:
        raise TableDoesNotFit(
            f"psth: {average['condition']} of unit {average['unit_id']} averages {average['n_trials']} trials, "
            f"but trials and trial_spikes hold {n_trials}; materialize psth again"
        )
    if n_trials == 0:
        return None
    starts, width = np.array(average["bin_start_from_go_s"]), average["bin_width_s"]
    go_s = trials["go_s"].to_numpy()
    begin = np.searchsorted(time_s, go_s + starts[0])
    n_inside = np.searchsorted(time_s, go_s + starts[-1] + width) - begin
    row = np.repeat(np.arange(n_trials), n_inside)
    spike = np.arange(len(row)) + np.repeat(begin - (np.cumsum(n_inside) - n_inside), n_inside)
    spike_s = time_s[spike] - go_s[row]
    bins = np.clip(((spike_s - starts[0]) / width).astype(np.int64), 0, len(starts) - 1)
    counts = np.bincount(row * len(starts) + bins, minlength=n_trials * len(starts)).reshape(n_trials, -1)
    sem = np.full(len(starts), np.nan)
    if n_trials > 1:
        sem = counts.std(axis=0, ddof=1) / width / np.sqrt(n_trials)
    return _Side(n_trials, spike_s, row, np.array(average["rate_hz"]), sem)


def _events(trials: pa.Table) -> dict[str, float]:
    """Median times of the task's events from the go cue, s; an event that no trial has is left out."""
    go_s = trials["go_s"].to_numpy()
    since = {name: trials[f"{name}_s"].to_numpy() - go_s for name in ("sample", "delay", "go")}
    return {name: float(np.nanmedian(values)) for name, values in since.items() if np.isfinite(values).any()}


def _fill(
    figure: Figure, *, title: str, rule: str, sides: dict[str, _Side], bin_s: Floats, events: dict[str, float]
) -> None:
    raster, average = figure.subplots(2, 1, sharex=True, height_ratios=[1.5, 1])
    _raster(raster, sides)
    for name, side in sides.items():
        average.fill_between(
            bin_s, side.rate_hz - side.sem_hz, side.rate_hz + side.sem_hz, color=SIDES[name], alpha=0.22, lw=0
        )
        average.plot(bin_s, side.rate_hz, color=SIDES[name], lw=1.6)
    half = (bin_s[1] - bin_s[0]) / 2
    average.set(xlabel="time from go cue (s)", ylabel="spikes/s", xlim=(bin_s[0] - half, bin_s[-1] + half))
    highest = max(float(np.nanmax(np.r_[side.rate_hz, side.rate_hz + side.sem_hz])) for side in sides.values())
    average.set_ylim(0, 1.18 * highest or 1)
    event_lines(raster, events, labelled=True)
    event_lines(average, events, labelled=False)
    average.annotate(
        f"mean and standard error over trials, {2000 * half:.0f} ms bins",
        (0.995, 0.98),
        xycoords="axes fraction",
        ha="right",
        va="top",
        fontsize=8,
        color=FAINT,
    )
    title_lines(figure, title, rule, pad=18)
    figure.align_ylabels([raster, average])


def _raster(axes: Axes, sides: dict[str, _Side]) -> None:
    """Draw a row of ticks per trial, right below left, trials rising upwards within each."""
    from matplotlib.ticker import MaxNLocator

    total = sum(side.n_trials for side in sides.values())
    below = 0
    for name in reversed(SIDES):
        if name not in sides:
            continue
        side = sides[name]
        height = max(min(300 / total, 6.0), 1.0)
        axes.plot(
            side.spike_s,
            below + side.row + 0.5,
            ls="none",
            marker="|",
            ms=height,
            mew=0.6,
            color=SIDES[name],
            rasterized=True,
        )
        axes.annotate(
            f"lick {name}\nn = {side.n_trials}",
            (1, below + side.n_trials / 2),
            (8, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            color=SIDES[name],
            fontweight="bold",
        )
        below += side.n_trials
        if below < total:
            axes.axhline(below, color=FAINT, lw=0.6)
    axes.set(ylim=(0, total), ylabel="hit trials")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
