"""Writes a pandas frame of DeepLabCut as PyTables lays it out in an HDF5 file. What stands in the frame is made in `deeplabcut`."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_COORDS = ("x", "y", "likelihood")


def frame_bytes(
    scorer: str, frame: NDArray[np.int64], heads: Sequence[tuple[str, ...]], values: NDArray[np.float64]
) -> bytes:
    """Give the file's bytes: a frame in table form, as DeepLabCut writes it; the same arguments give the same bytes.

    Parameters
    ----------
    scorer : str
        Name of the network.
    frame : numpy.ndarray of int, shape (n,)
    heads : sequence of tuple of str
        Body part, or individual and body part, of each three columns.
    values : numpy.ndarray, shape (n, 3 * len(heads))
    """
    import h5py

    names = [(scorer, *head, coord) for head in heads for coord in _COORDS]
    rows = np.zeros(len(frame), [("index", "<i8"), ("values_block_0", "<f8", (len(names),))])
    rows["index"] = frame
    rows["values_block_0"] = values.reshape(len(frame), len(names))
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        _say(file, {"CLASS": "GROUP", "PYTABLES_FORMAT_VERSION": "2.1", "TITLE": "", "VERSION": "1.0"})
        group = file.create_group("df_with_missing")
        columns = _notation(names).removesuffix(".")
        _say(group, _GROUP | {"levels": len(names[0]), "non_index_axes": f"(l(I1\n{columns}ta."})
        table = group.create_dataset("table", data=rows, chunks=(min(len(rows), 630),), track_times=False)
        _say(table, _TABLE | {"values_block_0_kind": _notation(names), "NROWS": len(rows)})
    return stream.getvalue()


_GROUP: dict[str, str | int] = {
    "CLASS": "GROUP",
    "TITLE": "",
    "VERSION": "1.0",
    "data_columns": "(l.",
    "encoding": "UTF-8",
    "errors": "strict",
    "index_cols": "(l(I0\nVindex\nta.",
    "info": "(dI0\n(dVtype\nVMultiIndex\nssVindex\n(ds.",
    "nan_rep": "nan",
    "pandas_type": "frame_table",
    "pandas_version": "0.15.2",
    "table_type": "appendable_frame",
    "values_cols": "(lVvalues_block_0\na.",
}
_TABLE: dict[str, str | int] = {
    "CLASS": "TABLE",
    "FIELD_0_NAME": "index",
    "FIELD_1_NAME": "values_block_0",
    "TITLE": "",
    "VERSION": "2.7",
    "index_kind": "integer",
    "values_block_0_dtype": "float64",
    "values_block_0_meta": "N.",
}


def _say(place: Any, said: Mapping[str, str | int]) -> None:
    """Write attributes as PyTables does: texts in UTF-8, Python's notation in plain bytes."""
    import h5py

    for key, value in said.items():
        if isinstance(value, int):
            place.attrs[key] = np.int64(value)
        elif not value:
            place.attrs[key] = h5py.Empty("S1")
        elif value.endswith("."):
            place.attrs[key] = np.bytes_(value.encode("ascii"))
        else:
            place.attrs.create(key, value.encode(), dtype=h5py.string_dtype("utf-8", len(value.encode())))


def _notation(names: Sequence[tuple[str, ...]]) -> str:
    """Write a list of tuples of texts in Python's text notation for objects."""

    def text(word: str) -> str:
        escaped = word.replace("\\", "\\u005c").replace("\n", "\\u000a")
        return "V" + escaped.encode("ascii", "backslashreplace").decode("ascii").replace("\\x", "\\u00") + "\n"

    return "(l" + "".join(f"({''.join(map(text, name))}ta" for name in names) + "."
