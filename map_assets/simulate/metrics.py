"""Writes the ``metrics.csv`` of a sorting: those of spike times computed from them, the others drawn. The sorting lives in `kilosort`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.chance import generator
from map_assets.simulate.clocks import ProbeClock
from map_assets.simulate.neurons import Neurons, Trains
from map_assets.simulate.writing import write_text

_ISI_LIMIT_S = 1.5e-3
_METRICS = (
    *("cluster_id", "firing_rate", "presence_ratio", "isi_viol", "num_viol", "amplitude_cutoff"),
    *("isolation_distance", "contam_rate", "l_ratio", "d_prime", "nn_hit_rate", "nn_miss_rate", "silhouette_score"),
    *("max_drift", "cumulative_drift", "epoch_name_quality_metrics", "epoch_name_waveform_metrics", "peak_channel"),
    *("snr", "duration", "halfwidth", "PT_ratio", "repolarization_slope", "recovery_slope", "amplitude", "spread"),
    *("velocity_above", "velocity_below"),
)


def write_metrics(
    path: Path,
    plan: SessionPlan,
    number: int,
    neurons: Neurons,
    trains: Trains,
    cluster_id: NDArray[np.int64],
    clock: ProbeClock,
) -> Path:
    """Write quality and waveform metrics; those of spike times are computed from them, the others are drawn."""
    rng = generator(plan.seed, plan.key, number, "metrics")
    n = len(neurons.label)
    rate, violations = trains.n_spikes / clock.duration_s, _violations(trains, clock)
    with np.errstate(divide="ignore", invalid="ignore"):
        isi_viol = violations / (2 * trains.n_spikes * _ISI_LIMIT_S) / rate
    is_good = neurons.label == "good"
    columns: dict[str, Any] = {
        "cluster_id": cluster_id,
        "firing_rate": rate,
        "presence_ratio": _presence_ratio(trains, clock),
        "isi_viol": isi_viol,
        "num_viol": violations.astype(float),
        "amplitude_cutoff": np.where(is_good, rng.uniform(0.001, 0.08, n), rng.uniform(0.05, 0.5, n)),
        "isolation_distance": rng.uniform(20, 150, n),
        "contam_rate": np.where(is_good, rng.uniform(0, 5, n), rng.uniform(10, 100, n)),
        "l_ratio": rng.uniform(0.0001, 0.1, n),
        "d_prime": rng.uniform(1, 8, n),
        "nn_hit_rate": rng.uniform(0.5, 1, n),
        "nn_miss_rate": rng.uniform(0, 0.05, n),
        "silhouette_score": rng.uniform(0, 0.3, n),
        "max_drift": rng.uniform(3, 40, n),
        "cumulative_drift": rng.uniform(20, 300, n),
        "epoch_name_quality_metrics": ["complete_session"] * n,
        "epoch_name_waveform_metrics": ["complete_session"] * n,
        "peak_channel": neurons.channel,
        "snr": neurons.snr,
        "duration": neurons.half_width_ms * 2.2,
        "halfwidth": neurons.half_width_ms,
        "PT_ratio": rng.uniform(0.2, 0.6, n),
        "repolarization_slope": rng.uniform(0.1, 1, n),
        "recovery_slope": -rng.uniform(0.01, 0.1, n),
        "amplitude": neurons.amplitude_uv,
        "spread": rng.uniform(20, 120, n),
        "velocity_above": rng.normal(0, 0.5, n),
        "velocity_below": np.where(rng.random(n) < 0.1, np.nan, rng.normal(0, 0.5, n)),
    }
    rows = zip(*(map(_text, columns[name]) for name in _METRICS), strict=True)
    return write_text(path, "\n".join([",".join(_METRICS), *map(",".join, rows)]) + "\n")


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else repr(float(value))
    return str(value)


def _violations(trains: Trains, clock: ProbeClock) -> NDArray[np.int64]:
    """Count the intervals under 1.5 ms of each unit."""
    unit = np.repeat(np.arange(len(trains.n_spikes)), trains.n_spikes)
    is_short = (np.diff(trains.samples) < _ISI_LIMIT_S * clock.sample_rate_hz) & (unit[1:] == unit[:-1])
    return np.bincount(unit[1:][is_short], minlength=len(trains.n_spikes))


def _presence_ratio(trains: Trains, clock: ProbeClock) -> NDArray[np.float64]:
    """Share of a hundred equal stretches of the recording in which each unit fires."""
    n_units = len(trains.n_spikes)
    unit = np.repeat(np.arange(n_units), trains.n_spikes)
    stretch = trains.samples * 100 // clock.n_samples
    fires = np.bincount(unit * 100 + stretch, minlength=n_units * 100).reshape(n_units, 100) > 0
    return np.asarray(fires.mean(axis=1))
