"""Arrow and numpy values as NWB columns. Which columns a table of the file has is decided where that table is made."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.nwb.chunks import held

_COMPRESS_FROM_BYTES = 64 * 1024

TABLE_WORDS = frozenset({"id", "name", "description", "parent", "columns", "colnames"})
"""What every table of the file is or has itself; no column may be called so."""

_RESERVED = (
    TABLE_WORDS
    | {"spike_times", "obs_intervals", "electrodes", "electrode_group", "waveforms", "waveform_mean", "waveform_sd"}
    | {"waveform_rate", "waveform_unit", "resolution", "spike_times_index", "obs_intervals_index", "electrodes_index"}
    | {"sample_rate_hz", "waveform_source", "object_id", "namespace", "neurodata_type", ".", ".."}
)
"""Names of the units table that no metric may take."""


def plain_name(text: str) -> str:
    """Return `text` without the characters that no NWB object may have in its name."""
    return "".join("-" if letter in "/\\:" else letter for letter in text).strip() or "unnamed"


def distinct_names(found: Sequence[str]) -> list[str]:
    """Return a name for each of different texts; where two would have the same, the later one gets a number."""
    names: list[str] = []
    for text in found:
        name, plain, n = plain_name(text), plain_name(text), 1
        while name in names:
            n += 1
            name = f"{plain} {n}"
        names.append(name)
    return names


def column_name(name: str) -> str:
    """Return the name of a column that came with the data, clear of the names that NWB itself uses."""
    plain = plain_name(name)
    return f"metric_{plain}" if plain in _RESERVED else plain


def unit_column_names(columns: Sequence[str], taken: Collection[str]) -> dict[str, str]:
    """Return the name in the file of every column of `units` but the session's key, each another one.

    Parameters
    ----------
    taken : collection of str
        Names that columns of other tables have among the units'.
    """
    own = [name for name in columns if name != "session"]
    wanted = [f"metric_{plain_name(one)}" if plain_name(one) in taken else column_name(one) for one in own]
    return dict(zip(own, distinct_names(wanted), strict=True))


def stored(values: NDArray[Any]) -> Any:
    """Wrap a large array so that it is written in chunks, shuffled and deflated; a small one stays as it is."""
    if values.nbytes < _COMPRESS_FROM_BYTES:
        return values
    return held(values)


def column(name: str, description: str, values: NDArray[Any] | Sequence[Any]) -> Any:
    """Make one column of a table of the file."""
    from hdmf.common import VectorData

    data = stored(values) if isinstance(values, np.ndarray) else list(values)
    return VectorData(name=name, description=description, data=data)


def ragged(name: str, description: str, values: NDArray[Any] | Sequence[Any], ends: NDArray[np.integer]) -> list[Any]:
    """Make a column whose cells are pieces of one flat array, and its index.

    Parameters
    ----------
    values : numpy.ndarray, shape (n, ...)
        All cells' values, one cell after the other.
    ends : numpy.ndarray of int, shape (n_rows,)
        Where each cell ends in `values`.
    """
    from hdmf.common import VectorIndex

    target = column(name, description, values)
    return [target, VectorIndex(name=f"{name}_index", data=ends.astype(np.uint64), target=target)]


def names_of(columns: Sequence[Any]) -> list[str]:
    """Return the names of a table's columns; an index belongs to its column and has none."""
    from hdmf.common import VectorIndex

    return [one.name for one in columns if not isinstance(one, VectorIndex)]


def floats(values: pa.ChunkedArray) -> NDArray[np.float64]:
    """Numbers as float64; null becomes NaN."""
    return np.asarray(pc.cast(values, pa.float64()).to_numpy(), np.float64)


def texts(values: pa.ChunkedArray, unknown: str = "") -> list[str]:
    """Texts; null becomes `unknown`."""
    found: list[str] = pc.fill_null(pc.cast(values, pa.string()), unknown).to_pylist()
    return found


def wholes(values: pa.ChunkedArray) -> NDArray[np.int64]:
    """Whole numbers without null as int64."""
    return np.asarray(values.to_numpy(), np.int64)


def plain_column(name: str, description: str, values: pa.ChunkedArray) -> Any | None:
    """Make a column of numbers, flags or texts as it stands; None where nothing is known in any row, or it holds lists.

    Where a value is null, a number is NaN and a text is empty; the description says so instead of null.
    """
    if values.null_count == len(values):
        return None
    kind = values.type
    if pa.types.is_boolean(kind) and not values.null_count:
        return column(name, description, np.asarray(values.to_numpy(), np.bool_))
    if pa.types.is_integer(kind) and not values.null_count:
        return column(name, description, wholes(values))
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        numbers = floats(values)
        return None if np.isnan(numbers).all() else column(name, description.replace("null", "NaN"), numbers)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return column(name, description.replace("null", "empty"), texts(values))
    if pa.types.is_timestamp(kind):
        return column(name, f"{description.replace('null', 'empty')} (ISO 8601, UTC)", iso_texts(values))
    return None


def iso_texts(values: pa.ChunkedArray) -> list[str]:
    """Instants as ISO 8601 texts in UTC; null becomes an empty text."""
    return ["" if one is None else one.astimezone(UTC).isoformat() for one in values.to_pylist()]


def columns_of(name: str, description: str, values: pa.ChunkedArray) -> list[Any]:
    """Make the columns that hold one column of a table as it stands: none, one, or a column of lists and its index.

    A null list is an empty one, and a null within a list of numbers is NaN.
    """
    kind = values.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        made = plain_column(name, description, values)
        return [] if made is None else [made]
    lists = values.combine_chunks()
    flat = lists.flatten()
    if not len(flat):
        return []
    ends = np.cumsum(pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False))
    meaning = description.replace("null", "empty")
    if pa.types.is_string(flat.type) or pa.types.is_large_string(flat.type):
        return ragged(name, meaning, texts(pa.chunked_array([flat])), ends)
    numbers = flat.to_numpy(zero_copy_only=False) if not flat.null_count else floats(pa.chunked_array([flat]))
    return ragged(name, meaning, np.asarray(numbers), ends)


def meaning_of(field: pa.Field) -> str:
    """What a table's declaration says of a column, with its unit; a column that the declaration lacks says so."""
    metadata = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    unit = metadata.get("unit", "")
    meaning = metadata.get("meaning") or f"{field.name}, as it came with the data"
    return f"{meaning} ({unit})" if unit else meaning
