"""Mean waveforms that stand in a sorter's folder, for units whose recording is not there. Measuring them anew lives in `waveforms`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.ephys.near_units import NearUnits
from map_assets.ephys.probe_number import probe_of
from map_assets.ephys.sorters.npy import read_parts, shape_of
from map_assets.vocabulary.errors import BadInput
from map_assets.vocabulary.files import FoundFile

MEANS_FILE = "mean_waveforms.npy"
_AXES = 3
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class SortedMeans:
    """Units of one file, and their mean waveforms, uV, shape (u, k, n_samples)."""

    near: NearUnits
    mean_uv: NDArray[np.float64]


def sorted_means(files: Sequence[FoundFile], animal: str, units: pa.Table, near: NearUnits) -> SortedMeans | None:
    """Read the ``mean_waveforms.npy`` that most of a probe's units come from (cluster, raw channel, sample; uV).

    Cluster ids are the same in every sorting of a probe, so an id alone proves nothing: a unit is taken where the file
    has on its peak channel the very waveform that `units` has. Channels that the file lacks are left out.

    Parameters
    ----------
    files : sequence of FoundFile
        Those with the role ``sorting`` count. One that cannot be used is passed over and noted in the log; the sorter's
        reader is the one that refuses it.
    animal : str
        The session's animal.
    units : pyarrow.Table
        Rows of `units` of one probe.
    near : NearUnits
        Those of them with a known peak.

    Returns
    -------
    SortedMeans or None
        None where no file has one of the units.
    """
    if not len(near.unit_ids):
        return None
    probe, found = units["probe"][0].as_py(), []
    for file in files:
        if file.role == "sorting" and file.relpath.name == MEANS_FILE and probe_of(file.relpath, animal) == probe:
            try:
                found.append(_read(file.path, units, near))
            except BadInput as error:
                _LOG.info("no waveforms are taken from it: %s", error)
    best = max(found, key=lambda one: len(one.near.unit_ids), default=None)
    return best if best is not None and len(best.near.unit_ids) else None


def _read(path: Path, units: pa.Table, near: NearUnits) -> SortedMeans:
    shape = shape_of(path)
    if len(shape) != _AXES or 0 in shape:
        return SortedMeans(near.only(np.zeros(len(near.unit_ids), np.bool_)), np.empty((0, 0, 0)))
    near = near.only(near.unit_ids < shape[0]).without_channels_from(shape[1])
    peaks = list(zip(near.unit_ids.tolist(), near.peak_channel.tolist(), strict=True))
    on_peak = read_parts(path, peaks, _AXES).astype(np.float32).reshape(len(peaks), shape[2])
    near = near.only(_are_the_same(on_peak, near.unit_ids, units))
    n_units, n_near = near.channels.shape
    parts = list(zip(np.repeat(near.unit_ids, n_near).tolist(), near.channels.ravel().tolist(), strict=True))
    mean = read_parts(path, parts, _AXES).astype(np.float64).reshape(n_units, n_near, shape[2])
    return SortedMeans(near, mean)


def _are_the_same(on_peak: NDArray[np.float32], unit_ids: NDArray[np.int64], units: pa.Table) -> NDArray[np.bool_]:
    """Whether each unit's waveform is the one that `units` has."""
    at = np.flatnonzero(np.isin(units["unit_id"].to_numpy(), unit_ids))
    told = units.take(at).sort_by("unit_id")["waveform_uv"]
    same = pc.equal(pc.list_value_length(told), on_peak.shape[1]).to_numpy()
    values = pc.list_flatten(told.filter(pa.array(same))).to_numpy().reshape(-1, on_peak.shape[1])
    order = np.argsort(unit_ids)
    found = same.copy()
    found[same] = (values == on_peak[order][same]).all(axis=1)
    result = np.empty(len(found), np.bool_)
    result[order] = found
    return result
