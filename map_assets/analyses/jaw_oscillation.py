"""`jaw_oscillation`: the jaw's movement trial by trial, filtered, with its phase. What units make of the phase is in `jaw_phase`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.analyses.parameters import JawParameters
from map_assets.analyses.tables_movement import JAW_OSCILLATION
from map_assets.analyses.trains import Floats

_ORDER = 5
_GAP = 1.5
"""Frames further apart than this many steps are no neighbours."""


def make_jaw_oscillation(session: str, tracking: pa.Table, parameters: JawParameters, version: str) -> pa.Table:
    """Filter the tracked movement and tell its phase.

    Nothing is filtered across a gap: a trace is cut between trials, where frames are missing, and where the tracker was
    unsure for longer than ``fill_s``; each stretch is filtered by itself, forwards and backwards, and its ends are told
    no phase. (The earlier MAP pipeline put all trials end to end before filtering.)

    Returns
    -------
    pyarrow.Table
        ``jaw_oscillation``: a row for each trial with a stretch that is long enough.
    """
    is_it = (pc.field("camera") == parameters.camera) & (pc.field("feature") == parameters.feature)
    rows: list[dict[str, Any]] = []
    n_runs = 0
    for one in tracking.filter(is_it).sort_by("trial").to_batches(max_chunksize=1):
        if not one["frame_s"][0].is_valid:
            continue
        pieces = list(_stretches(one, parameters))
        if not pieces:
            continue
        time, filtered, amplitude, phase, run = (np.concatenate(each) for each in zip(*pieces, strict=True))
        run, n_runs = _numbered(run, n_runs)
        rows.append(
            {
                "session": session,
                "trial": one["trial"][0].as_py(),
                "camera": parameters.camera,
                "feature": parameters.feature,
                "band_low_hz": parameters.band_hz[0],
                "band_high_hz": parameters.band_hz[1],
                "step_s": _step_s(one),
                "time_s": time,
                "filtered_px": filtered.astype(np.float32),
                "amplitude_px": amplitude.astype(np.float32),
                "phase_rad": phase.astype(np.float32),
                "run": run.astype(np.int32),
                "parameters_version": version,
            }
        )
    return JAW_OSCILLATION.from_rows(rows)


def oscillation(trace_px: Floats, rate_hz: float, band_hz: tuple[float, float]) -> tuple[Floats, Floats, Floats]:
    """Band-pass an even trace without delay; give the filtered trace, its amplitude and its phase (-pi to pi).

    Parameters
    ----------
    trace_px : numpy.ndarray of float, shape (n,)
    rate_hz : float
    band_hz : (float, float)
    """
    from scipy.signal import butter, hilbert, sosfiltfilt

    sections = butter(_ORDER, band_hz, "bandpass", fs=rate_hz, output="sos")
    filtered = sosfiltfilt(sections, trace_px - trace_px.mean(), padlen=min(len(trace_px) - 1, round(rate_hz)))
    analytic = hilbert(filtered)
    return filtered, np.abs(analytic), np.angle(analytic)


def _step_s(one: pa.RecordBatch) -> float:
    rate_hz = one["rate_hz"][0].as_py()
    if rate_hz:
        return 1.0 / float(rate_hz)
    frame_s = one["frame_s"].flatten().to_numpy()
    return float(np.median(np.diff(frame_s))) if len(frame_s) > 1 else np.nan


def _stretches(one: pa.RecordBatch, parameters: JawParameters) -> Iterator[tuple[Floats, ...]]:
    """Go through a trial's uncut stretches: time, filtered trace, amplitude, phase, and 1 where the phase is told."""
    frame_s, y_px, likelihood = (
        one[name].flatten().to_numpy(zero_copy_only=False).astype(np.float64)
        for name in ("frame_s", "y_px", "likelihood")
    )
    step = _step_s(one)
    is_seen = np.isfinite(y_px) & (likelihood >= parameters.min_likelihood)
    at, y = frame_s[is_seen], y_px[is_seen]
    if not np.isfinite(step) or parameters.band_hz[1] >= 0.5 / step:
        return
    cut = np.flatnonzero(np.diff(at) > max(parameters.fill_s, _GAP * step)) + 1
    n_before = 0.0
    for place in np.split(np.arange(len(at)), cut):
        n = round((at[place[-1]] - at[place[0]]) / step) + 1 if len(place) else 0
        if n * step < 2 * parameters.edge_s + parameters.min_run_s:
            continue
        # cameras jitter and skip: the filter wants even steps
        grid = at[place[0]] + np.arange(n) * step
        nearest = np.abs(grid - at[place][np.clip(np.searchsorted(at[place], grid - step / 2), 0, len(place) - 1)])
        trace = oscillation(np.interp(grid, at[place], y[place]), 1 / step, parameters.band_hz)
        is_told = (nearest <= step) & (trace[1] >= parameters.min_amplitude_px)
        is_told &= (grid >= grid[0] + parameters.edge_s) & (grid <= grid[-1] - parameters.edge_s)
        run = _long_enough(is_told, round(parameters.min_run_s / step))
        run[run > 0] += n_before
        n_before = max(n_before, run.max())
        yield grid, *trace, run


def _long_enough(flags: NDArray[np.bool_], fewest: int) -> Floats:
    """Number the runs of true values that are at least so long, from 1; zero elsewhere."""
    change = np.diff(np.r_[False, flags, False].astype(np.int8))
    begin, end = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    found = np.zeros(len(flags))
    kept = [(a, b) for a, b in zip(begin, end, strict=True) if b - a >= fewest]
    for number, (a, b) in enumerate(kept, 1):
        found[a:b] = number
    return found


def _numbered(run: Floats, n_before: int) -> tuple[NDArray[np.int64], int]:
    """Number a trial's runs on from those before it; -1 outside. Runs of different stretches are apart."""
    is_first = (run > 0) & (np.r_[0.0, run[:-1]] != run)
    return np.where(run > 0, n_before + np.cumsum(is_first) - 1, -1), n_before + int(is_first.sum())
