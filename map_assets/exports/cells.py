"""MATLAB's cells and names: ragged lists, texts and struct fields as arrays that can be written. What is in them lives beside this module."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Cells = NDArray[np.object_]

_LONGEST_NAME = 63
NOTHING: Floats = np.empty(0)


def cells(items: Sequence[Any]) -> Cells:
    """Put items into a column of cells, shape (n, 1); it is a cell array also where all items are of one length."""
    made = np.empty((len(items), 1), object)
    made[:, 0] = np.fromiter(items, object, len(items))
    return made


def texts(values: Iterable[str | None]) -> Cells:
    """Put texts into a column of cells, shape (n, 1); unknown is the empty text."""
    return cells(["" if value is None else value for value in values])


def views(values: Floats, counts: Ints) -> list[Floats]:
    """Cut consecutive pieces of the given lengths out of `values`; nothing is copied."""
    ends = np.cumsum(counts)
    return [values[first:end] for first, end in zip((ends - counts).tolist(), ends.tolist(), strict=True)]


def column(values: Any) -> Floats:
    """Make a column of doubles, shape (n, 1), of numbers, flags or an Arrow column; unknown is NaN."""
    return numbers(values)[:, None]


def numbers(values: Any) -> Floats:
    """Make doubles, shape (n,), of numbers, flags or an Arrow column; unknown is NaN."""
    if isinstance(values, pa.ChunkedArray | pa.Array):
        return np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    return np.asarray(values, np.float64)


def ragged(lists: pa.ChunkedArray) -> tuple[Floats, Ints]:
    """Flatten a column of lists of numbers: values, and the length of each row; a null list is empty, a null number NaN."""
    counts = np.asarray(pc.fill_null(pc.list_value_length(lists), 0).to_numpy(), np.int64)
    return numbers(pc.list_flatten(lists)), counts


def place_of(wanted: Ints, among: Ints) -> Ints:
    """Say at which index of `among` (all different) each wanted number stands; -1 where it does not."""
    if not len(among):
        return np.full(len(wanted), -1, np.int64)
    order = np.argsort(among, kind="stable")
    found = order[np.minimum(np.searchsorted(among, wanted, sorter=order), len(among) - 1)]
    return np.where(among[found] == wanted, found, -1).astype(np.int64)


def field_names(names: Iterable[str]) -> list[str]:
    """Turn names into different names of MATLAB's kind: letters, digits and underscores, a letter first, 63 at most."""
    made: list[str] = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
        plain = (plain if plain[:1].isalpha() else f"x_{plain.lstrip('_')}")[:_LONGEST_NAME]
        again, n = plain, 1
        while again in made:
            n += 1
            again = f"{plain[: _LONGEST_NAME - len(str(n)) - 1]}_{n}"
        made.append(again)
    return made
