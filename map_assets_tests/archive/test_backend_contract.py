"""What every archive backend promises; a new backend joins the list in ``backends_under_test``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from backends_under_test import SHARE, UnderTest

from map_assets.archive.backends.choice import open_backend, refuse_overlap
from map_assets.archive.backends.protocol import ArchiveBackend, Item, NotInArchive, Progress
from map_assets.vocabulary.errors import (
    ArchiveConflict,
    BadConfiguration,
    BadInput,
    ChangedWhileRead,
    MapAssetsError,
    UnsafePath,
)

SESSION = PurePosixPath("SC022_20190228_151010")
PLACE = SESSION / SHARE / "run/a.bin"
Made = Callable[..., Item]
Moved = Callable[..., Progress]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Make a file on the share, and the item that asks for it."""

    def made(content: bytes, place: PurePosixPath = PLACE, path: str | None = None) -> Item:
        relpath = PurePosixPath(path or str(place.relative_to(SESSION / SHARE)))
        source = tmp_path / SHARE / relpath
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_bytes(content)
        return Item(SHARE, relpath, source, place, len(content), hashlib.sha256(content).hexdigest())

    return made


def test_what_is_moved_is_read_back_equal(backend: ArchiveBackend, made: Made, moved: Moved) -> None:
    sizes = {"empty": 0, "byte": 1, "small": 300_000, "sub/large": 11_000_001}
    items = [made(os.urandom(size), SESSION / SHARE / name) for name, size in sizes.items()]
    assert [backend.stat(item.archive_path) for item in items] == [None] * 4
    done = moved(backend, items)
    assert (done.state, dict(done.failed), done.bytes_done) == ("succeeded", {}, 11_300_002)
    for item in items:
        assert backend.stat(item.archive_path) == item.size
        held = backend.read_back_sha256(item.archive_path)
        assert (held.sha256, held.size) == (item.sha256, item.size)
        assert "read back" in held.method


def test_one_submission_is_carried_out_once(backend: ArchiveBackend, made: Made, moved: Moved) -> None:
    items = [made(b"a" * 1000), made(b"b" * 1000, PLACE.with_name("b"))]
    submission = backend.new_submission()
    assert submission != backend.new_submission()
    first = moved(backend, items, submission)
    again = moved(backend, items, submission)
    assert (first.task, first.state) == (again.task, again.state) == (first.task, "succeeded")
    assert backend.progress(first.task, items).state == "succeeded"
    backend.cancel(first.task)
    assert backend.read_back_sha256(PLACE).sha256 == items[0].sha256


def test_a_task_that_it_does_not_know_has_not_succeeded(backend: ArchiveBackend, made: Made) -> None:
    try:
        told = backend.progress("00000000-0000-4000-8000-000000000000", [made(b"never sent")])
    except MapAssetsError:
        return
    assert told.state in {"failed", "blocked"}


def test_the_same_bytes_may_be_asked_for_again(backend: ArchiveBackend, made: Made, moved: Moved) -> None:
    large = made(os.urandom(6_000_000), PLACE.with_name("large"))
    for _ in range(2):
        assert moved(backend, [made(b"samples"), large]).state == "succeeded"
    assert backend.read_back_sha256(PLACE).sha256 == hashlib.sha256(b"samples").hexdigest()


@pytest.mark.parametrize("size", [20, 6_000_000])
def test_other_bytes_never_take_a_name_that_is_taken(
    size: int, backend: ArchiveBackend, made: Made, moved: Moved
) -> None:
    before = made(os.urandom(size))
    moved(backend, [before])
    done = moved(backend, [made(os.urandom(size)), made(b"its neighbour", PLACE.with_name("b"))])
    assert isinstance(done.failed[str(PLACE)], ArchiveConflict)
    assert backend.read_back_sha256(PLACE).sha256 == before.sha256
    assert backend.stat(PLACE.with_name("b")) == 13


@pytest.mark.parametrize("size", [20, 6_000_000])
def test_a_source_unlike_the_manifest_is_not_archived(
    size: int, backend: ArchiveBackend, made: Made, moved: Moved
) -> None:
    item = made(os.urandom(size))
    with item.source.open("r+b") as stream:
        stream.write(b"changed")
    done = moved(backend, [item, made(b"its neighbour", PLACE.with_name("b"))])
    assert isinstance(done.failed[str(PLACE)], ChangedWhileRead)
    assert backend.stat(PLACE) is None


def test_a_source_rewritten_with_size_and_time_kept_is_not_archived(
    backend: ArchiveBackend, made: Made, moved: Moved
) -> None:
    item = made(b"as hashed")
    times = item.source.stat()
    item.source.write_bytes(b"rewritten"[:9])
    os.utime(item.source, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert str(PLACE) in moved(backend, [item]).failed
    assert backend.stat(PLACE) is None


def test_a_source_that_is_gone_is_said_to_be(backend: ArchiveBackend, made: Made, moved: Moved) -> None:
    item = made(b"soon gone")
    item.source.unlink()
    done = moved(backend, [item])
    assert isinstance(done.failed[str(PLACE)], BadInput) and "a.bin" in str(done.failed[str(PLACE)])
    assert backend.stat(PLACE) is None


def test_sources_whose_names_would_be_one_are_refused_before_anything_moves(
    backend: ArchiveBackend, made: Made, moved: Moved
) -> None:
    for which, pair in enumerate(
        (("a", "a"), ("A.bin", "a.bin"), ("\u00e9.bin", "e\u0301.bin"), ("run", "run/a"), ("Run/b", "run"))
    ):
        items = [made(b"fine", SESSION / SHARE / "fine")]
        items += [made(name.encode(), SESSION / SHARE / name, f"{which}{n}/x") for n, name in enumerate(pair)]
        with pytest.raises(ArchiveConflict, match="Nothing was moved"):
            moved(backend, items)
    assert list(backend.listing(PurePosixPath())) == []


def test_an_odd_name_is_kept_or_refused_in_words(backend: ArchiveBackend, made: Made, moved: Moved) -> None:
    names = [
        "two words", "line\nend", "-dash", "神経", "'quote\"", "back\\slash", "tab\t", "*", "a%20b", "q?x#y", "a+b=&c",
        "trailing. ", "~tilde", "{}[]<>|;$`", "d/" * 100 + "deep",
    ]  # fmt: skip
    items = [made(name.encode(), SESSION / SHARE / name) for name in names]
    items.append(made(b"long", SESSION / SHARE / ("n" * 255)))
    done = moved(backend, items)
    there = dict(backend.listing(SESSION / SHARE))
    for item in items:
        error = done.failed.get(str(item.archive_path))
        if error is None:
            assert backend.read_back_sha256(item.archive_path).sha256 == item.sha256
            assert there[item.archive_path] == item.size
        else:
            assert isinstance(error, UnsafePath), error
            assert {"\n", "\t"} & {*str(item.path)}


@pytest.mark.parametrize("path", ["../out", "/out", "a/../../out", ".parts/a", "~/a", "."])
def test_a_path_that_leaves_the_archive_is_refused(
    path: str, backend: ArchiveBackend, made: Made, moved: Moved, tmp_path: Path
) -> None:
    place = PurePosixPath(path)
    try:
        error: BaseException = moved(backend, [made(b"out", place, path="x")]).failed[str(place)]
    except UnsafePath as refused:
        error = refused
    assert isinstance(error, UnsafePath)
    for use in (backend.stat, backend.read_back_sha256, backend.read_receipt, backend.set_aside):
        with pytest.raises(UnsafePath):
            use(place)
    with pytest.raises(UnsafePath):
        backend.put_receipt(place, b"{}")
    assert not (tmp_path / "out").exists()


def test_what_is_not_there_cannot_be_read(backend: ArchiveBackend, tmp_path: Path) -> None:
    with pytest.raises(NotInArchive, match="has no file"):
        backend.read_back_sha256(PLACE)
    with pytest.raises(NotInArchive):
        backend.read_receipt(PLACE)
    with pytest.raises(NotInArchive):
        backend.set_aside(PLACE)
    with pytest.raises(NotInArchive):
        backend.fetch(PLACE, tmp_path / "new")
    assert not (tmp_path / "new").exists() and not [*tmp_path.glob(".*.part")]
    assert backend.receipts(PLACE.parent) == [] and list(backend.listing(PLACE.parent)) == []


def test_a_receipt_is_written_once(backend: ArchiveBackend) -> None:
    folder = SESSION / "receipts"
    backend.put_receipt(folder / "b.json", b"{}")
    backend.put_receipt(folder / "a.json", b"[]")
    backend.put_receipt(folder / "a.txt", b"list")
    backend.put_receipt(folder / "a.json", b"[]")
    with pytest.raises(ArchiveConflict):
        backend.put_receipt(folder / "a.json", b"[1]")
    assert backend.read_receipt(folder / "a.json") == b"[]"
    assert backend.receipts(folder) == [folder / "a.json", folder / "b.json"]


@pytest.mark.parametrize("size", [1000, 6_000_000])
def test_rot_is_read_and_a_copy_set_aside_leaves_its_name_free(
    size: int, under_test: UnderTest, made: Made, moved: Moved
) -> None:
    backend, item = under_test.backend, made(os.urandom(size))
    moved(backend, [item])
    rotten = bytearray(item.source.read_bytes())
    rotten[size // 2] ^= 1
    under_test.damage(PLACE, bytes(rotten))
    assert backend.stat(PLACE) == size
    assert backend.read_back_sha256(PLACE).sha256 == hashlib.sha256(rotten).hexdigest() != item.sha256
    assert isinstance(moved(backend, [item]).failed[str(PLACE)], ArchiveConflict)
    aside = backend.set_aside(PLACE)
    assert aside.name.startswith("a.bin.BAD-") and backend.stat(PLACE) is None
    assert backend.read_back_sha256(aside).sha256 == hashlib.sha256(rotten).hexdigest()
    assert moved(backend, [item]).state == "succeeded"
    assert backend.read_back_sha256(PLACE).sha256 == item.sha256
    assert [path for path, _ in backend.listing(SESSION)] == [PLACE, aside]


def test_a_copy_that_was_lost_is_missed_and_made_again(under_test: UnderTest, made: Made, moved: Moved) -> None:
    backend, item = under_test.backend, made(b"samples")
    moved(backend, [item])
    under_test.damage(PLACE, None)
    assert backend.stat(PLACE) is None and list(backend.listing(SESSION)) == []
    assert moved(backend, [item]).state == "succeeded"
    assert backend.read_back_sha256(PLACE).sha256 == item.sha256


def test_the_listing_is_whole_ordered_and_of_one_folder(backend: ArchiveBackend, made: Made, moved: Moved) -> None:
    names = ["a/1", "a/b/2", "a-b/3", "a.b", "a b/4", "ab", "B", "z/ö", "10", "9"]
    moved(backend, [made(name.encode(), SESSION / SHARE / name) for name in names])
    backend.put_receipt(SESSION / "receipts/r.json", b"{}")
    places = sorted((SESSION / SHARE / name for name in names), key=lambda path: str(path).encode())
    assert list(backend.listing(SESSION / SHARE)) == [
        (place, len(str(place.relative_to(SESSION / SHARE)).encode())) for place in places
    ]
    assert [path.name for path, _ in backend.listing(SESSION / SHARE / "a")] == ["1", "2"]
    assert [path for path, _ in backend.listing(PurePosixPath())] == [SESSION / "receipts/r.json", *places]


@pytest.mark.parametrize("size", [0, 1000, 11_000_001])
def test_what_is_fetched_is_new_whole_and_hashed(
    size: int, backend: ArchiveBackend, made: Made, moved: Moved, tmp_path: Path
) -> None:
    item = made(os.urandom(size))
    moved(backend, [item])
    to = tmp_path / "back" / "a.bin"
    to.parent.mkdir()
    got = backend.fetch(PLACE, to)
    assert (got.sha256, got.size) == (item.sha256, size)
    assert to.read_bytes() == item.source.read_bytes()
    to.write_bytes(b"somebody's")
    with pytest.raises(FileExistsError):
        backend.fetch(PLACE, to)
    assert to.read_bytes() == b"somebody's" and [*to.parent.iterdir()] == [to]


def test_times_of_1970_and_of_years_to_come_change_nothing(backend: ArchiveBackend, made: Made, moved: Moved) -> None:
    items = [made(f"{day}".encode(), SESSION / SHARE / str(day)) for day in (-1, 0, 1, 60_000)]
    for item in items:
        os.utime(item.source, (int(item.path.name) * 86_400,) * 2)
    assert moved(backend, items).state == "succeeded"
    assert [backend.read_back_sha256(item.archive_path).sha256 for item in items] == [item.sha256 for item in items]


def test_a_sparse_file_is_kept_byte_for_byte(backend: ArchiveBackend, made: Made, moved: Moved) -> None:
    item = made(b"")
    with item.source.open("r+b") as stream:
        stream.seek(7_000_000)
        stream.write(b"end")
    content = item.source.read_bytes()
    item = item._replace(size=len(content), sha256=hashlib.sha256(content).hexdigest())
    assert moved(backend, [item]).state == "succeeded"
    assert backend.read_back_sha256(PLACE).sha256 == item.sha256


def test_a_link_is_not_followed(backend: ArchiveBackend, made: Made, moved: Moved, tmp_path: Path) -> None:
    item = made(b"secret")
    (tmp_path / "secret").write_bytes(b"secret")
    item.source.unlink()
    item.source.symlink_to(tmp_path / "secret")
    assert str(PLACE) in moved(backend, [item]).failed
    assert backend.stat(PLACE) is None


def test_an_unknown_backend_or_one_without_settings_is_a_matter_of_configuration(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="expected one of folder, s3, globus"):
        open_backend("tape", tmp_path)
    for name in ("s3", "globus"):
        with pytest.raises(BadConfiguration, match=rf"\[archive\.{name}\]"):
            open_backend(name, tmp_path)
    assert open_backend("folder", tmp_path).name == "folder"


@pytest.mark.parametrize(("archive", "share"), [("lab/rig1/archive", "lab/rig1"), ("lab", "lab/rig1"), ("a", "a")])
def test_an_archive_in_a_share_or_around_one_is_refused(archive: str, share: str, tmp_path: Path) -> None:
    (tmp_path / share).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / share)
    for root in (tmp_path / share, tmp_path / "link"):
        with pytest.raises(BadConfiguration, match="outside every share"):
            refuse_overlap(tmp_path / archive, {"other": tmp_path / "other", "rig1": root})
    refuse_overlap(tmp_path / "archive", {"rig1": tmp_path / "archive2", "rig2": tmp_path / "arch"})
