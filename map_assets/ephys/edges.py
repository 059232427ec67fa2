"""Edges of lines inside a ``.bin``, as exact samples, read in pieces. Which line means what is said in `nidq` and in the protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from map_assets.ephys.bin_samples import BinSamples

_PIECE_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Line:
    """A line in a ``.bin``: a column of it, and when it is high.

    Parameters
    ----------
    column : int
    bit : int or None
        Of a digital word; None for an analog channel.
    threshold : float
        Of an analog channel, in counts; at it and above the line is high.
    """

    column: int
    bit: int | None = None
    threshold: float = 0.0


@dataclass(frozen=True)
class Edges:
    """A line's edges in order, shape (n,).

    Parameters
    ----------
    sample : numpy.ndarray of int
        First sample of the new state, from 0; a line that is high from the first sample on has no edge there.
    is_rising : numpy.ndarray of bool
    """

    sample: NDArray[np.int64]
    is_rising: NDArray[np.bool_]

    @property
    def rising(self) -> NDArray[np.int64]:
        """Samples of the rising edges."""
        return self.sample[self.is_rising]


def find_edges(
    samples: NDArray[np.int16] | BinSamples, lines: Sequence[Line], *, piece_bytes: int = _PIECE_BYTES
) -> tuple[Edges, ...]:
    """Find several lines' edges in one pass; at most `piece_bytes` of the file are in memory at once.

    Parameters
    ----------
    samples : numpy.ndarray of int16 or BinSamples, shape (n_samples, n_channels)
    lines : sequence of Line
    piece_bytes : int

    Returns
    -------
    tuple of Edges
        One for each line.
    """
    n_rows = max(1, piece_bytes // max(1, 2 * samples.shape[1]))
    found: list[list[NDArray[np.int64]]] = [[] for _ in lines]
    starts_high = [False for _ in lines]
    for first in range(0, len(samples), n_rows):
        # one row of the piece before, so that an edge between two pieces is seen
        since = max(0, first - 1)
        piece = np.ascontiguousarray(samples[since : first + n_rows])
        for number, line in enumerate(lines):
            state = _is_high(piece[:, line.column], line)
            found[number].append(np.flatnonzero(state[1:] != state[:-1]) + since + 1)
            if first == 0:
                starts_high[number] = bool(state[0])
    return tuple(_edges(parts, is_high) for parts, is_high in zip(found, starts_high, strict=True))


def _is_high(column: NDArray[np.int16], line: Line) -> NDArray[np.bool_]:
    if line.bit is None:
        return np.asarray(column >= line.threshold)
    return np.asarray(column.view(np.uint16) >> np.uint16(line.bit) & 1 == 1)


def _edges(parts: list[NDArray[np.int64]], starts_high: bool) -> Edges:
    sample = np.concatenate([np.empty(0, np.int64), *parts])
    return Edges(sample, (np.arange(len(sample)) % 2 == 0) != starts_high)
