"""Figure: jaw, tongue and one unit's spikes in hit trials. The jaw's phase comes from ``jaw_oscillation`` and ``jaw_phase``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.figures.drawing import FAINT, INK, SIDES, Drawing, NotApplicable, drawn, event_lines
from map_assets.figures.sheet import empty, head, panel_title
from map_assets.vocabulary.clock import ClockMap

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.projections.polar import PolarAxes

Floats = NDArray[np.float64]

N_TRIALS = 15
WINDOW_S = (-0.5, 1.0)
TONGUE_SEEN = 0.9
N_BINS = 20
_TONGUE = "#7ab800"


@dataclass(frozen=True)
class _Face:
    """One trial around its first lick: jaw (px, upwards, from its median), where the tongue is out, and spikes, s."""

    trial: int
    time_s: Floats
    jaw_px: Floats
    is_out: NDArray[np.bool_]
    spike_s: Floats


def draw(
    session: str,
    trials: pa.Table,
    licks: pa.Table,
    tracking: pa.Table,
    jaw_oscillation: pa.Table,
    jaw_phase: pa.Table,
    spikes: pa.Table,
    trial_spikes: pa.Table,
    clock_maps: pa.Table,
    probes: pa.Table,
) -> Drawing | NotApplicable:
    """Draw the unit that follows the jaw most closely, with the jaw and the tongue.

    The unit: of those tested the one with the lowest p, of equals with the longest vector. Above, by side: up to 15
    consecutive tracked hit trials from the middle of those in which the unit was observed, aligned to the first lick at
    the instructed (in a task of free choice the chosen) side after the go cue: the jaw, in green where the tongue is out,
    and the unit's spikes as ticks. Below: the unit's rate by phase of the jaw, over all movements of that side's trials.
    """
    tested = jaw_phase.filter(pc.field("p").is_valid()).to_pylist()
    if not tested:
        return NotApplicable("no unit had enough spikes during movements of the jaw")
    unit = min(tested, key=lambda row: (row["p"], -row["vector_length"]))
    is_unit = (pc.field("probe") == unit["probe"]) & (pc.field("unit_id") == unit["unit_id"])
    spike_s = _session_s(spikes.filter(is_unit), unit["probe"], clock_maps, probes)
    seen = set(trial_spikes.filter(is_unit)["trial"].to_pylist())
    camera, feature = (jaw_oscillation[name][0].as_py() for name in ("camera", "feature"))
    faces = tracking.filter(pc.field("camera") == camera)
    sides: dict[str, tuple[list[_Face], Floats, Floats]] = {}
    for side in SIDES:
        of_side = [row for row in _hits(trials, side) if row["trial"] in seen]
        shown = _middle(_aligned(of_side, licks.filter(pc.field("port") == side), faces, feature, spike_s))
        here = jaw_oscillation.filter(
            pc.is_in(jaw_oscillation["trial"], pa.array([row["trial"] for row in of_side], pa.int64()))
        )
        sides[side] = (shown, *_by_phase(here, spike_s))
    if not any(shown for shown, *_ in sides.values()):
        return NotApplicable("no hit trial with tracking has a lick at its side after the go cue")
    return drawn(8.2, partial(_fill, session=session, unit=unit, sides=sides, what=f"{feature}, {camera} camera"))


def _hits(trials: pa.Table, side: str) -> list[dict[str, Any]]:
    of = pc.if_else(pc.equal(trials["instruction"], "none"), trials["choice"], trials["instruction"])
    is_one = pc.and_kleene(pc.equal(of, side), pc.equal(trials["outcome"], "hit"))
    found = trials.filter(pc.fill_null(is_one, False)).filter(pc.field("go_s").is_valid())
    return list(found.select(["trial", "go_s", "until_s"]).sort_by("trial").to_pylist())


def _session_s(train: pa.Table, probe: int, clock_maps: pa.Table, probes: pa.Table) -> Floats:
    """One unit's spikes on the session clock, s, rising."""
    clock = clock_maps.filter(pc.field("probe") == probe).to_pylist()[0]
    rate_hz = probes.filter(pc.field("probe") == probe)["sample_rate_hz"][0].as_py()
    samples = train["samples"].combine_chunks().flatten().to_numpy()
    return ClockMap(clock["offset_s"], clock["drift_ppm"]).session_s(samples / rate_hz)


def _aligned(
    rows: list[dict[str, Any]], licks: pa.Table, faces: pa.Table, feature: str, spike_s: Floats
) -> list[_Face]:
    lick_s = np.sort(licks["time_s"].to_numpy())
    jaws, tongues = (
        {row["trial"]: row for row in faces.filter(pc.field("feature") == name).to_pylist()}
        for name in (feature, "tongue")
    )
    found = []
    for row in rows:
        at = int(np.searchsorted(lick_s, row["go_s"]))
        jaw = jaws.get(row["trial"])
        if at == len(lick_s) or lick_s[at] >= row["until_s"] or jaw is None or jaw["frame_s"] is None:
            continue
        since = np.array(jaw["frame_s"]) - lick_s[at]
        here = (since >= WINDOW_S[0]) & (since < WINDOW_S[1])
        if not here.any():
            continue
        y = np.array(jaw["y_px"], float)
        tongue = tongues.get(row["trial"])
        is_same = tongue is not None and len(tongue["likelihood"]) == len(y)
        is_out = (
            np.array(tongue["likelihood"]) > TONGUE_SEEN if tongue is not None and is_same else np.zeros(len(y), bool)
        )
        begin, end = np.searchsorted(spike_s, lick_s[at] + np.array(WINDOW_S))
        up = np.nanmedian(y) - y[here]
        found.append(_Face(row["trial"], since[here], up, is_out[here], spike_s[begin:end] - lick_s[at]))
    return found


def _middle(faces: list[_Face]) -> list[_Face]:
    begin = max((len(faces) - N_TRIALS) // 2, 0)
    return faces[begin : begin + N_TRIALS]


def _by_phase(jaw: pa.Table, spike_s: Floats) -> tuple[Floats, Floats]:
    """Spikes, and time spent, by phase of the jaw in movements, each of shape (N_BINS,)."""
    if jaw.num_rows == 0:
        return np.zeros(N_BINS), np.zeros(N_BINS)
    jaw = jaw.sort_by("trial")
    time, phase, run = (
        np.concatenate([np.asarray(one.values) for one in jaw[name]]) for name in ("time_s", "phase_rad", "run")
    )
    step = float(np.median(jaw["step_s"].to_numpy()))
    time, phase = time[run >= 0], phase[run >= 0]
    bins = np.minimum(((phase + np.pi) / (2 * np.pi) * N_BINS).astype(int), N_BINS - 1)
    inside = np.searchsorted(spike_s, time + step / 2) - np.searchsorted(spike_s, time - step / 2)
    counts, points = np.bincount(bins, inside, N_BINS), np.bincount(bins, minlength=N_BINS)
    return counts.astype(np.float64), (points * step).astype(np.float64)


def _fill(
    figure: Figure,
    *,
    session: str,
    unit: dict[str, Any],
    sides: dict[str, tuple[list[_Face], Floats, Floats]],
    what: str,
) -> None:
    grid = figure.add_gridspec(2, 2, height_ratios=[2.2, 1])
    heights = [np.ptp(face.jaw_px) for shown, *_ in sides.values() for face in shown]
    spacing = 1.3 * float(np.percentile(heights, 90)) or 1.0
    for column, (side, (shown, counts, spent_s)) in enumerate(sides.items()):
        axes = figure.add_subplot(grid[0, column])
        for at, face in enumerate(shown):
            jaw = at * spacing + face.jaw_px
            axes.plot(face.time_s, jaw, color=FAINT, lw=0.7)
            axes.plot(np.where(face.is_out, face.time_s, np.nan), jaw, color=_TONGUE, lw=1.8)
            # spikes stand on the jaw's line
            on = np.interp(face.spike_s, face.time_s, jaw)
            axes.plot(face.spike_s, on, ls="none", marker="|", ms=7, mew=0.9, color=SIDES[side])
        if shown:
            ticks = [0, len(shown) - 1]
            axes.set(yticks=[spacing * at for at in ticks], yticklabels=[f"trial {shown[at].trial}" for at in ticks])
            axes.set(xlim=WINDOW_S, xlabel="time from first lick (s)")
            event_lines(axes, {"lick": 0.0}, labelled=False)
            axes.plot([WINDOW_S[1]] * 2, [0, 10], color=INK, lw=2, clip_on=False)
            axes.annotate("10 px", (WINDOW_S[1], 5), (4, 0), textcoords="offset points", va="center", fontsize=7.5)
            panel_title(axes, f"{side}: {len(shown)} hit trials; green: tongue out; ticks: spikes")
        else:
            empty(axes, f"no tracked hit trial to the {side}\nin which the unit was observed")
        polar: Any = figure.add_subplot(grid[1, column], projection="polar")
        _polar(polar, counts, spent_s, SIDES[side])
    head(
        figure,
        f"{session}   probe {unit['probe']}, unit {unit['unit_id']}: spikes and the jaw",
        f"Lowest p of all tested units (p = {unit['p']:.1g}, corrected {unit['p_corrected']:.1g}); {what}. "
        "Below: spikes/s by phase of the jaw, 0 where it is lowest.",
    )


def _polar(axes: PolarAxes, counts: Floats, spent_s: Floats, color: str) -> None:
    from matplotlib.ticker import MaxNLocator

    edges = np.linspace(-np.pi, np.pi, N_BINS + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(spent_s > 0, counts / spent_s, 0.0)
    axes.bar(edges[:-1], rate, 2 * np.pi / N_BINS, align="edge", color=color, alpha=0.75, lw=0)
    axes.set_xticks(np.pi / 2 * np.arange(4), ["0", "π/2", "±π", "-π/2"], fontsize=7.5)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.tick_params(axis="y", labelsize=7)
    axes.set_title(f"{counts.sum():.0f} spikes in {spent_s.sum():.0f} s of movement", fontsize=8.5, loc="left", pad=14)
