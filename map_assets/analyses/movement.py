"""`direction_tuning`: how units fire at licks to targets in different directions (multi-target licking). When the animal licks is in `lick_rhythm`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.analyses.circular import mean_direction
from map_assets.analyses.masks import Usable, usable_trials
from map_assets.analyses.parameters import DirectionTuningParameters
from map_assets.analyses.periods import rates_between
from map_assets.analyses.tables_movement import DIRECTION_TUNING
from map_assets.analyses.trains import Floats, Spiking, Whole, alike, probe_trains, where
from map_assets.analyses.two_groups import corrected

_SIDES = 4
"""Ports stand around the middle if no half of the circle is without any: told by quarters."""


@dataclass(frozen=True)
class _Licks:
    """All licks in trials with a target, in time order; arrays of n licks.

    `row`: of the trial; `block`: its number; `port`: place of the target in `ports`. `angle_rad`: of each port about the
    middle of all, NaN in the middle, None unless they stand around it.
    """

    time_s: Floats
    row: Whole
    block: Whole
    port: Whole
    ports: tuple[str, ...]
    angle_rad: Floats | None


def make_direction_tuning(
    session: str,
    spiking: Spiking,
    licks: pa.Table,
    block_ports: pa.Table,
    parameters: DirectionTuningParameters,
    version: str,
    usable: Usable | None = None,
) -> pa.Table:
    """Compare each unit's rate around licks between targets; a block, throughout which one target stands, is one observation.

    Returns
    -------
    pyarrow.Table
        ``direction_tuning``: units in the order of ``units``; without a session of one target a block it has no rows.
    """
    found = _licks(licks, spiking.trials, block_ports)
    if found is None:
        return DIRECTION_TUNING.empty()
    unit_id = spiking.units["unit_id"].to_numpy()
    begin, end = parameters.window_from_lick_s
    rows: list[dict[str, Any]] = [{} for _ in range(spiking.units.num_rows)]
    for trains in probe_trains(*spiking):
        if trains.clock is None or trains.sample_rate_hz is None:
            for row in trains.rows:
                rows[row] = _untested("its probe has no session clock")
            continue
        mask = usable_trials(trains, unit_id[trains.rows], spiking.trials, usable)[:, found.row]
        rate = rates_between(trains, found.time_s + begin, found.time_s + end)
        rate[~mask] = np.nan
        for units, is_there in alike(np.isfinite(rate)):
            judged = _judge(rate[np.ix_(units, np.flatnonzero(is_there))], found, is_there, parameters)
            for unit, one in zip(units, judged, strict=True):
                rows[trains.rows[unit]] = one
    return _table(session, spiking.units, rows, parameters, version)


def _licks(licks: pa.Table, trials: pa.Table, block_ports: pa.Table) -> _Licks | None:
    """Find each lick's target; None where blocks do not have one target each."""
    targets = {row["block"]: row for row in block_ports.to_pylist() if row["port"].startswith("mtl-")}
    if not targets or len(targets) != block_ports.num_rows:
        return None
    licks = licks.sort_by("time_s")
    row = where(licks["trial"].to_numpy(), trials["trial"].to_numpy())
    of_trial = [targets.get(one) for one in trials["block"].to_pylist()]
    has_target = (row >= 0) & np.array([one is not None for one in of_trial], bool)[row]
    names = sorted({one["port"] for one in targets.values()})
    port = np.array([names.index(one["port"]) if one else -1 for one in of_trial], int)
    block = np.array([one["block"] if one else -1 for one in of_trial], int)
    place = np.full((len(names), 2), np.nan)
    for at, name in enumerate(names):
        here = [(one["position_x"], one["position_z"]) for one in targets.values() if one["port"] == name]
        place[at] = np.mean([pair for pair in here if None not in pair] or [(np.nan, np.nan)], axis=0)
    kept = row[has_target]
    time = licks["time_s"].to_numpy()[has_target]
    return _Licks(time, kept, block[kept], port[kept], tuple(names), _angles(place))


def _angles(place: Floats) -> Floats | None:
    """Direction of each port about the middle of all; positions are taken in shares of their spread."""
    spread = np.ptp(place, axis=0) if len(place) else np.zeros(2)
    if not np.isfinite(place).all() or (spread == 0).any():
        return None
    x, z = ((place - (place.max(axis=0) + place.min(axis=0)) / 2) / spread).T
    angle = np.where(np.hypot(x, z) < 0.1, np.nan, np.arctan2(z, x))
    quarters = {int(one) for one in (angle[np.isfinite(angle)] + np.pi) / (2 * np.pi) * _SIDES % _SIDES}
    return angle if len(quarters) == _SIDES else None


def _judge(
    rate: Floats, licks: _Licks, is_there: NDArray[np.bool_], parameters: DirectionTuningParameters
) -> list[dict[str, Any]]:
    """Judge units that have the same licks; `rate` has shape (n_units, n_licks that they have)."""
    block, port = licks.block[is_there], licks.port[is_there]
    blocks, first, of = np.unique(block, return_index=True, return_inverse=True)
    n_in_block = np.bincount(of, minlength=len(blocks))
    sums = np.zeros((len(rate), len(blocks)))
    for at in range(len(blocks)):
        sums[:, at] = rate[:, of == at].sum(axis=1)
    by_block = sums / n_in_block
    port_of_block = port[first]
    there = np.unique(port_of_block)
    means = np.stack([by_block[:, port_of_block == one].mean(axis=1) for one in there], axis=1) if len(there) else sums
    n_blocks = [int((port_of_block == one).sum()) for one in there]
    direction, index = _direction(means, there, licks)
    often = there[np.array(n_blocks, int) >= parameters.min_blocks]
    enough = len(often) >= 2
    h, p, effect = _kruskal([by_block[:, port_of_block == one] for one in often]) if enough else (None, None, None)
    shared = {
        "port": [licks.ports[one] for one in there],
        "n_licks": [int((port == one).sum()) for one in there],
        "n_blocks": n_blocks,
        "reason": None if h is not None else f"fewer than two targets with {parameters.min_blocks} blocks each",
    }
    return [
        {
            **shared,
            "rate_hz": means[unit],
            "preferred_port": licks.ports[there[np.argmax(means[unit])]] if len(there) else None,
            "preferred_direction_deg": direction[unit],
            "direction_index": index[unit],
            "p": np.nan if p is None else p[unit],
            "effect": np.nan if effect is None else effect[unit],
        }
        for unit in range(len(rate))
    ]


def _direction(means: Floats, there: Whole, licks: _Licks) -> tuple[Floats, Floats]:
    nothing = np.full(len(means), np.nan)
    if licks.angle_rad is None or len(there) != len(licks.ports):
        return nothing, nothing
    around = np.isfinite(licks.angle_rad[there])
    angle, length = mean_direction(means[:, around], licks.angle_rad[there][around])
    return np.degrees(angle), length


def _kruskal(groups: list[Floats]) -> tuple[Floats, Floats, Floats]:
    """Kruskal and Wallis's H of many units, its p and epsilon squared; equal values everywhere give p 1."""
    from scipy.stats import chi2, rankdata

    values = np.concatenate(groups, axis=1)
    n = values.shape[1]
    rank = rankdata(values, axis=1)
    bounds = np.cumsum([0, *(group.shape[1] for group in groups)])
    squares = sum(rank[:, a:b].sum(axis=1) ** 2 / (b - a) for a, b in pairwise(bounds.tolist()))
    spread = ((rank - (n + 1) / 2) ** 2).sum(axis=1) / (n - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        h = np.where(spread > 0, (squares - n * (n + 1) ** 2 / 4) / spread, 0.0)
    return h, np.asarray(chi2.sf(h, len(groups) - 1)), h / (n - 1)


def _untested(reason: str) -> dict[str, Any]:
    return {"port": [], "n_licks": [], "n_blocks": [], "rate_hz": [], "reason": reason}


def _table(
    session: str, units: pa.Table, rows: list[dict[str, Any]], parameters: DirectionTuningParameters, version: str
) -> pa.Table:
    n = len(rows)
    p = np.array([row.get("p", np.nan) for row in rows], float)
    p_corrected = corrected(p, parameters.correction)
    lists = {name: [row.get(name, []) for row in rows] for name in ("port", "n_licks", "n_blocks", "rate_hz")}
    texts = {name: [row.get(name) for row in rows] for name in ("preferred_port", "reason")}
    reals = {
        name: np.array([row.get(name, np.nan) for row in rows], float)
        for name in ("preferred_direction_deg", "direction_index", "effect")
    }
    return DIRECTION_TUNING.from_columns(
        {
            "session": [session] * n,
            "probe": units["probe"],
            "unit_id": units["unit_id"],
            **lists,
            **texts,
            **reals,
            "p": p,
            "p_corrected": p_corrected,
            "is_tuned": [None if np.isnan(one) else bool(one < parameters.alpha) for one in p_corrected],
            "window_from_s": [parameters.window_from_lick_s[0]] * n,
            "window_to_s": [parameters.window_from_lick_s[1]] * n,
            "correction": [parameters.correction] * n,
            "alpha": [parameters.alpha] * n,
            "parameters_version": [version] * n,
        }
    )
