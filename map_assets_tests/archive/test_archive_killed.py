"""A process killed at any step leaves the archive true, and the next run finishes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_killed_at_every_step_nothing_partial_shows_and_the_next_run_finishes(tmp_path: Path) -> None:
    share = tmp_path / "rig1"
    (share / "run").mkdir(parents=True)
    (share / "run" / "two_blocks.bin").write_bytes(bytes(range(256)) * 4096)
    (share / "behavior.mat").write_bytes(b"behaviour")
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("killed.py"), share, tmp_path / "work"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [outcome["ended"] for outcome in outcomes] == [9] * (len(outcomes) - 1) + [0]
    assert len(outcomes) > 40
    for outcome in outcomes:
        assert outcome["left"]["others"] == [] and outcome["then"]["others"] == []
        assert outcome["left"]["receipts"] == 0 or outcome["left"]["whole"] == 2
        assert outcome["again"] == 0
        assert outcome["then"]["whole"] == 2 and outcome["then"]["receipts"] == 1
    assert {outcome["left"]["whole"] for outcome in outcomes} == {0, 1, 2}
