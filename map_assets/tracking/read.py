"""The door to tracking results: exactly one format reads a file, and frames get their times. Names and maps live in `videos`."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.tracking.formats import deeplabcut
from map_assets.tracking.pose import Pose
from map_assets.tracking.tables import TRACKING
from map_assets.tracking.videos import RATE_HZ, Video, find_videos
from map_assets.vocabulary.errors import BadInput, NoFormatRecognizes, TwoFormatsRecognize, UnreadableFile
from map_assets.vocabulary.files import FoundFile, Rejected, unchanged
from map_assets.vocabulary.session import SessionKey


class TrackingFormat(Protocol):
    """A tracker's result file."""

    @property
    def name(self) -> str:
        """Name of the format."""

    def recognizes(self, content: bytes) -> bool:
        """Whether the content (never the name) is this tracker's."""

    def read(self, path: Path, content: bytes) -> Pose:
        """Read a video's body parts; `path` is for what is said of the file."""


FORMATS: tuple[TrackingFormat, ...] = (deeplabcut.FORMAT,)

_FILES_AT_ONCE = 4
"""Files read side by side: over a network each waits longer than it is parsed."""


def read_tracking(session: str, files: Iterable[FoundFile], trials: pa.Table) -> tuple[pa.Table, tuple[Rejected, ...]]:
    """Read all tracking results of a session.

    Parameters
    ----------
    session : str
        The session's key.
    files : iterable of FoundFile
        The session's files; those of role ``tracking`` and ``tracking_map`` are read.
    trials : pyarrow.Table
        The session's `trials`.

    Returns
    -------
    tracking : pyarrow.Table
        As declared in `tracking.tables`: a row for each body part of each video. Positions are as found, at any
        likelihood. Times are derived: trial start + frame number / the camera's rate, so that frames left out by the
        tracker are gaps.
    rejected : tuple of Rejected
        Files that cannot be placed or read, each with the reason.
    """
    numbers = trials["trial"].to_pylist()
    start_s = dict(zip(numbers, trials["start_s"].to_pylist(), strict=True))
    videos, rejected = find_videos(SessionKey.parse(session).animal, files, start_s.keys())
    read: list[tuple[Video, Pose]] = []
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        for video, pose in zip(videos, pool.map(_pose, videos), strict=True):
            if isinstance(pose, BadInput):
                rejected.append(Rejected((video.file,), pose))
            else:
                read.append((video, pose))
    return _table(session, read, start_s), tuple(rejected)


def _pose(video: Video) -> Pose | BadInput:
    """Read one file; what is wrong with it is returned, so that the others go on."""
    try:
        return read_pose(video.file.path)
    except BadInput as error:
        return error


def read_pose(path: Path) -> Pose:
    """Read one video's result.

    Raises
    ------
    NoFormatRecognizes, TwoFormatsRecognize
        If its content is no known tracker's, or more than one's.
    UnreadableFile, PiecesDoNotFit
        If it is truncated or contradicts itself.
    ChangedWhileRead
        If it was written to while it was read.
    """
    with unchanged(path):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UnreadableFile(
                path, f"it cannot be read ({error.strerror})", expected="a readable file", todo="Copy it again."
            ) from error
    found = [candidate for candidate in FORMATS if candidate.recognizes(content)]
    names = ", ".join(candidate.name for candidate in found or FORMATS)
    if not found:
        first = [line.split(b",", 1)[0][:20].decode("latin-1").strip() for line in content[: 2**16].splitlines()[:4]]
        raise NoFormatRecognizes(
            path,
            f"its lines begin with {', '.join(first)}" if first else "it is empty",
            expected=f"a single animal's result of {names}: scorer, bodyparts, coords",
            todo="Track one animal, and export the result as csv.",
        )
    if len(found) > 1:
        raise TwoFormatsRecognize(
            path, f"{names} claim it", expected="exactly one", todo="Narrow what these formats recognise."
        )
    return found[0].read(path, content)


def _table(session: str, read: list[tuple[Video, Pose]], start_s: dict[int, float]) -> pa.Table:
    rows = [(video, pose, feature) for video, pose in read for feature in pose.features]
    if not rows:
        return TRACKING.empty()
    n_frames = np.array([len(pose.frame) for _, pose, _ in rows])
    times = {
        id(pose): pa.array(start_s[video.trial] + pose.frame / RATE_HZ[video.camera], pa.float64())
        for video, pose in read
    }
    x_px, y_px, likelihood = (
        _lists([pose.features[feature][which] for _, pose, feature in rows], n_frames) for which in range(3)
    )
    return TRACKING.from_columns(
        {
            "session": [session] * len(rows),
            "trial": [video.trial for video, _, _ in rows],
            "camera": [video.camera for video, _, _ in rows],
            "feature": [feature for _, _, feature in rows],
            "n_frames": n_frames,
            "rate_hz": [RATE_HZ[video.camera] for video, _, _ in rows],
            "frame_time_source": ["derived"] * len(rows),
            "frame_s": _lists([times[id(pose)] for _, pose, _ in rows], n_frames),
            "x_px": x_px,
            "y_px": y_px,
            "likelihood": likelihood,
            "file": [str(video.file.relpath) for video, _, _ in rows],
        }
    )


def _lists(values: list[pa.Array], sizes: NDArray[np.int64]) -> pa.ListArray:
    """Put one list of values a row into a column."""
    offsets = pa.array(np.r_[0, np.cumsum(sizes)], pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.concat_arrays(values))
