"""Matching trials by their codes: every way in which one side loses or gains trials."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.ephys.bitcode import read_bitcode
from map_assets.ephys.trial_match import TrialMatch, match_trials
from map_assets.vocabulary.errors import ClockDoesNotFit

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
        (slice(0, 11), slice(1, 12)),
        (slice(1, 12), slice(0, 11)),
        (slice(0, 12), slice(1, 12)),
        (slice(5, 6), slice(0, 12)),
    ],
    ids=[
        *("ephys late", "ephys ends early", "ephys late and ends early", "ephys leads"),
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
    assert pairs(match_trials(range(1, 6), codes, ["A", "X"])) == [(1, 1), (2, 2)]
    assert pairs(match_trials(range(1, 6), codes, ["X", "C"])) == [(4, 1), (5, 2)]


def test_a_repeated_code_that_no_neighbour_settles_is_left_over() -> None:
    match = match_trials(range(1, 6), ["A", "X", "B", "X", "C"], ["A", "X", "C"])
    assert pairs(match) == [(1, 1), (5, 3)]
    assert match.unmatched_ephys_trials == (2,)


def test_a_claimed_number_settles_a_repeated_code() -> None:
    match = match_trials(range(1, 6), ["A", "X", "B", "X", "C"], ["A", "X", "C"], [1, 4, 5])
    assert pairs(match) == [(1, 1), (4, 2), (5, 3)]


@pytest.mark.parametrize("claims", [[1, 3, 5], [2, 4, 5], [1, 4, 4], [None, None, None], [99, None, None]])
def test_claimed_numbers_that_contradict_a_code_are_not_believed(claims: list[int | None]) -> None:
    match = match_trials(range(1, 6), ["A", "X", "B", "X", "C"], ["A", "X", "C"], claims)
    assert pairs(match) == [(1, 1), (5, 3)]


def test_claimed_numbers_never_replace_codes() -> None:
    match = match_trials(TRIALS, CODES, CODES[1:], list(range(1, 12)))
    assert pairs(match) == [(trial + 1, trial) for trial in range(1, 12)]


def test_one_code_for_all_trials_matches_only_if_nothing_is_missing() -> None:
    assert pairs(match_trials([1, 2, 3], ["X"] * 3, ["X"] * 3)) == [(1, 1), (2, 2), (3, 3)]
    with pytest.raises(ClockDoesNotFit):
        match_trials([1, 2, 3], ["X"] * 3, ["X"] * 2)


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
@given(codes=st.lists(st.sampled_from("ABC"), min_size=1, max_size=14), data=st.data())
def test_a_stretch_of_repeated_codes_is_matched_rightly_or_not_at_all(codes: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(codes) - 1))
    stop = data.draw(st.integers(start + 1, len(codes)))
    try:
        match = match_trials(range(1, len(codes) + 1), codes, codes[start:stop])
    except ClockDoesNotFit:
        return
    assert all(trial == ephys_trial + start for trial, ephys_trial in pairs(match))


@settings(max_examples=100, deadline=None)
@given(
    behavior=st.lists(st.sampled_from("ABC"), min_size=1, max_size=8),
    ephys=st.lists(st.sampled_from("ABC"), min_size=1, max_size=8),
)
def test_a_pair_stands_in_every_best_alignment_or_is_no_pair(behavior: list[str], ephys: list[str]) -> None:
    """Against an independent count of all alignments."""
    alignments = [[]]
    for row, code in enumerate(behavior):
        alignments += [
            [*alignment, (row, place)]
            for alignment in alignments
            for place in range(alignment[-1][1] + 1 if alignment else 0, len(ephys))
            if ephys[place] == code
        ]

    def worth(alignment: list[tuple[int, int]]) -> tuple[int, int]:
        shifts = [row - place for row, place in alignment]
        return len(alignment), -sum(a != b for a, b in pairwise(shifts))

    most = max(map(worth, alignments))
    certain = set.intersection(*(set(alignment) for alignment in alignments if worth(alignment) == most))
    try:
        found = match_trials(range(1, len(behavior) + 1), behavior, ephys)
    except ClockDoesNotFit:
        assert not certain
        return
    assert pairs(found) == [(row + 1, place + 1) for row, place in sorted(certain)]


def test_a_thousand_trials_of_one_code_do_not_take_long() -> None:
    import time

    begun = time.perf_counter()
    match = match_trials(range(1, 1001), ["X"] * 1000, ["X"] * 1000)
    assert len(match.trials) == 1000
    assert time.perf_counter() - begun < 5


def test_the_real_sessions_ten_codes_are_its_first_ten_trials(shared_data: Path) -> None:
    from scipy.io import loadmat

    behavior = loadmat(shared_data / "map/dl25_tw2_20180225_102508.mat", struct_as_record=False, squeeze_me=True)
    codes = [str(settings.GUI.randomID) for settings in behavior["SessionData"].TrialSettings]
    assert len(codes) == 11
    match = match_trials(range(1, 12), codes, read_bitcode(shared_data / "map/dl25_bitcode.mat").codes)
    assert pairs(match) == [(trial, trial) for trial in range(1, 11)]
    assert match.unmatched_trials == (11,)
    assert match.unmatched_ephys_trials == ()
