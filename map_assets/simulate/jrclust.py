"""Writes a JRCLUST result, version 3 or 4, as MATLAB 7.3 saves it. Which ids units have is made in `kilosort`, when they fire in `neurons`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.chance import generator
from map_assets.simulate.clocks import ProbeClock
from map_assets.simulate.kilosort import channel_shares, make_clusters, sorting_folder, unit_waves
from map_assets.simulate.neurons import Neurons, Trains, sorted_channels
from map_assets.simulate.probes import MODELS
from map_assets.simulate.spikeglx import probe_folder
from map_assets.store import replacing

if TYPE_CHECKING:
    import h5py

NOTES = {"good": "single", "mua": "multi", "noise": "noise"}
"""What a person writes beside a unit of each label; without curation there is nothing."""

_USER_BLOCK = 512
_N_LOCAL = 9
_UNASSIGNED_SHARE = 0.05
_CLASSES = {"f4": "single", "f8": "double", "i4": "int32", "u2": "char"}
_VERSION_3 = {
    "times": "viTime_spk",
    "sites": "viSite_spk",
    "places": "mrPos_spk",
    "clusters": "S_clu/viClu",
    "unit_sites": "S_clu/viSite_clu",
    "amplitudes": "S_clu/vrVpp_uv_clu",
    "snr": "S_clu/vrSnr_clu",
    "waveforms": "S_clu/trWav_raw_clu",
}
_VERSION_4 = {
    "times": "spikeTimes",
    "sites": "spikeSites",
    "places": "spikePositions",
    "clusters": "spikeClusters",
    "unit_sites": "clusterSites",
    "amplitudes": "unitVppRaw",
    "snr": "unitSNR",
    "waveforms": "meanWfLocalRaw",
}


def write_jrclust(
    share: Path, plan: SessionPlan, number: int, neurons: Neurons, trains: Trains, clock: ProbeClock
) -> list[Path]:
    """Write one probe's result; a twentieth more spikes belong to no unit."""
    import h5py

    probe = plan.probes[number - 1]
    is_3 = probe.sorter == "jrclust3"
    stem = probe_folder(share, plan, number).stem
    name = f"{plan.animal}_{plan.named_at:%m%d%y}_imec{number - 1}_jrc.mat" if is_3 else f"{stem}.ap_res.mat"
    path = sorting_folder(share, plan, number) / name
    values = _spike_values(plan, number, neurons, trains, clock) | _unit_values(plan, number, neurons)
    names = _VERSION_3 if is_3 else _VERSION_4
    with replacing(path) as part:
        with h5py.File(part, "w", userblock_size=_USER_BLOCK) as file:
            for key, variable in names.items():
                _put(file, variable, values[key])
            if is_3:
                _put(file, "P/sRateHz", np.array([[clock.sample_rate_hz]]))
                _put(file, "P/viSite2Chan", sorted_channels(plan, number)[None].astype(np.float64) + 1)
                _put(file, "S_clu/vrPosX_clu", values["centres"][:1])
                _put(file, "S_clu/vrPosY_clu", values["centres"][1:])
            else:
                _put(file, "clusterCentroids", values["centres"])
            notes = [NOTES[str(label)] if probe.is_curated else "" for label in neurons.label]
            _put_texts(file, "S_clu/csNote_clu" if is_3 else "clusterNotes", notes)
        head = f"MATLAB 7.3 MAT-file, Platform: PCWIN64, Created on: {plan.named_at:%a %b %d %H:%M:%S %Y}"
        with part.open("r+b") as stream:
            stream.write(head.encode().ljust(124) + b"\x00\x02IM")
    return [path]


def _spike_values(
    plan: SessionPlan, number: int, neurons: Neurons, trains: Trains, clock: ProbeClock
) -> dict[str, NDArray[np.generic]]:
    """Make what has one value a spike; axes are the reverse of MATLAB's."""
    rng = generator(plan.seed, plan.key, number, "jrclust")
    clusters = make_clusters(plan, number)
    n_none = int(_UNASSIGNED_SHARE * len(trains.samples))
    channel = np.r_[np.repeat(neurons.channel, trains.n_spikes), rng.choice(sorted_channels(plan, number), n_none)]
    samples = np.r_[trains.samples, rng.integers(0, clock.n_samples, n_none)]
    unit = np.r_[np.repeat(clusters.cluster_id, trains.n_spikes), rng.integers(-1, 1, n_none)]
    order = np.argsort(samples, kind="stable")
    places = _places(plan, number)[channel] + rng.normal(0.0, 4.0, (len(channel), 2))
    return {
        "times": samples[order][None].astype(np.int32),
        "clusters": unit[order][None].astype(np.int32),
        "sites": _sites(plan, number, channel[order])[None].astype(np.int32),
        "places": places[order].T.astype(np.float32),
    }


def _unit_values(plan: SessionPlan, number: int, neurons: Neurons) -> dict[str, NDArray[np.generic]]:
    """Make what has one value a unit; a unit's own channel is the first of its local ones."""
    channels = sorted_channels(plan, number)
    distance = np.abs(channels[None, :] - neurons.channel[:, None])
    local = channels[np.argsort(distance, axis=1, kind="stable")[:, :_N_LOCAL]]
    share = np.take_along_axis(channel_shares(neurons, 384), local, axis=1)
    waves = neurons.amplitude_uv[:, None, None] * share[:, :, None] * unit_waves(neurons)[:, None, :]
    return {
        "unit_sites": _sites(plan, number, neurons.channel)[:, None].astype(np.float64),
        "amplitudes": neurons.amplitude_uv[None],
        "snr": neurons.snr[None],
        "centres": _places(plan, number)[neurons.channel].T.copy(),
        "waveforms": waves.astype(np.float32),
    }


def _places(plan: SessionPlan, number: int) -> NDArray[np.float64]:
    sites = MODELS[plan.probes[number - 1].model].sites()
    return np.stack([sites.x_um, sites.y_um], axis=-1)


def _sites(plan: SessionPlan, number: int, channel: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number channels as JRCLUST does, from 1; version 3 counts those that are sorted and saves which these are."""
    if plan.probes[number - 1].sorter == "jrclust3":
        return np.searchsorted(sorted_channels(plan, number), channel) + 1
    return channel + 1


def _put(file: h5py.File, name: str, values: NDArray[Any]) -> None:
    dataset = file.create_dataset(name, data=values)
    dataset.attrs["MATLAB_class"] = np.bytes_(_CLASSES[values.dtype.str[1:]])


def _put_texts(file: h5py.File, name: str, texts: list[str]) -> None:
    """Write a cell array of texts: references to arrays of characters; an empty one is marked."""
    import h5py

    cells = file.create_dataset(name, (1, len(texts)), h5py.ref_dtype)
    cells.attrs["MATLAB_class"] = np.bytes_("cell")
    for place, text in enumerate(texts):
        codes = np.frombuffer(text.encode("utf-16-le"), "<u2")[:, None] if text else np.zeros(2, np.uint64)
        cell = file.create_dataset(f"#refs#/{place:04d}", data=codes)
        cell.attrs["MATLAB_class"] = np.bytes_("char")
        if not text:
            cell.attrs["MATLAB_empty"] = np.uint8(1)
        cells[0, place] = cell.ref
