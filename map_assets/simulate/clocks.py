"""A probe's clock as it truly runs, against the session clock. How a pipeline finds it from anchors lives in `ephys`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from map_assets.vocabulary.clock import ClockMap


@dataclass(frozen=True)
class ProbeClock:
    """The exact map of one probe: ``session_s = offset_s + samples / sample_rate_hz * (1 + drift_ppm * 1e-6)``.

    Parameters
    ----------
    offset_s : float
        Session time of sample 0, s.
    drift_ppm : float
        How much faster the session clock runs than the probe's nominal one, parts per million.
    sample_rate_hz : float
        The nominal rate, as the meta file has it.
    n_samples : int
        Length of the recording.
    """

    offset_s: float
    drift_ppm: float
    sample_rate_hz: float
    n_samples: int

    @property
    def map(self) -> ClockMap:
        """The map from probe seconds to session seconds."""
        return ClockMap(self.offset_s, self.drift_ppm)

    @property
    def duration_s(self) -> float:
        """Length of the recording on the probe's nominal clock, s."""
        return self.n_samples / self.sample_rate_hz

    @property
    def session_span_s(self) -> tuple[float, float]:
        """First and last instant of the recording on the session clock, s."""
        start, stop = self.session_s([0, self.n_samples])
        return float(start), float(stop)

    def session_s(self, samples: ArrayLike) -> NDArray[np.float64]:
        """Carry samples onto the session clock, s."""
        return self.map.session_s(np.asarray(samples, np.float64) / self.sample_rate_hz)

    def samples(self, session_s: ArrayLike) -> NDArray[np.float64]:
        """Carry session seconds onto the probe's clock, in samples, not rounded."""
        return self.map.probe_s(session_s) * self.sample_rate_hz
