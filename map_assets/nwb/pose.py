"""Tracked body parts of the file. Reading trackers' files and finding frame times live in `tracking`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.nwb.columns import plain_name, stored
from map_assets.nwb.timing import when
from map_assets.vocabulary.errors import TableDoesNotFit

_SOURCES = {
    "frame index / rate": "Frame times are derived, not measured: start of the trial plus frame number over frame rate.",
    "recorded": "Frame times are those that the acquisition system saw.",
}


def add_pose(nwbfile: Any, tracking: pa.Table) -> None:
    """Add position and likelihood of each body part in each camera, all trials' frames in time order."""
    from pynwb.behavior import BehavioralTimeSeries, Position

    filmed = tracking.filter(pc.and_(pc.greater(tracking["n_frames"], 0), pc.is_valid(tracking["frame_s"])))
    if not filmed.num_rows:
        return
    module = nwbfile.create_processing_module("behavior", "Body parts tracked in video.")
    for camera in pc.unique(filmed["camera"]).to_pylist():
        of_camera = filmed.filter(pc.equal(filmed["camera"], camera))
        position = Position(name=f"position_{plain_name(camera)}")
        likelihood = BehavioralTimeSeries(name=f"likelihood_{plain_name(camera)}")
        first: tuple[NDArray[np.float64], Any] | None = None
        for feature in pc.unique(of_camera["feature"]).to_pylist():
            rows = of_camera.filter(pc.equal(of_camera["feature"], feature)).sort_by([("trial", "ascending")])
            times_s, values = _frames(rows)
            is_shared = first is not None and np.array_equal(first[0], times_s)
            timing = {"timestamps": first[1]} if first is not None and is_shared else when(times_s)
            series = _position(str(feature), str(camera), rows, values, timing)
            position.add_spatial_series(series)
            if "timestamps" in timing:
                timing = {"timestamps": series}
                first = first if is_shared else (times_s, series)
            likelihood.add_timeseries(_likelihood(str(feature), values, timing))
        module.add(position)
        module.add(likelihood)


def _frames(rows: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Frame times (n,) and x, y, likelihood (n, 3) of one body part in one camera, in time order."""
    lists = {name: rows[name].combine_chunks() for name in ("frame_s", "x_px", "y_px", "likelihood")}
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


def _position(feature: str, camera: str, rows: pa.Table, values: NDArray[np.float32], timing: dict[str, Any]) -> Any:
    from pynwb.behavior import SpatialSeries

    sources = " ".join(_SOURCES.get(one, one) for one in sorted(pc.unique(rows["time_source"]).to_pylist()))
    return SpatialSeries(
        name=plain_name(feature),
        description=f"{feature} in the {camera} camera: x, y. Positions are kept as found at any likelihood. {sources}",
        reference_frame="upper left corner of the image; x to the right, y downward",
        unit="pixels",
        data=stored(np.ascontiguousarray(values[:, :2])),
        **timing,
    )


def _likelihood(feature: str, values: NDArray[np.float32], timing: dict[str, Any]) -> Any:
    from pynwb.base import TimeSeries

    return TimeSeries(
        name=plain_name(feature),
        description=f"The tracker's confidence in the position of {feature}, 0 to 1.",
        unit="n.a.",
        data=stored(np.ascontiguousarray(values[:, 2])),
        **timing,
    )
