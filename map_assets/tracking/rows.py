"""Rows of `tracking` out of what was read: times of frames, and jumps of body parts. Reading files lives in `read`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.tracking.cameras import Camera, Cameras
from map_assets.tracking.pose import Pose
from map_assets.tracking.tables import BY_INDEX, RECORDED, TRACKING
from map_assets.tracking.videos import is_filtered
from map_assets.vocabulary.files import FoundFile


@dataclass(frozen=True)
class Tracked:
    """One video's result, and what it is of."""

    trial: int
    camera: Camera
    file: FoundFile
    pose: Pose


def table_of(
    session: str,
    read: Sequence[Tracked],
    start_s: Mapping[int, float],
    cameras: Cameras,
    frame_times: pa.Table | None = None,
) -> pa.Table:
    """Build `tracking`.

    Parameters
    ----------
    session : str
    read : sequence of Tracked
        In the order of the rows.
    start_s : mapping of int to float
        Start of each trial, session clock, s.
    cameras : Cameras
    frame_times : pyarrow.Table, optional
        As `read.read_tracking` takes it.
    """
    rows = [(number, feature) for number, one in enumerate(read) for feature in one.pose.features]
    if not rows:
        return TRACKING.empty()
    recorded = recorded_times(frame_times, cameras)
    timed = [_frame_s(one, start_s[one.trial], recorded.get((one.camera.name, one.trial))) for one in read]
    of_row = np.array([number for number, _ in rows])
    n_frames = np.array([len(one.pose.frame) for one in read])[of_row]
    frame = pa.array(np.concatenate([read[number].pose.frame for number in of_row]), pa.int32())
    columns = [
        pa.concat_arrays([read[number].pose.features[feature][which] for number, feature in rows]) for which in range(3)
    ]
    limit_px = [read[number].camera.limits_px.get(_part(read[number].pose, feature)) for number, feature in rows]
    n_jumps = _count_jumps(columns[0], columns[1], frame.to_numpy(), n_frames, limit_px)

    def said(values: Sequence[object]) -> list[object]:
        return [values[number] for number in of_row]

    return TRACKING.from_columns(
        {
            "session": [session] * len(rows),
            "trial": said([one.trial for one in read]),
            "camera": said([one.camera.name for one in read]),
            "feature": [feature for _, feature in rows],
            "individual": [read[number].pose.individual_of.get(feature) for number, feature in rows],
            "device": said([one.camera.device for one in read]),
            "n_frames": n_frames,
            "rate_hz": said([one.camera.rate_hz for one in read]),
            "cameras_version": [cameras.version] * len(rows),
            "time_source": said([source for source, _ in timed]),
            "frame": _lists(frame, n_frames),
            "frame_s": _times([timed[number][1] for number in of_row]),
            "x_px": _lists(columns[0], n_frames),
            "y_px": _lists(columns[1], n_frames),
            "likelihood": _lists(columns[2], n_frames),
            "is_filtered": said([is_filtered(one.file) for one in read]),
            "jump_limit_px": limit_px,
            "n_jumps": n_jumps,
            "jump_share": [None if n is None else n / of for n, of in zip(n_jumps, n_frames.tolist(), strict=True)],
            "file": said([str(one.file.relpath) for one in read]),
        }
    )


def recorded_times(frame_times: pa.Table | None, cameras: Cameras) -> dict[tuple[str, int], NDArray[np.float64]]:
    """Give the recorded exposures of each camera, by its position, and trial; those of cameras that nobody names are left."""
    if frame_times is None:
        return {}
    found = {}
    named = {name: cameras.position_of_device(str(name)) for name in set(frame_times["camera"].to_pylist())}
    lists = frame_times["frame_s"].combine_chunks()
    offsets, values = lists.offsets.to_numpy(), lists.values.to_numpy(zero_copy_only=False)
    pairs = zip(frame_times["camera"].to_pylist(), frame_times["trial"].to_pylist(), strict=True)
    for row, (name, trial) in enumerate(pairs):
        position = named[name]
        if position is not None and lists[row].is_valid:
            found[position, trial] = np.asarray(values[offsets[row] : offsets[row + 1]], np.float64)
    return found


def _frame_s(
    one: Tracked, start_s: float, recorded: NDArray[np.float64] | None
) -> tuple[str | None, NDArray[np.float64] | None]:
    """Time a video's frames: by what was recorded if it fits the video, else by the rate, else not at all."""
    frame = one.pose.frame
    if recorded is not None and len(recorded) == frame[-1] + 1 and np.all(np.diff(recorded) > 0):
        return RECORDED, recorded[frame]
    if one.camera.rate_hz is None:
        return None, None
    return BY_INDEX, start_s + frame / one.camera.rate_hz


def _part(pose: Pose, feature: str) -> str:
    """Body part of a feature, without the animal."""
    individual = pose.individual_of.get(feature)
    return feature if individual is None else feature.removeprefix(f"{individual}/")


def _count_jumps(
    x_px: pa.Array,
    y_px: pa.Array,
    frame: NDArray[np.int32],
    n_frames: NDArray[np.int64],
    limit_px: Sequence[float | None],
) -> list[int | None]:
    """Count each row's steps, to the next frame and in either direction, that are larger than its limit in x or y."""
    if all(limit is None for limit in limit_px):
        return [None] * len(limit_px)
    limits = np.repeat(np.array([np.inf if limit is None else limit for limit in limit_px], np.float32), n_frames)
    ends = np.cumsum(n_frames)
    is_step = np.diff(frame, prepend=frame[:1]) == 1
    is_step[np.r_[0, ends[:-1]]] = False
    is_jump = np.zeros(len(frame), bool)
    for values in (x_px, y_px):
        px = values.to_numpy(zero_copy_only=False)
        is_jump |= np.abs(np.diff(px, prepend=px[:1])) > limits
    total = np.r_[0, np.cumsum(is_jump & is_step)]
    counted = total[ends] - total[ends - n_frames]
    return [None if limit is None else int(n) for limit, n in zip(limit_px, counted, strict=True)]


def _lists(values: pa.Array, sizes: NDArray[np.int64]) -> pa.ListArray:
    """Put one list of values a row into a column."""
    return pa.ListArray.from_arrays(pa.array(np.r_[0, np.cumsum(sizes)], pa.int32()), values)


def _times(times: Sequence[NDArray[np.float64] | None]) -> pa.ListArray:
    """Put the frames' times into a column; null where there are none."""
    sizes = np.array([0 if one is None else len(one) for one in times])
    known = [one for one in times if one is not None]
    values = pa.array(np.concatenate(known) if known else np.empty(0), pa.float64())
    offsets = pa.array(np.r_[0, np.cumsum(sizes)], pa.int32())
    return pa.ListArray.from_arrays(offsets, values, mask=pa.array([one is None for one in times]))
