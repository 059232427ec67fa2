"""A made-up laboratory at table level, as large as wanted, without any file of a rig. Its spikes live in `tables_only_spikes`.

For what rests on tables alone: questions over many sessions, and how long they take. The files of rigs are written in
`laboratory`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.simulate.atlas import REGIONS
from map_assets.simulate.chance import generator
from map_assets.simulate.tables_only_spikes import spike_tables
from map_assets.simulate.tables_only_trials import trial_tables
from map_assets.store import Store
from map_assets.vocabulary.table import Table

_TARGETS: Final = (("ALM", "MOs"), ("Midbrain", "SC"), ("Striatum", "CP"), ("Thalamus", "V"), ("Medulla", "IRN"))
_SHARES: Final = (0.34, 0.22, 0.18, 0.16, 0.10)
_QUALITIES: Final = ("good", "mua", "all")


@dataclass(frozen=True)
class TableLab:
    """How large a laboratory is.

    Parameters
    ----------
    n_animals, n_sessions, n_probes, n_units : int
        In all; by default those of the Mesoscale Activity Project's published sessions.
    n_trials, n_contacts, n_waveform_samples : int
        Of a session, of a probe, of a unit's waveform.
    has_spikes : bool
        Whether spikes, their trials, tracking and traced tracks are written too.
    has_foraging : bool
        Whether the last session is one of foraging, without ephys.
    seed : int
    """

    n_animals: int = 28
    n_sessions: int = 174
    n_probes: int = 659
    n_units: int = 272_000
    n_trials: int = 546
    n_contacts: int = 384
    n_waveform_samples: int = 82
    has_spikes: bool = False
    has_foraging: bool = False
    seed: int = 1


FULL: Final = TableLab()
SMALL: Final = TableLab(2, 4, 6, 72, 160, 32, 20, has_spikes=True, has_foraging=True)


def write_tables(root: Path, declared: Mapping[str, Table], lab: TableLab = SMALL) -> list[str]:
    """Write a laboratory's tables into a store.

    Parameters
    ----------
    root : pathlib.Path
        Of the store.
    declared : mapping of str to Table
        Declarations by name; what the rooms declare. A column of theirs that is not made up here is null, or nothing.
    lab : TableLab

    Returns
    -------
    list of str
        The session keys, in order.
    """
    store = Store(root)
    keys = _keys(lab)
    with_ephys = keys[:-1] if lab.has_foraging else keys
    probes = _split(lab.n_probes, len(with_ephys))
    units = _split(lab.n_units, lab.n_probes)
    first_probe = 0
    for number, key in enumerate(keys):
        rng = generator(lab.seed, key)
        tables = trial_tables(key, lab.n_trials, is_foraging=key not in with_ephys, rng=rng)
        tables |= _session_tables(key, number, lab, is_foraging=key not in with_ephys)
        if key in with_ephys:
            n_units = units[first_probe : first_probe + probes[number]]
            first_probe += probes[number]
            tables |= _probe_tables(n_units, lab, rng, number)
            if lab.has_spikes:
                tables |= spike_tables(tables, generator(lab.seed, key, "spikes"))
        for name, columns in tables.items():
            write_columns(store, declared[name], key, columns, rng)
    return keys


def write_columns(
    store: Store, table: Table, session: str, columns: Mapping[str, Any], rng: np.random.Generator | None = None
) -> None:
    """Write a session's table of which some columns are told; with `rng` the measures among the others are made up."""
    n_rows = len(next(iter(columns.values())))
    filled = {**columns, "session": pa.array([session] * n_rows, pa.string())}
    for column in table.columns:
        if column.name in filled:
            continue
        if pa.types.is_floating(column.type) and rng is not None:
            filled[column.name] = rng.gamma(2.0, 1.0, n_rows)
        elif not column.nullable:
            nothing: Any = [] if pa.types.is_list(column.type) else pa.scalar(0).cast(column.type).as_py()
            filled[column.name] = pa.array([nothing] * n_rows, column.type)
    names = [column.name for column in table.columns if column.name in filled]
    store.write(table, session, table.from_columns({name: filled[name] for name in names}))


def _keys(lab: TableLab) -> list[str]:
    per_animal = _split(lab.n_sessions, lab.n_animals)
    begin = datetime(2019, 2, 1, 14, 0, 0, tzinfo=UTC)
    found = []
    for animal, n_sessions in enumerate(per_animal):
        for day in range(n_sessions):
            found.append(f"SC{11 + animal:03d}_{begin + timedelta(days=31 * animal + day):%Y%m%d_%H%M%S}")
    return found


def _session_tables(key: str, number: int, lab: TableLab, *, is_foraging: bool) -> dict[str, dict[str, Any]]:
    """One row a table: the session, its behaviour file, the places of the light."""
    animal, date, time = key.split("_")
    task = {"task": ["foraging"], "task_protocol": [100]} if is_foraging else _DELAY_RESPONSE
    start = datetime.strptime(f"{date}{time}", "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    digest = f"{number + 1:064x}"
    sides = ("left", "right", "both")
    return {
        "sessions": {
            "animal": [animal], "subject": [str(440000 + int(animal[2:]))], "start_time": [start],
            "time_zone": ["America/New_York"], "time_zone_source": ["configuration"], "rig": [f"RRig{number % 3 + 1}"],
            "experimenter": ["Chen, Susu"], "n_trials": [lab.n_trials], "behavior_file": [f"{animal}/{key}.mat"],
            "behavior_sha256": [digest], **task,
        },
        "behavior_file": {
            "file": [f"{animal}/{key}.mat"], "share": ["rig1"], "size": [10**6], "sha256": [digest],
            "n_trials": [lab.n_trials], "start_local": [start.replace(tzinfo=None).isoformat()], **task,
        },
        "photostim_sites": {
            "photostim_site": [f"{side}_alm" for side in sides], "brain_area": ["ALM"] * 3, "hemisphere": list(sides),
            "device": ["OBIS473"] * 3, "wavelength_nm": [473.0] * 3,
        },
    }  # fmt: skip


_DELAY_RESPONSE: Final[dict[str, list[Any]]] = {"task": ["audio delay"], "task_protocol": [1]}


def _probe_tables(
    n_units: list[int], lab: TableLab, rng: np.random.Generator, number: int
) -> dict[str, dict[str, Any]]:
    """Probes with where they were aimed, their contacts with where they lie, and their units."""
    n_probes, n_contacts = len(n_units), lab.n_contacts
    probe = np.arange(1, n_probes + 1)
    # the first probe of every other session is in ALM, the second in the thalamus; the others anywhere
    target = np.r_[[0, 3][: min(n_probes, 2)], rng.choice(5, max(n_probes - 2, 0), p=_SHARES)].astype(int)
    side = np.where((probe + number) % 2 == 0, "left", "right")
    sorting = [f"kilosort2 of probe {n}" for n in probe]
    of_probe = np.repeat(probe, n_units)
    unit_id = np.concatenate([np.arange(n) for n in n_units])
    electrode = rng.integers(0, n_contacts, of_probe.size)
    contact = np.tile(np.arange(n_contacts), n_probes)
    region_id, region = _regions(target, n_contacts)
    quality = rng.choice(_QUALITIES, of_probe.size, p=(0.26, 0.34, 0.40))
    if lab.has_spikes:
        quality[unit_id % 3 == 0] = "good"
    y_um, shift = 20.0 * (contact // 2), 5700.0 + np.where(np.repeat(side, n_contacts) == "left", -1500.0, 1500.0)
    matched = [np.arange(1, lab.n_trials + 1)] * n_probes
    fit = {
        "matched_trials": matched,
        "matched_ephys_trials": matched,
        "offset_s": rng.normal(-5, 1, n_probes),
        "drift_ppm": rng.normal(0, 10, n_probes),
    }
    units = {"probe": of_probe, "unit_id": unit_id}
    return {
        "insertions": {
            "probe": probe, "brain_area": [_TARGETS[n][0] for n in target], "hemisphere": side,
            "ml_um": np.where(side == "left", -1500.0, 1500.0),
        },
        "probes": {
            "probe": probe, "sample_rate_hz": 30000.0 + rng.normal(0, 0.2, n_probes), "probe_type": ["NP1.0"] * n_probes,
            "n_shanks": [1] * n_probes, "sorting": sorting, "sorter": ["kilosort2"] * n_probes,
            "serial_number": [f"172167033{n:02d}" for n in probe], "part_number": ["PRB_1_4_0480_1"] * n_probes,
        },
        "clock_maps": {
            "probe": probe, "n_anchors": [lab.n_trials] * n_probes, "observed_from_s": [-10.0] * n_probes,
            "observed_to_s": [1e5] * n_probes, **fit,
        },
        "sortings": {"probe": probe, "sorting": sorting, "is_current": [True] * n_probes, "n_units": n_units},
        "electrodes": {
            "probe": np.repeat(probe, n_contacts), "electrode": contact, "shank": np.zeros(contact.size, int),
            "x_um": 16.0 * (contact % 2) + 11, "y_um": y_um, "is_used": [True] * contact.size, "region_id": region_id,
            "region": region, "region_status": ["labelled"] * contact.size, "position_source": ["traced"] * contact.size,
            "hemisphere": np.repeat(side, n_contacts), "ccf_ap_um": 4000.0 + 40 * (contact % 5),
            "ccf_dv_um": 4800.0 - y_um, "ccf_ml_um": shift + rng.normal(0, 20, contact.size),
        },
        "units": {
            **units, "sorting": np.array(sorting, object)[of_probe - 1], "quality": quality, "electrode": electrode,
            "x_um": 16.0 * (electrode % 2) + 11, "y_um": 20.0 * (electrode // 2), "waveform_uv": _waveforms(lab, unit_id, rng),
            "firing_rate_hz": rng.gamma(1.5, 3.0, of_probe.size), "n_spikes": rng.integers(100, 40_000, of_probe.size),
        },
        "unit_stats": {**units, "n_trials": [lab.n_trials] * of_probe.size, "rate_hz": rng.gamma(1.5, 3.0, of_probe.size)},
        "cell_type": {**units, "cell_type": rng.choice(("FS", "Pyr"), of_probe.size, p=(0.2, 0.8))},
        "unit_classes": {
            **units, "class": np.where(quality == "good", "good", "unlabelled"), "file": ["goodunits.mat"] * of_probe.size,
            "file_modified_at": [datetime(2023, 1, 1, tzinfo=UTC)] * of_probe.size,
        },
    }  # fmt: skip


def _regions(target: NDArray[np.int64], n_contacts: int) -> tuple[NDArray[np.int64], list[str]]:
    """Give each contact a region: those of the probe's target, from tip to surface."""
    ids = np.concatenate([_ids_of(int(n))[np.arange(n_contacts) * len(_ids_of(int(n))) // n_contacts] for n in target])
    return ids, [REGIONS[int(region_id)].acronym for region_id in ids]


def _ids_of(target: int) -> NDArray[np.int64]:
    return np.array([key for key, found in REGIONS.items() if found.acronym.startswith(_TARGETS[target][1])])


def _waveforms(lab: TableLab, unit_id: NDArray[np.int64], rng: np.random.Generator) -> pa.ListArray:
    """A trough and a slower peak, and noise."""
    t_ms = np.arange(lab.n_waveform_samples) / 30.0 - 0.5
    shape = -np.exp(-((t_ms / 0.1) ** 2)) + 0.3 * np.exp(-(((t_ms - 0.4) / 0.25) ** 2))
    values = (rng.gamma(4.0, 25.0, (unit_id.size, 1)) * shape + rng.normal(0, 1, (unit_id.size, t_ms.size))).astype(
        np.float32
    )
    offsets = np.arange(unit_id.size + 1, dtype=np.int32) * t_ms.size
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.ravel()))


def _split(n: int, parts: int) -> list[int]:
    """Split a number into whole parts that differ by one at most."""
    edges = np.arange(parts + 1) * n // parts
    return [int(one) for one in np.diff(edges)]
