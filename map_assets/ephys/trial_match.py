"""Which behaviour trial each ephys trial is. What the matched instants make of the clocks lives in `clock_maps`.

Codes say which trials can be one; `trial_alignment` says which alignments of the two streams are possible. If these are
one alignment, it counts. If there are several (codes repeat, and one side lost or gained trials), the starts on both
clocks choose, and after them the trial numbers that the bitcode file claims. What is still open then is an error that
shows both streams: a number is never guessed. An ephys trial that simply has no partner is unmatched.

Where starts are known they also have the right of refusal: a pair that the codes alone would make, and whose starts
disagree with the clock of the others, is contradicted and stays unmatched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from map_assets.ephys.trial_alignment import (
    DOUBT_BITS,
    Candidates,
    candidates,
    is_chain,
    most_lost,
    possible_pairs,
)
from map_assets.ephys.trial_times import best_line, step_bits
from map_assets.vocabulary.errors import ClockDoesNotFit, TrialsAreAmbiguous

BOUND_S = 0.02
"""Starts of one trial on the two clocks agree within this once the clocks are fitted, s; they do to milliseconds."""
_SHOWN = 3
_MOST_JUMPS = 5
"""Jumps of a clock that are looked for."""

Seconds = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class TrialMatch:
    """Trials matched, pair by pair and rising on both sides, and what is left over.

    Parameters
    ----------
    trials, ephys_trials : tuple of int
        Behaviour trial numbers and the ephys trials' numbers in their stream (from 1), in the same order.
    unmatched_trials, unmatched_ephys_trials : tuple of int
    contradicted : tuple of (int, int)
        Pairs (trial, ephys trial) of equal codes whose starts contradict the clock of the others; both are unmatched.
    """

    trials: tuple[int, ...]
    ephys_trials: tuple[int, ...]
    unmatched_trials: tuple[int, ...]
    unmatched_ephys_trials: tuple[int, ...]
    contradicted: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class _Streams:
    """Both streams as they came: numbers and codes of the behaviour trials, codes and claimed numbers of the ephys trials."""

    file: str
    numbers: NDArray[np.int64]
    codes: Sequence[str | None]
    ephys_codes: Sequence[str | None]
    claimed: Sequence[int | None]
    start_s: Seconds
    ephys_start_s: Seconds
    bound_s: float


def match_trials(
    trials: Sequence[int],
    codes: Sequence[str | None],
    ephys_codes: Sequence[str | None],
    trial_written: Sequence[int | None] | None = None,
    *,
    start_s: ArrayLike | None = None,
    ephys_start_probe_s: ArrayLike | None = None,
    bound_s: float = BOUND_S,
    file: str = "bitcode",
) -> TrialMatch:
    """Match the trials of a behaviour file and of an ephys stream.

    Parameters
    ----------
    trials : sequence of int
        Behaviour trial numbers, rising; gaps are skipped trials.
    codes : sequence of (str or None)
        Their codes; None where a trial has none.
    ephys_codes : sequence of (str or None)
        Codes in the ephys stream's order; its trial numbers count from 1.
    trial_written : sequence of (int or None), optional
        Behaviour trial numbers that the bitcode file claims. They are used only where codes and starts leave a choice,
        and only if none of them contradicts a code or the order.
    start_s, ephys_start_probe_s : array_like of float, optional
        The same instant of each trial on the session clock and on the probe's, s; NaN where unknown. A pair of which
        either is unknown stands by its codes.
    bound_s : float
        How far the two may disagree once the clocks are fitted, s.
    file : str
        What to call the ephys stream in an error.

    Raises
    ------
    TrialsAreAmbiguous
        If more than one numbering is possible.
    ClockDoesNotFit
        If not a single trial can be matched.
    """
    streams = _Streams(
        file,
        np.asarray(trials, np.int64),
        codes,
        ephys_codes,
        trial_written if trial_written is not None else [None] * len(ephys_codes),
        _times(start_s, len(codes)),
        _times(ephys_start_probe_s, len(ephys_codes)),
        bound_s,
    )
    found = candidates(codes, ephys_codes)
    try:
        pairs, refused = _numbered(streams, found)
    except TrialsAreAmbiguous:
        claimed = _as_claimed(streams, found)
        if claimed is None:
            raise
        pairs, refused = _numbered(streams, claimed)
    if not len(pairs.row):
        raise ClockDoesNotFit(
            file,
            f"none of {len(ephys_codes)} ephys trials can be matched with one of {len(codes)} behaviour trials",
            expected="the codes of one session on both sides",
            todo="Check that the bitcode file belongs to this session.",
        )
    return _match(streams, pairs, refused)


def _numbered(streams: _Streams, found: Candidates) -> tuple[Candidates, Candidates]:
    """Return the pairs that count, and those of equal codes whose starts contradict the clock of these."""
    by_codes = _possible(streams, found)
    if is_chain(by_codes):
        line = best_line(by_codes, streams.start_s, streams.ephys_start_s, streams.bound_s)
        if line is None:
            return by_codes, by_codes.only(np.zeros(len(by_codes.row), np.bool_))
        standing = by_codes.only(line.is_on | ~_is_timed(streams, by_codes))
        if len(standing.row) == len(by_codes.row) or by_codes.only(line.is_on).bits > DOUBT_BITS:
            return standing, by_codes.only(~np.isin(by_codes.place, standing.place))
    line = best_line(found, streams.start_s, streams.ephys_start_s, streams.bound_s)
    if line is None or line.n < 2:
        raise _ambiguous(streams, by_codes)
    bits = step_bits(streams.start_s, streams.bound_s)
    pair_bits = bits + found.only(line.is_on).bits / np.count_nonzero(line.is_on)
    slack = min(most_lost(len(streams.codes), len(streams.ephys_codes)), int(DOUBT_BITS / pair_bits))
    if line.n_next and line.n - line.n_next <= slack:
        raise _ambiguous(streams, found)
    standing = found.with_more(np.where(line.is_on, bits, 0.0)).only(line.is_on | ~_is_timed(streams, found))
    pairs = _possible(streams, standing)
    if not is_chain(pairs):
        raise _ambiguous(streams, pairs)
    return pairs, _on_other_clocks(streams, found, pairs)


def _on_other_clocks(streams: _Streams, found: Candidates, pairs: Candidates) -> Candidates:
    """Among trials left over on both sides, find pairs of equal codes, in order with those that count, that share a clock.

    Where codes repeat, a clock that jumped leaves its lesser part without a number: the trials before the jump are on a
    clock of their own.
    """
    between = np.searchsorted(pairs.row, found.row) == np.searchsorted(pairs.place, found.place)
    is_left = between & ~np.isin(found.row, pairs.row) & ~np.isin(found.place, pairs.place)
    refused = np.zeros(len(found.row), np.bool_)
    for _ in range(_MOST_JUMPS):
        left = found.only(is_left)
        line = best_line(left, streams.start_s, streams.ephys_start_s, streams.bound_s)
        if line is None or line.n < 2:
            break
        refused[np.flatnonzero(is_left)[line.is_on]] = True
        is_left &= ~np.isin(found.row, found.row[refused]) & ~np.isin(found.place, found.place[refused])
    return found.only(refused)


def _possible(streams: _Streams, found: Candidates) -> Candidates:
    return found.only(possible_pairs(found, len(streams.codes), len(streams.ephys_codes)))


def _is_timed(streams: _Streams, found: Candidates) -> Flags:
    return np.isfinite(streams.start_s[found.row]) & np.isfinite(streams.ephys_start_s[found.place])


def _as_claimed(streams: _Streams, found: Candidates) -> Candidates | None:
    """Leave of each ephys trial whose number is claimed only that candidate; None if a claim contradicts a code or the order.

    An ephys trial that claims the number of a trial that the behaviour file lacks (a skipped one) has no candidate left.
    """
    claims = np.asarray([-1 if trial is None else trial for trial in streams.claimed], np.int64)
    places = np.flatnonzero(claims >= 0)
    is_here = np.isin(claims[places], streams.numbers)
    numbers = streams.numbers[found.row]
    is_claimed = claims[found.place] == numbers
    if (
        not len(places)
        or np.count_nonzero(is_claimed) != np.count_nonzero(is_here)
        or np.any(np.diff(claims[places]) <= 0)
    ):
        return None
    is_free = (claims[found.place] < 0) & ~np.isin(numbers, claims[places])
    return found.only(is_claimed | is_free)


def _match(streams: _Streams, pairs: Candidates, refused: Candidates) -> TrialMatch:
    left = np.setdiff1d(np.arange(len(streams.codes)), pairs.row)
    left_ephys = np.setdiff1d(np.arange(len(streams.ephys_codes)), pairs.place) + 1
    contradicted = zip(streams.numbers[refused.row], refused.place + 1, strict=True)
    return TrialMatch(
        tuple(streams.numbers[pairs.row].tolist()),
        tuple((pairs.place + 1).tolist()),
        tuple(streams.numbers[left].tolist()),
        tuple(left_ephys.tolist()),
        tuple((int(trial), int(ephys_trial)) for trial, ephys_trial in contradicted),
    )


def _times(values: ArrayLike | None, n: int) -> Seconds:
    return np.full(n, np.nan) if values is None else np.asarray(values, np.float64)


def _ambiguous(streams: _Streams, pairs: Candidates) -> TrialsAreAmbiguous:
    """Name the first ephys trial with a choice, and show both streams around it."""
    place, row = _first_doubt(pairs)
    choices = streams.numbers[pairs.row[pairs.place == place]].tolist()
    which = " or ".join(map(str, choices[:_SHOWN])) + (" or others" if len(choices) > _SHOWN else "")
    if len(choices) == 1:
        which += " or none"
    rows = range(max(0, row - _SHOWN), min(len(streams.codes), row + _SHOWN + 1))
    places = range(max(0, place - _SHOWN), min(len(streams.ephys_codes), place + _SHOWN + 1))
    behavior = " ".join(f"{streams.numbers[at]}:{streams.codes[at] or '-'}" for at in rows)
    ephys = " ".join(f"{at + 1}:{streams.ephys_codes[at] or '-'}" for at in places)
    return TrialsAreAmbiguous(
        streams.file,
        f"ephys trial {place + 1} can be behaviour trial {which}: behaviour has ... {behavior} ..., "
        f"ephys has ... {ephys} ... (trial:code)",
        expected="codes or starts that leave one numbering",
        todo="Write the right trial numbers into the bitcode file as trialNum.",
    )


def _first_doubt(pairs: Candidates) -> tuple[int, int]:
    """Return place and row of the first ephys trial that has two candidates, or one that crosses another's."""
    several = np.flatnonzero(np.bincount(pairs.place) > 1)
    if len(several):
        place = int(several[0])
        return place, int(pairs.row[np.argmax(pairs.place == place)])
    order = np.argsort(pairs.place)
    falls = np.flatnonzero(np.diff(pairs.row[order]) <= 0)
    at = order[falls[0] if len(falls) else 0]
    return int(pairs.place[at]), int(pairs.row[at])
