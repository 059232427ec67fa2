"""Probes of the file: devices, electrode groups and electrodes. Where an electrode is in the brain is found in `ccf`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.nwb.columns import (
    column,
    column_name,
    floats,
    meaning_of,
    names_of,
    plain_column,
    plain_name,
    texts,
    wholes,
)

_TOLD = frozenset(
    {
        "session",
        "probe",
        "shank",
        "electrode",
        "is_used",
        "channel",
        "x_um",
        "y_um",
        "ccf_ap_um",
        "ccf_dv_um",
        "ccf_ml_um",
    }
    | {"region", "region_status", "hemisphere"}
)
"""Columns of `electrodes` that have a form of their own in the file; every other one stands there as it is."""

NO_REGION = "root"
"""The whole brain in the Allen ontology: the location of an electrode of which no finer region is known."""

_ALLEN_SPELLING = {
    **{f"CUL4 5{layer}": f"CUL4, 5{layer}" for layer in ("", "gr", "mo", "pu")},
    **{f"Mm{part}": f"MM{part}" for part in ("d", "l", "m", "me", "p")},
}
"""Acronyms that our ontology (iblatlas's) spells otherwise than the Allen Institute, whose terms NWB wants."""

_CCF = {
    "x": ("ccf_ap_um", "position in the Allen CCF along AP, posterior positive (um); NaN where not traced"),
    "y": ("ccf_dv_um", "position in the Allen CCF along DV, inferior positive (um); NaN where not traced"),
    "z": ("ccf_ml_um", "position in the Allen CCF along ML, right positive (um); NaN where not traced"),
}


def probes_of(tables: Mapping[str, pa.Table]) -> list[int]:
    """Return the session's probes: all that any table knows."""
    names = ("probes", "probe_sites", "electrodes", "units")
    return sorted({probe for name in names if name in tables for probe in pc.unique(tables[name]["probe"]).to_pylist()})


def add_probes(nwbfile: Any, tables: Mapping[str, pa.Table]) -> None:
    """Add each probe's device and electrode group, and the electrodes of all probes."""
    rows = {row["probe"]: row for row in tables["probes"].to_pylist()} if "probes" in tables else {}
    aims = {row["probe"]: row for row in tables["insertions"].to_pylist()} if "insertions" in tables else {}
    electrodes = electrodes_of(tables)
    for probe in probes_of(tables):
        name = f"probe{probe}"
        nwbfile.create_electrode_group(
            name=name,
            description=f"Recorded contacts of probe {probe}.",
            location=_location(probe, aims.get(probe), electrodes),
            device=_device(nwbfile, name, probe, rows.get(probe, {})),
        )
    if electrodes is not None:
        _add_electrodes(nwbfile, electrodes)


def _device(nwbfile: Any, name: str, probe: int, row: Mapping[str, Any]) -> Any:
    model = None
    if row.get("probe_type"):
        kind = plain_name(row["probe_type"])
        part = row.get("part_number")
        model_name = f"{kind} ({plain_name(part)})" if part else kind
        if model_name not in nwbfile.device_models:
            is_neuropixels = "neuropixels" in kind.lower()
            nwbfile.create_device_model(
                name=model_name,
                manufacturer="imec" if is_neuropixels else "unknown",
                model_number=part or None,
                description=f"{kind} probe, shanks: {row.get('n_shanks') or 'unknown'}.",
            )
        model = nwbfile.device_models[model_name]
    rate = f" sampled at {row['sample_rate_hz']:.9g} Hz" if row.get("sample_rate_hz") else ""
    return nwbfile.create_device(
        name=name,
        description=f"Probe of insertion {probe}{rate}.",
        serial_number=row.get("serial_number") or None,
        model=model,
    )


def _location(probe: int, insertion: Mapping[str, Any] | None, electrodes: pa.Table | None) -> str:
    parts = [] if insertion is None else _target(insertion)
    if electrodes is not None and "region" in electrodes.column_names:
        regions = pc.unique(electrodes.filter(pc.equal(electrodes["probe"], probe))["region"].drop_null()).to_pylist()
        parts += [f"traced through {', '.join(sorted(regions))}"] if regions else []
    return "; ".join(parts) or "unknown"


def _target(insertion: Mapping[str, Any]) -> list[str]:
    area = " ".join(part for part in (insertion["brain_area"], insertion["hemisphere"]) if part)
    places = {"AP": insertion["ap_um"], "ML": insertion["ml_um"], "depth": insertion["depth_um"]}
    angles = {"theta": insertion["theta_deg"], "phi": insertion["phi_deg"], "beta": insertion["beta_deg"]}
    told = [f"{name} {value:+.0f} um" for name, value in places.items() if value is not None]
    told += [f"{name} {value:g} deg" for name, value in angles.items() if value is not None]
    reference = insertion["skull_reference"]
    source = f" from {reference} (anterior, right and dorsal positive)" if reference else ""
    return [f"aimed at {area}"] * bool(area) + [f"{', '.join(told)}{source}"] * bool(told)


def electrodes_of(tables: Mapping[str, pa.Table]) -> pa.Table | None:
    """All recorded contacts in order of probe and contact, with their channel where it is known; None without any."""
    known = tables.get("electrodes", tables.get("probe_sites"))
    if known is None or not known.num_rows:
        return None
    sites = tables.get("probe_sites")
    if "channel" not in known.column_names and sites is not None:
        channels = sites.select(["probe", "electrode", "channel"])
        known = known.join(channels, ["probe", "electrode"], join_type="left outer")
    return known.sort_by([("probe", "ascending"), ("electrode", "ascending")])


def _add_electrodes(nwbfile: Any, electrodes: pa.Table) -> None:
    from pynwb.ecephys import ElectrodesTable

    names = [f"probe{probe}" for probe in electrodes["probe"].to_pylist()]
    columns = [
        *_places(electrodes),
        column("group", "electrode group: the probe", [nwbfile.electrode_groups[name] for name in names]),
        column("group_name", "name of the electrode group", names),
        column("rel_x", "place across the probe (um)", floats(electrodes["x_um"])),
        column("rel_y", "place along the shank from the tip-most row (um)", floats(electrodes["y_um"])),
        column("probe", "insertion number, from 1", wholes(electrodes["probe"])),
        column("shank", "shank of the probe, from 0", wholes(electrodes["shank"])),
        column("electrode", "contact number on the whole probe, from 0", wholes(electrodes["electrode"])),
        column("is_used", "false for reference contacts", np.asarray(electrodes["is_used"].to_numpy(), np.bool_)),
    ]
    if "channel" in electrodes.column_names:
        made = plain_column("channel", "row among the saved AP channels, from 0; NaN if unknown", electrodes["channel"])
        columns += [] if made is None else [made]
    for field in electrodes.schema:
        if field.name not in _TOLD:
            made = plain_column(column_name(field.name), meaning_of(field), electrodes[field.name])
            columns += [] if made is None else [made]
    nwbfile.electrodes = ElectrodesTable(columns=columns, colnames=names_of(columns))


def allen_acronym(region: str) -> str:
    """Return a region's acronym as the Allen Institute spells it."""
    return _ALLEN_SPELLING.get(region, region)


def _places(electrodes: pa.Table) -> list[Any]:
    """Region and position in the brain; only the region, of which nothing is known, where there is no histology."""
    if "region" not in electrodes.column_names:
        return [column("location", f"{NO_REGION}: not traced", [NO_REGION] * electrodes.num_rows)]
    columns = [
        column(
            "location",
            f"acronym of the Allen CCF region; {NO_REGION} (the whole brain) where region_status is not labelled",
            [allen_acronym(one) for one in texts(electrodes["region"], NO_REGION)],
        ),
        column(
            "region_status",
            meaning_of(electrodes.schema.field("region_status")),
            texts(electrodes["region_status"]),
        ),
    ]
    for name, (source, meaning) in _CCF.items():
        made = plain_column(name, meaning, electrodes[source])
        columns += [] if made is None else [made]
    if electrodes["hemisphere"].null_count < electrodes.num_rows:
        meaning = "left or right by the CCF midline; unknown where not traced"
        columns.append(column("hemisphere", meaning, texts(electrodes["hemisphere"], "unknown")))
    return columns


def electrode_rows(nwbfile: Any, probe: NDArray[np.integer], electrode: NDArray[np.float64]) -> NDArray[np.int64]:
    """Row of each (probe, electrode) in the electrodes table of the file; -1 where it has none.

    Parameters
    ----------
    probe : numpy.ndarray of int, shape (n,)
    electrode : numpy.ndarray of float, shape (n,)
        Contact number; NaN where unknown.
    """
    rows = np.full(len(probe), -1, np.int64)
    if nwbfile.electrodes is None:
        return rows
    of_table = {name: np.asarray(nwbfile.electrodes[name].data, np.int64) for name in ("probe", "electrode")}
    stride = int(of_table["electrode"].max()) + 1
    known = of_table["probe"] * stride + of_table["electrode"]
    wanted = np.where(np.isfinite(electrode) & (electrode < stride), np.nan_to_num(electrode), -1).astype(np.int64)
    keys = np.where(wanted >= 0, np.asarray(probe, np.int64) * stride + wanted, -1)
    order = np.argsort(known)
    place = np.minimum(np.searchsorted(known[order], keys), len(known) - 1)
    found = order[place]
    return np.where(known[found] == keys, found, -1)
