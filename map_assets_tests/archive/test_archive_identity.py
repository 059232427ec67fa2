"""An archive in a folder is known by its marker: nothing is written to, or concluded from, what stands in its place."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import pytest
from pipeline import SESSION, Pipeline

from map_assets.archive.backends.folder import FolderArchive
from map_assets.archive.backends.marker import MARKER
from map_assets.archive.backends.protocol import ArchiveNotReady, NotInArchive
from map_assets.archive.identity import Identities
from map_assets.archive.journal import Journal
from map_assets.archive.mending import mend_session
from map_assets.archive.states import State
from map_assets.vocabulary.errors import ArchiveConflict, BadConfiguration, MapAssetsError, ShareNotReady

BEHAVIOR = PurePosixPath(SESSION, "rig1/SC022/behavior.mat")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(f"sqlite:///{tmp_path}/lab.db")
    yield journal
    journal.close()


@pytest.fixture
def pipe(share: Path, journal: Journal, tmp_path: Path) -> Pipeline:
    return Pipeline(share, archive_of(journal, tmp_path / "mnt/archive"), journal)


def archive_of(journal: Journal, root: Path) -> FolderArchive:
    root.parent.mkdir(exist_ok=True)
    return FolderArchive(root, known=Identities(journal))


def unmounted(archive: FolderArchive) -> Path:
    """Take the archive away and leave the bare mount point; returns where it is now."""
    away = archive.root.with_name("away")
    archive.root.rename(away)
    archive.root.mkdir()
    return away


def test_an_archive_gets_its_marker_at_its_first_use_and_keeps_it(pipe: Pipeline, journal: Journal) -> None:
    archive = pipe.backend
    assert isinstance(archive, FolderArchive)
    with pytest.raises(NotInArchive):
        archive.read_back_sha256(BEHAVIOR)
    assert not archive.root.exists() and archive.identity == ""
    pipe.run()
    marker = (archive.root / MARKER).read_text().strip()
    assert len(marker) == 36 and archive.identity == marker == Identities(journal).known("folder")
    assert all(not path.name.startswith(".") for path, _ in archive.listing(PurePosixPath()))
    assert archive_of(journal, archive.root).stat(BEHAVIOR) == 10_000
    assert (archive.root / MARKER).read_text().strip() == marker


@pytest.mark.parametrize("instead", ["a bare mount point", "nothing", "another archive"])
def test_nothing_is_written_to_or_concluded_from_what_stands_in_the_archives_place(
    pipe: Pipeline, journal: Journal, tmp_path: Path, share: Path, instead: str
) -> None:
    manifest = pipe.manifest()
    pipe.run(manifest)
    archive = pipe.backend
    assert isinstance(archive, FolderArchive)
    away = unmounted(archive)
    if instead == "nothing":
        archive.root.rmdir()
    elif instead == "another archive":
        (archive.root / MARKER).write_text("not-the-labs-own\n")
    before = sorted(tmp_path.joinpath("mnt").glob("archive/**/*"))
    again = archive_of(journal, archive.root)
    receipts = PurePosixPath(SESSION, "receipts")
    (share / "SC022/new.bin").write_bytes(b"new")
    for one in (archive, again):
        pipe.backend = one
        for ask in (
            pipe.transfer,
            lambda: pipe.receipt(manifest),
            lambda one=one: one.submit("s", []),
            lambda one=one: one.stat(BEHAVIOR),
            lambda one=one: one.read_back_sha256(BEHAVIOR),
            lambda one=one: one.fetch(BEHAVIOR, tmp_path / "fetched"),
            lambda one=one: list(one.listing(PurePosixPath())),
            lambda one=one: one.receipts(receipts),
            lambda one=one: one.put_receipt(receipts / "x.json", b"{}"),
            lambda one=one: one.set_aside(BEHAVIOR),
        ):
            with pytest.raises(ArchiveNotReady, match="known by"):
                ask()
    assert sorted(tmp_path.joinpath("mnt").glob("archive/**/*")) == before and not (tmp_path / "fetched").exists()
    assert State.SUSPECT not in pipe.states().values()
    shutil.rmtree(archive.root, ignore_errors=True)
    away.rename(archive.root)
    assert len(pipe.run()) == 4


def test_the_folder_above_an_archive_is_never_made(pipe: Pipeline) -> None:
    archive = pipe.backend
    assert isinstance(archive, FolderArchive)
    archive.root.parent.rmdir()
    with pytest.raises(ArchiveNotReady, match="is not there: mount it"):
        pipe.transfer()
    assert not archive.root.parent.exists()


def test_an_archive_from_before_there_were_markers_is_known_by_its_receipts_once(
    pipe: Pipeline, journal: Journal
) -> None:
    watched = pipe.backend
    assert isinstance(watched, FolderArchive)
    pipe.backend = FolderArchive(watched.root)
    pipe.run()
    assert not (watched.root / MARKER).exists()
    away = unmounted(watched)
    for ask in (lambda: watched.stat(BEHAVIOR), lambda: watched.submit("s", [])):
        with pytest.raises(ArchiveNotReady, match="receipts of the archive that the lab's database keeps"):
            ask()
    assert list(watched.root.iterdir()) == [] and Identities(journal).known("folder") is None
    watched.root.rmdir()
    away.rename(watched.root)
    assert watched.stat(BEHAVIOR) == 10_000
    assert (watched.root / MARKER).read_text().strip() == Identities(journal).known("folder")


def test_of_many_that_use_a_new_archive_first_all_know_the_same(journal: Journal, tmp_path: Path) -> None:
    archives = [archive_of(journal, tmp_path / "mnt/archive") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: one.submit("s", []), archives))
    assert {one.identity for one in archives} == {Identities(journal).known("folder")}
    assert [path.name for path in archives[0].root.iterdir() if path.name.startswith(MARKER)] == [MARKER]


def test_a_moved_archive_is_known_by_its_marker_and_another_one_only_by_a_persons_word(
    pipe: Pipeline, journal: Journal, tmp_path: Path
) -> None:
    pipe.run()
    old = pipe.backend
    assert isinstance(old, FolderArchive)
    moved = archive_of(journal, tmp_path / "mnt/moved")
    old.root.rename(moved.root)
    assert moved.stat(BEHAVIOR) == 10_000
    pipe.backend = moved
    assert pipe.run().num_rows == 3
    new = archive_of(journal, tmp_path / "mnt/new")
    new.root.mkdir()
    (new.root / MARKER).write_text("the-new-one\n")
    with pytest.raises(ArchiveNotReady):
        new.stat(BEHAVIOR)
    Identities(journal).replace("folder", str(new.root), "the-new-one", who="rivera", why="a larger disk")
    assert archive_of(journal, new.root).stat(BEHAVIOR) is None


# -- a receipt speaks only of the archive that it stands in ------------------------------------------------------------
def test_there_is_no_receipt_for_what_was_read_back_in_another_archive(pipe: Pipeline, tmp_path: Path) -> None:
    manifest = pipe.manifest()
    pipe.backend = FolderArchive(tmp_path / "first")
    pipe.transfer(manifest)
    pipe.verify(manifest)
    pipe.backend = second = FolderArchive(tmp_path / "second")
    with pytest.raises(MapAssetsError, match="read back equal in this archive"):
        pipe.receipt(manifest)
    assert list(second.root.glob("**/*.json")) == []
    pipe.run(manifest)
    assert second.stat(BEHAVIOR) == 10_000 and set(pipe.states().values()) == {"RECEIPTED"}


def test_a_session_with_its_receipt_is_not_taken_to_another_archive_unasked(pipe: Pipeline, tmp_path: Path) -> None:
    pipe.backend = FolderArchive(tmp_path / "first")
    pipe.run()
    (pipe.share / "SC022/later.bin").write_bytes(b"later")
    pipe.backend = FolderArchive(tmp_path / "second")
    for step in (pipe.transfer, pipe.receipt):
        with pytest.raises((BadConfiguration, ArchiveConflict), match="first"):
            step()
    assert not (tmp_path / "second").exists()


def test_a_receipt_that_somebody_else_wrote_is_not_kept_as_ours(pipe: Pipeline) -> None:
    import json

    from map_assets.archive.receipt_file import read_receipts

    pipe.run()
    last = read_receipts(SESSION, pipe.backend)[-1]
    forged = dict(last.document) | {"previous_receipt_sha256": last.sha256}
    forged["files"] = [dict(last.document["files"][0], path="never/there.bin", sha256="1" * 64)]
    place = PurePosixPath(SESSION, "receipts/29990101T000000.000000Z-forged.json")
    pipe.backend.put_receipt(place, json.dumps(forged).encode())
    assert pipe.receipt().num_rows == 3
    assert len(pipe.journal.kept_hashes(SESSION)) == 1


# -- the share is the one that it was ----------------------------------------------------------------------------------
def test_a_share_that_was_mounted_in_anothers_place_costs_no_file_a_try(pipe: Pipeline) -> None:
    from map_assets.archive.fate import Roots

    marker = pipe.share / ".map_assets_share"
    marker.write_text("rig1\n")
    manifest = pipe.manifest().filter([not one.startswith(".") for one in pipe.manifest()["path"].to_pylist()])
    roots = Roots({"rig1": pipe.share}, {"rig1": "rig1"})
    pipe.__class__ = type("Marked", (Pipeline,), {"roots": property(lambda _: roots)})
    away = pipe.share.with_name("away")
    pipe.share.rename(away)
    pipe.share.mkdir()
    marker.write_text("rig2\n")
    for _ in range(4):
        with pytest.raises(ShareNotReady, match="rig2"):
            pipe.transfer(manifest)
    assert set(pipe.states().values()) == {"MANIFESTED"} and len(pipe.journal.batches()) == 1
    shutil.rmtree(pipe.share)
    away.rename(pipe.share)
    pipe.run(manifest)
    assert set(pipe.states().values()) == {"RECEIPTED"}


def test_a_file_that_stays_unstable_fills_the_journal_with_no_more_batches(pipe: Pipeline) -> None:
    manifest = pipe.manifest()
    with (pipe.share / "SC022/behavior.mat").open("ab") as stream:
        stream.write(b"one more")
    for _ in range(4):
        pipe.transfer(manifest)
    assert len(pipe.journal.batches()) == 1


# -- doubt ---------------------------------------------------------------------------------------------------------------
def test_a_file_that_never_had_a_receipt_gets_none_by_being_mended(pipe: Pipeline) -> None:
    manifest = pipe.manifest()
    pipe.transfer(manifest)
    pipe.verify(manifest)
    batch = pipe.journal.batches()[0].batch
    pipe.journal.move(batch, [0], State.SUSPECT, actor="fixity")
    assert mend_session(SESSION, pipe.roots, pipe.backend, pipe.journal, "rivera").n_sent_again == 1
    assert pipe.journal.files(SESSION)["state"].to_pylist()[0] == "FAILED"
    pipe.run(manifest)
    assert set(pipe.states().values()) == {"RECEIPTED"}
