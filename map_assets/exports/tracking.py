"""Video tracking as MATLAB variables, a struct a camera and a row a trial. Reading trackers' results lives in its own room."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from map_assets.exports.cells import NOTHING, Cells, Floats, Ints, cells, column, field_names, numbers, place_of, ragged
from map_assets.exports.cells import views as pieces

_ATTRIBUTES = {"x": "x_px", "y": "y_px", "likelihood": "likelihood"}


def tracking_variable(tracking: pa.Table, trials: pa.Table) -> dict[str, Any]:
    """Make ``tracking``.

    Parameters
    ----------
    tracking, trials : pyarrow.Table

    Returns
    -------
    dict
        For each camera (``camera_0_side``): ``fs`` (Hz), ``trialNum`` and ``Nframes`` (T, 1), ``frame_times``
        (T, 1 cells of s from the start of the trial) and three cells of lists for each body part (px, px, 0 to 1). A
        trial without result has no frames: NaN in ``Nframes``, empty cells. Body parts whose frames are others than the
        first one's have times of their own.
    """
    trials = trials.sort_by("trial")
    rows = {name: tracking.filter(pc.equal(tracking["camera"], name)) for name in _cameras(tracking)}
    fields = field_names(_camera_name(name, found) for name, found in rows.items())
    return {field: _camera(found, trials) for field, found in zip(fields, rows.values(), strict=True)}


def _cameras(tracking: pa.Table) -> list[str]:
    """Names of the cameras, in the order of their devices, then of their names."""
    firsts = tracking.group_by("camera").aggregate([("device", "min")]).to_pylist()
    return [row["camera"] for row in sorted(firsts, key=lambda row: (row["device_min"] or "~", row["camera"]))]


def _camera_name(camera: str, rows: pa.Table) -> str:
    """Name a camera by its number and position: ``camera_0_side``; without a number ``camera_side``."""
    device = next((name for name in rows["device"].to_pylist() if name), "")
    number = re.search(r"\d+", device)
    return f"camera_{number[0]}_{camera}" if number else f"camera_{camera}"


def _camera(rows: pa.Table, trials: pa.Table) -> dict[str, Any]:
    rows = rows.sort_by([("feature", "ascending"), ("trial", "ascending")])
    features = pc.unique(rows["feature"]).to_pylist()
    rates = [rate for rate in pc.unique(rows["rate_hz"]).to_pylist() if rate is not None]
    n_frames = np.full(trials.num_rows, np.nan)
    made: dict[str, Any] = {}
    shared: Cells | None = None
    for name, feature in zip(field_names(features), features, strict=True):
        of_feature = rows.filter(pc.equal(rows["feature"], feature))
        at = place_of(of_feature["trial"].to_numpy(), trials["trial"].to_numpy())
        n_frames[at[at >= 0]] = numbers(of_feature["n_frames"])[at >= 0]
        times = _spread(*_times_s(of_feature, trials, at), at, trials.num_rows)
        if shared is None:
            shared = times
        elif not _are_equal(shared, times):
            made[f"{name}_frame_times"] = times
        for attribute, source in _ATTRIBUTES.items():
            made[f"{name}_{attribute}"] = _spread(*ragged(of_feature[source]), at, trials.num_rows)
    head = {"fs": rates[0] if len(rates) == 1 else np.nan, "trialNum": column(trials["trial"])}
    return {**head, "Nframes": n_frames[:, None], "frame_times": shared, **made}


def _times_s(rows: pa.Table, trials: pa.Table, at: Ints) -> tuple[Floats, Ints]:
    """Times of the frames from the start of their trial, s, and how many each row has; NaN where no time is known."""
    known, n_known = ragged(rows["frame_s"])
    n_frames: Ints = ragged(rows["x_px"])[1]
    times_s = np.full(int(n_frames.sum()), np.nan)
    times_s[np.repeat(n_known > 0, n_frames)] = known
    start_s = np.append(trials["start_s"].to_numpy(), np.nan)[at]  # -1: no such trial
    return times_s - np.repeat(start_s, n_frames), n_frames


def _spread(values: Floats, counts: Ints, at: Ints, n_trials: int) -> Cells:
    """Put each row's list into the cell of its trial; other trials' cells are empty."""
    made = [NOTHING] * n_trials
    for place, piece in zip(at.tolist(), pieces(values, counts), strict=True):
        if place >= 0:
            made[place] = piece
    return cells(made)


def _are_equal(one: Cells, other: Cells) -> bool:
    pairs = zip(one[:, 0], other[:, 0], strict=True)
    return all(len(b) == 0 or np.array_equal(a, b, equal_nan=True) for a, b in pairs)
