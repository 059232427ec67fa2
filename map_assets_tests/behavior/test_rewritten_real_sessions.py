"""Copies of a real session with one thing changed: what the task's rules make of it, trial by trial."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from map_assets.behavior.read import read_behavior
from map_assets.vocabulary.files import FoundFile

NAME = "dl25_tw2_20180225_102508.mat"
SESSION = "dl25_20180225_102508"


@pytest.fixture(scope="module")
def loaded(shared_data: Path) -> np.ndarray:
    from scipy.io import loadmat

    return loadmat(shared_data / "map" / NAME)["SessionData"]


@pytest.fixture
def read(loaded: np.ndarray, tmp_path: Path) -> Callable[..., dict[str, pa.Table]]:
    """Rewrites the session with something changed, under any name, and reads it."""

    def rewritten(change: Callable[[Any], None], name: str = NAME, session: str = SESSION) -> dict[str, pa.Table]:
        from scipy.io import savemat

        data = copy.deepcopy(loaded)
        change(data[0, 0])
        savemat(tmp_path / name, {"SessionData": data}, long_field_names=True, oned_as="row")
        facts = (tmp_path / name).stat()
        file = FoundFile("rig1", tmp_path, PurePosixPath(name), "behavior", facts.st_size, facts.st_mtime_ns, "RRig")
        return read_behavior(session, file)

    return rewritten


def gui(data: Any, trial: int) -> Any:
    return data["TrialSettings"][0, trial - 1]["GUI"][0, 0]


def setting(name: str, value: float, *trials: int) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        for trial in trials or range(1, 12):
            gui(data, trial)[name] = np.array([[value]])

    return change


def together(*changes: Callable[[Any], None]) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        for one in changes:
            one(data)

    return change


def stimulated(code: int, *trials: int) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        data["StimTrials"][...] = 0
        data["StimTrials"][0, [trial - 1 for trial in trials]] = code

    return change


def given(place: int, *trials: int) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        for trial in trials:
            flags = data["TrialSettings"][0, trial - 1]["GaveFreeReward"].astype(float)
            flags.flat[place] = 1
            data["TrialSettings"][0, trial - 1]["GaveFreeReward"] = flags

    return change


def column(tables: dict[str, pa.Table], name: str) -> list[Any]:
    return tables["trials"][name].to_pylist()


def test_a_copy_without_a_change_reads_as_the_original(read, shared_data: Path) -> None:
    path = shared_data / "map" / NAME
    file = FoundFile("rig1", path.parent, PurePosixPath(NAME), "behavior", path.stat().st_size, 0, "RRig")
    original, copied = read_behavior(SESSION, file), read(lambda data: None)
    for name in original:
        if name != "behavior_file":
            assert copied[name].equals(original[name]), name


@pytest.mark.parametrize(("code", "site"), [(4, "left_alm"), (5, "right_alm"), (6, "both_alm")])
def test_protocol_five_with_autolearn_four_is_stimulated_at_the_delay(read, code, site) -> None:
    light = together(setting("ProtocolType", 5), setting("Autolearn", 4), stimulated(code, 2, 4, 9))
    tables = read(light)
    lit = {row["trial"]: row for row in tables["trials"].to_pylist() if row["photostim_site"] is not None}
    assert list(lit) == [2, 4, 9]
    for row in lit.values():
        assert row["photostim_site"] == site
        assert row["photostim_onset_s"] == row["delay_s"]
        assert (row["photostim_duration_s"], row["photostim_power_mw"]) == (0.5, 5.5)
        assert row["protocol_type"] == "DelayEnforce"
    assert tables["photostim_sites"]["photostim_site"].to_pylist() == [site]


@pytest.mark.parametrize(
    "change",
    [
        together(setting("ProtocolType", 6), setting("Autolearn", 4), stimulated(4, 2)),
        together(setting("ProtocolType", 5), setting("Autolearn", 3), stimulated(4, 2)),
        together(setting("ProtocolType", 5), setting("Autolearn", 4), stimulated(0, 2)),
    ],
)
def test_without_one_of_the_conditions_nothing_is_stimulated(read, change) -> None:
    tables = read(change)
    assert tables["trials"]["photostim_site"].null_count == 11
    assert tables["skipped_trials"].num_rows == 0


def test_an_unknown_code_takes_its_trial_with_the_reason(read) -> None:
    tables = read(together(setting("ProtocolType", 5), setting("Autolearn", 4), stimulated(2, 2, 9)))
    assert tables["skipped_trials"]["trial"].to_pylist() == [2, 9]
    assert all("stimulated by code 2" in reason for reason in tables["skipped_trials"]["reason"].to_pylist())
    assert tables["skipped_trials"]["start_s"].to_pylist() == pytest.approx([7.241, 374.399], abs=1e-6)
    assert column(tables, "until_s")[0] == pytest.approx(7.241, abs=1e-6)


@pytest.mark.parametrize("protocol_type", [5, 6, 7])
def test_a_late_delay_is_counted_back_from_the_go_cue(read, protocol_type) -> None:
    """Trial 7 has four go cues: the light came before the first."""
    change = together(setting("ProtocolType", protocol_type), setting("Autolearn", 4), stimulated(5, 1, 7))
    tables = read(change, "SC022_RecordingRig3_20180225_102508.mat", "SC022_20180225_102508")
    goes = tables["trial_events"].to_pylist()
    for trial in (1, 7):
        row = tables["trials"].to_pylist()[trial - 1]
        first_go = min(event["start_s"] for event in goes if (event["trial"], event["event"]) == (trial, "go"))
        assert row["photostim_onset_s"] == pytest.approx(first_go - 0.5, abs=1e-6)


def test_reversal_swaps_every_side(read) -> None:
    plain, swapped = (column(read(change), "instruction") for change in (lambda data: None, setting("Reversal", 2)))
    other = {"left": "right", "right": "left"}
    assert swapped == [other[side] for side in plain]


@pytest.mark.parametrize("value", [0, 3, 1.5, np.nan])
def test_an_unknown_reversal_takes_its_trial(read, value) -> None:
    tables = read(setting("Reversal", value, 3))
    assert tables["skipped_trials"]["trial"].to_pylist() == [3]


@pytest.mark.parametrize("change", [setting("Autowater", 1, 3), given(0, 3), given(1, 3)])
def test_auto_water_in_any_of_its_three_forms(read, change) -> None:
    assert [row + 1 for row, flag in enumerate(column(read(change), "is_auto_water")) if flag] == [3]


def test_the_counter_behind_the_free_rewards_is_none_and_an_unknown_switch_takes_its_trial(read) -> None:
    assert not any(column(read(given(2, 3)), "is_auto_water"))
    assert read(setting("Autowater", 3, 3))["skipped_trials"]["trial"].to_pylist() == [3]


@pytest.mark.parametrize(
    "state", ["PreSamplePeriod", "SamplePeriod", "DelayPeriod", "ResponseCue", "StopLicking", "TrialEnd"]
)
def test_a_state_missing_from_one_trials_machine_takes_that_trial(read, state) -> None:
    def change(data: Any) -> None:
        names = data["RawData"][0, 0]["OriginalStateNamesByNumber"][0, 4]
        place = [str(name[0]) for name in names[0]].index(state)
        names[0, place] = np.array(["SomethingElse"])

    tables = read(change)
    assert tables["skipped_trials"].to_pylist()[0]["reason"] == f"the state machine has no {state}"
    assert tables["skipped_trials"]["trial"].to_pylist() == [5]
    assert tables["trials"]["trial"].to_pylist() == [1, 2, 3, 4, 6, 7, 8, 9, 10, 11]


@pytest.mark.parametrize("state", ["SamplePeriod", "DelayPeriod", "ResponseCue", "TrialEnd", "Reward"])
def test_a_visit_that_one_of_the_two_records_lacks_takes_its_trial(read, state) -> None:
    def change(data: Any) -> None:
        trial = data["RawEvents"][0, 0]["Trial"][0, 0]
        trial["States"][0, 0][state][0, 0][...] = np.nan

    tables = read(change)
    assert tables["skipped_trials"].to_pylist()[0]["reason"] == (
        f"{state} was visited 1 times by RawData and 0 times by RawEvents"
    )


def test_a_lick_that_one_of_the_two_records_lacks_takes_its_trial(read) -> None:
    def change(data: Any) -> None:
        events = data["RawEvents"][0, 0]["Trial"][0, 2]["Events"][0, 0]
        events["Port2In"][0, 0] = events["Port2In"][0, 0][:, 1:] if events["Port2In"][0, 0].size else np.zeros((1, 1))

    tables = read(change)
    assert tables["skipped_trials"]["trial"].to_pylist() == [3]
    assert "events happened by RawData" in tables["skipped_trials"]["reason"].to_pylist()[0]


def test_fields_may_be_missing_that_are_optional(read) -> None:
    def change(data: Any) -> None:
        data["MATLABStartTimes"][...] = 0

    assert read(change)["behavior_file"]["start_source"].to_pylist()[0].startswith("Info.")
