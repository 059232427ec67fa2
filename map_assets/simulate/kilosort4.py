"""Writes a Kilosort 4 folder. Which ids units have is made in `kilosort`, when they fire in `neurons`.

Unlike its elders it writes where each spike was, templates that are mean waveforms of full size, norms of features for
amplitudes, and its state as a pickle. Files: https://kilosort.readthedocs.io/en/latest/export_files.html.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.chance import generator
from map_assets.simulate.clocks import ProbeClock
from map_assets.simulate.kilosort import TROUGH_AT, channel_shares, make_clusters, sorting_folder, unit_waves
from map_assets.simulate.neurons import Neurons, Trains, sorted_channels
from map_assets.simulate.probes import MODELS
from map_assets.simulate.spikeglx import probe_folder
from map_assets.simulate.writing import write_bytes, write_npy, write_text

VERSION = "4.0.30"
N_WAVEFORM_SAMPLES = 61
_BEFORE_TROUGH = 20
_EMPTY_PICKLE = b"\x80\x04}."


def write_kilosort4(
    share: Path, plan: SessionPlan, number: int, neurons: Neurons, trains: Trains, clock: ProbeClock
) -> list[Path]:
    """Write one probe's sorting; a person's labels come with it where the plan is curated."""
    folder = sorting_folder(share, plan, number)
    channels = sorted_channels(plan, number)
    whitening = _whitening(len(channels))
    arrays = _channel_arrays(plan, number, channels, whitening)
    arrays |= _spike_arrays(plan, number, neurons, trains)
    arrays |= _template_arrays(plan, number, neurons, channels, whitening)
    written = [write_npy(folder / f"{name}.npy", array) for name, array in arrays.items()]
    written += _write_labels(folder, plan, number, neurons)
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": ()})
    stream.write(_EMPTY_PICKLE)
    stem = probe_folder(share, plan, number).stem
    params = (
        f"n_channels_dat = 385\noffset = 0\nsample_rate = {clock.sample_rate_hz!r}\ndtype = 'int16'\n"
        f"hp_filtered = False\ndat_path = 'D:/data/{stem}.ap.bin'\n"
    )
    return [
        *written,
        write_bytes(folder / "ops.npy", stream.getvalue()),
        write_text(folder / "params.py", params),
        write_text(folder / "kilosort4.log", f"INFO  kilosort.run_kilosort Kilosort version {VERSION}\n"),
    ]


def _whitening(n_channels: int) -> NDArray[np.float32]:
    """Make a whitening that mixes neighbours and is not symmetric."""
    matrix = np.eye(n_channels) * 0.05
    matrix += np.diag(np.full(n_channels - 1, -0.015), 1) + np.diag(np.full(n_channels - 1, -0.005), -1)
    return matrix.astype(np.float32)


def _channel_arrays(
    plan: SessionPlan, number: int, channels: NDArray[np.int64], whitening: NDArray[np.float32]
) -> dict[str, NDArray[np.generic]]:
    model = MODELS[plan.probes[number - 1].model]
    sites = model.sites()
    places = np.stack([sites.x_um + model.sorter_x_shift_um, sites.y_um], axis=-1)[channels]
    return {
        "channel_map": channels.astype(np.int32),
        "channel_positions": places.astype(np.float32),
        "channel_shanks": sites.shank[channels].astype(np.float32),
        "whitening_mat": whitening,
        "whitening_mat_dat": whitening,
        "whitening_mat_inv": np.linalg.inv(whitening + 1e-5 * np.eye(len(channels), dtype=np.float32)),
    }


def _spike_arrays(plan: SessionPlan, number: int, neurons: Neurons, trains: Trains) -> dict[str, NDArray[np.generic]]:
    clusters = make_clusters(plan, number)
    unit = np.repeat(np.arange(len(neurons.label)), trains.n_spikes)
    order = np.lexsort((unit, trains.samples))
    unit = unit[order]
    rng = generator(plan.seed, plan.key, number, "kilosort4")
    which = rng.integers(0, 2, len(unit))
    model = MODELS[plan.probes[number - 1].model]
    sites = model.sites()
    place = np.stack([sites.x_um + model.sorter_x_shift_um, sites.y_um], axis=-1)[neurons.channel[unit]]
    place += rng.normal(0.0, 5.0, place.shape)
    return {
        "spike_times": trains.samples[order],
        "spike_clusters": clusters.cluster_id[unit].astype(np.int32),
        "spike_templates": clusters.template[unit, which].astype(np.int32),
        "spike_positions": np.asfortranarray(place.astype(np.float32)),
        "amplitudes": (10.0 + 3.0 * rng.random(len(unit))).astype(np.float32),
        "kept_spikes": np.ones(len(unit), np.bool_),
    }


def _template_arrays(
    plan: SessionPlan,
    number: int,
    neurons: Neurons,
    channels: NDArray[np.int64],
    whitening: NDArray[np.float32],
) -> dict[str, NDArray[np.generic]]:
    clusters = make_clusters(plan, number)
    bits = neurons.amplitude_uv / MODELS[plan.probes[number - 1].model].microvolt_per_bit
    start = TROUGH_AT - _BEFORE_TROUGH
    waves = unit_waves(neurons)[:, start : start + N_WAVEFORM_SAMPLES]
    shares = channel_shares(neurons, 384)[:, channels]
    templates = np.zeros((clusters.n_templates, N_WAVEFORM_SAMPLES, len(channels)), np.float32)
    for unit, pair in enumerate(clusters.template):
        whitened = bits[unit] * waves[unit][:, None] * (shares[unit] @ whitening.T)
        templates[pair] = whitened
    return {"templates": templates, "templates_ind": np.tile(np.arange(len(channels)), (clusters.n_templates, 1))}


def _write_labels(folder: Path, plan: SessionPlan, number: int, neurons: Neurons) -> list[Path]:
    clusters = make_clusters(plan, number)
    of_template = dict.fromkeys(range(clusters.n_templates), "mua")
    for pair, label in zip(clusters.template, neurons.label, strict=True):
        of_template |= dict.fromkeys(map(int, pair), "good" if label == "good" else "mua")
    columns = {
        "KSLabel": list(of_template.values()),
        "Amplitude": [f"{20 + template % 7:.1f}" for template in of_template],
        "ContamPct": [f"{0.0 if label == 'good' else 60.0:.1f}" for label in of_template.values()],
    }
    written = []
    for name, values in columns.items():
        rows = [f"{template}\t{value}" for template, value in zip(of_template, values, strict=True)]
        written.append(write_text(folder / f"cluster_{name}.tsv", "\n".join([f"cluster_id\t{name}", *rows]) + "\n"))
    groups = written[0].read_text()
    if plan.probes[number - 1].is_curated:
        person = [f"{i}\t{label}" for i, label in zip(clusters.cluster_id, neurons.label, strict=True)]
        groups = "\n".join(["cluster_id\tgroup", *person]) + "\n"
    return [*written, write_text(folder / "cluster_group.tsv", groups)]
