"""Sessions, trials, units and electrodes of NWB files as tables, by h5py alone: what a reader of the published files has. Claims on them live in `claims`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from map_assets.vocabulary.errors import UnreadableFile
from map_assets.vocabulary.files import unchanged

if TYPE_CHECKING:
    import h5py

_PLACES = {"trials": "intervals/trials", "units": "units", "electrodes": "general/extracellular_ephys/electrodes"}
_SESSION = {
    "session": "general/session_id",
    "identifier": "identifier",
    "subject": "general/subject/subject_id",
    "species": "general/subject/species",
    "sex": "general/subject/sex",
    "start_time": "session_start_time",
    "institution": "general/institution",
    "lab": "general/lab",
}


def read_nwb_rows(paths: Iterable[Path]) -> dict[str, pa.Table]:
    """Read what NWB files hold in one row a session, trial, unit or electrode.

    Every column has its NWB name; a ``session`` column comes first. ``units`` has `n_spike_times`, the spikes that are
    in the file, beside the columns that hold one value a unit. NaN is null.

    Returns
    -------
    dict of str to pyarrow.Table
        ``sessions``, ``trials``, ``units``, ``electrodes``; with a ``session`` column alone where no file has any.

    Raises
    ------
    UnreadableFile
        If a file is damaged or no NWB file.
    """
    found: dict[str, list[pa.Table]] = {name: [] for name in ("sessions", *_PLACES)}
    for path in paths:
        for name, table in _of_one(path).items():
            found[name].append(table)
    nothing = pa.table({"session": pa.array([], pa.string())})
    return {name: _joined(tables) if tables else nothing for name, tables in found.items()}


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    """Put the rows of all files into one table; a column that is a flag here and a number there is a number, and a text
    as soon as it is one anywhere."""
    kinds: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for field in table.schema:
            kinds.setdefault(field.name, set()).add(field.type)
    common = {name: _common(found) for name, found in kinds.items()}
    alike = [
        pa.table({field.name: table[field.name].cast(common[field.name]) for field in table.schema}) for table in tables
    ]
    return pa.concat_tables(alike, promote_options="default")


def _common(kinds: set[pa.DataType]) -> pa.DataType:
    known = {kind for kind in kinds if not pa.types.is_null(kind)}
    if len(known) <= 1:
        return next(iter(known or kinds))
    if any(pa.types.is_string(kind) or pa.types.is_large_string(kind) for kind in known):
        return pa.string()
    return pa.int64() if all(pa.types.is_integer(kind) and kind != pa.uint64() for kind in known) else pa.float64()


def _of_one(path: Path) -> dict[str, pa.Table]:
    import h5py

    try:
        with unchanged(path), h5py.File(path, "r") as file:
            row = {name: [_text(file, place)] for name, place in _SESSION.items()}
            tables = {"sessions": pa.table({name: pa.array(value, pa.string()) for name, value in row.items()})}
            for name, place in _PLACES.items():
                if place in file:
                    tables[name] = _table(file[place], str(row["session"][0]))
            return tables
    except (OSError, KeyError, TypeError, ValueError, AttributeError, pa.ArrowException) as error:
        raise UnreadableFile(
            path, f"cannot be read ({error})", expected="an NWB file", todo="Fetch or materialize it again."
        ) from error


def _text(file: h5py.File, place: str) -> str | None:
    return str(file[place].asstr()[()]) if place in file else None


def _table(group: h5py.Group, session: str) -> pa.Table:
    import h5py

    n_rows = group["id"].shape[0]
    columns: dict[str, Any] = {"session": pa.array([session] * n_rows, pa.string())}
    for name in group:
        if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
            raise ValueError(f"{name} is a link to another file")
        values = group[name]
        is_index = name.endswith("_index") and name.removesuffix("_index") in group
        if not isinstance(values, h5py.Dataset) or is_index or f"{name}_index" in group or values.shape != (n_rows,):
            continue
        if h5py.check_dtype(ref=values.dtype) is None:
            is_text = h5py.check_string_dtype(values.dtype) is not None
            columns[name] = pa.array(values.asstr()[()] if is_text else values[()], from_pandas=True)
    if "spike_times_index" in group:
        ends = np.asarray(group["spike_times_index"][()], np.int64)
        columns["n_spike_times"] = pa.array(np.diff(ends, prepend=0))
    return pa.table(columns)
