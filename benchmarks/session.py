"""How long a small session (100 units, 100 trials) takes from `ingest` to its receipt, as a process of its own.

The laboratory is in use already: one `ingest` of empty shares has made Dagster's storage and the atlas. Prints one JSON
object, all in seconds: from the start of the command that takes the session in (interpreter and scan included) to the
session's receipt; the whole command, with analyses, figures and the inspected NWB file; the first command; the session's
run alone; an `ingest` that finds nothing to do. And how many runs the session cost.
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
        shares = [root / name for name in ("rig1", "ephys", "histology", "tracking")]
        for share in shares:
            share.rename(root / f"{share.name}.later")
            share.mkdir()
        first_s = run("ingest")
        for share in shares:
            share.rmdir()
            (root / f"{share.name}.later").rename(share)
        began = time.time()
        whole_s = run("ingest")
        again_s = run("ingest")

        from map_assets.config import load_config
        from map_assets.defs.home import open_instance
        from map_assets.defs.services import Services

        services = Services(load_config(written.config))
        instance = open_instance(services.config.orchestration.home)
        runs = [run for run in instance.get_run_records() if run.dagster_run.tags.get("dagster/partition") == session]
        nwb = services.store.read("nwb_file", session).to_pylist()[0]
        receipt_s = services.store.table_path("archive_receipt", session).stat().st_mtime - began
        print(
            json.dumps(
                {
                    "ingest_to_receipt_s": round(receipt_s, 2),
                    "command_s": round(whole_s, 2),
                    "first_ingest_s": round(first_s, 2),
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
