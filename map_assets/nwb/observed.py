"""When a probe observed the session, and its spikes in those times on the session clock. Fitting clocks lives in `ephys`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.vocabulary.clock import ClockMap


@dataclass(frozen=True)
class ObservedProbe:
    """A probe whose spikes can be placed on the session clock.

    Parameters
    ----------
    probe : int
    clock_map : ClockMap
    sample_rate_hz : float
        Of the probe's nominal clock.
    intervals_s : numpy.ndarray, shape (n, 2)
        Half-open intervals of session seconds in which the probe observed the session, rising and apart.
    """

    probe: int
    clock_map: ClockMap
    sample_rate_hz: float
    intervals_s: NDArray[np.float64]

    def observed_s(self, samples: NDArray[np.int64]) -> NDArray[np.float64]:
        """Carry a rising train of samples onto the session clock, s, and keep what lies in the intervals."""
        train_s = self.clock_map.session_s(samples / self.sample_rate_hz)
        edges = np.searchsorted(train_s, self.intervals_s.ravel())
        if len(edges) == 2:
            return train_s[edges[0] : edges[1]]
        return np.concatenate([train_s[first:end] for first, end in edges.reshape(-1, 2)])


def observed_intervals(
    trials: pa.Table, matched_trials: Sequence[int], from_s: float | None = None, to_s: float | None = None
) -> NDArray[np.float64]:
    """Return when a probe observed the session: the trials that it saw whole, neighbours in one piece.

    A trial reaches from its start to the next trial's, also a skipped one's (`until_s`); it was seen whole if its code
    was matched and it lies within the recording. So it is in `trial_spikes`, too.

    Parameters
    ----------
    trials : pyarrow.Table
        The session's `trials`.
    matched_trials : sequence of int
        Trials that the probe's recording holds.
    from_s, to_s : float, optional
        Session times between which the probe recorded; None is unknown.

    Returns
    -------
    numpy.ndarray, shape (n, 2)
        Half-open intervals, session s.
    """
    ordered = trials.sort_by([("trial", "ascending")])
    start_s, end_s = (np.asarray(ordered[name].to_numpy(), np.float64) for name in ("start_s", "until_s"))
    is_observed = np.isin(ordered["trial"].to_numpy(), np.asarray(matched_trials, np.int64))
    is_observed &= (start_s >= (-np.inf if from_s is None else from_s)) & (end_s <= (np.inf if to_s is None else to_s))
    first_s, last_s = start_s[is_observed], end_s[is_observed]
    is_apart = first_s[1:] != last_s[:-1]
    return (
        np.column_stack([first_s[np.r_[True, is_apart]], last_s[np.r_[is_apart, True]]])
        if len(first_s)
        else np.empty((0, 2))
    )


def observe(probe: int, tables: Mapping[str, pa.Table]) -> ObservedProbe | str:
    """Say when and on which clock a probe observed the session, or why its units cannot be placed there."""
    clock = _row("clock_maps", probe, tables)
    if clock is None or clock["offset_s"] is None:
        return "its clock has no anchor on the session clock"
    rate = sample_rate_hz(probe, tables)
    if rate is None:
        return "its sample rate is unknown"
    if "spikes" not in tables:
        return "its spikes are not there"
    intervals_s = observed_intervals(
        tables["trials"], clock["matched_trials"], clock["observed_from_s"], clock["observed_to_s"]
    )
    if not len(intervals_s):
        return "it saw none of the session's trials whole"
    return ObservedProbe(probe, ClockMap(clock["offset_s"], clock["drift_ppm"]), rate, intervals_s)


def sample_rate_hz(probe: int, tables: Mapping[str, pa.Table]) -> float | None:
    """Return the probe's nominal sample rate, Hz, from the first table that knows it."""
    for name in ("probes", "recordings", "sortings"):
        row = _row(name, probe, tables)
        if row is not None and row["sample_rate_hz"]:
            return float(row["sample_rate_hz"])
    return None


def _row(name: str, probe: int, tables: Mapping[str, pa.Table]) -> dict[str, Any] | None:
    if name not in tables:
        return None
    rows = tables[name].filter(pc.equal(tables[name]["probe"], probe)).to_pylist()
    return rows[0] if rows else None
