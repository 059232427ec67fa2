"""Claims about tracking, as functions of tables. When they are run, and what a failure stops, lives with the wing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.vocabulary.table import Verdict


def frames_fit_their_trials(
    tracking: pa.Table, trials: pa.Table, tolerance_s: float = 0.5, after_last_stop_s: float = 1.0
) -> Verdict:
    """Each video ends before the next trial begins: as many frames as the trial, at the camera's rate, has room for.

    Parameters
    ----------
    tracking, trials : pyarrow.Table
    tolerance_s : float
        How far into the next trial a video may reach, s.
    after_last_stop_s : float
        How long the last trial, which has none after it, may go on after its stop, s.
    """
    number = trials["trial"].to_numpy()
    order = np.argsort(number, kind="stable")
    number = number[order]
    start_s, stop_s = (trials[name].to_numpy()[order] for name in ("start_s", "stop_s"))
    until_s = np.r_[start_s[1:], stop_s[-1:] + after_last_stop_s]
    has_frames = pc.greater(tracking["n_frames"], 0)
    videos = tracking if pc.all(has_frames).as_py() else tracking.filter(has_frames)
    of_video = videos["trial"].to_numpy()
    is_known = np.isin(of_video, number)
    place = np.searchsorted(number, of_video[is_known])
    first_s, last_s = (_ends(videos["frame_s"], end)[is_known] for end in ("first", "last"))
    is_early = first_s < start_s[place]
    excess_s = last_s - until_s[place]
    is_late = excess_s > tolerance_s
    figures = {
        "n_rows": tracking.num_rows,
        "n_without_frames": tracking.num_rows - videos.num_rows,
        "n_without_trial": int(np.count_nonzero(~is_known)),
        "n_before_trial": int(np.count_nonzero(is_early)),
        "n_after_trial": int(np.count_nonzero(is_late)),
        "largest_excess_s": round(float(excess_s.max(initial=-np.inf)), 4) if excess_s.size else 0.0,
    }
    n_bad = sum(int(value) for name, value in figures.items() if name.startswith("n_") and name != "n_rows")
    if n_bad == 0:
        return Verdict(True, f"The frames of all {tracking.num_rows} rows fit their trials.", figures)
    return Verdict(False, f"{n_bad} of {tracking.num_rows} rows have frames that do not fit their trials.", figures)


def _ends(lists: pa.ChunkedArray, end: str) -> NDArray[np.float64]:
    """Return the first or last value of each list, none of which is empty."""
    array = pa.concat_arrays(lists.chunks) if lists.num_chunks else pa.array([], lists.type)
    offsets = array.offsets.to_numpy()
    values = array.values.to_numpy()
    return np.asarray(values[offsets[:-1]] if end == "first" else values[offsets[1:] - 1])
