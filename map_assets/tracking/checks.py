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
    start_s, stop_s, until_s = (trials[name].to_numpy()[order] for name in ("start_s", "stop_s", "until_s"))
    until_s = np.r_[until_s[:-1], np.maximum(until_s[-1:], stop_s[-1:] + after_last_stop_s)]
    has_frames = pc.and_(pc.greater(tracking["n_frames"], 0), pc.is_valid(tracking["frame_s"]))
    videos = tracking if pc.all(has_frames).as_py() else tracking.filter(has_frames)
    n_without_times = tracking["frame_s"].null_count
    of_video = videos["trial"].to_numpy()
    is_known = np.isin(of_video, number)
    place = np.searchsorted(number, of_video[is_known])
    first_s, last_s = (_ends(videos["frame_s"], end)[is_known] for end in ("first", "last"))
    is_early = first_s < start_s[place]
    excess_s = last_s - until_s[place]
    is_late = excess_s > tolerance_s
    figures = {
        "n_rows": tracking.num_rows,
        "n_without_frames": tracking.num_rows - videos.num_rows - n_without_times,
        "n_without_trial": int(np.count_nonzero(~is_known)),
        "n_before_trial": int(np.count_nonzero(is_early)),
        "n_after_trial": int(np.count_nonzero(is_late)),
        "largest_excess_s": round(float(excess_s.max(initial=-np.inf)), 4) if excess_s.size else 0.0,
    }
    n_bad = sum(int(value) for name, value in figures.items() if name.startswith("n_") and name != "n_rows")
    figures["n_without_times"] = n_without_times
    if n_bad == 0:
        which = f"all {tracking.num_rows}" if not n_without_times else f"the {videos.num_rows} timed"
        return Verdict(True, f"The frames of {which} rows fit their trials.", figures)
    return Verdict(False, f"{n_bad} of {tracking.num_rows} rows have frames that do not fit their trials.", figures)


def frame_counts_fit_durations(
    tracking_quality: pa.Table, shortest_by_s: float = 1.0, longest_by_s: float = 1.0
) -> Verdict:
    """Each video lasts, by its frames and the camera's rate, about as long as its trial.

    Parameters
    ----------
    tracking_quality : pyarrow.Table
    shortest_by_s, longest_by_s : float
        How much shorter or longer than its trial a video may be, s.
    """
    excess_s = _known(tracking_quality, "excess_s")
    figures: dict[str, float | int | str | bool] = {
        "n_judged": len(excess_s),
        "n_too_short": int(np.count_nonzero(excess_s < -shortest_by_s)),
        "n_too_long": int(np.count_nonzero(excess_s > longest_by_s)),
    }
    n_bad = int(figures["n_too_short"]) + int(figures["n_too_long"])
    if n_bad:
        return Verdict(False, f"{n_bad} of {len(excess_s)} videos do not last as long as their trials.", figures)
    return Verdict(True, f"All {len(excess_s)} videos of known rate last as long as their trials.", figures)


def cameras_agree(tracking_quality: pa.Table, tolerance_s: float = 0.1) -> Verdict:
    """The cameras of a trial filmed for as long as each other.

    Parameters
    ----------
    tracking_quality : pyarrow.Table
    tolerance_s : float
        How far the longest and the shortest video of a trial may differ, s.
    """
    first = tracking_quality.group_by("trial").aggregate([("camera_spread_s", "max")])
    spread_s = _known(first, "camera_spread_s_max")
    n_bad = int(np.count_nonzero(spread_s > tolerance_s))
    figures = {"n_judged": len(spread_s), "n_apart": n_bad, "largest_s": round(float(spread_s.max(initial=0.0)), 4)}
    if n_bad:
        return Verdict(False, f"The cameras of {n_bad} of {len(spread_s)} trials did not film equally long.", figures)
    return Verdict(True, f"The cameras of all {len(spread_s)} trials with several filmed equally long.", figures)


def no_frames_are_missing(tracking_quality: pa.Table) -> Verdict:
    """Frame numbers and recorded frame times have no gaps, and as many frames were recorded as there are in the video."""
    counts = {name: _known(tracking_quality, name) for name in ("n_index_gaps", "n_time_gaps")}
    both = tracking_quality.filter(
        pc.and_(pc.is_valid(tracking_quality["n_recorded_frames"]), tracking_quality["has_result"])
    )
    filmed = pc.add(both["n_frames"], both["n_left_out"])
    figures = {name.replace("n_", "n_with_"): int(np.count_nonzero(values)) for name, values in counts.items()}
    figures["n_with_other_count"] = int(pc.sum(pc.not_equal(filmed, both["n_recorded_frames"]), min_count=0).as_py())
    figures["n_left_out"] = int(_known(tracking_quality, "n_left_out").sum())
    n_videos = int(pc.sum(tracking_quality["has_result"], min_count=0).as_py())
    if any(figures.values()):
        said = ", ".join(f"{value} {name[2:].replace('_', ' ')}" for name, value in figures.items() if value)
        return Verdict(False, f"Of {n_videos} videos, frames are missing: {said}.", figures)
    return Verdict(True, f"No frame is missing from {n_videos} videos.", figures)


def every_trial_was_tracked(tracking_quality: pa.Table) -> Verdict:
    """Each kept trial has a result in each camera of which the session has any."""
    missing = tracking_quality.filter(pc.invert(tracking_quality["has_result"]))
    figures: dict[str, float | int | str | bool] = {"n_pairs": tracking_quality.num_rows, "n_missing": missing.num_rows}
    for name in sorted(set(missing["camera"].to_pylist())):
        figures[f"n_missing_{name}"] = int(pc.sum(pc.equal(missing["camera"], name)).as_py())
    if missing.num_rows:
        shown = [f"{row['camera']} {row['trial']}" for row in missing.slice(0, 10).to_pylist()]
        more = ", ..." if missing.num_rows > len(shown) else ""
        return Verdict(False, f"{missing.num_rows} trials have no result: {', '.join(shown)}{more}.", figures)
    return Verdict(True, f"All {tracking_quality.num_rows} pairs of trial and camera have a result.", figures)


def videos_have_the_tracked_frames(videos: pa.Table, tracking: pa.Table) -> Verdict:
    """Each video holds as many frames as its tracking goes through."""
    tracking = tracking.filter(pc.and_(pc.greater(tracking["n_frames"], 0), pc.is_valid(tracking["frame"])))
    n_frames = (_ends(tracking["frame"], "last") + 1).astype(int).tolist()
    tracked = dict(
        zip(zip(tracking["trial"].to_pylist(), tracking["camera"].to_pylist(), strict=True), n_frames, strict=True)
    )
    filmed = zip(*(videos[name].to_pylist() for name in ("trial", "camera", "n_frames", "file")), strict=True)
    judged = [
        (file, n, tracked[trial, camera])
        for trial, camera, n, file in filmed
        if n is not None and (trial, camera) in tracked
    ]
    other = [(file, n, of) for file, n, of in judged if n != of]
    figures = {"n_videos": videos.num_rows, "n_judged": len(judged), "n_other": len(other)}
    if other:
        shown = "; ".join(f"{file.rpartition('/')[2]} has {n} frames, {of} were tracked" for file, n, of in other[:5])
        return Verdict(
            False, f"{len(other)} of {len(judged)} videos have other frames than were tracked: {shown}.", figures
        )
    return Verdict(True, f"All {len(judged)} videos that were tracked have the frames that were tracked.", figures)


def _known(table: pa.Table, name: str) -> NDArray[np.float64]:
    """Return a column's values that are not null."""
    return np.asarray(table[name].drop_null().to_numpy(), np.float64)


def _ends(lists: pa.ChunkedArray, end: str) -> NDArray[np.float64]:
    """Return the first or last value of each list, none of which is empty."""
    array = pa.concat_arrays(lists.chunks) if lists.num_chunks else pa.array([], lists.type)
    offsets = array.offsets.to_numpy()
    values = array.values.to_numpy()
    return np.asarray(values[offsets[:-1]] if end == "first" else values[offsets[1:] - 1])
