"""Folders that Kilosort writes and Phy edits. Labels and metrics in them are read in `kilosort_labels` and `kilosort_metrics`.

Everything is joined by cluster id: after curation ids have gaps and no file has to be in their order. Files:
https://github.com/cortex-lab/phy/blob/master/docs/sorting_user_guide.md.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from map_assets.ephys.sorters.kilosort_features import amplitudes_uv, read_depths
from map_assets.ephys.sorters.kilosort_labels import is_curated, read_labels
from map_assets.ephys.sorters.kilosort_metrics import read_metrics
from map_assets.ephys.sorters.kilosort_origin import KILOSORT4, rate_of, read_parameters, sorter_of
from map_assets.ephys.sorters.kilosort_templates import (
    Channels,
    Shapes,
    count_templates,
    places_of,
    read_channels,
    read_shapes,
)
from map_assets.ephys.sorters.kilosort_trains import main_templates, read_spikes, read_templates
from map_assets.ephys.sorters.npy import read_parts, read_vector, shape_of
from map_assets.ephys.sorters.protocol import (
    Reals,
    Scale,
    SorterResult,
    SortingFolder,
    SpikeFeatures,
    SpikeTrains,
    UnitMeasures,
    Wholes,
)
from map_assets.ephys.sorters.trains import Spikes, mean_by_unit

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AXES_OF_WAVEFORMS = 3
_PARTS = frozenset(
    {
        *("spike_times.npy", "spike_clusters.npy", "spike_templates.npy", "templates.npy", "amplitudes.npy"),
        *("pc_features.npy", "similar_templates.npy", "whitening_mat.npy", "whitening_mat_inv.npy", "params.py"),
        *("channel_map.npy", "channel_positions.npy"),
    }
)
"""Files that tell a folder for Kilosort's or Phy's while the rest of it is still to come."""


def recognizes(names: frozenset[str]) -> bool:
    """Whether a folder holds spike times with their clusters or templates."""
    return "spike_times.npy" in names and bool(names & {"spike_clusters.npy", "spike_templates.npy"})


def lacks(names: frozenset[str]) -> str | None:
    """Name what a part of a folder still lacks; None where nothing of Kilosort or Phy is in it."""
    if recognizes(names) or not (names & _PARTS or any(fnmatchcase(name, "cluster_*.tsv") for name in names)):
        return None
    return "spike_clusters.npy" if "spike_times.npy" in names else "spike_times.npy"


def read(folder: SortingFolder, scale: Scale) -> SorterResult:
    """Read a Kilosort or Phy folder; units are the clusters that have spikes.

    Peak channel, amplitude and rate are those of ``metrics.csv``. For clusters that it lacks, the peak channel is where
    the template that most of the cluster's spikes came from is largest; the amplitude is that template's unwhitened
    peak-to-peak there, times the mean of the spikes' amplitudes, times the recording's uV per bit.

    Kilosort 4 is different: its templates are mean waveforms of full size, so they are not multiplied, and its
    ``amplitudes.npy`` are norms of features over many channels, no voltages, so its spikes have no amplitude in uV.

    Raises
    ------
    UnreadableFile
        If a file is damaged.
    CompanionMissing
        If a file is not there.
    PiecesDoNotFit
        If files disagree.
    """
    parameters = read_parameters(folder)
    rate_hz = rate_of(parameters)
    sorter, version = sorter_of(folder, parameters)
    labels = read_labels(folder)
    spikes = read_spikes(folder)
    unit_ids = spikes.trains.unit_ids
    labelled = [labels.of(unit_id) for unit_id in unit_ids.tolist()]
    measures, features = _measures(folder, spikes, scale, rate_hz, is_kilosort4=sorter == KILOSORT4)
    return SorterResult(
        sorter=sorter,
        sorter_version=version,
        curation="curated" if is_curated(folder, labels, unit_ids.tolist(), count_templates(folder)) else "raw",
        sorted_at=_EPOCH + timedelta(microseconds=max(file.mtime_ns for file in folder.files.values()) // 1000),
        sample_rate_hz=rate_hz,
        has_metrics="metrics.csv" in folder,
        quality=[label for label, _ in labelled],
        quality_source=[source for _, source in labelled],
        sorter_label=[labels.sorters(unit_id) for unit_id in unit_ids.tolist()],
        trains=spikes.trains,
        measures=measures,
        labels=labels.all,
        features=features,
    )


def _measures(
    folder: SortingFolder, spikes: Spikes, scale: Scale, rate_hz: float | None, *, is_kilosort4: bool
) -> tuple[UnitMeasures, SpikeFeatures]:
    """Join what the arrays and the metrics tell of units, and what the arrays tell of spikes."""
    trains = spikes.trains
    nothing = np.full(len(trains.unit_ids), np.nan)
    metrics = read_metrics(folder.path("metrics.csv")).of(trains.unit_ids) if "metrics.csv" in folder else {}
    amplitude, firing_rate = metrics.pop("amplitude_uv", nothing), metrics.pop("firing_rate_hz", nothing)
    peak = metrics.pop("peak_channel", nothing)
    channels = read_channels(folder)
    templates = read_templates(folder, len(trains.samples))
    depth = read_depths(folder, templates, channels)
    shapes = _shapes(folder, channels, templates, is_needed=bool(np.isnan(peak).any()), is_kilosort4=is_kilosort4)
    templates = spikes.sorted(templates)
    main = main_templates(trains, templates)
    place = _places(folder, channels, peak, None if shapes is None else shapes.place[main])
    amplitudes = _amplitudes(folder, spikes)
    size_uv = None
    if shapes is not None and scale.microvolt_per_bit is not None:
        size_uv = shapes.size * scale.microvolt_per_bit
        own = size_uv[main] * (1.0 if is_kilosort4 else _means(trains, amplitudes))
        amplitude = np.where(np.isnan(amplitude), own, amplitude)
    return UnitMeasures(
        peak_channel=channels.number[place],
        x_um=channels.position_um[place, 0],
        y_um=channels.position_um[place, 1],
        amplitude_uv=amplitude,
        firing_rate_hz=np.where(np.isnan(firing_rate), trains.rates_hz(rate_hz or scale.sample_rate_hz), firing_rate),
        waveform_uv=_waveforms(folder, trains.unit_ids, channels.number[place]),
        metrics=metrics,
    ), SpikeFeatures(
        amplitude_uv=None if is_kilosort4 else amplitudes_uv(amplitudes, templates, size_uv),
        depth_um=None if depth is None else spikes.sorted(depth),
        peak_channel=None if shapes is None else channels.number[shapes.place].astype(np.int16)[templates],
    )


def _shapes(
    folder: SortingFolder, channels: Channels, templates: NDArray[np.integer], *, is_needed: bool, is_kilosort4: bool
) -> Shapes | None:
    """Read the templates; None where there are none and metrics tell every unit's peak."""
    if "templates.npy" not in folder and not is_needed:
        return None
    shapes = read_shapes(folder, channels, is_kilosort4=is_kilosort4)
    largest = int(templates.max(initial=0))
    if len(templates) and largest >= len(shapes.place):
        raise folder.misfit(
            f"cluster or template {largest} has none of the {len(shapes.place)} templates", "a template for each unit"
        )
    return shapes


def _places(
    folder: SortingFolder, channels: Channels, peak: Reals, largest: NDArray[np.intp] | None
) -> NDArray[np.intp]:
    """Return each unit's row in `channels`: the one that metrics tell, else where its template is largest."""
    place = np.zeros(len(peak), np.intp) if largest is None else largest.copy()
    is_told = ~np.isnan(peak)
    place[is_told] = places_of(folder, channels, peak[is_told].astype(np.int64))
    return place


def _amplitudes(folder: SortingFolder, spikes: Spikes) -> NDArray[np.float32] | None:
    """Each spike's amplitude in the sorter's units, in the order of the trains."""
    if "amplitudes.npy" not in folder:
        return None
    amplitudes = read_vector(folder.path("amplitudes.npy"), "iuf").astype(np.float32)
    if len(amplitudes) != len(spikes.order):
        raise folder.misfit(f"{len(amplitudes)} amplitudes for {len(spikes.order)} spikes", "one for each spike")
    return spikes.sorted(amplitudes)


def _means(trains: SpikeTrains, amplitudes: NDArray[np.float32] | None) -> Reals:
    """Mean amplitude of each unit's spikes, NaN where there is no ``amplitudes.npy``."""
    return np.full(len(trains.unit_ids), np.nan) if amplitudes is None else mean_by_unit(trains, amplitudes)


def _waveforms(folder: SortingFolder, unit_ids: Wholes, channels: Wholes) -> list[NDArray[np.float32]]:
    """Each unit's mean waveform on its peak channel, uV; row k of ``mean_waveforms.npy`` is cluster k, all raw channels."""
    found: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(unit_ids)
    if "mean_waveforms.npy" not in folder:
        return found
    path = folder.path("mean_waveforms.npy")
    shape = shape_of(path)
    if len(shape) != _AXES_OF_WAVEFORMS:
        raise folder.misfit(f"mean_waveforms.npy of shape {shape}", "clusters, channels and samples")
    known = np.flatnonzero(unit_ids < shape[0])
    parts = list(zip(unit_ids[known].tolist(), channels[known].tolist(), strict=True))
    for unit, waveform in zip(known.tolist(), read_parts(path, parts, _AXES_OF_WAVEFORMS), strict=True):
        if np.isfinite(waveform).all():
            found[unit] = waveform.astype(np.float32)
    return found
