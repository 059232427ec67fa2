"""A real session of the MAP rigs (11 trials), held against what its raw arrays say when they are read another way."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from map_assets.behavior import checks
from map_assets.behavior.read import read_behavior
from map_assets.vocabulary.errors import PiecesDoNotFit
from map_assets.vocabulary.files import FoundFile

SESSION = "dl25_20180225_102508"
CODES = {69: "left", 71: "right"}


@pytest.fixture(scope="module")
def file(shared_data: Path) -> FoundFile:
    path = shared_data / "map" / "dl25_tw2_20180225_102508.mat"
    return FoundFile("rig1", path.parent, PurePosixPath(path.name), "behavior", path.stat().st_size, 0, "RRig")


@pytest.fixture(scope="module")
def tables(file: FoundFile):
    return read_behavior(SESSION, file)


@pytest.fixture(scope="module")
def raw(file: FoundFile):
    """The file as scipy reads it: RawData by state and event codes, which the room does not use for times."""
    from scipy.io import loadmat

    return loadmat(file.path)["SessionData"][0, 0]


def raw_visits(raw, trial: int):
    """(state, entry, exit) of a trial, in order, from the sequence of state numbers."""
    data = raw["RawData"][0, 0]
    names = [str(name[0]) for name in data["OriginalStateNamesByNumber"][0, trial - 1][0]]
    numbers = data["OriginalStateData"][0, trial - 1][0].astype(int)
    times = data["OriginalStateTimestamps"][0, trial - 1][0]
    return [(names[number - 1], times[k], times[k + 1]) for k, number in enumerate(numbers)]


def test_all_eleven_trials_are_kept(tables) -> None:
    assert tables["trials"]["trial"].to_pylist() == list(range(1, 12))
    assert tables["skipped_trials"].num_rows == 0
    assert tables["photostim_sites"].num_rows == 0
    assert tables["behavior_file"]["n_trials"].to_pylist() == [11]


def test_the_file_and_its_start_are_as_known(tables) -> None:
    row = tables["behavior_file"].to_pylist()[0]
    assert row["size"] == 201_976
    assert row["sha256"] == "27f4a8ca17778a05405647671d32c1e321d2186937998709c3a2c222fb947fdf"
    assert row["start_local"] == "2018-02-25T11:23:21.076"
    assert row["info_start_local"] == "2018-02-25T11:23:28.000"
    assert row["rig_software"] == "Bpod 0.7-0.9"
    assert (row["task"], row["task_protocol"], row["format"]) == ("audio delay", 1, "delay_response")


def test_trials_start_on_the_session_clock(tables) -> None:
    bpod = [
        3501.308,
        3508.549,
        3515.356,
        3522.208,
        3529.869,
        3708.059,
        3714.503,
        3805.860,
        3875.707,
        3882.521,
        3974.472,
    ]
    assert tables["trials"]["start_s"].to_pylist() == pytest.approx([start - 3501.308 for start in bpod], abs=1e-9)


def test_both_records_of_the_file_agree_on_every_state_and_event(raw) -> None:
    """Named visits and events against numbers and codes: what the tables rest on, whichever way it is read."""
    codes = {"Tup": 109, "WavePlayer1_3": 3, "Port1In": 69, "Port1Out": 70, "Port2In": 71, "Port2Out": 72}
    n_visits = n_events = 0
    for trial in range(11):
        record = raw["RawEvents"][0, 0]["Trial"][0, trial][0, 0]
        states, events = record["States"][0, 0], record["Events"][0, 0]
        visits = raw_visits(raw, trial + 1)
        assert len(states.dtype.names) == 52
        for name in states.dtype.names:
            listed = [[entry, leave] for state, entry, leave in visits if state == name] or [[np.nan, np.nan]]
            np.testing.assert_allclose(states[name], listed, atol=1e-9, err_msg=f"{name} of trial {trial + 1}")
        happened = raw["RawData"][0, 0]["OriginalEventData"][0, trial][0]
        times = raw["RawData"][0, 0]["OriginalEventTimestamps"][0, trial][0]
        for name in events.dtype.names:
            np.testing.assert_allclose(events[name][0], times[happened == codes[name]], atol=1e-9)
        assert sum(events[name].size for name in events.dtype.names) == len(happened)
        n_visits += len(visits)
        n_events += len(happened)
    assert (n_visits, n_events) == (522, 678)


def test_each_trial_lasts_until_the_next(tables) -> None:
    trials = tables["trials"].to_pylist()
    starts = [trial["start_s"] for trial in trials]
    assert [trial["until_s"] for trial in trials] == [*starts[1:], trials[-1]["stop_s"]]


def test_events_are_the_raw_sequence_of_states(tables, raw) -> None:
    events = {"PreSamplePeriod": 0, "SamplePeriod": 1, "DelayPeriod": 2, "ResponseCue": 3, "TrialEnd": 4}
    names = ["presample", "sample", "delay", "go", "trialend"]
    starts = tables["trials"]["start_s"].to_pylist()
    expected = []
    for trial in range(1, 12):
        kept = [visit for visit in raw_visits(raw, trial) if visit[0] in events]
        kept.sort(key=lambda visit: (events[visit[0]], visit[1]))
        expected += [
            (trial, number, names[events[state]], starts[trial - 1] + entry, leave - entry)
            for number, (state, entry, leave) in enumerate(kept)
        ]
    found = [
        (row["trial"], row["event_id"], row["event"], row["start_s"], row["duration_s"])
        for row in tables["trial_events"].to_pylist()
    ]
    assert [row[:3] for row in found] == [row[:3] for row in expected]
    np.testing.assert_allclose([row[3:] for row in found], [row[3:] for row in expected], atol=1e-6)


def test_trial_seven_asks_four_times_and_trials_four_and_eight_restart_the_sample(tables) -> None:
    trials = tables["trials"]
    assert trials["n_go_cues"].to_pylist() == [1, 1, 1, 1, 1, 1, 4, 1, 1, 1, 1]
    assert trials["n_samples"].to_pylist() == [1, 1, 1, 7, 1, 1, 1, 7, 1, 1, 1]
    assert trials["n_delays"].to_pylist() == [1] * 11
    seventh = trials.to_pylist()[6]
    assert seventh["go_s"] - seventh["start_s"] == pytest.approx(10.98)
    assert trials["early_lick"].to_pylist() == [trial in (4, 8) for trial in range(1, 12)]


def test_stop_is_the_entry_of_trial_end(tables, raw) -> None:
    expected = [
        next(entry for state, entry, _ in raw_visits(raw, trial) if state == "TrialEnd") for trial in range(1, 12)
    ]
    durations = np.subtract(tables["trials"]["stop_s"].to_numpy(), tables["trials"]["start_s"].to_numpy())
    np.testing.assert_allclose(durations, expected, atol=1e-6)


def test_licks_are_the_raw_event_codes(tables, raw) -> None:
    data = raw["RawData"][0, 0]
    starts = tables["trials"]["start_s"].to_pylist()
    expected = []
    for trial in range(11):
        codes = data["OriginalEventData"][0, trial][0]
        times = data["OriginalEventTimestamps"][0, trial][0]
        licks = sorted((time, CODES[code]) for time, code in zip(times, codes, strict=True) if code in CODES)
        expected += [(trial + 1, k, port, starts[trial] + time) for k, (time, port) in enumerate(licks)]
    found = [(row["trial"], row["lick_id"], row["port"], row["time_s"]) for row in tables["licks"].to_pylist()]
    assert [row[:3] for row in found] == [row[:3] for row in expected]
    np.testing.assert_allclose([row[3] for row in found], [row[3] for row in expected], atol=1e-6)
    assert [row[2] for row in found].count("left") == 48
    assert [row[2] for row in found].count("right") == 15


def test_outcomes_agree_with_the_rigs_own_count_of_hits(tables, raw) -> None:
    """ProtocolHistory's last row counts the hits so far, in fortieths."""
    outcome = tables["trials"]["outcome"].to_pylist()
    settings = raw["TrialSettings"][0]
    hits = [round(trial["ProtocolHistory"][-1, 2] * 40) for trial in settings]
    so_far = np.cumsum([result == "hit" for result in outcome])
    np.testing.assert_array_equal(so_far[:10], hits[1:])
    assert outcome == ["hit", "hit", "hit", "miss", "hit", "miss", "hit", "hit", "hit", "hit", "hit"]


def test_instructions_follow_the_trial_types(tables) -> None:
    types = [0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0]
    assert tables["trials"]["instruction"].to_pylist() == ["left" if kind else "right" for kind in types]


def test_bitcodes_are_those_the_ephys_side_saw(tables, shared_data: Path) -> None:
    from scipy.io import loadmat

    seen = [str(code) for code in loadmat(shared_data / "map" / "dl25_bitcode.mat")["bitCodeS"]]
    bitcodes = tables["trials"]["bitcode"].to_pylist()
    assert bitcodes[:10] == seen
    assert bitcodes[10] == "0110000000010101"
    from_start = np.subtract(tables["trials"]["bitcode_start_s"].to_numpy(), tables["trials"]["start_s"].to_numpy())
    np.testing.assert_allclose(from_start, 0.51, atol=1e-6)


def test_stimulation_code_two_is_no_stimulation(tables, raw) -> None:
    assert raw["StimTrials"][0].tolist() == [0, 2, 0, 0, 0, 0, 0, 0, 2, 0, 0]
    for column in ("photostim_onset_s", "photostim_duration_s", "photostim_power_mw", "photostim_site"):
        assert tables["trials"][column].null_count == 11


def test_settings_are_named_as_the_rig_names_them(tables) -> None:
    trials = tables["trials"]
    assert set(trials["protocol_type"].to_pylist()) == {"Fixed"}
    assert set(trials["autolearn"].to_pylist()) == {"On"}
    assert set(trials["is_auto_water"].to_pylist()) == {False}
    assert set(trials["is_free_water"].to_pylist()) == {False}


def test_every_check_passes(tables) -> None:
    trials = tables["trials"]
    verdicts = [
        checks.trials_are_in_order(trials),
        checks.events_lie_in_their_trials(trials, tables["trial_events"]),
        checks.licks_lie_in_their_trials(trials, tables["licks"]),
        checks.every_trial_is_accounted_for(tables["behavior_file"], trials, tables["skipped_trials"]),
    ]
    assert [verdict.passed for verdict in verdicts] == [True] * 4


def test_the_same_file_under_another_day_is_refused(file) -> None:
    with pytest.raises(PiecesDoNotFit, match=r"its name says 2018-02-26 10:25 and its Info.SessionDate 2018-02-25"):
        read_behavior("dl25_20180226_102508", file)
