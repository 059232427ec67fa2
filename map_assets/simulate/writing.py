"""How the made-up laboratory puts a file on a share: whole or not at all. What is in the file lives in the format's module."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from map_assets.store import replacing

_MAT_TEXT_BYTES = 116


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file atomically."""
    with replacing(path) as part:
        part.write_bytes(content)
    return path


def write_text(path: Path, content: str) -> Path:
    """Write a text file atomically, UTF-8, line ends as given."""
    return write_bytes(path, content.encode())


def write_npy(path: Path, array: NDArray[Any]) -> Path:
    """Write an array atomically as ``.npy``."""
    with replacing(path) as part, part.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)
    return path


def write_mat(path: Path, variables: Mapping[str, Any], created: datetime) -> Path:
    """Write a MATLAB 5 file atomically; its header carries `created` instead of the present time, so bytes repeat."""
    return write_bytes(path, mat_bytes(variables, created))


def mat_bytes(variables: Mapping[str, Any], created: datetime) -> bytes:
    """Give a MATLAB 5 file's bytes."""
    from scipy.io import savemat

    stream = io.BytesIO()
    savemat(cast("Any", stream), dict(variables), do_compression=True, oned_as="row")
    text = f"MATLAB 5.0 MAT-file, Platform: PCWIN64, Created on: {created:%a %b %d %H:%M:%S %Y}"
    content = bytearray(stream.getvalue())
    content[:_MAT_TEXT_BYTES] = text.encode().ljust(_MAT_TEXT_BYTES)
    return bytes(content)


def as_matlab_stores(values: Any) -> NDArray[Any]:
    """Give numbers the type in which MATLAB stores doubles: the smallest integer type that holds them all, else double.

    Parameters
    ----------
    values : array_like of float
        Any shape; a scalar becomes 1 x 1 and a vector 1 x n, as in MATLAB.
    """
    array = np.atleast_2d(np.asarray(values, np.float64))
    if array.size == 0 or not np.isfinite(array).all() or (array != np.round(array)).any():
        return array
    for kind in (np.uint8, np.int16, np.uint16, np.int32):
        if np.iinfo(kind).min <= array.min() and array.max() <= np.iinfo(kind).max:
            return array.astype(kind)
    return array


def cell(items: list[Any]) -> NDArray[np.object_]:
    """Make a 1 x n MATLAB cell."""
    array = np.empty((1, len(items)), object)
    array[0, :] = items
    return array
