"""Mean waveforms of a session's units, out of the raw recording. How windows are read and averaged lives in `spike_windows`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.ephys.raw import AP, RawPair, open_whole, pair_files
from map_assets.ephys.sorters.npy import read_parts, shape_of
from map_assets.ephys.spike_windows import (
    FIRST_SAMPLE,
    MeanWindows,
    average_windows,
    choose_spikes,
)
from map_assets.ephys.tables.raw import UNIT_WAVEFORMS
from map_assets.vocabulary.errors import BadInput, PiecesDoNotFit
from map_assets.vocabulary.files import FoundFile, Rejected, unchanged

MOST_CHANNELS = 12
FARTHEST_UM = 100.0
"""Neighbours of the peak contact: on its shank, no farther than this, no more than these with the peak itself."""
_MEANS = "mean_waveforms.npy"
_AXES_OF_MEANS = 3


@dataclass(frozen=True)
class NearUnits:
    """Units of one probe and the channels about their peaks; members have one element or row a unit.

    Parameters
    ----------
    unit_ids, peak_channel : numpy.ndarray of int, shape (u,)
    channels : numpy.ndarray of int, shape (u, k)
        The peak first, then by distance; rows with fewer are filled up with the peak.
    electrodes : numpy.ndarray of int, shape (u, k)
    n_channels : numpy.ndarray of int, shape (u,)
        How many of a row count.
    """

    unit_ids: NDArray[np.int64]
    peak_channel: NDArray[np.int64]
    channels: NDArray[np.int64]
    electrodes: NDArray[np.int64]
    n_channels: NDArray[np.int64]


def make_unit_waveforms(
    session: str,
    files: Sequence[FoundFile],
    recordings: pa.Table,
    probe_sites: pa.Table,
    units: pa.Table,
    spikes: pa.Table,
    sortings: pa.Table | None = None,
) -> tuple[pa.Table, tuple[Rejected, ...]]:
    """Average each unit's waveform over spikes of the recording.

    The recording is the one that `recordings` describes, for spike times count its samples. Up to 500 spikes of a unit
    are drawn by a seeded lot (`spike_windows.choose_spikes`). From each window of each channel its own median is taken;
    nothing else is filtered. Voltages have each channel's own gain. The signal-to-noise ratio is the mean's peak-to-peak
    height over twice the standard deviation of the residuals, both on the peak channel, as the earlier MAP pipeline had it.

    Where a probe's recording is not on the shares, ``mean_waveforms.npy`` of its current sorting is taken instead, if it
    came along; it tells neither spikes nor noise.

    Parameters
    ----------
    session : str
        Session key.
    files : sequence of FoundFile
        Those with the roles ``spikeglx_bin`` (and their ``spikeglx_meta``) and ``sorting`` count.
    recordings, probe_sites, units, spikes : pyarrow.Table
    sortings : pyarrow.Table, optional
        Tells in which folder the current sorting's files are.

    Returns
    -------
    table : pyarrow.Table
        `unit_waveforms`. A unit whose peak is on no known contact, or that has no whole window in the file, has no row.
    rejected : tuple of Rejected
        Binaries that wait for their meta file or for the rest of themselves, and files that cannot be used.
    """
    raw, lonely = pair_files(session, files, AP)
    rejected = list(lonely)
    tables = []
    for recording in recordings.to_pylist():
        probe = recording["probe"]
        near = _near_units(_of(units, probe), _of(probe_sites, probe))
        pair = raw.recorded(recording)
        file = _means_file(files, probe, sortings) if pair is None else pair.bin
        if file is None or not len(near.unit_ids):
            continue
        try:
            if pair is None:
                tables.append(_from_means(session, recording, file, near))
            else:
                tables.append(_from_recording(session, recording, pair, near, _of(spikes, probe)))
        except BadInput as error:
            rejected.append(Rejected((file,), error))
    return (pa.concat_tables(tables) if tables else UNIT_WAVEFORMS.empty()), tuple(rejected)


def _of(table: pa.Table, probe: int) -> pa.Table:
    return table.filter(pc.equal(table["probe"], probe))


def _means_file(files: Sequence[FoundFile], probe: int, sortings: pa.Table | None) -> FoundFile | None:
    """Find the ``mean_waveforms.npy`` of a probe's current sorting; another version's has other units under the same ids."""
    if sortings is None:
        return None
    rows = sortings.select(["probe", "is_current", "is_on_share", "folder"]).to_pylist()
    folders = {row["folder"] for row in rows if row["probe"] == probe and row["is_current"] and row["is_on_share"]}
    means = (file for file in files if file.role == "sorting" and file.relpath.name == _MEANS)
    return next((file for file in means if file.relpath.parent.as_posix() in folders), None)


def _near_units(units: pa.Table, sites: pa.Table) -> NearUnits:
    """Find the channels about every unit's peak: on the same shank, by distance, reference contacts left out."""
    shank, channel, electrode = (sites[name].to_numpy() for name in ("shank", "channel", "electrode"))
    place = np.stack([sites["x_um"].to_numpy(), sites["y_um"].to_numpy()], axis=-1)
    is_used = sites["is_used"].to_numpy()
    peak = units["peak_channel"].to_numpy()
    known = np.isin(peak, channel)
    peak, order = peak[known], np.argsort(channel)
    at = order[np.searchsorted(channel[order], peak)]
    distance = np.linalg.norm(place[at][:, None] - place[None], axis=-1)
    is_near = (distance <= FARTHEST_UM) & (shank[at][:, None] == shank) & is_used
    distance = np.where(is_near, distance, np.inf)
    distance[np.arange(len(at)), at] = -1.0
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :MOST_CHANNELS]
    counts = np.isfinite(np.take_along_axis(distance, nearest, axis=1))
    nearest = np.where(counts, nearest, at[:, None])
    unit_ids = units["unit_id"].to_numpy()[known]
    return NearUnits(unit_ids, peak, channel[nearest], electrode[nearest], counts.sum(axis=1))


def _from_recording(
    session: str, recording: dict[str, Any], pair: RawPair, near: NearUnits, spikes: pa.Table
) -> pa.Table:
    with unchanged(pair.bin.path):
        opened = open_whole(pair)
        if near.channels.max() >= opened.n_ap_channels:
            raise PiecesDoNotFit(
                pair.bin.path,
                f"it has {opened.n_ap_channels} AP channels, and a unit's peak is on channel {near.channels.max()}",
                expected="the recording that was sorted",
                todo="Copy the recording and its sorting together.",
            )
        trains = _trains(session, recording["probe"], near.unit_ids, spikes, len(opened.samples))
        found = average_windows(opened.samples, trains, near.channels)
    scale = opened.microvolt_per_bit[near.channels]
    uv = MeanWindows(found.n_spikes, found.mean * scale[:, :, None], found.residual * scale[:, 0])
    return _table(session, recording, near, uv, source="ap.bin", first_sample=FIRST_SAMPLE)


def _trains(
    session: str, probe: int, unit_ids: NDArray[np.int64], spikes: pa.Table, n_samples: int
) -> list[NDArray[np.int64]]:
    """Draw each unit's spikes; none for a unit without a train."""
    trains = spikes["samples"].combine_chunks()
    offsets, values = trains.offsets.to_numpy(), trains.values.to_numpy()
    row = {unit_id: place for place, unit_id in enumerate(spikes["unit_id"].to_pylist())}
    chosen = []
    for unit_id in unit_ids.tolist():
        place = row.get(unit_id)
        train = values[:0] if place is None else values[offsets[place] : offsets[place + 1]]
        chosen.append(choose_spikes(session, probe, unit_id, train, n_samples))
    return chosen


def _from_means(session: str, recording: dict[str, Any], file: FoundFile, near: NearUnits) -> pa.Table:
    """Take rows of ``mean_waveforms.npy`` (cluster, raw channel, sample; uV, as ecephys_spike_sorting writes them)."""
    shape = shape_of(file.path)
    known = near.unit_ids < shape[0] if len(shape) else np.zeros(len(near.unit_ids), bool)
    near = NearUnits(*(part[known] for part in vars(near).values()))
    if not known.any() or 0 in shape:
        return UNIT_WAVEFORMS.empty()
    n_units, n_near = near.channels.shape
    parts = list(zip(np.repeat(near.unit_ids, n_near).tolist(), near.channels.ravel().tolist(), strict=True))
    mean = read_parts(file.path, parts, _AXES_OF_MEANS).astype(np.float64).reshape(n_units, n_near, -1)
    uv = MeanWindows(np.ones(n_units, np.int64), mean, np.full(n_units, np.nan))
    return _table(session, recording, near, uv, source=_MEANS, first_sample=None)


def _table(
    session: str, recording: dict[str, Any], near: NearUnits, uv: MeanWindows, *, source: str, first_sample: int | None
) -> pa.Table:
    counts = np.arange(near.channels.shape[1]) < near.n_channels[:, None]
    height = np.where(counts, np.ptp(uv.mean, axis=-1), -1.0)
    keep = np.isfinite(uv.mean).all(axis=(1, 2)) & (uv.mean.shape[-1] > 0)
    n_units, n_samples = int(keep.sum()), uv.mean.shape[-1]
    largest = near.electrodes[np.arange(len(keep)), np.argmax(height, axis=1)]
    noise = np.where(uv.residual > 0, uv.residual, np.nan)
    lengths = near.n_channels[keep]
    is_measured = first_sample is not None
    return UNIT_WAVEFORMS.from_columns(
        {
            "session": pa.repeat(session, n_units),
            "probe": np.full(n_units, recording["probe"]),
            "unit_id": near.unit_ids[keep],
            "source": pa.repeat(source, n_units),
            "n_spikes_used": uv.n_spikes[keep] if is_measured else pa.nulls(n_units, pa.int64()),
            "sample_rate_hz": np.full(n_units, recording["sample_rate_hz"]),
            "n_samples": np.full(n_units, n_samples),
            "first_sample_from_spike": [first_sample] * n_units,
            "peak_channel": near.peak_channel[keep],
            "electrode": near.electrodes[keep, 0],
            "largest_electrode": largest[keep],
            "n_channels": lengths,
            "electrodes": _lists(near.electrodes[keep][counts[keep]], lengths, pa.int64()),
            "waveform_uv": _lists(uv.mean[keep][counts[keep]].ravel(), lengths * n_samples, pa.float32()),
            "amplitude_uv": height[keep, 0],
            "noise_uv": noise[keep],
            "snr": (height[:, 0] / (2 * noise))[keep],
        }
    )


def _lists(values: NDArray[Any], lengths: NDArray[np.int64], item: pa.DataType) -> pa.ListArray:
    offsets = pa.array(np.r_[0, np.cumsum(lengths)], pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.array(values).cast(item))
