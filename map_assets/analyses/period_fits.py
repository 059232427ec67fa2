"""`foraging_period_fits`: how units' firing follows the values of a learner. The learner is fitted in `choice_models`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from map_assets.analyses.foraging import first_event_s, next_of
from map_assets.analyses.masks import Usable, usable_trials
from map_assets.analyses.parameters import ForagingParameters
from map_assets.analyses.periods import Period, rates_in
from map_assets.analyses.selectivity import hemispheres
from map_assets.analyses.tables_foraging import FORAGING_PERIOD_FITS
from map_assets.analyses.trains import Floats, Spiking, Whole, alike, probe_trains, where
from map_assets.analyses.two_groups import corrected

PERIODS: tuple[Period, ...] = (
    Period("before_2", "bitcode_start_s", "bitcode_start_s", -2.0, 0.0),
    Period("delay", "delay_s", "go_s"),
    Period("go_to_end", "go_s", "trialend_s"),
    Period("go_1.2", "go_s", "go_s", 0.0, 1.2),
    Period("iti_all", "trialend_s", "next_bitcode_s"),
    Period("iti_first_2", "trialend_s", "trialend_s", 0.0, 2.0),
    Period("iti_last_2", "next_bitcode_s", "next_bitcode_s", -2.0, 0.0),
)
"""As in the earlier MAP pipeline; there a trial began its delay when the lick ports stood ready, here with the rig's delay."""

VARIABLES: dict[str, tuple[str, ...]] = {
    "sides": ("q_left", "q_right", "rpe"),
    "relative": ("q_relative", "q_total", "rpe"),
}
_SEED = 20190228
_SHIFTS_AT_ONCE = 50


class Regression(NamedTuple):
    """Least squares of many units on the same variables.

    `beta`, `std_err`, `t`, `p`: shape (n_units, n_variables), without the intercept; `r2`, `r2_adjusted`, `p_fit`: shape
    (n_units,). A unit whose rates are all equal has beta 0 and p 1.
    """

    beta: Floats
    std_err: Floats
    t: Floats
    p: Floats
    r2: Floats
    r2_adjusted: Floats
    p_fit: Floats


def make_period_fits(
    session: str,
    spiking: Spiking,
    trial_events: pa.Table,
    foraging_trials: pa.Table,
    insertions: pa.Table | None,
    parameters: ForagingParameters,
    version: str,
    usable: Usable | None = None,
) -> pa.Table:
    """Fit each unit's rate in each period on values and surprise, over trials with a choice that it may be judged by.

    Returns
    -------
    pyarrow.Table
        ``foraging_period_fits``; without a model of values it has no rows.
    """
    trials = timed(spiking.trials, trial_events)
    column = where(trials["trial"].to_numpy(), foraging_trials["trial"].to_numpy())
    names = sorted({name for triple in VARIABLES.values() for name in triple})
    values = {name: np.where(column >= 0, foraging_trials[name].to_numpy()[column], np.nan) for name in names}
    if not np.isfinite(values["rpe"]).any():
        return FORAGING_PERIOD_FITS.empty()
    n_units = spiking.units.num_rows
    shape = len(VARIABLES), len(PERIODS), n_units, 3
    found = {name: np.full(shape, np.nan) for name in (*Regression._fields, "p_shift")}
    n_trials = np.zeros((len(PERIODS), n_units), np.int64)
    reason = np.full((len(PERIODS), n_units), None, object)
    for trains in probe_trains(*spiking):
        if trains.clock is None or trains.sample_rate_hz is None:
            reason[:, trains.rows] = "its probe has no session clock"
            continue
        mask = usable_trials(trains, spiking.units["unit_id"].to_numpy()[trains.rows], trials, usable)
        rates = rates_in(trains, trials, PERIODS)
        rates[:, ~(mask & np.isfinite(values["rpe"]))] = np.nan
        for at, rate in enumerate(rates):
            for units, is_there in alike(np.isfinite(rate)):
                rows = trains.rows[units]
                n_trials[at, rows] = is_there.sum()
                for number, triple in enumerate(VARIABLES.values()):
                    design = np.stack([values[name][is_there] for name in triple], axis=1)
                    if not _can_be_fitted(design):
                        reason[at, rows] = "too few trials, or the variables do not vary each by itself"
                        continue
                    _put(found, (number, at, rows), rate[np.ix_(units, np.flatnonzero(is_there))], design, parameters)
    side = hemispheres(spiking.units, insertions)
    return _table(session, spiking.units, side.tolist(), found, n_trials, reason, parameters, version)


def timed(trials: pa.Table, trial_events: pa.Table) -> pa.Table:
    """Give trials the columns ``trialend_s`` and ``next_bitcode_s``, s, that periods of foraging need."""
    trial = trials["trial"].to_numpy()
    order = np.argsort(trial)
    coming = np.empty(len(trial))
    coming[order] = next_of(trial[order], trials["bitcode_start_s"].to_numpy()[order])
    ended = pa.array(first_event_s(trial, trial_events, "trialend"))
    return trials.append_column("trialend_s", ended).append_column("next_bitcode_s", pa.array(coming))


def regress(rate: Floats, design: Floats) -> Regression:
    """Fit rates, shape (n_units, n_trials), on variables, shape (n_trials, n_variables), and an intercept."""
    from scipy.stats import f, t

    n, k = design.shape
    x = np.column_stack([np.ones(n), design])
    inverse = np.linalg.inv(x.T @ x)
    moved = rate - rate.mean(axis=1, keepdims=True)
    beta = moved @ x @ inverse
    total = (moved**2).sum(axis=1)
    left = np.maximum(total - (beta * (moved @ x)).sum(axis=1), 0.0)
    is_flat = total <= 1e-12 * np.maximum((rate**2).sum(axis=1), 1.0)
    free = n - k - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        std_err = np.sqrt(left[:, None] / free * inverse.diagonal())
        score = beta / std_err
        r2 = 1 - left / total
        ratio = (total - left) / k / (left / free)
    for each in (beta, score, std_err, r2, ratio):
        each[is_flat] = 0.0
    adjusted = 1 - (1 - r2) * (n - 1) / free
    p = np.asarray(2 * t.sf(np.abs(score), free))
    return Regression(
        beta[:, 1:], std_err[:, 1:], score[:, 1:], p[:, 1:], r2, adjusted, np.asarray(f.sf(ratio, k, free))
    )


def shift_p(rate: Floats, design: Floats, score: Floats, n_shifts: int, min_shift: int) -> Floats:
    """Tell how often rates shifted against the trials, round and round, have as large a t, shape (n_units, n_variables).

    NaN where there are too few trials for as many as ten shifts of at least `min_shift`.
    """
    n = len(design)
    lags = np.arange(min_shift, n - min_shift + 1)
    if len(lags) < 10:
        return np.full(score.shape, np.nan)
    if len(lags) > n_shifts:
        lags = np.random.default_rng(_SEED).choice(lags, n_shifts, replace=False)
    x = np.column_stack([np.ones(n), design])
    inverse = np.linalg.inv(x.T @ x)  # the same for every shift
    moved = rate - rate.mean(axis=1, keepdims=True)
    total = (moved**2).sum(axis=1)
    n_larger = np.zeros(score.shape)
    for some in np.array_split(lags, -(-len(lags) // _SHIFTS_AT_ONCE)):
        shifted = np.stack([np.roll(x, lag, axis=0) for lag in some], axis=1)
        along = (moved @ shifted.reshape(n, -1)).reshape(len(rate), len(some), -1)
        beta = along @ inverse
        left = np.maximum(total[:, None] - (beta * along).sum(axis=2), 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = beta / np.sqrt(left[..., None] / (n - x.shape[1]) * inverse.diagonal())
        n_larger += (np.abs(np.nan_to_num(t[..., 1:])) >= np.abs(score)[:, None]).sum(axis=1)
    return np.asarray((1 + n_larger) / (1 + len(lags)))


def _can_be_fitted(design: Floats) -> bool:
    n, k = int(design.shape[0]), int(design.shape[1])
    rank = int(np.linalg.matrix_rank(np.column_stack([np.ones(n), design])))
    return rank == k + 1 and n > 2 * (k + 1)


def _put(
    found: dict[str, Floats],
    where_to: tuple[int, int, Whole],
    rate: Floats,
    design: Floats,
    parameters: ForagingParameters,
) -> None:
    fit = regress(rate, design)
    for name, values in fit._asdict().items():
        found[name][where_to] = values if values.ndim == 2 else values[:, None]
    found["p_shift"][where_to] = shift_p(rate, design, fit.t, parameters.n_shifts, parameters.min_shift_trials)


def _table(
    session: str,
    units: pa.Table,
    side: list[str | None],
    found: dict[str, Floats],
    n_trials: Whole,
    reason: Any,
    parameters: ForagingParameters,
    version: str,
) -> pa.Table:
    p_corrected = np.full(found["p"].shape, np.nan)
    for index in np.ndindex(len(VARIABLES), len(PERIODS), 3):
        number, at, variable = index
        p_corrected[number, at, :, variable] = corrected(found["p"][number, at, :, variable], parameters.correction)
    p_shift = found["p_shift"]
    is_known = np.isfinite(p_corrected) & np.isfinite(p_shift)
    with np.errstate(invalid="ignore"):
        is_tuned = (p_corrected < parameters.alpha) & (p_shift < parameters.alpha)

    def rows(values: Any) -> Any:
        """Lay out by unit, then period, then fit, then variable."""
        return np.broadcast_to(values, found["p"].shape).transpose(2, 1, 0, 3).ravel()

    n_units = units.num_rows
    n_rows = found["p"].size
    per_unit = n_rows // max(n_units, 1)
    labels = [(period.name, name, one) for period in PERIODS for name, triple in VARIABLES.items() for one in triple]
    period, variables, variable = (list(each) * n_units for each in zip(*labels, strict=True))
    known = rows(is_known).tolist()
    return FORAGING_PERIOD_FITS.from_columns(
        {
            "session": [session] * n_rows,
            "probe": np.repeat(units["probe"].to_numpy(), per_unit),
            "unit_id": np.repeat(units["unit_id"].to_numpy(), per_unit),
            "period": period,
            "variables": variables,
            "variable": variable,
            "hemisphere": [one for one in side for _ in range(per_unit)],
            "n_trials": rows(n_trials[None, :, :, None]),
            "beta_hz": rows(found["beta"]),
            "std_err_hz": rows(found["std_err"]),
            **{name: rows(found[name]) for name in ("t", "p", "p_shift", "r2", "r2_adjusted", "p_fit")},
            "p_corrected": rows(p_corrected),
            "is_tuned": [bool(one) if told else None for one, told in zip(rows(is_tuned), known, strict=True)],
            "correction": [parameters.correction] * n_rows,
            "alpha": [parameters.alpha] * n_rows,
            "reason": rows(reason[None, :, :, None]).tolist(),
            "parameters_version": [version] * n_rows,
        }
    )
