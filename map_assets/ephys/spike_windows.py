"""Averages windows of a raw recording around many units' spikes, in one pass over the file. Which units, and their tables, are in `waveforms`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from map_assets.ephys.bin_samples import BinSamples

N_SAMPLES = 82
FIRST_SAMPLE = -41
"""Window about each spike, samples: as long as Kilosort's templates, [-41, 41)."""
MOST_SPIKES = 500
"""Spikes of a unit that are averaged."""
_MOST_GAP = 200
"""Windows that are no further apart than this, samples, are read together with what lies between them."""
_MOST_ROWS = 40_000
"""Rows of the file that are read at once, about: 30 MB of a probe's recording."""
_UNITS_AT_ONCE = 250
"""Units of which all windows are held in memory together, 1 MB a unit; the file is gone through once for so many."""

Wholes = NDArray[np.int64]


@dataclass(frozen=True)
class MeanWindows:
    """What u units' windows average to, in bits of the recording.

    Parameters
    ----------
    n_spikes : numpy.ndarray of int, shape (u,)
    mean : numpy.ndarray of float, shape (u, k, N_SAMPLES)
        NaN for a unit without spikes.
    residual : numpy.ndarray of float, shape (u,)
        Standard deviation of the single windows about the mean on each unit's first channel; NaN below two spikes.
    """

    n_spikes: Wholes
    mean: NDArray[np.float64]
    residual: NDArray[np.float64]


def choose_spikes(session: str, probe: int, unit_id: int, samples: Wholes, n_file_samples: int) -> Wholes:
    """Choose up to `MOST_SPIKES` of a unit's spikes by lot, the same on every machine and in every order of units.

    The lot is NumPy's default generator with the SHA-256 of ``{session}/{probe}/{unit_id}`` as its seed. Spikes whose
    window is not wholly in the file take no part.

    Parameters
    ----------
    samples : numpy.ndarray of int, shape (n,)
        The unit's spike times, samples.
    n_file_samples : int
        Length of the recording, samples.

    Returns
    -------
    numpy.ndarray of int, shape (m,)
        In the order of `samples`.
    """
    whole = samples[(samples >= -FIRST_SAMPLE) & (samples <= n_file_samples - N_SAMPLES - FIRST_SAMPLE)]
    if len(whole) <= MOST_SPIKES:
        return whole
    seed = hashlib.sha256(f"{session}/{probe}/{unit_id}".encode()).digest()
    lot = np.random.default_rng(int.from_bytes(seed, "big"))
    return whole[np.sort(lot.choice(len(whole), MOST_SPIKES, replace=False, shuffle=False))]


def average_windows(
    recording: NDArray[np.int16] | BinSamples, trains: Sequence[Wholes], channels: Wholes
) -> MeanWindows:
    """Average the windows about every unit's spikes on its own channels.

    From each window of each channel its own median is taken, which removes the offset and what is slow against 3 ms;
    nothing else is filtered. Sums are of whole numbers, so that the result depends on no order.

    Parameters
    ----------
    recording : numpy.ndarray of int16 or BinSamples, shape (n_samples, n_channels)
    trains : sequence of numpy.ndarray of int
        Spikes of each of the u units, samples; every window lies in the file.
    channels : numpy.ndarray of int, shape (u, k)
        Channels of each unit; the first is the one whose residual is measured.
    """
    mean = np.full((*channels.shape, N_SAMPLES), np.nan)
    residual = np.full(len(trains), np.nan)
    counts = np.array([len(train) for train in trains], np.int64)
    for begin in range(0, len(trains), _UNITS_AT_ONCE):
        group = slice(begin, begin + _UNITS_AT_ONCE)
        windows = _gather(recording, trains[group], channels[group])
        ends = np.cumsum(counts[group])[:-1]
        for unit, found in enumerate(np.split(windows, ends), begin):
            if len(found):
                mean[unit], residual[unit] = _average(found)
    return MeanWindows(counts, mean, residual)


def _gather(recording: NDArray[np.int16] | BinSamples, trains: Sequence[Wholes], channels: Wholes) -> NDArray[np.int16]:
    """Read windows from the file's beginning to its end; return them unit after unit, shape (n, k, N_SAMPLES)."""
    n_channels = recording.shape[1]
    sample, unit = np.concatenate(trains), np.repeat(np.arange(len(trains)), [len(train) for train in trains])
    windows = np.empty((len(sample), channels.shape[1], N_SAMPLES), np.int16)
    order = np.argsort(sample, kind="stable")
    starts = sample[order] + FIRST_SAMPLE
    steps = np.arange(N_SAMPLES) * n_channels
    for begin, end in pairwise(_runs(starts)):
        part, first = order[begin:end], starts[begin]
        rows = recording[int(first) : int(starts[end - 1]) + N_SAMPLES]
        at = (starts[begin:end, None] - first) * n_channels + channels[unit[part]]
        windows[part] = rows.reshape(-1).take(at[:, :, None] + steps)
    return windows


def _runs(starts: Wholes) -> list[int]:
    """Part windows, given by their first samples in rising order, into runs that are read at once."""
    if not len(starts):
        return []
    is_apart = np.diff(starts) > N_SAMPLES + _MOST_GAP
    # a run that is too long is cut where the file's next stretch of so many rows begins
    is_cut = np.diff(starts // _MOST_ROWS) > 0
    return [0, *(np.flatnonzero(is_apart | is_cut) + 1).tolist(), len(starts)]


def _average(windows: NDArray[np.int16]) -> tuple[NDArray[np.float64], float]:
    """Average one unit's windows, shape (n, k, N_SAMPLES): their mean, and the residual on the first channel."""
    n, middle = len(windows), N_SAMPLES // 2
    ranked = np.sort(windows, axis=-1)
    # twice the median is whole: two values stand in the middle
    twice_median = ranked[..., middle - 1].astype(np.int32) + ranked[..., middle]
    twice = 2 * windows.astype(np.int32) - twice_median[..., None]
    mean = twice.sum(axis=0) / (2 * n)
    if n == 1:
        return mean, np.nan
    power = float(np.square(twice[:, 0], dtype=np.float64).sum()) / (4 * n * N_SAMPLES)
    return mean, float(np.sqrt(max(power - float(np.mean(mean[0] ** 2)), 0.0)))
