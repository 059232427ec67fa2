"""Writes DeepLabCut results, one csv for each video, and the file that says which video shows which trial."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.chance import generator
from map_assets.simulate.trial import TICKS_PER_S, Trial
from map_assets.simulate.writing import write_text

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
    """Write both cameras' results of the first trials under ``{animal}/{animal}_{MMDDYY}``."""
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
            name = f"{stem}_{FIRST_VIDEO + trial.trial - 1}-0000{scorer}.csv"
            written.append(write_text(folder / name, _csv(plan, trial, camera, scorer)))
        rows = [f"{FIRST_VIDEO + trial.trial - 1}\t{trial.trial}\n" for trial in tracked]
        written.append(write_text(folder / f"{plan.animal}_{day}_{camera}.txt", "".join(rows)))
    return written


def n_frames(trial: Trial) -> int:
    """Frames of a trial's video: from the trial's start to its end."""
    return int(trial.length / TICKS_PER_S * FRAME_RATE_HZ)


def _csv(plan: SessionPlan, trial: Trial, camera: str, scorer: str) -> str:
    parts = BODY_PARTS[camera]
    names = [name for name in parts for _ in range(3)]
    columns = make_tracks(plan, trial, camera)
    stream = io.StringIO()
    stream.write(",".join(["scorer", *[scorer] * len(names)]) + "\n")
    stream.write(",".join(["bodyparts", *names]) + "\n")
    stream.write(",".join(["coords", *["x", "y", "likelihood"] * len(parts)]) + "\n")
    table = np.column_stack([np.arange(len(columns)), columns])
    np.savetxt(stream, table, fmt=["%d", *["%.1f", "%.1f", "%.3f"] * len(parts)], delimiter=",")
    return stream.getvalue()


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
