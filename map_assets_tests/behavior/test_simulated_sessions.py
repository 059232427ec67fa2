"""Whole made-up sessions: every trial, event, lick and frame that was put into the files comes out of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from map_assets.behavior import checks
from map_assets.behavior.read import read_behavior
from map_assets.simulate.laboratory import write_session
from map_assets.simulate.plans import Defect, Part, SessionPlan
from map_assets.simulate.truth import read_truth
from map_assets.tracking.checks import frames_fit_their_trials
from map_assets.tracking.read import read_tracking
from map_assets.vocabulary.errors import NoFormatRecognizes, UnreadableFile
from map_assets.vocabulary.files import FoundFile

PLAN = SessionPlan(
    "MK041",
    990041,
    datetime(2024, 3, 14, 10, 20, 30),
    n_trials=40,
    probes=(),
    photostim_share=0.4,
    auto_water_share=0.2,
    parts=frozenset({Part.BEHAVIOR}),
)


def written(folder: Path, plan: SessionPlan) -> list[FoundFile]:
    """The session's files as a scan finds them."""
    roles = {"rig1": {".mat": "behavior"}, "tracking": {".csv": "tracking", ".txt": "tracking_map"}}
    files = []
    for path in write_session(folder, plan).files:
        relpath = path.relative_to(folder)
        share = relpath.parts[0]
        role = roles[share][path.suffix]
        inside = PurePosixPath(*relpath.parts[1:])
        files.append(FoundFile(share, folder / share, inside, role, path.stat().st_size, 0, "RRig"))
    return files


def read(folder: Path, plan: SessionPlan):
    (file,) = written(folder, plan)
    return read_behavior(plan.key, file)


PLANS = {
    "plain": {},
    "free water": {"defects": frozenset({Defect.FREE_WATER})},
    "early licks": {"defects": frozenset({Defect.EARLY_LICKS})},
    "repeated go cues": {"defects": frozenset({Defect.REPEATED_GO_CUES})},
    "all of them": {"defects": frozenset({Defect.FREE_WATER, Defect.EARLY_LICKS, Defect.REPEATED_GO_CUES})},
    "reversed": {"is_reversed": True},
    "no enforcement": {"protocol_type": 3, "autolearn": 1},
    "fixed": {"protocol_type": 7, "autolearn": 2, "photostim_share": 0.0},
    "ends early": {"defects": frozenset({Defect.BEHAVIOR_ENDS_EARLY}), "n_missing_trials": 7},
    "one trial": {"n_trials": 1},
    "after midnight": {"named_at": datetime(2024, 3, 14, 23, 59, 40)},
}


@pytest.mark.parametrize("case", PLANS)
def test_every_trial_event_and_lick_equals_its_truth(tmp_path: Path, case: str) -> None:
    plan = replace(PLAN, **PLANS[case])
    tables = read(tmp_path, plan)
    truth = read_truth(tmp_path, plan.key)
    done = truth.trials.to_pylist()
    expected = [row for row in done if row["is_in_behavior"]]
    trials = tables["trials"].to_pylist()
    assert tables["skipped_trials"].num_rows == 0
    assert len(trials) == truth.facts["n_trials_in_behavior"] == len(expected)
    for row, true in zip(trials, expected, strict=True):
        for column in set(true) - {"stim_code", "is_in_behavior"}:
            wanted = pytest.approx(true[column], abs=1e-6) if column.endswith("_s") else true[column]
            assert row[column] == wanted, (row["trial"], column)
    numbers = {row["trial"] for row in expected}
    for name, columns in {"trial_events": ["trial", "event"], "licks": ["trial", "port"]}.items():
        true = [row for row in getattr(truth, name).to_pylist() if row["trial"] in numbers]
        time = "start_s" if name == "trial_events" else "time_s"
        order = sorted(tables[name].to_pylist(), key=lambda row: (row["trial"], row[time]))
        true.sort(key=lambda row: (row["trial"], row[time]))
        assert [[row[c] for c in columns] for row in order] == [[row[c] for c in columns] for row in true]
        np.testing.assert_allclose([row[time] for row in order], [row[time] for row in true], atol=1e-6)
    file = tables["behavior_file"].to_pylist()[0]
    started = datetime.fromisoformat(truth.facts["start_local"])
    assert abs((datetime.fromisoformat(file["start_local"]) - started).total_seconds()) < 0.002
    verdicts = [
        checks.trials_are_in_order(tables["trials"]),
        checks.events_lie_in_their_trials(tables["trials"], tables["trial_events"]),
        checks.licks_lie_in_their_trials(tables["trials"], tables["licks"]),
        checks.every_trial_is_accounted_for(tables["behavior_file"], tables["trials"], tables["skipped_trials"]),
    ]
    assert all(verdict.passed for verdict in verdicts), verdicts


def test_a_plan_with_light_uses_all_three_sites(tmp_path: Path) -> None:
    """So that the comparison above is not one of nulls."""
    tables = read(tmp_path, PLAN)
    assert tables["photostim_sites"]["photostim_site"].to_pylist() == ["left_alm", "right_alm", "both_alm"]
    assert 10 < tables["trials"]["photostim_site"].null_count < 35
    assert sum(tables["trials"]["is_auto_water"].to_pylist()) > 3


@pytest.mark.parametrize(
    ("defect", "error"), [(Defect.TRUNCATED_MAT, UnreadableFile), (Defect.UNKNOWN_TASK, NoFormatRecognizes)]
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, defect: Defect, error: type[Exception]) -> None:
    plan = replace(PLAN, n_trials=5, defects=frozenset({defect}))
    with pytest.raises(error, match=plan.behavior_name):
        read(tmp_path, plan)


def test_every_frame_equals_its_truth(tmp_path: Path) -> None:
    from map_assets.simulate.deeplabcut import BODY_PARTS, FRAME_RATE_HZ, make_tracks
    from map_assets.simulate.task import make_trials

    plan = replace(PLAN, n_tracked_trials=6, parts=frozenset({Part.BEHAVIOR, Part.TRACKING}))
    files = written(tmp_path, plan)
    trials = read_behavior(plan.key, next(file for file in files if file.role == "behavior"))["trials"]
    tracking, rejected = read_tracking(plan.key, files, trials)
    assert rejected == ()
    assert tracking.num_rows == 6 * (3 + 6)
    done = make_trials(plan)
    for row in tracking.to_pylist():
        place = list(BODY_PARTS[row["camera"]]).index(row["feature"])
        columns = make_tracks(plan, done[row["trial"] - 1], row["camera"])[:, 3 * place : 3 * place + 3]
        np.testing.assert_allclose(np.array([row["x_px"], row["y_px"]]).T, columns[:, :2], atol=0.051)
        np.testing.assert_allclose(row["likelihood"], columns[:, 2], atol=0.00051)
        start_s = done[row["trial"] - 1].start_s
        np.testing.assert_allclose(row["frame_s"], start_s + np.arange(len(columns)) / FRAME_RATE_HZ, atol=1e-6)
    assert frames_fit_their_trials(tracking, trials).passed
