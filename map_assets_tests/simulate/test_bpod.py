"""The made-up behaviour file against the rig's own and against the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.bpod import EVENT_CODES
from map_assets.simulate.laboratory import WrittenLaboratory
from map_assets.simulate.trial import BIT_STATES, STATES
from map_assets.simulate.truth import Truth, read_truth

REAL = "map/dl25_tw2_20180225_102508.mat"


@pytest.fixture(scope="module")
def behavior_file(laboratory: WrittenLaboratory, session: SessionPlan) -> Path:
    return laboratory.root / "rig1" / session.animal / session.protocol / "Session Data" / session.behavior_name


@pytest.fixture(scope="module")
def data(behavior_file: Path) -> np.ndarray:
    return loadmat(behavior_file)["SessionData"]


@pytest.fixture(scope="module")
def truth(laboratory: WrittenLaboratory, session: SessionPlan) -> Truth:
    return read_truth(laboratory.root, session.key)


def tree(value: np.ndarray) -> object:
    """Names and nesting of what MATLAB kept: structs in field order, cells and struct arrays by their first element."""
    if value.dtype.names:
        return {name: tree(value.flat[0][name]) for name in value.dtype.names}
    if value.dtype == object:
        return ["cell", tree(value.flat[0])]
    return "text" if value.dtype.kind == "U" else "numbers"


def trial_of(data: np.ndarray, index: int, part: str) -> np.ndarray:
    return data["RawEvents"][0, 0]["Trial"][0, 0][0, index][part][0, 0][0, 0]


def test_fields_are_named_and_nested_as_in_a_rigs_file(data: np.ndarray, shared_data: Path) -> None:
    real = loadmat(shared_data / REAL)["SessionData"]
    ours, theirs = tree(data), tree(real)
    for one in (ours, theirs):
        assert set(one["RawEvents"]["Trial"][1]["Events"]) <= set(EVENT_CODES)
        one["RawEvents"]["Trial"][1]["Events"] = None
    assert ours == theirs
    assert list(ours) == list(theirs)
    for name in ("GUI", "GUIPanels", "GUIMeta"):
        assert list(ours["TrialSettings"][name]) == list(theirs["TrialSettings"][name])
    for name in ("RawEvents", "RawData", "TrialSettings", "SettingsFile", "Info"):
        assert data[name][0, 0].ndim == real[name][0, 0].ndim == 2


def test_states_have_the_rigs_numbers_and_order_of_fields(data: np.ndarray, shared_data: Path) -> None:
    real = loadmat(shared_data / REAL)["SessionData"]
    for one in (data, real):
        names = one["RawData"][0, 0]["OriginalStateNamesByNumber"][0, 0][0, 0]
        assert [name.item() for name in names[0]] == list(STATES)
        for index in range(one["nTrials"][0, 0].item()):
            states = trial_of(one, index, "States")
            numbers = one["RawData"][0, 0]["OriginalStateData"][0, 0][0, index].ravel()
            visited = list(dict.fromkeys(STATES[number - 1] for number in numbers))
            assert list(states.dtype.names) == visited + [name for name in STATES if name not in visited]


def test_the_code_takes_the_same_states_at_the_same_times_as_on_the_rig(data: np.ndarray, shared_data: Path) -> None:
    real = trial_of(loadmat(shared_data / REAL)["SessionData"], 0, "States")
    for index in range(data["nTrials"][0, 0].item()):
        states = trial_of(data, index, "States")
        assert all(np.allclose(states[name], real[name], atol=1e-9) for name in (*BIT_STATES, "PreSamplePeriod"))


def test_raw_data_and_raw_events_tell_one_story(data: np.ndarray) -> None:
    raw = data["RawData"][0, 0]
    for index in range(data["nTrials"][0, 0].item()):
        numbers = raw["OriginalStateData"][0, 0][0, index].ravel()
        stamps = raw["OriginalStateTimestamps"][0, 0][0, index].ravel()
        assert len(stamps) == len(numbers) + 1
        assert np.all(np.diff(stamps) > 0)
        states = trial_of(data, index, "States")
        for number, name in enumerate(STATES, start=1):
            entries = stamps[:-1][numbers == number]
            found = states[name][:, 0]
            assert np.array_equal(found, entries) or (np.isnan(found).all() and not len(entries))
        events = trial_of(data, index, "Events")
        codes = raw["OriginalEventData"][0, 0][0, index].ravel()
        times = raw["OriginalEventTimestamps"][0, 0][0, index].ravel()
        assert np.all(np.diff(times) >= 0)
        for name, code in EVENT_CODES.items():
            named = events[name].ravel() if name in events.dtype.names else np.zeros(0)
            assert np.array_equal(np.sort(named), times[codes == code])


def test_the_file_holds_the_truth(data: np.ndarray, truth: Truth, session: SessionPlan) -> None:
    trials = truth.trials.to_pydict()
    starts = data["TrialStartTimestamp"][0, 0].ravel()
    assert np.allclose(starts - starts[0], trials["start_s"], atol=1e-9)
    for index in range(session.n_trials):
        settings = data["TrialSettings"][0, 0][0, index]
        assert settings["GUI"][0, 0]["randomID"].item() == trials["bitcode"][index]
        states = trial_of(data, index, "States")
        for column, name in (("go_s", "ResponseCue"), ("delay_s", "DelayPeriod"), ("sample_s", "SamplePeriod")):
            assert trials["start_s"][index] + states[name][-1, 0] == pytest.approx(trials[column][index], abs=1e-9)
        was_hit = not np.isnan(states["Reward"]).any()
        was_miss = not np.isnan(states["TimeOut"]).any()
        assert trials["outcome"][index] == ("hit" if was_hit else "miss" if was_miss else "ignore")
        side = "left" if data["TrialTypes"][0, 0][0, index] == 1 else "right"
        assert trials["instruction"][index] == side
    assert len(set(trials["bitcode"])) == session.n_trials


def test_every_lick_is_an_event_of_its_port(data: np.ndarray, truth: Truth, session: SessionPlan) -> None:
    start_s = truth.trials["start_s"].to_numpy()
    licks = truth.licks.to_pandas()
    for port, name in (("left", "Port1In"), ("right", "Port2In")):
        found = []
        for index in range(session.n_trials):
            events = trial_of(data, index, "Events")
            found += list(start_s[index] + events[name].ravel()) if name in events.dtype.names else []
        assert np.allclose(found, licks.time_s[licks.port == port], atol=1e-9)
        assert found


def test_the_start_stands_in_the_file_as_on_the_rig(data: np.ndarray, truth: Truth, session: SessionPlan) -> None:
    info = data["Info"][0, 0]
    assert info["SessionDate"][0, 0].item() == f"{session.named_at:%d-%b-%Y}"
    first = data["MATLABStartTimes"][0, 0][0, 0]
    seconds = (first - np.floor(first)) * 86_400
    clock = truth.facts["start_local"].split("T")[1]
    hours, minutes, rest = clock.split(":")
    assert seconds == pytest.approx(int(hours) * 3600 + int(minutes) * 60 + float(rest), abs=1e-3)
    assert info["SessionStartTime_UTC"][0, 0].item() > clock[:8]


def test_repeated_epochs_and_go_cues_are_visits_of_their_own(truth: Truth) -> None:
    trials, events = truth.trials.to_pandas(), truth.trial_events.to_pandas()
    counts = events.groupby(["trial", "event"]).size().unstack(fill_value=0)
    assert list(counts["sample"]) == list(trials.n_samples)
    assert list(counts["delay"]) == list(trials.n_delays)
    assert list(counts["go"]) == list(trials.n_go_cues)
    assert trials.early_lick.any()
    assert (trials.n_go_cues > 1).any()
    assert {"hit", "miss", "ignore"} == set(trials.outcome)
    assert trials.photostim_site.notna().any()
