"""The door to tracking results: exactly one format reads a file, and frames get their times. Names and maps live in `videos`."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from map_assets.tracking.cameras import Cameras, read_cameras
from map_assets.tracking.formats import deeplabcut, deeplabcut_h5
from map_assets.tracking.pose import Pose
from map_assets.tracking.rows import Tracked, table_of
from map_assets.tracking.trial_map import never_run
from map_assets.tracking.videos import Video, find_videos
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


FORMATS: tuple[TrackingFormat, ...] = (deeplabcut.FORMAT, deeplabcut_h5.FORMAT)

_FILES_AT_ONCE = 4
"""Files read side by side: over a network each waits longer than it is parsed."""


def read_tracking(
    session: str,
    files: Iterable[FoundFile],
    trials: pa.Table,
    *,
    cameras: Cameras | None = None,
    rig: str | None = None,
    frame_times: pa.Table | None = None,
    skipped_trials: pa.Table | None = None,
) -> tuple[pa.Table, tuple[Rejected, ...]]:
    """Read all tracking results of a session.

    Parameters
    ----------
    session : str
        The session's key.
    files : iterable of FoundFile
        The session's files; those of role ``tracking`` and ``tracking_map`` are read.
    trials : pyarrow.Table
        The session's `trials`.
    cameras : Cameras, optional
        The laboratory's; those of the package if not given.
    rig : str, optional
        Where the session ran, if it is known: two rigs may have different cameras.
    frame_times : pyarrow.Table, optional
        What the acquisition system saw of the cameras: ``camera`` (position or device), ``trial`` and ``frame_s``, a
        list of the exposures' times on the session clock, s.
    skipped_trials : pyarrow.Table, optional
        The session's: of trials that were planned and never run there is no video, and a camera without a map counts on
        past them.

    Returns
    -------
    tracking : pyarrow.Table
        As declared in `tracking.tables`: a row for each body part of each video. Positions are as found, at any
        likelihood. Frames have the times that were recorded for them where as many were recorded as the video has;
        else trial start + frame number / the camera's rate, so that frames left out by the tracker are gaps; where
        the rate is not known, none.
    rejected : tuple of Rejected
        Files that cannot be placed or read, each with the reason, and maps that wait for results.
    """
    cameras = cameras or read_cameras()
    start_s = dict(zip(trials["trial"].to_pylist(), trials["start_s"].to_pylist(), strict=True))
    key = SessionKey.parse(session)
    lost = never_run(skipped_trials)
    videos, rejected = find_videos(key.animal, files, start_s.keys(), cameras, rig, lost, key.name_date)
    read: list[Tracked] = []
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        for tracked, refused in pool.map(_tracked, videos):
            rejected += refused
            if tracked is not None:
                read.append(tracked)
    return table_of(session, read, start_s, cameras, frame_times), tuple(rejected)


def _tracked(video: Video) -> tuple[Tracked | None, list[Rejected]]:
    """Read a video's result, or what stands in for it; what is wrong is returned, so that the others go on."""
    refused: list[Rejected] = []
    for file in (video.file, *video.spares):
        try:
            return Tracked(video.trial, video.camera, file, read_pose(file.path)), refused
        except BadInput as error:
            refused.append(Rejected((file,), error))
    return None, refused


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
            f"its lines begin with {', '.join(map(_printable, first))}" if first else "it is empty",
            expected=f"a result of {names}: scorer, bodyparts, coords, or an h5 of the same",
            todo="Export the tracker's result as csv or h5.",
        )
    if len(found) > 1:
        raise TwoFormatsRecognize(
            path, f"{names} claim it", expected="exactly one", todo="Narrow what these formats recognise."
        )
    return found[0].read(path, content)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
