"""Folders that Kilosort writes and Phy edits. Labels and metrics in them are read in `kilosort_labels` and `kilosort_metrics`.

Everything is joined by cluster id: after curation ids have gaps and no file has to be in their order. Files:
https://github.com/cortex-lab/phy/blob/master/docs/sorting_user_guide.md.
"""

from __future__ import annotations

import ast
import math
import re
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from map_assets.ephys.sorters.kilosort_labels import is_curated, read_labels
from map_assets.ephys.sorters.kilosort_metrics import read_metrics
from map_assets.ephys.sorters.kilosort_templates import count_templates, find_peaks
from map_assets.ephys.sorters.kilosort_trains import Spikes, main_templates, mean_by_unit, read_spikes
from map_assets.ephys.sorters.npy import read_parts, read_vector, shape_of
from map_assets.ephys.sorters.protocol import (
    Reals,
    Scale,
    SorterResult,
    SortingFolder,
    SpikeTrains,
    UnitMeasures,
    Wholes,
)
from map_assets.vocabulary.files import unchanged

_VERSION = re.compile(r"(?<![a-z])(py)?(?:kilosort|ks)[._-]?(2[._]?5|[1-4])(?!\d)", re.IGNORECASE)
_RUN = re.compile(r"_g\d+(_|$)")
_LINE = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*(.{1,4096})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AXES_OF_WAVEFORMS = 3


def recognizes(names: frozenset[str]) -> bool:
    """Whether a folder holds spike times with their clusters or templates."""
    return "spike_times.npy" in names and bool(names & {"spike_clusters.npy", "spike_templates.npy"})


def read(folder: SortingFolder, scale: Scale) -> SorterResult:
    """Read a Kilosort or Phy folder; units are the clusters that have spikes.

    Peak channel, amplitude and rate are those of ``metrics.csv``. For clusters that it lacks, the peak channel is where
    the template that most of the cluster's spikes came from is largest; the amplitude is that template's unwhitened
    peak-to-peak there times the mean of the spikes' amplitudes and the recording's uV per bit.

    Raises
    ------
    UnreadableFile
        If a file is damaged.
    PiecesDoNotFit
        If files are missing or disagree.
    """
    parameters = _parameters(folder)
    rate_hz = _rate(parameters)
    spikes = read_spikes(folder)
    unit_ids = spikes.trains.unit_ids
    labels = read_labels(folder)
    labelled = [labels.of(unit_id) for unit_id in unit_ids.tolist()]
    sorter, version = _named(folder.relpath, str(parameters.get("dat_path", "")))
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
        measures=_measures(folder, spikes, scale, rate_hz or scale.sample_rate_hz),
    )


def _measures(folder: SortingFolder, spikes: Spikes, scale: Scale, rate_hz: float | None) -> UnitMeasures:
    trains = spikes.trains
    nothing = np.full(len(trains.unit_ids), np.nan)
    metrics = read_metrics(folder.path("metrics.csv")).of(trains.unit_ids) if "metrics.csv" in folder else {}
    amplitude, firing_rate = metrics.pop("amplitude_uv", nothing), metrics.pop("firing_rate_hz", nothing)
    peaks = find_peaks(
        folder,
        main_templates(folder, spikes),
        metrics.pop("peak_channel", nothing),
        np.isnan(amplitude) & (scale.microvolt_per_bit is not None),
    )
    if scale.microvolt_per_bit is not None and np.isnan(amplitude).any():
        own = peaks.template_size * _mean_amplitudes(folder, spikes) * scale.microvolt_per_bit
        amplitude = np.where(np.isnan(amplitude), own, amplitude)
    return UnitMeasures(
        peak_channel=peaks.channel,
        x_um=peaks.x_um,
        y_um=peaks.y_um,
        amplitude_uv=amplitude,
        firing_rate_hz=np.where(np.isnan(firing_rate), _rates(trains, rate_hz), firing_rate),
        waveform_uv=_waveforms(folder, trains.unit_ids, peaks.channel),
        metrics=metrics,
    )


def _mean_amplitudes(folder: SortingFolder, spikes: Spikes) -> Reals:
    """Mean of each unit's ``amplitudes.npy``, NaN where there is no such file."""
    if "amplitudes.npy" not in folder:
        return np.full(len(spikes.trains.unit_ids), np.nan)
    amplitudes = read_vector(folder.path("amplitudes.npy"), "iuf")
    if len(amplitudes) != len(spikes.key):
        raise folder.misfit(f"{len(amplitudes)} amplitudes for {len(spikes.key)} spikes", "one for each spike")
    return mean_by_unit(spikes, amplitudes)


def _rates(trains: SpikeTrains, rate_hz: float | None) -> Reals:
    """Spikes of each unit over the span of all spikes of the probe, Hz; NaN where the span is nothing or the rate unknown."""
    span = float(np.ptp(trains.samples)) if len(trains.samples) else 0.0
    if not span or rate_hz is None:
        return np.full(len(trains.unit_ids), np.nan)
    return np.asarray(trains.counts * (rate_hz / span))


def _waveforms(folder: SortingFolder, unit_ids: Wholes, channels: Wholes) -> list[NDArray[np.float32]]:
    """Each unit's mean waveform on its peak channel, uV; row k of ``mean_waveforms.npy`` is cluster k, all raw channels."""
    found: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(unit_ids)
    if "mean_waveforms.npy" not in folder:
        return found
    path = folder.path("mean_waveforms.npy")
    n_rows = shape_of(path)[0]
    known = np.flatnonzero(unit_ids < n_rows)
    parts = list(zip(unit_ids[known].tolist(), channels[known].tolist(), strict=True))
    for unit, waveform in zip(known.tolist(), read_parts(path, parts, _AXES_OF_WAVEFORMS), strict=True):
        if np.isfinite(waveform).all():
            found[unit] = waveform.astype(np.float32)
    return found


def _parameters(folder: SortingFolder) -> dict[str, float | str]:
    """Numbers and texts of ``params.py``, read line by line; nothing in it is ever run."""
    if "params.py" not in folder:
        return {}
    path = folder.path("params.py")
    with unchanged(path):
        lines = path.read_bytes().decode("utf-8", errors="replace").splitlines()
    found: dict[str, float | str] = {}
    for line in lines:
        if pair := _LINE.fullmatch(line):
            try:
                value = ast.literal_eval(pair[2].strip())
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
            if isinstance(value, int | float | str) and not isinstance(value, bool):
                found[pair[1]] = value
    return found


def _rate(parameters: dict[str, float | str]) -> float | None:
    rate = parameters.get("sample_rate")
    return float(rate) if isinstance(rate, int | float) and math.isfinite(rate) and rate > 0 else None


def _named(relpath: PurePosixPath, data_path: str) -> tuple[str, str | None]:
    """Tell sorter and version by the nearest folder that names them, else by the path of the data that was sorted.

    The animal's folder (the first) and SpikeGLX run folders do not count: they are named by the animal.
    """
    folders = [part for part in relpath.parts[1:] if not _RUN.search(part)]
    found = _VERSION.findall("/".join(folders)) or _VERSION.findall(data_path)
    if not found:
        return "kilosort", None
    prefix, digits = found[-1]
    version = "2.5" if digits.startswith("2") and digits.endswith("5") else digits
    return f"{prefix.lower()}kilosort{version}", version
