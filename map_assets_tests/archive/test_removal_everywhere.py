"""What removal, fixity, drill and retrieval promise holds for every backend."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from map_assets.archive.backends.protocol import Progress
from map_assets.archive.discovery import reconcile
from map_assets.archive.drill import restore_drill
from map_assets.archive.fixity import read_again
from map_assets.archive.retrieval import retrieve, wanted_files
from map_assets.archive.states import State

sys.path.insert(0, str(Path(__file__).parent))
from backends_under_test import UnderTest
from removing import SESSION, SHARE, Bench, flipped

FILES = {
    "run/a.ap.bin": (b"neural " * 3000, "spikeglx_bin"),
    "video/c 1 é.avi": (b"frames " * 500, "video"),
    "empty.avi": (b"", "video"),
    "behavior.mat": (b"behaviour", "behavior"),
}
A, C, E, M = FILES


@pytest.fixture
def bench(under_test: UnderTest, tmp_path: Path, moved: Callable[..., Progress]) -> Bench:
    """A session that was archived fifteen days ago, in each backend."""
    bench = Bench(tmp_path)
    bench.backend = under_test.backend
    bench.record(FILES)
    bench.archive_all(FILES, moved)
    bench.later(15)
    return bench


def place(name: str) -> PurePosixPath:
    return PurePosixPath(SESSION, SHARE, name)


def test_a_file_goes_comes_back_and_is_checked_in_between(bench: Bench, tmp_path: Path) -> None:
    bench.approve()
    bench.remove()
    assert bench.on_share() == {M}
    bench.later(8)
    assert {one.state for one in bench.remove().values()} == {State.REMOVED}
    assert reconcile(bench.journal, bench.backend, SESSION).num_rows == 0
    looks = read_again(bench.journal, bench.records, (bench.backend,), 10**9, now=bench.now)
    assert {one.verdict for one in looks} == {"equal"} and len(looks) == 4
    row = next(row for row in bench.journal.files(SESSION).to_pylist() if row["path"] == A)
    drill = restore_drill(row, bench.backend, bench.journal, bench.records, tmp_path / "scratch", now=bench.now)
    assert drill.verdict == "equal"
    done = retrieve(wanted_files(SESSION, bench.backend, tmp_path / "back"), [bench.backend], tmp_path / "back")
    assert {one.path: one.place.read_bytes() for one in done} == {name: content for name, (content, _) in FILES.items()}


@pytest.mark.parametrize("damage", [None, b"rot"])
def test_a_copy_that_is_not_proven_keeps_its_source_and_brings_it_back(
    bench: Bench, under_test: UnderTest, damage: bytes | None
) -> None:
    bench.approve(only=[A, C])
    under_test.damage(place(A), damage and flipped(FILES[A][0]))
    assert bench.remove()[A].state is State.SUSPECT
    assert bench.remove()[C].state is State.QUARANTINED
    assert bench.on_share() == {A, E, M}
    bench.later(8)
    under_test.damage(place(C), damage and flipped(FILES[C][0]))
    assert bench.remove()[C].state is State.SUSPECT
    assert bench.on_share() == set(FILES)


def test_a_changed_copy_is_not_delivered(bench: Bench, under_test: UnderTest, tmp_path: Path) -> None:
    under_test.damage(place(A), flipped(FILES[A][0]))
    to = tmp_path / "back"
    (done,) = retrieve(wanted_files(SESSION, bench.backend, to, only=[A]), [bench.backend], to)
    assert done.what == "failed" and not done.place.exists()
