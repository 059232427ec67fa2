"""Sorting spikes once, by unit and time; every sorter's module does it here. How its files are read lives in that module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.ephys.sorters.protocol import Reals, SpikeTrains, Wholes

_LARGEST_DENSE_ID = 10_000_000
_LARGEST_SHORT_KEY = 1 << 16
_MANY = 1 << 20
_BLOCK = 1 << 18


@dataclass(frozen=True)
class Spikes:
    """The sorted trains, and where in the files each of their spikes stands: `order`, shape (n,)."""

    trains: SpikeTrains
    order: NDArray[np.signedinteger]

    def sorted(self, values: NDArray[Any]) -> NDArray[Any]:
        """Bring one value a spike, in the files' order, into the order of the trains."""
        native = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
        return np.asarray(pa.array(native).take(pa.array(self.order)).to_numpy())


def sort_spikes(times: NDArray[np.generic], clusters: NDArray[np.generic]) -> Spikes:
    """Sort spikes, stably, by unit and time.

    Parameters
    ----------
    times, clusters : numpy.ndarray of int, shape (n,)
        Samples and ids, none negative; in any order.
    """
    samples = times.view(np.int64) if times.dtype == np.uint64 else times.astype(np.int64, copy=False)
    if not len(samples):
        empty = np.empty(0, np.int64)
        return Spikes(SpikeTrains(empty, empty, np.zeros(1, np.int64)), empty)
    names, key = _keys(clusters)
    counts = _count(key)
    rows = np.flatnonzero(counts)
    order, ordered = _order(key, len(counts), samples)
    offsets = np.r_[0, np.cumsum(counts[rows])].astype(np.int64)
    return Spikes(SpikeTrains(rows if names is None else names, ordered, offsets), order)


def mean_by_unit(trains: SpikeTrains, values: NDArray[np.generic]) -> Reals:
    """Average one value a spike, in the order of the trains, over each unit's spikes, shape (u,)."""
    if not len(trains.unit_ids):
        return np.empty(0)
    return np.asarray(np.add.reduceat(values, trains.offsets[:-1], dtype=np.float64) / trains.counts)


def _keys(clusters: NDArray[np.generic]) -> tuple[Wholes | None, NDArray[np.int32]]:
    """Return a small key for each spike, and what the keys stand for; None where keys are the ids themselves."""
    if clusters.max() <= _LARGEST_DENSE_ID:
        is_view = clusters.dtype == np.uint32
        return None, clusters.view(np.int32) if is_view else clusters.astype(np.int32, copy=False)
    names, key = np.unique(clusters, return_inverse=True)
    return names.astype(np.int64), key.astype(np.int32)


def _count(key: NDArray[np.int32]) -> Wholes:
    """Count each key from 0, in blocks: a whole count would hold a wide copy of all keys."""
    counts = np.zeros(int(key.max()) + 1, np.int64)
    if len(counts) > _BLOCK:
        return np.bincount(key)
    for start in range(0, len(key), _BLOCK):
        counts += np.bincount(key[start : start + _BLOCK], minlength=len(counts))
    return counts


def _order(key: NDArray[np.int32], n_keys: int, samples: Wholes) -> tuple[NDArray[np.signedinteger], Wholes]:
    """Return the stable order by key and time, and the samples in it.

    Where time rises already, many spikes are sorted by counting: turning a sparse matrix with one entry a column
    (the spike) into rows (the unit) does that in one pass.
    """
    if not np.all(samples[1:] >= samples[:-1]):
        order = np.lexsort((samples, key))
        return order, samples[order]
    if len(key) < _MANY or len(key) > np.iinfo(np.int32).max - 1:
        order = np.argsort(key.astype(np.uint16) if n_keys <= _LARGEST_SHORT_KEY else key, kind="stable")
        return order, samples[order]
    from scipy.sparse import csc_array

    ends = np.arange(len(key) + 1, dtype=np.int32)
    rows = csc_array((samples, key, ends), shape=(n_keys, len(key))).tocsr()
    return rows.indices, rows.data
