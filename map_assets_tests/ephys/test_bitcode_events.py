"""What bitcode files tell besides codes: units, zero of the times, names, counts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.ephys.bitcode import read_bitcode
from map_assets.ephys.bitcode_events import RigRecord, read_rig_record
from map_assets.ephys.instants import Instants, place_instants
from map_assets.ephys.recordings import read_recordings
from map_assets.ephys.rig_tables import every_file_told_its_events
from map_assets.vocabulary.errors import BadInput, PiecesDoNotFit

RATE_HZ = 30000.25
START_S = np.array([12.5, 20.25, 31.0, 38.5])
N = len(START_S)
CODES = ["1010", "0110", "0011", "1100"]
HEADINGS = ["bitcodestart", "go", "choice", "choice", "reward", "trialend", "bpodstart", "zaberready"]
MARKERS = START_S[:, None] + np.array([0, 2.0, 2.25, np.nan, 2.5, 5.0, -0.5, 0.75])
MARKERS[1, 2:4] = np.nan, START_S[1] + 2.125
FRAMES = [[start - 0.4 + np.arange(9) / 2 + camera / 10 for start in START_S] for camera in range(2)]


def cell(items: list[Any]) -> np.ndarray:
    made = np.empty((1, len(items)), object)
    made[0, :] = items
    return made


def whole(**changes: Any) -> dict[str, Any]:
    """A rig's variables; a change of None leaves one out."""
    variables = {
        "sTrig": START_S,
        "digMarkerPerTrial": MARKERS,
        "headings": cell(HEADINGS),
        "zaberPerTrial": cell([START_S[:1, None] + 0.75, *[np.empty((0, 1))] * 3]),
        "lickLPerTrial": cell([start + np.array([[2.25], [2.5]]) for start in START_S]),
        "lickRPerTrial": cell([np.empty((0, 0))] * N),
        "lickMPerTrial": np.empty((0, 0), object),
        "cameraPerTrial": cell([cell([times[:, None] for times in camera]) for camera in FRAMES]),
        "chan": {"cameras": [[5.0, 6.0]], "cameraNameInDJ": cell(["Camera 1", "Camera 0"])},
        **changes,
    }
    return {name: value for name, value in variables.items() if value is not None}


def read(make: SimpleNamespace, folder: Path, codes: list[str] = CODES, **changes: Any) -> RigRecord:
    path = make.write_bitcode(folder / "a_bitcode.mat", codes, **whole(**changes))
    seen = read_bitcode(path, RATE_HZ)
    return read_rig_record(path, seen.start_probe_s, seen.trial_written, RATE_HZ)


def named(record: RigRecord, name: str, port: str | None = None) -> Instants:
    (one,) = (one for one in record.events if (one.name, one.port) == (name, port))
    return one


def assert_whole(record: RigRecord) -> None:
    names = ["bitcodestart", "go", "reward", "trialend", "bpodstart", "zaberready"]
    for name, column in zip(names, MARKERS[:, [0, 1, 4, 5, 6, 7]].T, strict=True):
        np.testing.assert_allclose(named(record, name).at, column, atol=1e-4)
    np.testing.assert_allclose(named(record, "choice", "left").at, MARKERS[:, 2], atol=1e-4)
    np.testing.assert_allclose(named(record, "choice", "right").at, MARKERS[:, 3], atol=1e-4)
    np.testing.assert_allclose(named(record, "lick", "left").at, np.ravel(START_S[:, None] + [2.25, 2.5]), atol=1e-4)
    assert named(record, "lick", "left").place.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert len(named(record, "lick", "right").at) == 0
    assert named(record, "zaberstep").place.tolist() == [0]
    assert [camera.name for camera in record.cameras] == ["Camera 1", "Camera 0"]
    for camera, times in zip(record.cameras, FRAMES, strict=True):
        np.testing.assert_allclose(camera.at, np.concatenate(times), atol=1e-4)


def in_samples(value: Any) -> Any:
    """The same variable in samples of the probe."""
    if value.dtype == object:
        return cell([in_samples(one) for one in value[0]])
    return np.round(value * RATE_HZ)


TIMES = [name for name in whole() if name.endswith("PerTrial") and name != "lickMPerTrial"]


def test_every_variable_comes_back_under_its_own_name(make: SimpleNamespace, tmp_path: Path) -> None:
    assert_whole(read(make, tmp_path))


def test_samples_are_told_from_seconds_where_the_starts_count_samples(make: SimpleNamespace, tmp_path: Path) -> None:
    samples = {"sTrig": np.round(START_S * RATE_HZ)}
    assert_whole(read(make, tmp_path, **samples))
    samples |= {name: in_samples(whole()[name]) for name in TIMES}
    assert_whole(read(make, tmp_path, **samples))


def test_times_since_the_trials_start_are_told_from_times_of_the_stream(make: SimpleNamespace, tmp_path: Path) -> None:
    def since(value: Any) -> Any:
        return cell([times - start for times, start in zip(value[0], START_S, strict=True)])

    relative = {name: since(whole()[name]) for name in TIMES if name not in {"digMarkerPerTrial", "cameraPerTrial"}}
    relative["digMarkerPerTrial"] = MARKERS - START_S[:, None]
    relative["cameraPerTrial"] = cell([since(camera) for camera in whole()["cameraPerTrial"][0]])
    assert_whole(read(make, tmp_path, **relative))


def test_a_mixture_of_both_is_not_guessed(make: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(PiecesDoNotFit, match=r"lick of trial 1 in the stream, at 2\.25, is not in that trial"):
        read(make, tmp_path, lickLPerTrial=cell([np.array([[2.25]])] * N))


def test_events_of_the_neighbouring_trial_are_refused(make: SimpleNamespace, tmp_path: Path) -> None:
    for shift in (1, -1):
        with pytest.raises(PiecesDoNotFit, match="is not in that trial"):
            read(make, tmp_path, digMarkerPerTrial=np.roll(MARKERS, shift, axis=0))
        with pytest.raises(PiecesDoNotFit, match="Camera 1 of trial"):
            frames = cell([cell(np.roll(np.array(camera), shift, axis=0)[..., None].tolist()) for camera in FRAMES])
            read(make, tmp_path, digMarkerPerTrial=None, zaberPerTrial=None, lickLPerTrial=None, cameraPerTrial=frames)


def test_headings_of_the_rigs_own_words_mean_the_same(make: SimpleNamespace, tmp_path: Path) -> None:
    ours = ["STRIG_", "GOCUE", "CHOICEL_", "choiceR", " Reward", "ITI", "BPOD_START_", "zaberinposition"]
    assert_whole(read(make, tmp_path, headings=cell(ours)))
    assert_whole(read(make, tmp_path, headings=None))


def test_unknown_headings_and_laser_pulses_are_kept(make: SimpleNamespace, tmp_path: Path) -> None:
    headings = [*HEADINGS[:4], "DoubleDip", *HEADINGS[5:]]
    pulses = cell([START_S[:1, None] + 3.0, *[np.empty((0, 1))] * 3])
    record = read(make, tmp_path, headings=cell(headings), laserLPerTrial=pulses)
    np.testing.assert_array_equal(named(record, "doubledip").at, MARKERS[:, 4])
    assert named(record, "laserleft").at.tolist() == [START_S[0] + 3.0]


def test_one_choice_column_or_three_tell_no_port(make: SimpleNamespace, tmp_path: Path) -> None:
    headings = [*HEADINGS[:4], "choice", *HEADINGS[5:]]
    record = read(make, tmp_path, headings=cell(headings))
    assert {one.port for one in record.events if one.name == "choice"} == {None}


def test_one_trial_and_one_camera_are_a_session_too(make: SimpleNamespace, tmp_path: Path) -> None:
    one = {name: whole()[name][:, :1] for name in ("zaberPerTrial", "lickLPerTrial", "lickRPerTrial")}
    one |= {"sTrig": START_S[:1], "digMarkerPerTrial": MARKERS[:1], "chan": {"cameraNameInDJ": "Camera 3"}}
    record = read(make, tmp_path, CODES[:1], **one, cameraPerTrial=cell([cell([FRAMES[0][0]])]))
    assert named(record, "go").at.tolist() == [14.5]
    (camera,) = record.cameras
    assert (camera.name, camera.at.tolist()) == ("Camera 3", FRAMES[0][0].tolist())


def test_cells_that_a_script_left_uncut_are_cut_where_it_kept_the_first_trials(
    make: SimpleNamespace, tmp_path: Path
) -> None:
    kept = {"sTrig": START_S[:3], "digMarkerPerTrial": MARKERS[:3], "bitcode": np.array([[1.0, 0.0, 0.0]])}
    record = read(make, tmp_path, CODES[:3], **kept, trialNum=[1.0, 2.0, 3.0])
    assert named(record, "lick", "left").place.tolist() == [0, 0, 1, 1, 2, 2]
    for others in ({}, {"trialNum": [2.0, 3.0, 4.0]}):
        with pytest.raises(PiecesDoNotFit, match="4 cells of zaberPerTrial for 3 codes"):
            read(make, tmp_path, CODES[:3], **kept, **others)


def test_a_vector_of_other_bits_than_the_codes_first_disagrees(make: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(PiecesDoNotFit, match="disagree"):
        read_bitcode(make.write_bitcode(tmp_path / "a_bitcode.mat", CODES, bitcode=np.array([[1.0, 0, 0, 0]])))


def test_the_real_file_tells_codes_alone(shared_data: Path) -> None:
    assert read_rig_record(shared_data / "map/dl25_bitcode.mat", np.full(10, np.nan), [None] * 10) == RigRecord((), ())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"digMarkerPerTrial": MARKERS[:3]}, "3 rows of digMarkerPerTrial for 4 codes"),
        ({"digMarkerPerTrial": np.array(CODES)}, "digMarkerPerTrial is not numeric"),
        ({"headings": cell(HEADINGS[:7])}, "7 headings for 8 columns"),
        ({"headings": cell([*HEADINGS[:7], ""])}, "8 headings for 8 columns"),
        ({"headings": np.arange(8.0)}, "headings is not text"),
        ({"headings": None, "digMarkerPerTrial": MARKERS[:, :5]}, "5 columns and no headings"),
        ({"lickLPerTrial": cell([START_S[:1]] * 3)}, "3 cells of lickLPerTrial for 4 codes"),
        ({"lickLPerTrial": START_S}, "0 cells of lickLPerTrial for 4 codes"),
        ({"lickLPerTrial": cell(["a", "b", "c", "d"])}, "lickLPerTrial holds something else than numbers"),
        ({"cameraPerTrial": START_S}, "cameraPerTrial is no cell"),
        ({"chan": None}, "2 cameras, and chan.cameraNameInDJ names 0"),
        ({"chan": {"cameraNameInDJ": cell(["Camera 0", "Camera 0"])}}, "2 cameras, and chan.cameraNameInDJ names 1"),
        ({"cameraPerTrial": cell([cell([t[::-1] for t in one]) for one in FRAMES])}, "frames of Camera 1 do not rise"),
        ({"cameraPerTrial": cell([cell(one[:3]) for one in FRAMES])}, "3 cells of cameraPerTrial of Cam"),
        ({"sTrig": None}, "no trial's start"),
        (dict.fromkeys(TIMES) | {"digMarkerPerTrial": MARKERS * 0}, "times are zero"),
        ({"digMarkerPerTrial": -MARKERS}, "bitcodestart of trial 1"),
        ({"digMarkerPerTrial": np.where(np.isclose(MARKERS, 14.5), np.inf, MARKERS)}, "go of trial 1"),
        ({"digMarkerPerTrial": MARKERS + 0.1}, "bitcodestart of trial 1"),
    ],
)
def test_pieces_that_do_not_fit_are_said(
    make: SimpleNamespace, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(PiecesDoNotFit, match=words):
        read(make, tmp_path, **changes)


def test_a_file_whose_events_cannot_be_used_keeps_its_codes_and_says_why(make: SimpleNamespace, tmp_path: Path) -> None:
    for probe, changes in ((1, {"chan": None}), (2, {})):
        make.write_bitcode(
            tmp_path / f"r/r_imec{probe - 1}/SC022_imec{probe - 1}_bitcode.mat", CODES, **whole(**changes)
        )
    tables, rejected = read_recordings(make.session, make.found_all(tmp_path, "bitcode"))
    assert rejected == ()
    assert tables["ephys_trials"]["probe"].to_pylist() == [1] * N + [2] * N
    assert set(tables["ephys_events"]["probe"].to_pylist()) == set(tables["ephys_frames"]["probe"].to_pylist()) == {2}
    verdict = every_file_told_its_events(tables["ephys_trials"])
    assert not verdict.passed
    assert "SC022_imec0_bitcode.mat: cameraPerTrial has 2 cameras" in verdict.description
    rows = tables["ephys_events"].filter(tables["ephys_events"]["ephys_trial"].to_numpy() == 1).to_pylist()
    assert [row["event_id"] for row in rows] == list(range(10))
    assert [row["event"] for row in rows[:4]] == ["bpodstart", "bitcodestart", "zaberready", "zaberstep"]
    assert rows[5] | {"session": ""} == {
        **rows[4],
        "session": "",
        "event_id": 5,
        "event": "choice",
        "port": "left",
        "time_probe_s": 14.75,
    }
    frames = {(row["camera"], row["ephys_trial"]): row["frame_probe_s"] for row in tables["ephys_frames"].to_pylist()}
    assert frames["Camera 0", 3] == FRAMES[1][2].tolist()
    assert len(frames) == 2 * N


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_whatever_is_unknown_instants_come_back_as_they_were(data: st.DataObject) -> None:
    n = data.draw(st.integers(3, 8))
    steps = data.draw(st.lists(st.floats(5.0, 90.0), min_size=n, max_size=n))
    start_s = 200.0 + np.cumsum(steps)
    place = np.sort(data.draw(st.lists(st.integers(0, n - 1), min_size=3, max_size=20)))
    share = np.array(data.draw(st.lists(st.floats(0.001, 0.9), min_size=len(place), max_size=len(place))))
    at_s = start_s[place] + share * 5.0
    scale = data.draw(st.sampled_from([1.0, 1 / RATE_HZ]))
    is_relative = data.draw(st.booleans())
    told = Instants("lick", "left", place, (at_s - start_s[place] * is_relative) / scale)
    known_s = start_s.copy()
    if not is_relative:
        known_s[list(data.draw(st.sets(st.integers(0, n - 1), max_size=n - 1)))] = np.nan
    placed, _ = place_instants([told], known_s, [scale], 14400.0)
    assert placed is not None
    np.testing.assert_allclose(placed[0].at, at_s, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(place=st.integers(126, 4000), bit=st.integers(0, 7))
def test_no_flipped_bit_does_more_than_make_the_file_unusable(
    make: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
) -> None:
    folder = tmp_path_factory.mktemp("flipped")
    path = make.write_bitcode(folder / "a_bitcode.mat", CODES, **whole())
    flipped = bytearray(path.read_bytes())
    flipped[place % len(flipped)] ^= 1 << bit
    path.write_bytes(flipped)
    try:
        record = read_rig_record(path, START_S, [None] * N, RATE_HZ)
    except BadInput as error:
        assert error.path == path
    else:
        assert all(len(one.place) == len(one.at) for one in (*record.events, *record.cameras))
