"""How fast the PSTHs of a full MAP session are made: 2,000 units, 17 conditions, 550 trials, 60 million spikes.

The session is the simulator's, taken through the stages that its PSTHs rest on. On every tenth unit the same counts are
then made in two other ways, checked to be equal, and timed turn about with ours on the same units:

- `x_pynapple`: pynapple's `compute_perievent`, binned, and summed by condition.
- `x_duckdb_asof`: DuckDB, an ASOF join of the spikes with the windows' starts (two of them, so that windows that overlap
  are both counted), grouped by unit, condition and bin.

Prints one JSON object; `psth_s` is the best of three over all units.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ephys import peak_mib, scanned, write  # the benchmark beside this one

from map_assets.analyses.conditions import DELAY_RESPONSE
from map_assets.analyses.psth import BIN_WIDTH_S, FIRST_BIN, N_BINS, make_psth
from map_assets.analyses.trains import Spiking, probe_trains
from map_assets.defs.stages import BY_NAME
from map_assets.defs.work import perform

STAGES = ("recordings", "clock_maps", "sortings", "probes", "trial_spikes")
TABLES = ("units", "spikes", "trial_spikes", "trials", "clock_maps", "probes")
EVERY = 10
REPEATS = 3
_Result = TypeVar("_Result")


def main() -> None:
    """Write the session, make its tables, compare, time, report."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("MAP_ASSETS_BENCH_FOLDER")) as folder:
        root = Path(folder) / "lab"
        write(root, 1.0)
        services, session = scanned(root)
        for name in STAGES:
            perform(BY_NAME[name], session, services)
        spiking = Spiking(*(services.store.read(name, session) for name in TABLES))
        sites = services.store.read("photostim_sites", session)
    psth_s = min(timed(lambda: make_psth(session, *spiking, photostim_sites=sites))[0] for _ in range(REPEATS))
    some = thinned(spiking)
    counts = {name: way(session, some, sites) for name, way in WAYS.items()}
    for name, found in counts.items():
        if not np.array_equal(found, counts["ours"]):
            raise SystemExit(f"{name} counts other spikes: {np.abs(found - counts['ours']).sum()} differ")
    taken: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(REPEATS):
        for name, way in WAYS.items():
            taken[name].append(timed(lambda way=way: way(session, some, sites))[0])  # type: ignore[misc]
    best = {name: min(found) for name, found in taken.items()}
    print(json.dumps({"taken": taken, "some_units": some.units.num_rows}), file=sys.stderr)
    print(
        json.dumps(
            {
                "psth_s": round(psth_s, 2),
                "x_pynapple": round(best["pynapple"] / best["ours"], 1),
                "x_duckdb_asof": round(best["duckdb_asof"] / best["ours"], 1),
                "n_units": spiking.units.num_rows,
                "n_conditions": len(DELAY_RESPONSE),
                "n_trials": spiking.trials.num_rows,
                "n_spikes": int(np.sum(spiking.units["n_spikes"].to_numpy())),
                "peak_mib": round(peak_mib()),
            }
        )
    )


def timed(work: Callable[[], _Result]) -> tuple[float, _Result]:
    """Seconds that some work takes, and its result."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def thinned(spiking: Spiking) -> Spiking:
    """Every tenth unit, with its spikes."""
    units = spiking.units.take(np.arange(0, spiking.units.num_rows, EVERY))
    key = set(zip(units["probe"].to_pylist(), units["unit_id"].to_pylist(), strict=True))

    def of_these(table: pa.Table) -> pa.Table:
        pairs = zip(table["probe"].to_pylist(), table["unit_id"].to_pylist(), strict=True)
        return table.filter(pa.array([pair in key for pair in pairs])).combine_chunks()

    return spiking._replace(units=units, spikes=of_these(spiking.spikes), trial_spikes=of_these(spiking.trial_spikes))


def ours(session: str, spiking: Spiking, sites: pa.Table) -> np.ndarray:
    """Counts (units, conditions, bins) out of the table that we make."""
    table = make_psth(session, *spiking, photostim_sites=sites)
    counts = np.zeros((table.num_rows, N_BINS))
    has_rate = pc.list_value_length(table["rate_hz"]).to_numpy() > 0
    rates = pc.list_flatten(table["rate_hz"]).to_numpy().reshape(-1, N_BINS)
    counts[has_rate] = rates * table["n_trials"].to_numpy()[has_rate, None] * BIN_WIDTH_S
    return np.rint(counts).astype(np.int64).reshape(spiking.units.num_rows, -1, N_BINS)


def held(spiking: Spiking, sites: pa.Table) -> np.ndarray:
    """Which trials are of which condition and have a go cue, (conditions, trials)."""
    holds = np.array([one.holds(spiking.trials, sites) for one in DELAY_RESPONSE])
    return holds & np.isfinite(spiking.trials["go_s"].to_numpy())


def on_the_probe(spiking: Spiking) -> Any:
    """Trains in seconds of the probe's clock, its observed trials, and the windows' starts and bin width there."""
    go_s = spiking.trials["go_s"].to_numpy()
    for trains in probe_trains(*spiking):
        assert trains.clock is not None
        assert trains.sample_rate_hz is not None
        width = BIN_WIDTH_S / (1.0 + trains.clock.drift_ppm * 1e-6)
        # a sample that stands on an edge but for the last digits of a float stands on it, as in ours
        starts = trains.clock.probe_s(go_s) + FIRST_BIN * width - 1e-6 / trains.sample_rate_hz
        yield trains, starts, width


def pynapple_way(_: str, spiking: Spiking, sites: pa.Table) -> np.ndarray:
    """Perievent times by pynapple, binned, and summed by condition."""
    import pynapple as nap

    holds = held(spiking, sites)
    counts = np.zeros((spiking.units.num_rows, len(holds), N_BINS), np.int64)
    for trains, starts, width in on_the_probe(spiking):
        at = np.flatnonzero(np.isfinite(starts))
        events = nap.Ts(starts[at])
        for unit, row in enumerate(trains.rows):
            train = nap.Ts(trains.samples[trains.begin[unit] : trains.end[unit]] / trains.sample_rate_hz)
            around = nap.compute_perievent(train, events, (0, N_BINS * width))
            for number, trial in enumerate(at):
                if trains.is_observed[unit, trial] and holds[:, trial].any():
                    bins = (around[number].t / width).astype(int)
                    one = np.bincount(bins[bins < N_BINS], minlength=N_BINS)
                    counts[row, holds[:, trial]] += one
    return counts


def duckdb_way(_: str, spiking: Spiking, sites: pa.Table) -> np.ndarray:
    """An ASOF join with every other window's start, twice, grouped by unit, condition and bin."""
    import duckdb

    holds = held(spiking, sites)
    counts = np.zeros((spiking.units.num_rows, len(holds), N_BINS), np.int64)
    condition, of_trial = np.nonzero(holds)
    member = pa.table({"trial": of_trial, "condition": condition})  # noqa: F841 - DuckDB finds it by its name
    for trains, starts, width in on_the_probe(spiking):
        n_each = trains.end - trains.begin
        samples = np.concatenate([trains.samples[a:b] for a, b in zip(trains.begin, trains.end, strict=True)])
        spike = pa.table({"unit": np.repeat(np.arange(len(n_each)), n_each), "t": samples / trains.sample_rate_hz})  # noqa: F841
        unit, trial = np.nonzero(trains.is_observed)
        observed = pa.table({"unit": unit, "trial": trial})  # noqa: F841
        order = np.argsort(starts, kind="stable")
        order = order[np.isfinite(starts[order])]
        for half in (order[::2], order[1::2]):
            windows = pa.table({"trial": half, "start": starts[half]})  # noqa: F841
            found = duckdb.sql(
                f"""
                select unit, condition, bin, count(*) as n from (
                    select spike.unit, windows.trial, cast(floor((spike.t - windows.start) / {width!r}) as integer) as bin
                    from spike asof join windows on spike.t >= windows.start
                ) join observed using (unit, trial) join member using (trial)
                where bin < {N_BINS} group by all
                """
            ).fetchnumpy()
            counts[trains.rows[found["unit"]], found["condition"], found["bin"]] += found["n"]
    return counts


WAYS: dict[str, Callable[[str, Spiking, pa.Table], np.ndarray]] = {
    "ours": ours,
    "pynapple": pynapple_way,
    "duckdb_asof": duckdb_way,
}

if __name__ == "__main__":
    main()
