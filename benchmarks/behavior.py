"""How long a long session's behaviour file and tracking take to become tables.

The behaviour file is a made-up delayed-response session of 600 trials; what is read is held against its truth before it
is timed; a session of 100 trials is read as MATLAB 7.3 and its time taken six times. The tracking is 600 trials x 3 cameras x 1,200 frames x 3 features as DeepLabCut writes them (csv); it is read
and written to Parquet in a process of its own, whose peak of memory is reported, and a sample of it is compared with
what was written. Prints one JSON object; seconds are the best of three for behaviour, one run for tracking.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path, PurePosixPath

import numpy as np

from map_assets.behavior.read import read_behavior
from map_assets.simulate.laboratory import write_session
from map_assets.simulate.matlab73 import write_matlab73
from map_assets.simulate.plans import Part, SessionPlan
from map_assets.simulate.truth import read_truth
from map_assets.vocabulary.files import FoundFile

N_TRIALS, N_FRAMES = 600, 1200
CAMERAS = {
    "side": ("tongue", "jaw", "nose"),
    "bottom": ("tongue", "jaw", "paw_left"),
    "body": ("tail", "paw_left", "nose"),
}
PLAN = SessionPlan(
    "MK071",
    990071,
    datetime(2024, 5, 6, 10, 11, 12),
    n_trials=N_TRIALS,
    probes=(),
    extra_iti_s=6.0,
    parts=frozenset({Part.BEHAVIOR}),
)
_NETWORK = "DLC_resnet50_madeupMay1shuffle1_100000"


def main() -> None:
    """Write the session, compare, time, report."""
    if sys.argv[1:2] == ["tracking"]:
        print(json.dumps(read_tracking_into_store(Path(sys.argv[2]))))
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (path,) = write_session(root, PLAN).files
        file = found(root / "rig1", path, "behavior")
        check_behavior(root, file)
        behavior_s = min(timed(file) for _ in range(3))
        matlab73_s = matlab73_per_trials(root / "7.3")
        write_tracking(root / "tracking")
        # a process of its own, so that its peak of memory is the tracking's alone
        done = subprocess.run(
            [sys.executable, __file__, "tracking", folder], check=True, capture_output=True, text=True
        )
        tracking = json.loads(done.stdout.splitlines()[-1])
    print(
        json.dumps(
            {"behavior_s": round(behavior_s, 3), "matlab73_s": round(matlab73_s, 2), "n_trials": N_TRIALS, **tracking}
        )
    )


def found(root: Path, path: Path, role: str) -> FoundFile:
    """Describe a file as a scan does."""
    facts = path.stat()
    return FoundFile(root.name, root, PurePosixPath(path.relative_to(root)), role, facts.st_size, facts.st_mtime_ns)


def check_behavior(root: Path, file: FoundFile) -> None:
    """Hold what is read against the truth."""
    tables, truth = read_behavior(PLAN.key, file), read_truth(root, PLAN.key)
    assert tables["trials"].num_rows == N_TRIALS
    for column in ("trial", "instruction", "outcome", "early_lick", "photostim_site", "bitcode", "n_go_cues"):
        assert tables["trials"][column].to_pylist() == truth.trials[column].to_pylist(), column
    for column in ("start_s", "stop_s", "sample_s", "delay_s", "go_s"):
        np.testing.assert_allclose(tables["trials"][column], truth.trials[column], atol=1e-6)
    assert tables["licks"].num_rows == truth.licks.num_rows
    assert tables["trial_events"].num_rows == truth.trial_events.num_rows


def matlab73_per_trials(root: Path) -> float:
    """Read a shorter session that is saved as MATLAB 7.3, which takes long to write; s for as many trials as the long one."""
    (path,) = write_session(root, replace(PLAN, n_trials=N_TRIALS // 6)).files
    again = write_matlab73(path, root / "again" / path.name)
    return 6 * min(timed(found(root / "again", again, "behavior")) for _ in range(3))


def timed(file: FoundFile) -> float:
    """Read the file once; s."""
    began = time.perf_counter()
    read_behavior(PLAN.key, file)
    return time.perf_counter() - began


def write_tracking(share: Path) -> None:
    """Write a result for each camera and trial; one text serves a hundred videos of a camera."""
    day = f"{PLAN.named_at:%m%d%y}"
    folder = share / PLAN.animal / f"{PLAN.animal}_{day}"
    folder.mkdir(parents=True)
    for camera, features in CAMERAS.items():
        texts = [result(camera, features, number) for number in range(6)]
        for trial in range(1, N_TRIALS + 1):
            name = f"{PLAN.animal}_{day}_{camera}_{trial}-0000{_NETWORK}.csv"
            (folder / name).write_text(texts[trial % len(texts)])
        lines = (f"{trial}\t{trial}\n" for trial in range(1, N_TRIALS + 1))
        (folder / f"{PLAN.animal}_{day}_{camera}.txt").write_text("".join(lines))


def values_of(camera: str, number: int) -> np.ndarray:
    """Positions and likelihoods of one made-up video, shape (frames, 3 x features)."""
    rng = np.random.default_rng([list(CAMERAS).index(camera), number])
    moved = np.cumsum(rng.normal(0, 0.4, (N_FRAMES, 3, 2)), axis=0) + rng.uniform(80, 300, (3, 2))
    likelihood = rng.beta(8, 0.6, (N_FRAMES, 3, 1))
    return np.concatenate([moved, likelihood], axis=2).reshape(N_FRAMES, -1)


def result(camera: str, features: tuple[str, ...], number: int) -> str:
    """Text of one result file."""
    heads = [
        ["scorer"] + [_NETWORK] * 9,
        ["bodyparts", *(feature for feature in features for _ in range(3))],
        ["coords", *(["x", "y", "likelihood"] * 3)],
    ]
    rows = [",".join(head) for head in heads]
    rows += [
        f"{frame}," + ",".join(f"{value:.6f}" for value in row) for frame, row in enumerate(values_of(camera, number))
    ]
    return "\n".join(rows) + "\n"


def read_tracking_into_store(root: Path) -> dict[str, float | int]:
    """Read the session's tracking and write its table; report time and peak of memory."""
    from map_assets.store import Store
    from map_assets.tracking.read import read_tracking
    from map_assets.tracking.tables import TRACKING

    share = root / "tracking"
    roles = {".csv": "tracking", ".txt": "tracking_map"}
    files = [found(share, path, roles[path.suffix]) for path in sorted(share.rglob("*.*"))]
    (behavior,) = (root / "rig1").rglob("*.mat")
    trials = read_behavior(PLAN.key, found(root / "rig1", behavior, "behavior"))["trials"]
    store = Store(root / "store")
    began = time.perf_counter()
    table, rejected = read_tracking(PLAN.key, files, trials)
    store.write(TRACKING, PLAN.key, table)
    tracking_s = time.perf_counter() - began
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert not rejected, rejected[0].error
    assert table.num_rows == N_TRIALS * 9, table.num_rows
    camera, trial = "bottom", 77
    row = next(
        one
        for one in store.read("tracking", PLAN.key).to_pylist()
        if (one["trial"], one["camera"], one["feature"]) == (trial, camera, "jaw")
    )
    np.testing.assert_allclose(row["x_px"], values_of(camera, trial % 6)[:, 3], atol=1e-5)
    return {"tracking_s": round(tracking_s, 2), "tracking_peak_mib": round(peak_mib), "n_videos": N_TRIALS * 3}


if __name__ == "__main__":
    main()
