"""Events and frames of made-up rigs, from the bitcode file to the session clock and the tracking, against the truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from map_assets.ephys.clock_maps import make_clock_maps
from map_assets.ephys.frame_times import make_frame_times
from map_assets.ephys.recordings import read_recordings
from map_assets.ephys.rig_tables import every_file_told_its_events
from map_assets.shares.roles import rule_of
from map_assets.simulate.blueprint import Anchors, Part, ProbePlan, SessionPlan
from map_assets.simulate.defects import Defect
from map_assets.simulate.laboratory import write_session
from map_assets.simulate.plans import demo_plan
from map_assets.simulate.truth import Truth, read_truth
from map_assets.tracking.checks import no_frames_are_missing
from map_assets.tracking.quality import judge_tracking
from map_assets.tracking.read import read_tracking
from map_assets.tracking.tables import BY_INDEX, RECORDED
from map_assets.vocabulary.files import FoundFile

TRIAL_COLUMNS = ["trial", "start_s", "stop_s", "go_s", "n_go_cues", "bitcode", "bitcode_start_s", "is_free_water"]
PARTS = frozenset({Part.RECORDING, Part.TRACKING})
ONE = next(session for session in demo_plan().sessions if session.probes)
PLAN = replace(
    ONE,
    parts=PARTS,
    n_trials=30,
    n_tracked_trials=3,
    has_rig_record=True,
    anchors="seconds",
    probes=(
        ProbePlan("left ALM", n_units=2),
        ProbePlan("left Striatum", n_units=2, drift_ppm=-37.0, serial_number="2"),
    ),
)


def read_rig(root: Path, plan: SessionPlan, make: SimpleNamespace) -> tuple[Truth, dict[str, pa.Table], pa.Table]:
    """Write a session and go through its recording, clocks and tracking; the last is the session's `trials`."""
    files = []
    for path in write_session(root, plan).files:
        share, kind = next((root / name, name) for name in ("ephys", "tracking") if path.is_relative_to(root / name))
        relpath, status = path.relative_to(share).as_posix(), path.stat()
        role = rule_of(kind, relpath).role
        assert role is not None
        files.append(FoundFile(kind, share, PurePosixPath(relpath), role, status.st_size, status.st_mtime_ns))
    truth = read_truth(root, plan.key)
    known = truth.trials.filter(truth.trials["is_in_behavior"])
    trials = make.trials_table([{**row, "session": plan.key} for row in known.select(TRIAL_COLUMNS).to_pylist()])
    tables, rejected = read_recordings(plan.key, files)
    assert rejected == ()
    tables["clock_maps"] = make_clock_maps(plan.key, trials, tables["ephys_trials"], tables["recordings"])
    tables |= make_frame_times(plan.key, tables["ephys_frames"], tables["ephys_events"], tables["clock_maps"])
    tables["tracking"], unplaced = read_tracking(plan.key, files, trials, frame_times=tables["frame_times"])
    assert unplaced == ()
    return truth, tables, trials


def assert_as_they_were(truth: Truth, tables: dict[str, pa.Table], trials: pa.Table, within_s: float = 10e-6) -> None:
    """Every event and frame of the trials that both sides know is there, where it truly was, and none besides."""
    assert every_file_told_its_events(tables["ephys_trials"]).passed
    in_behavior = pa.array(trials["trial"].to_pylist())
    true = truth.rig_events.filter(pc.is_in(truth.rig_events["trial"], in_behavior))
    found = tables["rig_events"]
    assert found.num_rows == true.num_rows > 0
    assert list(zip(*(found[name].to_pylist() for name in ("trial", "event", "port")), strict=True)) == list(
        zip(*(true[name].to_pylist() for name in ("trial", "event", "port")), strict=True)
    )
    assert np.max(np.abs(found["time_s"].to_numpy() - true["time_s"].to_numpy())) < within_s
    true = truth.frame_times.filter(pc.is_in(truth.frame_times["trial"], in_behavior))
    frames = {(row["camera"], row["trial"]): row["frame_s"] for row in tables["frame_times"].to_pylist()}
    assert len(frames) == tables["frame_times"].num_rows == true.num_rows > 0
    for row in true.to_pylist():
        np.testing.assert_allclose(frames[row["camera"], row["trial"]], row["frame_s"], rtol=0, atol=within_s)


def test_events_and_frames_are_within_ten_microseconds_on_the_session_clock(
    tmp_path: Path, make: SimpleNamespace
) -> None:
    truth, tables, trials = read_rig(tmp_path, PLAN, make)
    assert_as_they_were(truth, tables, trials)
    events = set(tables["rig_events"]["event"].to_pylist())
    assert events == {
        *("bitcodestart", "go", "choice", "reward", "trialend", "bpodstart"),
        "zaberready",
        "zaberstep",
        "lick",
    }
    best = min(tables["clock_maps"].to_pylist(), key=lambda row: row["residual_rms_s"])["probe"]
    for name in ("rig_events", "frame_times"):
        assert set(tables[name]["probe"].to_pylist()) == {best}
    assert set(tables["ephys_events"]["probe"].to_pylist()) == {1, 2}


def test_tracking_takes_the_recorded_frames(tmp_path: Path, make: SimpleNamespace) -> None:
    truth, tables, trials = read_rig(tmp_path, PLAN, make)
    tracking, frame_times = tables["tracking"], tables["frame_times"]
    assert set(tracking["camera"].to_pylist()) == {"side", "bottom"}
    assert set(tracking["time_source"].to_pylist()) == {RECORDED}
    true = {(row["camera"], row["trial"]): row["frame_s"] for row in truth.frame_times.to_pylist()}
    named = {"side": "Camera 0", "bottom": "Camera 1"}
    for row in tracking.to_pylist():
        assert np.max(np.abs(np.array(row["frame_s"]) - true[named[row["camera"]], row["trial"]])) < 10e-6
    quality = judge_tracking(PLAN.key, tracking, trials, frame_times=frame_times)
    judged = quality.filter(quality["has_result"]).to_pylist()
    assert [row["n_recorded_frames"] for row in judged] == [row["n_frames"] for row in judged]
    assert no_frames_are_missing(quality.filter(quality["has_result"])).passed


def test_a_trial_that_the_rig_put_together_with_the_next_is_timed_by_the_rate(
    tmp_path: Path, make: SimpleNamespace
) -> None:
    defects = frozenset({Defect.EPHYS_MISSES_A_TRIAL})
    plan = replace(PLAN, n_trials=9, n_tracked_trials=6, defects=defects)
    truth, tables, trials = read_rig(tmp_path, plan, make)
    assert_as_they_were(truth, tables, trials)
    source = dict(
        zip(tables["tracking"]["trial"].to_pylist(), tables["tracking"]["time_source"].to_pylist(), strict=True)
    )
    assert source == {1: RECORDED, 2: RECORDED, 3: RECORDED, 4: BY_INDEX, 5: BY_INDEX, 6: RECORDED}


@pytest.mark.parametrize(
    ("anchors", "defects"),
    [
        ("whole samples", {Defect.EPHYS_STARTS_LATE}),
        ("exact samples", {Defect.EPHYS_ENDS_EARLY, Defect.FREE_WATER}),
        ("seconds", {Defect.BEHAVIOR_ENDS_EARLY, Defect.REPEATED_GO_CUES}),
    ],
)
def test_no_defect_of_either_side_shifts_an_event(
    tmp_path: Path, make: SimpleNamespace, anchors: Anchors, defects: set[Defect]
) -> None:
    plan = replace(PLAN, anchors=anchors, defects=frozenset(defects), n_tracked_trials=0, probes=PLAN.probes[:1])
    truth, tables, trials = read_rig(tmp_path, plan, make)
    assert_as_they_were(truth, tables, trials, within_s=20e-6)
    n_seen = len(set(tables["ephys_events"]["ephys_trial"].to_pylist()))
    unmatched = tables["clock_maps"]["unmatched_ephys_trials"].to_pylist()[0]
    assert len(set(tables["rig_events"]["trial"].to_pylist())) == n_seen - len(unmatched)
    assert (len(unmatched) > 0) == (Defect.BEHAVIOR_ENDS_EARLY in defects)
