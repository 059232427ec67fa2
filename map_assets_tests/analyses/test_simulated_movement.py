"""Movement, licking, performance and free choice in made-up sessions, from the rigs' own files to every claim about them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pytest

from map_assets.analyses import checks_movement as checks
from map_assets.analyses.foraging import make_foraging
from map_assets.analyses.jaw_oscillation import make_jaw_oscillation
from map_assets.analyses.jaw_phase import moving_points
from map_assets.analyses.lick_rhythm import make_lick_rhythm
from map_assets.analyses.parameters import read_parameters
from map_assets.analyses.performance import make_performance, make_photostim_performance
from map_assets.behavior.read import read_behavior
from map_assets.figures import foraging_summary, licking_psth
from map_assets.figures.drawing import Drawing, NotApplicable
from map_assets.shares.roles import rule_of
from map_assets.simulate.blueprint import Part, SessionPlan
from map_assets.simulate.laboratory import write_session
from map_assets.simulate.plans import demo_plan
from map_assets.tracking.read import read_tracking
from map_assets.vocabulary.files import FoundFile

PARAMETERS = read_parameters()


def found_files(root: Path, plan: SessionPlan) -> list[FoundFile]:
    files = []
    for path in write_session(root, plan).files:
        share = root / path.relative_to(root).parts[0]
        kind = "behavior" if share.name.startswith("rig") else share.name
        relpath, status = path.relative_to(share).as_posix(), path.stat()
        role = rule_of(kind, relpath).role
        if role is not None:
            files.append(FoundFile(share.name, share, PurePosixPath(relpath), role, status.st_size, status.st_mtime_ns))
    return files


def behavior_of(files: list[FoundFile], key: str) -> dict[str, pa.Table]:
    return dict(read_behavior(key, next(file for file in files if file.role == "behavior")))


FREE = SessionPlan(
    "MK051",
    990051,
    datetime(2024, 4, 2, 9, 20, 30),
    n_trials=120,
    probes=(),
    auto_water_share=0.1,
    parts=frozenset({Part.BEHAVIOR}),
    task="foraging",
)
FEW = PARAMETERS.foraging.model_copy(update={"n_starts": 1})


@pytest.mark.parametrize("n_ports", [2, 3])
def test_made_up_foraging_is_told_and_drawn_and_needs_no_values(tmp_path: Path, n_ports: int) -> None:
    plan = replace(FREE, n_ports=n_ports)
    tables = behavior_of(found_files(tmp_path, plan), plan.key)
    names = ("trials", "trial_events", "block_ports")
    found = make_foraging(plan.key, *(tables[name] for name in names), FEW, "1")
    verdict = checks.models_tell_the_likelihood_of_the_choices(found["foraging_models"], found["foraging_trials"])
    assert verdict.passed, verdict.description
    (row,) = found["foraging_sessions"].to_pylist()
    assert row["n_choices"] == sum(found["foraging_trials"]["is_free"].to_pylist()) > 60
    assert 0 < row["reaction_time_median_s"] < 1
    assert row["iti_median_s"] > 0
    # the made-up animal chooses by chance: a model gains little on an even choice
    best = max(found["foraging_models"]["likelihood_per_choice"].to_pylist())
    assert 1 / n_ports - 1e-9 <= best < 1 / n_ports + 0.06
    assert isinstance(foraging_summary.draw(plan.key, **found), Drawing)
    assert isinstance(licking_psth.draw(plan.key, tables["trials"], tables["licks"]), Drawing)
    assert make_performance(plan.key, tables["trials"], PARAMETERS.performance, "1").num_rows == row["n_trials"]


def test_a_made_up_delayed_response_has_a_jaw_that_moves_with_the_licks(tmp_path: Path) -> None:
    plan = next(one for one in demo_plan().sessions if one.probes)
    plan = replace(plan, parts=frozenset({Part.BEHAVIOR, Part.TRACKING}), n_tracked_trials=12)
    files = found_files(tmp_path, plan)
    tables = behavior_of(files, plan.key)
    tracking, _ = read_tracking(plan.key, files, tables["trials"], rig="RRig2")
    jaw = make_jaw_oscillation(plan.key, tracking, PARAMETERS.jaw, "1")
    verdict = checks.movements_are_whole(jaw)
    assert verdict.passed, verdict.description
    points = moving_points(jaw)
    # the made-up jaw is lowest in the middle of a lick's contact, a little after its onset
    licks_s = tables["licks"]["time_s"].to_numpy()
    nearest = np.abs(points.time_s[:, None] - licks_s).min(axis=1)
    assert len(points.time_s) > 500
    assert np.median(nearest) < 0.1
    bouts, rhythm = make_lick_rhythm(plan.key, tables["licks"], tables["trials"], PARAMETERS.licking, "1")
    verdict = checks.bouts_hold_every_lick(bouts, tables["licks"])
    assert verdict.passed, verdict.description
    assert rhythm["port"].to_pylist()[0] == "all"
    verdict = checks.running_shares_are_of_the_trials(
        make_performance(plan.key, tables["trials"], PARAMETERS.performance, "1")
    )
    assert verdict.passed, verdict.description
    lit = make_photostim_performance(plan.key, tables["trials"], "1")
    assert set(lit["photostim_site"].to_pylist()) == set(tables["trials"]["photostim_site"].drop_null().to_pylist())


def test_made_up_multi_target_licking_has_no_performance_and_no_go_cue(tmp_path: Path) -> None:
    plan = replace(FREE, task="multi target licking")
    tables = behavior_of(found_files(tmp_path, plan), plan.key)
    assert make_performance(plan.key, tables["trials"], PARAMETERS.performance, "1").num_rows == 0
    assert isinstance(licking_psth.draw(plan.key, tables["trials"], tables["licks"]), NotApplicable)


def test_claims_fail_of_tables_that_contradict_themselves(tmp_path: Path) -> None:
    plan = replace(FREE, n_trials=90)
    tables = behavior_of(found_files(tmp_path, plan), plan.key)
    names = ("trials", "trial_events", "block_ports")
    found = make_foraging(plan.key, *(tables[name] for name in names), FEW, "1")
    models = found["foraging_models"]
    wrong = models.set_column(
        models.column_names.index("log_likelihood"), "log_likelihood", pa.array(np.full(models.num_rows, -1.0))
    )
    assert not checks.models_tell_the_likelihood_of_the_choices(wrong, found["foraging_trials"]).passed
    bouts, _ = make_lick_rhythm(plan.key, tables["licks"], tables["trials"], PARAMETERS.licking, "1")
    assert not checks.bouts_hold_every_lick(bouts.slice(1), tables["licks"]).passed
    running = make_performance(plan.key, tables["trials"], PARAMETERS.performance, "1")
    impossible = running.set_column(
        running.column_names.index("answered_share"), "answered_share", pa.array(np.zeros(running.num_rows))
    )
    assert not checks.running_shares_are_of_the_trials(impossible).passed
