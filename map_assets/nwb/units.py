"""Units of the file, written as whole columns. When a probe observed the session is decided in `observed`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.nwb.columns import (
    column,
    floats,
    meaning_of,
    names_of,
    plain_column,
    ragged,
    unit_column_names,
    wholes,
)
from map_assets.nwb.joined import JOINED, joined_columns, joined_name, n_of_other_sortings
from map_assets.nwb.observed import ObservedProbe, observe
from map_assets.nwb.probes import electrode_rows
from map_assets.nwb.waveforms import waveform_columns

_OWN_MEANING = {
    "n_spikes": "spikes of the unit in the whole sorting; those outside obs_intervals are not in this file",
    "electrode": "contact with the largest waveform, numbered on the whole probe, from 0; NaN if unknown",
}


def add_units(nwbfile: Any, tables: Mapping[str, pa.Table]) -> list[str]:
    """Add the units of every probe that observed the session.

    Returns
    -------
    list of str
        Sentences on what is left out and why.
    """
    probes, notes = placed_probes(tables)
    units = tables["units"].sort_by([("probe", "ascending")])
    kept = units.filter(pc.is_in(units["probe"], pa.array([one.probe for one in probes], pa.int64())))
    if not kept.num_rows:
        return notes
    spike_times, ends, n_outside = spike_times_of(kept, tables["spikes"], probes)
    for name in JOINED:
        if name in tables and (n_others := n_of_other_sortings(kept, tables[name])):
            notes.append(f"{n_others} rows of {name} are left out: they are of another sorting than the units.")
    if n_outside:
        notes.append(f"{n_outside} spikes outside the units' obs_intervals are left out.")
    if not len(spike_times):
        # readers and the inspector know no units without spikes
        return [*notes, f"The {kept.num_rows} units are left out: none has a spike in an observed trial."]
    _add_table(nwbfile, kept, tables, probes, spike_times, ends)
    return notes


def placed_probes(tables: Mapping[str, pa.Table]) -> tuple[list[ObservedProbe], list[str]]:
    """Return the probes whose units can be placed on the session clock, and a sentence on each of the others."""
    units = tables["units"]
    probes: list[ObservedProbe] = []
    notes = []
    for probe in sorted(pc.unique(units["probe"]).to_pylist()):
        found = observe(probe, tables)
        if isinstance(found, ObservedProbe):
            probes.append(found)
        else:
            n_units = pc.sum(pc.equal(units["probe"], probe)).as_py()
            notes.append(f"The {n_units} units of probe {probe} are left out: {found}.")
    return probes, notes


def spike_times_of(
    units: pa.Table, spikes: pa.Table, probes: Sequence[ObservedProbe]
) -> tuple[NDArray[np.float64], NDArray[np.int64], int]:
    """All units' observed spikes on the session clock, s, one unit after the other; their ends; how many are left out.

    Trains are carried over one by one, straight into their place: a whole session's samples are never held twice.
    """
    trains = dict(_trains(spikes))
    by_number = {one.probe: one for one in probes}
    times_s = np.empty(pc.sum(pc.list_value_length(spikes["samples"])).as_py() or 0, np.float64)
    ends = np.zeros(units.num_rows, np.int64)
    n_written, n_outside = 0, 0
    for row, (number, unit_id) in enumerate(zip(wholes(units["probe"]), wholes(units["unit_id"]), strict=True)):
        samples = trains.get((number, unit_id))
        if samples is not None:
            observed_s = by_number[number].observed_s(samples)
            times_s[n_written : n_written + len(observed_s)] = observed_s
            n_written += len(observed_s)
            n_outside += len(samples) - len(observed_s)
        ends[row] = n_written
    return times_s[:n_written], ends, n_outside


def _trains(spikes: pa.Table) -> Iterator[tuple[tuple[int, int], NDArray[np.int64]]]:
    """Each unit's samples, as views into the table."""
    for batch in spikes.select(["probe", "unit_id", "samples"]).to_batches():
        offsets = batch["samples"].offsets.to_numpy()
        flat = batch["samples"].values.to_numpy()
        units = zip(batch["probe"].to_pylist(), batch["unit_id"].to_pylist(), strict=True)
        for unit, first, end in zip(units, offsets[:-1], offsets[1:], strict=True):
            yield unit, flat[first:end]


def _add_table(
    nwbfile: Any,
    units: pa.Table,
    tables: Mapping[str, pa.Table],
    probes: Sequence[ObservedProbe],
    spike_times: NDArray[np.float64],
    ends: NDArray[np.int64],
) -> None:
    from pynwb.misc import Units

    rates = np.array([one.sample_rate_hz for one in probes])
    columns = [
        *ragged("spike_times", "observed spikes on the session clock (s)", spike_times, ends),
        *_obs_intervals(units, probes),
        *_described(units, tables),
        *joined_columns(units, tables),
        *_electrodes(nwbfile, units),
        column(
            "electrode_group",
            "the probe",
            [nwbfile.electrode_groups[f"probe{probe}"] for probe in units["probe"].to_pylist()],
        ),
        column("sample_rate_hz", "nominal sample rate of the probe (Hz)", rates[_index_of_probe(units, probes)]),
        *waveform_columns(units, tables),
    ]
    nwbfile.units = Units(
        name="units",
        description="One cluster of one sorting, with the sorter's own number in unit_id. Spike times are carried from "
        "the probe's clock onto the session clock; outside obs_intervals a unit is unobserved, not silent.",
        columns=columns,
        colnames=names_of(columns),
        waveform_rate=float(rates.mean()) if np.ptp(rates) <= 1e-3 * rates.mean() else None,
        waveform_unit="volts",
        resolution=float(1.0 / rates.min()),
    )


def _index_of_probe(units: pa.Table, probes: Sequence[ObservedProbe]) -> NDArray[np.intp]:
    return np.asarray(np.searchsorted([one.probe for one in probes], units["probe"].to_numpy()), np.intp)


def _obs_intervals(units: pa.Table, probes: Sequence[ObservedProbe]) -> list[Any]:
    n_units = [int((units["probe"].to_numpy() == one.probe).sum()) for one in probes]
    tiled = [np.tile(one.intervals_s, (n, 1)) for one, n in zip(probes, n_units, strict=True)]
    lengths = np.repeat([len(one.intervals_s) for one in probes], n_units)
    meaning = "when the probe observed the session: runs of trials found in its recording (s)"
    return ragged("obs_intervals", meaning, np.concatenate(tiled), np.cumsum(lengths))


def _described(units: pa.Table, tables: Mapping[str, pa.Table]) -> list[Any]:
    """The columns of `units` that are numbers or texts, metrics too; a metric that no unit has is left out."""
    taken = {joined_name(name, field) for name in JOINED if name in tables for field in tables[name].column_names}
    names = unit_column_names(units.column_names, taken)
    made = (
        plain_column(names[field.name], _OWN_MEANING.get(field.name, meaning_of(field)), units[field.name])
        for field in units.schema
        if field.name in names
    )
    return [one for one in made if one is not None]


def _electrodes(nwbfile: Any, units: pa.Table) -> list[Any]:
    """The electrode with the largest waveform as a reference to the electrodes table; an empty cell where unknown."""
    from hdmf.common import DynamicTableRegion, VectorIndex

    if nwbfile.electrodes is None:
        return []
    rows = electrode_rows(nwbfile, units["probe"].to_numpy(), floats(units["electrode"]))
    if not (rows >= 0).any():
        return []
    region = DynamicTableRegion(
        name="electrodes",
        description="the electrode with the largest waveform",
        data=rows[rows >= 0],
        table=nwbfile.electrodes,
    )
    return [region, VectorIndex(name="electrodes_index", data=np.cumsum(rows >= 0).astype(np.uint64), target=region)]
