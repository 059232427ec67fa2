"""What tracking is worth, trial by trial and camera by camera: missing results, missing frames, cameras that disagree. Claims live in `checks`."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.tracking.cameras import Cameras, read_cameras
from map_assets.tracking.rows import recorded_times
from map_assets.tracking.tables import TRACKING_QUALITY

_GAP_FRAMES = 1.5
"""Two recorded frames this many frames apart have one missing between them: half a frame more than they should be."""


def judge_tracking(
    session: str,
    tracking: pa.Table,
    trials: pa.Table,
    *,
    cameras: Cameras | None = None,
    frame_times: pa.Table | None = None,
) -> pa.Table:
    """Judge every kept trial in every camera of which the session has any result.

    Parameters
    ----------
    session : str
    tracking, trials : pyarrow.Table
        The session's.
    cameras, frame_times : optional
        As `read.read_tracking` takes them.

    Returns
    -------
    pyarrow.Table
        As declared in `tracking.tables`; a trial without a result in a camera has its row too.
    """
    first = tracking.filter(pa.array(_is_first(tracking), pa.bool_())) if tracking.num_rows else tracking
    names = sorted(set(first["camera"].to_pylist()))
    numbers = trials["trial"].to_pylist()
    length_s = dict(zip(numbers, pc.subtract(trials["stop_s"], trials["start_s"]).to_pylist(), strict=True))
    keys = [(trial, name) for trial in sorted(numbers) for name in names]
    if not keys:
        return TRACKING_QUALITY.empty()
    recorded = recorded_times(frame_times, cameras or read_cameras())
    found = dict(
        zip(zip(first["trial"].to_pylist(), first["camera"].to_pylist(), strict=True), _facts(first), strict=True)
    )
    rows = []
    for trial, name in keys:
        row = {"session": session, "trial": trial, "camera": name, "trial_duration_s": length_s[trial]}
        row |= {"has_result": (trial, name) in found, **found.get((trial, name), {})}
        rate_hz, times_s = row.pop("rate_hz", None), recorded.get((name, trial))
        if times_s is not None:
            row["n_recorded_frames"] = len(times_s)
            if rate_hz is not None:
                row["n_time_gaps"] = int(np.count_nonzero(np.diff(times_s) > _GAP_FRAMES / rate_hz))
        if row.get("duration_s") is not None:
            row["excess_s"] = row["duration_s"] - row["trial_duration_s"]
        rows.append(row)
    for place in range(0, len(rows), len(names)):
        of_trial = rows[place : place + len(names)]
        known = [row["duration_s"] for row in of_trial if row.get("duration_s") is not None]
        for row in of_trial:
            row["camera_spread_s"] = max(known) - min(known) if len(known) > 1 else None
    return TRACKING_QUALITY.from_rows(rows)


def _is_first(tracking: pa.Table) -> NDArray[np.bool_]:
    """Mark one row of each video: the first of its body parts, which all have the same frames."""
    pairs = pa.table({name: tracking[name] for name in ("trial", "camera")}).append_column(
        "row", pa.array(np.arange(tracking.num_rows))
    )
    rows = pairs.group_by(["trial", "camera"]).aggregate([("row", "min")])["row_min"].to_numpy()
    is_first = np.zeros(tracking.num_rows, bool)
    is_first[rows] = True
    return is_first


def _facts(first: pa.Table) -> list[dict[str, float | int | None]]:
    """Count each video's frames and those that it lacks."""
    if not first.num_rows:
        return []
    lists = pa.concat_arrays(first["frame"].chunks)
    offsets, frame = lists.offsets.to_numpy(), lists.values.to_numpy(zero_copy_only=False)
    stops = offsets[1:]
    n_frames = np.diff(offsets)
    last = frame[stops - 1]
    is_gap = np.r_[0, np.diff(frame[offsets[0] : stops[-1]])] > 1
    is_gap[offsets[:-1] - offsets[0]] = frame[offsets[:-1]] > 0
    total = np.r_[0, np.cumsum(is_gap)]
    n_gaps = total[stops - offsets[0]] - total[offsets[:-1] - offsets[0]]
    return [
        {
            "n_frames": int(n),
            "n_left_out": int(until + 1 - n),
            "n_index_gaps": int(gaps),
            "rate_hz": rate_hz,
            "duration_s": None if rate_hz is None else float(until + 1) / rate_hz,
        }
        for n, until, gaps, rate_hz in zip(n_frames, last, n_gaps, first["rate_hz"].to_pylist(), strict=True)
    ]
