"""Probes and units of the profile ``dandi-000363``. Its trials, events and tracking live in `published`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.nwb.columns import column, distinct_names, floats, names_of, ragged, texts, wholes
from map_assets.nwb.joined import rows_of
from map_assets.nwb.observed import ObservedProbe
from map_assets.nwb.probes import electrodes_of, probes_of
from map_assets.nwb.units import placed_probes, spike_times_of
from map_assets.nwb.waveforms import waveforms_uv
from map_assets.vocabulary.frame import published_xyz_from_ccf

UNIT_COLUMNS: dict[str, tuple[str, str]] = {
    "unit_posx": ("units", "x_um"),
    "unit_posy": ("units", "y_um"),
    "unit_amp": ("units", "amplitude_uv"),
    "unit_snr": ("units", "snr"),
    "isi_violation": ("unit_stats", "isi_violation"),
    "avg_firing_rate": ("unit_stats", "rate_hz"),
    "drift_metric": ("drift", "drift_metric"),
    "left_trials_drift_metric": ("", ""),
    "right_trials_drift_metric": ("", ""),
    **{
        name: ("units", name)
        for name in (
            *("presence_ratio", "amplitude_cutoff", "isolation_distance", "l_ratio", "d_prime", "nn_hit_rate"),
            *("nn_miss_rate", "silhouette_score", "max_drift", "cumulative_drift", "duration", "halfwidth", "pt_ratio"),
            *("repolarization_slope", "recovery_slope", "spread", "velocity_above", "velocity_below"),
        )
    },
}
"""Published columns of numbers, in their order, and the table and column that each is taken from; NaN where that is unknown."""

_QUALITY = {"mua": "multi"}
_NEVER = "N/A"


def add_published_units(nwbfile: Any, trials: pa.Table, tables: Mapping[str, pa.Table]) -> list[str]:
    """Add devices, electrode groups, electrodes and units under the published names."""
    groups = _add_groups(nwbfile, tables)
    electrodes = electrodes_of(tables)
    if electrodes is not None:
        _add_electrodes(nwbfile, electrodes, groups)
    if "units" not in tables or not trials.num_rows:
        return []
    probes, notes = placed_probes(tables)
    probes = [in_trials(one, trials) for one in probes]
    units = tables["units"].sort_by([("probe", "ascending")])
    units = units.filter(pc.is_in(units["probe"], pa.array([one.probe for one in probes], pa.int64())))
    if units.num_rows:
        _add_units(nwbfile, units, trials, probes, groups, tables)
    return notes


def in_trials(probe: ObservedProbe, trials: pa.Table) -> ObservedProbe:
    """Cut what a probe observed to the trials from their start to their stop, each an interval of its own."""
    start_s, stop_s, until_s = (floats(trials[name]) for name in ("start_s", "stop_s", "until_s"))
    stop_s = np.minimum(stop_s, until_s)
    is_in = np.zeros(len(start_s), bool)
    for first_s, last_s in probe.intervals_s:
        is_in |= (start_s >= first_s) & (until_s <= last_s)
    return dataclasses.replace(probe, intervals_s=np.column_stack([start_s, stop_s])[is_in])


def _add_groups(nwbfile: Any, tables: Mapping[str, pa.Table]) -> dict[int, Any]:
    rows = {row["probe"]: row for row in tables["probes"].to_pylist()} if "probes" in tables else {}
    aims = {row["probe"]: row for row in tables["insertions"].to_pylist()} if "insertions" in tables else {}
    probes = probes_of(tables)
    known = [rows.get(probe, {}) for probe in probes]
    serials = [row.get("serial_number") or f"probe{probe}" for probe, row in zip(probes, known, strict=True)]
    kinds = [row.get("probe_type") or "unknown type" for row in known]
    groups = {}
    names = zip(
        distinct_names([f"{serial} ({kind})" for serial, kind in zip(serials, kinds, strict=True)]),
        distinct_names([f"{serial} {_sites(probe, tables)}" for probe, serial in zip(probes, serials, strict=True)]),
        strict=True,
    )
    for probe, kind, (device, group) in zip(probes, kinds, names, strict=True):
        nwbfile.create_device(name=device, description=kind)
        groups[probe] = nwbfile.create_electrode_group(
            name=group,
            description=json.dumps({"probe_type": kind, "insertion_number": probe}),
            location=_location(aims.get(probe)),
            device=nwbfile.devices[device],
        )
    return groups


def _sites(probe: int, tables: Mapping[str, pa.Table]) -> str:
    """Name a probe's configuration after its first and last contact, from 1."""
    electrodes = electrodes_of(tables)
    if electrodes is None:
        return "unknown"
    of_probe = electrodes.filter(pc.equal(electrodes["probe"], probe))["electrode"]
    return f"{pc.min(of_probe).as_py() + 1}-{pc.max(of_probe).as_py() + 1}" if len(of_probe) else "unknown"


def _location(aim: Mapping[str, Any] | None) -> str:
    """Where a probe was aimed, as the published files write it: a mapping of texts."""
    if aim is None or not aim["brain_area"]:
        return _NEVER
    named = {"skull_reference": "skull_reference", "ap_location": "ap_um", "ml_location": "ml_um", "depth": "depth_um"}
    named |= {"theta": "theta_deg", "phi": "phi_deg", "beta": "beta_deg"}
    area = " ".join(one for one in (aim["hemisphere"], aim["brain_area"]) if one)
    return json.dumps({"brain_regions": area} | {name: str(aim[source]) for name, source in named.items()})


def _add_electrodes(nwbfile: Any, electrodes: pa.Table, groups: Mapping[int, Any]) -> None:
    from pynwb.ecephys import ElectrodesTable

    n = electrodes.num_rows
    group = [groups[probe] for probe in electrodes["probe"].to_pylist()]
    places = _places(electrodes)
    columns = [
        column("x", "ML in the CCF, from the right (um): more than 5700 is on the left", places[:, 0]),
        column("y", "DV in the CCF (um)", places[:, 1]),
        column("z", "AP in the CCF (um)", places[:, 2]),
        column("imp", "not measured", np.full(n, -1.0)),
        column("location", "where the probe was aimed", [one.location for one in group]),
        column("filtering", "not told", [""] * n),
        column("group", "electrode group", group),
        column("group_name", "name of the electrode group", [one.name for one in group]),
        column("rel_x", "across the probe (um)", floats(electrodes["x_um"])),
        column("rel_y", "along the probe (um)", floats(electrodes["y_um"])),
        column("rel_z", "not told", np.full(n, np.nan)),
        column("electrode", "contact on the whole probe, from 1", wholes(electrodes["electrode"]) + 1),
        column("shank", "shank, from 1", wholes(electrodes["shank"]) + 1),
        column("shank_col", "column on the shank, from 1", _rank(electrodes, "x_um")),
        column("shank_row", "row on the shank, from 1 at the tip", _rank(electrodes, "y_um")),
    ]
    nwbfile.electrodes = ElectrodesTable(columns=columns, colnames=names_of(columns))


def _rank(electrodes: pa.Table, name: str) -> NDArray[np.int64]:
    """Place of each contact among the different values of its shank, from 1."""
    shank = wholes(electrodes["probe"]) * 64 + wholes(electrodes["shank"])
    values = floats(electrodes[name])
    ranks = np.zeros(len(values), np.int64)
    for one in np.unique(shank):
        ranks[shank == one] = np.unique(values[shank == one], return_inverse=True)[1] + 1
    return ranks


def _add_units(
    nwbfile: Any,
    units: pa.Table,
    trials: pa.Table,
    probes: list[ObservedProbe],
    groups: Mapping[int, Any],
    tables: Mapping[str, pa.Table],
) -> None:
    from hdmf.common import DynamicTableRegion, VectorData, VectorIndex
    from pynwb.misc import Units

    times_s, ends, _ = spike_times_of(units, tables["spikes"], probes)
    of_unit = np.searchsorted([one.probe for one in probes], units["probe"].to_numpy())
    start_s = floats(trials["start_s"])
    intervals = [one.intervals_s for one in probes]
    classes = _joined("unit_classes", units, tables)
    quality = [_QUALITY.get(one, one) for one in texts(units["quality"])]
    columns = [
        column("unit", "the sorter's own number", wholes(units["unit_id"])),
        column("sampling_rate", "of the probe (Hz)", np.array([int(one.sample_rate_hz) for one in probes])[of_unit]),
        column("unit_quality", "the sorter's or curator's label", quality),
        *(
            column(name, f"{source} of {table}" if table else "not made", _numbers(table, source, units, tables))
            for name, (table, source) in UNIT_COLUMNS.items()
        ),
        column(
            "classification",
            "good or unlabelled; N/A where nothing was classified",
            _known(classes, "class", _NEVER, units.num_rows),
        ),
        column("anno_name", "CCF region of a good unit", _known(classes, "annotation", "", units.num_rows)),
        column(
            "is_good_trials",
            "for each trial of the table trials whether the probe observed it",
            np.array([np.isin(start_s, one[:, 0]) for one in intervals])[of_unit],
        ),
        *ragged("spike_times", "spikes in trials (s)", times_s, ends),
        *ragged(
            "obs_intervals",
            "trials that the probe observed (s)",
            np.concatenate([intervals[one] for one in of_unit]),
            np.cumsum([len(intervals[one]) for one in of_unit]),
        ),
    ]
    if nwbfile.electrodes is not None:
        rows = _electrode_rows(units, tables)
        region = DynamicTableRegion(
            name="electrodes", data=rows[rows >= 0], description="the peak contact", table=nwbfile.electrodes
        )
        columns += [
            region,
            VectorIndex(name="electrodes_index", data=np.cumsum(rows >= 0).astype(np.uint64), target=region),
        ]
    waveforms, _ = waveforms_uv(units, tables)
    columns.append(column("electrode_group", "the probe", [groups[probe] for probe in units["probe"].to_pylist()]))
    if waveforms.shape[1]:
        columns.append(VectorData(name="waveform_mean", description="on the peak contact (uV)", data=waveforms))
        columns.append(
            VectorData(name="waveform_sd", description="not made", data=np.full((units.num_rows, 1), np.nan))
        )
    nwbfile.units = Units(
        name="units",
        description="Units of the session.",
        columns=columns,
        colnames=names_of(columns),
        resolution=1.0 / min(one.sample_rate_hz for one in probes),  # without which readers ask for a rate
    )


def _places(electrodes: pa.Table) -> NDArray[np.float64]:
    """Return x, y, z as the release has them, which is not NWB's own order; NaN where not traced."""
    names = [f"ccf_{axis}_um" for axis in ("ap", "dv", "ml")]
    if not set(names) <= set(electrodes.column_names):
        return np.full((electrodes.num_rows, 3), np.nan)
    return published_xyz_from_ccf(np.column_stack([floats(electrodes[name]) for name in names]))


def _joined(name: str, units: pa.Table, tables: Mapping[str, pa.Table]) -> pa.Table | None:
    table = units if name == "units" else tables.get(name)
    if table is None or not table.num_rows:
        return None
    return table if name == "units" else table.take(rows_of(units, table))


def _numbers(name: str, source: str, units: pa.Table, tables: Mapping[str, pa.Table]) -> NDArray[np.float64]:
    table = _joined(name, units, tables) if name else None
    if table is None or source not in table.column_names:
        return np.full(units.num_rows, np.nan)
    return floats(table[source])


def _known(table: pa.Table | None, name: str, unknown: str, n: int) -> list[str]:
    return [unknown] * n if table is None else texts(table[name], unknown)


def _electrode_rows(units: pa.Table, tables: Mapping[str, pa.Table]) -> NDArray[np.int64]:
    """Row of each unit's peak contact among the electrodes; -1 where it has none."""
    electrodes = electrodes_of(tables)
    assert electrodes is not None
    contacts = electrodes.select(["probe"]).append_column("unit_id", electrodes["electrode"])
    peaks = units.select(["probe"]).append_column("unit_id", pc.fill_null(units["electrode"], -1))
    return np.asarray(pc.fill_null(rows_of(peaks, contacts), -1).to_numpy(zero_copy_only=False), np.int64)
