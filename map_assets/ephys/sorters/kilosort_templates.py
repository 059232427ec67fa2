"""Kilosort's templates: on which channel each is largest, and how large it is there. Which spikes came from which is read in `kilosort_trains`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from map_assets.ephys.sorters.npy import read_blocks, read_numbers, read_vector, shape_of
from map_assets.ephys.sorters.protocol import Reals, SortingFolder, Wholes

_AXES = 3
_LARGEST_CHANNEL = int(np.iinfo(np.int16).max)


@dataclass(frozen=True)
class Channels:
    """The channels that were sorted.

    Parameters
    ----------
    number : numpy.ndarray of int, shape (c,)
        Channel of the sorted file (row of the saved AP channels), from 0.
    position_um : numpy.ndarray of float, shape (c, 2)
        x and y of ``channel_positions.npy``.
    """

    number: Wholes
    position_um: Reals


@dataclass(frozen=True)
class Shapes:
    """Every template's largest channel; members of shape (t,).

    Parameters
    ----------
    place : numpy.ndarray of int
        That channel's row in `Channels`.
    size : numpy.ndarray of float
        Peak-to-peak there after undoing the whitening, in the sorter's units; NaN without the whitening.
    """

    place: NDArray[np.intp]
    size: Reals


def read_channels(folder: SortingFolder) -> Channels:
    """Read which channels were sorted and where they are.

    Raises
    ------
    UnreadableFile
        If a file is damaged.
    PiecesDoNotFit
        If a file is missing, the two disagree, or a channel is no channel's number.
    """
    numbers = read_vector(folder.path("channel_map.npy")).astype(np.int64)
    positions = read_numbers(folder.path("channel_positions.npy")).astype(np.float64)
    if positions.shape == (2,) and len(numbers) == 1:
        positions = positions[None]
    if positions.shape != (len(numbers), 2) or not len(numbers):
        raise folder.misfit(f"{len(numbers)} channels and positions of shape {positions.shape}", "x and y of each")
    if numbers.min() < 0 or numbers.max() > _LARGEST_CHANNEL:
        raise folder.misfit("channel_map.npy has a negative or too large number", "channels from 0")
    return Channels(numbers, positions)


def count_templates(folder: SortingFolder) -> int | None:
    """Return how many templates the sorter made; None where ``templates.npy`` is not there."""
    if "templates.npy" not in folder:
        return None
    shape = shape_of(folder.path("templates.npy"))
    return 1 if len(shape) < _AXES else shape[0]


def read_shapes(folder: SortingFolder, channels: Channels, *, is_kilosort4: bool) -> Shapes:
    """Find every template's largest channel, reading ``templates.npy`` once, in blocks.

    Templates over some channels only (Phy's sparse form) need ``templates_ind.npy`` or ``template_ind.npy``.

    Raises
    ------
    UnreadableFile
        If a file is damaged.
    PiecesDoNotFit
        If a file is missing, or shapes disagree.
    """
    n_channels = len(channels.number)
    undo = _unwhitening(folder, n_channels, is_kilosort4=is_kilosort4)
    places, sizes = [np.empty(0, np.intp)], [np.empty(0)]
    for block, held in _templates(folder, n_channels):
        largest = np.maximum(block.max(axis=1), -block.min(axis=1))
        if held is not None:
            largest[held < 0] = -1
        column = largest.argmax(axis=1)
        place = column if held is None else held[np.arange(len(held)), column]
        places.append(place.astype(np.intp))
        if undo is None:
            sizes.append(np.full(len(place), np.nan))
        else:
            weights = undo[:, place].T if held is None else np.where(held < 0, 0, undo[held, place[:, None]])
            traces = np.matmul(block.astype(np.float64), weights[:, :, None])[:, :, 0]
            sizes.append(np.ptp(traces, axis=1))
    return Shapes(np.concatenate(places), np.concatenate(sizes))


def places_of(folder: SortingFolder, channels: Channels, wanted: Wholes) -> NDArray[np.intp]:
    """Return the rows of these channels in `Channels`.

    Raises
    ------
    PiecesDoNotFit
        If one was not sorted.
    """
    order = np.argsort(channels.number)
    found = order[np.minimum(np.searchsorted(channels.number[order], wanted), len(order) - 1)]
    strange = wanted[channels.number[found] != wanted]
    if len(strange):
        raise folder.misfit(
            f"metrics.csv has peak channel {strange[0]}, which is not in channel_map.npy", "a channel that was sorted"
        )
    return np.asarray(found, np.intp)


def _templates(
    folder: SortingFolder, n_channels: int
) -> Iterator[tuple[NDArray[np.floating], NDArray[np.int64] | None]]:
    """Read templates, (k, samples, c) at a time, with the channels' rows (k, c) where they are not all of them; -1 is none."""
    path = folder.path("templates.npy")
    shape = shape_of(path)
    if len(shape) == _AXES - 1 and n_channels in (1, shape[1]):
        # one template, or one channel, whose axis the writer dropped
        whole = np.asarray(read_numbers(path, "f"), np.float32)
        yield (whole[None] if shape[1] == n_channels else whole[:, :, None]), None
        return
    if len(shape) != _AXES or not shape[1] or not shape[2]:
        raise folder.misfit(f"templates of shape {shape} for {n_channels} channels", "templates over all channels")
    held = None if shape[2] == n_channels else _held(folder, shape, n_channels)
    for start, block in read_blocks(path, _AXES):
        yield np.asarray(block, np.float32), None if held is None else held[start : start + len(block)]


def _held(folder: SortingFolder, shape: tuple[int, ...], n_channels: int) -> NDArray[np.int64]:
    """Read which channels a sparse template is over, shape (t, c)."""
    name = next((name for name in ("templates_ind.npy", "template_ind.npy") if name in folder), None)
    found = None if name is None else read_numbers(folder.path(name)).astype(np.int64)
    if found is None or found.shape != (shape[0], shape[2]) or found.max(initial=-1) >= n_channels:
        raise folder.misfit(f"templates of shape {shape} for {n_channels} channels", "templates over all channels")
    if np.any(found.max(axis=1, initial=-1) < 0):
        raise folder.misfit("a template is over no channel", "at least one")
    return found


def _unwhitening(folder: SortingFolder, n_channels: int, *, is_kilosort4: bool) -> Reals | None:
    """Return the matrix that a row of whitened channels is multiplied with, shape (c, c); None where no file tells it.

    Kilosort 4 whitens columns of channels, so its matrix is turned; its early versions wrote a stand-in for Phy to
    ``whitening_mat_inv.npy``, and the true one to ``whitening_mat_dat.npy``.
    """
    is_true = is_kilosort4 and "whitening_mat_dat.npy" in folder
    name = "whitening_mat_dat.npy" if is_true else "whitening_mat_inv.npy"
    if name not in folder:
        return None
    matrix = np.atleast_2d(read_numbers(folder.path(name)).astype(np.float64))
    if matrix.shape != (n_channels, n_channels):
        raise folder.misfit(f"{name} of shape {matrix.shape} for {n_channels} channels", "a square one")
    if not is_true:
        return matrix.T if is_kilosort4 else matrix
    try:
        return np.asarray(np.linalg.inv(matrix).T)
    except np.linalg.LinAlgError as error:
        raise folder.misfit(f"{name} cannot be inverted", "the whitening that was used") from error
