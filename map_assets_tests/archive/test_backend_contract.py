"""What every archive backend promises; a new backend joins the list of parameters."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import pytest

from map_assets.archive.backends.choice import open_backend
from map_assets.archive.backends.folder import FolderArchive
from map_assets.archive.backends.protocol import ArchiveBackend, ArchiveNotReady, NotInArchive
from map_assets.vocabulary.errors import (
    ArchiveConflict,
    BadConfiguration,
    ChangedWhileRead,
    UnreadableFile,
    UnsafePath,
)

PLACE = PurePosixPath("SC022_20190228_151010/rig1/run/a.bin")


@pytest.fixture(params=["folder"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> ArchiveBackend:
    return open_backend(request.param, tmp_path / "archive")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "a.bin"
    path.write_bytes(os.urandom(3_000_000))
    return path


def put(backend: ArchiveBackend, source: Path, place: PurePosixPath = PLACE) -> str:
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    backend.put(source, place, sha256, source.stat().st_size)
    return sha256


def test_what_is_put_is_read_back_equal(backend: ArchiveBackend, source: Path) -> None:
    assert backend.stat(PLACE) is None
    sha256 = put(backend, source)
    held = backend.read_back_sha256(PLACE)
    assert (held.sha256, held.size) == (sha256, 3_000_000)
    assert "read back" in held.method
    assert backend.stat(PLACE) == 3_000_000


def test_an_empty_file_and_an_odd_name_are_kept(backend: ArchiveBackend, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    for name in ("two words", "line\nend", "-dash", "神経", "n" * 255):
        put(backend, empty, PLACE.with_name(name))
        assert backend.read_back_sha256(PLACE.with_name(name)).size == 0


def test_the_same_bytes_may_be_put_again(backend: ArchiveBackend, source: Path) -> None:
    assert put(backend, source) == put(backend, source)
    assert backend.stat(PLACE) == 3_000_000


def test_other_bytes_never_take_a_name_that_is_taken(backend: ArchiveBackend, source: Path, tmp_path: Path) -> None:
    sha256 = put(backend, source)
    other = tmp_path / "other"
    other.write_bytes(os.urandom(3_000_000))
    with pytest.raises(ArchiveConflict, match="nothing was overwritten"):
        put(backend, other)
    assert backend.read_back_sha256(PLACE).sha256 == sha256


def test_of_many_writers_of_one_name_one_wins_and_the_others_are_told(backend: ArchiveBackend, tmp_path: Path) -> None:
    sources = []
    for n in range(8):
        sources.append(tmp_path / f"source{n}")
        sources[-1].write_bytes(bytes([n]) * 200_000)

    def attempt(source: Path) -> str | None:
        try:
            return put(backend, source)
        except ArchiveConflict:
            return None

    with ThreadPoolExecutor(8) as pool:
        winners = [sha256 for sha256 in pool.map(attempt, sources) if sha256]
    assert winners == [backend.read_back_sha256(PLACE).sha256]


def test_a_source_unlike_the_manifest_is_not_archived(backend: ArchiveBackend, source: Path) -> None:
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    with source.open("r+b") as stream:
        stream.write(b"changed")
    with pytest.raises(ChangedWhileRead, match="as in the manifest"):
        backend.put(source, PLACE, sha256, 3_000_000)
    assert backend.stat(PLACE) is None


def test_a_source_that_is_gone_is_said_to_be(backend: ArchiveBackend, source: Path) -> None:
    source.unlink()
    with pytest.raises(UnreadableFile, match=r"a\.bin"):
        backend.put(source, PLACE, "0" * 64, 3_000_000)
    assert backend.stat(PLACE) is None


def test_what_is_not_there_cannot_be_read(backend: ArchiveBackend) -> None:
    with pytest.raises(NotInArchive, match="has no file"):
        backend.read_back_sha256(PLACE)
    with pytest.raises(NotInArchive):
        backend.read_receipt(PLACE)
    assert backend.receipts(PLACE.parent) == []


def test_a_receipt_is_written_once(backend: ArchiveBackend) -> None:
    folder = PurePosixPath("SC022_20190228_151010/receipts")
    backend.put_receipt(folder / "b.json", b"{}")
    backend.put_receipt(folder / "a.json", b"[]")
    backend.put_receipt(folder / "a.txt", b"list")
    backend.put_receipt(folder / "a.json", b"[]")
    with pytest.raises(ArchiveConflict):
        backend.put_receipt(folder / "a.json", b"[1]")
    assert backend.read_receipt(folder / "a.json") == b"[]"
    assert backend.receipts(folder) == [folder / "a.json", folder / "b.json"]


@pytest.mark.parametrize("path", ["../out", "/out", "a/../../out", ".parts/a", "."])
def test_a_path_that_leaves_the_archive_is_refused(backend: ArchiveBackend, source: Path, path: str) -> None:
    with pytest.raises(UnsafePath):
        put(backend, source, PurePosixPath(path))


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


# -- the folder alone ------------------------------------------------------------------------------------------------


def test_an_unknown_backend_is_a_matter_of_configuration(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="expected one of folder"):
        open_backend("tape", tmp_path)


def test_a_copy_is_read_only_and_keeps_its_time(source: Path, tmp_path: Path) -> None:
    os.utime(source, ns=(1, 1_551_384_610_123_456_789))
    archive = FolderArchive(tmp_path / "archive")
    put(archive, source)
    status = (archive.root / PLACE).stat()
    assert (status.st_mode & 0o777, status.st_mtime_ns) == (0o444, 1_551_384_610_123_456_789)
    assert list((archive.root / ".parts").iterdir()) == []


def test_an_archive_without_room_says_how_much_is_left(source: Path, tmp_path: Path) -> None:
    archive = FolderArchive(tmp_path / "archive")
    with small_disk(), pytest.raises(ArchiveNotReady, match="bytes are free"):
        put(archive, source)
    assert archive.stat(PLACE) is None
    assert list((archive.root / ".parts").iterdir()) == []


def test_a_file_system_without_hard_links_is_refused_in_words(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    archive = FolderArchive(tmp_path / "archive")
    with pytest.raises(ArchiveNotReady, match="hard links"):
        put(archive, source)
    assert archive.stat(PLACE) is None


def test_only_stale_unfinished_copies_are_cleared_away(source: Path, tmp_path: Path) -> None:
    archive = FolderArchive(tmp_path / "archive")
    put(archive, source)
    left = archive.root / ".parts" / "left.part"
    left.write_bytes(b"half")
    put(FolderArchive(archive.root), source, PLACE.with_name("b"))
    assert left.exists()
    put(FolderArchive(archive.root, stale_part_s=-1), source, PLACE.with_name("c"))
    assert not left.exists()


def test_a_linked_folder_inside_the_archive_is_refused(source: Path, tmp_path: Path) -> None:
    archive = FolderArchive(tmp_path / "archive")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    archive.root.mkdir()
    (archive.root / PLACE.parts[0]).symlink_to(elsewhere)
    with pytest.raises(UnsafePath):
        put(archive, source)
    assert list(elsewhere.iterdir()) == []


def test_a_folder_under_a_files_name_is_a_conflict(source: Path, tmp_path: Path) -> None:
    archive = FolderArchive(tmp_path / "archive")
    (archive.root / PLACE).mkdir(parents=True)
    with pytest.raises(ArchiveConflict, match="is a folder"):
        put(archive, source)


def test_the_archive_may_be_named_relative_to_where_one_stands(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    archive = FolderArchive("archive")
    sha256 = put(archive, source)
    assert hashlib.sha256((tmp_path / "archive" / PLACE).read_bytes()).hexdigest() == sha256
