"""How many spikes the units of two sortings of one probe share. What that means for a unit is told in `sorting_changes`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Wholes = NDArray[np.int64]

EXACT_SHARE = 0.99
"""From this share of the shorter stream's spikes on samples of the other, one was made from the other's own spikes."""

MOST_PARTNERS = 256
"""Spikes of the other stream that are compared with one spike at most; only a damaged stream has more within a ms."""

LONGEST_GAP = 255
"""Samples; more than twice the largest tolerance."""

_PAIRS_A_CHUNK = 1 << 21
_SPIKES_A_CHUNK = 1 << 18
_MOST_CELLS = 1 << 24
_SPIKES_TO_COMPARE = 1 << 20
_BITS = 62
_GAP_BITS = 8


@dataclass(frozen=True)
class Stream:
    """All spikes of a sorting in the order of time.

    Parameters
    ----------
    n_units : int
    sample : numpy.ndarray of int, shape (n,)
        Rising.
    unit : numpy.ndarray of int, shape (n,)
        Which unit, from 0.
    gap : numpy.ndarray of int, shape (n,)
        Samples since the same unit's spike before, `LONGEST_GAP` where they are as many, or more, or it is its first.
    """

    n_units: int
    sample: Wholes
    unit: NDArray[np.integer[Any]]
    gap: NDArray[np.uint8]


@dataclass(frozen=True)
class Overlap:
    """Pairs of units that share spikes; arrays of shape (p,), by unit and by the other stream's unit.

    Parameters
    ----------
    unit, other : numpy.ndarray of int
        Which units, from 0.
    n_shared : numpy.ndarray of int
        Spikes that have a partner in the other unit: of the one unit or of the other, whichever are fewer.
    """

    unit: Wholes
    other: Wholes
    n_shared: Wholes


def stream_of(samples: Wholes, counts: Wholes) -> Stream:
    """Put the spikes of units, given one unit after the other, each rising, into the order of time.

    Parameters
    ----------
    samples : numpy.ndarray of int, shape (n,)
    counts : numpy.ndarray of int, shape (u,)
        Spikes of each unit.
    """
    n_units = len(counts)
    unit: NDArray[np.integer[Any]] = np.repeat(np.arange(n_units), counts)
    gap = _gaps(samples, counts)
    bits = max(1, (n_units - 1).bit_length())
    if len(samples) and int(samples.max()) >> (_BITS - bits - _GAP_BITS):
        order = np.lexsort((unit, samples))
        return Stream(n_units, samples[order], unit[order], gap[order])
    # one number of sample, unit and gap sorts several times faster than three
    packed = samples << bits
    packed |= unit
    packed <<= _GAP_BITS
    packed |= LONGEST_GAP - gap.astype(np.int64)  # of a unit's spikes on one sample, the first stays the first
    packed.sort(kind="stable")  # which merges the units, each of which rises already
    gap = (LONGEST_GAP - (packed & LONGEST_GAP)).astype(np.uint8)
    packed >>= _GAP_BITS
    unit = (packed & ((1 << bits) - 1)).astype(np.uint32)
    packed >>= bits
    return Stream(n_units, packed, unit, gap)


def _gaps(samples: Wholes, counts: Wholes) -> NDArray[np.uint8]:
    gap = np.full(len(samples), LONGEST_GAP, np.uint8)
    gap[1:] = np.minimum(np.diff(samples).view(np.uint64), LONGEST_GAP)  # a step back to the next unit is huge so
    gap[(np.cumsum(counts) - counts)[counts > 0]] = LONGEST_GAP
    return gap


def is_same_stream(one: Stream, other: Stream) -> bool:
    """Whether the shorter stream's spikes stand on samples of the longer one, as after curation, not beside them."""
    short, long = sorted((one, other), key=lambda stream: len(stream.sample))
    if not len(short.sample):
        return True
    wanted = short.sample[:: max(1, len(short.sample) // _SPIKES_TO_COMPARE)]
    place = np.minimum(np.searchsorted(long.sample, wanted), len(long.sample) - 1)
    return bool(np.mean(long.sample[place] == wanted) >= EXACT_SHARE)


def count_shared(one: Stream, other: Stream, tolerance: int) -> Overlap:
    """Count the spikes that each pair of units shares: those with a partner in the other unit within the tolerance.

    Parameters
    ----------
    tolerance : int
        Largest distance of partners, samples; less than half of `LONGEST_GAP`.
    """
    n_cells = one.n_units * other.n_units
    forward, backward = _Counts(n_cells), _Counts(n_cells)
    for spike, partner in _near(one, other, tolerance):
        sample, partner_sample = one.sample[spike], other.sample[partner]
        cell = one.unit[spike].astype(np.int64) * other.n_units + other.unit[partner]
        # a spike counts once a unit, with its first partner there
        forward.add(cell[partner_sample - other.gap[partner] < sample - tolerance])
        backward.add(cell[sample - one.gap[spike] < partner_sample - tolerance])
    (cell, n_forward), (same_cell, n_backward) = forward.result(), backward.result()
    cell, place, same_place = np.intersect1d(cell, same_cell, assume_unique=True, return_indices=True)
    unit, partner = np.divmod(cell, max(other.n_units, 1))
    return Overlap(unit, partner, np.minimum(n_forward[place], n_backward[same_place]))


def _near(one: Stream, other: Stream, tolerance: int) -> Iterator[tuple[Wholes, Wholes]]:
    """Give the pairs of spikes within the tolerance, some at a time: places in `one` and in `other`."""
    for start in range(0, len(one.sample), _SPIKES_A_CHUNK):
        sample = one.sample[start : start + _SPIKES_A_CHUNK]
        first, last = np.searchsorted(other.sample, [sample[0] - tolerance, sample[-1] + tolerance + 1])
        there = other.sample[first:last]
        low = np.searchsorted(there, sample - tolerance)
        n_partners = np.minimum(np.searchsorted(there, sample + tolerance, side="right") - low, MOST_PARTNERS)
        ends = np.cumsum(n_partners)
        begin = 0
        while begin < len(sample):
            done = int(ends[begin - 1]) if begin else 0
            end = max(begin + 1, int(np.searchsorted(ends, done + _PAIRS_A_CHUNK, side="right")))
            number = n_partners[begin:end]
            spike = np.repeat(np.arange(begin, end), number)
            partner = np.arange(len(spike)) + np.repeat(low[begin:end] - (ends[begin:end] - number - done), number)
            yield spike + start, partner + first
            begin = end


class _Counts:
    """How often each cell was met: a plain array of all cells, or only those that were, where there are too many."""

    def __init__(self, n_cells: int) -> None:
        self._dense = np.zeros(n_cells, np.int64) if n_cells <= _MOST_CELLS else None
        self._sparse = np.empty(0, np.int64), np.empty(0, np.int64)

    def add(self, cells: Wholes) -> None:
        """Count cells."""
        if self._dense is not None:
            self._dense += np.bincount(cells, minlength=len(self._dense))
            return
        met, n = np.unique(cells, return_counts=True)
        met, place = np.unique(np.concatenate([self._sparse[0], met]), return_inverse=True)
        total = np.bincount(place, np.concatenate([self._sparse[1], n]), len(met))
        self._sparse = met, total.astype(np.int64)

    def result(self) -> tuple[Wholes, Wholes]:
        """Return the cells that were met, rising, and how often."""
        if self._dense is None:
            return self._sparse
        met = np.flatnonzero(self._dense)
        return met, self._dense[met]
