"""How fast a full MAP session's sorter folders become tables: 4 probes, 2,000 units, 60 million spikes, 550 trials.

Every step is a process of its own, so that its peak memory is its own. Prints one JSON object:

- `session_s`, `peak_mib`: all stages of the ephys room, from the files on the share to checked tables in the store.
- `seconds_a_spike_vs_quarter`: seconds a spike of the full session over those of one with a quarter of the spikes (1 = linear).
- `bytes_per_spike`: the file of the table `spikes`, over its spikes.
- `trial_spikes_per_memory_pass`: making `trial_spikes`, over the time of one pass that reads all spike samples.
- `x_unit_trial_loop`, `x_pynapple`: the spikes of every unit in 3 s around every go cue, over a loop with a mask for each
  unit and trial, and over pynapple's `compute_perievent`, which give the same times.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from map_assets.defs.services import Services
    from map_assets.store import Store

WINDOW_S = (-3.0, 3.0)
REPEATS = 5
STAGES = (
    *("recordings", "clock_maps", "sortings", "probes", "unit_waveforms", "lfp_power", "coverage", "trial_spikes"),
    *("unit_stats", "cell_type", "drift", "unit_criteria"),
)


def main() -> None:
    """Write both laboratories, measure, report."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("MAP_ASSETS_BENCH_FOLDER")) as folder:
        full = child("ingest", Path(folder) / "full", "1")
        quarter = child("ingest", Path(folder) / "quarter", "0.25")
        rates = child("compare", Path(folder) / "full")
        a_spike, a_spike_of_quarter = (found["session_s"] / found["n_spikes"] for found in (full, quarter))
        print(json.dumps({"full": full, "quarter": quarter, "compare": rates}), file=sys.stderr)
        print(
            json.dumps(
                {
                    "session_s": round(full["session_s"], 2),
                    "peak_mib": round(full["peak_mib"]),
                    "seconds_a_spike_vs_quarter": round(a_spike / a_spike_of_quarter, 2),
                    "bytes_per_spike": round(full["spikes_bytes"] / full["n_spikes"], 3),
                    "trial_spikes_per_memory_pass": round(rates["trial_spikes_s"] / rates["memory_pass_s"], 2),
                    "x_unit_trial_loop": round(rates["loop_s"] / rates["ours_s"], 1),
                    "x_pynapple": round(rates["pynapple_s"] / rates["ours_s"], 1),
                    "n_units": full["n_units"],
                    "n_spikes": full["n_spikes"],
                }
            )
        )


def child(*arguments: str | Path) -> dict[str, float]:
    """Run one part of this file in a process of its own and take its last line."""
    command = [sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def write(root: Path, scale: float) -> Path:
    """Write a MAP session whose units fire `scale` times as often as the full one's."""
    from map_assets.simulate.laboratory import write_laboratory
    from map_assets.simulate.presets import map_session_plan

    plan = map_session_plan()
    (session,) = plan.sessions
    probes = tuple(replace(probe, rate_scale=probe.rate_scale * scale) for probe in session.probes)
    return write_laboratory(root, replace(plan, sessions=(replace(session, probes=probes),))).config


def ingest(root: Path, scale: float) -> dict[str, float]:
    """Measure the ephys stages of one session, in a process that has written nothing."""
    if not root.exists():
        subprocess.run([sys.executable, __file__, "write", str(root), str(scale)], check=True)
    from map_assets.defs.stages import BY_NAME
    from map_assets.defs.work import perform

    services, session = scanned(root)
    parts = {}
    for name in STAGES:
        began = time.perf_counter()
        perform(BY_NAME[name], session, services)
        parts[f"{name}_s"] = time.perf_counter() - began
    spikes = services.store.table_path("spikes", session)
    units = services.store.read("units", session, ["n_spikes"])
    return {
        **parts,
        "session_s": sum(parts.values()),
        "peak_mib": peak_mib(),
        "spikes_bytes": spikes.stat().st_size,
        "n_units": units.num_rows,
        "n_spikes": int(np.sum(units["n_spikes"].to_numpy())),
    }


def scanned(root: Path) -> tuple[Services, str]:
    """Scan a laboratory's shares, and read its one session's behaviour; return its services and the session."""
    from map_assets.config import load_config
    from map_assets.defs.services import Services
    from map_assets.defs.stages import BY_NAME
    from map_assets.defs.work import perform
    from map_assets.shares.refresh import refresh
    from map_assets.shares.scan import scan_all

    services = Services(load_config(root / "map_assets.toml"))
    scan_all(services.shares, services.ledger)
    (session,) = services.ledger.sessions()
    for name in ("behavior", "sessions"):
        perform(BY_NAME[name], session, services)
    refresh(services.ledger)
    return services, session


def peak_mib() -> float:
    """Most memory that this process ever held, MiB (not its children's, nor its parent's before it began)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("This benchmark reads its peak memory from /proc, which this system lacks.")


def index(store: Store, session: str) -> dict[str, float]:
    """Time the making of `trial_spikes` and a pass through the spikes, turn about."""
    from map_assets.ephys.trial_spikes import make_trial_spikes

    spikes, *others = (store.read(name, session) for name in ("spikes", "trials", "clock_maps", "probes"))
    trains = [chunk.values.to_numpy() for chunk in spikes["samples"].chunks]
    index_s, pass_s = [], []
    for _ in range(REPEATS):
        index_s.append(timed(lambda: make_trial_spikes(session, spikes, *others))[0])
        pass_s.append(timed(lambda: max(int(train.max()) for train in trains))[0])
    return {"trial_spikes_s": min(index_s), "memory_pass_s": min(pass_s)}


def compare(root: Path) -> dict[str, float]:
    """Time the index against a pass through memory, and the spikes around go cues against a loop and pynapple."""
    from map_assets.analyst import open_lab
    from map_assets.config import load_config
    from map_assets.store import Store

    store = Store(load_config(root / "map_assets.toml").store.root)
    (session,) = store.sessions("spikes")
    indexed = index(store, session)
    door = open_lab(store.root).session(session)
    ours = door.aligned_spikes(event="go", window=WINDOW_S)
    ours_s = min(timed(lambda: door.aligned_spikes(event="go", window=WINDOW_S))[0] for _ in range(REPEATS))
    loop_s = pynapple_s = 0.0
    for probe in sorted(set(ours.probe.tolist())):
        times = {unit: door.spike_times(probe, unit) for unit in np.unique(ours.unit_id[ours.probe == probe]).tolist()}
        rows = np.flatnonzero(ours.probe == probe)
        counts, first = ours.n_spikes[rows], ours.offsets[rows[0]]
        expected = ours.times_s[first : first + counts.sum()]
        go_s = ours.event_s[rows][: len(rows) // len(times)]
        for run in (by_loop, by_pynapple):
            seconds, found = timed(lambda run=run, times=times, go_s=go_s: run(times, go_s))
            check_equal(expected, counts, found, run.__name__)
            loop_s, pynapple_s = (loop_s + seconds, pynapple_s) if run is by_loop else (loop_s, pynapple_s + seconds)
    return {**indexed, "ours_s": ours_s, "loop_s": loop_s, "pynapple_s": pynapple_s, "n_rows": len(ours)}


def by_loop(times: dict[int, np.ndarray], go_s: np.ndarray) -> list[np.ndarray]:
    """Mask every unit's spikes for every trial, as one writes it first."""
    found = []
    for train_s in times.values():
        for at_s in go_s:
            found.append(train_s[(train_s >= at_s + WINDOW_S[0]) & (train_s < at_s + WINDOW_S[1])] - at_s)
    return found


def by_pynapple(times: dict[int, np.ndarray], go_s: np.ndarray) -> list[np.ndarray]:
    """Align with pynapple; its numbers are rounded to nanoseconds."""
    import pynapple as nap

    group = nap.TsGroup({unit: nap.Ts(t=train_s) for unit, train_s in times.items()})
    aligned = nap.compute_perievent(group, nap.Ts(t=go_s), window=(-WINDOW_S[0], WINDOW_S[1]))
    return [aligned[unit][trial].t for unit in times for trial in range(len(go_s))]


def check_equal(expected: np.ndarray, counts: np.ndarray, found: list[np.ndarray], name: str) -> None:
    """Stop if two ways do not give the same spikes; pynapple keeps a spike that stands on the window's end."""
    flat = np.concatenate(found)
    lengths = np.array([len(part) for part in found])
    if flat.shape != expected.shape or not np.array_equal(lengths, counts):
        raise SystemExit(f"{name} finds {len(flat)} spikes, not {len(expected)}")
    if np.abs(flat - expected).max(initial=0.0) > 2e-9:
        raise SystemExit(f"{name} finds other times, by up to {np.abs(flat - expected).max()} s")


def timed(run: Callable[[], object]) -> tuple[float, object]:
    """Time one call, s."""
    began = time.perf_counter()
    found = run()
    return time.perf_counter() - began, found


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["ingest", root, scale]:
            print(json.dumps(ingest(Path(root), float(scale))))
        case ["write", root, scale]:
            write(Path(root), float(scale))
        case ["compare", root]:
            print(json.dumps(compare(Path(root))))
        case _:
            main()
