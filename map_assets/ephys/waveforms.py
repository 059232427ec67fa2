"""Mean waveforms of a session's units, out of the raw recording. How windows are read and averaged lives in `spike_windows`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.ephys.near_units import NearUnits, near_units
from map_assets.ephys.raw import AP, RawPair, open_whole, pair_files
from map_assets.ephys.sorted_means import MEANS_FILE, SortedMeans, sorted_means
from map_assets.ephys.sorting_past import Past
from map_assets.ephys.spike_windows import (
    FIRST_SAMPLE,
    MeanWindows,
    average_windows,
    choose_spikes,
)
from map_assets.ephys.tables.raw import UNIT_WAVEFORMS
from map_assets.vocabulary.errors import BadInput, PiecesDoNotFit
from map_assets.vocabulary.files import FoundFile, Rejected, unchanged
from map_assets.vocabulary.session import SessionKey

AP_BIN = "ap.bin"
"""What a row that was measured in the recording calls its source."""


def make_unit_waveforms(
    session: str,
    files: Sequence[FoundFile],
    recordings: pa.Table,
    probe_sites: pa.Table,
    units: pa.Table,
    spikes: pa.Table,
    *,
    past: Past = lambda _name: iter(()),
) -> tuple[pa.Table, tuple[Rejected, ...]]:
    """Average each unit's waveform over spikes of the recording.

    The recording is the one that `recordings` describes, for spike times count its samples. Up to 500 spikes of a unit
    are drawn by a seeded lot (`spike_windows.choose_spikes`). From each window of each channel its own median is taken;
    nothing else is filtered. Voltages have each channel's own gain. The signal-to-noise ratio is the mean's peak-to-peak
    height over twice the standard deviation of the residuals, both on the peak channel, as the earlier MAP pipeline had it.

    Where a probe's recording cannot be read now (it is archived, or on its way), what was measured of these units before
    is kept: rows of the same version of the sorting, with the same peak. Where nothing was, ``mean_waveforms.npy`` is
    taken (`sorted_means`).

    Parameters
    ----------
    session : str
        Session key.
    files : sequence of FoundFile
        Those with the roles ``spikeglx_bin`` (and their ``spikeglx_meta``) and ``sorting`` count.
    recordings, probe_sites, units, spikes : pyarrow.Table
    past : callable
        Gives what stands under `unit_waveforms`, then what stood there before, the youngest first.

    Returns
    -------
    table : pyarrow.Table
        `unit_waveforms`. A unit whose peak channel is unknown or on no known contact, or that has no whole window in
        the file, has no row.
    rejected : tuple of Rejected
        Binaries that wait for their meta file or for the rest of themselves, and files that cannot be used; never a
        sorter's, which its own reader judges.
    """
    raw, lonely = pair_files(session, files, AP)
    rejected = list(lonely)
    tables = []
    recorded = {row["probe"]: row for row in recordings.to_pylist()}
    for probe in sorted(set(units["probe"].to_pylist())):
        of_probe, recording = _of(units, probe), recorded.get(probe)
        near = near_units(of_probe, _of(probe_sites, probe))
        pair = raw.recorded(recording) if recording else None
        if recording is not None and pair is not None and len(near.unit_ids):
            try:
                tables.append(_from_recording(session, recording, pair, near, _of(spikes, probe)))
                continue
            except BadInput as error:
                rejected.append(Rejected((pair.bin,), error))
        tables.append(_standing(past, of_probe, from_recording=True))
        if recording is not None and not tables[-1].num_rows:
            means = sorted_means(files, SessionKey.parse(session).animal, of_probe, near)
            tables[-1] = UNIT_WAVEFORMS.empty() if means is None else _from_means(session, recording, means)
        if not tables[-1].num_rows:
            tables[-1] = _standing(past, of_probe, from_recording=False)
    return (pa.concat_tables(tables) if tables else UNIT_WAVEFORMS.empty()), tuple(rejected)


def _of(table: pa.Table, probe: int) -> pa.Table:
    return table.filter(pc.equal(table["probe"], probe))


def _standing(past: Past, units: pa.Table, *, from_recording: bool) -> pa.Table:
    """Return what was measured of one probe's units, by the youngest table that has something of this sorting."""
    keys = ["probe", "sorting", "unit_id", "peak_channel"]
    named = units.filter(pc.is_valid(units["sorting"])).select(keys)
    for table in past(UNIT_WAVEFORMS.name) if named.num_rows else ():
        if "sorting" not in table.column_names:
            continue
        kept = _of(table, named["probe"][0].as_py())
        if from_recording:
            kept = kept.filter(pc.equal(kept["source"], AP_BIN))
        # a join does not carry lists, so it is one of row numbers
        numbered = kept.select(keys).append_column("row", pa.array(np.arange(kept.num_rows)))
        rows = numbered.join(named, keys, join_type="left semi")["row"]
        if len(rows):
            return UNIT_WAVEFORMS.check(kept.take(np.sort(rows.to_numpy())))
    return UNIT_WAVEFORMS.empty()


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
    return _table(session, recording, near, uv, source=AP_BIN, first_sample=FIRST_SAMPLE)


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


def _from_means(session: str, recording: dict[str, Any], means: SortedMeans) -> pa.Table:
    n_units = len(means.near.unit_ids)
    uv = MeanWindows(np.ones(n_units, np.int64), means.mean_uv, np.full(n_units, np.nan))
    return _table(session, recording, means.near, uv, source=MEANS_FILE, first_sample=None)


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
            "sorting": pa.array(near.sorting[keep], pa.string()),
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
