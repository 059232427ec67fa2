"""Spikes of a Kilosort folder, sorted once into trains, and sums over each unit's spikes. What units are like is told in `kilosort`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from map_assets.ephys.sorters.npy import read_vector
from map_assets.ephys.sorters.protocol import Reals, SortingFolder, SpikeTrains, Wholes

_LARGEST_DENSE_ID = 10_000_000
_LARGEST_SHORT_KEY = 1 << 16
_LARGEST_SAMPLE = 1 << 62


@dataclass(frozen=True)
class Spikes:
    """The sorted trains, and which unit each spike of the files is: `key`, shape (n,), counts into `trains.unit_ids`."""

    trains: SpikeTrains
    key: NDArray[np.unsignedinteger]


def read_spikes(folder: SortingFolder) -> Spikes:
    """Read spike times and clusters and sort them, stably, by unit and time.

    Clusters are those of ``spike_clusters.npy`` (what Phy edits), else of ``spike_templates.npy``. Times are the exact
    samples of ``spike_times.npy``; seconds that others derived from them are not used.

    Raises
    ------
    UnreadableFile
        If a file is damaged.
    PiecesDoNotFit
        If the files differ in length, or hold a negative time or cluster.
    """
    times = read_vector(folder.path("spike_times.npy"))
    clusters = _clusters(folder)
    if len(times) != len(clusters):
        raise folder.misfit(f"{len(times)} spike times and {len(clusters)} clusters", "one cluster for each spike")
    for name, values in (("spike time", times), ("cluster", clusters)):
        if len(values) and (values.min() < 0 or values.max() > _LARGEST_SAMPLE):
            raise folder.misfit(f"a {name} is negative or too large", "samples and cluster ids from 0")
    unit_ids, key = _dense(clusters)
    samples = times.view(np.int64) if times.dtype == np.uint64 else times.astype(np.int64, copy=False)
    is_rising = bool(np.all(samples[1:] >= samples[:-1]))
    order = np.argsort(key, kind="stable") if is_rising else np.lexsort((samples, key))
    offsets = np.r_[0, np.cumsum(np.bincount(key, minlength=len(unit_ids)))].astype(np.int64)
    return Spikes(SpikeTrains(unit_ids, samples[order], offsets), key)


def main_templates(folder: SortingFolder, spikes: Spikes) -> Wholes:
    """Return the template that most spikes of each unit came from, the lowest of equals, shape (u,).

    Without ``spike_templates.npy`` a cluster's template is the one of its own number.
    """
    if "spike_templates.npy" not in folder:
        return spikes.trains.unit_ids
    templates = read_vector(folder.path("spike_templates.npy"))
    if len(templates) != len(spikes.key):
        raise folder.misfit(f"{len(templates)} templates for {len(spikes.key)} spikes", "one template for each spike")
    if not len(templates):
        return np.empty(0, np.int64)
    if templates.min() < 0 or templates.max() > _LARGEST_DENSE_ID:
        raise folder.misfit("a template's number is negative or too large", "templates from 0")
    n_templates = int(templates.max()) + 1
    pair, n_spikes = _counts(spikes.key.astype(np.int64) * n_templates + templates.astype(np.int64))
    unit, template = np.divmod(pair, n_templates)
    order = np.lexsort((template, -n_spikes, unit))
    return np.asarray(template[order][np.unique(unit[order], return_index=True)[1]], np.int64)


def mean_by_unit(spikes: Spikes, values: NDArray[np.generic]) -> Reals:
    """Average one value a spike (in the files' order, shape (n,)) over each unit's spikes, shape (u,)."""
    sums = np.bincount(spikes.key, weights=values.astype(np.float64), minlength=len(spikes.trains.unit_ids))
    return np.asarray(sums / spikes.trains.counts)


def _clusters(folder: SortingFolder) -> NDArray[np.generic]:
    name = "spike_clusters.npy" if "spike_clusters.npy" in folder else "spike_templates.npy"
    return read_vector(folder.path(name))


def _dense(clusters: NDArray[np.generic]) -> tuple[Wholes, NDArray[np.unsignedinteger]]:
    """Return the ids in use, rising, and each spike's place among them in the smallest type: short keys sort fastest."""
    if not len(clusters):
        return np.empty(0, np.int64), np.empty(0, np.uint16)
    if clusters.max() > _LARGEST_DENSE_ID:
        unit_ids, place = np.unique(clusters, return_inverse=True)
    else:
        small = clusters.astype(np.int32, copy=False)
        unit_ids = np.flatnonzero(np.bincount(small))
        place = None
    kind = np.uint16 if len(unit_ids) <= _LARGEST_SHORT_KEY else np.uint32
    if place is not None:
        return unit_ids.astype(np.int64), place.astype(kind)
    key_of: NDArray[np.unsignedinteger] = np.zeros(int(unit_ids[-1]) + 1, kind)
    key_of[unit_ids] = np.arange(len(unit_ids))
    return unit_ids.astype(np.int64), key_of[small]


def _counts(values: Wholes) -> tuple[Wholes, Wholes]:
    """Return the different values, rising, and how often each stands there."""
    if values.max() <= _LARGEST_DENSE_ID:
        counts = np.bincount(values)
        different = np.flatnonzero(counts)
        return different, counts[different]
    return np.unique(values, return_counts=True)
