"""Matching trials by their codes: every way in which one side loses or gains trials."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.ephys.bitcode import read_bitcode
from map_assets.ephys.trial_match import TrialMatch, match_trials
from map_assets.vocabulary.errors import ClockDoesNotFit, TrialsAreAmbiguous

CODES = [f"{index * 2654435761 % 65536:016b}" for index in range(1, 13)]
TRIALS = list(range(1, 13))


def pairs(match: TrialMatch) -> list[tuple[int, int]]:
    return list(zip(match.trials, match.ephys_trials, strict=True))


def test_the_same_trials_match_one_to_one() -> None:
    match = match_trials(TRIALS, CODES, CODES)
    assert pairs(match) == [(trial, trial) for trial in TRIALS]
    assert match.unmatched_trials == match.unmatched_ephys_trials == ()


@pytest.mark.parametrize(
    ("behavior", "ephys"),
    [
        (slice(0, 12), slice(3, 12)),
        (slice(0, 12), slice(0, 7)),
        (slice(0, 12), slice(4, 7)),
        (slice(3, 12), slice(0, 12)),
        (slice(0, 7), slice(0, 12)),
        (slice(0, 11), slice(1, 12)),
        (slice(1, 12), slice(0, 11)),
        (slice(0, 12), slice(1, 12)),
        (slice(5, 6), slice(0, 12)),
    ],
    ids=[
        *("ephys late", "ephys ends early", "ephys late and ends early", "ephys leads", "ephys longer"),
        *("late by one and equally long", "leads by one and equally long", "late by one", "one trial"),
    ],
)
def test_a_stretch_missing_at_an_end_shifts_nothing(behavior: slice, ephys: slice) -> None:
    match = match_trials(TRIALS[behavior], CODES[behavior], CODES[ephys])
    both = range(max(behavior.start, ephys.start), min(behavior.stop, ephys.stop))
    assert pairs(match) == [(index + 1, index - ephys.start + 1) for index in both]


def test_a_trial_missing_in_the_middle_of_the_ephys_stream_is_reported() -> None:
    match = match_trials(TRIALS, CODES, CODES[:5] + CODES[6:])
    assert match.unmatched_trials == (6,)
    assert pairs(match)[4:6] == [(5, 5), (7, 6)]


def test_skipped_behaviour_trials_leave_gaps_and_unmatched_ephys_trials() -> None:
    kept = [trial for trial in TRIALS if trial not in {1, 6, 7}]
    match = match_trials(kept, [CODES[trial - 1] for trial in kept], CODES)
    assert pairs(match) == [(trial, trial) for trial in kept]
    assert match.unmatched_ephys_trials == (1, 6, 7)


def test_one_code_with_a_flipped_bit_is_left_over_on_both_sides() -> None:
    flipped = CODES[4].translate(str.maketrans("01", "10"))
    match = match_trials(TRIALS, CODES, [*CODES[:4], flipped, *CODES[5:]])
    assert (match.unmatched_trials, match.unmatched_ephys_trials) == ((5,), (5,))


def test_a_trial_without_a_code_matches_nothing() -> None:
    match = match_trials([1, 2, 3], ["1010", None, "0110"], ["1010", "", "0110"])
    assert (match.unmatched_trials, match.unmatched_ephys_trials) == ((2,), (2,))


def test_a_repeated_code_is_settled_by_its_neighbours() -> None:
    codes = ["A", "X", "B", "X", "C"]
    assert pairs(match_trials(range(1, 6), codes, codes)) == [(n, n) for n in range(1, 6)]
    codes = [*CODES[:8], CODES[2], *CODES[9:]]
    assert pairs(match_trials(TRIALS, codes, codes[2:])) == [(n, n - 2) for n in range(3, 13)]
    assert pairs(match_trials(TRIALS, codes, codes[3:])) == [(n, n - 3) for n in range(4, 13)]


@pytest.mark.parametrize("ephys", [["A", "X", "C"], ["A", "X"], ["X", "C"], ["X"]])
def test_a_repeated_code_that_no_neighbour_settles_is_an_error(ephys: list[str]) -> None:
    with pytest.raises(TrialsAreAmbiguous, match="can be behaviour trial 2 or 4"):
        match_trials(range(1, 6), ["A", "X", "B", "X", "C"], ephys)


def test_the_error_shows_both_streams_around_the_doubt() -> None:
    codes = [*CODES[:6], CODES[4], *CODES[7:]]
    heard = [*CODES[:5], *CODES[7:]]
    with pytest.raises(TrialsAreAmbiguous) as caught:
        match_trials(range(11, 23), codes, heard, file="run_imec0_bitcode.mat")
    said = str(caught.value)
    assert said.startswith("run_imec0_bitcode.mat: ephys trial 5 can be behaviour trial 15 or 17: ")
    behavior = " ".join(f"{number}:{code}" for number, code in zip(range(12, 19), codes[1:8], strict=True))
    ephys = " ".join(f"{number}:{code}" for number, code in zip(range(2, 9), heard[1:8], strict=True))
    assert behavior in said
    assert ephys in said
    assert "11:" not in said
    assert "trialNum" in said


def test_two_trials_in_the_other_order_are_an_error() -> None:
    with pytest.raises(TrialsAreAmbiguous, match="or none"):
        match_trials([1, 2, 3, 4], ["A", "B", "C", "D"], ["A", "C", "B", "D"])


def test_an_extra_trial_with_its_neighbours_code_is_an_error_unless_the_starts_tell() -> None:
    with pytest.raises(TrialsAreAmbiguous):
        match_trials([1, 2, 3], ["A", "B", "C"], ["A", "B", "B", "C"])
    starts = {"start_s": [0.0, 7.1, 15.3], "ephys_start_probe_s": [20.0, 25.4, 27.1, 35.3]}
    match = match_trials([1, 2, 3], ["A", "B", "C"], ["A", "B", "B", "C"], **starts)
    assert pairs(match) == [(1, 1), (2, 3), (3, 4)]
    assert match.unmatched_ephys_trials == (2,)


def test_starts_settle_a_repeated_code() -> None:
    starts = {"start_s": [0.0, 7.1, 15.3, 22.0, 31.4], "ephys_start_probe_s": [20.0, 42.0, 51.4]}
    match = match_trials(range(1, 6), ["A", "X", "B", "X", "C"], ["A", "X", "C"], **starts)
    assert pairs(match) == [(1, 1), (4, 2), (5, 3)]
    assert match.contradicted == ()


def test_starts_settle_one_code_for_all_trials_and_do_not_if_trials_follow_in_equal_steps() -> None:
    start_s = np.cumsum(np.random.default_rng(2).uniform(4, 12, 40))
    match = match_trials(range(1, 41), ["0"] * 40, ["0"] * 30, start_s=start_s, ephys_start_probe_s=start_s[10:] - 9.0)
    assert pairs(match) == [(k + 10, k) for k in range(1, 31)]
    step_s = 7.0 * np.arange(40)
    with pytest.raises(TrialsAreAmbiguous):
        match_trials(range(1, 41), ["0"] * 40, ["0"] * 30, start_s=step_s, ephys_start_probe_s=step_s[10:] - 9.0)


def test_a_trial_lost_and_another_of_its_code_gained_is_contradicted_by_its_start() -> None:
    start_s = np.cumsum(np.random.default_rng(3).uniform(4, 12, 12))
    probe_s = start_s + 100.0
    assert pairs(match_trials(TRIALS, CODES, CODES)) == [(n, n) for n in TRIALS]
    probe_s[4] += 1.5
    match = match_trials(TRIALS, CODES, CODES, start_s=start_s, ephys_start_probe_s=probe_s)
    assert pairs(match) == [(n, n) for n in TRIALS if n != 5]
    assert (match.unmatched_trials, match.unmatched_ephys_trials, match.contradicted) == ((5,), (5,), ((5, 5),))


def test_two_pairs_that_contradict_each_other_are_an_error() -> None:
    with pytest.raises(TrialsAreAmbiguous):
        match_trials([1, 2], ["A", "B"], ["A", "B"], start_s=[0.0, 9.0], ephys_start_probe_s=[0.0, 5.0])


def test_trials_without_a_start_stand_by_their_codes() -> None:
    start_s = np.cumsum(np.random.default_rng(4).uniform(4, 12, 12))
    start_s[[2, 3]] = np.nan
    probe_s = np.cumsum(np.random.default_rng(4).uniform(4, 12, 12)) + 3.0
    probe_s[8] = np.nan
    match = match_trials(TRIALS, CODES, CODES, start_s=start_s, ephys_start_probe_s=probe_s)
    assert pairs(match) == [(n, n) for n in TRIALS]
    assert pairs(match_trials(TRIALS, CODES, CODES, start_s=start_s)) == [(n, n) for n in TRIALS]


@pytest.mark.parametrize("last_s", [1e6, 1e9, 1e11, 6e14])
def test_one_damaged_time_far_off_takes_neither_minutes_nor_memory(last_s: float) -> None:
    rng = np.random.default_rng(0)
    start_s = np.cumsum(rng.uniform(4, 8, 50))
    codes = [f"{code:016b}" for code in rng.integers(0, 65536, 50)]
    seen_s = start_s + 3
    seen_s[-1] = last_s
    begun = time.perf_counter()
    match = match_trials(range(1, 51), codes, codes, start_s=start_s, ephys_start_probe_s=seen_s)
    assert time.perf_counter() - begun < 5
    assert pairs(match) == [(n, n) for n in range(1, 50)]
    assert match.contradicted == ((50, 50),)


def test_codes_of_a_clock_that_jumps_stay_right_and_the_lesser_part_is_contradicted() -> None:
    start_s = np.cumsum(np.random.default_rng(5).uniform(4, 12, 60))
    probe_s = start_s + np.where(np.arange(60) < 25, 0.0, 3.0)
    codes = [f"{index * 2654435761 % 65536:016b}" for index in range(60)]
    match = match_trials(range(1, 61), codes, codes, start_s=start_s, ephys_start_probe_s=probe_s)
    assert pairs(match) == [(n, n) for n in range(26, 61)]
    assert match.contradicted == tuple((n, n) for n in range(1, 26))


def test_trial_numbers_as_codes_wrap_and_are_told_apart() -> None:
    codes = [f"{number % 1024:010b}"[::-1] for number in range(1, 1501)]
    match = match_trials(range(1, 1501), codes, codes[300:])
    assert pairs(match) == [(k + 300, k) for k in range(1, 1201)]
    with pytest.raises(TrialsAreAmbiguous, match="can be behaviour trial 5 or 1029"):
        match_trials(range(1, 1501), codes, codes[4:100])


def test_a_claimed_number_settles_a_repeated_code() -> None:
    match = match_trials(range(1, 6), ["A", "X", "B", "X", "C"], ["A", "X", "C"], [1, 4, 5])
    assert pairs(match) == [(1, 1), (4, 2), (5, 3)]
    some = match_trials(range(1, 6), ["A", "X", "B", "X", "C"], ["A", "X", "C"], [None, 4, None])
    assert pairs(some) == [(1, 1), (4, 2), (5, 3)]


def test_an_ephys_trial_that_claims_a_skipped_trials_number_is_nobody_elses() -> None:
    numbers, codes = [1, 3, 4, 5], ["A", "B", "X", "C"]
    with pytest.raises(TrialsAreAmbiguous):
        match_trials(numbers, codes, ["A", "X", "B", "C"])
    match = match_trials(numbers, codes, ["A", "X", "B", "C"], [1, 2, 3, 5])
    assert pairs(match) == [(1, 1), (3, 3), (5, 4)]
    assert (match.unmatched_trials, match.unmatched_ephys_trials) == ((4,), (2,))


@pytest.mark.parametrize("claims", [[1, 3, 5], [2, 4, 5], [1, 4, 4], [None, None, None], [99, None, None]])
def test_claimed_numbers_that_contradict_a_code_are_not_believed(claims: list[int | None]) -> None:
    with pytest.raises(TrialsAreAmbiguous):
        match_trials(range(1, 6), ["A", "X", "B", "X", "C"], ["A", "X", "C"], claims)


def test_claimed_numbers_never_replace_codes() -> None:
    match = match_trials(TRIALS, CODES, CODES[1:], list(range(1, 12)))
    assert pairs(match) == [(trial + 1, trial) for trial in range(1, 12)]


@pytest.mark.parametrize("n_ephys", [1, 2, 3, 4])
def test_one_code_for_all_trials_numbers_nothing(n_ephys: int) -> None:
    with pytest.raises(TrialsAreAmbiguous):
        match_trials([1, 2, 3], ["X"] * 3, ["X"] * n_ephys)
    assert pairs(match_trials([1, 2, 3], ["X"] * 3, ["X"] * 3, [1, 2, 3])) == [(1, 1), (2, 2), (3, 3)]


@pytest.mark.parametrize("ephys", [[], ["1111"], ["", ""]])
def test_nothing_in_common_is_an_error_that_says_how_many(ephys: list[str]) -> None:
    with pytest.raises(ClockDoesNotFit, match=f"none of {len(ephys)} ephys trials.*3 behaviour trials"):
        match_trials([1, 2, 3], ["1010", "0110", None], ephys)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_unique_codes_match_exactly_whatever_each_side_lost(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 25))
    codes = data.draw(st.lists(st.integers(0, 65535), min_size=n, max_size=n, unique=True))
    texts = [f"{code:016b}" for code in codes]
    behavior = sorted(data.draw(st.sets(st.integers(0, n - 1), min_size=1)))
    ephys = sorted(data.draw(st.sets(st.integers(0, n - 1), min_size=1)))
    numbers, heard = [index + 1 for index in behavior], [texts[index] for index in ephys]
    both = sorted({*behavior} & {*ephys})
    if not both:
        with pytest.raises(ClockDoesNotFit):
            match_trials(numbers, [texts[index] for index in behavior], heard)
        return
    match = match_trials(numbers, [texts[index] for index in behavior], heard)
    assert pairs(match) == [(index + 1, ephys.index(index) + 1) for index in both]
    assert sorted([*match.trials, *match.unmatched_trials]) == numbers
    assert sorted([*match.ephys_trials, *match.unmatched_ephys_trials]) == list(range(1, len(ephys) + 1))


@settings(max_examples=100, deadline=None)
@given(
    behavior=st.lists(st.sampled_from("ABC"), min_size=1, max_size=8),
    ephys=st.lists(st.sampled_from("ABC"), min_size=1, max_size=8),
)
def test_what_is_matched_stands_in_every_longest_alignment(behavior: list[str], ephys: list[str]) -> None:
    """Against an independent count of all alignments."""
    alignments: list[list[tuple[int, int]]] = [[]]
    for row, code in enumerate(behavior):
        alignments += [
            [*alignment, (row, place)]
            for alignment in alignments
            for place in range(alignment[-1][1] + 1 if alignment else 0, len(ephys))
            if ephys[place] == code
        ]
    most = max(map(len, alignments))
    longest = {tuple(alignment) for alignment in alignments if len(alignment) == most}
    try:
        found = match_trials(range(1, len(behavior) + 1), behavior, ephys)
    except TrialsAreAmbiguous:
        return
    except ClockDoesNotFit:
        assert most == 0
        return
    assert {tuple((row + 1, place + 1) for row, place in alignment) for alignment in longest} == {tuple(pairs(found))}


def test_the_real_sessions_ten_codes_are_its_first_ten_trials(shared_data: Path) -> None:
    from scipy.io import loadmat

    behavior = loadmat(shared_data / "map/dl25_tw2_20180225_102508.mat", struct_as_record=False, squeeze_me=True)
    codes = [str(settings.GUI.randomID) for settings in behavior["SessionData"].TrialSettings]
    assert len(codes) == 11
    match = match_trials(range(1, 12), codes, read_bitcode(shared_data / "map/dl25_bitcode.mat").codes)
    assert pairs(match) == [(trial, trial) for trial in range(1, 11)]
    assert match.unmatched_trials == (11,)
    assert match.unmatched_ephys_trials == ()
