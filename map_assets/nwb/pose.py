"""Tracked body parts of the file. Reading trackers' files and finding frame times live in `tracking`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.nwb.beside import add_table, module_of
from map_assets.nwb.columns import distinct_names, stored
from map_assets.nwb.timing import when
from map_assets.vocabulary.errors import TableDoesNotFit

_SOURCES = {
    "frame index / rate": "Frame times are derived, not measured: start of the trial plus frame number over frame rate.",
    "recorded": "Frame times are those that the acquisition system saw.",
}
_SERIES = ("frame_s", "x_px", "y_px", "likelihood")


def add_pose(nwbfile: Any, tracking: pa.Table) -> list[str]:
    """Add position and likelihood of each body part in each camera, all trials' frames in time order.

    What is known of each video's result (its source of times, its file, the numbers of its frames) stands in the table
    ``tracking`` beside; results without frame times cannot be series and stand in ``untimed_tracking`` as a whole.

    Returns
    -------
    list of str
        Sentences on what has no times, or times that overlap.
    """
    if not tracking.num_rows:
        return []
    module = module_of(nwbfile, "behavior")
    add_table(module, "tracking", tracking.drop_columns(list(_SERIES)))
    has_times = pc.is_valid(tracking["frame_s"])
    untimed = tracking.filter(pc.invert(has_times))
    filmed = tracking.filter(pc.and_(pc.greater(tracking["n_frames"], 0), has_times))
    cameras = pc.unique(filmed["camera"]).to_pylist()
    notes = []
    for camera, plain in zip(cameras, distinct_names(cameras), strict=True):
        of_camera = filmed.filter(pc.equal(filmed["camera"], camera))
        _add_camera(module, camera, plain, of_camera)
        if n_overlapping := _n_overlapping(of_camera):
            notes.append(
                f"In {n_overlapping} trials the frames of the {camera} camera run into the next trial's: there the frames "
                "of both stand in the order of their times."
            )
    if not untimed.num_rows:
        return notes
    add_table(module, "untimed_tracking", untimed.select(["trial", "camera", "feature", *_SERIES[1:]]))
    return [
        *notes,
        f"The frames of {untimed.num_rows} tracked body parts of single trials have no times: see untimed_tracking.",
    ]


def _n_overlapping(tracking: pa.Table) -> int:
    """Count the trials of one camera whose last frame is not before the next filmed trial's first."""
    lists = tracking["frame_s"].combine_chunks()
    lengths = np.asarray(pc.list_value_length(lists).to_numpy(zero_copy_only=False), np.int64)
    ends = np.cumsum(lengths)
    times_s = lists.flatten().to_numpy(zero_copy_only=False)
    _, first_place = np.unique(tracking["trial"].to_numpy(), return_index=True)
    first_s, last_s = times_s[(ends - lengths)[first_place]], times_s[ends[first_place] - 1]
    return int((last_s[:-1] >= first_s[1:]).sum())


def _add_camera(module: Any, camera: str, plain: str, tracking: pa.Table) -> None:
    """Add one camera's body parts; those with the same frame times share them."""
    from pynwb.behavior import BehavioralTimeSeries, Position

    position = Position(name=f"position_{plain}")
    likelihood = BehavioralTimeSeries(name=f"likelihood_{plain}")
    first: tuple[NDArray[np.float64], Any] | None = None
    features = pc.unique(tracking["feature"]).to_pylist()
    for feature, name in zip(features, distinct_names(features), strict=True):
        rows = tracking.filter(pc.equal(tracking["feature"], feature)).sort_by([("trial", "ascending")])
        times_s, values = _frames(rows)
        is_shared = first is not None and np.array_equal(first[0], times_s)
        timing = {"timestamps": first[1]} if first is not None and is_shared else when(times_s)
        series = _position(name, f"{feature} in the {camera} camera", rows, values, timing)
        position.add_spatial_series(series)
        if "timestamps" in timing:
            timing = {"timestamps": series}
            first = first if is_shared else (times_s, series)
        likelihood.add_timeseries(_likelihood(name, feature, values, timing))
    module.add(position)
    module.add(likelihood)


def _frames(rows: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Frame times (n,) and x, y, likelihood (n, 3) of one body part in one camera, in time order."""
    lists = {name: rows[name].combine_chunks() for name in _SERIES}
    flat = {name: np.asarray(values.flatten().to_numpy(zero_copy_only=False)) for name, values in lists.items()}
    if len({len(values) for values in flat.values()}) != 1:
        counts = {name: len(values) for name, values in flat.items()}
        raise TableDoesNotFit(f"tracking: frame times and positions differ in number: {counts}")
    times_s = flat["frame_s"].astype(np.float64)
    values = np.column_stack([flat["x_px"], flat["y_px"], flat["likelihood"]]).astype(np.float32)
    if np.any(np.diff(times_s) < 0):
        order = np.argsort(times_s, kind="stable")
        times_s, values = times_s[order], values[order]
    return times_s, values


def _position(name: str, what: str, rows: pa.Table, values: NDArray[np.float32], timing: dict[str, Any]) -> Any:
    from pynwb.behavior import SpatialSeries

    found = sorted(pc.unique(rows["time_source"].drop_null()).to_pylist())
    sources = " ".join(_SOURCES.get(one, one) for one in found)
    sources += " Which of them a trial has is in the table tracking." if len(found) > 1 else ""
    return SpatialSeries(
        name=name,
        description=f"{what}: x, y. Positions are kept as found at any likelihood. {sources}",
        reference_frame="upper left corner of the image; x to the right, y downward",
        unit="pixels",
        data=stored(np.ascontiguousarray(values[:, :2])),
        **timing,
    )


def _likelihood(name: str, feature: str, values: NDArray[np.float32], timing: dict[str, Any]) -> Any:
    from pynwb.base import TimeSeries

    return TimeSeries(
        name=name,
        description=f"The tracker's confidence in the position of {feature}, 0 to 1.",
        unit="n.a.",
        data=stored(np.ascontiguousarray(values[:, 2])),
        **timing,
    )
