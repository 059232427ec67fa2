"""Words that the archive's modules share: a batch, its files with their states, a submission. Keeping them is the journal's part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.archive.states import State

Numbers = NDArray[np.int64]
"""Numbers of files in their batch, from 0, rising."""

FILES: Final = pa.schema(
    [
        ("batch", pa.string()),
        ("file", pa.int64()),
        ("session", pa.string()),
        ("share", pa.string()),
        ("path", pa.string()),
        ("archive_path", pa.string()),
        ("role", pa.string()),
        ("size", pa.int64()),
        ("sha256", pa.string()),
        ("checks", pa.string()),
        ("mtime_ns", pa.int64()),
        ("ctime_ns", pa.int64()),
        ("device", pa.int64()),
        ("inode", pa.int64()),
        ("state", pa.string()),
    ]
)
"""Columns of `Journal.files`: one row a file of a batch, with where it stands."""


@dataclass(frozen=True)
class Batch:
    """Files of one session that go into the archive together."""

    batch: str
    session: str
    opened_at: datetime
    n_files: int
    n_bytes: int


@dataclass(frozen=True)
class Event:
    """One step of some files of a batch, as it was written down."""

    seq: int
    batch: str
    files: Numbers
    state: State
    at: datetime
    actor: str
    why: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True)
class Submission:
    """What was asked of a mover, and how it ended; `outcome` is None until it came to an end."""

    submission: str
    batch: str
    backend: str
    files: Numbers
    made_at: datetime
    task: str | None
    outcome: str | None
    detail: str
    bytes_done: int
    polled_at: datetime | None
    settled_at: datetime | None
    is_polled: bool


def written_ranges(numbers: Iterable[int]) -> str:
    """Write file numbers as ranges, ``0-511,513``."""
    sought = np.unique(np.fromiter(numbers, np.int64))
    if not sought.size:
        return ""
    breaks = np.flatnonzero(np.diff(sought) != 1)
    firsts, lasts = sought[np.r_[0, breaks + 1]], sought[np.r_[breaks, sought.size - 1]]
    pairs = zip(firsts.tolist(), lasts.tolist(), strict=True)
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in pairs)


def read_ranges(text: str) -> Numbers:
    """Read what `written_ranges` wrote."""
    if not text:
        return np.empty(0, np.int64)
    pairs = [part.partition("-") for part in text.split(",")]
    return np.concatenate([np.arange(int(first), int(last or first) + 1) for first, _, last in pairs])
