"""Units of a written file against the tables, by bare HDF5: their spikes, when they were observed, and what is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.nwb.columns import unit_column_names
from map_assets.nwb.readback import compare_column, difference, texts_of
from map_assets.nwb.roundtrip_about import compare_groups, surplus
from map_assets.vocabulary.clock import ClockMap

_Key = tuple[int, int]
_BESIDE = ("unit_stats", "cell_type", "drift", "unit_criteria", "unit_classes")
_OTHERWISE = frozenset({"session", "waveform_uv"})
_OF_THE_FILE = (
    *(
        "id",
        "spike_times",
        "spike_times_index",
        "obs_intervals",
        "obs_intervals_index",
        "electrodes",
        "electrodes_index",
    ),
    *("electrode_group", "sample_rate_hz", "waveform_mean", "waveform_source"),
)


@dataclass(frozen=True)
class _Probe:
    """What is needed to say which spikes of a probe belong in the file, and when."""

    clock_map: ClockMap
    sample_rate_hz: float
    is_observed: NDArray[np.bool_]

    def spikes_s(self, samples: NDArray[np.int64], trials: pa.Table) -> NDArray[np.float64]:
        """Spikes in the observed trials, each from its start to its `until_s`; session s."""
        start_s, until_s = trials["start_s"].to_numpy(), trials["until_s"].to_numpy()
        train_s = self.clock_map.session_s(samples / self.sample_rate_hz)
        trial = np.searchsorted(start_s, train_s, side="right") - 1
        is_in_trial = (trial >= 0) & self.is_observed[trial] & (train_s < until_s[trial])
        spikes_s: NDArray[np.float64] = train_s[is_in_trial]
        return spikes_s

    def intervals_s(self, trials: pa.Table) -> NDArray[np.float64]:
        """Observed trials, those that follow on each other in one piece; shape (n, 2), session s."""
        pieces: list[list[float]] = []
        bounds = zip(trials["start_s"].to_pylist(), trials["until_s"].to_pylist(), strict=True)
        for (start_s, until_s), is_observed in zip(bounds, self.is_observed.tolist(), strict=True):
            if is_observed and pieces and pieces[-1][1] == start_s:
                pieces[-1][1] = until_s
            elif is_observed:
                pieces.append([start_s, until_s])
        return np.array(pieces, np.float64).reshape(-1, 2)


def compare_units(file: Any, tables: Mapping[str, pa.Table], trials: pa.Table) -> tuple[list[str], int, int]:
    """Return the differences of the units, and how many units and spikes the file has."""
    probes = _placed_probes(tables, trials)
    expected = _trains(tables, probes)
    if "units" not in file:
        has_spikes = any(len(probes[key[0]].spikes_s(samples, trials)) for key, samples in expected.items())
        return ([f"units: none in the file, {len(expected)} in the tables"] if has_spikes else []), 0, 0
    units = file["units"]
    keys: list[_Key] = list(zip(units["probe"][:].tolist(), units["unit_id"][:].tolist(), strict=True))
    ends = units["spike_times_index"][:].astype(np.int64)
    times_s = units["spike_times"]
    if sorted(keys) != sorted(expected) or len(ends) != len(keys):
        counts = f"{len(keys)} in the file, {len(expected)} in the tables"
        return [f"units: {counts}, or with other numbers"], len(keys), len(times_s)
    wrong = [
        f"{unit_id} of probe {probe}"
        for (probe, unit_id), found in zip(keys, _pieces(times_s, ends), strict=True)
        if difference("", found, probes[probe].spikes_s(expected[probe, unit_id], trials))
    ]
    told = [f"spikes: {len(wrong)} of {len(keys)} units differ, as does unit {wrong[0]}"] if wrong else []
    told += [] if ends[-1] == len(times_s) else ["spikes: the file has more than its units"]
    told += _compare_intervals(units, keys, probes, trials)
    told += _compare_columns(units, keys, tables)
    told += _compare_waveforms(units, keys, tables)
    told += _compare_contacts(file, units, keys, tables)
    told += compare_groups(file, "units", "electrode_group")
    rates = np.array([probes[probe].sample_rate_hz for probe, _ in keys])
    told += difference("units.sample_rate_hz", units["sample_rate_hz"][:], rates)
    return told, len(keys), len(times_s)


def _pieces(dataset: Any, ends: NDArray[np.int64], at_once: int = 4_000_000) -> Any:
    """Give each unit's part of a flat dataset, read in large pieces, so that it is never held as a whole."""
    first = np.r_[0, ends[:-1]]
    begin, held = 0, np.zeros(0)
    for one, end in zip(first.tolist(), ends.tolist(), strict=True):
        if end > begin + len(held):
            begin, held = one, dataset[one : max(end, one + at_once)]
        yield held[one - begin : end - begin]


def _compare_intervals(units: Any, keys: list[_Key], probes: Mapping[int, _Probe], trials: pa.Table) -> list[str]:
    of_probe = {probe: one.intervals_s(trials) for probe, one in probes.items()}
    flat = np.concatenate([of_probe[probe] for probe, _ in keys])
    ends = np.cumsum([len(of_probe[probe]) for probe, _ in keys])
    told = difference("obs_intervals (lengths)", units["obs_intervals_index"][:].astype(np.int64), ends, 0.0)
    return told or difference("obs_intervals", units["obs_intervals"][:].ravel(), flat.ravel())


def _compare_columns(units: Any, keys: list[_Key], tables: Mapping[str, pa.Table]) -> list[str]:
    """Every column of `units`, and of the tables beside it, row by row as the file has the units."""
    told = []
    beside = [name for name in _BESIDE if name in tables and tables[name].num_rows]
    told_of = {name: tables[name].column_names for name in _BESIDE if name in tables}
    taken = {column if column == name else f"{name}_{column}" for name, own in told_of.items() for column in own}
    names = unit_column_names(tables["units"].column_names, taken)
    sortings = _sortings(tables["units"])
    known = set(_OF_THE_FILE)
    for name in ("units", *beside):
        rows = _in_order(tables[name], keys, sortings)
        for column in rows.column_names:
            if column not in _OTHERWISE and (name == "units" or column not in ("probe", "unit_id")):
                in_file = names[column] if name == "units" else column if column == name else f"{name}_{column}"
                told += compare_column(units, in_file, f"{name}.{column}", rows[column])
                known |= {in_file, f"{in_file}_index"}
    return told + surplus("units", units, known)


def _sortings(units: pa.Table) -> dict[_Key, str | None]:
    """The version of the sorting that each unit is of."""
    if "sorting" not in units.column_names:
        return {}
    rows = zip(*(units[name].to_pylist() for name in ("probe", "unit_id", "sorting")), strict=True)
    return {(probe, unit_id): sorting for probe, unit_id, sorting in rows}


def _in_order(table: pa.Table, keys: list[_Key], sortings: Mapping[_Key, str | None] | None = None) -> pa.Table:
    """Rows of a table with the keys probe and unit_id as the file has the units; all null where it has no row.

    A row of another sorting than the unit's is none of it, where both are known.
    """
    place = {}
    theirs = table["sorting"].to_pylist() if "sorting" in table.column_names else [None] * table.num_rows
    rows = zip(table["probe"].to_pylist(), table["unit_id"].to_pylist(), theirs, strict=True)
    for row, (probe, unit_id, sorting) in enumerate(rows):
        ours = (sortings or {}).get((probe, unit_id))
        if sorting is None or ours is None or sorting == ours:
            place[probe, unit_id] = row
    return table.take(pa.array([place.get(key) for key in keys], pa.int64()))


def _compare_waveforms(units: Any, keys: list[_Key], tables: Mapping[str, pa.Table]) -> list[str]:
    own = _in_order(tables["units"], keys)["waveform_uv"].to_pylist()
    found = tables.get("unit_waveforms")
    others: list[Any] = [None] * len(keys)
    if found is not None and found.num_rows:
        rows = _in_order(found, keys, _sortings(tables["units"])).to_pylist()
        others = [row["waveform_uv"][: row["n_samples"]] if row["waveform_uv"] is not None else None for row in rows]
    expected = [one or other or [] for one, other in zip(own, others, strict=True)]
    if not any(expected):
        return []
    sources = [
        "units" if one else "unit_waveforms" if other else "none" for one, other in zip(own, others, strict=True)
    ]
    told = [] if texts_of(units["waveform_source"]) == sources else ["units.waveform_source: the file names others"]
    written = units["waveform_mean"]
    padded = np.full(written.shape, np.nan)
    for row, values in enumerate(expected):
        padded[row, : len(values)] = np.asarray(values, np.float32)
    return told + difference("waveforms (uV)", written[:].ravel() * 1e6, padded.ravel(), 1e-3)


def _compare_contacts(file: Any, units: Any, keys: list[_Key], tables: Mapping[str, pa.Table]) -> list[str]:
    """Whether each unit refers to the row of its own electrode."""
    table = tables.get("electrodes", tables.get("probe_sites"))
    if table is None or not table.num_rows:
        return []
    known = set(zip(table["probe"].to_pylist(), table["electrode"].to_pylist(), strict=True))
    peaks = [
        (key[0], one) for key, one in zip(keys, _in_order(tables["units"], keys)["electrode"].to_pylist(), strict=True)
    ]
    expected = [peak for peak in peaks if peak in known]
    if not expected:
        return []
    place = file["general/extracellular_ephys/electrodes"]
    rows = units["electrodes"][:]
    found = list(zip(place["probe"][:][rows].tolist(), place["electrode"][:][rows].tolist(), strict=True))
    ends = np.cumsum([peak in known for peak in peaks])
    told = difference("units.electrode (lengths)", units["electrodes_index"][:].astype(np.int64), ends, 0.0)
    return told + ([] if found == expected else ["units.electrode: the file refers to other contacts"])


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
        is_observed &= trials["until_s"].to_numpy() <= (np.inf if last is None else last)
        if row["offset_s"] is not None and row["probe"] in rates and is_observed.any():
            clock = ClockMap(row["offset_s"], row["drift_ppm"])
            probes[row["probe"]] = _Probe(clock, rates[row["probe"]], is_observed)
    return probes


def _trains(tables: Mapping[str, pa.Table], probes: Mapping[int, _Probe]) -> dict[_Key, NDArray[np.int64]]:
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
