"""What must hold of the tables of removal is judged from them alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pytest

from map_assets.archive.receipt_file import read_receipts
from map_assets.archive.removal_approval import let_go_on
from map_assets.archive.removal_checks import every_removed_file_has_a_receipt, no_removal_is_in_doubt
from map_assets.archive.removal_gate import open_gate
from map_assets.archive.removal_report import rehearse, removed_files

sys.path.insert(0, str(Path(__file__).parent))
from removing import FILES, SESSION, Bench

A, B, C, M = FILES


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A session with two files in quarantine and one whose removal was stopped."""
    bench = Bench(tmp_path)
    bench.record()
    bench.archive_all()
    bench.later(15)
    bench.approve()
    bench.write(A, b"other bytes")
    bench.remove()
    bench.remove()
    return bench


def receipt_of(bench: Bench) -> pa.Table:
    return read_receipts(SESSION, bench.backend)[-1].table()


def test_what_left_its_share_has_a_receipt(bench: Bench) -> None:
    removed = removed_files(bench.journal, SESSION)
    verdict = every_removed_file_has_a_receipt(removed, receipt_of(bench))
    assert verdict.passed and verdict.figures == {"n_gone": 2, "n_without": 0}
    cut = receipt_of(bench).slice(0, 2)
    verdict = every_removed_file_has_a_receipt(removed, cut)
    assert not verdict.passed and "the first without is" in verdict.description


def test_a_removal_that_was_stopped_shows_until_somebody_looks(bench: Bench) -> None:
    verdict = no_removal_is_in_doubt(removed_files(bench.journal, SESSION))
    assert not verdict.passed and verdict.figures == {"n_stopped": 1} and A in verdict.description
    let_go_on(bench.desk, SESSION, who="chen", why="recorded anew", now=bench.now)
    assert no_removal_is_in_doubt(removed_files(bench.journal, SESSION)).passed
    bench.later(8)
    bench.damage(B, None)
    bench.remove()
    verdict = no_removal_is_in_doubt(removed_files(bench.journal, SESSION))
    assert not verdict.passed and "not proven" in verdict.description


def test_a_rehearsal_says_what_would_be_done_and_does_nothing(bench: Bench) -> None:
    def said() -> dict[str, str]:
        gate = open_gate(bench.desk, SESSION, bench.roots, "okafor", bench.now)
        return {one.path: one.said for one in rehearse(gate, SESSION)}

    before = bench.states()
    assert set(said()) == {B, C} and all("in quarantine until" in text for text in said().values())
    bench.later(8)
    assert set(said().values()) == {"would be proven again and removed"}
    bench.records.hold(SESSION, who="chen", why="a paper", now=bench.now)
    assert all("chen holds it" in text for text in said().values())
    assert bench.states() == before and len(bench.in_quarantine()) == 2
