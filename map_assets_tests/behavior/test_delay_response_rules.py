"""The rules by which a delayed-response file becomes tables, one bent trial at a time."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def rows(table):
    return table.to_pylist()


def only(table):
    found = table.to_pylist()
    assert len(found) == 1
    return found[0]


def test_a_plain_trial_gives_its_row(rig) -> None:
    tables = rig.read([rig.trial(), rig.trial(trial_type=1, right=(), left=[3.5])])
    first, second = rows(tables["trials"])
    assert first == {
        "session": rig.session,
        "trial": 1,
        "start_s": 0.0,
        "stop_s": 6.83,
        "until_s": 10.0,
        "instruction": "right",
        "outcome": "hit",
        "early_lick": False,
        "is_auto_water": False,
        "is_free_water": False,
        "sample_s": 0.93,
        "delay_s": 2.13,
        "go_s": 3.33,
        "n_samples": 1,
        "n_delays": 1,
        "n_go_cues": 1,
        "photostim_onset_s": None,
        "photostim_duration_s": None,
        "photostim_power_mw": None,
        "photostim_site": None,
        "bitcode": "0110",
        "bitcode_start_s": 0.51,
        "protocol_type": "DelayEnforce",
        "autolearn": "antiBias",
        "choice": None,
        "block": None,
        "block_trial": None,
    }
    assert (second["trial"], second["instruction"]) == (2, "left")
    assert second["start_s"] == 10.0 and second["go_s"] == pytest.approx(13.33)


def test_the_file_is_described_with_its_hash_whatever_its_size(rig) -> None:
    file = rig.write([rig.trial()], rig="RRig2")
    from map_assets.behavior.read import read_behavior

    described = only(read_behavior(rig.session, file)["behavior_file"])
    content = file.path.read_bytes()
    assert len(content) < 1_000_000
    assert described == {
        "session": rig.session,
        "file": "dl25_tw2_20180225_102508.mat",
        "share": "rig1",
        "rig": "RRig2",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "task": "audio delay",
        "task_protocol": 1,
        "format": "delay_response",
        "protocol_file": "delay_response.toml version 1",
        "n_trials": 1,
        "start_local": "2018-02-25T11:23:21.076",
        "start_source": "MATLABStartTimes",
        "info_start_local": "2018-02-25T11:23:28.000",
        "rig_software": "Bpod 0.7-0.9",
        "random_seed": None,
    }


@pytest.mark.parametrize(
    ("reversal", "trial_type", "instruction"), [(1, 1, "left"), (1, 0, "right"), (2, 1, "right"), (2, 0, "left")]
)
def test_reversal_swaps_the_instruction(rig, reversal, trial_type, instruction) -> None:
    trials = rig.read([rig.trial(Reversal=reversal, trial_type=trial_type)])["trials"]
    assert only(trials)["instruction"] == instruction


@pytest.mark.parametrize(
    ("states", "outcome"),
    [
        (("Reward",), "hit"),
        (("TimeOut",), "miss"),
        (("NoResponse",), "ignore"),
        ((), "ignore"),
        (("Reward", "TimeOut"), "hit"),
        (("NoResponse", "NoResponse", "Reward"), "hit"),
    ],
)
def test_reward_makes_a_hit_and_timeout_a_miss_and_neither_an_ignore(rig, states, outcome) -> None:
    visits = [(state, 4.0 + k, 4.5 + k) for k, state in enumerate(states)]
    trial = rig.trial(states=[*rig.without("Reward", "TrialEnd"), *visits, ("TrialEnd", 9.0, 9.25)])
    assert only(rig.read([trial])["trials"])["outcome"] == outcome


@pytest.mark.parametrize(("protocol_type", "counts"), [(3, False), (4, False), (5, True), (6, True), (7, True)])
@pytest.mark.parametrize("state", ["EarlyLickSample", "EarlyLickDelay"])
def test_an_early_lick_counts_where_the_rig_enforces_it(rig, protocol_type, counts, state) -> None:
    trial = rig.trial(states=rig.after("DelayPeriod", (state, 3.33, 3.33)), ProtocolType=protocol_type)
    assert only(rig.read([trial])["trials"])["early_lick"] is counts


def test_an_early_lick_is_decided_by_states_and_not_by_licks(rig) -> None:
    assert only(rig.read([rig.trial(left=[1.0, 2.5])])["trials"])["early_lick"] is False


@pytest.mark.parametrize(
    ("autowater", "given_water", "is_auto"),
    [
        (2, (0, 0, 154), False),
        (1, (0, 0, 0), True),
        (2, (1, 0, 0), True),
        (2, (0, 1, 0), True),
        (1, (1, 1, 3), True),
    ],
)
def test_auto_water_is_the_setting_or_a_free_reward_at_either_port(rig, autowater, given_water, is_auto) -> None:
    trial = rig.trial(Autowater=autowater, given=given_water)
    assert only(rig.read([trial])["trials"])["is_auto_water"] is is_auto


def test_free_water_is_as_the_rig_flags_it_and_false_without_flags(rig) -> None:
    tables = rig.read([rig.trial(free=1), rig.trial()])
    assert [trial["is_free_water"] for trial in rows(tables["trials"])] == [True, False]
    assert only(rig.read([rig.trial()], FreeTrials=None)["trials"])["is_free_water"] is False


def test_each_visit_is_an_event_and_the_last_of_each_is_the_trials(rig) -> None:
    restarted = [
        ("TrigTrialStart", 0.0, 0.5),
        ("PreSamplePeriod", 0.5, 0.93),
        ("SamplePeriod", 0.93, 1.4),
        ("EarlyLickSample", 1.4, 1.41),
        ("SamplePeriod", 1.41, 2.61),
        ("DelayPeriod", 2.61, 3.0),
        ("EarlyLickDelay", 3.0, 3.01),
        ("DelayPeriod", 3.01, 4.21),
        ("ResponseCue", 4.21, 4.26),
        ("NoResponse", 4.26, 5.0),
        ("ResponseCue", 5.0, 5.05),
        ("TimeOut", 5.5, 6.5),
        ("TrialEnd", 6.5, 6.75),
    ]
    tables = rig.read([rig.trial(), rig.trial(states=restarted)])
    trial = rows(tables["trials"])[1]
    assert (trial["n_samples"], trial["n_delays"], trial["n_go_cues"]) == (2, 2, 2)
    assert (trial["sample_s"], trial["delay_s"], trial["go_s"]) == pytest.approx((11.41, 13.01, 15.0))
    assert trial["bitcode_start_s"] is None
    events = [event for event in rows(tables["trial_events"]) if event["trial"] == 2]
    assert [event["event_id"] for event in events] == list(range(8))
    names = ["presample", "sample", "sample", "delay", "delay", "go", "go", "trialend"]
    assert [event["event"] for event in events] == names
    starts = [10.5, 10.93, 11.41, 12.61, 13.01, 14.21, 15.0, 16.5]
    durations = [0.43, 0.47, 1.2, 0.39, 1.2, 0.05, 0.05, 0.25]
    assert [event["start_s"] for event in events] == pytest.approx(starts)
    assert [event["duration_s"] for event in events] == pytest.approx(durations)


def test_a_state_that_was_never_visited_gives_no_event_and_no_time(rig) -> None:
    states = rig.without("SamplePeriod", "DelayPeriod", "ResponseCue", "Reward")
    tables = rig.read([rig.trial(states=states)])
    trial = only(tables["trials"])
    assert (trial["sample_s"], trial["delay_s"], trial["go_s"]) == (None, None, None)
    assert (trial["n_samples"], trial["n_delays"], trial["n_go_cues"]) == (0, 0, 0)
    assert [event["event"] for event in rows(tables["trial_events"])] == ["presample", "trialend"]


def test_licks_of_both_ports_come_in_one_order_of_time(rig) -> None:
    tables = rig.read([rig.trial(left=[0.2, 3.9, 4.5], right=[3.8, 4.1]), rig.trial(left=[], right=[]), rig.trial()])
    licks = rows(tables["licks"])
    assert [(lick["trial"], lick["lick_id"], lick["port"]) for lick in licks] == [
        (1, 0, "left"),
        (1, 1, "right"),
        (1, 2, "left"),
        (1, 3, "right"),
        (1, 4, "left"),
        (3, 0, "right"),
    ]
    assert [lick["time_s"] for lick in licks] == pytest.approx([0.2, 3.8, 3.9, 4.1, 4.5, 23.8])


def test_the_last_trial_end_is_not_the_stop_but_the_first(rig) -> None:
    trial = rig.trial(states=[*rig.hit, ("TrialEnd", 9.0, 9.25)])
    assert only(rig.read([trial])["trials"])["stop_s"] == 6.83


SKIPS = {
    "no StopLicking in the list": (
        lambda rig: rig.trial(
            states=rig.without("StopLicking"), state_names=[s for s in rig.states if s != "StopLicking"]
        ),
        "the state machine has no StopLicking",
    ),
    "no protocol type": (lambda rig: rig.trial(ProtocolType=None), "its GUI settings have no ProtocolType"),
    "no autowater": (lambda rig: rig.trial(Autowater=None), "its GUI settings have no Autowater"),
    "habituation": (lambda rig: rig.trial(ProtocolType=2), "ProtocolType 2 (Licking) is not the task"),
    "no presample": (lambda rig: rig.trial(states=rig.without("PreSamplePeriod")), "PreSamplePeriod was never visited"),
    "no end": (lambda rig: rig.trial(states=rig.without("TrialEnd")), "TrialEnd was never visited"),
    "unknown type": (lambda rig: rig.trial(trial_type=2), "trial type 2 with Reversal 1 is no known instruction"),
    "unknown reversal": (lambda rig: rig.trial(Reversal=3), "trial type 0 with Reversal 3 is no known instruction"),
    "unknown light": (
        lambda rig: rig.trial(stim=9),
        "it was stimulated by code 9, which delay_response.toml version 1 does not know",
    ),
    "no start": (lambda rig: rig.trial(start_s=np.nan), "it has no TrialStartTimestamp"),
    "not left": (
        lambda rig: rig.trial(states=[*rig.without("TrialEnd"), ("TrialEnd", 6.83, np.nan)]),
        "TrialEnd was entered and never left",
    ),
}


@pytest.mark.parametrize("case", SKIPS)
def test_a_trial_that_is_not_kept_is_listed_with_the_reason(rig, case) -> None:
    bend, reason = SKIPS[case]
    tables = rig.read([rig.trial(), bend(rig), rig.trial()])
    start_s = None if case == "no start" else 10.0
    assert only(tables["skipped_trials"]) == {
        "session": rig.session,
        "trial": 2,
        "start_s": start_s,
        "reason": reason,
        "was_run": True,
    }
    assert tables["trials"]["until_s"].to_pylist() == pytest.approx([start_s or 20.0, 26.83])
    assert tables["trials"]["trial"].to_pylist() == [1, 3]
    assert set(tables["trial_events"]["trial"].to_pylist()) == {1, 3}
    assert set(tables["licks"]["trial"].to_pylist()) == {1, 3}
    assert only(tables["behavior_file"])["n_trials"] == 3


def test_a_trial_whose_two_records_disagree_is_skipped(rig) -> None:
    data = rig.trial()
    raw = rig.session_data([data])["RawData"]
    raw["OriginalStateData"] = rig.cell([raw["OriginalStateData"][0, 0][:, :-1]])
    raw["OriginalStateTimestamps"] = rig.cell([raw["OriginalStateTimestamps"][0, 0][:, :-1]])
    tables = rig.read([data], RawData=raw)
    assert tables["trials"].num_rows == 0
    assert (
        only(tables["skipped_trials"])["reason"] == "TrialEnd was visited 0 times by RawData and 1 times by RawEvents"
    )
    raw["OriginalStateTimestamps"] = rig.cell([raw["OriginalStateTimestamps"][0, 0][:, :-1]])
    reason = only(rig.read([data], RawData=raw)["skipped_trials"])["reason"]
    assert reason == "12 states were visited and 12 times written; one more time than states"


def test_names_of_settings_are_the_files_own_where_it_has_them(rig) -> None:
    meta = {
        "ProtocolType": {
            "Style": "popupmenu",
            "String": rig.cell(["Calib", "Licking", "Auto_step1", "No", "Own_step3"]),
        },
        "Autolearn": {"Style": "popupmenu", "String": rig.cell(["On", "Off"])},
    }
    gui = rig.trial()["gui"]
    settings_array = np.empty((1, 1), [("GUI", object), ("GUIMeta", object)])
    settings_array[0, 0] = (gui, meta)
    trial = only(rig.read([rig.trial()], TrialSettings=settings_array)["trials"])
    assert trial["protocol_type"] == "Own"
    assert trial["autolearn"] == "antiBias"


def test_a_setting_beyond_the_known_names_keeps_its_number(rig) -> None:
    trial = only(rig.read([rig.trial(ProtocolType=12, Autolearn=None, randomID="")])["trials"])
    assert (trial["protocol_type"], trial["autolearn"], trial["bitcode"]) == ("12", None, None)


def test_the_bitcode_is_the_trials_own_and_not_the_stale_one(rig) -> None:
    tables = rig.read([rig.trial(randomID="0001"), rig.trial(randomID="1000")])
    assert tables["trials"]["bitcode"].to_pylist() == ["0001", "1000"]


visit_times = st.lists(st.floats(0.01, 2.0), min_size=1, max_size=5)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(visit_times, visit_times, st.lists(st.floats(0.0, 6.0), max_size=6)), min_size=1, max_size=4))
def test_every_visit_and_lick_written_is_read_back(rig, plan) -> None:
    trials, n_events, n_licks = [], 0, 0
    for samples, goes, licks in plan:
        now, states = 0.51, [("TrigTrialStart", 0.0, 0.5), ("PreSamplePeriod", 0.5, 0.51)]
        for name, lengths in (("SamplePeriod", samples), ("ResponseCue", goes), ("TrialEnd", [0.25])):
            for length in lengths:
                states.append((name, now, now + length))
                now += length
        trials.append(rig.trial(states=states, left=sorted(licks), right=[]))
        n_events += len(samples) + len(goes) + 2
        n_licks += len(licks)
    tables = rig.read(trials)
    assert tables["trial_events"].num_rows == n_events
    assert tables["licks"].num_rows == n_licks
    kept = rows(tables["trials"])
    assert [trial["n_samples"] for trial in kept] == [len(samples) for samples, _, _ in plan]
    for trial, written in zip(kept, trials, strict=True):
        last_go = [entry for name, entry, _ in written["states"] if name == "ResponseCue"][-1]
        assert trial["go_s"] == pytest.approx(trial["start_s"] + last_go)
