"""Files into the archive: each under its own name, each failure its own, nothing overwritten and nothing taken on trust."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pyarrow.compute as pc
import pytest
from pipeline import SESSION, Pipeline, SlowMover, found_on

from map_assets.archive.backends.folder import FolderArchive
from map_assets.archive.backends.protocol import ArchiveBlocked, ArchiveNotReady, Progress
from map_assets.archive.checks import no_file_needs_a_person, the_mover_is_done
from map_assets.archive.journal import Journal, LeasedElsewhere
from map_assets.archive.manifest import make_manifest
from map_assets.archive.moving import Limits
from map_assets.archive.transfer import transfer_session, try_again
from map_assets.vocabulary.errors import ArchiveConflict, BadConfiguration, MapAssetsError, ShareNotReady

BEHAVIOR = "SC022/behavior.mat"
RUN = "SC022/run_g0/run_g0_t0.imec0.ap.bin"
EMPTY = "SC022/notes/empty.txt"


@pytest.fixture
def pipe(share: Path, tmp_path: Path) -> Iterator[Pipeline]:
    journal = Journal(f"sqlite:///{tmp_path}/registry.db")
    yield Pipeline(share, FolderArchive(tmp_path / "archive"), journal)
    journal.close()


def archived(pipe: Pipeline) -> dict[str, bytes]:
    root = pipe.backend.root / SESSION / "rig1"  # type: ignore[attr-defined]
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_every_file_of_the_manifest_is_there_and_nothing_is_called_verified(pipe: Pipeline) -> None:
    transfer = pipe.transfer()
    assert not transfer.is_under_way
    assert set(transfer.table["state"].to_pylist()) == {"TRANSFERRED"}
    assert archived(pipe) == {path: (pipe.share / path).read_bytes() for path in (BEHAVIOR, RUN, EMPTY)}
    assert set(pipe.states().values()) == {"TRANSFERRED"}
    assert the_mover_is_done(transfer.table).passed and no_file_needs_a_person(transfer.table).passed


def test_asking_again_asks_nothing_and_shows_the_same(pipe: Pipeline) -> None:
    first = pipe.transfer()
    submissions = [one.submission for one in pipe.journal.submissions()]
    assert pipe.transfer().table.equals(first.table)
    pipe.verify()
    pipe.receipt()
    assert pipe.transfer().table.equals(first.table)
    assert [one.submission for one in pipe.journal.submissions()] == submissions and pipe.journal.marks() == {}


def test_a_name_that_holds_the_same_bytes_is_taken_as_it_is(pipe: Pipeline, tmp_path: Path) -> None:
    pipe.transfer()
    other = Journal(f"sqlite:///{tmp_path}/other.db")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "archive").rglob("*") if path.is_file()}
    again = Pipeline(pipe.share, pipe.backend, other)
    assert set(again.transfer().table["state"].to_pylist()) == {"TRANSFERRED"}
    assert {path: path.stat().st_mtime_ns for path in times} == times
    other.close()


def test_a_name_that_holds_other_bytes_is_a_conflict_and_they_stay(pipe: Pipeline, tmp_path: Path) -> None:
    place = tmp_path / "archive" / SESSION / "rig1" / BEHAVIOR
    place.parent.mkdir(parents=True)
    place.write_bytes(b"somebody else's")
    transfer = pipe.transfer()
    states = dict(zip(transfer.table["path"].to_pylist(), transfer.table["state"].to_pylist(), strict=True))
    assert states == {BEHAVIOR: "CONFLICT", RUN: "TRANSFERRED", EMPTY: "TRANSFERRED"}
    assert place.read_bytes() == b"somebody else's"
    verdict = no_file_needs_a_person(transfer.table)
    assert not verdict.passed and BEHAVIOR in verdict.description and "CONFLICT" in verdict.description
    assert set(pipe.transfer().table["state"].to_pylist()) == {"CONFLICT", "TRANSFERRED"}
    place.rename(place.with_suffix(".theirs"))
    assert try_again(SESSION, pipe.journal, "anna", "theirs has another name now") == 1
    assert SESSION in pipe.journal.marks()
    assert set(pipe.transfer().table["state"].to_pylist()) == {"TRANSFERRED"}


def test_other_bytes_under_a_path_that_is_archived_get_a_name_of_their_own(pipe: Pipeline) -> None:
    pipe.transfer()
    old, new = (pipe.share / BEHAVIOR).read_bytes(), b"sorted again"
    (pipe.share / BEHAVIOR).write_bytes(new)
    pipe.transfer()
    held = archived(pipe)
    assert held[BEHAVIOR] == old
    assert held[f"{BEHAVIOR}.v-{hashlib.sha256(new).hexdigest()[:12]}"] == new


@pytest.mark.parametrize(
    "names", [("a/Notes.txt", "a/notes.TXT"), ("a/caf\u00e9.txt", "a/cafe\u0301.txt"), ("a", "A/b")]
)
def test_two_names_that_a_file_system_may_take_for_one_stop_the_whole_batch(
    names: tuple[str, str], pipe: Pipeline
) -> None:
    for name in names:
        path = pipe.share / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    with pytest.raises(ArchiveConflict, match="Nothing was moved"):
        pipe.transfer()
    assert not (pipe.backend.root / SESSION).exists()  # type: ignore[attr-defined]
    assert pipe.journal.batches() == []


def test_a_file_that_changed_since_its_manifest_waits_for_a_new_one(pipe: Pipeline) -> None:
    manifest = pipe.manifest()
    status = (pipe.share / BEHAVIOR).stat()
    (pipe.share / BEHAVIOR).write_bytes(b"BEHAVIOUR " * 1000)  # same size
    os.utime(pipe.share / BEHAVIOR, ns=(status.st_atime_ns, status.st_mtime_ns))
    with (pipe.share / RUN).open("ab") as stream:
        stream.write(b"still growing")
    transfer = pipe.transfer(manifest)
    assert pipe.states() == {BEHAVIOR: "UNSTABLE", RUN: "UNSTABLE", EMPTY: "TRANSFERRED"}
    assert set(archived(pipe)) == {EMPTY} and not transfer.is_under_way
    assert "manifest" in pipe.details(transfer.table)[RUN]
    pipe.transfer()
    assert set(archived(pipe)) == {BEHAVIOR, RUN, EMPTY}
    assert set(pipe.transfer().table["state"].to_pylist()) == {"TRANSFERRED"}


def test_a_file_that_is_lost_before_it_was_archived_is_said_to_be(pipe: Pipeline) -> None:
    manifest = pipe.manifest()
    content = (pipe.share / BEHAVIOR).read_bytes()
    (pipe.share / BEHAVIOR).unlink()
    for _ in range(2):
        with pytest.raises(ArchiveNotReady, match="lost before it was archived"):
            pipe.transfer(manifest)
        assert pipe.states()[BEHAVIOR] == "FAILED"
    transfer = pipe.transfer(manifest)
    assert pipe.states() == {BEHAVIOR: "BLOCKED", RUN: "TRANSFERRED", EMPTY: "TRANSFERRED"}
    assert "lost before it was archived" in no_file_needs_a_person(transfer.table).description
    (pipe.share / BEHAVIOR).write_bytes(content)
    try_again(SESSION, pipe.journal, "anna", "put back from the rig")
    assert set(pipe.transfer(manifest).table["state"].to_pylist()) == {"TRANSFERRED"}


def test_a_file_that_left_its_share_when_the_archive_had_it_goes_on(pipe: Pipeline, tmp_path: Path) -> None:
    manifest = pipe.manifest()
    pipe.transfer(manifest)
    for path in (BEHAVIOR, RUN, EMPTY):
        (pipe.share / path).unlink()
    (pipe.share / "left").touch()
    other = Journal(f"sqlite:///{tmp_path}/other.db")
    again = Pipeline(pipe.share, pipe.backend, other)
    assert set(again.transfer(manifest).table["state"].to_pylist()) == {"TRANSFERRED"}
    assert other.submissions() == []
    other.close()


@pytest.mark.parametrize("deed", ["unmounted", "empty"])
def test_nothing_is_concluded_from_a_share_that_is_away(deed: str, pipe: Pipeline) -> None:
    manifest = pipe.manifest()
    pipe.share.rename(pipe.share.with_name("elsewhere"))
    if deed == "empty":
        pipe.share.mkdir()
    with pytest.raises(ShareNotReady, match="Nothing was concluded"):
        pipe.transfer(manifest)
    assert set(pipe.states().values()) == {"MANIFESTED"}


def test_a_link_in_the_place_of_a_file_needs_a_person(pipe: Pipeline) -> None:
    manifest = pipe.manifest()
    (pipe.share / BEHAVIOR).rename(pipe.share / "real.mat")
    (pipe.share / BEHAVIOR).symlink_to(pipe.share / "real.mat")
    pipe.transfer(manifest)
    assert pipe.states()[BEHAVIOR] == "BLOCKED" and BEHAVIOR not in archived(pipe)


class Faulty(FolderArchive):
    """Fails in `submit` as it is told to."""

    error: MapAssetsError | None = None
    failing: frozenset[str] = frozenset()
    asked: list[int]

    def submit(self, submission, items):
        self.asked = [*getattr(self, "asked", []), len(items)]
        if self.error is not None:
            raise self.error
        bad = {str(item.archive_path) for item in items if item.path.name in self.failing}
        if bad:
            error = MapAssetsError("the medium refused it")
            return Progress(submission, "failed", "one file stopped the task", dict.fromkeys(bad, error))
        return super().submit(submission, items)


def test_an_archive_that_cannot_be_reached_is_asked_again_under_the_same_id(pipe: Pipeline, tmp_path: Path) -> None:
    pipe.backend = Faulty(tmp_path / "archive")
    pipe.backend.error = ArchiveNotReady("The network is down.")
    for _ in range(5):
        with pytest.raises(ArchiveNotReady, match="network"):
            pipe.transfer()
    (planned,) = pipe.journal.submissions()
    assert planned.outcome is None and set(pipe.states().values()) == {"SUBMITTED"}
    pipe.backend.error = None
    assert set(pipe.transfer().table["state"].to_pylist()) == {"TRANSFERRED"}
    (ended,) = pipe.journal.submissions()
    assert (ended.submission, ended.outcome) == (planned.submission, "succeeded")


def test_what_needs_a_person_is_blocked_with_what_to_do_and_not_tried_again(pipe: Pipeline, tmp_path: Path) -> None:
    pipe.backend = Faulty(tmp_path / "archive")
    pipe.backend.error = ArchiveBlocked("Give consent at the collection's page.")
    for _ in range(3):
        transfer = pipe.transfer()
    assert pipe.backend.asked == [3]
    assert set(transfer.table["state"].to_pylist()) == {"BLOCKED"}
    assert set(transfer.table["detail"].to_pylist()) == {"Give consent at the collection's page."}
    pipe.backend.error = None
    assert try_again(SESSION, pipe.journal, "anna", "consented") == 3
    assert set(pipe.transfer().table["state"].to_pylist()) == {"TRANSFERRED"}
    given = [event for batch in pipe.journal.batches() for event in pipe.journal.events(batch.batch)]
    assert ("anna", "consented") in {(event.actor, event.why) for event in given}


def test_one_bad_file_goes_alone_and_its_neighbours_arrive(pipe: Pipeline, tmp_path: Path) -> None:
    for n in range(20):
        (pipe.share / f"{n:02}.bin").write_bytes(bytes([n]))
    pipe.backend = Faulty(tmp_path / "archive")
    pipe.backend.failing = frozenset({"07.bin"})
    for _ in range(2):
        with pytest.raises(ArchiveNotReady, match="refused"):
            pipe.transfer()
    transfer = pipe.transfer()
    assert sorted(pipe.backend.asked) == [1, 1, 22, 23]
    stuck = transfer.table.filter(pc.not_equal(transfer.table["state"], "TRANSFERRED"))
    assert (stuck["path"].to_pylist(), stuck["state"].to_pylist()) == (["07.bin"], ["BLOCKED"])
    assert stuck["detail"].to_pylist() == ["the medium refused it"]


def test_a_batch_is_asked_for_in_pieces_and_failed_ones_in_smaller_ones(pipe: Pipeline, tmp_path: Path) -> None:
    for n in range(29):
        (pipe.share / f"{n:02}.bin").write_bytes(bytes([n]))
    pipe.backend = Faulty(tmp_path / "archive")
    pipe.limits = Limits(items_per_submission=16)
    pipe.backend.failing = frozenset({"00.bin"})
    with pytest.raises(ArchiveNotReady):
        pipe.transfer()
    assert sorted(pipe.backend.asked) == [16, 16]
    pipe.backend.asked.clear()
    with pytest.raises(ArchiveNotReady):
        pipe.transfer()
    assert sorted(pipe.backend.asked) == [1, 3, 4, 4, 4]
    assert list(pipe.states().values()).count("TRANSFERRED") == 31


def test_a_second_worker_goes_home(pipe: Pipeline) -> None:
    manifest = pipe.manifest()
    with pipe.journal.lease(SESSION):
        for work in (pipe.transfer, pipe.verify, pipe.receipt):
            with pytest.raises(LeasedElsewhere, match="another process"):
                work(manifest)
    assert pipe.states() == {}


def test_a_backend_that_was_changed_under_a_transfer_is_a_matter_of_configuration(
    pipe: Pipeline, tmp_path: Path
) -> None:
    folder, pipe.backend = pipe.backend, SlowMover(tmp_path / "other")
    assert pipe.transfer().is_under_way
    pipe.backend = folder
    with pytest.raises(BadConfiguration, match="has not come to its end"):
        pipe.transfer()


def test_wrong_calls_are_matters_of_configuration(pipe: Pipeline) -> None:
    manifest = pipe.manifest()
    with pytest.raises(BadConfiguration, match="'rig1'"):
        transfer_session(SESSION, manifest, {}, pipe.backend, pipe.journal)
    with pytest.raises(BadConfiguration, match="SC099"):
        transfer_session("SC099_20190228_151010", manifest, pipe.roots, pipe.backend, pipe.journal)
    named, _ = make_manifest(SESSION, found_on(pipe.share, "receipts"))
    with pytest.raises(BadConfiguration, match="receipts"):
        transfer_session(SESSION, named, {"receipts": pipe.share}, pipe.backend, pipe.journal)


def test_a_session_without_files_has_nothing_to_do(pipe: Pipeline) -> None:
    manifest, _ = make_manifest(SESSION, [])
    transfer = pipe.transfer(manifest)
    assert (transfer.table.num_rows, transfer.is_under_way) == (0, False)
    assert pipe.verify(manifest).num_rows == pipe.receipt(manifest).num_rows == 0
    assert not pipe.backend.root.exists()  # type: ignore[attr-defined]
    assert pipe.backend.stat(PurePosixPath(SESSION)) is None
