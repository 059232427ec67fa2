"""Archived files come back whole or not at all, overwrite nothing, and are taken away again only as what they are."""

from __future__ import annotations

import os
import sys
from pathlib import Path, PurePosixPath
from socket import gethostname

import pytest

from map_assets.archive.backends.folder import FolderArchive
from map_assets.archive.backends.protocol import ReadBack
from map_assets.archive.retrieval import STAGING, NothingToRetrieve, machine_here, retrieve, wanted_files
from map_assets.archive.retrieval_leases import note_restored, restored_copies, take_away_expired
from map_assets.vocabulary.errors import UnsafePath

sys.path.insert(0, str(Path(__file__).parent))
from removing import FILES, SESSION, SHARE, Bench, flipped

A, B, C, M = FILES


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An archived session."""
    bench = Bench(tmp_path)
    bench.record()
    bench.archive_all()
    return bench


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "back"


def test_all_files_come_back_with_the_bytes_they_had(bench: Bench, to: Path) -> None:
    wanted = wanted_files(SESSION, bench.backend, to)
    assert not to.exists() and {one.what for one in wanted} == {"fetch"}
    heard = []
    done = retrieve(wanted, [bench.backend], to, heard=heard.append)
    assert {one.what for one in done} == {"fetched"} and heard == done
    found = {str(path.relative_to(to / SESSION / SHARE)): path.read_bytes() for path in to.rglob("*") if path.is_file()}
    assert found == {name: content for name, (content, _) in FILES.items()}
    assert not (to / STAGING).exists()
    assert {one.what for one in retrieve(wanted, [bench.backend], to)} == {"there"}


@pytest.mark.parametrize(
    ("only", "roles", "names"),
    [
        (["run/*"], [], {A, B}),
        (["a.ap.bin"], [], {A}),
        ([f"{SHARE}:{M}", "*.avi"], [], {M, C}),
        ([], ["video"], {C}),
        (["run/*"], ["spikeglx_bin"], {A, B}),
    ],
)
def test_a_filter_takes_what_it_names(
    bench: Bench, to: Path, only: list[str], roles: list[str], names: set[str]
) -> None:
    assert {one.path for one in wanted_files(SESSION, bench.backend, to, only=only, roles=roles)} == names


def test_nothing_meant_is_said(bench: Bench, to: Path) -> None:
    with pytest.raises(NothingToRetrieve, match="nosuch"):
        wanted_files(SESSION, bench.backend, to, only=["nosuch"])
    with pytest.raises(NothingToRetrieve):
        wanted_files("XX1_20200101_000000", bench.backend, to)


def test_a_name_that_is_taken_is_never_overwritten(bench: Bench, to: Path) -> None:
    place = to / SESSION / SHARE / A
    place.parent.mkdir(parents=True)
    place.write_bytes(b"mine")
    done = {one.path: one for one in retrieve(wanted_files(SESSION, bench.backend, to), [bench.backend], to)}
    assert done[A].what == "in the way" and "nothing was overwritten" in done[A].said
    assert place.read_bytes() == b"mine" and done[B].what == "fetched"


def test_a_name_that_is_taken_meanwhile_is_not_overwritten(
    bench: Bench, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = FolderArchive.fetch

    def slow(self: FolderArchive, path: PurePosixPath, staged: Path) -> ReadBack:
        (to / SESSION / SHARE / M).write_bytes(b"mine")
        return fetch(self, path, staged)

    monkeypatch.setattr(FolderArchive, "fetch", slow)
    (done,) = retrieve(wanted_files(SESSION, bench.backend, to, only=[M]), [bench.backend], to)
    assert done.what == "in the way" and (to / SESSION / SHARE / M).read_bytes() == b"mine"
    assert not (to / STAGING).exists()


def test_a_changed_copy_is_refused_and_the_next_one_is_taken(bench: Bench, to: Path, tmp_path: Path) -> None:
    second = FolderArchive(tmp_path / "second")
    for one in wanted_files(SESSION, bench.backend, to):
        if one.path == B:
            second.put(bench.root / B, PurePosixPath(one.archive_path), one.sha256, one.size)
    for name in (A, B):
        bench.damage(name, flipped(FILES[name][0]))
    backends = [bench.backend, second]
    done = {one.path: one for one in retrieve(wanted_files(SESSION, bench.backend, to), backends, to)}
    assert done[B].what == "fetched" and (to / SESSION / SHARE / B).read_bytes() == FILES[B][0]
    assert done[A].what == "failed" and "its receipt says" in done[A].said
    assert f"share {SHARE}" in done[A].said and str(second.root) in done[A].said
    assert not (to / SESSION / SHARE / A).exists()


def test_an_interrupted_retrieval_goes_on(bench: Bench, to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch, asked = FolderArchive.fetch, []

    def counted(self: FolderArchive, path: PurePosixPath, staged: Path) -> ReadBack:
        asked.append(str(path))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return fetch(self, path, staged)

    left = to / STAGING / f"{machine_here()}-999999999"
    left.mkdir(parents=True)
    (left / "half").write_bytes(b"half")
    monkeypatch.setattr(FolderArchive, "fetch", counted)
    wanted = wanted_files(SESSION, bench.backend, to)
    with pytest.raises(KeyboardInterrupt):
        retrieve(wanted, [bench.backend], to)
    done = retrieve(wanted, [bench.backend], to)
    assert sorted(one.what for one in done) == ["fetched", "fetched", "there", "there"]
    assert len(asked) == 5 and not (to / STAGING).exists()


def test_what_a_retrieval_in_another_container_of_the_same_name_has_begun_is_left_to_it(bench: Bench, to: Path) -> None:
    theirs = to / STAGING / f"{gethostname()}-1-999999"  # of another process space
    old = to / STAGING / "elsewhere-1-999999"
    for folder in (theirs, old):
        folder.mkdir(parents=True)
        (folder / "begun").write_bytes(b"half")
    for path in (old / "begun", old):
        os.utime(path, (0, 0))
    retrieve(wanted_files(SESSION, bench.backend, to), [bench.backend], to)
    assert (theirs / "begun").exists() and not old.exists()


def test_a_receipt_cannot_name_a_path_outside(bench: Bench, to: Path) -> None:
    rows = bench.journal.files(SESSION).to_pylist()
    bench.later(1)
    bench.give_receipt([{**rows[0], "path": "../../../outside"}])
    with pytest.raises(UnsafePath):
        wanted_files(SESSION, bench.backend, to)


def test_the_last_version_of_a_file_comes_back(bench: Bench, to: Path) -> None:
    bench.write(A, b"sorted again")
    bench.later(1)
    bench.archive_all({A: (b"", "spikeglx_bin")})
    retrieve(wanted_files(SESSION, bench.backend, to, only=[A]), [bench.backend], to)
    assert (to / SESSION / SHARE / A).read_bytes() == b"sorted again"


# -- copies that are kept for a time -------------------------------------------------------------------------------------
def test_only_restored_copies_go_when_their_time_is_over(bench: Bench, to: Path) -> None:
    own = to / SESSION / SHARE / M
    own.parent.mkdir(parents=True)
    own.write_bytes(FILES[M][0])
    done = retrieve(wanted_files(SESSION, bench.backend, to), [bench.backend], to)
    assert note_restored(bench.records, done, who="chen", keep_s=86_400, now=bench.now) == 3
    assert take_away_expired(bench.records, [bench.backend], now=bench.now) == {}
    changed = to / SESSION / SHARE / A
    changed.chmod(0o644)
    changed.write_bytes(b"my notes")
    bench.damage(B, None)
    bench.later(2)
    ended = take_away_expired(bench.records, [bench.backend], now=bench.now)
    assert {path.name: said.partition(":")[0] for path, said in ended.items()} == {
        "a.ap.bin": "kept",
        "b.ap.bin": "waits",
        "c 1.avi": "removed",
    }
    assert own.read_bytes() == FILES[M][0] and changed.read_bytes() == b"my notes"
    assert (to / SESSION / SHARE / B).exists() and not (to / SESSION / SHARE / C).exists()
    assert [copy.place.name for copy in restored_copies(bench.records)] == ["b.ap.bin"]


def test_a_copy_without_an_end_stays(bench: Bench, to: Path) -> None:
    done = retrieve(wanted_files(SESSION, bench.backend, to), [bench.backend], to)
    note_restored(bench.records, done, who="chen", keep_s=None, now=bench.now)
    bench.later(10_000)
    assert take_away_expired(bench.records, [bench.backend], now=bench.now) == {}
