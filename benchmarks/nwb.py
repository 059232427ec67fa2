"""How fast a full MAP session becomes a NWB file: 4 probes, 2,000 units, 60 million spikes, 550 trials, 3 tracked cameras.

Every measurement is a process of its own, so that its peak memory is its own; what is compared takes turns. Prints one
JSON object:

- `write_s`, `peak_mib`: the whole file, from tables in memory (reading them is not counted) to the closed file.
- `inspect_s`, `inspect_peak_mib`: the schema's validation, the inspector and the round trip of that file.
- `x_add_unit`, `x_neuroconv`: all units with their spikes and intervals alone, over a loop of pynwb's `add_unit` and over
  neuroconv's `write_sorting_to_nwbfile` as they come, both on all units. They are given spikes on the session clock; ours
  carries them over from the probes' samples, deflates them and writes electrode groups and intervals, too. `add_unit`
  compresses nothing. neuroconv deflates unshuffled times by gzip at level 4, as is its default; at level 1, ours,
  `x_neuroconv_level_1` compares. Spike times of all files are equal to 1 ns, and `units_mib` tells how large each is.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

N_FRAMES, CAMERAS, FEATURES, CAMERA_HZ = 1200, ("side", "bottom", "body"), ("jaw", "nose", "tongue"), 294.1176
STAGES = (
    *("behavior", "sessions", "insertions", "recordings", "clock_maps", "sortings", "probes", "unit_waveforms"),
    *("lfp_power", "coverage", "trial_spikes", "histology", "electrodes", "unit_stats", "cell_type", "drift"),
    "unit_criteria",
)
TICKS_A_S = 10**9
TOLERANCE_S = 1e-9


def main() -> None:
    """Make the session, measure, compare, report."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("MAP_ASSETS_BENCH_FOLDER")) as folder:
        root = Path(folder)
        child("make", root)
        whole = child("whole", root)
        inspected = child("inspect", root)
        ours = [child("ours", root)]
        loop = child("add_unit", root)
        ours.append(child("ours", root))
        neuroconv = child("neuroconv", root)
        ours.append(child("ours", root))
        quick = child("neuroconv_level_1", root)
        ours.append(child("ours", root))
        equal = child("compare", root)
        print(json.dumps({"ours": ours, "add_unit": loop, "neuroconv": neuroconv, "level_1": quick}), file=sys.stderr)
        ours_s = statistics.median(one["s"] for one in ours)
        print(
            json.dumps(
                {
                    "write_s": round(whole["s"], 2),
                    "peak_mib": round(whole["peak_mib"]),
                    "x_add_unit": round(loop["s"] / ours_s, 1),
                    "x_neuroconv": round(neuroconv["s"] / ours_s, 1),
                    "x_neuroconv_level_1": round(quick["s"] / ours_s, 1),
                    "units_mib": {
                        name: round((root / f"{name}.nwb").stat().st_size / 2**20)
                        for name in ("ours", "add_unit", "neuroconv", "neuroconv_level_1")
                    },
                    "units_s": round(ours_s, 2),
                    "add_unit_s": round(loop["s"], 1),
                    "neuroconv_s": round(neuroconv["s"], 1),
                    "inspect_s": round(inspected["s"], 2),
                    "inspect_peak_mib": round(inspected["peak_mib"]),
                    "file_mib": round(whole["file_mib"]),
                    "n_units": equal["n_units"],
                    "n_spikes": equal["n_spikes"],
                }
            )
        )


def child(*arguments: str | Path) -> dict[str, float]:
    """Run one part of this file in a process of its own and take its last line."""
    done = subprocess.run(
        [sys.executable, __file__, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def make(root: Path) -> dict[str, float]:
    """Simulate the session and make its tables; the tracking is made up here, for its files are slow to write."""
    import pyarrow.parquet as pq

    from map_assets.config import load_config
    from map_assets.defs.services import Services
    from map_assets.defs.stage import LAB
    from map_assets.defs.stages import BY_NAME, LAB_STAGES
    from map_assets.defs.work import perform
    from map_assets.shares.refresh import refresh
    from map_assets.shares.scan import scan_all
    from map_assets.simulate.laboratory import simulate

    written = simulate(root, "map-session")
    services = Services(load_config(written.config))
    for sheet in (written.people, written.animals, written.insertions):
        services.registry.import_sheet(sheet, who="benchmark")
    scan_all(services.shares, services.ledger)
    for stage in LAB_STAGES:
        perform(stage, LAB, services)
    (session,) = services.ledger.sessions()
    for name in STAGES:
        perform(BY_NAME[name], session, services)
        refresh(services.ledger)
    pq.write_table(tracking(session, services.store.read("trials", session)), root / "tracking.parquet")
    return {"n_units": services.store.read("units", session, ["n_spikes"]).num_rows}


def tracking(session: str, trials: pa.Table) -> pa.Table:
    """Make up three body parts in three cameras in every trial."""
    from map_assets.tracking.tables import TRACKING

    rng = np.random.default_rng(1)
    frame = np.arange(N_FRAMES, dtype=np.int32)
    starts = zip(trials["trial"].to_pylist(), trials["start_s"].to_pylist(), strict=True)
    same = {"session": session, "n_frames": N_FRAMES, "rate_hz": CAMERA_HZ, "time_source": "frame index / rate"}
    return TRACKING.from_rows(
        same
        | {
            "trial": trial,
            "camera": camera,
            "feature": feature,
            "frame": frame,
            "frame_s": start_s + frame / CAMERA_HZ,
            "x_px": 200 + rng.normal(0, 3, N_FRAMES).astype(np.float32),
            "y_px": 150 + rng.normal(0, 3, N_FRAMES).astype(np.float32),
            "likelihood": rng.random(N_FRAMES, np.float32),
            "file": "x.csv",
        }
        for trial, start_s in starts
        for camera in CAMERAS
        for feature in FEATURES
    )


def load(root: Path) -> tuple[Any, str, dict[str, pa.Table]]:
    """Read the tables of the session."""
    import pyarrow.parquet as pq

    from map_assets.config import load_config
    from map_assets.defs.services import Services
    from map_assets.nwb.write import OPTIONAL, REQUIRED

    services = Services(load_config(root / "map_assets.toml"))
    (session,) = services.store.sessions("sessions")
    found = {name: services.store.read_if_there(name, session) for name in (*REQUIRED, *OPTIONAL)}
    tables = {name: table for name, table in found.items() if table is not None}
    return services, session, tables | {"tracking": pq.read_table(root / "tracking.parquet")}


def whole(root: Path) -> dict[str, float]:
    """Write the whole file."""
    import pynwb  # noqa: F401 - importing it is not writing

    from map_assets.nwb.write import write_nwb

    services, session, tables = load(root)
    subject = services.registry.subject_of(session.partition("_")[0])
    path = root / "whole.nwb"
    began = time.perf_counter()
    write_nwb(path, session, tables, subject, services.laboratory)
    return measured(began) | {"file_mib": path.stat().st_size / 2**20}


def inspect(root: Path) -> dict[str, float]:
    """Pass the whole file through its gates."""
    from map_assets.nwb.inspect import inspect_nwb
    from map_assets.nwb.verdicts import nwb_gives_the_tables_back, nwb_is_clean, nwb_validates

    _, _, tables = load(root)
    began = time.perf_counter()
    found = inspect_nwb(root / "whole.nwb", tables)
    for verdict in (nwb_validates, nwb_is_clean, nwb_gives_the_tables_back):
        if not verdict(found).passed:
            raise SystemExit(verdict(found).description)
    return measured(began)


def ours(root: Path) -> dict[str, float]:
    """Write the units alone, from the probes' samples."""
    from map_assets.nwb.probes import add_probes
    from map_assets.nwb.units import add_units
    from map_assets.nwb.write import write_file

    _, _, tables = load(root)
    keys = tables["units"].select(["session", "probe", "unit_id"])
    few = {name: tables[name] for name in ("trials", "spikes", "clock_maps", "probes")} | {"units": keys}
    nwbfile = empty_file()
    began = time.perf_counter()
    add_probes(nwbfile, few)
    add_units(nwbfile, few)
    write_file(root / "ours.nwb", nwbfile)
    return measured(began)


def add_unit(root: Path) -> dict[str, float]:
    """Write the units alone, one after the other."""
    units, times_s, ends, intervals = trains(root)
    nwbfile = empty_file()
    began = time.perf_counter()
    nwbfile.add_unit_column("probe", "insertion number, from 1")
    nwbfile.add_unit_column("unit_id", "the sorter's own number")
    for (probe, unit_id), first, end, observed in zip(units, np.r_[0, ends[:-1]], ends, intervals, strict=True):
        nwbfile.add_unit(spike_times=times_s[first:end], obs_intervals=observed, probe=probe, unit_id=unit_id)
    save(root / "add_unit.nwb", nwbfile)
    return measured(began)


def neuroconv(root: Path) -> dict[str, float]:
    """Write the units alone by neuroconv, from a sorting in memory, as it comes."""
    from neuroconv.tools.spikeinterface import write_sorting_to_nwbfile

    sorting, metadata = sorting_in_memory(root)
    began = time.perf_counter()
    write_sorting_to_nwbfile(sorting, nwbfile_path=root / "neuroconv.nwb", metadata=metadata, overwrite=True)
    return measured(began)


def neuroconv_level_1(root: Path) -> dict[str, float]:
    """Write them by neuroconv once more, deflated at our level."""
    from neuroconv.tools.nwb_helpers import (
        configure_and_write_nwbfile,
        get_default_backend_configuration,
        make_nwbfile_from_metadata,
    )
    from neuroconv.tools.spikeinterface import add_sorting_to_nwbfile

    sorting, metadata = sorting_in_memory(root)
    began = time.perf_counter()
    nwbfile = make_nwbfile_from_metadata(metadata)
    add_sorting_to_nwbfile(sorting, nwbfile=nwbfile)
    backend = get_default_backend_configuration(nwbfile, "hdf5")
    for dataset in backend.dataset_configurations.values():
        dataset.compression_options = {"level": 1}
    path = root / "neuroconv_level_1.nwb"
    configure_and_write_nwbfile(nwbfile=nwbfile, nwbfile_path=path, backend="hdf5", backend_configuration=backend)
    return measured(began)


def sorting_in_memory(root: Path) -> tuple[Any, dict[str, Any]]:
    """Make the sorting that neuroconv is given, in ticks of a nanosecond, and the fields that it wants."""
    from spikeinterface.core import NumpySorting

    units, times_s, ends, _ = trains(root)
    samples = np.round(times_s * TICKS_A_S).astype(np.int64)
    pieces = np.split(samples, ends[:-1])
    sorting = NumpySorting.from_unit_dict([dict(enumerate(pieces))], float(TICKS_A_S))
    sorting.set_property("probe", np.array([probe for probe, _ in units]))
    sorting.set_property("sorter_unit_id", np.array([unit_id for _, unit_id in units]))
    return sorting, {"NWBFile": {"session_start_time": datetime(2024, 3, 12, tzinfo=UTC)}}


def trains(root: Path) -> tuple[list[tuple[int, int]], Any, Any, list[Any]]:
    """Read the units' spikes on the session clock out of the whole file."""
    import h5py

    with h5py.File(root / "whole.nwb") as file:
        units = file["units"]
        keys = list(zip(units["probe"][:].tolist(), units["unit_id"][:].tolist(), strict=True))
        ends = units["spike_times_index"][:].astype(np.int64)
        intervals = np.split(units["obs_intervals"][:], units["obs_intervals_index"][:-1].astype(np.int64))
        return keys, units["spike_times"][:], ends, intervals


def compare(root: Path) -> dict[str, float]:
    """Hold the spikes of all files against each other, unit by unit."""
    import h5py

    _, expected_s, ends, _ = trains(root)
    for name in ("ours", "add_unit", "neuroconv", "neuroconv_level_1"):
        with h5py.File(root / f"{name}.nwb") as file:
            if not np.array_equal(file["units/spike_times_index"][:], ends):
                raise SystemExit(f"{name} has other units")
            far_s = float(np.abs(file["units/spike_times"][:] - expected_s).max())
            if far_s > TOLERANCE_S:
                raise SystemExit(f"{name} differs by {far_s} s")
    return {"n_units": len(ends), "n_spikes": len(expected_s)}


def empty_file() -> Any:
    """Make a NWB file in memory."""
    from pynwb import NWBFile

    return NWBFile("a session", "an identifier", datetime(2024, 3, 12, tzinfo=UTC))


def save(path: Path, nwbfile: Any) -> None:
    """Write it."""
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)


def measured(began: float) -> dict[str, float]:
    """Seconds since `began`, and the most memory that this process ever held, MiB."""
    passed = time.perf_counter() - began
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return {"s": passed, "peak_mib": int(line.split()[1]) / 1024}
    return {"s": passed, "peak_mib": float("nan")}


PARTS = (make, whole, inspect, ours, add_unit, neuroconv, neuroconv_level_1, compare)

if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        print(json.dumps({one.__name__: one for one in PARTS}[sys.argv[1]](Path(sys.argv[2]))))
