"""How fast lab-wide questions are answered over 174 sessions of full size: 272,000 units, their contacts, trials and licks.

The store is made by the simulator at table level, without spikes, tracking and PSTHs, and without what the analyses make
but unit statistics and cell types; `make bench NAME=lab_query` makes it anew, ``LAB_QUERY_STORE=folder`` keeps it. The
answer to three of the questions is compared with one computed from the files by pyarrow alone. Cold is a process of its own, with the store's
files put out of the page cache where the system lets us: from the start of `open_lab` to the first answer, imports of
pandas, pyarrow and DuckDB included. Warm is the median over repeats, after each question has been asked twice: a small
table is taken into memory when it is asked for a second time; `second_ms` is what that costs. The CPU's time of
the process stands beside, for a machine that has other work to do. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from map_assets.analyst.lab import Lab

QUESTIONS = {
    "units by quality": "select quality, count(*) as n from units group by quality order by quality",
    "performance": """
        select session, avg((outcome = 'hit')::int) as share_hit from trials
        where not early_lick and photostim_onset_s is null group by session order by session""",
    "units by target": """
        select i.brain_area, i.hemisphere, count(*) as n, avg(s.rate_hz) as rate_hz
        from units u join insertions i using (session, probe) join unit_stats s using (session, probe, unit_id)
        where u.quality = 'good' group by all order by all""",
    "units by region": """
        select e.region, count(*) as n, median(u.firing_rate_hz) as rate_hz
        from units u join electrodes e using (session, probe, electrode)
        where u.quality = 'good' group by e.region order by e.region""",
    "sessions and probes": """
        select s.animal, count(distinct s.session) as n_sessions, count(*) as n_probes
        from sessions s join insertions i using (session) group by s.animal order by s.animal""",
    "reaction time": """
        select t.instruction, median(l.time_s - t.go_s) as reaction_s
        from trials t join licks l using (session, trial)
        where l.lick_id = 0 and t.outcome = 'hit' group by t.instruction order by t.instruction""",
    "light": """
        select coalesce(photostim_site, 'control') as site, avg((outcome = 'hit')::int) as share_hit, count(*) as n
        from trials group by site order by site""",
}
REPEATS = 7
ONE_QUESTION = """
import sys, time
began = time.perf_counter()
from map_assets.analyst import open_lab
imported = time.perf_counter()
lab = open_lab(sys.argv[1])
opened = time.perf_counter()
rows = len(lab.sql(sys.argv[2])) if sys.argv[2] else len(lab.units(region="ALM", quality="good"))
print(imported - began, opened - imported, time.perf_counter() - imported, time.process_time(), rows)
"""


def main() -> None:
    """Make the store, compare, time, report."""
    kept = os.environ.get("LAB_QUERY_STORE")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(kept or folder) / "store"
        if not (root / "tables").is_dir():
            write(root)
        print(json.dumps(measured(root)))


def write(root: Path) -> None:
    """Write the laboratory's tables."""
    from map_assets.catalog import BY_NAME
    from map_assets.ccf.ontology import make_ontology
    from map_assets.simulate.tables_only import FULL, write_tables
    from map_assets.store import Store

    write_tables(root, BY_NAME, FULL)
    Store(root).write(BY_NAME["ccf_ontology"], "lab", make_ontology())


def measured(root: Path) -> dict[str, object]:
    """Ask everything: cold in processes of their own, then warm in this one."""
    cold = {name: cold_s(root, query) for name, query in [*QUESTIONS.items(), ("good units of ALM", "")]}
    from map_assets.analyst import open_lab

    lab = open_lab(root)
    asks = {name: partial(lab.sql, query) for name, query in QUESTIONS.items()}
    asks["good units of ALM"] = lambda: lab.units(region="ALM", quality="good")
    asks["sessions"] = lab.sessions
    second = {}
    for name, ask in asks.items():
        ask()
        second[name] = round(1e3 * timed(ask))
    must_be_right(lab)
    taken: dict[str, list[float]] = {name: [] for name in asks}
    cpu_s = time.process_time()
    for _ in range(REPEATS):
        for name, ask in asks.items():
            taken[name].append(1e3 * timed(ask))
    cpu_s = time.process_time() - cpu_s
    warm = {name: round(statistics.median(times), 1) for name, times in taken.items()}
    files = list((root / "tables").rglob("*.parquet"))
    return {
        "warm_ms": max(warm.values()),
        "cold_s": round(max(found[2] for found in cold.values()), 3),
        "open_s": round(statistics.median(found[1] for found in cold.values()), 4),
        "sessions": len(lab.sessions()),
        "units": int(lab.sql("select count(*) as n from units")["n"][0]),
        "import_s": round(statistics.median(found[0] for found in cold.values()), 3),
        "warm_cpu_ms_mean": round(1e3 * cpu_s / REPEATS / len(asks), 1),
        "cold_cpu_s": round(max(found[3] for found in cold.values()), 2),
        "second_ms": max(second.values()),
        "warm_ms_by_question": warm,
        "cold_s_by_question": {name: round(found[2], 2) for name, found in cold.items()},
        "store_mib": round(sum(path.stat().st_size for path in files) / 2**20),
        "files": len(files),
        "left_out": "spikes, trial_spikes, tracking, psth",
        "load": round(os.getloadavg()[0], 1),
    }


def timed(ask: Callable[[], object]) -> float:
    """Seconds that a question takes."""
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began


def cold_s(root: Path, query: str) -> tuple[float, ...]:
    """Import, open, and open with first answer in a process of its own, s."""
    for path in (root / "tables").rglob("*.parquet"):
        with path.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    done = subprocess.run(
        [sys.executable, "-c", ONE_QUESTION, str(root), query], capture_output=True, text=True, check=True
    )
    return tuple(float(value) for value in done.stdout.split())


def must_be_right(lab: Lab) -> None:
    """Hold answers against the files, read by pyarrow alone."""
    import numpy as np
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    def table(name: str, columns: list[str]) -> pa.Table:
        return ds.dataset(lab.root / "tables" / name).to_table(columns=columns)

    units = table("units", ["session", "probe", "quality"])
    counts = {row["values"]: row["counts"] for row in pc.value_counts(units["quality"]).to_pylist()}
    found = lab.sql(QUESTIONS["units by quality"])
    assert dict(zip(found["quality"], found["n"], strict=True)) == counts
    trials = table("trials", ["outcome", "photostim_site"]).to_pandas()
    control = (trials.loc[trials["photostim_site"].isna(), "outcome"] == "hit").mean()
    found = lab.sql(QUESTIONS["light"]).set_index("site")
    assert np.isclose(found.loc["control", "share_hit"], control)
    aimed = table("insertions", ["session", "probe", "brain_area"]).to_pandas().query("brain_area == 'ALM'")
    good = units.to_pandas().query("quality == 'good'").merge(aimed, on=["session", "probe"])
    assert len(lab.units(region="ALM", quality="good")) == len(good)


if __name__ == "__main__":
    main()
