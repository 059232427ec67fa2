"""Where a Kilosort cluster is largest and how large its template is there. Its spikes are read in `kilosort_trains`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from map_assets.ephys.sorters.npy import read_numbers, read_parts, read_vector, shape_of
from map_assets.ephys.sorters.protocol import Reals, SortingFolder, Wholes

_AXES = 3


@dataclass(frozen=True)
class Peaks:
    """Each unit's peak channel; members of shape (u,).

    Parameters
    ----------
    channel : numpy.ndarray of int
        Channel of the sorted file (row of the saved AP channels), from 0.
    x_um, y_um : numpy.ndarray of float
        Its place in ``channel_positions.npy``, um.
    template_size : numpy.ndarray of float
        Unwhitened peak-to-peak of the unit's template there, in the sorter's units; NaN where it was not asked for.
    """

    channel: Wholes
    x_um: Reals
    y_um: Reals
    template_size: Reals


def find_peaks(folder: SortingFolder, templates: Wholes, known_channel: Reals, wants_size: NDArray[np.bool_]) -> Peaks:
    """Find each unit's peak channel.

    Parameters
    ----------
    folder : SortingFolder
    templates : numpy.ndarray of int, shape (u,)
        Each unit's template.
    known_channel : numpy.ndarray of float, shape (u,)
        Its peak channel where metrics tell it, else NaN.
    wants_size : numpy.ndarray of bool, shape (u,)
        For which units the template's size is needed.

    Raises
    ------
    UnreadableFile
        If a file is damaged.
    PiecesDoNotFit
        If a file is missing, a channel is not in ``channel_map.npy``, or shapes disagree.
    """
    channels = read_vector(folder.path("channel_map.npy")).astype(np.int64)
    positions = read_numbers(folder.path("channel_positions.npy")).astype(np.float64)
    if positions.shape != (len(channels), 2) or not len(channels):
        raise folder.misfit(f"{len(channels)} channels and positions of shape {positions.shape}", "x and y of each")
    place = np.zeros(len(templates), np.intp)
    is_known = ~np.isnan(known_channel)
    place[is_known] = _places(folder, channels, known_channel[is_known].astype(np.int64))
    size = np.full(len(templates), np.nan)
    needed = np.flatnonzero(~is_known | wants_size)
    if len(needed):
        shapes = _templates(folder, templates[needed], len(channels))
        largest = np.maximum(shapes.max(axis=1), -shapes.min(axis=1)).argmax(axis=1)
        place[needed] = np.where(is_known[needed], place[needed], largest)
        size[needed] = _unwhitened_size(folder, shapes, place[needed])
    return Peaks(channels[place], positions[place, 0], positions[place, 1], size)


def count_templates(folder: SortingFolder) -> int | None:
    """Return how many templates the sorter made; None where ``templates.npy`` is not there."""
    return shape_of(folder.path("templates.npy"))[0] if "templates.npy" in folder else None


def _places(folder: SortingFolder, channels: Wholes, wanted: Wholes) -> NDArray[np.intp]:
    order = np.argsort(channels)
    found = order[np.minimum(np.searchsorted(channels[order], wanted), len(channels) - 1)]
    strange = wanted[channels[found] != wanted]
    if len(strange):
        raise folder.misfit(
            f"metrics.csv has peak channel {strange[0]}, which is not in channel_map.npy", "a channel that was sorted"
        )
    return found


def _templates(folder: SortingFolder, templates: Wholes, n_channels: int) -> NDArray[np.floating]:
    """Read templates, shape (k, samples, channels)."""
    shape = shape_of(folder.path("templates.npy"))
    if len(shape) != _AXES or shape[2] != n_channels or not shape[1]:
        raise folder.misfit(f"templates of shape {shape} for {n_channels} channels", "templates over all channels")
    if templates.max() >= shape[0]:
        raise folder.misfit(
            f"cluster or template {templates.max()} has none of the {shape[0]} templates", "a template for each unit"
        )
    found = read_parts(folder.path("templates.npy"), [(template,) for template in templates.tolist()], _AXES)
    return np.asarray(found, np.float32)


def _unwhitened_size(folder: SortingFolder, shapes: NDArray[np.floating], place: NDArray[np.intp]) -> Reals:
    """Peak-to-peak on one channel each after undoing the whitening, shape (k,); NaN without the whitening's inverse."""
    if "whitening_mat_inv.npy" not in folder:
        return np.full(len(place), np.nan)
    inverse = read_numbers(folder.path("whitening_mat_inv.npy")).astype(np.float64)
    if inverse.shape != (shapes.shape[2], shapes.shape[2]):
        raise folder.misfit(
            f"whitening_mat_inv.npy of shape {inverse.shape} for {shapes.shape[2]} channels", "a square one"
        )
    traces = np.einsum("ktc,ck->kt", shapes, inverse[:, place])
    return np.asarray(np.ptp(traces, axis=1), np.float64)
