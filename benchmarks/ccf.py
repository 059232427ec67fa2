"""How fast points are looked up in the annotation volume, and what opening and making it takes.

The volume is the file named on the command line or by MAP_ANNOTATION_NRRD, by default Allen's 25 um volume among the
shared test files, else the made-up brain at 25 um. What is looked up is compared with the nrrd file itself before it is
timed. Making, opening and looking up are each done in a process of their own whose peak of memory is reported: MiB
resident for the whole process, Python and its libraries with it, and how much of that opening and 10,000 lookups at
random places added. The same is done with a volume of 10 um, the 25 um one with its voxels repeated. Prints one JSON
object; lookups are the best of nine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "ccf" / "annotation_25.nrrd"
N_POINTS = 10_000
FINE_UM, FINE_SHAPE = 10.0, (1320, 800, 1140)


def main() -> None:
    """Write what is missing, compare, time, report."""
    if sys.argv[1:2] == ["make"]:
        print(json.dumps(make(Path(sys.argv[2]), Path(sys.argv[3]))))
        return
    if sys.argv[1:2] == ["open"]:
        print(json.dumps(open_and_look_up(Path(sys.argv[2]))))
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        nrrd = source(root)
        coarse = in_processes(nrrd, root / "coarse")
        labels = by_the_library(nrrd)
        compare(root / "coarse", labels)
        report = {**coarse, "nearest_1k_ms": nearest_ms(root / "coarse")}
        report |= {"nearest_session_ms": nearest_session_ms(root / "coarse"), "closure_join_ms": closure_join_ms()}
        fine_nrrd = write_fine(root / "annotation_10.nrrd", labels)
        del labels
        fine = in_processes(fine_nrrd, root / "fine")
        report |= {f"{name}_at_10_um": value for name, value in fine.items()}
    print(
        json.dumps(report | {"volume": nrrd.name if nrrd == REAL or "MAP_ANNOTATION_NRRD" in os.environ else "made up"})
    )


def source(root: Path) -> Path:
    """Give the 25 um volume; a made-up one where there is no real one."""
    named = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MAP_ANNOTATION_NRRD", "")
    if named or REAL.is_file():
        return Path(named or REAL)
    from map_assets.simulate.atlas import make_volume, write_volume

    return write_volume(root / "annotation_25.nrrd", make_volume(25.0))


def in_processes(nrrd: Path, store: Path) -> dict[str, float]:
    """Make and open in processes of their own, so that each peak of memory is that step's alone."""
    found: dict[str, float] = {}
    for step in (["make", str(nrrd), str(store)], ["open", str(store)]):
        done = subprocess.run([sys.executable, __file__, *step], check=True, capture_output=True, text=True)
        found |= json.loads(done.stdout.splitlines()[-1])
    return found


def make(nrrd: Path, store: Path) -> dict[str, float]:
    """Check the volume and make its copy; s and MiB."""
    import pyarrow.parquet as pq

    from map_assets.ccf.annotation import make_annotation

    began, worked = time.perf_counter(), time.process_time()
    table = make_annotation(nrrd, store)
    found = {"make_s": time.perf_counter() - began, "make_cpu_s": time.process_time() - worked}
    pq.write_table(table, store / "row.parquet")
    copy_mib = (store / table["array_file"][0].as_py()).stat().st_size / 2**20
    return {
        **{name: round(value, 2) for name, value in found.items()},
        "make_mib": peak_mib(),
        "copy_mib": round(copy_mib),
    }


def open_and_look_up(store: Path) -> dict[str, float]:
    """Open the copy and look points up; s, ms and MiB."""
    import pyarrow.parquet as pq

    from map_assets.ccf.annotation import AnnotationVolume

    row = pq.read_table(store / "row.parquet")
    points = points_in(row)
    before_mib = peak_mib()
    began = time.perf_counter()
    volume = AnnotationVolume.open(store, row)
    open_s = time.perf_counter() - began
    took_ms = []
    for _ in range(9):
        began = time.perf_counter()
        volume.region_ids(points)
        took_ms.append((time.perf_counter() - began) * 1e3)
    return {
        "lookup_10k_ms": round(min(took_ms), 2),
        "first_lookup_10k_ms": round(took_ms[0], 2),
        "open_s": round(open_s, 4),
        "open_mib": peak_mib(),
        "open_added_mib": peak_mib() - before_mib,
    }


def peak_mib() -> int:
    """Most memory that this process has had resident, MiB; `resource` would count that of the process it was started from."""
    with Path("/proc/self/status").open() as stream:
        return next(int(line.split()[1]) for line in stream if line.startswith("VmHWM:")) // 1024


def points_in(row: Any) -> NDArray[np.float64]:
    """Points all over the volume, AP, DV, ML, um."""
    voxel_um = row["voxel_um"][0].as_py()
    extent = [row[name][0].as_py() * voxel_um for name in ("n_ap", "n_dv", "n_ml")]
    return np.random.default_rng(1).uniform(0, extent, (N_POINTS, 3))


def by_the_library(nrrd: Path) -> NDArray[Any]:
    """Read the volume whole, by the nrrd library."""
    import nrrd as library

    labels, _ = library.read(str(nrrd))
    return np.asarray(labels)


def opened(store: Path) -> Any:
    """Open the copy."""
    import pyarrow.parquet as pq

    from map_assets.ccf.annotation import AnnotationVolume

    return AnnotationVolume.open(store, pq.read_table(store / "row.parquet"))


def compare(store: Path, labels: NDArray[Any]) -> None:
    """Hold lookups and whole planes against the volume as the library reads it."""
    volume = opened(store)
    voxels = np.random.default_rng(2).integers(0, labels.shape, (200_000, 3))
    found = volume.region_ids((voxels + 0.5) * volume.voxel_um)
    assert np.array_equal(found, labels[tuple(voxels.T)])
    assert np.count_nonzero(found) > 20_000
    for plane in range(0, labels.shape[2], 50):
        assert np.array_equal(volume.block((0, 0, plane), (*labels.shape[:2], plane + 1))[:, :, 0], labels[:, :, plane])


def nearest_ms(store: Path) -> float:
    """Find the nearest region of 1,000 points of four tracks above the brain; ms."""
    from map_assets.ccf.nearest import nearest_regions

    volume = opened(store)
    rng = np.random.default_rng(3)
    tracks = [rng.uniform((4000, -300, ml), (4300, 500, ml + 300), (250, 3)) for ml in (2000, 4000, 7000, 9000)]
    nearest_regions(volume, tracks[0][:1])
    began = time.perf_counter()
    _, distance_um = nearest_regions(volume, np.concatenate(tracks))
    assert np.isfinite(distance_um).all()
    return round((time.perf_counter() - began) * 1e3, 1)


def nearest_session_ms(store: Path) -> float:
    """Find the nearest region of the contacts of eight probes of four shanks that reach up to 4 mm above the brain; ms."""
    from map_assets.ccf.nearest import nearest_regions

    volume = opened(store)
    above = np.linspace(-4000, 400, 900)
    points = np.stack(np.meshgrid(np.linspace(3000, 9300, 8), above, np.linspace(3000, 3750, 4), indexing="ij"), -1)
    began = time.perf_counter()
    _, distance_um = nearest_regions(volume, points.reshape(-1, 3))
    assert np.isfinite(distance_um).all()
    return round((time.perf_counter() - began) * 1e3, 1)


def closure_join_ms() -> float:
    """Find all of 100,000 units that are under TH, by the closure in SQL; ms, best of five."""
    import duckdb
    import pyarrow as pa

    from map_assets.ccf.closure import make_closure
    from map_assets.ccf.ontology import is_under, make_ontology

    ontology = make_ontology()
    closure, ids = make_closure(ontology), ontology["region_id"].to_numpy()
    units = pa.table({"unit_id": np.arange(100_000), "region_id": np.random.default_rng(4).choice(ids, 100_000)})
    database = duckdb.connect()
    database.register("closure", closure)
    database.register("units", units)
    took_ms = []
    for _ in range(5):
        began = time.perf_counter()
        query = "select unit_id from units join closure using (region_id) where under = 'TH'"
        found = database.sql(query).fetchnumpy()["unit_id"]
        took_ms.append((time.perf_counter() - began) * 1e3)
    assert len(found) == np.isin(units["region_id"], list(is_under(ontology, "TH"))).sum() > 0
    return round(min(took_ms), 1)


def write_fine(path: Path, labels: NDArray[Any]) -> Path:
    """Write a volume of 10 um by repeating voxels of a coarser one, plane by plane: 1320 x 800 x 1140 of 32 bits."""
    nearest = [
        np.minimum(((np.arange(n) + 0.5) * size / n).astype(int), size - 1)
        for n, size in zip(FINE_SHAPE, labels.shape, strict=True)
    ]
    header = (
        "NRRD0004\ntype: unsigned int\ndimension: 3\nspace: left-posterior-superior\n"
        f"sizes: {' '.join(map(str, FINE_SHAPE))}\n"
        f"space directions: ({FINE_UM:g},0,0) (0,{FINE_UM:g},0) (0,0,{FINE_UM:g})\n"
        "kinds: domain domain domain\nendian: little\nencoding: gzip\nspace origin: (0,0,0)\n\n"
    )
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    with path.open("wb") as stream:
        stream.write(header.encode())
        for plane in nearest[2]:
            fine = labels[:, :, plane][np.ix_(nearest[0], nearest[1])].astype("<u4")
            stream.write(packer.compress(fine.tobytes(order="F")))
        stream.write(packer.flush())
    return path


if __name__ == "__main__":
    main()
