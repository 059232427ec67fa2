"""A removal killed at any durable step has lost nothing, and the next run comes to the same end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from removing import FILES

A, B, C, M = FILES
# where the bytes stand and what the journal says, for the first and the second file, when nobody kills it any more
ENDS = {
    "take": ({A: ["archive", "quarantine"], B: ["archive", "quarantine"]}, {A: "QUARANTINED", B: "QUARANTINED"}),
    "end": ({A: ["archive"], B: ["archive"]}, {A: "REMOVED", B: "REMOVED"}),
    "restore": ({A: ["share"], B: ["archive"]}, {A: "SUSPECT", B: "REMOVED"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ENDS)
def test_killed_at_every_step_nothing_is_lost_and_the_next_run_finishes(scenario: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("killed_removal.py"), scenario, tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [outcome["ended"] for outcome in outcomes] == [-9] * (len(outcomes) - 1) + [0]
    assert len(outcomes) > 15
    places, states = ENDS[scenario]
    for outcome in outcomes:
        left, then = outcome["left"], outcome["then"]
        for name in FILES:
            rotten = scenario == "restore" and name == A
            # one place always; a copy in the archive and the source until the last act was written down
            assert "archive" in left["places"][name] or rotten
            if not left["unlinking"] or name not in (A, B) or rotten:
                assert {"share", "quarantine"} & set(left["places"][name])
        assert outcome["again"] == 0
        assert {name: then["places"][name] for name in places} == places
        assert {name: then["states"][name] for name in states} == states
        assert then["places"][C] == then["places"][M] == ["archive", "share"]
    assert len({json.dumps(outcome["left"], sort_keys=True) for outcome in outcomes}) > 3
