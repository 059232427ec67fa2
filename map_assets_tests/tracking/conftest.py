"""A small tracker: writes DeepLabCut results and frame-to-trial maps as a scan finds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pytest

from map_assets.behavior.tables import TRIALS
from map_assets.tracking.read import read_tracking
from map_assets.vocabulary.files import FoundFile


class Tracker:
    """Writes results into a folder and reads them."""

    session = "dl59_20190412_101500"

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
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        facts = path.stat()
        role = role or ("tracking_map" if name.endswith(".txt") else "tracking")
        file = FoundFile("video", self.folder, PurePosixPath(name), role, facts.st_size, facts.st_mtime_ns)
        self.files.append(file)
        return file

    def read(self, n_trials: int = 3):
        """Read what was written: table, and reasons by file name."""
        table, rejected = read_tracking(self.session, self.files, self.trials(range(1, n_trials + 1)))
        return table, {file.relpath.name: str(one.error) for one in rejected for file in one.files}

    def trials(self, numbers: Iterable[int], length_s: float = 5.0) -> pa.Table:
        """Trials that start every 10 s, by their number."""
        numbers = list(numbers)
        starts = [10.0 * (number - 1) for number in numbers]
        whole = {"n_samples": 1, "n_delays": 1, "n_go_cues": 1}
        flags = dict.fromkeys(("early_lick", "is_auto_water", "is_free_water"), False)
        return TRIALS.from_rows(
            {
                "session": self.session,
                "trial": number,
                "start_s": start,
                "stop_s": start + length_s,
                "instruction": "left",
                "outcome": "hit",
                **flags,
                **whole,
            }
            for number, start in zip(numbers, starts, strict=True)
        )


@pytest.fixture
def tracker(tmp_path: Path) -> Tracker:
    """A tracker that writes into the test's own folder."""
    return Tracker(tmp_path)
