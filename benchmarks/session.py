"""How long a small session (100 units, 100 trials) takes from `ingest` to its receipt, as a process of its own.

Prints one JSON object: seconds of the whole command (start of the interpreter and the scan included), seconds of the
laboratory's own run (the atlas, once), of the session's run, and how many runs the session cost.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from map_assets.simulate.laboratory import simulate


def main() -> None:
    """Write the laboratory, register its animal, ingest, report."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "lab"
        written = simulate(root, "small-session")
        (session,) = (found.key for found in written.sessions)
        environment = {**os.environ, "MAP_ASSETS_CONFIG": str(written.config), "NO_COLOR": "1"}
        command = str(Path(sys.executable).with_name("map-assets"))

        def run(*arguments: str) -> float:
            began = time.perf_counter()
            subprocess.run([command, *arguments], env=environment, check=True, capture_output=True)
            return time.perf_counter() - began

        for sheet in (written.people, written.animals, written.insertions):
            run("registry", "import", str(sheet))
        whole_s = run("ingest")
        again_s = run("ingest")

        from map_assets.config import load_config
        from map_assets.defs.home import open_instance
        from map_assets.defs.services import Services

        services = Services(load_config(written.config))
        instance = open_instance(services.config.orchestration.home)
        runs = [run for run in instance.get_run_records() if run.dagster_run.tags.get("dagster/partition") == session]
        lab = [run for run in instance.get_run_records() if "dagster/partition" not in run.dagster_run.tags]
        nwb = services.store.read("nwb_file", session).to_pylist()[0]
        assert services.store.has("archive_receipt", session)
        print(
            json.dumps(
                {
                    "ingest_to_receipt_s": round(whole_s, 2),
                    "atlas_run_s": round(sum(run.end_time - run.start_time for run in lab), 2),
                    "session_run_s": round(sum(run.end_time - run.start_time for run in runs), 2),
                    "runs": len(runs),
                    "nothing_due_s": round(again_s, 2),
                    "n_units": nwb["n_units"],
                    "n_trials": nwb["n_trials"],
                }
            )
        )


if __name__ == "__main__":
    main()
