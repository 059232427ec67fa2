"""Each probe's clock carried onto the session clock: matched trials, anchors, fit. The map itself is `vocabulary.clock`.

Anchors are go cues of matched trials, on the probe's clock from the bitcode file and on the session clock from the
behaviour. A trial with several go cues does not tell which of them the ephys system noted, so trials with exactly one
are taken where there are at least two. Without go cues the anchors are starts, of the codes or of the trials, as the recording saw
the one or the other (`ephys_trials.start_kind`). Where it saw codes start and the behaviour file does not tell when,
trial starts stand in; a code starts later than its trial, so that map is early by a constant which no residual shows;
`offset_bound_s` bounds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.ephys.tables import CLOCK_MAPS
from map_assets.ephys.tables.words import CODE_START, TRIAL_START
from map_assets.ephys.trial_match import BOUND_S, TrialMatch, match_trials
from map_assets.ephys.trial_times import clock_of_most
from map_assets.vocabulary.clock import ClockMap, fit_clock_map
from map_assets.vocabulary.errors import ClockDoesNotFit

GO_CUE = "go cue"
STAND_IN = "start of the trial in place of its code's"
"""Kinds of anchors, beside `CODE_START` and `TRIAL_START`."""

OUTLIER_S = 5e-3
"""An anchor is never an outlier below this residual, s."""
OUTLIER_MADS = 6.0
"""An anchor is an outlier above this many median absolute deviations (and above `OUTLIER_S`)."""
TRIAL_START_BOUND_S = 0.25
"""Where the start of the trial stands for the start of its code, the two may be further apart than `BOUND_S`."""

Seconds = NDArray[np.float64]


@dataclass(frozen=True)
class Anchors:
    """Instants seen on both clocks, s; arrays of shape (n,)."""

    kind: str
    trials: NDArray[np.int64]
    probe_s: Seconds
    session_s: Seconds

    def only(self, chosen: NDArray[np.bool_]) -> Anchors:
        """Return those chosen by a mask of shape (n,)."""
        return Anchors(self.kind, self.trials[chosen], self.probe_s[chosen], self.session_s[chosen])


def make_clock_maps(
    session: str, trials: pa.Table, ephys_trials: pa.Table, recordings: pa.Table | None = None
) -> pa.Table:
    """Match each probe's trials and fit its clock.

    Parameters
    ----------
    session : str
        Session key.
    trials, ephys_trials : pyarrow.Table
        Behaviour trials, and the trials as each probe's bitcode file has them.
    recordings : pyarrow.Table, optional
        For the length of each recording. A length that ends before the last trial that the probe saw is that of
        another or a shortened file; it counts as unknown.

    Returns
    -------
    pyarrow.Table
        `clock_maps`, one row a probe of `ephys_trials`. A probe whose bitcode file has codes but no times has matched
        trials and no anchors. A probe of which nothing matches, or whose trials can be numbered in more than one way,
        has no matched trials, all trials unmatched, and the reason in `problem`.

    Raises
    ------
    TrialsAreAmbiguous, ClockDoesNotFit
        If not one probe's trials can be matched: the first probe's reason.
    """
    trials = trials.sort_by("trial")
    rows, errors = [], []
    for probe in sorted(set(ephys_trials["probe"].to_pylist())):
        seen = ephys_trials.filter(pc.equal(ephys_trials["probe"], probe)).sort_by("ephys_trial")
        try:
            row = _fitted(trials, seen, _duration_s(recordings, probe))
        except ClockDoesNotFit as error:
            errors.append(error)
            row = _unfitted(trials, seen) | {"problem": str(error)}
        rows.append({"session": session, "probe": probe, **row})
    if errors and len(errors) == len(rows):
        raise errors[0]
    return CLOCK_MAPS.from_rows(rows)


def robust_clock_map(probe_s: Seconds, session_s: Seconds) -> tuple[ClockMap, NDArray[np.bool_]]:
    """Fit a clock map to anchors, some of which may be wrong.

    The clock that most anchors meet within `OUTLIER_S` finds the outliers (residual above `OUTLIER_S` and above
    `OUTLIER_MADS` median absolute deviations); they are dropped once, and the rest is fitted by least squares. Of
    anchors on two clocks, because one of them jumped, those on the lesser one are outliers.

    Returns
    -------
    clock : ClockMap
    is_anchor : numpy.ndarray of bool, shape (n,)
        False for those dropped.
    """
    residual = np.abs(clock_of_most(probe_s, session_s - probe_s, OUTLIER_S).residuals_s(probe_s, session_s))
    is_anchor = residual <= max(OUTLIER_S, OUTLIER_MADS * float(np.median(residual)))
    return fit_clock_map(probe_s[is_anchor], session_s[is_anchor]), is_anchor


def _fitted(trials: pa.Table, seen: pa.Table, duration_s: float | None) -> dict[str, Any]:
    start_s, ephys_start_probe_s, bound_s = _starts(trials, seen)
    match = match_trials(
        trials["trial"].to_pylist(),
        trials["bitcode"].to_pylist(),
        seen["bitcode"].to_pylist(),
        seen["trial_written"].to_pylist(),
        start_s=start_s,
        ephys_start_probe_s=ephys_start_probe_s,
        bound_s=bound_s,
        file=seen["file"][0].as_py(),
    )
    row = _row(match)
    anchors = _anchors(trials, seen, match)
    if anchors is None:
        return row
    clock, is_anchor = robust_clock_map(anchors.probe_s, anchors.session_s)
    probe_s, session_s = anchors.probe_s[is_anchor], anchors.session_s[is_anchor]
    residuals = clock.residuals_s(anchors.probe_s, anchors.session_s)
    residual = residuals[is_anchor]
    last_probe_s = float(np.nanmax(np.r_[_seconds(seen, "start_probe_s"), _seconds(seen, "go_probe_s")]))
    is_whole = duration_s is not None and duration_s >= last_probe_s
    return row | {
        "n_anchors": len(probe_s),
        "anchor_kind": anchors.kind,
        "offset_bound_s": _offset_bound_s(trials, anchors.only(is_anchor)),
        "drift_ppm": clock.drift_ppm,
        "offset_s": clock.offset_s,
        "residual_rms_s": float(np.sqrt(np.mean(residual**2))),
        "residual_max_s": float(np.max(np.abs(residual))),
        "anchor_trials": anchors.trials[is_anchor].tolist(),
        "anchor_probe_s": probe_s.tolist(),
        "anchor_session_s": session_s.tolist(),
        "anchor_residual_s": residual.tolist(),
        "n_outliers": int(np.count_nonzero(~is_anchor)),
        "outlier_trials": anchors.trials[~is_anchor].tolist(),
        "outlier_session_s": anchors.session_s[~is_anchor].tolist(),
        "outlier_residual_s": residuals[~is_anchor].tolist(),
        "observed_from_s": clock.offset_s,
        "observed_to_s": float(clock.session_s(duration_s)) if duration_s is not None and is_whole else None,
    }


def _unfitted(trials: pa.Table, seen: pa.Table) -> dict[str, Any]:
    return _row(TrialMatch((), (), tuple(trials["trial"].to_pylist()), tuple(seen["ephys_trial"].to_pylist())))


def _row(match: TrialMatch) -> dict[str, Any]:
    return {
        "n_anchors": 0,
        "anchor_kind": None,
        "matched_trials": list(match.trials),
        "matched_ephys_trials": list(match.ephys_trials),
        "unmatched_behavior_trials": list(match.unmatched_trials),
        "unmatched_ephys_trials": list(match.unmatched_ephys_trials),
        "contradicted_trials": [trial for trial, _ in match.contradicted],
        "anchor_trials": [],
        "anchor_probe_s": [],
        "anchor_session_s": [],
        "anchor_residual_s": [],
    }


def _starts(trials: pa.Table, seen: pa.Table) -> tuple[Seconds, Seconds, float]:
    """Choose the instants that tell trials apart, and how far they may disagree: those that most trials of both sides have."""
    go_s = np.where(trials["n_go_cues"].to_numpy() == 1, _seconds(trials, "go_s"), np.nan)
    start_probe_s = _seconds(seen, "start_probe_s")
    kinds = [
        (_seconds(trials, "bitcode_start_s"), start_probe_s, BOUND_S),
        (_seconds(trials, "start_s"), start_probe_s, TRIAL_START_BOUND_S),
    ]
    if _marks_trials(seen):
        kinds = [(_seconds(trials, "start_s"), start_probe_s, BOUND_S)]
    kinds.append((go_s, _seconds(seen, "go_probe_s"), BOUND_S))
    return max(kinds, key=lambda kind: min(np.count_nonzero(np.isfinite(times)) for times in kind[:2]))


def _anchors(trials: pa.Table, seen: pa.Table, match: TrialMatch) -> Anchors | None:
    """Choose the anchors: the first kind with two of them, else the first with one, else None."""
    numbers = np.asarray(match.trials, np.int64)
    row = np.searchsorted(trials["trial"].to_numpy(), numbers)
    place = np.asarray(match.ephys_trials, np.int64) - 1
    go_probe_s, start_probe_s = _seconds(seen, "go_probe_s")[place], _seconds(seen, "start_probe_s")[place]
    go_s = _seconds(trials, "go_s")[row]
    has_one_go = trials["n_go_cues"].to_numpy()[row] == 1
    start_s = _seconds(trials, "start_s")[row]
    kinds = [(GO_CUE, go_probe_s, np.where(has_one_go, go_s, np.nan)), (GO_CUE, go_probe_s, go_s)]
    if _marks_trials(seen):
        kinds.append((TRIAL_START, start_probe_s, start_s))
    else:
        kinds.append((CODE_START, start_probe_s, _seconds(trials, "bitcode_start_s")[row]))
        kinds.append((STAND_IN, start_probe_s, start_s))
    for least in (2, 1):
        for kind, probe_s, session_s in kinds:
            is_there = np.isfinite(probe_s) & np.isfinite(session_s)
            if np.count_nonzero(is_there) >= least:
                return Anchors(kind, numbers[is_there], probe_s[is_there], session_s[is_there])
    return None


def _marks_trials(seen: pa.Table) -> bool:
    """Whether the starts that a probe saw are those of the trials; all of them come from one source."""
    return "start_kind" in seen.column_names and TRIAL_START in seen["start_kind"].to_pylist()


def _offset_bound_s(trials: pa.Table, anchors: Anchors) -> float | None:
    """Return by how much the map may be early; None where no trial of the anchors tells."""
    if anchors.kind != STAND_IN:
        return 0.0
    row = np.searchsorted(trials["trial"].to_numpy(), anchors.trials)
    go_s, stop_s = (
        _seconds(trials, name)[row] if name in trials.column_names else np.nan for name in ("go_s", "stop_s")
    )
    spans = np.fmin(go_s, stop_s) - anchors.session_s
    spans = spans[spans > 0]
    return float(spans.min()) if len(spans) else None


def _seconds(table: pa.Table, column: str) -> Seconds:
    """One column of seconds, NaN for null."""
    return np.asarray(table[column].combine_chunks().to_numpy(zero_copy_only=False), np.float64)


def _duration_s(recordings: pa.Table | None, probe: int) -> float | None:
    if recordings is None:
        return None
    found = recordings.filter(pc.equal(recordings["probe"], probe))["duration_s"].to_pylist()
    return found[0] if found else None
