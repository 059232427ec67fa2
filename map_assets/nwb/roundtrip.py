"""Reading a written file back, by its bare HDF5 and none of the writer's code, and comparing it with the tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.vocabulary.clock import ClockMap
from map_assets.vocabulary.table import Verdict

_TOLERANCE_S = 1e-9


def compare_with_tables(path: Path, tables: Mapping[str, pa.Table]) -> Verdict:
    """Compare a file with the tables that it was made of: session, trials and their times, licks, units and their spikes.

    A file that cannot be read, or lacks a part, does not give them back.

    Parameters
    ----------
    path : pathlib.Path
    tables : mapping of str to pyarrow.Table
        As handed to the writer.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            differences, figures = _compare(file, tables)
    except (OSError, KeyError, ValueError, RuntimeError, TypeError, AttributeError, IndexError) as error:
        return Verdict(False, f"The file cannot be read back: {type(error).__name__}: {error}")
    told = "; ".join(differences) if differences else "Trials, licks, units and spikes equal the tables'."
    return Verdict(not differences, told, figures)


def _compare(file: Any, tables: Mapping[str, pa.Table]) -> tuple[list[str], dict[str, float | int | str | bool]]:
    trials = tables["trials"].sort_by([("trial", "ascending")])
    differences = []
    session = tables["sessions"]["session"].to_pylist()
    if [_text(file["general/session_id"])] != session:
        differences.append(f"session {_text(file['general/session_id'])} in the file, {session} in the table")
    columns = {"trial": "trial", "start_time": "start_s", "stop_time": "stop_s"}
    for name, source in columns.items():
        found = file[f"intervals/trials/{name}"][:] if trials.num_rows else np.zeros(0)
        differences += _difference(f"trials.{source}", found, trials[source].to_numpy())
    licks = tables.get("licks")
    if licks is not None and licks.num_rows:
        found = file["events/licks/timestamp"][:]
        differences += _difference("licks.time_s", found, np.sort(licks["time_s"].to_numpy()))
    more, n_units, n_spikes = _compare_units(file, tables, trials)
    return differences + more, {"n_trials": trials.num_rows, "n_units": n_units, "n_spikes": n_spikes}


def _text(dataset: Any) -> str:
    value = dataset[()]
    return value.decode() if isinstance(value, bytes) else str(value)


def _difference(name: str, found: NDArray[Any], expected: NDArray[Any]) -> list[str]:
    if len(found) != len(expected):
        return [f"{name}: {len(found)} in the file, {len(expected)} in the table"]
    far = int(np.sum(~(np.abs(found - expected) <= _TOLERANCE_S))) if len(found) else 0
    return [f"{name}: {far} of {len(found)} differ"] if far else []


@dataclass(frozen=True)
class _Probe:
    """What is needed to say which spikes of a probe belong in the file, and when."""

    clock_map: ClockMap
    sample_rate_hz: float
    is_observed: NDArray[np.bool_]

    def spikes_s(self, samples: NDArray[np.int64], trials: pa.Table) -> NDArray[np.float64]:
        """Spikes in the observed trials, each from its start to the next trial's, the last to its stop; session s."""
        start_s = trials["start_s"].to_numpy()
        train_s = self.clock_map.session_s(samples / self.sample_rate_hz)
        trial = np.searchsorted(start_s, train_s, side="right") - 1
        is_in_trial = (trial >= 0) & self.is_observed[trial] & (train_s < _ends_s(trials)[trial])
        spikes_s: NDArray[np.float64] = train_s[is_in_trial]
        return spikes_s


def _ends_s(trials: pa.Table) -> NDArray[np.float64]:
    """End of each trial: the next one's start, the last one's stop; session s."""
    ends_s: NDArray[np.float64] = np.r_[trials["start_s"].to_numpy()[1:], trials["stop_s"].to_numpy()[-1:]]
    return ends_s


def _compare_units(file: Any, tables: Mapping[str, pa.Table], trials: pa.Table) -> tuple[list[str], int, int]:
    """Differences of the units and their spikes, and how many of both the file has."""
    probes = _placed_probes(tables, trials)
    expected = _trains(tables, probes)
    if "units" not in file:
        return ([f"units: none in the file, {len(expected)} in the tables"] if expected else []), 0, 0
    units = file["units"]
    keys = list(zip(units["probe"][:].tolist(), units["unit_id"][:].tolist(), strict=True))
    ends = units["spike_times_index"][:].astype(np.int64)
    times_s = units["spike_times"][:]
    if sorted(keys) != sorted(expected) or len(ends) != len(keys):
        counts = f"{len(keys)} in the file, {len(expected)} in the tables"
        return [f"units: {counts}, or with other numbers"], len(keys), len(times_s)
    wrong = [
        f"{unit_id} of probe {probe}"
        for (probe, unit_id), first, end in zip(keys, np.r_[0, ends[:-1]], ends, strict=True)
        if _difference("", times_s[first:end], probes[probe].spikes_s(expected[probe, unit_id], trials))
    ]
    told = [f"spikes: {len(wrong)} of {len(keys)} units differ, as does unit {wrong[0]}"] if wrong else []
    told += [] if ends[-1] == len(times_s) else ["spikes: the file has more than its units"]
    return told, len(keys), len(times_s)


def _placed_probes(tables: Mapping[str, pa.Table], trials: pa.Table) -> dict[int, _Probe]:
    """Probes that have a clock map and a sample rate and saw a trial of the session whole."""
    rates: dict[int, float] = {}
    for name in ("sortings", "recordings", "probes"):
        if name in tables:
            known = tables[name].filter(pc.is_valid(tables[name]["sample_rate_hz"]))
            rates |= dict(zip(known["probe"].to_pylist(), known["sample_rate_hz"].to_pylist(), strict=True))
    probes = {}
    for row in tables["clock_maps"].to_pylist() if "clock_maps" in tables else []:
        first, last = row["observed_from_s"], row["observed_to_s"]
        is_observed = np.isin(trials["trial"].to_numpy(), np.asarray(row["matched_trials"], np.int64))
        is_observed &= trials["start_s"].to_numpy() >= (-np.inf if first is None else first)
        is_observed &= _ends_s(trials) <= (np.inf if last is None else last)
        if row["offset_s"] is not None and row["probe"] in rates and is_observed.any():
            clock = ClockMap(row["offset_s"], row["drift_ppm"])
            probes[row["probe"]] = _Probe(clock, rates[row["probe"]], is_observed)
    return probes


def _trains(tables: Mapping[str, pa.Table], probes: Mapping[int, _Probe]) -> dict[tuple[int, int], NDArray[np.int64]]:
    """Samples of each unit of the placed probes; a unit without a train has none."""
    if "units" not in tables or "spikes" not in tables:
        return {}
    keys = zip(tables["units"]["probe"].to_pylist(), tables["units"]["unit_id"].to_pylist(), strict=True)
    trains = {key: np.zeros(0, np.int64) for key in keys if key[0] in probes}
    for batch in tables["spikes"].to_batches():
        for probe, unit_id, samples in zip(batch["probe"], batch["unit_id"], batch["samples"], strict=True):
            if (key := (probe.as_py(), unit_id.as_py())) in trains:
                trains[key] = samples.values.to_numpy()
    return trains
