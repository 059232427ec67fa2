"""What a Kilosort folder tells of each spike: its amplitude and its depth. Which template it came from is read in `kilosort_trains`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from map_assets.ephys.sorters.kilosort_templates import Channels
from map_assets.ephys.sorters.npy import read_blocks, read_numbers, shape_of
from map_assets.ephys.sorters.protocol import Reals, SortingFolder

_BLOCK = 1 << 18
_AXES_OF_FEATURES = 3
_ALONG = 1

Float32s = NDArray[np.float32]


def amplitudes_uv(
    amplitudes: Float32s | None, templates: NDArray[np.integer], size_uv: Reals | None
) -> Float32s | None:
    """Turn each spike's amplitude into uV, peak to peak; None where one of the parts is not told.

    Parameters
    ----------
    amplitudes : numpy.ndarray of float32, shape (n,), or None
        In the sorter's units: how many times its template each spike is.
    templates : numpy.ndarray of int, shape (n,)
        Each spike's template.
    size_uv : numpy.ndarray of float, shape (t,), or None
        Peak-to-peak of each template at an amplitude of 1, uV.
    """
    if size_uv is None or amplitudes is None or np.isnan(size_uv).all():
        return None
    found = np.empty(len(amplitudes), np.float32)
    for start in range(0, len(found), _BLOCK):
        part = slice(start, start + _BLOCK)
        found[part] = amplitudes[part] * size_uv[templates[part]]
    return found


def read_depths(folder: SortingFolder, templates: NDArray[np.integer], channels: Channels) -> Float32s | None:
    """Return each spike's depth in the files' order, um, shape (n,); None where no file tells it.

    ``spike_positions.npy`` (Kilosort 4) has it. Else it is the mean of the template's feature channels' y, weighted by
    the square of the first principal component, where that is positive; NaN where it is so on none. The components
    are read in blocks and never held whole: of a long recording they take 10 GB.
    """
    if "spike_positions.npy" in folder:
        return _from_positions(folder, len(templates))
    if "pc_features.npy" in folder and "pc_feature_ind.npy" in folder:
        return _from_components(folder, templates, channels)
    return None


def _from_positions(folder: SortingFolder, n_spikes: int) -> Float32s:
    path = folder.path("spike_positions.npy")
    shape = shape_of(path)
    if shape == (2,) and n_spikes == 1:
        return np.asarray(read_numbers(path, "f")[_ALONG:], np.float32)
    if shape != (n_spikes, 2):
        raise folder.misfit(f"spike positions of shape {shape} for {n_spikes} spikes", "x and y of each")
    depth = np.empty(n_spikes, np.float32)
    for start, block in read_blocks(path, 2, at=_ALONG):
        depth[start : start + len(block)] = block
    return depth


def _from_components(folder: SortingFolder, templates: NDArray[np.integer], channels: Channels) -> Float32s:
    path, n_spikes = folder.path("pc_features.npy"), len(templates)
    held = np.atleast_2d(read_numbers(folder.path("pc_feature_ind.npy")).astype(np.int64))
    shape = shape_of(path)
    is_squeezed = n_spikes == 1 and len(shape) == _AXES_OF_FEATURES - 1
    if is_squeezed:
        shape = (1, *shape)
    if (
        len(shape) != _AXES_OF_FEATURES
        or held.ndim != _AXES_OF_FEATURES - 1
        or (shape[0], shape[2]) != (n_spikes, held.shape[-1])
    ):
        raise folder.misfit(
            f"features of shape {shape} and their channels of shape {held.shape} for {n_spikes} spikes",
            "components of each spike over its template's feature channels",
        )
    if n_spikes and templates.max() >= len(held):
        raise folder.misfit(
            f"template {templates.max()} has none of {len(held)} rows of pc_feature_ind.npy", "a row for each template"
        )
    is_there = (held >= 0) & (held < len(channels.number))
    y_um = np.where(is_there, channels.position_um[np.where(is_there, held, 0), _ALONG], 0.0).astype(np.float32)
    use = None if is_there.all() else is_there.astype(np.float32)
    depth = np.empty(n_spikes, np.float32)
    blocks = [(0, read_numbers(path, "f")[:1])] if is_squeezed else read_blocks(path, _AXES_OF_FEATURES, at=0)
    for start, block in blocks:
        template = templates[start : start + len(block)]
        weights = np.maximum(block, 0, dtype=np.float32)
        weights *= weights
        if use is not None:
            weights *= use[template]
        total = weights.sum(axis=1)
        moment = np.einsum("nc,nc->n", weights, y_um[template])
        with np.errstate(divide="ignore", invalid="ignore"):
            depth[start : start + len(block)] = moment / total
    return depth
