"""A session's sortings: units, spikes and which sorter reads a folder. How a sorter's files are read lives in `sorters`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.ephys.probe_number import probe_of
from map_assets.ephys.sorters import kilosort
from map_assets.ephys.sorters.protocol import Scale, Sorter, SorterResult, SortingFolder
from map_assets.ephys.tables import SORTINGS, SPIKES, UNITS
from map_assets.vocabulary.errors import (
    BadInput,
    NameDoesNotParse,
    NoFormatRecognizes,
    PiecesDoNotFit,
    TwoFormatsRecognize,
)
from map_assets.vocabulary.files import FoundFile, Rejected
from map_assets.vocabulary.session import SessionKey

SORTERS: tuple[Sorter, ...] = (kilosort,)
"""Exactly one of them may recognise a folder."""


def read_sortings(
    session: str,
    files: Sequence[FoundFile],
    recordings: pa.Table | None = None,
    probe_sites: pa.Table | None = None,
) -> tuple[dict[str, pa.Table], tuple[Rejected, ...]]:
    """Read a session's sorter folders.

    Parameters
    ----------
    session : str
        Session key.
    files : sequence of FoundFile
        The session's files; those with the role ``sorting`` are read, folder by folder.
    recordings, probe_sites : pyarrow.Table, optional
        For the scale of amplitudes and for the contact under each unit's peak channel.

    Returns
    -------
    tables : dict of str to pyarrow.Table
        `sortings`, `units`, `spikes`; one that would be empty is left out.
    rejected : tuple of Rejected
        Folders that could not be used; the other probes went on. Two sortings of one probe are both rejected.
    """
    rejected: list[Rejected] = []
    folders = _folders([file for file in files if file.role == "sorting"])
    chosen = _chosen(folders, SessionKey.parse(session).animal, rejected)
    parts: dict[str, list[pa.Table]] = defaultdict(list)
    for probe, (folder, sorter) in sorted(chosen.items()):
        try:
            result = sorter.read(folder, _scale(recordings, probe))
        except BadInput as error:
            rejected.append(Rejected(tuple(folder.files.values()), error))
            continue
        parts["sortings"].append(SORTINGS.from_rows([_sorting_row(session, probe, folder, result)]))
        parts["units"].append(_units(session, probe, result, probe_sites))
        parts["spikes"].append(_spikes(session, probe, result))
    tables = {name: pa.concat_tables(found, promote_options="default") for name, found in parts.items()}
    return {name: table for name, table in tables.items() if table.num_rows}, tuple(rejected)


def _folders(files: Sequence[FoundFile]) -> list[SortingFolder]:
    by_folder: dict[tuple[Path, PurePosixPath], dict[str, FoundFile]] = defaultdict(dict)
    for file in files:
        by_folder[file.root, file.relpath.parent][file.relpath.name] = file
    return [SortingFolder(relpath, found) for (_, relpath), found in sorted(by_folder.items())]


def _chosen(
    folders: Sequence[SortingFolder], animal: str, rejected: list[Rejected]
) -> dict[int, tuple[SortingFolder, Sorter]]:
    """Choose each probe's folder and who reads it; a folder above or below a recognised one merely accompanies it."""
    by_probe: dict[int, list[tuple[SortingFolder, Sorter]]] = defaultdict(list)
    strange = []
    recognized = []
    for folder in folders:
        sorters = [sorter for sorter in SORTERS if sorter.recognizes(frozenset(folder.files))]
        if not sorters:
            strange.append(folder)
            continue
        recognized.append(folder.relpath)
        try:
            by_probe[_probe(folder, sorters, animal)].append((folder, sorters[0]))
        except BadInput as error:
            rejected.append(Rejected(tuple(folder.files.values()), error))
    for folder in strange:
        if not any(path.is_relative_to(folder.relpath) or folder.relpath.is_relative_to(path) for path in recognized):
            rejected.append(Rejected(tuple(folder.files.values()), _unknown(folder)))
    for probe in [probe for probe, found in by_probe.items() if len(found) > 1]:
        found = by_probe.pop(probe)
        files = tuple(file for folder, _ in found for file in folder.files.values())
        rejected.append(Rejected(files, _repeated(probe, [folder for folder, _ in found])))
    return {probe: found[0] for probe, found in by_probe.items()}


def _probe(folder: SortingFolder, sorters: Sequence[Sorter], animal: str) -> int:
    if len(sorters) > 1:
        raise TwoFormatsRecognize(
            Path(folder.relpath),
            f"{len(sorters)} sorters recognise it",
            expected="one",
            todo="Keep each sorter's result in a folder of its own.",
        )
    probe = probe_of(folder.relpath / "any file", animal)
    if probe is None:
        raise NameDoesNotParse(
            Path(folder.relpath),
            "no folder of its path tells the probe",
            expected="a folder with imecN in its name, or named by the insertion number alone",
            todo="Move the sorting into its probe's folder.",
        )
    return probe


def _unknown(folder: SortingFolder) -> NoFormatRecognizes:
    return NoFormatRecognizes(
        Path(folder.relpath),
        f"no sorter recognises it (it holds {', '.join(sorted(folder.files)[:5])})",
        expected="spike_times.npy with spike_clusters.npy, as Kilosort and Phy write them",
        todo="Copy the sorter's whole folder.",
    )


def _repeated(probe: int, folders: Sequence[SortingFolder]) -> PiecesDoNotFit:
    names = " and ".join(folder.relpath.as_posix() for folder in folders)
    return PiecesDoNotFit(
        Path(folders[0].relpath),
        f"probe {probe} has {len(folders)} sortings: {names}",
        expected="one",
        todo="Move those that do not count out of the session's folder.",
    )


def _scale(recordings: pa.Table | None, probe: int) -> Scale:
    if recordings is None:
        return Scale()
    rows = recordings.filter(pc.equal(recordings["probe"], probe)).to_pylist()
    return Scale(rows[0]["sample_rate_hz"], rows[0]["microvolt_per_bit"]) if rows else Scale()


def _sorting_row(session: str, probe: int, folder: SortingFolder, result: SorterResult) -> Mapping[str, Any]:
    return {
        "session": session,
        "probe": probe,
        "sorter": result.sorter,
        "sorter_version": result.sorter_version,
        "curation": result.curation,
        "sorted_at": result.sorted_at,
        "n_units": len(result.trains.unit_ids),
        "n_spikes": len(result.trains.samples),
        "sample_rate_hz": result.sample_rate_hz,
        "has_metrics": result.has_metrics,
        "folder": folder.relpath.as_posix(),
    }


def _units(session: str, probe: int, result: SorterResult, probe_sites: pa.Table | None) -> pa.Table:
    measures, n_units = result.measures, len(result.trains.unit_ids)
    return UNITS.from_columns(
        {
            **measures.metrics,
            "session": pa.repeat(session, n_units),
            "probe": np.full(n_units, probe),
            "unit_id": result.trains.unit_ids,
            "quality": result.quality,
            "quality_source": result.quality_source,
            "sorter_label": result.sorter_label,
            "electrode": _electrodes(measures.peak_channel, probe, probe_sites),
            "peak_channel": measures.peak_channel,
            "x_um": measures.x_um,
            "y_um": measures.y_um,
            "amplitude_uv": measures.amplitude_uv,
            "n_spikes": result.trains.counts,
            "firing_rate_hz": measures.firing_rate_hz,
            "waveform_uv": pa.array(measures.waveform_uv, pa.list_(pa.float32())),
        }
    )


def _electrodes(channels: NDArray[np.int64], probe: int, probe_sites: pa.Table | None) -> pa.Array:
    """Contact under each channel, null where the probe's contacts are not known or none has that channel."""
    if probe_sites is None:
        return pa.nulls(len(channels), pa.int64())
    sites = probe_sites.filter(pc.equal(probe_sites["probe"], probe))
    place = pc.index_in(pa.array(channels), value_set=sites["channel"].combine_chunks())
    return sites["electrode"].combine_chunks().take(place)


def _spikes(session: str, probe: int, result: SorterResult) -> pa.Table:
    trains = result.trains
    return SPIKES.from_columns(
        {
            "session": pa.repeat(session, len(trains.unit_ids)),
            "probe": np.full(len(trains.unit_ids), probe),
            "unit_id": trains.unit_ids,
            "samples": pa.ListArray.from_arrays(pa.array(trains.offsets, pa.int32()), pa.array(trains.samples)),
        }
    )
