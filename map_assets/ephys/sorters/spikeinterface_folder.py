"""Sortings that SpikeInterface saved: ``sorting.save(folder=...)``. A sorter's own folder is read by that sorter's module.

SpikeInterface is an extra. Its ``load`` follows a class name and opens pickles, so it is never called: the folder's
own classes read copies of its files, those of the inventory alone, after every array has been seen to hold plain values.
https://spikeinterface.readthedocs.io/en/stable/modules/core.html
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from map_assets.ephys.sorters.protocol import (
    Reals,
    Scale,
    SorterResult,
    SortingFolder,
    UnitLabels,
    UnitMeasures,
    Wholes,
)
from map_assets.ephys.sorters.trains import sort_spikes
from map_assets.vocabulary.errors import NoFormatRecognizes, UnreadableFile
from map_assets.vocabulary.files import unchanged

_INFO, _SPIKES = "numpysorting_info.json", "spikes.npy"
_NPZ_INFO, _NPZ = "npz.json", "sorting_cached.npz"
_PROPERTIES = "properties"
_TEXTS = (_INFO, "annotations.json", "si_folder.json")
"""What the classes read besides arrays."""
_QUALITY = ("quality", "KSLabel")
_MAIN_CHANNEL = "main_channel_id"
_UNIT = "unit_id"
_CURATED = "spikeinterface.curation"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHANNEL = re.compile(r"(?:.*#)?(?:AP)?(\d{1,4})")
_LONGEST_ID = 18
_NO_LABEL = "unsorted"
_TODO = "Save the sorting again with SpikeInterface: sorting.save(folder=...)."
_DAMAGE = (
    *(OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError),
    *(MemoryError, OverflowError, RecursionError, NotImplementedError, SyntaxError, TokenError),
    *(BadZipFile, zlib.error),
)


def recognizes(names: frozenset[str]) -> bool:
    """Whether a folder is a sorting that SpikeInterface saved, as arrays or (before 0.99) as one archive."""
    return {_INFO, _SPIKES} <= names or {_NPZ_INFO, _NPZ} <= names


def lacks(names: frozenset[str]) -> str | None:
    """Name what a part of a folder still lacks; None where nothing of SpikeInterface is in it."""
    if recognizes(names):
        return None
    pairs = {_INFO: _SPIKES, _SPIKES: _INFO, _NPZ_INFO: _NPZ, _NPZ: _NPZ_INFO}
    return next((other for one, other in pairs.items() if one in names), None)


def read(folder: SortingFolder, scale: Scale) -> SorterResult:
    """Read a saved sorting of one segment; units are those that have spikes.

    Ids that are no whole numbers are counted from 0, in the order of the file; the names stay as the label
    ``unit_id``. Every property of units is a label. The quality is the property ``quality``, else ``KSLabel``. The
    peak channel is the property ``main_channel_id`` (``imec0.ap#AP12`` is 12), unknown without it; amplitudes, places
    and waveforms are not saved with a sorting.

    Raises
    ------
    NoFormatRecognizes
        If SpikeInterface is not installed.
    UnreadableFile
        If a file is damaged, or holds Python objects (a pickle), which are never loaded.
    CompanionMissing
        If an array of properties on the share is not among the session's files.
    PiecesDoNotFit
        If there is more than one segment, or spikes and units disagree.
    """
    name = _SPIKES if _SPIKES in folder and _INFO in folder else _NPZ
    with _loaded(folder, name) as sorting, _errors(folder.path(name)):
        names = sorting.unit_ids.tolist()
        _need_text(np.array([str(name) for name in names], np.str_))
        vector = sorting.to_spike_vector()
        samples, place = np.array(vector["sample_index"]), np.array(vector["unit_index"])
        rate_hz = float(sorting.sampling_frequency)
        properties = {key: np.array(sorting.get_property(key)) for key in sorting.get_property_keys()}
        n_segments, info = int(sorting.get_num_segments()), sorting.sorting_info
    if n_segments != 1:
        raise folder.misfit(f"it has {n_segments} segments", "one: a session is one recording")
    if len(samples) and not (samples.min() >= 0 and 0 <= place.min() <= place.max() < len(names)):
        raise folder.misfit("a spike is before the recording or of no unit", "samples from 0, of the saved units")
    ids, is_own = _ids(names)
    if len(set(ids.tolist())) != len(ids):
        raise folder.misfit("two units have one id", "an id for each unit")
    spikes = sort_spikes(samples, ids[place])
    has_spikes = np.isin(ids, spikes.trains.unit_ids)
    row = np.flatnonzero(has_spikes)[np.argsort(ids[has_spikes])]
    labels = _labels(ids, properties) if is_own else _labels(ids, {_UNIT: np.array(names), **properties})
    quality_from = next((key for key in _QUALITY if key in properties and properties[key].ndim == 1), None)
    quality = (
        [_NO_LABEL] * len(row)
        if quality_from is None
        else [_text(v) or _NO_LABEL for v in properties[quality_from][row]]
    )
    own = properties.get("KSLabel")
    sorter, version = _sorter(info)
    rate = rate_hz if np.isfinite(rate_hz) and rate_hz > 0 else None
    return SorterResult(
        sorter=sorter,
        sorter_version=version,
        curation="curated" if _is_curated(folder) else "raw",
        sorted_at=_EPOCH + timedelta(microseconds=max(file.mtime_ns for file in folder.files.values()) // 1000),
        sample_rate_hz=rate,
        has_metrics=False,
        quality=quality,
        quality_source=["none" if label == _NO_LABEL else f"{_PROPERTIES}/{quality_from}.npy" for label in quality],
        sorter_label=[None] * len(row) if own is None or own.ndim != 1 else [_text(v) or None for v in own[row]],
        trains=spikes.trains,
        measures=_measures(properties.get(_MAIN_CHANNEL), row, spikes.trains.rates_hz(rate or scale.sample_rate_hz)),
        labels=labels,
    )


@contextmanager
def _loaded(folder: SortingFolder, name: str) -> Iterator[Any]:
    """Let SpikeInterface's own class read copies of the inventory's files, whose arrays are all plain."""
    try:
        from spikeinterface.core import NpzSortingExtractor
        from spikeinterface.core.core_tools import load_properties_from_folder
        from spikeinterface.core.sortingfolder import NumpyFolderSorting
    except ImportError as error:
        raise NoFormatRecognizes(
            folder.path(name).parent,
            "SpikeInterface saved it, which is not installed here",
            expected="the extra spikeinterface",
            todo="Install it: pip install 'map-assets[spikeinterface]'.",
        ) from error
    with TemporaryDirectory(prefix="map_assets_", ignore_cleanup_errors=True) as made:
        copies = Path(made)
        _copy(folder, name, copies)
        with _errors(folder.path(name)):
            if name == _SPIKES:
                sorting = NumpyFolderSorting(copies)
            else:
                sorting = NpzSortingExtractor(copies / name)
                load_properties_from_folder(copies / _PROPERTIES, sorting)
        yield sorting


def _copy(folder: SortingFolder, name: str, copies: Path) -> None:
    """Copy what the classes open, so that they see no file beyond the inventory and map none on the share.

    Raises
    ------
    CompanionMissing
        If an array of properties lies on the share and is not in the inventory: a link, or one that was set aside.
    """
    here = folder.path(name).parent / _PROPERTIES
    arrays = {path: file for path, file in folder.below.items() if path.rpartition("/")[0] == _PROPERTIES}
    for inner in sorted(entry.name for entry in os.scandir(here) if _is_array(entry.name)) if here.is_dir() else ():
        if f"{_PROPERTIES}/{inner}" not in arrays:
            raise folder.lacks(f"a readable file in the place of {_PROPERTIES}/{inner}")
    (copies / _PROPERTIES).mkdir()
    opened = {one: folder.files[one] for one in (name, *_TEXTS) if one in folder}
    opened |= {path: file for path, file in arrays.items() if _is_array(path)}
    for relpath, file in opened.items():
        with unchanged(file.path), _errors(file.path):
            shutil.copyfile(file.path, copies / relpath)
            if relpath not in _TEXTS:
                _need_plain(copies / relpath)


def _is_array(name: str) -> bool:
    return name.endswith(".npy")


def _need_plain(path: Path) -> None:
    """Refuse a file that numpy would have to unpickle, by an error that `_errors` knows."""
    found = np.load(path, mmap_mode="r", allow_pickle=False)
    if isinstance(found, np.ndarray):
        _need_text(found)
    else:
        with found:
            if path.name != _NPZ:
                raise ValueError("it is an archive")
            for name in found.files:
                _need_text(found[name])


def _need_text(values: NDArray[Any]) -> None:
    """Refuse texts with codes that are no characters, by an error that `_errors` knows."""
    if values.dtype.kind == "U" and values.nbytes:
        plain = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
        if plain.reshape(-1).view(np.uint32).max() > sys.maxunicode:
            raise ValueError("it holds codes that are no characters")
        "".join(plain.ravel().tolist()).encode()


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise UnreadableFile(
            path, f"it cannot be read ({error})", expected="plain numbers and texts, no Python objects", todo=_TODO
        ) from error


def _ids(names: list[Any]) -> tuple[Wholes, bool]:
    """Return the units' ids, and whether they are the saved ones."""
    texts = [str(name) for name in names]
    if all(text.isdecimal() and len(text) <= _LONGEST_ID for text in texts):
        return np.array([int(text) for text in texts], np.int64), True
    return np.arange(len(texts)), False


def _labels(ids: Wholes, properties: Mapping[str, NDArray[Any]]) -> UnitLabels:
    """List every property that is one value a unit; the name of its file is its source."""
    labels = UnitLabels()
    for name, values in properties.items():
        if values.ndim != 1 or len(values) != len(ids):
            continue
        for unit_id, value in zip(ids.tolist(), values.tolist(), strict=True):
            if text := _text(value):
                labels.unit_id.append(unit_id)
                labels.source.append(_INFO if name == _UNIT else f"{_PROPERTIES}/{name}.npy")
                labels.name.append(name)
                labels.value.append(text)
    return labels


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value).strip()


def _measures(main_channel: NDArray[Any] | None, row: NDArray[np.intp], firing_rate_hz: Reals) -> UnitMeasures:
    unknown = np.full(len(row), np.nan)
    channel = np.ma.MaskedArray(np.full(len(row), -1), np.ones(len(row), np.bool_))
    if main_channel is not None and main_channel.ndim == 1:
        for place, value in enumerate(main_channel[row].tolist()):
            if found := _CHANNEL.fullmatch(str(value)):
                channel[place] = int(found[1])
    return UnitMeasures(
        peak_channel=channel,
        x_um=unknown,
        y_um=unknown,
        amplitude_uv=unknown,
        firing_rate_hz=firing_rate_hz,
        waveform_uv=[np.empty(0, np.float32)] * len(row),
        metrics={},
    )


def _sorter(info: Any) -> tuple[str, str | None]:
    """Tell sorter and version by what SpikeInterface noted when it ran the sorter."""
    log = info.get("log") if isinstance(info, dict) else None
    log = log if isinstance(log, dict) else {}
    version = log.get("sorter_version")
    return str(log.get("sorter_name") or "spikeinterface"), None if version in (None, "unknown") else str(version)


def _is_curated(folder: SortingFolder) -> bool:
    """Whether the steps that led to the sorting include one of curation."""
    if "provenance.json" not in folder:
        return False
    path = folder.path("provenance.json")
    with unchanged(path), _errors(path):
        return _CURATED in json.dumps(json.loads(path.read_bytes()))
