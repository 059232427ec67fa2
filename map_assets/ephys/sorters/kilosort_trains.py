"""Spikes of a Kilosort folder and the templates that they came from. Sorting them lives in `trains`, what units are like in `kilosort`."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from map_assets.ephys.sorters.npy import read_vector
from map_assets.ephys.sorters.protocol import SortingFolder, SpikeTrains, Wholes
from map_assets.ephys.sorters.trains import Spikes, sort_spikes

_LARGEST_TEMPLATE = (1 << 31) - 1
_LARGEST_SHORT = 1 << 16
_LARGEST_SAMPLE = 1 << 62
_WIDE = 1 << 20


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
    return sort_spikes(times, clusters)


def read_templates(folder: SortingFolder, n_spikes: int) -> NDArray[np.integer]:
    """Return each spike's template in the files' order, shape (n,), in a small type.

    Without ``spike_templates.npy`` a spike's template is the one of its cluster's number.

    Raises
    ------
    UnreadableFile
        If the file is damaged.
    PiecesDoNotFit
        If it is not of as many spikes, or holds a negative or too large number.
    """
    name = "spike_templates.npy" if "spike_templates.npy" in folder else "spike_clusters.npy"
    templates = read_vector(folder.path(name))
    if len(templates) != n_spikes:
        raise folder.misfit(f"{len(templates)} templates for {n_spikes} spikes", "one template for each spike")
    if not n_spikes:
        return np.empty(0, np.uint16)
    largest = templates.max()
    if templates.min() < 0 or largest > _LARGEST_TEMPLATE:
        raise folder.misfit("a template's number is negative or too large", "templates from 0")
    return templates.astype(np.uint16 if largest < _LARGEST_SHORT else np.int32)


def main_templates(trains: SpikeTrains, templates: NDArray[np.integer]) -> Wholes:
    """Return the template that most spikes of each unit came from, the lowest of equals, shape (u,).

    Parameters
    ----------
    trains : SpikeTrains
    templates : numpy.ndarray of int, shape (n,)
        Each spike's template, in the order of the trains.
    """
    bounds = trains.offsets.tolist()
    return np.array([_most(templates[start:stop]) for start, stop in pairwise(bounds)], np.int64)


def _clusters(folder: SortingFolder) -> NDArray[np.generic]:
    name = "spike_clusters.npy" if "spike_clusters.npy" in folder else "spike_templates.npy"
    return read_vector(folder.path(name))


def _most(values: NDArray[np.integer]) -> int:
    low, high = int(values.min()), int(values.max())
    if high - low < _WIDE:
        return low + int(np.bincount(values - values.dtype.type(low)).argmax())
    different, counts = np.unique(values, return_counts=True)
    return int(different[counts.argmax()])
