"""Where each trial's spikes stand in each unit's train: an index, no copy of spikes. Aligning to events lives with the analyses.

A trial's interval runs from its start to the start of the next trial of the file, also of a skipped one (`until_s`). A
spike on a boundary belongs to the trial that starts there. Only trials that the probe saw whole are listed: those whose
code was matched and whose interval lies within the recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.ephys.tables import TRIAL_SPIKES
from map_assets.vocabulary.clock import ClockMap

_READ_FIRST_FROM = 1000
_SAMPLE_DIGITS = 3
"""Edges are exact to a thousandth of a sample: below it are only the roundings of the way through the clock map."""


@dataclass(frozen=True)
class Intervals:
    """Trials that a probe saw whole, on its own clock; arrays of shape (t,).

    Parameters
    ----------
    trial : numpy.ndarray of int
    first_sample, stop_sample : numpy.ndarray of int
        First sample of the trial and first sample after it.
    """

    trial: NDArray[np.int64]
    first_sample: NDArray[np.int64]
    stop_sample: NDArray[np.int64]


def make_trial_spikes(
    session: str, spikes: pa.Table, trials: pa.Table, clock_maps: pa.Table, probes: pa.Table
) -> pa.Table:
    """Index every unit's spikes by trial.

    Parameters
    ----------
    session : str
        Session key.
    spikes, trials, clock_maps, probes : pyarrow.Table
        A probe without a clock map, without anchors or without a rate has no rows.

    Returns
    -------
    pyarrow.Table
        `trial_spikes`: a row for each unit and observed trial, silent ones too.
    """
    clocks = {row["probe"]: row for row in clock_maps.to_pylist()}
    rates = dict(zip(probes["probe"].to_pylist(), probes["sample_rate_hz"].to_pylist(), strict=True))
    trials = trials.sort_by("trial")
    parts = [TRIAL_SPIKES.empty()]
    for probe, trains in _by_probe(spikes):
        clock, rate_hz = clocks.get(probe), rates.get(probe)
        if clock is None or clock["offset_s"] is None or rate_hz is None:
            continue
        parts.append(_indexed(session, probe, trains, observed_intervals(trials, clock, rate_hz)))
    return pa.concat_tables(parts)


def _by_probe(spikes: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    """Part the trains by probe without a copy: the table stands in the order of its key, else it is put so."""
    probe = spikes["probe"].to_numpy()
    if np.any(np.diff(probe) < 0):
        spikes = spikes.sort_by([(name, "ascending") for name in ("probe", "unit_id")])
        probe = spikes["probe"].to_numpy()
    bounds = np.flatnonzero(np.r_[True, np.diff(probe) > 0, True]).tolist() if len(probe) else []
    for first, end in pairwise(bounds):
        yield int(probe[first]), spikes.slice(first, end - first)


def observed_intervals(trials: pa.Table, clock: dict[str, Any], sample_rate_hz: float) -> Intervals:
    """Carry the trials that a probe saw whole onto its samples.

    Parameters
    ----------
    trials : pyarrow.Table
        In order of the trials.
    clock : dict
        The probe's row of `clock_maps`, with anchors.
    sample_rate_hz : float
        The probe's nominal rate.
    """
    start_s, stop_s = trials["start_s"].to_numpy(), trials["until_s"].to_numpy()
    trial = trials["trial"].to_numpy()
    is_seen = np.isin(trial, clock["matched_trials"]) & (start_s >= clock["observed_from_s"])
    if clock["observed_to_s"] is not None:
        is_seen &= stop_s <= clock["observed_to_s"]
    edges_s = ClockMap(clock["offset_s"], clock["drift_ppm"]).probe_s(np.stack([start_s[is_seen], stop_s[is_seen]]))
    first, stop = np.ceil(np.round(edges_s * sample_rate_hz, _SAMPLE_DIGITS)).astype(np.int64)
    return Intervals(trial[is_seen].astype(np.int64), first, stop)


def _indexed(session: str, probe: int, trains: pa.Table, intervals: Intervals) -> pa.Table:
    """Search the intervals' edges in each train; the trains are read where they lie."""
    n_units, n_trials = trains.num_rows, len(intervals.trial)
    first, count = np.empty((n_units, n_trials), np.int64), np.empty((n_units, n_trials), np.int64)
    unit = 0
    for chunk in trains["samples"].chunks:
        end = unit + len(chunk)
        _search(chunk, intervals, first[unit:end], count[unit:end])
        unit = end
    n_rows = n_units * n_trials
    return TRIAL_SPIKES.from_columns(
        {
            "session": pa.repeat(session, n_rows),
            "probe": np.full(n_rows, probe),
            "unit_id": np.repeat(trains["unit_id"].to_numpy(), n_trials),
            "trial": np.tile(intervals.trial, n_units),
            "first_spike": first.ravel(),
            "n_spikes": count.ravel(),
        }
    )


def _search(trains: pa.ListArray, intervals: Intervals, first: NDArray[np.int64], count: NDArray[np.int64]) -> None:
    """Find the intervals in each train: index of the first spike and number of spikes, one row a train.

    A search jumps about in a train, and each jump waits for memory. A train that was just read from end to end stands
    in the processor's cache, where its searches are four times as fast; reading it in order costs little.
    """
    edges = np.concatenate([intervals.first_sample, intervals.stop_sample])
    edges, place = np.unique(edges, return_inverse=True)
    begins, ends = np.split(place, 2)
    values, offsets = trains.values.to_numpy(), trains.offsets.to_numpy()
    for row, (begin, end) in enumerate(pairwise(offsets.tolist())):
        train = values[begin:end]
        if end - begin > _READ_FIRST_FROM:
            train.max()
        found = train.searchsorted(edges)
        found.take(begins, out=first[row], mode="clip")
        np.subtract(found.take(ends), first[row], out=count[row])
