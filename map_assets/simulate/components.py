"""Writes the principal components of a made-up sorting's spikes, as MATLAB's Kilosort does. The sorting itself lives in `kilosort`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.chance import generator
from map_assets.simulate.neurons import Neurons, sorted_channels
from map_assets.simulate.writing import write_npy

_N_COMPONENTS = 3
_N_CHANNELS = 32
_FALL_OFF = 2.5


def write_components(
    folder: Path,
    plan: SessionPlan,
    number: int,
    neurons: Neurons,
    template: NDArray[np.int64],
    n_templates: int,
) -> list[Path]:
    """Write ``pc_features.npy`` and ``pc_feature_ind.npy`` for the spikes that are in the folder already.

    A template's feature channels are those next to its unit's; the first component falls off with their distance, with
    noise that makes some negative. Templates without a unit have the first channels.

    Parameters
    ----------
    folder : pathlib.Path
    plan : SessionPlan
    number : int
        Of the probe, from 1.
    neurons : Neurons
    template : numpy.ndarray of int, shape (n, 2)
        Each unit's templates.
    n_templates : int
    """
    channels = sorted_channels(plan, number)
    n_held = min(_N_CHANNELS, len(channels))
    held = np.tile(np.arange(n_held), (n_templates, 1))
    height = np.zeros((n_templates, n_held), np.float32)
    distance = np.abs(channels[None, :] - neurons.channel[:, None])
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :n_held]
    for column in range(template.shape[1]):
        held[template[:, column]] = nearest
        near = np.take_along_axis(distance, nearest, axis=1)
        height[template[:, column]] = 20.0 * np.exp(-near / _FALL_OFF)
    of_spike = np.load(folder / "spike_templates.npy").ravel()
    rng = generator(plan.seed, plan.key, number, "components")
    features = np.empty((len(of_spike), _N_COMPONENTS, n_held), np.float32, order="F")
    for component in range(_N_COMPONENTS):
        scale = 0.3**component
        features[:, component] = height[of_spike] * scale + 0.5 * rng.standard_normal(
            (len(of_spike), n_held), np.float32
        )
    return [
        write_npy(folder / "pc_features.npy", features),
        write_npy(folder / "pc_feature_ind.npy", np.asfortranarray(held.astype(np.uint32))),
    ]
