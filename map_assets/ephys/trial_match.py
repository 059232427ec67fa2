"""Which behaviour trial each ephys trial is, by their codes. What the matched instants make of the clocks lives in `clock_maps`.

The two code sequences are aligned in order. The best alignment has the most pairs of equal codes and, among those, the
fewest shifts (places where the behaviour trial number minus the ephys trial number changes: one side lost or gained
trials there). Several alignments may be equally good, because codes repeat; only pairs that stand in all of them count,
so a repeated code is settled by its neighbours or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from map_assets.vocabulary.errors import ClockDoesNotFit

Whole = NDArray[np.int64]


@dataclass(frozen=True)
class TrialMatch:
    """Trials matched, pair by pair and rising on both sides, and what is left over.

    Parameters
    ----------
    trials, ephys_trials : tuple of int
        Behaviour trial numbers and the ephys trials' numbers in their stream (from 1), in the same order.
    unmatched_trials, unmatched_ephys_trials : tuple of int
    """

    trials: tuple[int, ...]
    ephys_trials: tuple[int, ...]
    unmatched_trials: tuple[int, ...]
    unmatched_ephys_trials: tuple[int, ...]


def match_trials(
    trials: Sequence[int],
    codes: Sequence[str | None],
    ephys_codes: Sequence[str],
    trial_written: Sequence[int | None] | None = None,
) -> TrialMatch:
    """Match the trials of a behaviour file and of an ephys stream.

    Parameters
    ----------
    trials : sequence of int
        Behaviour trial numbers, rising; gaps are skipped trials.
    codes : sequence of (str or None)
        Their codes; None where a trial has none.
    ephys_codes : sequence of str
        Codes in the ephys stream's order; its trial numbers count from 1.
    trial_written : sequence of (int or None), optional
        Behaviour trial numbers that the bitcode file claims. They are used only where codes leave a choice, and only
        if none of them contradicts the codes.

    Raises
    ------
    ClockDoesNotFit
        If not a single trial can be matched.
    """
    numbers = np.asarray(trials, np.int64)
    columns = _places(codes, ephys_codes)
    pairs = _certain_pairs(numbers, columns, len(ephys_codes))
    if trial_written is not None:
        pairs = _settled_by_numbers(pairs, numbers, columns, trial_written)
    if not len(pairs):
        raise ClockDoesNotFit(
            "bitcode",
            f"none of {len(ephys_codes)} ephys trials can be matched with one of {len(numbers)} behaviour trials",
            expected="the codes of one session on both sides",
            todo="Check that the bitcode file belongs to this session.",
        )
    left = np.setdiff1d(np.arange(len(numbers)), pairs[:, 0])
    left_ephys = np.setdiff1d(np.arange(len(ephys_codes)), pairs[:, 1]) + 1
    return TrialMatch(
        tuple(numbers[pairs[:, 0]].tolist()),
        tuple((pairs[:, 1] + 1).tolist()),
        tuple(numbers[left].tolist()),
        tuple(left_ephys.tolist()),
    )


def _places(codes: Sequence[str | None], ephys_codes: Sequence[str]) -> list[Whole]:
    """For each behaviour trial, the places of its code in the ephys stream, rising."""
    places: dict[str, list[int]] = {}
    for place, code in enumerate(ephys_codes):
        places.setdefault(code, []).append(place)
    return [np.asarray(places.get(code, []) if code else [], np.int64) for code in codes]


def _certain_pairs(numbers: Whole, columns: list[Whole], n_ephys: int) -> Whole:
    """Pairs (row in `numbers`, place in the ephys stream) that stand in every best alignment, shape (k, 2)."""
    rows = np.repeat(np.arange(len(columns)), [len(column) for column in columns])
    if not len(rows):
        return np.empty((0, 2), np.int64)
    places = np.concatenate(columns)
    pair_worth = len(numbers) + n_ephys + 1
    before = _chains(numbers, columns, n_ephys, pair_worth)
    backwards = [n_ephys - 1 - column[::-1] for column in columns[::-1]]
    after = _chains(-numbers[::-1], backwards, n_ephys, pair_worth)[::-1]
    whole = before + after - pair_worth
    is_best = whole == whole.max()
    rank = -(-before // pair_worth)
    n_of_rank = np.bincount(rank[is_best], minlength=int(rank.max()) + 1)
    is_certain = is_best & (n_of_rank[rank] == 1)
    return np.stack([rows[is_certain], places[is_certain]], axis=1)


def _chains(numbers: Whole, columns: list[Whole], n_ephys: int, pair_worth: int) -> Whole:
    """Worth of the best alignment that ends with each pair (`pair_worth` a pair, minus one a shift), pair after pair."""
    best_until = np.zeros(n_ephys + 1, np.int64)
    first_diagonal = int(numbers.min()) - n_ephys + 1
    on_diagonal = np.zeros(int(numbers.max()) - first_diagonal + 1, np.int64)
    worths = []
    for number, column in zip(numbers.tolist(), columns, strict=True):
        diagonal = number - column - first_diagonal
        worth = pair_worth + np.maximum(on_diagonal[diagonal], np.maximum(best_until[column] - 1, 0))
        on_diagonal[diagonal] = worth
        best_until[column + 1] = np.maximum(best_until[column + 1], worth)
        np.maximum.accumulate(best_until, out=best_until)
        worths.append(worth)
    return np.concatenate(worths)


def _settled_by_numbers(
    pairs: Whole, numbers: Whole, columns: list[Whole], trial_written: Sequence[int | None]
) -> Whole:
    """Add pairs that the claimed numbers name and the codes allow; none if a claim contradicts a code or the order."""
    row_of = {number: row for row, number in enumerate(numbers.tolist())}
    claims = [
        (row_of[trial], place) for place, trial in enumerate(trial_written) if trial is not None and trial in row_of
    ]
    claimed_rows = {place: row for row, place in claims}
    is_consistent = (
        all(place in columns[row] for row, place in claims)
        and all(earlier[0] < later[0] for earlier, later in pairwise(claims))
        and all(claimed_rows.get(place, row) == row for row, place in pairs.tolist())
    )
    if not is_consistent:
        return pairs
    merged = np.asarray(sorted({*map(tuple, pairs.tolist()), *claims}), np.int64).reshape(-1, 2)
    return merged if np.all(np.diff(merged, axis=0) > 0) else pairs
