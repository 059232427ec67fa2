"""A process killed at any durable step leaves the archive and the journal true, and the next run finishes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["folder", "service"])
def test_killed_at_every_step_nothing_untrue_is_said_and_the_next_run_finishes(scenario: str, tmp_path: Path) -> None:
    share = tmp_path / "rig1"
    (share / "run").mkdir(parents=True)
    (share / "run" / "two_blocks.bin").write_bytes(bytes(range(256)) * 4096)
    (share / "behavior.mat").write_bytes(b"behaviour")
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("killed.py"), share, tmp_path / "work", scenario],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [outcome["ended"] for outcome in outcomes] == [9] * (len(outcomes) - 1) + [0]
    assert len(outcomes) > 40
    for outcome in outcomes:
        left, then = outcome["left"], outcome["then"]
        assert left["others"] == [] and then["others"] == []
        assert left["receipts"] == 0 or left["whole"] == 2
        assert outcome["again"] == 0
        assert then["whole"] == 2 and then["receipts"] == then["kept"] == 1
        assert then["states"] == ["RECEIPTED"]
        if scenario == "service":
            assert then["tasks"] == then["submissions"] >= 1  # one task for each that was written down
    seen = {state for outcome in outcomes for state in outcome["left"]["states"]}
    assert {"MANIFESTED", "SUBMITTED", "TRANSFERRED", "VERIFIED", "RECEIPTED"} <= seen
    assert scenario != "service" or "FAILED" in seen
    assert {outcome["left"]["whole"] for outcome in outcomes} == {0, 1, 2}
