"""`noise_correlations`: how much units vary together from trial to trial. How spikes are counted is in `periods`.

The definition: spike counts in one period of each trial, z-scored for each unit within each condition (so that what the
condition itself does is taken out), and Pearson's correlation of them over all trials of the conditions, for each pair
of different units. Counts are taken as rates where the period's length varies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.analyses.conditions import Condition
from map_assets.analyses.masks import Usable, usable_trials
from map_assets.analyses.parameters import NoiseCorrelationParameters
from map_assets.analyses.periods import Period, rates_in
from map_assets.analyses.tables_task import NOISE_CORRELATIONS
from map_assets.analyses.trains import Floats, Spiking, probe_trains


class _Probe(NamedTuple):
    """A probe's units that fire enough: rates (n_units, n_trials), and the trials in which all of them can be judged."""

    probe: int
    rates: Floats
    can: NDArray[np.bool_]


def make_noise_correlations(
    session: str,
    spiking: Spiking,
    conditions: Sequence[Condition],
    period: Period,
    parameters: NoiseCorrelationParameters,
    version: str,
    usable: Usable | None = None,
) -> pa.Table:
    """Sum up the correlations of all pairs of units, within each probe and between each two.

    Units that fire less than the parameters ask for, or cannot be judged in at least half of the trials in which any
    of the probe's can, are left out; trials count in which all units of both probes can be judged.

    Returns
    -------
    pyarrow.Table
        ``noise_correlations``; a pair of probes with too few trials or units has its counts and no correlation.
    """
    trials = spiking.trials
    holds = np.array([condition.holds(trials) for condition in conditions], bool)
    of_condition = np.where(holds.any(axis=0), holds.argmax(axis=0), -1)
    probes: list[_Probe] = []
    for trains in probe_trains(*spiking):
        if trains.clock is not None and trains.sample_rate_hz is not None:
            unit_id = spiking.units["unit_id"].to_numpy()[trains.rows]
            (rates,) = rates_in(trains, trials, [period])
            rates[~usable_trials(trains, unit_id, trials, usable)] = np.nan
            probes.append(_chosen(trains.probe, rates, of_condition >= 0, parameters.min_rate_hz))
    rows = []
    for at, one in enumerate(probes):
        for other in probes[at:]:
            rows.append(
                {
                    "session": session,
                    "probe": one.probe,
                    "other_probe": other.probe,
                    "period": period.name,
                    "parameters_version": version,
                    **_pairs(one, other, of_condition, parameters.min_trials),
                }
            )
    return NOISE_CORRELATIONS.from_rows(rows)


def _chosen(probe: int, rates: Floats, is_in: NDArray[np.bool_], min_rate_hz: float) -> _Probe:
    known = np.isfinite(rates) & is_in
    any_unit = known.any(axis=0)
    enough = known[:, any_unit].mean(axis=1) >= 0.5 if any_unit.any() else np.zeros(len(rates), bool)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, rates, 0.0).sum(axis=1) / known.sum(axis=1)
        kept = enough & (mean >= min_rate_hz)
    return _Probe(probe, rates[kept], known[kept].all(axis=0) & is_in)


def _pairs(
    one: _Probe, other: _Probe, of_condition: NDArray[np.int64], min_trials: int
) -> dict[str, float | int | None]:
    trials = np.flatnonzero(one.can & other.can)
    is_same = one.probe == other.probe
    n_one, n_other = len(one.rates), len(other.rates)
    n_pairs = n_one * (n_one - 1) // 2 if is_same else n_one * n_other
    found: dict[str, float | int | None] = {
        "n_trials": len(trials) if n_one and n_other else 0,
        "n_units": n_one,
        "n_other_units": n_other,
        "n_pairs": n_pairs,
    }
    if n_pairs == 0 or len(trials) < min_trials:
        return found
    condition = of_condition[trials]
    first, second = (_z_scored(probe.rates[:, trials], condition) for probe in (one, other))
    r = _correlation(first, second)
    shuffled = _correlation(first, second[:, _moved_on(condition)])
    chosen = np.triu_indices(n_one, 1) if is_same else np.indices(r.shape).reshape(2, -1)
    r, shuffled = r[tuple(chosen)], shuffled[tuple(chosen)]
    r, shuffled = r[np.isfinite(r)], shuffled[np.isfinite(shuffled)]
    if not r.size:
        return found
    return found | {
        "mean_r": float(r.mean()),
        "median_r": float(np.median(r)),
        "sd_r": float(r.std()),
        "mean_r_shuffled": float(shuffled.mean()) if shuffled.size else None,
    }


def _z_scored(rates: Floats, condition: NDArray[np.int64]) -> Floats:
    """Take out each condition's mean and scale; a unit that does not vary in a condition stands at zero there."""
    z = np.zeros_like(rates)
    for one in np.unique(condition):
        mine = rates[:, condition == one]
        sd = mine.std(axis=1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            z[:, condition == one] = np.where(sd > 0, (mine - mine.mean(axis=1, keepdims=True)) / sd, 0.0)
    return z


def _correlation(first: Floats, second: Floats) -> Floats:
    """Pearson's correlation of each row of one with each row of the other; NaN where a row does not vary."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.sqrt((first**2).sum(axis=1)[:, None] * (second**2).sum(axis=1))
        return np.asarray(np.where(scale > 0, first @ second.T / scale, np.nan))


def _moved_on(condition: NDArray[np.int64]) -> NDArray[np.int64]:
    """Order of trials in which each condition's are moved on by one, the last to the first."""
    order = np.arange(len(condition))
    for one in np.unique(condition):
        mine = np.flatnonzero(condition == one)
        order[mine] = np.roll(mine, 1)
    return order
