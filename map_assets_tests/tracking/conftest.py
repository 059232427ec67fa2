"""A small tracker: writes DeepLabCut results and frame-to-trial maps as a scan finds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pytest

from map_assets.simulate.pandas_h5 import frame_bytes
from map_assets.tracking.quality import judge_tracking
from map_assets.tracking.read import read_tracking
from map_assets.vocabulary.files import FoundFile


class Tracker:
    """Writes results into a folder and reads them."""

    session = "dl59_20190412_101500"
    rig: str | None = "RRig"
    """Where the files' share belongs; where it is not known, a camera without a map cannot be placed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: list[FoundFile] = []

    def csv(
        self,
        name: str,
        parts: Sequence[str] = ("nose", "tongue"),
        frames: Iterable[int] = range(4),
        values: np.ndarray | None = None,
    ) -> FoundFile:
        """Write a result; without `values` they count up from 0."""
        frames = list(frames)
        if values is None:
            values = np.arange(len(frames) * 3 * len(parts), dtype=float).reshape(len(frames), -1)
        lines = [
            ",".join(["scorer", *["DLC_resnet50"] * 3 * len(parts)]),
            ",".join(["bodyparts", *(part for part in parts for _ in range(3))]),
            ",".join(["coords", *["x", "y", "likelihood"] * len(parts)]),
            *(",".join([str(frame), *map(repr, row.tolist())]) for frame, row in zip(frames, values, strict=True)),
        ]
        return self.text(name, "\n".join(lines) + "\n")

    def text(self, name: str, content: str | bytes, role: str | None = None) -> FoundFile:
        """Write any file; text files are maps."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        facts = path.stat()
        role = role or {".txt": "tracking_map", ".avi": "video", ".mp4": "video"}.get(path.suffix, "tracking")
        file = FoundFile("video", self.folder, PurePosixPath(name), role, facts.st_size, facts.st_mtime_ns, self.rig)
        self.files.append(file)
        return file

    def h5(self, name: str, heads: Sequence[tuple[str, ...]], frames: Sequence[int], values: np.ndarray) -> FoundFile:
        """Write a result as pandas' table in HDF5."""
        return self.text(name, frame_bytes("DLC_resnet50", np.array(frames), heads, values))

    def read(self, n_trials: int = 3, **known):
        """Read what was written: table, and reasons by file name."""
        table, rejected = read_tracking(self.session, self.files, self.trials(range(1, n_trials + 1)), **known)
        return table, {file.relpath.name: str(one.error) for one in rejected for file in one.files}

    def quality(self, n_trials: int = 3, **known) -> pa.Table:
        """Judge what was written."""
        table, _ = self.read(n_trials, **known)
        known.pop("rig", None)
        return judge_tracking(self.session, table, self.trials(range(1, n_trials + 1)), **known)

    def trials(self, numbers: Iterable[int], length_s: float = 5.0) -> pa.Table:
        """As much of `trials` as tracking takes: they start every 10 s, by their number."""
        numbers = list(numbers)
        start_s = [10.0 * (number - 1) for number in numbers]
        columns = {"session": [self.session] * len(numbers), "trial": pa.array(numbers, pa.int64())}
        times = {"start_s": start_s, "stop_s": [start + length_s for start in start_s]}
        times["until_s"] = [*start_s[1:], *times["stop_s"][-1:]]
        return pa.table(columns | {name: pa.array(values, pa.float64()) for name, values in times.items()})


@pytest.fixture
def tracker(tmp_path: Path) -> Tracker:
    """A tracker that writes into the test's own folder."""
    return Tracker(tmp_path)
