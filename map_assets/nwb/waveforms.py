"""Mean waveforms of the file's units, in volts. Averaging them from a recording lives in `ephys`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.nwb.columns import column, stored
from map_assets.nwb.joined import rows_of

_VOLT_PER_UV = 1e-6
_MEANING = "mean waveform on the electrode with the largest one (V); NaN after its end, or where there is none"


def waveform_columns(units: pa.Table, tables: Mapping[str, pa.Table]) -> list[Any]:
    """Make the mean waveforms, and where each comes from; no column where no unit has any."""
    from hdmf.common import VectorData

    waveforms, source = waveforms_uv(units, tables)
    if not waveforms.shape[1]:
        return []
    return [
        VectorData(name="waveform_mean", description=_MEANING, data=stored(waveforms * np.float32(_VOLT_PER_UV))),
        column("waveform_source", "table that the waveform comes from, or none", source),
    ]


def waveforms_uv(units: pa.Table, tables: Mapping[str, pa.Table]) -> tuple[NDArray[np.float32], list[str]]:
    """Return each unit's mean waveform on its peak contact, uV, and the table that it comes from.

    The sorter's own (`units.waveform_uv`) goes first; a unit without one takes the peak channel of `unit_waveforms`.
    """
    found = [_of_units(units), _of_recording(units, tables.get("unit_waveforms"))]
    waveforms = np.full((units.num_rows, max(one.shape[1] for one in found)), np.nan, np.float32)
    source = np.full(units.num_rows, "none", dtype=object)
    for values, name in zip(found, ("units", "unit_waveforms"), strict=True):
        takes = np.isfinite(values).any(1) & (source == "none")
        waveforms[takes, : values.shape[1]] = values[takes]
        source[takes] = name
    return waveforms, source.tolist()


def _of_units(units: pa.Table) -> NDArray[np.float32]:
    if "waveform_uv" not in units.column_names:
        return np.empty((units.num_rows, 0), np.float32)
    lists = units["waveform_uv"].combine_chunks()
    lengths = np.asarray(pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False), np.int64)
    return _padded(lists, lengths, lengths)


def _of_recording(units: pa.Table, found: pa.Table | None) -> NDArray[np.float32]:
    """The first channel of each unit's waveform, which is the peak's."""
    if found is None or not found.num_rows:
        return np.empty((units.num_rows, 0), np.float32)
    rows = found.take(rows_of(units, found))
    lists = rows["waveform_uv"].combine_chunks()
    lengths, first = (
        np.asarray(pc.fill_null(one, 0).to_numpy(zero_copy_only=False), np.int64)
        for one in (pc.list_value_length(lists), rows["n_samples"].combine_chunks())
    )
    return _padded(lists, lengths, np.minimum(first, lengths))


def _padded(lists: pa.ListArray, lengths: NDArray[np.int64], n_kept: NDArray[np.int64]) -> NDArray[np.float32]:
    """The first `n_kept` values of each list as a row, NaN after them."""
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    place = np.arange(int(n_kept.max(initial=0)))
    is_kept = place < n_kept[:, None]
    rows = np.full(is_kept.shape, np.nan, np.float32)
    if rows.size:
        first = np.r_[0, np.cumsum(lengths)[:-1]]
        rows[is_kept] = flat[(first[:, None] + place)[is_kept]]
    return rows
