"""`selectivity` and `unit_selectivity`: which units tell the instruction to one side from that to the other. The tests live in `two_groups`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.analyses.conditions import Condition
from map_assets.analyses.masks import Usable, usable_trials
from map_assets.analyses.parameters import SelectivityParameters
from map_assets.analyses.periods import DELAY_RESPONSE, Period, rates_in
from map_assets.analyses.tables_task import SELECTIVITY, UNIT_SELECTIVITY
from map_assets.analyses.trains import Floats, Spiking, by_probe, of_probe, probe_trains
from map_assets.analyses.two_groups import compare, corrected

DELAY_TOLERANCE_S = 0.01
Names = NDArray[np.object_]


def make_selectivity(
    session: str,
    spiking: Spiking,
    insertions: pa.Table | None,
    condition: Condition,
    parameters: SelectivityParameters,
    version: str,
    periods: Sequence[Period] = DELAY_RESPONSE,
    usable: Usable | None = None,
) -> tuple[pa.Table, pa.Table]:
    """Compare each unit's rates between trials of the right and the left instruction, period by period.

    Only trials of `condition` count in which the unit may be judged (`masks`) and that have the period. Contra and ipsi
    follow the side that the registry names for the probe; where it names none, left and right are told all the same.

    Returns
    -------
    selectivity, unit_selectivity : pyarrow.Table
        Units in the order of ``units``.
    """
    n_units, trials = spiking.units.num_rows, spiking.trials
    holds = condition.holds(trials) & _has_delay(trials, parameters.delay_s)
    is_right = np.asarray(trials["instruction"].to_numpy(zero_copy_only=False) == "right", bool) & holds
    is_left = np.asarray(trials["instruction"].to_numpy(zero_copy_only=False) == "left", bool) & holds
    whole = {name: np.zeros((n_units, len(periods)), np.int64) for name in ("n_left", "n_right")}
    real = {name: np.full((n_units, len(periods)), np.nan) for name in ("rate_left_hz", "rate_right_hz", "effect", "p")}
    reason: Names = np.full((n_units, len(periods)), None, object)
    for trains in probe_trains(*spiking):
        rows = trains.rows
        if trains.clock is None or trains.sample_rate_hz is None:
            reason[rows] = "its probe has no session clock"
            continue
        mask = usable_trials(trains, spiking.units["unit_id"].to_numpy()[rows], trials, usable)
        rates = rates_in(trains, trials, periods)
        rates[:, ~mask] = np.nan
        for at, rate in enumerate(rates):
            found = compare(rate[:, is_left], rate[:, is_right], parameters.min_trials, parameters.test)
            whole["n_left"][rows, at], whole["n_right"][rows, at] = found.n_first, found.n_second
            real["rate_left_hz"][rows, at], real["rate_right_hz"][rows, at] = found.mean_first, found.mean_second
            real["effect"][rows, at], real["p"][rows, at] = found.effect, found.p
            few = np.isnan(found.p)
            reason[rows[few], at] = f"fewer than {parameters.min_trials} trials of a side"
    real["p_corrected"] = np.stack(
        [corrected(real["p"][:, at], parameters.correction) for at in range(len(periods))], axis=1
    ).reshape(n_units, len(periods))
    side = hemispheres(spiking.units, insertions)
    prefers = _prefers(real["p_corrected"], real["effect"], real["rate_left_hz"], real["rate_right_hz"], parameters)
    by_period = _selectivity_table(
        session, spiking.units, periods, side, whole, real, prefers, reason, parameters, version
    )
    return by_period, _unit_table(session, spiking.units, side, prefers, real, version)


def hemispheres(units: pa.Table, insertions: pa.Table | None) -> Names:
    """Side of the brain of each unit's probe, shape (n_units,): as the registry names it or its ML tells, else None."""
    found: Names = np.full(units.num_rows, None, object)
    if insertions is None:
        return found
    for probe, rows, _ in by_probe(units):
        for row in of_probe(insertions, probe).slice(0, 1).to_pylist():
            if row["hemisphere"] in {"left", "right"}:
                found[rows] = row["hemisphere"]
            elif row["ml_um"]:
                found[rows] = "right" if row["ml_um"] > 0 else "left"
    return found


def _has_delay(trials: pa.Table, delay_s: float) -> NDArray[np.bool_]:
    if delay_s == 0:
        return np.ones(trials.num_rows, bool)
    with np.errstate(invalid="ignore"):
        lasted = trials["go_s"].to_numpy() - trials["delay_s"].to_numpy()
        return np.asarray(np.abs(lasted - delay_s) <= DELAY_TOLERANCE_S)


def _prefers(p: Floats, effect: Floats, left_hz: Floats, right_hz: Floats, parameters: SelectivityParameters) -> Names:
    """``left``, ``right`` or ``none``; None where not tested, shape (n_units, n_periods)."""
    with np.errstate(invalid="ignore"):
        towards = effect if parameters.test == "rank" else right_hz - left_hz
        found = np.where(towards > 0, "right", "left").astype(object)
        found[~(p < parameters.alpha) | (towards == 0)] = "none"
    found[np.isnan(p)] = None
    return found


def _of_side(prefers: Names, side: Names) -> Names:
    """Turn left and right into contra and ipsi; None where not tested, or selective on an unknown side."""
    found: Names = np.full(prefers.shape, None, object)
    found[prefers == "none"] = "non-selective"
    known = np.isin(side.astype(str), ["left", "right"]) & np.isin(prefers.astype(str), ["left", "right"])
    found[known & (prefers == side)] = "ipsi-selective"
    found[known & (prefers != side)] = "contra-selective"
    return found


def _selectivity_table(
    session: str,
    units: pa.Table,
    periods: Sequence[Period],
    side: Names,
    whole: dict[str, NDArray[np.int64]],
    real: dict[str, Floats],
    prefers: Names,
    reason: Names,
    parameters: SelectivityParameters,
    version: str,
) -> pa.Table:
    n_rows = prefers.size
    each = np.repeat(side, len(periods))
    left, right = real["rate_left_hz"].ravel(), real["rate_right_hz"].ravel()
    is_known = np.isin(each.astype(str), ["left", "right"])
    contra = np.where(each == "left", right, left)
    ipsi = np.where(each == "left", left, right)
    return SELECTIVITY.from_columns(
        {
            "session": [session] * n_rows,
            "probe": np.repeat(units["probe"].to_numpy(), len(periods)),
            "unit_id": np.repeat(units["unit_id"].to_numpy(), len(periods)),
            "period": [period.name for period in periods] * units.num_rows,
            "hemisphere": each.tolist(),
            **{name: values.ravel() for name, values in {**whole, **real}.items()},
            "rate_contra_hz": np.where(is_known, contra, np.nan),
            "rate_ipsi_hz": np.where(is_known, ipsi, np.nan),
            "prefers": prefers.ravel().tolist(),
            "selectivity": _of_side(prefers.ravel(), each).tolist(),
            "test": [parameters.test] * n_rows,
            "correction": [parameters.correction] * n_rows,
            "alpha": np.full(n_rows, parameters.alpha),
            "reason": reason.ravel().tolist(),
            "parameters_version": [version] * n_rows,
        }
    )


def _unit_table(
    session: str, units: pa.Table, side: Names, prefers: Names, real: dict[str, Floats], version: str
) -> pa.Table:
    n_units = units.num_rows
    is_left, is_right = (prefers == "left").any(axis=1), (prefers == "right").any(axis=1)
    n_tested = (prefers != None).sum(axis=1)  # noqa: E711 - element by element
    overall = np.where(is_left, "left", np.where(is_right, "right", "none")).astype(object)
    overall[n_tested == 0] = None
    selectivity = _of_side(overall, side)
    selectivity[is_left & is_right] = "mixed"
    # trials lack a period now and then: the mean over the periods that the unit has on both sides
    both = np.isfinite(real["rate_left_hz"]) & np.isfinite(real["rate_right_hz"])
    difference = np.where(both, real["rate_right_hz"] - real["rate_left_hz"], 0.0).sum(axis=1)
    by_means = np.where(difference > 0, "right", "left").astype(object)
    by_means[~(is_left | is_right) | (difference == 0)] = "none"
    by_means[n_tested == 0] = None
    return UNIT_SELECTIVITY.from_columns(
        {
            "session": [session] * n_units,
            "probe": units["probe"],
            "unit_id": units["unit_id"],
            "n_tested": n_tested,
            "n_selective": ((prefers == "left") | (prefers == "right")).sum(axis=1),
            "selectivity": selectivity.tolist(),
            "selectivity_by_means": _of_side(by_means, side).tolist(),
            "parameters_version": [version] * n_units,
        }
    )
