"""Results of JRCLUST, versions 3 (``*_jrc.mat``) and 4 (``*.ap_res.mat``). How their variables are read lives in `jrclust_file`.

Which variable holds what: https://github.com/JaneliaSciComp/JRCLUST (the old and new names side by side in its
clustering class), and the earlier MAP pipeline's loader, but for the depth in version 4, which it took from x.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from map_assets.ephys.sorters.jrclust_file import JrclustFile, open_jrclust
from map_assets.ephys.sorters.jrclust_units import NAMES, Names, Sites, make_measures
from map_assets.ephys.sorters.protocol import Scale, SorterResult, SortingFolder, SpikeFeatures, UnitLabels
from map_assets.ephys.sorters.trains import Spikes, sort_spikes

_SUFFIXES = {"4": ".ap_res.mat", "3": "_jrc.mat"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PARTS = (".prm", ".jrc")
_NO_LABEL = "unsorted"
_NOTE = "note"
_LARGEST_SAMPLE = 1 << 53


def recognizes(names: frozenset[str]) -> bool:
    """Whether a folder holds a result of JRCLUST."""
    return any(name.lower().endswith(tuple(_SUFFIXES.values())) for name in names)


def lacks(names: frozenset[str]) -> str | None:
    """Name what a part of a folder still lacks; None where nothing of JRCLUST is in it."""
    has_part = any(name.lower().endswith(_PARTS) for name in names)
    return " or ".join(f"*{suffix}" for suffix in _SUFFIXES.values()) if has_part and not recognizes(names) else None


def read(folder: SortingFolder, scale: Scale) -> SorterResult:
    """Read a JRCLUST result; units are the clusters from 1 that have spikes.

    A unit's label is the note that a person gave it, as found (``single``, ``ok``, ``multi``, or any other text). The
    spikes of clusters 0 and below are deleted or noise; they are counted and left out. Sites count from 1; channels
    from 0 (by ``P/viSite2Chan`` where version 3 has it, else channel = site - 1). Version 4 does not save its sample
    rate: the recording's is given. JRCLUST's own spike amplitudes are of filtered data, no voltages, and left behind.
    Where both versions' files stand in one folder, version 4's is read.

    Raises
    ------
    UnreadableFile
        If the file is damaged or lacks a variable.
    PiecesDoNotFit
        If the folder holds several results, or variables disagree.
    """
    name, version = _chosen(folder)
    names = NAMES[version]
    with open_jrclust(folder.path(name)) as file:
        spikes, kept, n_unassigned = _spikes(folder, file, names)
        unit_ids = spikes.trains.unit_ids
        to_channel = Sites(folder, file, "P/viSite2Chan")
        rate_hz = _rate(file) if version == "3" else scale.sample_rate_hz
        notes = _notes(file, names)
        features = _features(folder, file, names, spikes, kept, to_channel)
        measures = make_measures(folder, file, version, spikes, to_channel, rate_hz or scale.sample_rate_hz)
    known = {unit: note for unit, note in enumerate(notes, 1) if note}
    quality = [known.get(unit_id) for unit_id in unit_ids.tolist()]
    return SorterResult(
        sorter=f"jrclust{version}",
        sorter_version=version,
        curation="curated" if known else "raw",
        sorted_at=_EPOCH + timedelta(microseconds=folder.files[name].mtime_ns // 1000),
        sample_rate_hz=rate_hz,
        has_metrics=False,
        quality=[label or _NO_LABEL for label in quality],
        quality_source=["none" if label is None else name for label in quality],
        sorter_label=[None] * len(quality),
        trains=spikes.trains,
        measures=measures,
        labels=UnitLabels([*known], [name] * len(known), [_NOTE] * len(known), [*known.values()]),
        features=features,
        n_unassigned=n_unassigned,
    )


def _chosen(folder: SortingFolder) -> tuple[str, str]:
    """Choose the file to read, and its version."""
    by_version = {
        version: sorted(name for name in folder.files if name.lower().endswith(suffix))
        for version, suffix in _SUFFIXES.items()
    }
    found = [name for names in by_version.values() for name in names]
    if len({name.split("_")[0] for name in found}) > 1:
        raise folder.misfit(f"{' and '.join(found)} are of different animals", "one animal's result")
    version, names = next((version, names) for version, names in by_version.items() if names)
    if len(names) > 1:
        raise folder.misfit(f"it holds {len(names)} results: {' and '.join(names)}", "one")
    return names[0], version


def _spikes(folder: SortingFolder, file: JrclustFile, names: Names) -> tuple[Spikes, NDArray[np.bool_] | None, int]:
    """Read and sort the spikes of units; also which spikes of the file these are (None: all), and how many are not."""
    times, clusters = file.vector(names.times), file.vector(names.clusters)
    if len(times) != len(clusters):
        raise folder.misfit(f"{len(times)} spike times and {len(clusters)} clusters", "one cluster for each spike")
    for what, values in (("spike time", times), ("cluster", clusters)):
        if len(values) and not (np.all(values == np.floor(values)) and np.abs(values).max() <= _LARGEST_SAMPLE):
            raise folder.misfit(f"a {what} is no whole number or too large", "whole numbers")
    ids = clusters.astype(np.int64)
    is_unit = ids > 0
    kept = None if is_unit.all() else is_unit
    if kept is not None:
        times, ids = times[kept], ids[kept]
    samples = times.astype(np.int64)
    if len(samples) and samples.min() < 0:
        raise folder.misfit("a spike time is negative", "samples from 0")
    return sort_spikes(samples, ids), kept, int(len(is_unit) - np.count_nonzero(is_unit))


def _features(
    folder: SortingFolder,
    file: JrclustFile,
    names: Names,
    spikes: Spikes,
    kept: NDArray[np.bool_] | None,
    to_channel: Sites,
) -> SpikeFeatures:
    n_spikes = len(spikes.order) if kept is None else len(kept)
    depth = channel = None
    if file.has(names.positions):
        positions = file.numbers(names.positions)
        if positions.shape[:1] != (2,) or positions[1:2].size != n_spikes:
            raise folder.misfit(
                f"{names.positions} of shape {positions.shape} for {n_spikes} spikes", "x and y of each"
            )
        depth = positions[1].ravel().astype(np.float32)
    if file.has(names.sites):
        channel = to_channel.of(file.vector(names.sites)).astype(np.int16)
        if len(channel) != n_spikes:
            raise folder.misfit(f"{len(channel)} sites for {n_spikes} spikes", "one for each")
    take = [
        None if values is None else spikes.sorted(values if kept is None else values[kept])
        for values in (depth, channel)
    ]
    return SpikeFeatures(None, take[0], take[1])


def _notes(file: JrclustFile, names: Names) -> list[str]:
    return file.texts(names.notes) if file.has(names.notes) else []


def _rate(file: JrclustFile) -> float | None:
    rate = file.vector("P/sRateHz") if file.has("P/sRateHz") else np.empty(0)
    return float(rate[0]) if len(rate) == 1 and np.isfinite(rate[0]) and rate[0] > 0 else None
