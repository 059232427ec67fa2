"""A Bpod file tells each trial twice, by name and as raw codes: where the two differ in any value, the trial is not kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from map_assets.behavior.read import read_behavior
from map_assets.vocabulary.errors import PiecesDoNotFit

Data = dict[str, Any]
AT = "was visited at other times by RawEvents than by RawData"


def trials(rig) -> list[Data]:
    licks = {"left": (1.0, 2.0), "right": (3.8, 3.9)}
    return [rig.trial(**licks), rig.trial(**licks), rig.trial(left=(0.7,), right=(3.6, 3.7, 5.0))]


def states(data: Data, trial: int) -> Data:
    return data["RawEvents"]["Trial"][0, trial]["States"]


def events(data: Data, trial: int) -> Data:
    return data["RawEvents"]["Trial"][0, trial]["Events"]


def raw(data: Data, field: str, trial: int, change: Callable[[np.ndarray], None]) -> None:
    cells = data["RawData"][field]
    cells[0, trial] = cells[0, trial].astype(float)
    change(cells[0, trial])


def swap(fields: Data, one: str, other: str) -> None:
    fields[one], fields[other] = fields[other], fields[one]


DAMAGES = {
    "a state entered at another time": (lambda d: states(d, 1).update(ResponseCue=np.array([[2.5, 2.55]])), AT),
    "a state left at another time": (lambda d: states(d, 1).update(DelayPeriod=np.array([[2.13, 3.34]])), AT),
    "a state left before it was entered": (lambda d: states(d, 1).update(DelayPeriod=np.array([[3.33, 2.13]])), AT),
    "a state that nobody reads but for whether it was visited": (
        lambda d: states(d, 1).update(Reward=np.array([[3.9, 3.93]])),
        AT,
    ),
    "raw times of states shifted": (lambda d: raw(d, "OriginalStateTimestamps", 1, lambda x: np.add(x, 7, x)), AT),
    "raw times of states falling": (
        lambda d: raw(d, "OriginalStateTimestamps", 1, lambda x: x.__setitem__((0, 1), 99.0)),
        "a state was left before it was entered",
    ),
    "a lick at another time": (
        lambda d: events(d, 1).update(Port1In=np.array([[1.0, 2.001]])),
        "Port1In happened at other times by RawEvents than by RawData",
    ),
    "a lick without a time": (
        lambda d: events(d, 1).update(Port1In=np.array([[np.nan, 2.0]])),
        "Port1In happened at other times by RawEvents than by RawData",
    ),
    "ports that are confounded": (
        lambda d: swap(events(d, 1), "Port1In", "Port2In"),
        "Port1In happened at other times by RawEvents than by RawData",
    ),
    "codes that are confounded": (
        lambda d: raw(d, "OriginalEventData", 1, lambda x: np.copyto(x, 140 - x)),
        "Port1In happened at other times by RawEvents than by RawData",
    ),
    "a port under another name": (
        lambda d: events(d, 1).update(Port7In=events(d, 1).pop("Port1In")),
        "Port7In happened at other times by RawEvents than by RawData",
    ),
    "the record of another trial": (
        lambda d: d["RawEvents"]["Trial"].__setitem__((0, 1), d["RawEvents"]["Trial"][0, 2]),
        "4 events happened by RawData and 4 by RawEvents",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_trial_whose_two_records_differ_is_skipped_and_no_other(rig, damage) -> None:
    change, reason = DAMAGES[damage]
    whole = rig.read(trials(rig))
    data = rig.session_data(trials(rig))
    change(data)
    tables = read_behavior(rig.session, rig.save({"SessionData": data}))
    (skipped,) = tables["skipped_trials"].to_pylist()
    assert skipped["trial"] == 2
    if damage != "the record of another trial":
        assert reason in skipped["reason"]
    for name in ("trials", "trial_events", "licks"):
        expected = [row for row in whole[name].to_pylist() if row["trial"] != 2]
        assert tables[name].to_pylist() == expected


def test_times_within_a_tick_of_the_bpod_clock_are_one_time(rig) -> None:
    data = rig.session_data(trials(rig))
    events(data, 1)["Port1In"] = np.array([[1.0001, 2.0]])
    states(data, 1)["DelayPeriod"] = np.array([[2.13, 3.3301]])
    assert read_behavior(rig.session, rig.save({"SessionData": data}))["skipped_trials"].num_rows == 0


def test_a_port_that_is_licked_in_one_trial_alone_is_known_by_that(rig) -> None:
    tables = rig.read([rig.trial(right=()), rig.trial(left=(1.0,), right=(2.0,)), rig.trial(right=())])
    assert [row["port"] for row in tables["licks"].to_pylist()] == ["left", "right"]


@pytest.mark.parametrize("written", ["01x0", "zero", np.array([[0, 1, 1, 0]])])
def test_what_is_no_code_is_none(rig, written) -> None:
    assert rig.read([rig.trial(randomID=written)])["trials"]["bitcode"].to_pylist() == [None]


@pytest.mark.parametrize("autolearn", [None, np.nan])
def test_a_code_of_light_is_not_read_as_none_where_autolearn_is_unknown(rig, autolearn) -> None:
    tables = rig.read([rig.trial(stim=4, Autolearn=autolearn), rig.trial(Autolearn=autolearn)])
    (skipped,) = tables["skipped_trials"].to_pylist()
    assert skipped["trial"] == 1
    assert "unknown whether it was stimulated" in skipped["reason"]
    assert tables["trials"]["photostim_site"].to_pylist() == [None]


def test_a_trial_that_two_clocks_place_a_minute_apart_is_skipped(rig) -> None:
    data = rig.session_data([rig.trial() for _ in range(5)])
    data["TrialStartTimestamp"][0, 2] += 70.0
    tables = read_behavior(rig.session, rig.save({"SessionData": data}))
    (skipped,) = tables["skipped_trials"].to_pylist()
    assert (skipped["trial"], skipped["reason"]) == (
        3,
        "its TrialStartTimestamp and MATLABStartTimes are 70 s apart",
    )


def test_a_first_trial_that_two_clocks_place_apart_takes_the_file(rig) -> None:
    data = rig.session_data([rig.trial() for _ in range(5)])
    data["TrialStartTimestamp"][0, 0] -= 1000.0
    with pytest.raises(PiecesDoNotFit, match="the start of its first trial is 1000 s off"):
        read_behavior(rig.session, rig.save({"SessionData": data}))
