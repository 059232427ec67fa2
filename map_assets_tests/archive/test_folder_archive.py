"""The archive in a folder: durable, read-only, never more than its folder lets it."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import pytest

from map_assets.archive.backends import arrival, write_once
from map_assets.archive.backends.arrival import arriving
from map_assets.archive.backends.folder import FolderArchive
from map_assets.archive.backends.protocol import ArchiveBlocked, ArchiveNotReady, Item
from map_assets.vocabulary.errors import ArchiveConflict, UnsafePath

PLACE = PurePosixPath("SC022_20190228_151010/rig1/run/a.bin")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "a.bin"
    path.write_bytes(os.urandom(3_000_000))
    return path


@pytest.fixture
def archive(tmp_path: Path) -> FolderArchive:
    return FolderArchive(tmp_path / "archive")


def put(archive: FolderArchive, source: Path, place: PurePosixPath = PLACE) -> str:
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    archive.put(source, place, sha256, source.stat().st_size)
    return sha256


def item(source: Path, place: PurePosixPath = PLACE) -> Item:
    content = source.read_bytes()
    return Item("rig1", PurePosixPath(source.name), source, place, len(content), hashlib.sha256(content).hexdigest())


@contextmanager
def small_disk() -> Iterator[None]:
    """No file of this process may grow beyond a million bytes."""
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_copy_is_read_only_and_keeps_its_time(source: Path, archive: FolderArchive) -> None:
    os.utime(source, ns=(1, 1_551_384_610_123_456_789))
    put(archive, source)
    status = (archive.root / PLACE).stat()
    assert (status.st_mode & 0o777, status.st_mtime_ns, status.st_nlink) == (0o444, 1_551_384_610_123_456_789, 1)
    assert list((archive.root / ".parts").iterdir()) == []


def test_of_many_writers_of_one_name_one_wins_and_the_others_are_told(archive: FolderArchive, tmp_path: Path) -> None:
    sources = [tmp_path / f"source{n}" for n in range(8)]
    for n, source in enumerate(sources):
        source.write_bytes(bytes([n]) * 200_000)

    def attempt(source: Path) -> str | None:
        try:
            return put(archive, source)
        except ArchiveConflict:
            return None

    with ThreadPoolExecutor(8) as pool:
        winners = [sha256 for sha256 in pool.map(attempt, sources) if sha256]
    assert winners == [archive.read_back_sha256(PLACE).sha256]


def test_an_archive_without_room_says_how_much_is_left_and_tries_no_more(
    source: Path, archive: FolderArchive, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.write_bytes(b"fits")
    later = [item(source, PLACE.with_name(f"later{n}")) for n in range(600)]
    with small_disk():
        done = archive.submit("s", [item(small, PLACE.with_name("small")), item(source), *later])
        with pytest.raises(ArchiveBlocked, match="bytes are free"):
            put(archive, source)
    assert done.state == "blocked" and len(done.failed) == 601
    assert all(isinstance(error, ArchiveBlocked) for error in done.failed.values())
    assert [path.name for path, _ in archive.listing(PurePosixPath())] == ["small"]
    assert list((archive.root / ".parts").iterdir()) == []


def test_a_file_system_without_hard_links_is_refused_in_words(
    source: Path, archive: FolderArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(ArchiveNotReady, match="hard links"):
        archive.submit("s", [item(source)])
    assert archive.stat(PLACE) is None


def test_an_archive_that_cannot_be_made_is_not_ready(source: Path, tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("a file in its place")
    with pytest.raises(ArchiveNotReady, match="could not keep"):
        FolderArchive(tmp_path / "archive").submit("s", [item(source)])


def test_only_stale_unfinished_copies_are_cleared_away(source: Path, archive: FolderArchive) -> None:
    put(archive, source)
    left = archive.root / ".parts" / "left.part"
    left.write_bytes(b"half")
    put(FolderArchive(archive.root), source, PLACE.with_name("b"))
    assert left.exists()
    put(FolderArchive(archive.root, stale_part_s=-1), source, PLACE.with_name("c"))
    assert not left.exists()


def test_a_linked_folder_inside_the_archive_is_refused(source: Path, archive: FolderArchive, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    archive.root.mkdir()
    (archive.root / PLACE.parts[0]).symlink_to(elsewhere)
    with pytest.raises(UnsafePath):
        put(archive, source)
    assert list(elsewhere.iterdir()) == []
    (elsewhere / "a").write_bytes(b"not the archive's")
    assert list(archive.listing(PurePosixPath())) == []


def test_a_folder_under_a_files_name_is_a_conflict(source: Path, archive: FolderArchive) -> None:
    (archive.root / PLACE).mkdir(parents=True)
    assert isinstance(archive.submit("s", [item(source)]).failed[str(PLACE)], ArchiveConflict)


def test_the_archive_may_be_named_relative_to_where_one_stands(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    archive = FolderArchive("archive")
    sha256 = put(archive, source)
    assert hashlib.sha256((tmp_path / "archive" / PLACE).read_bytes()).hexdigest() == sha256


def test_before_a_submission_ends_every_copy_and_every_name_was_made_durable(
    source: Path, archive: FolderArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[tuple[int, int]] = set()
    real = os.fsync

    def fsync(handle: int) -> None:
        real(handle)
        status = os.fstat(handle)
        synced.add((status.st_dev, status.st_ino))

    monkeypatch.setattr(os, "fsync", fsync)
    items = [item(source, PLACE.parent / name) for name in ("a", "b/c", "b/d/e")]
    archive.submit("s", items)
    there = [archive.root, *(path for path in archive.root.rglob("*") if path.name != ".parts")]
    assert {(path.stat().st_dev, path.stat().st_ino) for path in there} <= synced

    # a process that was killed after the last name: asked again, it makes durable what it finds
    synced.clear()
    archive.progress("s", items)
    assert {(path.stat().st_dev, path.stat().st_ino) for path in there if path.is_dir()} <= synced
    synced.clear()
    archive.submit("t", items)
    assert {(path.stat().st_dev, path.stat().st_ino) for path in there} <= synced


def test_what_a_disk_does_not_give_back_is_not_ready(
    source: Path, archive: FolderArchive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put(archive, source)

    def failing(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(write_once, "read_blocks", failing)
    monkeypatch.setattr("map_assets.archive.backends.folder.read_blocks", failing)
    with pytest.raises(ArchiveNotReady, match="Input/output error"):
        archive.read_back_sha256(PLACE)
    with pytest.raises(ArchiveNotReady, match="Input/output error"):
        archive.fetch(PLACE, tmp_path / "back")
    assert not (tmp_path / "back").exists() and not [*tmp_path.glob(".*.part")]


def test_a_new_file_takes_a_name_that_was_taken_meanwhile_from_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = tmp_path / "new"
    with pytest.raises(FileExistsError, match="meanwhile"), arriving(to) as new:
        new.write(memoryview(b"ours"))
        to.write_bytes(b"theirs")
    assert to.read_bytes() == b"theirs" and [*tmp_path.iterdir()] == [to]


def test_a_new_file_arrives_where_there_are_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(arrival.os, "link", no_links)
    with arriving(tmp_path / "new") as new:
        new.write(memoryview(b"whole"))
    assert (tmp_path / "new").read_bytes() == b"whole" and [*tmp_path.iterdir()] == [tmp_path / "new"]
    assert (new.sha256, new.size) == (hashlib.sha256(b"whole").hexdigest(), 5)


def test_a_name_that_the_archives_disk_cannot_keep_is_told_and_the_others_are_copied(
    archive: FolderArchive, source: Path
) -> None:
    places = [PLACE.with_name(name) for name in ("ok1", "b" * 300, "ok2")]
    done = archive.submit("s", [item(source, place) for place in places])
    assert [type(error) for error in done.failed.values()] == [UnsafePath]
    assert [archive.stat(place) for place in places] == [3_000_000, None, 3_000_000]


def test_an_archive_that_may_not_be_written_to_needs_a_person(
    archive: FolderArchive, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "link", read_only)
    done = archive.submit("s", [item(source)])
    assert done.state == "blocked" and isinstance(done.failed[str(PLACE)], ArchiveBlocked)


def test_receipts_that_cannot_be_read_are_not_taken_for_none(
    archive: FolderArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = PurePosixPath("SC022_20190228_151010/receipts/a.json")
    archive.put_receipt(place, b"{}")
    assert archive.receipts(place.parent) == [place]

    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(ArchiveNotReady, match="Permission denied"):
        archive.receipts(place.parent)
