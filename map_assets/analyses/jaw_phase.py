"""`jaw_phase`: how each unit's firing follows the phase of the jaw. The phase itself is made in `jaw_oscillation`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.analyses.circular import kuiper_p, mean_direction, rayleigh_p, uniform_ranks, vector_p
from map_assets.analyses.masks import Usable, usable_trials
from map_assets.analyses.parameters import JawPhaseParameters
from map_assets.analyses.tables_movement import JAW_PHASE
from map_assets.analyses.trains import Floats, ProbeTrains, Spiking, Whole, alike, probe_trains, where
from map_assets.analyses.two_groups import corrected

_SHIFTS_AT_ONCE = 20
_SEED = 20190228


@dataclass(frozen=True)
class Moving:
    """All points of the session at which a phase is told, rising in time; arrays of n points.

    Parameters
    ----------
    time_s, phase_rad : numpy.ndarray of float
    trial, run : numpy.ndarray of int
        Trial number, and number of the movement.
    step_s : float
    """

    time_s: Floats
    phase_rad: Floats
    trial: Whole
    run: Whole
    step_s: float

    def of(self, keep: NDArray[np.bool_]) -> Moving:
        """Keep some points."""
        return Moving(self.time_s[keep], self.phase_rad[keep], self.trial[keep], self.run[keep], self.step_s)


def moving_points(jaw_oscillation: pa.Table) -> Moving:
    """Lay the rows of ``jaw_oscillation`` end to end, movements alone."""
    trials = jaw_oscillation.sort_by("trial")
    lengths = [len(each) for each in trials["time_s"]]
    run = trials["run"].combine_chunks().flatten().to_numpy().astype(np.int64)
    is_told = run >= 0
    time, phase = (trials[name].combine_chunks().flatten().to_numpy() for name in ("time_s", "phase_rad"))
    step = float(np.median(trials["step_s"].to_numpy())) if trials.num_rows else np.nan
    trial = np.repeat(trials["trial"].to_numpy(), lengths)
    found = Moving(time, phase.astype(np.float64), trial, run, step).of(is_told)
    # a video that runs on into the next trial has the instants that follow: each counts once
    before = np.maximum.accumulate(np.r_[-np.inf, found.time_s])[:-1]
    return found.of(found.time_s > before)


def make_jaw_phase(
    session: str,
    spiking: Spiking,
    jaw_oscillation: pa.Table,
    parameters: JawPhaseParameters,
    version: str,
    usable: Usable | None = None,
) -> pa.Table:
    """Tell how each unit's firing follows the jaw's phase, over the movements in trials that it may be judged by (`masks`).

    Whether it does is told against chance: the same spikes with the phase shifted in time within each movement, anew and
    by itself. That keeps the rates and bursts of the unit and the unequal times that the jaw spends in its phases.

    Returns
    -------
    pyarrow.Table
        ``jaw_phase``: units in the order of ``units``.
    """
    n_units = spiking.units.num_rows
    moving = moving_points(jaw_oscillation)
    found = _Found(n_units, parameters.n_bins)
    for trains in probe_trains(*spiking):
        if trains.clock is None or trains.sample_rate_hz is None:
            found.reason[trains.rows] = "its probe has no session clock"
            continue
        mask = usable_trials(trains, spiking.units["unit_id"].to_numpy()[trains.rows], spiking.trials, usable)
        column = where(moving.trial, spiking.trials["trial"].to_numpy())
        is_seen = (column >= 0) & (moving.time_s >= trains.observed_from_s) & (moving.time_s < trains.observed_to_s)
        for units, observed in alike(mask):
            _judge(found, trains, units, moving.of(is_seen & observed[column]), parameters)
    return _table(session, spiking.units, found, parameters, version)


class _Found:
    """What is found, unit by unit; NaN, zero or None until then."""

    def __init__(self, n_units: int, n_bins: int) -> None:
        self.n_runs, self.n_spikes = np.zeros((2, n_units), np.int64)
        self.moving_s = np.zeros(n_units)
        self.time_in_bin_s, self.rate_hz = np.zeros((2, n_units, n_bins))
        self.p, self.rayleigh, self.kuiper = np.full((3, n_units), np.nan)
        self.reason = np.full(n_units, None, object)


def _judge(found: _Found, trains: ProbeTrains, units: Whole, moving: Moving, parameters: JawPhaseParameters) -> None:
    """Judge a probe's units that were observed in the same trials."""
    rows = trains.rows[units]
    n_points, n_bins = len(moving.time_s), parameters.n_bins
    bins = np.minimum(((moving.phase_rad + np.pi) / (2 * np.pi) * n_bins).astype(np.int64), n_bins - 1)
    in_bin_s = np.bincount(bins, minlength=n_bins) * moving.step_s if n_points else np.zeros(n_bins)
    unit, point = _spikes_at(trains, units, moving)
    counts = np.bincount(unit * n_bins + bins[point], minlength=len(units) * n_bins).reshape(len(units), n_bins)
    n_runs = len(np.unique(moving.run))
    found.n_runs[rows], found.moving_s[rows] = n_runs, in_bin_s.sum()
    found.n_spikes[rows], found.time_in_bin_s[rows] = counts.sum(axis=1), in_bin_s
    with np.errstate(divide="ignore", invalid="ignore"):
        found.rate_hz[rows] = np.where(in_bin_s > 0, counts / in_bin_s, 0.0)
    if n_runs < parameters.min_runs:
        found.reason[rows] = f"observed in fewer than {parameters.min_runs} movements of the jaw"
        return
    enough = counts.sum(axis=1) >= parameters.min_spikes
    found.reason[rows[~enough]] = f"fewer than {parameters.min_spikes} spikes during movements"
    p = _shift_p(unit, point, len(units), moving, parameters.n_shifts)
    found.p[rows[enough]] = p[enough]
    rank = uniform_ranks(moving.phase_rad)
    bounds = np.searchsorted(unit, np.arange(len(units) + 1))
    for at in np.flatnonzero(enough):
        mine = rank[point[bounds[at] : bounds[at + 1]]]
        found.rayleigh[rows[at]], found.kuiper[rows[at]] = rayleigh_p(2 * np.pi * mine), kuiper_p(mine)


def _spikes_at(trains: ProbeTrains, units: Whole, moving: Moving) -> tuple[Whole, Whole]:
    """Find the point that each spike is at, unit after unit; spikes outside of all movements are left out."""
    assert trains.clock is not None
    assert trains.sample_rate_hz is not None
    if not len(moving.time_s):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    of, at = [], []
    half = moving.step_s / 2
    for number, unit in enumerate(units.tolist()):
        samples = trains.samples[trains.begin[unit] : trains.end[unit]]
        spike_s = trains.clock.session_s(samples / trains.sample_rate_hz)
        # a point stands for the time from half a step before it to half a step behind it
        place = np.searchsorted(moving.time_s, spike_s + half, side="right") - 1
        is_in = (place >= 0) & (spike_s - moving.time_s[place] < half)
        at.append(place[is_in])
        of.append(np.full(len(at[-1]), number))
    return np.concatenate(of), np.concatenate(at)


def _shift_p(unit: Whole, point: Whole, n_units: int, moving: Moving, n_shifts: int) -> Floats:
    """Hold each unit's mean vector against those of shifted phases, shape (n_units,)."""
    from scipy.sparse import csr_array

    shape = n_units, len(moving.time_s)
    counts = csr_array((np.ones(len(unit), np.float32), (unit, point)), shape)
    vectors = np.stack([np.cos(moving.phase_rad), np.sin(moving.phase_rad)], axis=1).astype(np.float32)
    seen = counts @ vectors
    shifted = [counts @ vectors[order.T].reshape(shape[1], -1) for order in _shifts(moving.run, n_shifts)]
    by_chance = np.concatenate([each.reshape(n_units, -1, 2) for each in shifted], axis=1)
    return vector_p(seen.astype(np.float64), by_chance.astype(np.float64))


def _shifts(run: Whole, n_shifts: int) -> Iterator[Whole]:
    """Give shifts of the points, round and round within each movement, some at once: shape (n, n_points)."""
    rng = np.random.default_rng(_SEED)
    _, first, of, length = np.unique(run, return_index=True, return_inverse=True, return_counts=True)
    within = np.arange(len(run)) - first[of]
    for begin in range(0, n_shifts, _SHIFTS_AT_ONCE):
        lag = rng.integers(0, length, (min(_SHIFTS_AT_ONCE, n_shifts - begin), len(length)))
        yield first[of] + (within + lag[:, of]) % length[of]


def _table(session: str, units: pa.Table, found: _Found, parameters: JawPhaseParameters, version: str) -> pa.Table:
    n_units, n_bins = found.rate_hz.shape
    edges = -np.pi + 2 * np.pi / n_bins * np.arange(n_bins)
    direction, length = mean_direction(found.rate_hz, edges + np.pi / n_bins)
    highest = found.rate_hz.max(axis=1, initial=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.where(highest > 0, (highest - found.rate_hz.min(axis=1, initial=np.inf)) / highest, np.nan)
    p = corrected(found.p, parameters.correction)
    rates = [rate if moved > 0 else [] for rate, moved in zip(found.rate_hz, found.moving_s, strict=True)]
    return JAW_PHASE.from_columns(
        {
            "session": [session] * n_units,
            "probe": units["probe"],
            "unit_id": units["unit_id"],
            "n_runs": found.n_runs,
            "moving_s": found.moving_s,
            "n_spikes": found.n_spikes,
            "phase_bin_start_rad": [edges] * n_units,
            "moving_in_bin_s": list(found.time_in_bin_s),
            "rate_hz": rates,
            "preferred_phase_rad": direction,
            "vector_length": length,
            "modulation_index": depth,
            "p": found.p,
            "p_corrected": p,
            "rayleigh_p": found.rayleigh,
            "kuiper_p": found.kuiper,
            "is_tuned": [None if np.isnan(one) else bool(one < parameters.alpha) for one in p],
            "n_shifts": [parameters.n_shifts] * n_units,
            "correction": [parameters.correction] * n_units,
            "alpha": [parameters.alpha] * n_units,
            "reason": found.reason.tolist(),
            "parameters_version": [version] * n_units,
        }
    )
