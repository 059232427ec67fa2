"""Made-up sessions of multi-target licking and of foraging: every value that was put into the files comes out of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from map_assets.behavior import checks
from map_assets.behavior.read import read_behavior
from map_assets.behavior.tables import TABLES
from map_assets.simulate.laboratory import write_session
from map_assets.simulate.plans import Part, SessionPlan
from map_assets.simulate.task_truth import read_task_truth
from map_assets.vocabulary.files import FoundFile

PLAN = SessionPlan(
    "MK051",
    990051,
    datetime(2024, 4, 2, 9, 20, 30),
    n_trials=40,
    probes=(),
    auto_water_share=0.2,
    parts=frozenset({Part.BEHAVIOR}),
)
CASES = {
    "multi target licking": {"task": "multi target licking"},
    "every planned trial was run": {"task": "multi target licking", "lost_share": 0.0, "seed": 4},
    "two ports": {"task": "foraging"},
    "three ports": {"task": "foraging", "n_ports": 3, "early_share": 0.6},
    "foraging after midnight": {"task": "foraging", "named_at": datetime(2024, 4, 2, 23, 59, 50)},
    "one trial of foraging": {"task": "foraging", "n_trials": 1},
    "one trial of multi target licking": {"task": "multi target licking", "n_trials": 1},
}


def written(folder: Path, plan: SessionPlan) -> FoundFile:
    (path,) = write_session(folder, plan).files
    relpath = PurePosixPath(path.relative_to(folder / "rig1"))
    return FoundFile("rig1", folder / "rig1", relpath, "behavior", path.stat().st_size, 0, None)


def compare(folder: Path, plan: SessionPlan) -> dict:
    """Read a session and hold every table against its truth; return the tables.

    A foraging trial that was broken off has no time of the Bpod clock: its start is the wall clock's, some ms off.
    """
    tables = read_behavior(plan.key, written(folder, plan))
    truth = read_task_truth(folder, plan.key)
    assert set(tables) == {table.name for table in TABLES}
    for name, expected in truth.rows.items():
        found = tables[name].to_pylist()
        assert len(found) == len(expected), name
        for row, true in zip(found, expected, strict=True):
            for column, value in true.items():
                by_wall_clock = plan.task == "foraging" and (column == "until_s" or name == "skipped_trials")
                wanted = pytest.approx(value, abs=0.007 if by_wall_clock else 1e-6) if type(value) is float else value
                assert row[column] == wanted, (name, row, column)
    for name in set(tables) - set(truth.rows) - {"behavior_file"}:
        assert tables[name].num_rows == 0, name
    about = tables["behavior_file"].to_pylist()[0]
    started = datetime.fromisoformat(truth.facts["start_local"])
    assert abs((datetime.fromisoformat(about["start_local"]) - started).total_seconds()) < 0.002
    assert about["n_trials"] == truth.facts["n_trials"]
    assert about["random_seed"] == truth.facts.get("random_seed")
    verdicts = [
        checks.trials_are_in_order(tables["trials"]),
        checks.events_lie_in_their_trials(tables["trials"], tables["trial_events"]),
        checks.licks_lie_in_their_trials(tables["trials"], tables["licks"]),
        checks.every_trial_is_accounted_for(tables["behavior_file"], tables["trials"], tables["skipped_trials"]),
        checks.blocks_hold_their_trials(tables["trials"], tables["blocks"]),
    ]
    assert all(verdict.passed for verdict in verdicts), verdicts
    return tables


@pytest.mark.parametrize("case", CASES)
def test_every_value_equals_its_truth(tmp_path: Path, case: str) -> None:
    tables = compare(tmp_path, replace(PLAN, **CASES[case]))
    about = tables["behavior_file"].to_pylist()[0]
    if "port" in case:
        assert (about["task"], about["task_protocol"]) == {
            "two ports": ("foraging", 100),
            "three ports": ("foraging 3lp", 101),
        }[case]
        assert about["rig"] == "Training-Tower-2"
        assert {"hit", "miss"} <= set(tables["trials"]["outcome"].to_pylist())
        assert True in tables["trials"]["early_lick"].to_pylist()
        ports = {"left", "right", "middle"} if case == "three ports" else {"left", "right"}
        assert set(tables["licks"]["port"].to_pylist()) == ports
        assert set(tables["available_rewards"]["is_available"].to_pylist()) == {True, False}
        assert len(set(tables["water_port_settings"]["lateral_position"].to_pylist())) > 10
        assert tables["blocks"].num_rows > 2


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10_000),
    n_trials=st.integers(1, 25),
    task=st.sampled_from(["multi target licking", "foraging"]),
    n_ports=st.sampled_from([2, 3]),
    shares=st.tuples(*[st.sampled_from([0.0, 0.2, 0.9])] * 4),
)
def test_any_session_is_read_back_as_it_was(tmp_path, seed, n_trials, task, n_ports, shares) -> None:
    names = ("auto_water_share", "early_share", "no_answer_share", "lost_share")
    plan = replace(
        PLAN, seed=seed, n_trials=n_trials, task=task, n_ports=n_ports, **dict(zip(names, shares, strict=True))
    )
    with TemporaryDirectory(dir=tmp_path) as folder:
        compare(Path(folder), plan)


def test_planned_trials_that_were_never_run_leave_gaps_and_keep_codes_right(tmp_path: Path) -> None:
    tables = compare(tmp_path, replace(PLAN, task="multi target licking", lost_share=0.3))
    skipped = tables["skipped_trials"].to_pylist()
    assert len(skipped) > 5
    assert {row["reason"] for row in skipped} == {"it was planned and never run"}
    for row in tables["trials"].to_pylist():
        assert int(row["bitcode"][::-1], 2) == row["trial"]
    assert tables["trials"]["early_lick"].null_count == tables["trials"].num_rows
    np.testing.assert_array_equal(np.diff(tables["blocks"]["block"].to_numpy()) > 0, True)
