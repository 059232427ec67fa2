"""The clocks of a session and the fitted map between two of them, with its residuals. Matching trials lives in `ephys`.

The session clock is the behaviour computer's, in seconds, with zero at the start of trial 1. A probe's clock counts
samples of that probe. `ClockMap` carries one onto the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from map_assets.vocabulary.errors import ClockDoesNotFit

Seconds = NDArray[np.float64]


@dataclass(frozen=True)
class ClockMap:
    """``session_s = offset_s + probe_s * (1 + drift_ppm * 1e-6)``.

    Parameters
    ----------
    offset_s : float
        Session time of the probe's sample 0, s.
    drift_ppm : float
        How much faster the session clock runs than the probe's nominal one, parts per million.
    """

    offset_s: float
    drift_ppm: float

    def session_s(self, probe_s: ArrayLike) -> Seconds:
        """Carry probe seconds (any shape) onto the session clock, s."""
        probe = np.asarray(probe_s, np.float64)
        return np.asarray(self.offset_s + probe + probe * (self.drift_ppm * 1e-6))

    def probe_s(self, session_s: ArrayLike) -> Seconds:
        """Carry session seconds (any shape) onto the probe's clock, s; the inverse of `session_s`."""
        session = np.asarray(session_s, np.float64)
        return np.asarray((session - self.offset_s) / (1.0 + self.drift_ppm * 1e-6))

    def residuals_s(self, anchor_probe_s: ArrayLike, anchor_session_s: ArrayLike) -> Seconds:
        """Anchors' session time minus the map's, s."""
        return np.asarray(np.asarray(anchor_session_s, np.float64) - self.session_s(anchor_probe_s))


def fit_clock_map(anchor_probe_s: ArrayLike, anchor_session_s: ArrayLike) -> ClockMap:
    """Fit the map by least squares through anchors seen on both clocks.

    Parameters
    ----------
    anchor_probe_s, anchor_session_s : array_like of float, shape (n,)
        The same n instants on the two clocks, s. With one anchor the drift is taken as zero.

    Raises
    ------
    ClockDoesNotFit
        If there is no anchor, or two anchors share one probe time.
    """
    probe = np.asarray(anchor_probe_s, np.float64)
    session = np.asarray(anchor_session_s, np.float64)
    if probe.size == 0 or probe.shape != session.shape or not np.isfinite(np.r_[probe, session]).all():
        raise ClockDoesNotFit(
            "clock anchors",
            "no usable anchor",
            expected="at least one instant seen on both clocks",
            todo="Check the bitcode file.",
        )
    if probe.size == 1:
        return ClockMap(float(session[0] - probe[0]), 0.0)
    middle = probe.mean()
    lag = session - probe
    spread = probe - middle
    if not np.any(spread):
        raise ClockDoesNotFit(
            "clock anchors",
            "all anchors stand at one time",
            expected="instants spread over the session",
            todo="Check the bitcode file.",
        )
    drift = float(spread @ (lag - lag.mean()) / (spread @ spread))
    return ClockMap(float(lag.mean() - drift * middle), drift * 1e6)
