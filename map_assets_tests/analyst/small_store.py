"""A small store made by hand: three sessions, two of them with ephys, one with a figure and an NWB file.

What every number is follows from `SPIKE_SECONDS` and the trial table alone, so that tests can count by hand.
"""

from __future__ import annotations

import struct
import zlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from map_assets.analyses.tables import UNIT_STATS
from map_assets.behavior.tables import LICKS, TRIALS
from map_assets.ccf.tables import CCF_ONTOLOGY, ELECTRODES
from map_assets.ephys.tables import CLOCK_MAPS, PROBES, SPIKES, TRIAL_SPIKES, UNITS
from map_assets.figures.tables import BEHAVIOR_PERFORMANCE, UNIT_RASTER_PSTH
from map_assets.nwb.tables import NWB_FILE
from map_assets.sessions.tables import SESSIONS
from map_assets.store import Store
from map_assets.vocabulary.clock import ClockMap
from map_assets.vocabulary.table import Table

WHOLE = "SC022_20190228_151010"
OTHER = "SC035_20200107_120000"
BEHAVIOR_ONLY = "SC099_20210301_090000"
ALL = [WHOLE, OTHER, BEHAVIOR_ONLY]

RATE_HZ = {1: 30000.173, 2: 29999.5}
CLOCK = {1: ClockMap(-4.321, 7.5), 2: ClockMap(2.5, -11.25)}
"""Probe 1 recorded from before trial 1, probe 2 only from trial 10 on."""
FIRST_TRIAL = {1: 1, 2: 10}
UNIT_IDS = {1: [3, 7, 12], 2: [0, 7]}
QUALITY = {(1, 3): "mua", (1, 7): "good", (1, 12): "good", (2, 0): "good", (2, 7): "noise"}
REGION = {(1, 3): "MOs5", (1, 7): "MOs2/3", (1, 12): None, (2, 0): "VAL", (2, 7): "MOs5"}

N_TRIALS = 40
SKIPPED = 11
WITHOUT_GO = 7

_REGIONS = [
    (997, "root", "root", None),
    (8, "grey", "Basic cell groups and regions", 997),
    (993, "MOs", "Secondary motor area", 8),
    (962, "MOs2/3", "Secondary motor area, layer 2/3", 993),
    (767, "MOs5", "Secondary motor area, layer 5", 993),
    (549, "TH", "Thalamus", 8),
    (629, "VAL", "Ventral anterior-lateral complex of the thalamus", 549),
    (723, "ORBl", "Orbital area, lateral part", 8),
]


def written(store: Store, table: Table, session: str, columns: dict[str, list]) -> None:
    """Write a table; required columns that this store does not care for are filled with nothings."""
    n_rows = len(next(iter(columns.values())))
    nothing = {
        column.name: [[] if pa.types.is_list(column.type) else pa.scalar(0).cast(column.type).as_py()] * n_rows
        for column in table.columns
        if not column.nullable and column.name not in {*columns, "session"}
    }
    named = {"session": [session] * n_rows} if "session" in table.schema.names else {}
    store.write(table, session, table.from_columns({**named, **nothing, **columns}))


def trial_table() -> dict[str, list]:
    """Trials of 6 s, one skipped, one without a go cue; every third is a miss, every fifth has light."""
    numbers = [trial for trial in range(1, N_TRIALS + 1) if trial != SKIPPED]
    start_s = [6.0 * (trial - 1) + 0.01 * (trial % 7) for trial in numbers]
    has_light = [trial % 5 == 0 for trial in numbers]
    return {
        "trial": numbers,
        "start_s": start_s,
        "stop_s": [start + 5.0 for start in start_s],
        "until_s": [6.0 * trial + 0.01 * ((trial + 1) % 7) for trial in numbers[:-1]] + [start_s[-1] + 5.0],
        "instruction": ["left" if trial % 2 else "right" for trial in numbers],
        "outcome": ["miss" if trial % 3 == 0 else "hit" for trial in numbers],
        "early_lick": [trial % 8 == 0 for trial in numbers],
        "is_free_water": [trial == WITHOUT_GO for trial in numbers],
        "sample_s": [start + 0.5 for start in start_s],
        "delay_s": [start + 1.15 for start in start_s],
        "go_s": [None if trial == WITHOUT_GO else start + 2.35 for trial, start in zip(numbers, start_s, strict=True)],
        "photostim_onset_s": [start + 1.15 if light else None for light, start in zip(has_light, start_s, strict=True)],
        "photostim_duration_s": [0.5 if light else None for light in has_light],
        "photostim_power_mw": [5.5 if light else None for light in has_light],
        "photostim_site": ["left_alm" if light else None for light in has_light],
    }


def _samples() -> dict[tuple[int, int], np.ndarray]:
    """Spikes in samples: background, and for unit 7 of probe 1 a burst of 8 after each go cue of a hit; unit 12 is silent."""
    rng = np.random.default_rng(22)
    trials = trial_table()
    go_s = np.array([np.nan if go is None else go for go in trials["go_s"]])
    is_hit = np.array(trials["outcome"]) == "hit"
    bursts = (go_s[is_hit & np.isfinite(go_s)][:, None] + 0.02 + 0.02 * np.arange(8)).ravel()
    samples = {}
    for probe, unit_ids in UNIT_IDS.items():
        from_s, to_s = (CLOCK[probe].session_s(0.0), 240.0) if probe == 1 else (trials["start_s"][8], 240.0)
        for unit_id in unit_ids:
            seconds = np.array([]) if (probe, unit_id) == (1, 12) else rng.uniform(from_s, to_s, 1500)
            if (probe, unit_id) == (1, 7):
                seconds = np.r_[seconds, bursts]
            samples[probe, unit_id] = np.unique(
                np.round(CLOCK[probe].probe_s(seconds) * RATE_HZ[probe]).astype(np.int64)
            )
    return samples


SAMPLES = _samples()
SPIKE_SECONDS = {
    (probe, unit_id): CLOCK[probe].session_s(samples / RATE_HZ[probe]) for (probe, unit_id), samples in SAMPLES.items()
}


def write_behavior(store: Store, session: str) -> None:
    trials = trial_table()
    written(
        store, SESSIONS, session,
        {
            "animal": [session.split("_")[0]], "start_time": [datetime(2019, 2, 28, 20, 10, 10, tzinfo=UTC)],
            "time_zone": ["America/New_York"], "task": ["delay response"], "n_trials": [N_TRIALS],
        },
    )  # fmt: skip
    written(store, TRIALS, session, trials)
    licks = [
        (trial, n, go + 0.2 + 0.1 * n, side)
        for trial, go, side in zip(trials["trial"], trials["go_s"], trials["instruction"], strict=True)
        if go is not None
        for n in range(2)
    ]
    written(
        store, LICKS, session, dict(zip(["trial", "lick_id", "time_s", "port"], zip(*licks, strict=True), strict=True))
    )


def write_ephys(store: Store, session: str, **more_unit_columns: list) -> None:
    """Probes, clock maps, units, spikes and trial_spikes; unit 12 of probe 1 is silent and has no row in spikes."""
    named = [(probe, unit_id) for probe, unit_ids in UNIT_IDS.items() for unit_id in unit_ids]
    of = {"probe": [probe for probe, _ in named], "unit_id": [unit_id for _, unit_id in named]}
    probes = {"probe": list(CLOCK), "sample_rate_hz": [RATE_HZ[n] for n in CLOCK], "sorter": ["kilosort2"] * 2}
    written(store, PROBES, session, probes)
    fits = {
        "offset_s": [fit.offset_s for fit in CLOCK.values()],
        "drift_ppm": [fit.drift_ppm for fit in CLOCK.values()],
    }
    written(store, CLOCK_MAPS, session, {"probe": list(CLOCK), **fits})
    units = {
        "quality": [QUALITY[pair] for pair in named],
        "electrode": [None if pair == (2, 7) else 10 * n for n, pair in enumerate(named)],
        "n_spikes": [len(SAMPLES[pair]) for pair in named],
        "waveform_uv": [[0.0, -50.0, 10.0]] * len(named),
    }
    written(store, UNITS, session, {**of, **units, **more_unit_columns})
    loud = [pair for pair in named if len(SAMPLES[pair])]
    columns = {"probe": [pair[0] for pair in loud], "unit_id": [pair[1] for pair in loud]}
    written(store, SPIKES, session, {**columns, "samples": [SAMPLES[pair].tolist() for pair in loud]})
    trials = trial_table()
    bounds = zip(trials["trial"], trials["start_s"], [*trials["start_s"][1:], trials["stop_s"][-1]], strict=True)
    rows = [
        (*pair, trial, *np.searchsorted(SPIKE_SECONDS[pair], [start, end]).tolist())
        for trial, start, end in bounds
        for pair in named
        if trial >= FIRST_TRIAL[pair[0]]
    ]
    probe, unit_id, trial, first, last = (list(column) for column in zip(*rows, strict=True))
    n_spikes = [to - since for since, to in zip(first, last, strict=True)]
    columns = {"probe": probe, "unit_id": unit_id, "trial": trial, "first_spike": first, "n_spikes": n_spikes}
    written(store, TRIAL_SPIKES, session, columns)


def write_places(store: Store, session: str) -> None:
    """Electrodes of all units that have one, and a bare one in ORBl."""
    ids = {region: region_id for region_id, region, *_ in _REGIONS}
    regions = [REGION[1, 3], REGION[1, 7], REGION[1, 12], "ORBl", REGION[2, 0]]
    columns = {
        "probe": [1, 1, 1, 1, 2],
        "electrode": [0, 10, 20, 30, 30],
        "region": regions,
        "region_id": [ids.get(region) for region in regions],
        "region_status": ["outside" if region is None else "labelled" for region in regions],
        "ccf_ml_um": [4200.0] * 5,
    }
    written(store, ELECTRODES, session, columns)


def write_stats(store: Store, session: str) -> None:
    written(
        store,
        UNIT_STATS,
        session,
        {"probe": [1] * 3, "unit_id": UNIT_IDS[1], "n_trials": [39] * 3, "rate_hz": [0.5] * 3},
    )


def write_ontology(store: Store) -> None:
    columns = dict(
        zip(["region_id", "region", "name", "parent_id"], map(list, zip(*_REGIONS, strict=True)), strict=True)
    )
    written(store, CCF_ONTOLOGY, "lab", columns)


def png(red: int) -> bytes:
    """A picture of one pixel."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = zlib.compress(bytes([0, red, 0, 0]))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


def write_figures(store: Store, session: str, red: int = 200) -> None:
    """One figure that was drawn, and one that is not applicable."""
    name = BEHAVIOR_PERFORMANCE.name
    drawn = store.write_file(name, session, ".png", lambda path: path.write_bytes(png(red)))
    svg = store.write_file(name, session, ".svg", lambda path: path.write_text("<svg/>"))
    files = {
        "png_file": [drawn.path.relative_to(store.root).as_posix()],
        "svg_file": [svg.path.relative_to(store.root).as_posix()],
    }
    written(store, BEHAVIOR_PERFORMANCE, session, {"status": ["drawn"], "data_sha256": [f"{red:064x}"], **files})
    written(store, UNIT_RASTER_PSTH, session, {"status": ["not applicable"], "reason": ["no unit has a good label"]})


def write_nwb(store: Store, session: str) -> None:
    from pynwb import NWBHDF5IO, NWBFile

    nwb = NWBFile(session_description="made by hand", identifier=session, session_start_time=datetime.now(UTC))
    for start, stop in zip(trial_table()["start_s"], trial_table()["stop_s"], strict=True):
        nwb.add_trial(start_time=start, stop_time=stop)
    for spikes_s in SPIKE_SECONDS.values():
        nwb.add_unit(spike_times=spikes_s)

    def write(path: Path) -> None:
        made = path.with_suffix(".nwb")
        with NWBHDF5IO(str(made), "w") as io:
            io.write(nwb)
        made.rename(path)

    version = store.write_file("nwb", session, ".nwb", write)
    path = version.path.relative_to(store.root).as_posix()
    written(store, NWB_FILE, session, {"path": [path], "sha256": [version.sha256], "n_units": [len(SPIKE_SECONDS)]})


def build_small_store(root: Path) -> Path:
    """Write all of it under `root` and return `root`."""
    store = Store(root)
    for session in ALL:
        write_behavior(store, session)
    write_ontology(store)
    write_ephys(store, WHOLE)
    write_places(store, WHOLE)
    write_stats(store, WHOLE)
    write_figures(store, WHOLE)
    write_nwb(store, WHOLE)
    write_ephys(store, OTHER, depth_rank=[1, 2, 3, 4, 5])
    return root
