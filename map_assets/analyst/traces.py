"""Tracked body parts around events. Which trials and events lives in `choosing`, spikes in `spikes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.analyst.errors import NoSuchFeature, near

if TYPE_CHECKING:
    from map_assets.analyst.frame import Frame


def cut_traces(
    tracking: pa.Table,
    feature: str,
    camera: str | None,
    event: str,
    trial: NDArray[np.int64],
    at_s: NDArray[np.float64],
    window: tuple[float, float],
) -> Frame:
    """Cut a body part's positions around events; see `map_assets.analyst.session.LabSession.traces`.

    Parameters
    ----------
    tracking : pyarrow.Table
    feature : str
    camera : str or None
    event : str
        What `at_s` is called.
    trial : numpy.ndarray of int, shape (n_trials,)
        Rising.
    at_s : numpy.ndarray of float, shape (n_trials,)
        On the session clock, s.
    window : tuple of float
        Half-open, s.
    """
    from map_assets.analyst.frame import frame_from

    known = pc.unique(tracking["feature"]).to_pylist()
    if feature not in known:
        raise NoSuchFeature(
            f"Nothing called {feature!r} was tracked{near(feature, known)}; there are {', '.join(known)}."
        )
    is_wanted = pc.field("feature") == feature
    if camera is not None:
        is_wanted &= pc.field("camera") == camera
    names = ["trial", "camera", "feature", "frame_s", "x_px", "y_px", "likelihood"]
    rows = tracking.select(names).filter(is_wanted & pc.field("frame_s").is_valid()).combine_chunks()
    place = {int(number): float(when) for number, when in zip(trial, at_s, strict=True)}
    rows = rows.filter(pc.is_in(rows["trial"], pa.array(list(place), pa.int64()))).combine_chunks()
    offsets = np.r_[0, np.cumsum(pc.list_value_length(rows["frame_s"]).to_numpy())].astype(np.int64)
    number = rows["trial"].to_numpy()
    event_s = np.array([place[int(one)] for one in number])
    from_event_s = pc.list_flatten(rows["frame_s"]).to_numpy() - np.repeat(event_s, np.diff(offsets))
    is_in = (from_event_s >= window[0]) & (from_event_s < window[1])
    kept = np.r_[0, np.cumsum(is_in)][offsets].astype(np.int32)

    def lists(values: NDArray[np.float64]) -> pa.ListArray:
        return pa.ListArray.from_arrays(pa.array(kept), pa.array(values[is_in]))

    columns = {
        "trial": rows["trial"],
        "camera": rows["camera"],
        "feature": rows["feature"],
        "time_from_event_s": lists(from_event_s),
        **{name: lists(pc.list_flatten(rows[name]).to_numpy()) for name in names[4:]},
    }
    frame = frame_from(pa.table(columns))
    frame.attrs |= {"event": event, "window_s": window}
    return frame
