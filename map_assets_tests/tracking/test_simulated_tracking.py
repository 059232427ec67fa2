"""Whatever form the made-up cameras and trackers leave, it is read back as it was made."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from map_assets.simulate.deeplabcut import BODY_PARTS, make_result, n_frames, write_tracking
from map_assets.simulate.plans import Filming, SessionPlan
from map_assets.simulate.task import make_trials
from map_assets.tracking.checks import every_trial_was_tracked, frames_fit_their_trials, videos_have_the_tracked_frames
from map_assets.tracking.quality import judge_tracking
from map_assets.tracking.read import read_tracking
from map_assets.tracking.video_files import read_videos
from map_assets.vocabulary.files import FoundFile

PLAN = SessionPlan("MK007", 990007, datetime(2024, 3, 4, 10, 15, 30), n_trials=3, probes=(), n_tracked_trials=2)
TRIALS = make_trials(PLAN)[:2]
ROLES = {".csv": "tracking", ".h5": "tracking", ".txt": "tracking_map", ".avi": "video", ".mp4": "video"}


def written(root: Path, filming: Filming) -> list[FoundFile]:
    """Write the session's tracking and list it as a scan does."""
    found = []
    for path in write_tracking(root, replace(PLAN, filming=filming), TRIALS):
        facts, name = path.stat(), PurePosixPath(path.relative_to(root))
        found.append(FoundFile("cameras", root, name, ROLES[path.suffix], facts.st_size, facts.st_mtime_ns, "RRig"))
    return found


def trials_table() -> pa.Table:
    """As much of `trials` as tracking takes."""
    start_s = [trial.start_s for trial in TRIALS]
    stop_s = [trial.at_s(trial.length) for trial in TRIALS]
    columns = {"start_s": start_s, "stop_s": stop_s, "until_s": [*start_s[1:], *stop_s[-1:]]}
    return pa.table({"trial": [trial.trial for trial in TRIALS], **columns})


FORMS = st.builds(
    Filming,
    results=st.sampled_from(["csv", "h5", "both"]),
    has_filtered=st.booleans(),
    n_animals=st.integers(1, 3),
    n_left_out=st.integers(0, 9),
    trial_map=st.sampled_from(["plain", "windows", "blank lines", "none"]),
    videos=st.just("none"),
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FORMS)
def test_every_form_of_result_is_read_back_equal(tmp_path: Path, filming: Filming) -> None:
    root = tmp_path / hashlib.sha256(repr(filming).encode()).hexdigest()[:8]
    table, rejected = read_tracking(PLAN.key, written(root, filming), trials_table())
    assert rejected == ()
    tolerance = (0.051, 0.051, 0.00051) if filming.results == "csv" else (1e-4, 1e-4, 1e-6)
    rows = {(row["trial"], row["camera"], row["feature"]): row for row in table.to_pylist()}
    n_seen = 0
    for trial in TRIALS:
        for camera in BODY_PARTS:
            frame, heads, values = make_result(replace(PLAN, filming=filming), trial, camera)
            for place, head in enumerate(heads):
                row = rows[trial.trial, camera, "/".join(head)]
                n_seen += 1
                assert row["individual"] == (head[0] if filming.n_animals > 1 else None)
                assert (row["frame"], row["n_frames"]) == (frame.tolist(), n_frames(trial) - filming.n_left_out)
                for name, column, atol in zip(("x_px", "y_px", "likelihood"), range(3), tolerance, strict=True):
                    found = np.array(row[name], float)  # what is null in the table is NaN here
                    np.testing.assert_allclose(found, values[:, 3 * place + column], rtol=1e-6, atol=atol)
    assert n_seen == table.num_rows
    quality = judge_tracking(PLAN.key, table, trials_table())
    assert quality["n_left_out"].to_pylist() == [filming.n_left_out] * 4
    assert every_trial_was_tracked(quality).passed
    assert frames_fit_their_trials(table, trials_table()).passed


@pytest.mark.parametrize("container", ["avi", "mp4"])
def test_made_up_videos_have_the_frames_that_were_tracked(tmp_path: Path, container) -> None:
    filming = Filming(results="h5", videos=container, n_left_out=4)
    files = written(tmp_path, filming)
    videos, rejected = read_videos(PLAN.key, files, trials_table())
    assert rejected == ()
    found = {(row["trial"], row["camera"]): row["n_frames"] for row in videos.to_pylist()}
    assert found == {(trial.trial, camera): n_frames(trial) for trial in TRIALS for camera in BODY_PARTS}
    verdict = videos_have_the_tracked_frames(videos, read_tracking(PLAN.key, files, trials_table())[0])
    assert verdict.passed
    assert verdict.figures["n_judged"] == 4
    again = written(tmp_path / "again", filming)
    assert [file.path.read_bytes() for file in again] == [file.path.read_bytes() for file in files]


def test_a_session_that_arrived_in_part_is_completed_by_what_comes_later(tmp_path: Path) -> None:
    files = written(tmp_path, Filming(results="both"))
    late = [file for file in files if "_10-" in file.relpath.name]
    early = [file for file in files if file not in late]
    part, rejected = read_tracking(PLAN.key, early, trials_table())
    assert set(part["trial"].to_pylist()) == {1}
    assert sorted(one.files[0].role for one in rejected) == ["tracking_map"] * 2
    assert not every_trial_was_tracked(judge_tracking(PLAN.key, part, trials_table())).passed
    whole, rejected = read_tracking(PLAN.key, files, trials_table())
    assert rejected == ()
    assert whole.slice(0, part.num_rows).equals(part)
    assert every_trial_was_tracked(judge_tracking(PLAN.key, whole, trials_table())).passed
