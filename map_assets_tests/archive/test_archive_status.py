"""Bytes are counted where they stand, and a suspect copy is mended only where its source still stands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pipeline import SESSION, Pipeline, SlowMover

from map_assets.archive.journal import Journal
from map_assets.archive.mending import Mended, mend_session
from map_assets.archive.states import State
from map_assets.archive.status import STATUS, bytes_of, status_of

BEHAVIOR = "SC022/behavior.mat"
ALL = 10_000 + 256 * 4096


@pytest.fixture
def pipe(share: Path, tmp_path: Path) -> Iterator[Pipeline]:
    journal = Journal(f"sqlite:///{tmp_path}/registry.db")
    yield Pipeline(share, SlowMover(tmp_path / "archive"), journal)
    journal.close()


def bytes_now(pipe: Pipeline) -> dict[str, int]:
    counted = bytes_of(status_of(pipe.journal), {"raw"})._asdict()
    return {name: n_bytes for name, n_bytes in counted.items() if n_bytes}


def test_bytes_go_from_waiting_to_freed(pipe: Pipeline) -> None:
    assert status_of(pipe.journal).equals(STATUS.empty_table()) and bytes_now(pipe) == {}
    pipe.transfer()
    assert bytes_now(pipe) == {"in_flight": ALL}
    pipe.backend.is_ready = True  # type: ignore[attr-defined]
    pipe.poll()
    assert bytes_now(pipe) == {"to_verify": ALL}
    pipe.verify()
    assert bytes_now(pipe) == {"verified": ALL}
    pipe.receipt()
    assert bytes_now(pipe) == {"verified": ALL, "removable": ALL}
    assert bytes_of(status_of(pipe.journal), {"video"}).removable == 0
    assert status_of(pipe.journal, SESSION)["n_files"].to_pylist() == [3]
    (batch,) = pipe.journal.batches()
    for state, counted in (
        (State.APPROVED, {"removable": ALL}),
        (State.REMOVING, {"in_quarantine": ALL}),
        (State.QUARANTINED, {"in_quarantine": ALL}),
        (State.REMOVED, {"freed": ALL}),
    ):
        pipe.journal.move(batch.batch, range(3), state, actor="test")
        assert bytes_now(pipe) == {"verified": ALL, **counted}


def test_failed_bytes_wait_and_blocked_ones_are_stuck(pipe: Pipeline) -> None:
    pipe.transfer()
    (batch,) = pipe.journal.batches()
    numbers = dict(zip(pipe.states(), range(3), strict=True))
    pipe.journal.move(batch.batch, [numbers[BEHAVIOR]], State.BLOCKED, actor="test")
    sizes = {path: (pipe.share / path).stat().st_size for path in numbers}
    others = [number for path, number in numbers.items() if path != BEHAVIOR]
    pipe.journal.move(batch.batch, others[:1], State.FAILED, actor="test")
    pipe.journal.move(batch.batch, others[1:], State.UNSTABLE, actor="test")
    counted = bytes_of(status_of(pipe.journal))
    assert (
        counted.stuck == 10_000
        and counted.in_flight == 0
        and counted.waiting == sum(size for path, size in sizes.items() if numbers[path] == others[0])
    )


@pytest.mark.parametrize("source", ["stands", "gone", "other bytes"])
@pytest.mark.parametrize("copy", ["whole", "turned", "lost"])
def test_a_suspect_copy_is_touched_only_where_its_source_stands(
    source: str, copy: str, pipe: Pipeline, tmp_path: Path
) -> None:
    pipe.backend.is_ready = True  # type: ignore[attr-defined]
    pipe.run()
    (batch,) = pipe.journal.batches()
    pipe.journal.move(batch.batch, [0], State.SUSPECT, actor="fixity")
    place = tmp_path / "archive" / SESSION / "rig1" / BEHAVIOR
    content = place.read_bytes()
    place.unlink()
    if copy != "lost":
        place.write_bytes(content if copy == "whole" else b"?" + content[1:])
    if source != "stands":
        (pipe.share / BEHAVIOR).unlink()
    if source == "other bytes":
        (pipe.share / BEHAVIOR).write_bytes(b"!" + content[1:])
    before = place.read_bytes() if place.exists() else None
    mended = mend_session(SESSION, pipe.roots, pipe.backend, pipe.journal, "anna")
    if copy == "whole":
        assert mended == Mended(1, 0, ()) and pipe.states()[BEHAVIOR] == "RECEIPTED"
    elif source == "stands":
        assert mended == Mended(0, 1, ()) and pipe.states()[BEHAVIOR] == "FAILED"
        pipe.run()
        assert place.read_bytes() == content and pipe.states()[BEHAVIOR] == "RECEIPTED"
    else:
        assert mended == Mended(0, 0, (f"{SESSION}/rig1/{BEHAVIOR}",)) and pipe.states()[BEHAVIOR] == "SUSPECT"
        assert (place.read_bytes() if place.exists() else None) == before
