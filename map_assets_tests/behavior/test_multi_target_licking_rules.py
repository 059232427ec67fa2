"""What a multi-target-licking file's fields mean, one rule at a time, on rewritten copies of a made-up session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from map_assets.behavior.read import read_behavior
from map_assets.simulate.laboratory import write_session
from map_assets.simulate.plans import Part, SessionPlan
from map_assets.vocabulary.errors import BadInput, PiecesDoNotFit
from map_assets.vocabulary.files import FoundFile

PLAN = SessionPlan(
    "MK052",
    990052,
    datetime(2024, 4, 2, 9, 20, 30),
    n_trials=24,
    probes=(),
    task="multi target licking",
    lost_share=0.2,
    seed=3,
    auto_water_share=0.0,
    parts=frozenset({Part.BEHAVIOR}),
)


def read(
    folder: Path, change: Callable[[Any], None] = lambda data: None, plan: SessionPlan = PLAN
) -> dict[str, pa.Table]:
    from scipy.io import loadmat, savemat

    (path,) = write_session(folder, plan).files
    data = loadmat(path)["SessionData"]
    change(data[0, 0])
    savemat(path, {"SessionData": data}, long_field_names=True, oned_as="row")
    file = FoundFile("rig1", path.parent, PurePosixPath(path.name), "behavior", path.stat().st_size, 0, None)
    return read_behavior(plan.key, file)


def run_of(data: Any) -> np.ndarray:
    """Numbers, from 1, of the trials that were run."""
    return np.flatnonzero(data["MATLABStartTimes"][0]) + 1


@pytest.mark.parametrize("axis", [0, 2])
@pytest.mark.parametrize("of", ["planned", "run"])
def test_grids_may_be_one_array_of_all_trials_and_of_those_that_were_run(tmp_path, axis, of) -> None:
    expected = read(tmp_path)

    def change(data: Any) -> None:
        for name in ("trial_type_mat", "X_positions_mat", "Z_positions_mat"):
            grids = [
                data[name][0, number - 1] for number in (run_of(data) if of == "run" else range(1, PLAN.n_trials + 1))
            ]
            data[name] = np.stack(grids, axis=axis)

    found = read(tmp_path, change)
    assert expected["block_ports"].num_rows > 1
    assert expected["skipped_trials"].num_rows > 0
    for name in ("trials", "blocks", "block_ports", "skipped_trials"):
        assert found[name].equals(expected[name]), name


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data["TrialTypes"].__setitem__((0, 1), 12), "trial type 12 is no target of trial 2's grid"),
        (
            lambda data: data["TrialSettings"][0, 1]["GUI"][0, 0].__setitem__("ProtocolType", np.array([[3.0]])),
            "ProtocolType 3 is not the task",
        ),
        (
            lambda data: data["TrialSettings"][0, 1]["GUI"][0, 0].__setitem__("NumLicksForReward", np.array([[2.5]])),
            "NumLicksForReward is 2.5, no whole number",
        ),
    ],
)
def test_an_unknown_value_takes_its_trial(tmp_path, change, reason) -> None:
    plan = replace(PLAN, lost_share=0.0)
    tables = read(tmp_path, change, plan)
    assert tables["skipped_trials"].select(["trial", "reason"]).to_pylist() == [{"trial": 2, "reason": reason}]
    assert tables["trials"]["block_trial"].to_pylist()[:2] == [1, 2]
    assert tables["blocks"]["n_trials"].to_pylist()[0] == read(tmp_path, plan=plan)["blocks"]["n_trials"].to_pylist()[0]


def test_a_block_whose_first_trial_is_skipped_begins_with_the_next(tmp_path) -> None:
    tables = read(tmp_path, lambda data: data["TrialTypes"].__setitem__((0, 0), 12), replace(PLAN, lost_share=0.0))
    first = tables["blocks"].to_pylist()[0]
    second_trial = tables["trials"].to_pylist()[0]
    assert (first["first_trial"], first["start_s"]) == (2, second_trial["start_s"])
    assert second_trial["is_auto_water"] is False  # the drop came in the block's first trial
    assert second_trial["start_s"] > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data.__setitem__("TrialBlockOrder", np.array([[1.0, 2.0]])), "TrialBlockOrder places 2 trials"),
        (lambda data: data.__setitem__("X_positions_mat", data["X_positions_mat"][:, :3]), "holds 3 grids of targets"),
        (lambda data: data.__setitem__("TrialTypes", np.array([[1.0, 2.0]])), "disagree on how many trials"),
    ],
)
def test_fields_of_another_length_are_refused(tmp_path, change, said) -> None:
    with pytest.raises(PiecesDoNotFit, match=said):
        read(tmp_path, change)


ORDER = "TrialBlockOrder"


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[ORDER].__setitem__((0, 0), 7),
        lambda data: data[ORDER].__setitem__((0, np.flatnonzero(data[ORDER][0] == 1)[1]), 20),
        lambda data: data[ORDER].__setitem__((0, 2), 2),
        lambda data: data[ORDER].__setitem__((0, 2), 1),
    ],
)
def test_an_order_that_does_not_count_up_within_blocks_is_refused(tmp_path, change) -> None:
    with pytest.raises(PiecesDoNotFit, match=r"TrialBlockOrder says .* of trial \d+"):
        read(tmp_path, change)


@pytest.mark.parametrize("place", [0, 2])
def test_a_trial_whose_target_is_not_its_blocks_is_skipped(tmp_path, place) -> None:
    plan = replace(PLAN, lost_share=0.0)
    whole = read(tmp_path, plan=plan)

    def change(data: Any) -> None:
        data["TrialTypes"][0, place] = data["TrialTypes"][0, place] % 9 + 1

    tables = read(tmp_path, change, plan)
    (skipped,) = tables["skipped_trials"].to_pylist()
    assert skipped["trial"] == place + 1
    assert "; that of its block 1 is port mtl-" in skipped["reason"]
    assert tables["block_ports"].equals(whole["block_ports"])


def test_grids_of_which_either_axis_may_count_trials_are_refused(tmp_path) -> None:
    def change(data: Any) -> None:
        data["X_positions_mat"] = np.stack([data["X_positions_mat"][0, place] for place in range(3)], axis=2)

    with pytest.raises(PiecesDoNotFit, match="X_positions_mat is 3 x 3 x 3, and trials may be"):
        read(tmp_path, change, replace(PLAN, n_trials=3, lost_share=0.0))


def test_the_number_of_the_protocol_is_the_files_own_where_no_trial_is_kept(tmp_path) -> None:
    def change(data: Any) -> None:
        for settings in data["TrialSettings"][0]:
            settings["GUI"][0, 0]["ProtocolType"] = np.array([[7.0]])

    tables = read(tmp_path, change)
    assert (tables["trials"].num_rows, tables["behavior_file"]["task_protocol"].to_pylist()) == (0, [7])


def test_a_session_none_of_whose_trials_was_run_is_refused(tmp_path) -> None:
    with pytest.raises(BadInput, match="trial"):
        read(tmp_path, lambda data: data["MATLABStartTimes"].__setitem__(slice(None), 0.0))


def test_beyond_ten_bits_a_trial_has_no_known_code(tmp_path) -> None:
    codes = read(tmp_path, plan=replace(PLAN, n_trials=1030, lost_share=0.0))["trials"]["bitcode"].to_pylist()
    assert codes[1022] == "1111111111"
    assert codes[1023:] == [None] * 7
    assert len(set(codes[:1023])) == 1023
