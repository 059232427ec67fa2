"""Writes DeepLabCut results, a csv or h5 for each video, and the file that says which video shows which trial."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.chance import generator
from map_assets.simulate.pandas_h5 import frame_bytes
from map_assets.simulate.trial import TICKS_PER_S, Trial
from map_assets.simulate.video import write_video
from map_assets.simulate.writing import write_bytes, write_text

FRAME_RATE_HZ = 1 / 0.0034
FIRST_VIDEO = 9
"""Number of the video that shows trial 1: the cameras ran eight times before."""
BODY_PARTS = {
    "side": {"nose": (215.0, 130.0), "tongue": (235.0, 190.0), "jaw": (200.0, 205.0)},
    "bottom": {
        "nose": (180.0, 60.0),
        "tongue": (182.0, 95.0),
        "jaw": (181.0, 110.0),
        "paw_left": (140.0, 170.0),
        "paw_right": (225.0, 172.0),
        "lickport": (183.0, 70.0),
    },
}
"""Body parts that each camera's network finds, and where they rest, px."""
_SCORER = "DLC_resnet50_{camera}viewJan5shuffle1_100000"


def write_tracking(share: Path, plan: SessionPlan, trials: Sequence[Trial]) -> list[Path]:
    """Write both cameras' results of the first trials under ``{animal}/{animal}_{MMDDYY}``, as the plan's `Filming` has it."""
    tracked = trials[: plan.n_tracked_trials]
    if not tracked:
        return []
    day = f"{plan.named_at:%m%d%y}" + (f"_{plan.order_in_day}" if plan.order_in_day > 1 else "")
    folder = share / plan.animal / f"{plan.animal}_{day}"
    written = []
    for camera in BODY_PARTS:
        scorer = _SCORER.format(camera=camera)
        stem = f"{plan.animal}_{plan.named_at:%m%d%y}_{camera}"
        for trial in tracked:
            name = f"{stem}_{video_number(plan, trial)}-0000"
            written += _write_results(folder / f"{name}{scorer}", plan, trial, camera, scorer)
            if plan.filming.videos != "none":
                path = folder / f"{name}.{plan.filming.videos}"
                written.append(write_video(path, n_frames(trial), FRAME_RATE_HZ, plan.filming.videos))
        if plan.filming.trial_map != "none":
            rows = [f"{video_number(plan, trial)}\t{trial.trial}" for trial in tracked]
            written.append(write_bytes(folder / f"{plan.animal}_{day}_{camera}.txt", _map(rows, plan)))
    return written


def video_number(plan: SessionPlan, trial: Trial) -> int:
    """Number of a trial's video: without a map, the trial's own."""
    return trial.trial if plan.filming.trial_map == "none" else FIRST_VIDEO + trial.trial - 1


def n_frames(trial: Trial) -> int:
    """Frames of a trial's video: from the trial's start to its end."""
    return int(trial.length / TICKS_PER_S * FRAME_RATE_HZ)


def make_result(
    plan: SessionPlan, trial: Trial, camera: str
) -> tuple[NDArray[np.int64], list[tuple[str, ...]], NDArray[np.float64]]:
    """Make what the tracker finds in one video: the truth of the result files.

    Returns
    -------
    frame : numpy.ndarray of int, shape (n,)
        Frame numbers, less those that the plan leaves out.
    heads : list of tuple
        Body part, or individual and body part, of each three columns.
    values : numpy.ndarray, shape (n, 3 * len(heads))
        x px, y px, likelihood of each in turn; NaN where an animal was not found.
    """
    filming = plan.filming
    parts = list(BODY_PARTS[camera])
    tracks = make_tracks(plan, trial, camera)
    middle = len(tracks) // 2
    frame = np.delete(np.arange(len(tracks)), np.s_[middle : middle + filming.n_left_out])
    if filming.n_animals == 1:
        return frame, [(part,) for part in parts], tracks[frame]
    heads: list[tuple[str, ...]] = []
    values = []
    for animal in range(filming.n_animals):
        found = tracks[frame] + np.tile([90.0 * animal, 0.0, 0.0], len(parts))
        tongue = 3 * parts.index("tongue")
        found[found[:, tongue + 2] < 0.5, tongue : tongue + 3] = np.nan
        heads += [(f"animal{animal + 1}", part) for part in parts]
        values.append(found)
    return frame, heads, np.concatenate(values, axis=1)


def _write_results(stem: Path, plan: SessionPlan, trial: Trial, camera: str, scorer: str) -> list[Path]:
    filming = plan.filming
    result = make_result(plan, trial, camera)
    written = []
    for filtered in ("", "_filtered") if filming.has_filtered else ("",):
        if filming.results in {"h5", "both"}:
            path = stem.with_name(f"{stem.name}{filtered}.h5")
            written.append(write_bytes(path, frame_bytes(scorer, *result)))
        if filming.results in {"csv", "both"}:
            written.append(write_text(stem.with_name(f"{stem.name}{filtered}.csv"), _csv(scorer, *result)))
    return written


def _csv(scorer: str, frame: NDArray[np.int64], heads: Sequence[tuple[str, ...]], values: NDArray[np.float64]) -> str:
    rows = ["individuals", "bodyparts"] if len(heads[0]) > 1 else ["bodyparts"]
    stream, numbers = io.StringIO(), io.StringIO()
    stream.write(",".join(["scorer", *[scorer] * 3 * len(heads)]) + "\n")
    for level, row in enumerate(rows):
        stream.write(",".join([row, *(head[level] for head in heads for _ in range(3))]) + "\n")
    stream.write(",".join(["coords", *["x", "y", "likelihood"] * len(heads)]) + "\n")
    table = np.column_stack([frame, values])
    form = ["%d", *["%.1f", "%.1f", "%.3f"] * len(heads)]
    np.savetxt(numbers, table, fmt=form, delimiter=",")
    return stream.getvalue() + numbers.getvalue().replace("nan", "")


def _map(rows: Sequence[str], plan: SessionPlan) -> bytes:
    """Give the map's bytes in the form that the plan wants."""
    form = plan.filming.trial_map
    if form == "windows":
        return b"\xef\xbb\xbf" + "".join(f"{row}\r\n" for row in rows).encode()
    return "".join(f"{row}\n\n" if form == "blank lines" else f"{row}\n" for row in rows).encode()


def make_tracks(plan: SessionPlan, trial: Trial, camera: str) -> NDArray[np.float64]:
    """Move the face: jaw and tongue follow the licks, and the tongue is seen only then.

    Returns
    -------
    numpy.ndarray, shape (n_frames, 3 * n_body_parts)
        x px, y px, likelihood of each body part in turn.
    """
    rng = generator(plan.seed, plan.key, "video", camera, trial.trial)
    frame_s = np.arange(n_frames(trial)) / FRAME_RATE_HZ
    out = np.zeros(len(frame_s))
    lean = np.zeros(len(frame_s))
    for lick in trial.licks:
        middle, half = (lick.start + lick.stop) / 2 / TICKS_PER_S, (lick.stop - lick.start) / TICKS_PER_S
        reach = np.exp(-(((frame_s - middle) / half) ** 2))
        out = np.maximum(out, reach)
        lean += reach * (-1.0 if lick.side == "left" else 1.0)
    columns = []
    for name, (x, y) in BODY_PARTS[camera].items():
        moves = {"tongue": 35.0, "jaw": 12.0}.get(name, 0.0)
        across = lean * (18.0 if name == "tongue" and camera == "bottom" else 0.0)
        is_seen = out > 0.2 if name == "tongue" else np.ones(len(out), bool)
        noise = rng.normal(0, 0.4, (2, len(out)))
        likelihood = np.where(is_seen, rng.uniform(0.95, 1.0, len(out)), rng.uniform(0.0, 0.08, len(out)))
        columns += [x + across + noise[0], y + moves * out + noise[1], likelihood]
    return np.column_stack(columns)
