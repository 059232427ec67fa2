"""Writes a Kilosort 2.5 / Phy folder. When the units fire lives in `neurons`, what of them is measured in `metrics`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.chance import generator
from map_assets.simulate.clocks import ProbeClock
from map_assets.simulate.components import write_components
from map_assets.simulate.defects import Defect
from map_assets.simulate.metrics import write_metrics
from map_assets.simulate.neurons import Neurons, Trains, sorted_channels
from map_assets.simulate.probes import MODELS
from map_assets.simulate.spikeglx import probe_folder
from map_assets.simulate.writing import write_bytes, write_npy, write_text
from map_assets.store import replacing

N_WAVEFORM_SAMPLES = 82
TROUGH_AT = 40
_WHITENING = 200.0
_ENDINGS = {"kilosort2.5": "ks25", "kilosort4": "ks4", "jrclust3": "jrc", "jrclust4": "jrc"}
JRCLUST = frozenset({"jrclust3", "jrclust4"})


@dataclass(frozen=True)
class Clusters:
    """Which ids a sorting gives its units.

    Parameters
    ----------
    cluster_id : numpy.ndarray of int, shape (n,)
        Rising; sparse after curation.
    template : numpy.ndarray of int, shape (n, 2)
        The one or two templates of each unit; both the same where it was never split.
    n_templates : int
    """

    cluster_id: NDArray[np.int64]
    template: NDArray[np.int64]
    n_templates: int


def make_clusters(plan: SessionPlan, number: int) -> Clusters:
    """Give ids: 0, 1, ... as sorted; after curation some templates have no spikes, and pairs are merged under new ids.

    JRCLUST counts from 1, and anew after curation.
    """
    probe = plan.probes[number - 1]
    n = probe.n_units
    if probe.sorter in JRCLUST:
        return Clusters(np.arange(1, n + 1), np.repeat(np.arange(n)[:, None], 2, 1), n)
    if not probe.is_curated:
        return Clusters(np.arange(n), np.repeat(np.arange(n)[:, None], 2, 1), n)
    rng = generator(plan.seed, plan.key, number, "curation")
    n_merged = n // 6
    n_templates = n + n_merged + max(2, n // 4)
    found = np.sort(rng.choice(n_templates, n + n_merged, replace=False))
    pairs = np.sort(rng.choice(len(found), 2 * n_merged, replace=False).reshape(n_merged, 2), axis=1)
    single = np.delete(found, pairs.ravel())
    template = np.concatenate([np.repeat(single[:, None], 2, 1), found[pairs]])
    return Clusters(np.r_[single, n_templates + np.arange(n_merged)], template, n_templates)


def sorting_folder(share: Path, plan: SessionPlan, number: int) -> Path:
    """Name a probe's sorting folder: ``imec{N}_ks25`` (or ``_ks4``, ``_jrc``) in the probe's folder."""
    ending = _ENDINGS[plan.probes[number - 1].sorter]
    return probe_folder(share, plan, number).path / f"imec{number - 1}_{ending}"


def write_sorting(
    share: Path, plan: SessionPlan, number: int, neurons: Neurons, trains: Trains, clock: ProbeClock
) -> list[Path]:
    """Write one probe's sorting."""
    folder = sorting_folder(share, plan, number)
    probe, clusters = plan.probes[number - 1], make_clusters(plan, number)
    channels = sorted_channels(plan, number)
    waveforms = unit_waves(neurons)
    written = _write_spikes(folder, plan, number, neurons, trains, clusters)
    written += _write_channels(folder, plan, number, channels)
    written.append(_write_templates(folder / "templates.npy", clusters, neurons, waveforms, channels))
    if probe.has_mean_waveforms:
        written.append(_write_mean_waveforms(folder / "mean_waveforms.npy", clusters, neurons, waveforms))
    written += _write_labels(folder, probe.is_curated, clusters, neurons)
    written.append(write_metrics(folder / "metrics.csv", plan, number, neurons, trains, clusters.cluster_id, clock))
    if probe.has_pc_features:
        written += write_components(folder, plan, number, neurons, clusters.template, clusters.n_templates)
    stem = probe_folder(share, plan, number).stem
    lines = (
        f"dat_path = '../{stem}.ap.bin'",
        "n_channels_dat = 385",
        "dtype = 'int16'",
        "offset = 0",
        f"sample_rate = {clock.sample_rate_hz!r}",
        "hp_filtered = False",
    )
    written.append(write_text(folder / "params.py", "\n".join(lines) + "\n"))
    return written


def _write_spikes(
    folder: Path, plan: SessionPlan, number: int, neurons: Neurons, trains: Trains, clusters: Clusters
) -> list[Path]:
    """Write what has a row for each spike, sorted by time."""
    n_units = len(neurons.label)
    unit_bits = max(1, int(n_units - 1).bit_length())
    unit = np.repeat(np.arange(n_units), trains.n_spikes)
    key = np.sort((trains.samples << unit_bits) | unit)
    samples, unit = key >> unit_bits, key & ((1 << unit_bits) - 1)
    del key
    rng = generator(plan.seed, plan.key, number, "sorting")
    which = rng.integers(0, 2, len(unit), dtype=np.uint8)
    bits = neurons.amplitude_uv / MODELS[plan.probes[number - 1].model].microvolt_per_bit
    amplitudes = bits[unit] * (1.0 + 0.1 * rng.standard_normal(len(unit), np.float32))
    ids = clusters.cluster_id[unit]
    is_curated = plan.probes[number - 1].is_curated
    written = [write_npy(folder / "spike_times.npy", samples.astype(np.uint64)[:, None])]
    if Defect.TRUNCATED_SORTING in plan.defects:
        content = written[0].read_bytes()
        write_bytes(written[0], content[: len(content) // 2])
    return [
        *written,
        write_npy(
            folder / "spike_clusters.npy", ids.astype(np.int32) if is_curated else ids.astype(np.uint32)[:, None]
        ),
        write_npy(folder / "spike_templates.npy", clusters.template[unit, which].astype(np.uint32)[:, None]),
        write_npy(folder / "amplitudes.npy", amplitudes[:, None]),
    ]


def _write_channels(folder: Path, plan: SessionPlan, number: int, channels: NDArray[np.int64]) -> list[Path]:
    model = MODELS[plan.probes[number - 1].model]
    sites = model.sites()
    positions = np.stack([sites.x_um + model.sorter_x_shift_um, sites.y_um], axis=1)[channels]
    return [
        write_npy(folder / "channel_map.npy", channels.astype(np.int32)[None]),
        write_npy(folder / "channel_positions.npy", positions),
        write_npy(folder / "whitening_mat.npy", np.eye(len(channels)) / _WHITENING),
        write_npy(folder / "whitening_mat_inv.npy", np.eye(len(channels)) * _WHITENING),
    ]


def unit_waves(neurons: Neurons) -> NDArray[np.float32]:
    """Mean waveforms on the peak channel, (n, 82), of height 1 peak to peak."""
    t_ms = (np.arange(N_WAVEFORM_SAMPLES) - TROUGH_AT) / 30.0
    width = neurons.half_width_ms[:, None]
    wave = -np.exp(-((t_ms / (0.6 * width)) ** 2)) + 0.35 * np.exp(-(((t_ms - 2.2 * width) / (1.2 * width)) ** 2))
    return np.asarray(wave / np.ptp(wave, axis=1, keepdims=True), np.float32)


def channel_shares(neurons: Neurons, n_channels: int) -> NDArray[np.float64]:
    """Give the share of every unit's height on each saved channel, (n_units, n_channels); 1 on its own."""
    return _fall_off(np.abs(np.arange(n_channels)[None, :] - neurons.channel[:, None]).astype(float))


def _fall_off(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of a unit's height that is left so many channels away."""
    return np.asarray(np.where(distance <= 8, np.exp(-distance / 2.5), 0.0))


def _write_templates(
    path: Path,
    clusters: Clusters,
    neurons: Neurons,
    waveforms: NDArray[np.float32],
    channels: NDArray[np.int64],
) -> Path:
    """Write the whitened templates, (templates, 82, channels); only touched pages take room on the disk."""
    with replacing(path) as part:
        shape = (clusters.n_templates, N_WAVEFORM_SAMPLES, len(channels))
        templates = np.lib.format.open_memmap(part, mode="w+", dtype=np.float32, shape=shape)
        for unit, (first, second) in enumerate(clusters.template):
            share = _fall_off(np.abs(channels - neurons.channel[unit]).astype(float))
            near = np.flatnonzero(share)
            whole = waveforms[unit][:, None] * share[near] / _WHITENING
            for template in {int(first), int(second)}:
                templates[template][:, near] = whole
        templates.flush()
        del templates
    return path


def _write_mean_waveforms(path: Path, clusters: Clusters, neurons: Neurons, waveforms: NDArray[np.float32]) -> Path:
    """Write mean waveforms in uV, (largest id + 1, 384, 82); rows of ids without spikes are zero."""
    mean = np.zeros((int(clusters.cluster_id.max()) + 1, 384, N_WAVEFORM_SAMPLES), np.float32)
    share = channel_shares(neurons, 384)
    mean[clusters.cluster_id] = neurons.amplitude_uv[:, None, None] * share[:, :, None] * waveforms[:, None, :]
    return write_npy(path, mean)


def _write_labels(folder: Path, is_curated: bool, clusters: Clusters, neurons: Neurons) -> list[Path]:
    """Write the sorter's labels and, after curation, a person's; merged clusters have the person's alone."""
    of_template = dict.fromkeys(range(clusters.n_templates), "mua")
    for templates, label in zip(clusters.template, neurons.label, strict=True):
        of_template |= dict.fromkeys(map(int, templates), "good" if label == "good" else "mua")
    sorter = [f"{template}\t{label}" for template, label in of_template.items()]
    person = [f"{i}\t{label}" for i, label in zip(clusters.cluster_id, neurons.label, strict=True)]
    groups = ["cluster_id\tgroup", *person] if is_curated else ["cluster_id\tKSLabel", *sorter]
    return [
        write_text(folder / "cluster_KSLabel.tsv", "\n".join(["cluster_id\tKSLabel", *sorter]) + "\n"),
        write_text(folder / "cluster_group.tsv", "\n".join(groups) + "\n"),
    ]
