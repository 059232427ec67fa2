"""Bitcode files: codes, times in samples or seconds, go cues that belong to their own trials."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.ephys.bitcode import assign_go_cues, counts_samples, read_bitcode
from map_assets.vocabulary.errors import BadInput, CompanionMissing, PiecesDoNotFit, UnreadableFile

CODES = ["1010", "0110", "0011", "1100"]
START_S = np.array([5.0, 11.25, 17.5, 25.0])
GO_S = START_S + 2.75
RATE_HZ = 30000.0


def test_the_real_file_has_ten_codes_and_no_times(shared_data: Path) -> None:
    found = read_bitcode(shared_data / "map/dl25_bitcode.mat")
    assert len(found.codes) == 10
    assert found.codes[0] == "1111100101111011"
    assert found.codes[9] == "1111000001001100"
    assert np.isnan(found.start_probe_s).all()
    assert np.isnan(found.go_probe_s).all()
    assert found.trial_written == [None] * 10


@pytest.mark.parametrize(
    ("start", "go"),
    [
        (START_S, GO_S),
        (START_S * RATE_HZ, GO_S * RATE_HZ),
        ((START_S * RATE_HZ).astype(np.uint32), (GO_S * RATE_HZ).astype(np.uint32)),
        ((START_S * RATE_HZ).astype(np.int32)[:, None], (GO_S * RATE_HZ).astype(np.float64)[None]),
        (START_S * RATE_HZ + 1e-7, GO_S * RATE_HZ),
    ],
    ids=["seconds", "samples", "unsigned samples", "column and row", "interpolated samples"],
)
def test_seconds_and_samples_of_every_class_give_the_same_seconds(
    make: SimpleNamespace, tmp_path: Path, start: Any, go: Any
) -> None:
    found = read_bitcode(make.write_bitcode(tmp_path / "a_bitcode.mat", CODES, sTrig=start, goCue=go), RATE_HZ)
    np.testing.assert_allclose(found.start_probe_s, START_S, atol=1e-9)
    np.testing.assert_allclose(found.go_probe_s, GO_S, atol=1e-9)


@pytest.mark.parametrize("name", ["sTrig", "goCue"])
@pytest.mark.parametrize("far_s", [864_001.0, 1e9, 1e11])
def test_a_time_beyond_ten_days_is_a_damaged_one(
    make: SimpleNamespace, tmp_path: Path, name: str, far_s: float
) -> None:
    times = {"sTrig": START_S, "goCue": GO_S}
    for scale in (1.0, RATE_HZ):
        damaged = {
            key: np.r_[values[:-1], far_s if key == name else values[-1]] * scale for key, values in times.items()
        }
        with pytest.raises(PiecesDoNotFit, match="beyond ten days"):
            read_bitcode(make.write_bitcode(tmp_path / "a_bitcode.mat", CODES, **damaged), RATE_HZ)


def test_whole_seconds_are_still_seconds(make: SimpleNamespace, tmp_path: Path) -> None:
    variables = {"sTrig": np.array([4, 10, 16, 22], np.uint8), "goCue": np.array([7.0, 13.0, np.nan, 25.0])}
    found = read_bitcode(make.write_bitcode(tmp_path / "a_bitcode.mat", CODES, **variables), RATE_HZ)
    assert found.start_probe_s.tolist() == [4.0, 10.0, 16.0, 22.0]
    np.testing.assert_array_equal(found.go_probe_s, [7.0, 13.0, np.nan, 25.0])


def test_a_nan_among_sample_times_does_not_make_them_seconds(make: SimpleNamespace, tmp_path: Path) -> None:
    go = np.where(np.arange(4) == 1, np.nan, GO_S * RATE_HZ)
    path = make.write_bitcode(tmp_path / "a_bitcode.mat", CODES, sTrig=START_S * RATE_HZ, goCue=go)
    np.testing.assert_allclose(read_bitcode(path, RATE_HZ).go_probe_s, [7.75, np.nan, 20.25, 27.75])


def test_a_nan_saved_as_an_integer_is_no_time(make: SimpleNamespace, tmp_path: Path) -> None:
    start, go = (START_S * RATE_HZ).astype(np.int32), (GO_S * RATE_HZ).astype(np.int32)
    start[2], go[1] = 0, np.iinfo(np.int32).min
    found = read_bitcode(make.write_bitcode(tmp_path / "a_bitcode.mat", CODES, sTrig=start, goCue=go), RATE_HZ)
    np.testing.assert_array_equal(np.isnan(found.start_probe_s), [False, False, True, False])
    np.testing.assert_allclose(found.go_probe_s[[0, 3]], [7.75, 27.75])
    assert np.isnan(found.go_probe_s[1])


def test_a_trial_of_which_neither_time_was_seen_has_none(make: SimpleNamespace, tmp_path: Path) -> None:
    start, go = (START_S * RATE_HZ).astype(np.int32), (GO_S * RATE_HZ).astype(np.int32)
    start[0] = go[0] = 0
    found = read_bitcode(make.write_bitcode(tmp_path / "a_bitcode.mat", CODES, sTrig=start, goCue=go), RATE_HZ)
    np.testing.assert_allclose(found.start_probe_s, [np.nan, *START_S[1:]])
    np.testing.assert_allclose(found.go_probe_s, [np.nan, *GO_S[1:]])


@pytest.mark.parametrize("missing", [0, 1, 2, 3])
def test_free_water_trials_have_no_go_cue_and_shift_none(make: SimpleNamespace, tmp_path: Path, missing: int) -> None:
    go = np.delete(GO_S, missing)
    found = read_bitcode(make.write_bitcode(tmp_path / "a_bitcode.mat", CODES, sTrig=START_S, goCue=go))
    expected = GO_S.copy()
    expected[missing] = np.nan
    np.testing.assert_array_equal(found.go_probe_s, expected)


def test_of_two_go_cues_in_a_trial_the_last_counts() -> None:
    go = np.array([1.0, 7.75, 9.0, 14.0, 20.25, 27.75])
    np.testing.assert_array_equal(assign_go_cues(START_S, go), [9.0, 14.0, 20.25, 27.75])


def test_as_many_go_cues_as_trials_do_not_hide_that_one_trial_has_two_and_one_none() -> None:
    go = np.array([7.75, 9.0, 20.25, 27.75])
    np.testing.assert_array_equal(assign_go_cues(START_S, go), [9.0, np.nan, 20.25, 27.75])


def test_a_go_cue_on_the_start_of_a_trial_belongs_to_it() -> None:
    np.testing.assert_array_equal(assign_go_cues(START_S, np.array([11.25])), [np.nan, 11.25, np.nan, np.nan])


def test_a_trial_before_one_of_unknown_start_keeps_no_uncertain_go_cue() -> None:
    start = np.array([5.0, np.nan, 17.5, 25.0])
    np.testing.assert_array_equal(assign_go_cues(start, np.array([14.0, 20.0])), [np.nan, np.nan, 20.0, np.nan])
    np.testing.assert_array_equal(assign_go_cues(start, GO_S), GO_S)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_every_go_cue_goes_to_the_trial_that_holds_it(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 12))
    start = np.cumsum(data.draw(st.lists(st.integers(20, 90), min_size=n, max_size=n))).astype(float)
    go = start + data.draw(st.lists(st.integers(1, 19), min_size=n, max_size=n))
    has_go = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    order = data.draw(st.permutations(range(int(has_go.sum()))))
    np.testing.assert_array_equal(assign_go_cues(start, go[has_go][list(order)]), np.where(has_go, go, np.nan))


@settings(max_examples=100, deadline=None)
@given(
    n=st.integers(1, 30),
    first_s=st.floats(1.0, 3600.0),
    gap_s=st.floats(1.0, 120.0),
    rate_hz=st.sampled_from([25000.0, 29999.941586, 30000.25, 32000.0]),
    is_whole=st.booleans(),
    holes=st.sets(st.integers(0, 29)),
)
def test_samples_and_seconds_are_told_apart_whatever_is_missing(
    n: int, first_s: float, gap_s: float, rate_hz: float, is_whole: bool, holes: set[int]
) -> None:
    start = first_s + gap_s * np.arange(n)
    go = start + gap_s / 3
    start[[hole for hole in holes if hole < n]] = np.nan
    samples = np.round(start * rate_hz), np.round(go * rate_hz)
    assert counts_samples(*samples)
    assert not counts_samples(*((np.round(start), np.round(go)) if is_whole and gap_s > 4 else (start, go)))


@pytest.mark.parametrize(
    ("time", "is_samples"), [(12.5, False), (12.0, False), (450000.0, True), (450000.5, False), (7200.0, False)]
)
def test_a_lone_time_is_told_by_its_size(time: float, is_samples: bool) -> None:
    assert counts_samples(np.array([time]), np.empty(0)) is is_samples
    assert counts_samples(np.array([np.nan]), np.array([time])) is is_samples


def test_a_long_break_does_not_make_seconds_samples() -> None:
    assert not counts_samples(np.array([10.0, 20.0, 30.0, 5000.0, 5010.0]), np.empty(0))


def test_no_time_at_all_is_no_samples() -> None:
    assert not counts_samples(np.array([np.nan, np.nan]), np.empty(0))


def test_sample_times_without_a_rate_wait_for_the_meta_file(make: SimpleNamespace, tmp_path: Path) -> None:
    path = make.write_bitcode(tmp_path / "a_bitcode.mat", CODES, sTrig=START_S * RATE_HZ)
    with pytest.raises(CompanionMissing, match=r"samples.*ap\.meta"):
        read_bitcode(path)
    assert read_bitcode(path, RATE_HZ).start_probe_s.tolist() == START_S.tolist()


def test_a_matrix_of_bits_is_as_good_as_text(tmp_path: Path) -> None:
    from scipy.io import savemat

    path = tmp_path / "a_bitcode.mat"
    savemat(path, {"bitcode": np.array([[int(bit) for bit in code] for code in CODES], float)})
    assert read_bitcode(path).codes == CODES


def test_a_cell_of_texts_is_as_good_as_rows(tmp_path: Path) -> None:
    from scipy.io import savemat

    path = tmp_path / "a_bitcode.mat"
    savemat(path, {"bitCodeS": np.array(CODES, object)[:, None]})
    assert read_bitcode(path).codes == CODES


@pytest.mark.parametrize("n", [1, 2])
def test_one_trial_is_a_session_too(make: SimpleNamespace, tmp_path: Path, n: int) -> None:
    variables = {"sTrig": START_S[:n], "goCue": GO_S[:n], "trialNum": np.arange(3, 3 + n)}
    found = read_bitcode(make.write_bitcode(tmp_path / "a_bitcode.mat", CODES[:n], **variables))
    assert found.codes == CODES[:n]
    assert found.go_probe_s.tolist() == GO_S[:n].tolist()
    assert found.trial_written == list(range(3, 3 + n))


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"sTrig": START_S}, "no trial codes"),
        ({"bitCodeS": np.array(CODES), "sTrig": START_S[:3]}, "3 values of sTrig for 4 codes"),
        ({"bitCodeS": np.array(CODES), "trialNum": [1.0, 2.0]}, "2 values of trialNum"),
        ({"bitCodeS": np.array(CODES), "trialNum": [1.0, 2.5, 3.0, 4.0]}, "2.5"),
        ({"bitCodeS": np.array(CODES), "trialNum": [1.0, 2.0, 3.0, 1e300]}, "1e\\+300"),
        ({"bitCodeS": np.array(CODES), "sTrig": START_S[::-1]}, "do not rise"),
        ({"bitCodeS": np.array(CODES), "sTrig": np.array(["a", "b", "c", "d"])}, "not numeric"),
        ({"bitCodeS": np.arange(4.0)}, "not text"),
        ({"bitcode": np.full((4, 4), 2.0)}, "something else than 0 and 1"),
        ({"bitCodeS": np.array(CODES), "bitcode": np.zeros((4, 4))}, "disagree"),
    ],
)
def test_pieces_that_do_not_fit_are_said(tmp_path: Path, variables: dict[str, Any], words: str) -> None:
    from scipy.io import savemat

    path = tmp_path / "a_bitcode.mat"
    savemat(path, variables)
    with pytest.raises(PiecesDoNotFit, match=words):
        read_bitcode(path)


@pytest.mark.parametrize("value", [{"a": 1}, np.array([[1 + 2j]]), np.array([["1010", 1.0]], object)])
def test_codes_and_times_of_another_kind_do_not_fit(make: SimpleNamespace, tmp_path: Path, value: Any) -> None:
    path = tmp_path / "a_bitcode.mat"
    with pytest.raises(PiecesDoNotFit, match="bitCodeS is not text"):
        read_bitcode(make.write_bitcode(path, CODES, bitCodeS=value))
    with pytest.raises(PiecesDoNotFit, match="sTrig is not numeric"):
        read_bitcode(make.write_bitcode(path, CODES, sTrig=value))


def test_a_cell_of_several_rows_does_not_fit(make: SimpleNamespace, tmp_path: Path) -> None:
    codes = np.empty((1, 2), object)
    codes[0] = ["1010", np.array(["0110", "0011"])]
    with pytest.raises(PiecesDoNotFit, match="several rows of text in one cell"):
        read_bitcode(make.write_bitcode(tmp_path / "a_bitcode.mat", CODES, bitCodeS=codes))


def test_variables_that_nobody_asks_for_are_passed_over(make: SimpleNamespace, tmp_path: Path) -> None:
    others = {"settings": {"a": 1}, "turned": np.array([[1 + 2j]])}
    assert read_bitcode(make.write_bitcode(tmp_path / "a_bitcode.mat", CODES, **others)).codes == CODES


@pytest.mark.parametrize("is_cell", [False, True])
def test_no_flipped_bit_does_more_than_make_the_file_unreadable(tmp_path: Path, is_cell: bool) -> None:
    from scipy.io import savemat

    path = tmp_path / "a_bitcode.mat"
    codes = np.array(CODES, object)[:, None] if is_cell else np.array(CODES)
    savemat(path, {"bitCodeS": codes, "sTrig": START_S, "trialNum": np.arange(1, 5, dtype=np.int16)})
    whole = path.read_bytes()
    n_refused = 0
    for place in range(126, len(whole), 3):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << (place % 8)
        path.write_bytes(flipped)
        try:
            read_bitcode(path)
        except BadInput:
            n_refused += 1
    assert n_refused > 20


@pytest.mark.parametrize("keep", [0, 100, 130, 250, -1])
def test_a_truncated_file_is_unreadable(shared_data: Path, tmp_path: Path, keep: int) -> None:
    path = tmp_path / "a_bitcode.mat"
    path.write_bytes((shared_data / "map/dl25_bitcode.mat").read_bytes()[:keep])
    with pytest.raises((UnreadableFile, PiecesDoNotFit)):
        read_bitcode(path)


def test_a_file_of_another_kind_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "a_bitcode.mat"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(600))
    with pytest.raises(UnreadableFile, match=r"a_bitcode\.mat"):
        read_bitcode(path)
