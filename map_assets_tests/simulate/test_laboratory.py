"""A whole made-up laboratory: bytes, places, configuration, defects and late arrivals."""

from __future__ import annotations

import csv
import hashlib
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from map_assets.config import load_config
from map_assets.simulate.blueprint import Part, SessionPlan
from map_assets.simulate.defects import BEHAVIOR_IS_UNUSABLE, Defect
from map_assets.simulate.laboratory import WrittenLaboratory, simulate, write_laboratory, write_session
from map_assets.simulate.presets import PRESETS, demo_plan, example_plan
from map_assets.simulate.truth import read_truth
from map_assets.vocabulary.errors import BadConfiguration, NoSuchTable
from map_assets.vocabulary.session import SessionKey


def bytes_of(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> WrittenLaboratory:
    return simulate(tmp_path_factory.mktemp("demo"), "demo", seed=1)


def made(tmp_path: Path, *defects: Defect, **changes: object) -> SessionPlan:
    """Write a tiny session with defects."""
    plan = replace(example_plan(3).sessions[0], n_tracked_trials=0, defects=frozenset(defects))
    plan = replace(plan, **{"n_trials": 8, **changes})
    write_session(tmp_path, plan, voxel_um=200.0)
    return plan


def behavior_of(root: Path) -> Path:
    (path,) = (root / "rig1").rglob("*.mat")
    return path


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    laboratory: WrittenLaboratory, plan: object, tmp_path: Path
) -> None:
    time.sleep(max(0.0, laboratory.config.stat().st_mtime + 1.1 - time.time()))
    again = write_laboratory(tmp_path / "again", plan)
    assert bytes_of(again.root) == bytes_of(laboratory.root)
    (session,) = plan.sessions
    other = write_session(tmp_path / "other", replace(session, seed=session.seed + 1), voxel_um=plan.voxel_um)
    before = {path.name: path.read_bytes() for path in laboratory.root.rglob("*") if path.is_file()}
    same = [path.name for path in other.files if path.read_bytes() == before[path.name]]
    assert all(name.startswith(("channel_", "whitening_mat", "params")) or name.endswith(".txt") for name in same)


def test_nothing_half_written_is_left(demo: WrittenLaboratory) -> None:
    assert not [path for path in demo.root.rglob("*") if path.name.startswith(".") or ".part" in path.name]


def test_the_demonstration_is_small_and_complete(demo: WrittenLaboratory) -> None:
    plan = demo_plan(1)
    assert sum(path.stat().st_size for path in demo.root.rglob("*") if path.is_file()) < 5e6
    assert [session.key for session in demo.sessions] == [session.key for session in plan.sessions]
    assert (len(plan.animals), len(plan.sessions)) == (3, 6)
    assert max(len(session.probes) for session in plan.sessions) == 2
    assert sum(bool(session.defects & BEHAVIOR_IS_UNUSABLE) for session in plan.sessions) == 1
    for written in demo.sessions:
        assert SessionKey.parse(written.key)
        assert all(path.is_file() for path in (*written.files, *written.truth))


def test_the_example_is_smaller_still(tmp_path: Path) -> None:
    written = write_laboratory(tmp_path, PRESETS["example"](1))
    assert sum(path.stat().st_size for path in written.root.rglob("*") if path.is_file()) < 1.5e6
    assert {path.relative_to(tmp_path).parts[0] for path in written.sessions[0].files} == {
        "rig1",
        "ephys",
        "histology",
        "tracking",
    }


@pytest.mark.parametrize("preset", PRESETS)
def test_every_plan_names_its_animals_and_its_probes_once(preset: str) -> None:
    plan = PRESETS[preset](5)
    assert {session.animal for session in plan.sessions} <= {animal.animal for animal in plan.animals}
    assert len({session.key for session in plan.sessions}) == len(plan.sessions)
    for session in plan.sessions:
        assert session.seed == 5
        assert len({probe.serial_number for probe in session.probes}) == len(session.probes)
        assert plan.session(session.key) is session


def test_the_full_session_is_as_large_as_a_real_one() -> None:
    (session,) = PRESETS["map-session"](1).sessions
    assert [probe.n_units for probe in session.probes] == [500] * 4
    assert session.n_trials == 550


def test_an_unknown_preset_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="choose one of demo, example"):
        simulate(tmp_path, "huge")


def test_no_truth_of_a_session_that_was_not_made(tmp_path: Path) -> None:
    with pytest.raises(NoSuchTable, match="No truth of session MK001_20240101_101010"):
        read_truth(tmp_path, "MK001_20240101_101010")


@pytest.mark.parametrize("name", ["lab", "data"])
def test_the_configuration_is_ready_to_use(tmp_path: Path, name: str) -> None:
    plan = replace(example_plan(), sessions=())
    written = write_laboratory(tmp_path / name, plan, data_root=tmp_path / "elsewhere", settle_s=2.5)
    config = load_config(written.config)
    assert {share: settings.kind for share, settings in config.shares.items()} == {
        "rig1": "behavior",
        "ephys": "ephys",
        "histology": "histology",
        "tracking": "tracking",
    }
    assert all(settings.path.is_dir() and settings.settle_s == 2.5 for settings in config.shares.values())
    assert config.lab.time_zone == "America/New_York"
    assert config.ccf.annotation == written.annotation
    assert config.store.root == tmp_path / "elsewhere" / "store"
    assert config.registry.url == f"sqlite:///{tmp_path}/elsewhere/registry.db"
    within = write_laboratory(tmp_path / name, plan)
    assert load_config(within.config).archive.root == tmp_path / name / "data" / "archive"


def test_the_sheets_name_every_animal_and_every_probe_of_a_readable_session(demo: WrittenLaboratory) -> None:
    plan = demo_plan(1)
    with demo.animals.open() as stream:
        animals = list(csv.DictReader(stream))
    assert [row["water_restriction_number"] for row in animals] == [animal.animal for animal in plan.animals]
    with demo.people.open() as stream:
        people = {row["username"]: row["fullname"] for row in csv.DictReader(stream)}
    assert {row["username"] for row in animals} <= set(people)
    assert all(", " in name for name in people.values())
    with demo.insertions.open() as stream:
        insertions = list(csv.DictReader(stream))
    named = [
        (f"{row['water_restriction_number']}_{row['session_date'].replace('-', '')}_{row['behaviour_time']}")
        for row in insertions
    ]
    assert named == [session.key for session in plan.sessions for _ in session.probes]
    for row in insertions:
        assert (float(row["ml_location"]) > 0) == (row["hemisphere"] == "right")


def test_late_parts_complete_a_session_byte_by_byte(tmp_path: Path) -> None:
    plan = replace(example_plan(3).sessions[0], n_trials=5)
    write_session(tmp_path / "at once", plan, voxel_um=200.0)
    for part in Part:
        written = write_session(tmp_path / "bit by bit", plan.with_parts(part), voxel_um=200.0)
        assert written.files
    assert bytes_of(tmp_path / "bit by bit") == bytes_of(tmp_path / "at once")


def test_one_trial_makes_a_session(tmp_path: Path) -> None:
    plan = made(tmp_path, n_trials=1)
    data = loadmat(behavior_of(tmp_path))["SessionData"]
    assert data["nTrials"][0, 0].item() == 1
    assert data["TrialSettings"][0, 0].shape == (1, 1)
    truth = read_truth(tmp_path, plan.key)
    assert truth.trials.num_rows == truth.ephys_trials.num_rows == 1


@pytest.mark.parametrize(
    ("defects", "in_behavior", "in_ephys"),
    [
        ({Defect.EPHYS_STARTS_LATE}, range(1, 13), range(4, 13)),
        ({Defect.EPHYS_ENDS_EARLY}, range(1, 13), range(1, 10)),
        ({Defect.EPHYS_MISSES_A_TRIAL}, range(1, 13), [*range(1, 7), *range(8, 13)]),
        ({Defect.BEHAVIOR_ENDS_EARLY}, range(1, 10), range(1, 13)),
        ({Defect.EPHYS_STARTS_LATE, Defect.BEHAVIOR_ENDS_EARLY}, range(1, 10), range(4, 13)),
    ],
)
def test_trials_are_missing_on_the_side_that_the_plan_says(
    tmp_path: Path, defects: set[Defect], in_behavior: range, in_ephys: range
) -> None:
    plan = made(tmp_path, *defects, n_trials=12)
    assert loadmat(behavior_of(tmp_path))["SessionData"]["nTrials"][0, 0].item() == len(in_behavior)
    truth = read_truth(tmp_path, plan.key)
    trials = truth.trials.to_pandas()
    assert list(trials.trial[trials.is_in_behavior]) == list(in_behavior)
    assert truth.ephys_trials["trial"].to_pylist() == list(in_ephys)
    (bitcode,) = (tmp_path / "ephys").rglob("*_bitcode.mat")
    assert list(loadmat(bitcode)["bitCodeS"]) == [trials.bitcode[number - 1] for number in in_ephys]
    start_s, stop_s = truth.clock(1).session_span_s
    seen = trials.set_index("trial").loc[list(in_ephys)]
    assert start_s < seen.bitcode_start_s.min()
    assert seen.stop_s.max() < stop_s
    if Defect.EPHYS_STARTS_LATE in defects:
        assert start_s > trials.bitcode_start_s[2]
    if Defect.EPHYS_ENDS_EARLY in defects:
        assert stop_s < trials.bitcode_start_s[9]


def test_a_truncated_behavior_file_begins_like_the_whole_one(tmp_path: Path) -> None:
    made(tmp_path / "whole", probes=())
    made(tmp_path / "cut", Defect.TRUNCATED_MAT, probes=())
    whole, cut = (behavior_of(tmp_path / name).read_bytes() for name in ("whole", "cut"))
    assert 0 < len(cut) < len(whole)
    assert whole.startswith(cut)


def test_names_and_tasks_can_be_wrong(tmp_path: Path) -> None:
    made(tmp_path / "name", Defect.UNPARSABLE_NAME, probes=())
    assert behavior_of(tmp_path / "name").name == "MK001_tw2_final2.mat"
    made(tmp_path / "task", Defect.UNKNOWN_TASK, probes=())
    gui = loadmat(behavior_of(tmp_path / "task"))["SessionData"]["SettingsFile"][0, 0]["GUI"][0, 0]
    assert not {"SamplePeriod", "DelayPeriod"} & set(gui.dtype.names)


def test_a_session_may_stand_twice_with_other_bytes(tmp_path: Path) -> None:
    made(tmp_path, Defect.DUPLICATE_KEY, probes=())
    one, other = sorted((tmp_path / "rig1").rglob("*.mat"))
    assert one.name == other.name
    assert one.read_bytes() != other.read_bytes()


def test_recordings_can_be_unfinished_truncated_or_not_all_there(tmp_path: Path) -> None:
    texts, sizes = {}, {}
    for defect in (Defect.UNFINISHED_META, Defect.TRUNCATED_META, Defect.INCOMPLETE_BIN):
        made(tmp_path / defect.name, defect, parts=frozenset({Part.RECORDING}))
        (meta,) = (tmp_path / defect.name).rglob("*.ap.meta")
        texts[defect], sizes[defect] = meta.read_text(), meta.with_suffix(".bin").stat().st_size
    end_keys = ("fileSHA1=", "fileSizeBytes=", "fileTimeSecs=")
    assert not any(key in texts[Defect.UNFINISHED_META] for key in end_keys)
    assert "~snsShankMap" in texts[Defect.UNFINISHED_META]
    assert "~snsShankMap" not in texts[Defect.TRUNCATED_META]
    said = int(texts[Defect.INCOMPLETE_BIN].split("fileSizeBytes=")[1].split("\n")[0])
    assert sizes[Defect.INCOMPLETE_BIN] < said == sizes[Defect.TRUNCATED_META]


def test_a_sorting_can_break_off(tmp_path: Path) -> None:
    made(tmp_path, Defect.TRUNCATED_SORTING)
    (path,) = (tmp_path / "ephys").rglob("spike_times.npy")
    with pytest.raises(ValueError, match=r"cannot reshape|Failed to read"):
        np.load(path)


def test_free_water_trials_have_a_code_and_no_go_cue(tmp_path: Path) -> None:
    plan = made(tmp_path, Defect.FREE_WATER)
    free = loadmat(behavior_of(tmp_path))["SessionData"]["FreeTrials"][0, 0].ravel().astype(bool)
    assert 0 < free.sum() < plan.n_trials
    (path,) = (tmp_path / "ephys").rglob("*_bitcode.mat")
    found = loadmat(path)
    assert found["sTrig"].size - found["goCue"].size == free.sum()
    trials = read_truth(tmp_path, plan.key).trials.to_pandas()
    assert list(trials.is_free_water) == list(free) == list(trials.go_s.isna())


def test_behavior_can_be_restless(tmp_path: Path) -> None:
    calm, restless = (
        read_truth(tmp_path / name, made(tmp_path / name, *defects, n_trials=40, probes=()).key).trials.to_pandas()
        for name, defects in (("calm", ()), ("restless", (Defect.EARLY_LICKS, Defect.REPEATED_GO_CUES)))
    )
    assert calm.early_lick.mean() < 0.4 < 0.6 < restless.early_lick.mean()
    assert np.mean(calm.n_go_cues > 1) < 0.3 < 0.5 < np.mean(restless.n_go_cues > 1)


def test_a_code_can_come_twice(tmp_path: Path) -> None:
    codes = read_truth(tmp_path, made(tmp_path, Defect.REPEATED_BITCODE, probes=()).key).trials["bitcode"].to_pylist()
    assert codes[0] == codes[2]
    assert len(set(codes)) == len(codes) - 1


def test_two_sessions_of_one_day_have_runs_of_their_own(tmp_path: Path) -> None:
    first = replace(example_plan().sessions[0], n_trials=3)
    second = replace(first, named_at=datetime(2024, 3, 4, 15, 1, 2), order_in_day=2)
    for plan in (first, second):
        write_session(tmp_path, plan, voxel_um=200.0)
    runs = sorted(path.name for path in (tmp_path / "ephys" / first.animal).iterdir())
    assert runs == ["catgt_MK001_030424_g0", "catgt_MK001_030424_g1"]
    for run, plan in zip(runs, (first, second), strict=True):
        (meta,) = (tmp_path / "ephys" / first.animal / run).rglob("*.ap.meta")
        created = meta.read_text().split("fileCreateTime_original=")[1].split("\n")[0]
        start = datetime.fromisoformat(read_truth(tmp_path, plan.key).facts["start_local"])
        assert abs((datetime.fromisoformat(created) - start).total_seconds()) < 120
    assert len([*(tmp_path / "tracking").rglob("MK001_030424_2_side.txt")]) == 1


@pytest.mark.parametrize("anchors", ["whole samples", "exact samples", "seconds"])
def test_anchors_come_in_the_form_that_the_plan_says(tmp_path: Path, anchors: str) -> None:
    plan = made(tmp_path, anchors=anchors, has_trial_numbers=True)
    (path,) = (tmp_path / "ephys").rglob("*_bitcode.mat")
    found, truth = loadmat(path), read_truth(tmp_path, plan.key)
    exact = truth.ephys_trials["go_samples"].to_numpy()
    go = found["goCue"].ravel()
    if anchors == "whole samples":
        assert go.dtype.kind == "i"
        assert np.abs(go - exact).max() <= 0.5
    else:
        rate_hz = truth.clock(1).sample_rate_hz if anchors == "seconds" else 1.0
        assert np.allclose(go * rate_hz, exact, rtol=0, atol=1e-6)
    assert list(found["trialNum"].ravel()) == truth.ephys_trials["trial"].to_pylist()
