"""All alignments of two streams of trial codes that are worth believing. Which of them counts is decided in `trial_match`.

An alignment is a set of pairs of equal codes that rises on both sides. Its weight is the evidence of its pairs in bits: a
code tells as much as a coincidence of two such codes is rare, which the streams themselves show, and a pair that also
agrees in time tells more. An alignment that weighs little less than the heaviest one could be the true one: what it lacks
may be trials that one side lost and others that it gained.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]

DOUBT_BITS = 24.0
"""An alignment is believed possible down to this much evidence below the heaviest, bits."""
MOST_LOST = 0.3
"""Share of the longer stream up to which trials are thought to be lost on one side and others gained in their place."""
_CHANGE_BITS = 0.1
"""What a trial lost and another gained in its place weigh by themselves, bits: they are common."""
_MILLIBITS = 1000.0


@dataclass(frozen=True)
class Candidates:
    """Pairs of equal codes, in order of row and then place; arrays of shape (n,).

    Parameters
    ----------
    row : numpy.ndarray of int
        Rows of the behaviour stream, from 0.
    place : numpy.ndarray of int
        Places in the ephys stream, from 0.
    millibits : numpy.ndarray of int
        Evidence of each pair.
    """

    row: Whole
    place: Whole
    millibits: Whole

    @property
    def bits(self) -> float:
        """Evidence of all of them together, bits."""
        return float(self.millibits.sum()) / _MILLIBITS

    def only(self, chosen: NDArray[np.bool_]) -> Candidates:
        """Those chosen by a mask of shape (n,)."""
        return Candidates(self.row[chosen], self.place[chosen], self.millibits[chosen])

    def with_more(self, bits: NDArray[np.float64]) -> Candidates:
        """The same with more evidence for each, bits."""
        return Candidates(self.row, self.place, self.millibits + np.round(bits * _MILLIBITS).astype(np.int64))


def candidates(codes: Sequence[str | None], ephys_codes: Sequence[str | None]) -> Candidates:
    """Pair every trial with every ephys trial of the same code; an empty or unknown code pairs with nothing."""
    places: dict[str, list[int]] = {}
    for place, code in enumerate(ephys_codes):
        if code:
            places.setdefault(code, []).append(place)
    as_array = {code: np.asarray(found, np.int64) for code, found in places.items()}
    none = np.empty(0, np.int64)
    columns = [as_array.get(code, none) if code else none for code in codes]
    counts = [len(column) for column in columns]
    bits = code_bits(codes, ephys_codes)
    weights = np.asarray([round(bits.get(code or "", 0.0) * _MILLIBITS) for code in codes], np.int64)
    row = np.repeat(np.arange(len(columns)), counts)
    return Candidates(row, np.concatenate([none, *columns]), np.repeat(weights, counts))


def code_bits(codes: Sequence[str | None], ephys_codes: Sequence[str | None]) -> dict[str, float]:
    """Evidence that a pair of each code carries, bits.

    A code is taken to be as common as two trials of one stream have the same code (one such coincidence more than was
    seen), or as the code itself is in its stream, if that is more; so a stream of one code tells nothing.
    """
    common: dict[str, float] = {}
    n_equal = n_pairs = 0
    for stream in (codes, ephys_codes):
        counts = Counter(code for code in stream if code)
        n = sum(counts.values())
        n_equal += sum(count * (count - 1) // 2 for count in counts.values())
        n_pairs += n * (n - 1) // 2
        for code, count in counts.items():
            common[code] = max(common.get(code, 0.0), (count - 1) / n)
    chance = coincidence(n_equal, n_pairs)
    return {code: _CHANGE_BITS - float(np.log2(max(chance, share))) for code, share in common.items()}


def coincidence(n_equal: int, n_pairs: int) -> float:
    """Chance that two values are equal, when `n_equal` of `n_pairs` pairs are: one more than was seen, at most 1."""
    return min(1.0, (n_equal + 1) / max(1, n_pairs))


def most_lost(n_trials: int, n_ephys: int) -> int:
    """How many trials are thought to be lost on one side and others gained in their place; at least one."""
    return max(1, int(MOST_LOST * max(n_trials, n_ephys)))


def possible_pairs(found: Candidates, n_trials: int, n_ephys: int) -> NDArray[np.bool_]:
    """Which candidates stand in a possible alignment.

    Possible is one that weighs at most `DOUBT_BITS` less than the heaviest, or as little less as `most_lost` trials
    weigh.

    Returns
    -------
    numpy.ndarray of bool, shape (n,)
        If those chosen rise on both sides, they and parts of them are the only alignments that are possible.
    """
    if not len(found.row):
        return np.empty(0, np.bool_)
    doubt = min(int(DOUBT_BITS * _MILLIBITS), most_lost(n_trials, n_ephys) * int(found.millibits.max()))
    before = _heaviest(found.row, found.place, found.millibits, n_ephys)
    backwards = _heaviest(-found.row[::-1], n_ephys - 1 - found.place[::-1], found.millibits[::-1], n_ephys)
    through = before + backwards[::-1] - found.millibits
    return np.asarray(through >= through.max() - doubt)


def is_chain(found: Candidates) -> bool:
    """Whether the candidates rise on both sides."""
    return bool(np.all(np.diff(found.row) > 0) and np.all(np.diff(found.place) > 0))


def _heaviest(row: Whole, place: Whole, millibits: Whole, n_ephys: int) -> Whole:
    """Weight of the heaviest alignment that ends with each candidate; a row at a time."""
    until = np.zeros(n_ephys + 1, np.int64)
    weight = np.empty(len(row), np.int64)
    edges = np.r_[0, np.flatnonzero(np.diff(row)) + 1, len(row)].tolist()
    for first, stop in pairwise(edges):
        column = place[first:stop]
        here = millibits[first:stop] + until[column]
        weight[first:stop] = here
        if stop - first == 1:
            _raise_from(until, int(column[0]) + 1, int(here[0]))
        else:
            until[column + 1] = np.maximum(until[column + 1], here)
            np.maximum.accumulate(until, out=until)
    return weight


def _raise_from(until: Whole, first: int, value: int) -> None:
    """Raise a rising array to `value` from a place on."""
    stop = first + int(np.searchsorted(until[first:], value))
    until[first:stop] = value
