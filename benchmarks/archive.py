"""How fast a session gets into an archive in a folder, and how much memory many small files take.

Prints one JSON object:

- `per_cp_and_sha256sum`: manifest, copy and reading back (through the journal, every copy made durable and read back
  from the disk) of a session of 4 GiB, over ``cp`` of the same files followed by ``sha256sum`` on both sides; the best
  of each, taken in turn. Before any time is taken, our hashes are held against those of ``sha256sum``, file by file.
- `per_synced_cp_and_sha256sum`: the same, where theirs makes its copies durable too (``sync -f``).
- `hash_per_core`: bytes hashed a second by the manifest of one large file, over what one core hashes from memory.
- `small_files_peak_mib`, `small_files_s`: 100,000 small files through manifest, copy, reading back and receipt, in a
  process of its own.

``MAP_ASSETS_BENCH_GIB`` and ``MAP_ASSETS_BENCH_FILES`` make it smaller, ``MAP_ASSETS_BENCH_FOLDER`` says where.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

    from map_assets.archive.journal import Journal

SESSION = "SC022_20190228_151010"
GIB = float(os.environ.get("MAP_ASSETS_BENCH_GIB", "4"))
N_SMALL = int(os.environ.get("MAP_ASSETS_BENCH_FILES", "100000"))
REPEATS = 3
PARTS = {"run_g0_t0.imec0.ap.bin": 0.4, "run_g0_t0.imec1.ap.bin": 0.35, "run_g0_t0.nidq.bin": 0.05}
"""What part of the bytes each large file has; the rest are videos."""
N_VIDEOS = 100


def main() -> None:
    """Write the session, compare, measure the small files, report."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("MAP_ASSETS_BENCH_FOLDER")) as folder:
        root = Path(folder)
        share = write_session(root / "rig1")
        check_equal(share, root)
        ours, theirs, synced = [], [], []
        for _ in range(REPEATS):
            theirs.append(in_turn(root, lambda work: cp_and_sha256sum(share, work, is_synced=False)))
            ours.append(in_turn(root, lambda work: archive(share, work)))
            synced.append(in_turn(root, lambda work: cp_and_sha256sum(share, work, is_synced=True)))
        rates = hash_rates(share / next(iter(PARTS)))
        shutil.rmtree(share)
        command = [sys.executable, __file__, "small", str(root)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        small = json.loads(done.stdout.splitlines()[-1])
        print(json.dumps({"ours_s": ours, "theirs_s": theirs, "synced_s": synced, **rates}), file=sys.stderr)
        print(
            json.dumps(
                {
                    "per_cp_and_sha256sum": round(min(ours) / min(theirs), 2),
                    "per_synced_cp_and_sha256sum": round(min(ours) / min(synced), 2),
                    "hash_per_core": round(rates["manifest_gb_s"] / rates["core_gb_s"], 2),
                    "small_files_peak_mib": round(small["peak_mib"]),
                    "small_files_s": round(small["seconds"], 1),
                    "archive_s": round(min(ours), 2),
                    "gib": GIB,
                    "n_small": small["n_files"],
                }
            )
        )


def write_session(share: Path) -> Path:
    """Write the large files and the videos, of random bytes, and let the disk have them."""
    share.mkdir()
    n_bytes = int(GIB * (1 << 30))
    sizes = {name: int(part * n_bytes) for name, part in PARTS.items()}
    rest = n_bytes - sum(sizes.values())
    sizes |= {f"{SESSION}_side_{n}-0000.avi": rest // N_VIDEOS for n in range(N_VIDEOS)}
    random = np.random.default_rng(4)
    for name, size in sizes.items():
        with (share / name).open("wb") as stream:
            for start in range(0, size, 1 << 24):
                stream.write(random.bytes(min(1 << 24, size - start)))
    os.sync()
    return share


def in_turn(root: Path, deed: Callable[[Path], float]) -> float:
    """Time a deed in a fresh folder, the disk at rest, and clear away what it made."""
    work = root / "work"
    work.mkdir()
    os.sync()
    try:
        return deed(work)
    finally:
        shutil.rmtree(work)
        os.sync()


def archive(share: Path, work: Path) -> float:
    """Seconds for manifest, copy and reading back."""
    from map_assets.archive.journal import Journal

    journal = Journal(f"sqlite:///{work}/registry.db")
    began = time.perf_counter()
    move(share, work, journal)
    return time.perf_counter() - began


def move(share: Path, work: Path, journal: Journal) -> pa.Table:
    """Let a share's files through manifest, transfer and verification; every one must be verified."""
    from map_assets.archive.backends.folder import FolderArchive
    from map_assets.archive.manifest import make_manifest
    from map_assets.archive.transfer import transfer_session
    from map_assets.archive.verification import verify_session
    from map_assets.vocabulary.files import FoundFile

    def found() -> list[FoundFile]:
        return [
            FoundFile("rig1", share, PurePosixPath(path.relative_to(share)), "raw", path.stat().st_size, 0)
            for path in share.rglob("*")
            if path.is_file()
        ]

    manifest, rejected = make_manifest(SESSION, found())
    backend = FolderArchive(work / "archive")
    transfer_session(SESSION, manifest, {"rig1": share}, backend, journal)
    verified = verify_session(SESSION, manifest, {"rig1": share}, backend, journal)
    if rejected or verified.num_rows != manifest.num_rows or verified["sha256"].null_count:
        raise SystemExit(f"{len(rejected)} files were rejected, {verified['sha256'].null_count} not verified")
    return manifest


def cp_and_sha256sum(share: Path, work: Path, *, is_synced: bool) -> float:
    """Seconds for ``cp`` and ``sha256sum`` on both sides."""
    began = time.perf_counter()
    subprocess.run(["cp", "-r", share, work / "copy"], check=True)
    if is_synced:
        subprocess.run(["sync", "-f", work / "copy"], check=True)
    lists = [sha256sum(folder) for folder in (share, work / "copy")]
    took = time.perf_counter() - began
    if lists[0] != lists[1]:
        raise SystemExit("cp made another file")
    return took


def sha256sum(folder: Path) -> dict[str, str]:
    """Hash the files of a folder as the system does."""
    names = sorted(path.name for path in folder.iterdir())
    done = subprocess.run(["sha256sum", "--", *names], cwd=folder, check=True, capture_output=True, text=True)
    return {line[66:]: line[:64] for line in done.stdout.splitlines()}


def check_equal(share: Path, root: Path) -> None:
    """Archive once, and hold manifest and archived files against the system's own hashes."""
    from map_assets.archive.journal import Journal

    work = root / "check"
    work.mkdir()
    manifest = move(share, work, Journal(f"sqlite:///{work}/registry.db"))
    ours = dict(zip(manifest["path"].to_pylist(), manifest["sha256"].to_pylist(), strict=True))
    if not ours == sha256sum(share) == sha256sum(work / "archive" / SESSION / "rig1"):
        raise SystemExit("the archive is not what sha256sum finds on the share")
    shutil.rmtree(work)


def hash_rates(path: Path) -> dict[str, float]:
    """How many GB a second one core hashes from memory, and the manifest's one pass over a file; best of three."""
    from map_assets.archive.manifest import make_manifest
    from map_assets.vocabulary.files import FoundFile

    block = np.random.default_rng(5).bytes(1 << 28)
    size = path.stat().st_size
    file = FoundFile("rig1", path.parent, PurePosixPath(path.name), "raw", size, 0)

    def rate(n_bytes: int, deed: Callable[[], object]) -> float:
        times = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            deed()
            times.append(time.perf_counter() - began)
        return n_bytes / min(times) / 1e9

    return {
        "core_gb_s": rate(len(block), lambda: hashlib.sha256(block)),
        "manifest_gb_s": rate(size, lambda: make_manifest(SESSION, [file], workers=1)),
    }


def small_files(root: Path) -> dict[str, float]:
    """Archive many small files with a receipt, in this process."""
    from map_assets.archive.backends.folder import FolderArchive
    from map_assets.archive.journal import Journal
    from map_assets.archive.receipt import receipt_session

    share, work = root / "small", root / "small_work"
    work.mkdir()
    for n in range(N_SMALL):
        path = share / f"{n // 1000:03d}" / f"{n:06d}.npy"
        if n % 1000 == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(b"%06d" % n * (n % 300))
    journal = Journal(f"sqlite:///{work}/registry.db")
    began = time.perf_counter()
    manifest = move(share, work, journal)
    receipt = receipt_session(SESSION, manifest, FolderArchive(work / "archive"), journal)
    seconds = time.perf_counter() - began
    return {"peak_mib": peak_mib(), "seconds": seconds, "n_files": receipt.num_rows}


def peak_mib() -> float:
    """Most memory that this process ever held, MiB (not its children's, nor its parent's before it began)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("This benchmark reads its peak memory from /proc, which this system lacks.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["small"]:
        print(json.dumps(small_files(Path(sys.argv[2]))))
    else:
        main()
