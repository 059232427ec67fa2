"""`coding_direction`: how well a probe's units together tell the right from the left, trial by trial, cross-validated.

The direction is the vector, of unit length, of the units' mean rates in a window before the go cue in right trials less
those in left ones. A trial is projected on a direction that was made without it: the trials of each side are dealt to
folds in turn, and a fold's trials are projected on the direction of all the others.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.analyses.conditions import Condition
from map_assets.analyses.masks import Usable, usable_trials
from map_assets.analyses.parameters import CodingDirectionParameters
from map_assets.analyses.periods import rates_between
from map_assets.analyses.psth import BIN_WIDTH_S, N_BINS, bin_starts_s, trial_histograms
from map_assets.analyses.selectivity import hemispheres
from map_assets.analyses.tables_task import CODING_DIRECTION, CODING_DIRECTION_TRACES, CODING_DIRECTION_WEIGHTS
from map_assets.analyses.trains import Floats, ProbeTrains, Spiking, Whole, probe_trains

SIDES = ("left", "right")


class _Direction(NamedTuple):
    """A probe's directions: one a fold and one of all trials.

    Parameters
    ----------
    units : numpy.ndarray of int, shape (n_units,)
        Which of the probe's units.
    trials : numpy.ndarray of int, shape (n_trials,)
        Where the trials stand in ``trials``.
    side, fold : numpy.ndarray of int, shape (n_trials,)
        Side 0 is left, 1 right.
    weights : numpy.ndarray of float, shape (n_folds + 1, n_units)
        The last is that of all trials.
    end_hz : numpy.ndarray of float, shape (n_trials,)
        Each trial's projection in the window.
    """

    units: Whole
    trials: Whole
    side: Whole
    fold: Whole
    weights: Floats
    end_hz: Floats


def make_coding_direction(
    session: str,
    spiking: Spiking,
    insertions: pa.Table | None,
    sides: tuple[Condition, Condition],
    parameters: CodingDirectionParameters,
    version: str,
    usable: Usable | None = None,
) -> dict[str, pa.Table]:
    """Project each trial of both sides on its probe's cross-validated coding direction.

    Units that could be judged in every trial that half of the probe's units could are taken, and the trials in which
    all of these could. A probe with too few units or trials of a side has no direction and no rows.

    Parameters
    ----------
    sides : tuple of Condition
        Left and right trials.

    Returns
    -------
    dict of str to pyarrow.Table
        ``coding_direction``, ``coding_direction_traces``, ``coding_direction_weights``.
    """
    trials, go_s = spiking.trials, spiking.trials["go_s"].to_numpy()
    holds = np.array([condition.holds(trials) & np.isfinite(go_s) for condition in sides])
    side_of = hemispheres(spiking.units, insertions)
    tables: dict[str, list[pa.Table]] = {name: [] for name in (CODING_DIRECTION.name, "traces", "weights")}
    for trains in probe_trains(*spiking):
        if trains.clock is None or trains.sample_rate_hz is None:
            continue
        unit_id = spiking.units["unit_id"].to_numpy()[trains.rows]
        mask = usable_trials(trains, unit_id, trials, usable)
        found = _direction(trains, mask, go_s, holds, parameters)
        if found is None:
            continue
        known = {"session": session, "probe": trains.probe, "hemisphere": side_of[trains.rows[0]], "version": version}
        tables["coding_direction"].append(_end_points(known, found, trials))
        tables["traces"].append(_traces(known, found, trains, trials, go_s))
        n_units = len(found.units)
        tables["weights"].append(
            CODING_DIRECTION_WEIGHTS.from_columns(
                {
                    "session": [session] * n_units,
                    "probe": np.full(n_units, trains.probe),
                    "unit_id": unit_id[found.units],
                    "weight": found.weights[-1],
                    "parameters_version": [version] * n_units,
                }
            )
        )
    made = (CODING_DIRECTION, CODING_DIRECTION_TRACES, CODING_DIRECTION_WEIGHTS)
    return {
        table.name: pa.concat_tables([table.empty().cast(table.schema), *parts])
        for table, parts in zip(made, tables.values(), strict=True)
    }


def _direction(
    trains: ProbeTrains,
    mask: NDArray[np.bool_],
    go_s: Floats,
    holds: NDArray[np.bool_],
    parameters: CodingDirectionParameters,
) -> _Direction | None:
    first, last = parameters.window_from_go_s
    rates = rates_between(trains, go_s + first, go_s + last)
    can = mask & np.isfinite(rates)
    is_wanted = holds.any(axis=0) & (can.mean(axis=0) >= 0.5)
    units = np.flatnonzero(can[:, is_wanted].all(axis=1)) if is_wanted.any() else np.empty(0, np.int64)
    at = np.flatnonzero(is_wanted)
    side = holds[1, at].astype(np.int64)
    per_side = np.bincount(side, minlength=2)
    if len(units) < parameters.min_units or per_side.min() < parameters.min_trials:
        return None
    fold = np.empty(len(at), np.int64)
    for one in (0, 1):
        fold[side == one] = np.arange(per_side[one]) % parameters.folds
    chosen = rates[np.ix_(units, at)]
    weights = np.stack([_weights(chosen, side, fold != held) for held in range(parameters.folds + 1)])
    end_hz = np.einsum("ut,tu->t", chosen, weights[fold])
    return _Direction(units, at, side, fold, weights, end_hz)


def _weights(rates: Floats, side: Whole, is_in: NDArray[np.bool_]) -> Floats:
    """Direction of unit length made of some trials; zero where nothing tells the sides apart."""
    towards = rates[:, is_in & (side == 1)].mean(axis=1) - rates[:, is_in & (side == 0)].mean(axis=1)
    length = np.linalg.norm(towards)
    return np.asarray(towards / length if length > 0 else towards)


def _end_points(known: dict[str, Any], found: _Direction, trials: pa.Table) -> pa.Table:
    n = len(found.trials)
    sign = {"left": 1.0, "right": -1.0}.get(known["hemisphere"], np.nan)
    return CODING_DIRECTION.from_columns(
        {
            "session": [known["session"]] * n,
            "probe": np.full(n, known["probe"]),
            "trial": trials["trial"].to_numpy()[found.trials],
            "side": [SIDES[one] for one in found.side],
            "fold": found.fold,
            "projection_hz": found.end_hz,
            "projection_contra_hz": sign * found.end_hz,
            "hemisphere": [known["hemisphere"]] * n,
            "parameters_version": [known["version"]] * n,
        }
    )


def _traces(known: dict[str, Any], found: _Direction, trains: ProbeTrains, trials: pa.Table, go_s: Floats) -> pa.Table:
    projected = np.zeros((len(found.trials), N_BINS))
    for unit, counts in trial_histograms(trains, go_s[found.trials], found.units):
        weight = found.weights[found.fold, np.searchsorted(found.units, unit)]
        projected += weight[:, None] * counts
    projected /= BIN_WIDTH_S
    rows = []
    ends = [found.end_hz[found.side == one] for one in (0, 1)]
    pooled = np.sqrt(np.mean([np.var(one, ddof=1) for one in ends]))
    from_go = [
        float(np.median(trials[name].to_numpy()[found.trials] - go_s[found.trials])) for name in ("sample_s", "delay_s")
    ]
    for one, name in enumerate(SIDES):
        mine = projected[found.side == one]
        rows.append(
            {
                "session": known["session"],
                "probe": known["probe"],
                "side": name,
                "hemisphere": known["hemisphere"],
                "n_trials": len(mine),
                "n_units": len(found.units),
                "bin_start_from_go_s": bin_starts_s().tolist(),
                "bin_width_s": BIN_WIDTH_S,
                "projection_hz": mine.mean(axis=0).tolist(),
                "sem_hz": (mine.std(axis=0, ddof=1) / np.sqrt(len(mine))).tolist(),
                "sample_from_go_s": from_go,
                "separation": float((ends[1].mean() - ends[0].mean()) / pooled) if pooled > 0 else None,
                "parameters_version": known["version"],
            }
        )
    return CODING_DIRECTION_TRACES.from_rows(rows)
