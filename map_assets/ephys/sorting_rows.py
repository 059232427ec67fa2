"""One sorter's result as rows of tables, in the form that every version has. Which version is current is decided in `sorting_versions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.ephys.sorters.protocol import Scale, SorterResult, SortingFolder
from map_assets.ephys.tables import OTHER_SPIKE_FEATURES, OTHER_SPIKES, OTHER_UNITS, UNIT_LABELS

VERSION_TABLES = {
    "units": OTHER_UNITS,
    "spikes": OTHER_SPIKES,
    "spike_features": OTHER_SPIKE_FEATURES,
    "unit_labels": UNIT_LABELS,
}
"""Tables of one version, by the table that holds them while it is current."""


def scale_of(recordings: pa.Table | None, probe: int) -> Scale:
    """Return what a probe's recording tells its sorter's reader."""
    if recordings is None:
        return Scale()
    rows = recordings.filter(pc.equal(recordings["probe"], probe)).to_pylist()
    return Scale(rows[0]["sample_rate_hz"], rows[0]["microvolt_per_bit"]) if rows else Scale()


def facts_of(session: str, probe: int, folder: SortingFolder, result: SorterResult) -> dict[str, Any]:
    """Return the columns of `sortings` that a result tells by itself."""
    return {
        "session": session,
        "probe": probe,
        "sorter": result.sorter,
        "sorter_version": result.sorter_version,
        "curation": result.curation,
        "sorted_at": result.sorted_at,
        "n_units": len(result.trains.unit_ids),
        "n_spikes": len(result.trains.samples),
        "n_unassigned_spikes": result.n_unassigned,
        "sample_rate_hz": result.sample_rate_hz,
        "has_metrics": result.has_metrics,
        "folder": folder.relpath.as_posix(),
    }


def tables_of(
    session: str, probe: int, sorting: str, result: SorterResult, probe_sites: pa.Table | None
) -> Mapping[str, pa.Table]:
    """Make a version's tables; spikes are not copied.

    Returns
    -------
    mapping of str to pyarrow.Table
        With the keys of `VERSION_TABLES`.

    Raises
    ------
    TableDoesNotFit
        If the result contradicts itself (two labels of one name, say).
    """
    n_units = len(result.trains.unit_ids)
    key = {
        "session": pa.repeat(session, n_units),
        "probe": np.full(n_units, probe),
        "sorting": pa.repeat(sorting, n_units),
        "unit_id": result.trains.unit_ids,
    }
    electrodes = _electrodes(probe, probe_sites)
    return {
        "units": _units(key, result, electrodes),
        "spikes": OTHER_SPIKES.from_columns({**key, "samples": _lists(result, pa.array(result.trains.samples))}),
        "spike_features": _features(key, result, electrodes),
        "unit_labels": _labels(session, probe, sorting, result),
    }


def _units(key: Mapping[str, Any], result: SorterResult, electrodes: _Electrodes | None) -> pa.Table:
    measures = result.measures
    electrode = pa.nulls(len(result.quality), pa.int64()) if electrodes is None else electrodes(measures.peak_channel)
    return OTHER_UNITS.from_columns(
        {
            **measures.metrics,
            **key,
            "quality": result.quality,
            "quality_source": result.quality_source,
            "sorter_label": result.sorter_label,
            "electrode": electrode,
            "peak_channel": measures.peak_channel,
            "x_um": measures.x_um,
            "y_um": measures.y_um,
            "amplitude_uv": measures.amplitude_uv,
            "n_spikes": result.trains.counts,
            "firing_rate_hz": measures.firing_rate_hz,
            "waveform_uv": pa.array(measures.waveform_uv, pa.list_(pa.float32())),
        }
    )


def _features(key: Mapping[str, Any], result: SorterResult, electrodes: _Electrodes | None) -> pa.Table:
    told = result.features
    columns = dict(key)
    for name, values in (("amplitude_uv", told.amplitude_uv), ("depth_um", told.depth_um)):
        if values is not None:
            columns[name] = _lists(result, pa.array(values, from_pandas=True))
    if told.peak_channel is not None and electrodes is not None:
        columns["electrode"] = _lists(result, electrodes(told.peak_channel, np.int16))
    return OTHER_SPIKE_FEATURES.from_columns(columns)


def _labels(session: str, probe: int, sorting: str, result: SorterResult) -> pa.Table:
    labels, n_labels = result.labels, len(result.labels.unit_id)
    columns = {"unit_id": labels.unit_id, "source": labels.source, "name": labels.name, "value": labels.value}
    where = {"session": [session] * n_labels, "probe": [probe] * n_labels, "sorting": [sorting] * n_labels}
    return UNIT_LABELS.from_columns({**where, **columns})


def _lists(result: SorterResult, values: pa.Array) -> pa.ListArray:
    """Cut one value a spike into one list a unit; the values stay where they are."""
    return pa.ListArray.from_arrays(pa.array(result.trains.offsets, pa.int32()), values)


class _Electrodes:
    """The contact under each saved channel of a probe."""

    def __init__(self, channel: NDArray[np.int64], electrode: NDArray[np.int64]) -> None:
        self._of_channel = np.full(int(channel.max(initial=-1)) + 2, -1, np.int64)
        self._of_channel[channel] = electrode

    def __call__(self, channels: NDArray[np.integer[Any]], kind: type[np.signedinteger[Any]] = np.int64) -> pa.Array:
        """Return each channel's contact, null where no known contact has it."""
        nowhere = len(self._of_channel) - 1
        place = np.minimum(channels, nowhere)
        place[place < 0] = nowhere
        found = self._of_channel.astype(kind)[place]
        return pa.array(found, mask=found < 0)


def _electrodes(probe: int, probe_sites: pa.Table | None) -> _Electrodes | None:
    """Look a probe's contacts up; None where they are not known at all."""
    if probe_sites is None:
        return None
    sites = probe_sites.filter(pc.equal(probe_sites["probe"], probe))
    if not sites.num_rows:
        return None
    return _Electrodes(sites["channel"].to_numpy(), sites["electrode"].to_numpy())
