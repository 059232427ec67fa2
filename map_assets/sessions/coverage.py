"""Which source observed which trial of a session: behaviour, probes, cameras. What they recorded lives in their own rooms.

Silence is something observed: a trial without spikes that a probe covered counts as zero, a trial that it did not cover
counts as nothing. This table tells the two apart for every trial of the behaviour file and every source of the session.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.sessions.tables import COVERAGE

BEHAVIOR, PROBE, CAMERA = "behavior", "probe", "camera"
"""Kinds of sources."""

NO_CLOCK = "the probe's clock is not tied to the session's"
NOT_BEGUN = "the recording had not begun"
ENDED = "the recording had ended"
NO_CODE = "no code in the ephys stream"
CONTRADICTED = "its code is in the ephys stream at a time that contradicts the clock"
NO_MATCH = "no trial of the probe could be matched"
NO_VIDEO = "no video of this trial"
_OBSERVED = ""

Words = NDArray[np.object_]


@dataclass(frozen=True)
class _Trials:
    """All trials of the file in order; arrays of shape (n,). Skipped ones have no end, and perhaps no start (NaN)."""

    trial: NDArray[np.int64]
    skipped: Words
    start_s: NDArray[np.float64]
    until_s: NDArray[np.float64]


def make_coverage(
    session: str,
    trials: pa.Table,
    skipped_trials: pa.Table | None = None,
    clock_maps: pa.Table | None = None,
    probes: pa.Table | None = None,
    tracking: pa.Table | None = None,
) -> pa.Table:
    """Make the table `coverage` of one session.

    Parameters
    ----------
    session : str
        Session key.
    trials, skipped_trials : pyarrow.Table
        The behaviour file's trials: kept ones, and those left out with their reasons.
    clock_maps, probes : pyarrow.Table, optional
        A probe that either of them names is a source. A probe observed a trial if its code was matched and the whole
        of [`start_s`, `until_s`) lies within `observed_from_s` and `observed_to_s` (an unknown end excludes nothing). A
        probe that has no clock map, or one without anchors, observed no trial.
    tracking : pyarrow.Table, optional
        A camera that it names is a source, and observed the trials that it has rows of.

    Returns
    -------
    pyarrow.Table
        `coverage`: a row for every trial of the file, kept or skipped, and every source.
    """
    every = _every_trial(trials, skipped_trials)
    sources = [(BEHAVIOR, BEHAVIOR, np.full(len(every.trial), _OBSERVED, object))]
    clocks = {row["probe"]: row for row in ([] if clock_maps is None else clock_maps.to_pylist())}
    named = set(clocks) | set([] if probes is None else probes["probe"].to_pylist())
    sources += [(PROBE, str(probe), _probe_reasons(every, clocks.get(probe))) for probe in sorted(named)]
    if tracking is not None:
        cameras = sorted(set(tracking["camera"].to_pylist()))
        sources += [(CAMERA, camera, _camera_reasons(every, tracking, camera)) for camera in cameras]
    reasons = np.concatenate([np.where(every.skipped != _OBSERVED, every.skipped, why) for _, _, why in sources])
    n = len(every.trial)
    return COVERAGE.from_columns(
        {
            "session": pa.repeat(session, n * len(sources)),
            "trial": np.tile(every.trial, len(sources)),
            "source_kind": _repeated([kind for kind, _, _ in sources], n),
            "source": _repeated([name for _, name, _ in sources], n),
            "probe": _repeated([int(name) if kind == PROBE else None for kind, name, _ in sources], n, pa.int64()),
            "is_observed": reasons == _OBSERVED,
            "reason": [why if why != _OBSERVED else None for why in reasons],
        }
    )


def _every_trial(trials: pa.Table, skipped_trials: pa.Table | None) -> _Trials:
    n_skipped = 0 if skipped_trials is None else skipped_trials.num_rows
    skipped = [] if skipped_trials is None else skipped_trials["trial"].to_pylist()
    reasons = [] if skipped_trials is None else skipped_trials["reason"].to_pylist()
    trial = np.asarray([*trials["trial"].to_pylist(), *skipped], np.int64)
    why = np.asarray([_OBSERVED] * trials.num_rows + [f"skipped: {reason}" for reason in reasons], object)
    unknown = np.full(n_skipped, np.nan)
    order = np.argsort(trial, kind="stable")
    start_s, until_s = (np.r_[_seconds(trials, name), unknown] for name in ("start_s", "until_s"))
    return _Trials(trial[order], why[order], start_s[order], until_s[order])


def _probe_reasons(every: _Trials, clock: dict[str, Any] | None) -> Words:
    """Say for each trial why the probe did not observe it; of several reasons the most telling."""
    why = np.full(len(every.trial), _OBSERVED, object)
    if clock is None:
        why[:] = NO_CLOCK
        return why
    is_matched = np.isin(every.trial, np.asarray(clock["matched_trials"], np.int64))
    is_contradicted = np.isin(every.trial, np.asarray(clock.get("contradicted_trials") or [], np.int64))
    why[~is_matched] = NO_CODE if clock["matched_trials"] else NO_MATCH
    why[is_contradicted] = CONTRADICTED
    if clock["offset_s"] is None or clock["observed_from_s"] is None:
        why[is_matched] = NO_CLOCK
        return why
    to_s = np.inf if clock["observed_to_s"] is None else clock["observed_to_s"]
    why[every.until_s > to_s] = ENDED
    why[every.start_s < clock["observed_from_s"]] = NOT_BEGUN
    return why


def _camera_reasons(every: _Trials, tracking: pa.Table, camera: str) -> Words:
    filmed = tracking.filter(pc.equal(tracking["camera"], camera))["trial"].to_numpy()
    return np.where(np.isin(every.trial, filmed), _OBSERVED, NO_VIDEO).astype(object)


def _seconds(table: pa.Table, column: str) -> NDArray[np.float64]:
    return np.asarray(table[column].combine_chunks().to_numpy(zero_copy_only=False), np.float64)


def _repeated(values: Sequence[str | int | None], n: int, kind: pa.DataType | None = None) -> pa.Array:
    return pa.array(np.repeat(np.asarray(values, object), n), kind or pa.string())
