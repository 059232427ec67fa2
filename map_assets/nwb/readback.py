"""One column of a table against one dataset of a file, by bare HDF5. Which belong together is known in `roundtrip`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

TOLERANCE_S = 1e-9
_OF_EVERY_TABLE = ("id", "name", "description", "parent", "columns", "colnames")


def difference(label: str, found: NDArray[Any], expected: NDArray[Any], tolerance: float = TOLERANCE_S) -> list[str]:
    """Say how many numbers differ by more than the tolerance; NaN equals NaN."""
    if len(found) != len(expected):
        return [f"{label}: {len(found)} in the file, {len(expected)} in the table"]
    if not len(found):
        return []
    one, other = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    with np.errstate(invalid="ignore"):  # infinity less infinity
        is_near = np.abs(one - other) <= tolerance
    is_far = ~((one == other) | is_near | (np.isnan(one) & np.isnan(other)))
    return [f"{label}: {int(is_far.sum())} of {len(found)} differ"] if is_far.any() else []


def compare_table(
    group: Any,
    name: str,
    table: pa.Table,
    renamed: Mapping[str, str] | None = None,
    more: Collection[str] | None = None,
) -> list[str]:
    """Compare every column of a table, the session's key left out, with a group of the file, row by row.

    Parameters
    ----------
    group : h5py.Group
    name : str
        Of the table, for what is told.
    renamed : mapping of str to str, optional
        Names that columns have in the file; an empty one is not in it by design.
    more : collection of str, optional
        Columns that the file has and no table; every other one too many is a difference. None does not look for any.
    """
    told = []
    known = {"id", *(more or ())}
    for column in table.column_names:
        own = f"{name}_{column}" if column in _OF_EVERY_TABLE else column
        in_file = (renamed or {}).get(column, own)
        if column != "session" and in_file:
            told += compare_column(group, in_file, f"{name}.{column}", table[column])
            known |= {in_file, f"{in_file}_index"}
    surplus = sorted(set(group) - known)
    return told + (
        [f"{name}: the file has columns of no table: {', '.join(surplus)}"] if surplus and more is not None else []
    )


def compare_column(group: Any, in_file: str, label: str, values: pa.ChunkedArray) -> list[str]:
    """Compare one column; one of which nothing is known in any row may be missing in the file, any other may not."""
    is_list = pa.types.is_list(values.type) or pa.types.is_large_list(values.type)
    flat = values.combine_chunks().flatten() if is_list else values
    if in_file not in group:
        is_known = len(flat) if is_list else values.null_count < len(values) and not _is_nan(values)
        return [f"{label}: not in the file"] if is_known else []
    told = []
    if is_list:
        ends = np.cumsum(pc.fill_null(pc.list_value_length(values.combine_chunks()), 0).to_numpy(zero_copy_only=False))
        told += difference(f"{label} (lengths)", group[f"{in_file}_index"][:].astype(np.int64), ends, 0.0)
        flat = pa.chunked_array([flat])
    return told + _compare_values(group[in_file], label, flat)


def _is_nan(values: pa.ChunkedArray) -> bool:
    return pa.types.is_floating(values.type) and bool(pc.all(pc.fill_null(pc.is_nan(values), True)).as_py())


def _compare_values(dataset: Any, label: str, values: pa.ChunkedArray) -> list[str]:
    kind = values.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _compare_texts(texts_of(dataset), label, pc.fill_null(values, "").to_pylist())
    if pa.types.is_timestamp(kind):
        found = [datetime.fromisoformat(one) if one else None for one in texts_of(dataset)]
        return _compare_texts(found, label, values.to_pylist())
    numbers = pc.cast(values, pa.float64())
    return difference(label, dataset[:], np.asarray(numbers.to_numpy(), np.float64), 0.0)


def _compare_texts(found: Sequence[Any], label: str, expected: Sequence[Any]) -> list[str]:
    if len(found) != len(expected):
        return [f"{label}: {len(found)} in the file, {len(expected)} in the table"]
    n_wrong = sum(one != other for one, other in zip(found, expected, strict=True))
    return [f"{label}: {n_wrong} of {len(found)} differ"] if n_wrong else []


def texts_of(dataset: Any) -> list[str]:
    """Read a dataset of texts."""
    return [str(one) for one in dataset.asstr()[:]] if len(dataset) else []


def text_of(dataset: Any) -> str:
    """Read a single text."""
    value = dataset[()]
    return value.decode() if isinstance(value, bytes) else str(value)


def times_of(series: Any) -> NDArray[np.float64]:
    """Read or reckon the times of a series, s."""
    if "timestamps" in series:
        return np.asarray(series["timestamps"][:], np.float64)
    start = series["starting_time"]
    return np.asarray(start[()] + np.arange(len(series["data"])) / start.attrs["rate"], np.float64)
