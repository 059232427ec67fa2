"""``metrics.csv`` of ecephys_spike_sorting and its successors, joined by cluster id. Thresholds on it live in the analyses.

Amplitudes in it are uV already. Columns: https://github.com/AllenInstitute/ecephys_spike_sorting (quality and waveform
metrics, merged on cluster_id).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.vocabulary.errors import UnreadableFile
from map_assets.vocabulary.files import unchanged

RENAMED = {"isi_viol": "isi_violation", "firing_rate": "firing_rate_hz", "amplitude": "amplitude_uv"}
"""Columns of metrics.csv (lower case) that have another name in `units`."""

_TODO = "Make the metrics again, or copy the file from the sorting computer again."
_OWN = frozenset(
    {"session", "probe", "unit_id", "quality", "quality_source", "sorter_label", "electrode", "x_um", "y_um"}
    | {"n_spikes", "waveform_uv"}
)

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Metrics:
    """Numeric columns by their name in `units`; rows as in the file.

    Parameters
    ----------
    unit_ids : numpy.ndarray of int, shape (m,)
    columns : mapping of str to numpy.ndarray of float, shape (m,)
        NaN where there is no finite value.
    """

    unit_ids: NDArray[np.int64]
    columns: Mapping[str, Reals]

    def of(self, unit_ids: NDArray[np.int64]) -> dict[str, Reals]:
        """Return the columns for these units in their order, NaN for a unit that the file lacks."""
        order = np.argsort(self.unit_ids)
        known = self.unit_ids[order]
        place = np.minimum(np.searchsorted(known, unit_ids), max(len(known) - 1, 0))
        is_there = known[place] == unit_ids if len(known) else np.zeros(len(unit_ids), np.bool_)
        return {
            name: np.where(is_there, values[order][place] if len(known) else np.nan, np.nan)
            for name, values in self.columns.items()
        }


def read_metrics(path: Path) -> Metrics:
    """Read a metrics.csv. Columns without numbers (``epoch_name...``) and without a name are left behind.

    Raises
    ------
    UnreadableFile
        If it is no table with a cluster_id column, or a cluster stands in it twice.
    """
    import pyarrow as pa
    from pyarrow import csv

    with unchanged(path):
        data = path.read_bytes()
    try:
        table = csv.read_csv(pa.BufferReader(data.removeprefix(b"\xef\xbb\xbf")))
        names = table.column_names
    except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError) as error:
        raise _unreadable(path, f"it is no table ({error})") from error
    columns: dict[str, Reals] = {}
    for name, values in zip(names, table.columns, strict=True):
        is_number = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
        key = name.strip().lower()
        key = RENAMED.get(key, key)
        if is_number and key and not key.startswith("unnamed") and key not in _OWN and key not in columns:
            numbers = values.to_numpy().astype(np.float64)
            columns[key] = np.where(np.isfinite(numbers), numbers, np.nan)
    ids = columns.pop("cluster_id", None)
    if ids is None or not np.all(ids == np.floor(ids)) or np.any(ids < 0):
        raise _unreadable(path, "it has no cluster_id column of whole numbers")
    if len(np.unique(ids)) != len(ids):
        raise _unreadable(path, "a cluster stands in it twice")
    return Metrics(ids.astype(np.int64), columns)


def _unreadable(path: Path, found: str) -> UnreadableFile:
    return UnreadableFile(path, found, expected="one row a cluster, with a cluster_id column", todo=_TODO)
