"""Files that are damaged, of another format or task, or that contradict themselves: one clear sentence each."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from map_assets.behavior import read
from map_assets.behavior.formats.delay_response import DelayResponse
from map_assets.behavior.read import read_behavior
from map_assets.vocabulary.errors import (
    BadInput,
    ChangedWhileRead,
    NoFormatRecognizes,
    PiecesDoNotFit,
    TwoFormatsRecognize,
    UnreadableFile,
)


def refused(rig, content: bytes, error: type[BadInput] = UnreadableFile) -> str:
    name = "dl25_tw2_20180225_102508.mat"
    (rig.folder / name).write_bytes(content)
    with pytest.raises(error) as caught:
        read_behavior(rig.session, rig.found(name))
    assert name in str(caught.value)
    return str(caught.value)


def test_an_empty_file_says_so(rig) -> None:
    assert "it is empty" in refused(rig, b"")


@pytest.mark.parametrize("content", [b"trial,time\n1,2\n", b"\0" * 400, bytes(range(256)) * 4])
def test_a_file_of_another_kind_says_so(rig, content) -> None:
    assert "it is no MATLAB 5 to 7 file" in refused(rig, content)


def test_a_matlab_73_file_without_a_session_is_refused(rig) -> None:
    import h5py

    path = rig.folder / "new.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["SessionData"] = 1
    header = b"MATLAB 7.3 MAT-file, Platform: PCWIN64".ljust(124) + b"\x00\x02IM"
    whole = header + path.read_bytes()[len(header) :]
    assert "variables SessionData; no struct SessionData" in refused(rig, whole, NoFormatRecognizes)
    for cut in range(521, len(whole), len(whole) // 20):
        assert "it is truncated or damaged" in refused(rig, whole[:cut])


@pytest.mark.parametrize("compressed", [True, False])
def test_a_file_cut_anywhere_is_refused(rig, compressed) -> None:
    whole = rig.write([rig.trial() for _ in range(3)], compressed=compressed).path.read_bytes()
    assert "it is truncated or damaged (it holds no variable)" in refused(rig, whole[:128])
    for cut in {*range(1, 140, 13), *range(129, len(whole), len(whole) // 60), len(whole) - 1, len(whole) - 9}:
        refused(rig, whole[:cut])


def test_a_file_whose_tail_was_never_written_is_refused(rig) -> None:
    whole = rig.write([rig.trial() for _ in range(3)]).path.read_bytes()
    kept = len(whole) * 2 // 3
    refused(rig, whole[:kept] + bytes(len(whole) - kept))


@pytest.mark.parametrize("compressed", [True, False])
def test_damage_is_refused_or_harmless_and_never_ends_the_process(rig, compressed) -> None:
    """Some bytes carry no structure (a time, a setting); all others must be noticed."""
    whole = rig.write([rig.trial() for _ in range(2)], compressed=compressed).path.read_bytes()
    name = "dl25_tw2_20180225_102508.mat"
    rng = random.Random(20180225)
    n_refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(rng.choice([1, 3, 30])):
            damaged[rng.randrange(128, len(damaged))] = rng.randrange(256)
        (rig.folder / name).write_bytes(damaged)
        try:
            read_behavior(rig.session, rig.found(name))
        except BadInput:
            n_refused += 1
    assert n_refused > (140 if compressed else 60)


def test_a_file_that_grows_while_it_is_read_is_refused(rig, monkeypatch) -> None:
    file = rig.write([rig.trial()])
    read_bytes = Path.read_bytes

    def and_then_it_grows(path: Path) -> bytes:
        content = read_bytes(path)
        with path.open("ab") as stream:
            stream.write(b"more")
        return content

    monkeypatch.setattr(Path, "read_bytes", and_then_it_grows)
    with pytest.raises(ChangedWhileRead):
        read_behavior(rig.session, file)


def test_a_file_that_is_gone_is_refused(rig) -> None:
    file = rig.write([rig.trial()])
    file.path.unlink()
    with pytest.raises(UnreadableFile, match="cannot be reached"):
        read_behavior(rig.session, file)


def test_targets_without_a_sample_and_a_delay_are_another_task(rig) -> None:
    gui = {"X_center": 1.0, "Y_center": 2.0, "Z_center": 3.0, "ProtocolType": 1}
    file = rig.write([rig.trial(states=rig.hit)], SettingsFile={"GUI": gui})
    with pytest.raises(UnreadableFile, match=r"SessionData\.TrialBlockOrder is missing"):
        read_behavior(rig.session, file)


def test_targets_beside_a_sample_and_a_delay_are_still_this_task(rig) -> None:
    gui = {"X_center": 1, "Y_center": 2, "Z_center": 3, "SamplePeriod": 1.2, "DelayPeriod": 1.2}
    assert rig.read([rig.trial()], SettingsFile={"GUI": gui})["trials"].num_rows == 1


def test_settings_without_periods_are_this_task_by_their_states(rig) -> None:
    tables = rig.read([rig.trial()], SettingsFile={"GUI": {"WaterValveTime": 0.03}})
    assert tables["trials"].num_rows == 1


def test_a_file_without_session_data_lists_what_it_holds(rig) -> None:
    file = rig.save({"bitcode": np.eye(2), "bitCodeS": "0110"})
    with pytest.raises(NoFormatRecognizes, match="variables bitcode, bitCodeS; no struct SessionData"):
        read_behavior(rig.session, file)


def test_session_data_of_an_unknown_task_lists_its_settings(rig) -> None:
    file = rig.save({"SessionData": {"SettingsFile": {"GUI": {"Odor": 1, "Reward": 2}}}})
    with pytest.raises(NoFormatRecognizes, match="GUI settings Odor, Reward"):
        read_behavior(rig.session, file)


def test_two_formats_that_claim_a_file_are_named(rig, monkeypatch) -> None:
    class Greedy(DelayResponse):
        name = "greedy"

    monkeypatch.setattr(read, "FORMATS", (*read.FORMATS, Greedy()))
    with pytest.raises(TwoFormatsRecognize, match="delay_response, greedy"):
        read_behavior(rig.session, rig.write([rig.trial()]))


def test_fields_of_different_lengths_are_refused_with_the_lengths(rig) -> None:
    file = rig.write([rig.trial() for _ in range(3)], TrialTypes=np.array([[0, 1]]))
    with pytest.raises(PiecesDoNotFit, match=r"TrialStartTimestamp 3, TrialTypes 2, TrialSettings 3") as caught:
        read_behavior(rig.session, file)
    assert "RawEvents.Trial 3" in str(caught.value)
    for field, value in {"nTrials": 4, "StimTrials": np.zeros((1, 2)), "FreeTrials": np.zeros((1, 5))}.items():
        with pytest.raises(PiecesDoNotFit, match=f"{field} {4 if field == 'nTrials' else value.size}"):
            rig.read([rig.trial() for _ in range(3)], **{field: value})


def test_a_file_without_trials_is_refused(rig) -> None:
    empty = rig.cell([])
    raw = {
        f"Original{name}": empty
        for name in ("StateNamesByNumber", "StateData", "StateTimestamps", "EventData", "EventTimestamps")
    }
    nothing = np.zeros((1, 0))
    file = rig.write(
        [rig.trial()],
        nTrials=0,
        TrialTypes=nothing,
        StimTrials=nothing,
        FreeTrials=nothing,
        MATLABStartTimes=None,
        TrialStartTimestamp=nothing,
        TrialSettings=empty,
        RawEvents={"Trial": empty},
        RawData=raw,
    )
    with pytest.raises(PiecesDoNotFit, match="it holds no trial"):
        read_behavior(rig.session, file)


def test_a_missing_field_is_named(rig) -> None:
    with pytest.raises(UnreadableFile, match=r"SessionData\.TrialStartTimestamp is missing"):
        rig.read([rig.trial()], TrialStartTimestamp=None, MATLABStartTimes=None)


def test_text_where_numbers_should_be_is_named(rig) -> None:
    with pytest.raises(UnreadableFile, match=r"SessionData\.TrialTypes holds text; expected numbers"):
        rig.read([rig.trial()], TrialTypes="left")
    with pytest.raises(UnreadableFile, match=r"RawEvents\.Trial holds numbers; expected structs"):
        rig.read([rig.trial()], RawEvents={"Trial": np.ones((1, 3))})
    with pytest.raises(UnreadableFile, match=r"ProtocolType holds 2 numbers; expected one"):
        rig.read([rig.trial(ProtocolType=np.array([[5, 6]]))])


def test_times_that_do_not_come_in_pairs_are_named(rig) -> None:
    trial = {"States": {"SamplePeriod": np.array([[1.0, 2.0, 3.0]])}, "Events": {}}
    states = dict.fromkeys(rig.states, np.array([[np.nan, np.nan]]))
    trial["States"] = {**states, **trial["States"]}
    with pytest.raises(UnreadableFile, match=r"States\.SamplePeriod holds 3 times"):
        rig.read([rig.trial()], RawEvents={"Trial": rig.cell([trial])})


def test_a_first_trial_without_a_start_is_refused(rig) -> None:
    with pytest.raises(PiecesDoNotFit, match="trial 1 has no TrialStartTimestamp"):
        rig.read([rig.trial(), rig.trial()], TrialStartTimestamp=np.array([[np.nan, 3.0]]), MATLABStartTimes=None)
