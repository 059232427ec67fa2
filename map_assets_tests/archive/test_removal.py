"""A source leaves its share only with proof, leave and time; every doubt keeps or returns it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path, PurePosixPath

import pytest

from map_assets.archive.backends.folder import FolderArchive
from map_assets.archive.backends.protocol import ArchiveNotReady, ReadBack
from map_assets.archive.journal import LeasedElsewhere
from map_assets.archive.removal_policy import MARKER, QUARANTINE, TOMBSTONE, RemovalPolicy
from map_assets.archive.removal_report import away, removed_files
from map_assets.archive.states import State
from map_assets.vocabulary.errors import BadConfiguration

sys.path.insert(0, str(Path(__file__).parent))
from removing import FILES, SESSION, SHARE, UUID, Bench, flipped, rewrite_unnoticed

A, B, C, M = FILES
REMOVABLE = {A, B, C}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A session that was archived fifteen days ago."""
    bench = Bench(tmp_path)
    bench.record()
    bench.archive_all()
    bench.later(15)
    return bench


@pytest.fixture
def approved(bench: Bench) -> Bench:
    """The same, with its removal approved."""
    bench.approve()
    return bench


@pytest.fixture
def quarantined(approved: Bench) -> Bench:
    """The same, with its files in quarantine."""
    approved.remove()
    return approved


def assert_all_kept(bench: Bench) -> None:
    assert bench.on_share() == set(FILES)
    assert all((bench.root / name).read_bytes() == content for name, (content, _) in FILES.items())


# -- the way that is meant -----------------------------------------------------------------------------------------------
def test_approved_files_wait_in_quarantine_and_end_after_the_grace(quarantined: Bench) -> None:
    bench = quarantined
    assert bench.on_share() == {M}
    assert {path.name for path in bench.in_quarantine()} == {"a.ap.bin", "b.ap.bin", "c 1.avi"}
    bench.later(6.9)
    bench.remove()
    assert len(bench.in_quarantine()) == 3
    bench.later(0.2)
    done = bench.remove()
    assert {done[name].state for name in REMOVABLE} == {State.REMOVED}
    assert not (bench.root / QUARANTINE).exists()
    said = json.loads((bench.root / f"{A}{TOMBSTONE}").read_text())
    assert (said["archive_path"], said["session"]) == (f"{SESSION}/{SHARE}/{A}", SESSION)
    assert said["receipt"].endswith(".json") and said["copies"][0]["method"].startswith("read back whole")
    table = removed_files(bench.journal, SESSION)
    assert set(table["path"].to_pylist()) == REMOVABLE and set(table["state"].to_pylist()) == {"REMOVED"}
    assert away(bench.journal, SESSION).keys() == {(SHARE, name) for name in REMOVABLE}
    assert bench.remove() == {}


def test_each_step_is_written_down_with_its_evidence(quarantined: Bench) -> None:
    quarantined.later(8)
    quarantined.remove()
    (batch,) = quarantined.journal.batches(SESSION)
    of_first = [event for event in quarantined.journal.events(batch.batch) if 1 in event.files.tolist()]
    assert [event.state for event in of_first][-4:] == ["APPROVED", "REMOVING", "QUARANTINED", "REMOVED"]
    removing = of_first[-3].evidence
    assert removing["receipt"].startswith(f"{SESSION}/receipts/")
    assert removing["quarantine"] == f"{QUARANTINE}/{batch.batch}/{A}"
    assert len(removing["approval"]) == 16


def test_a_file_without_approval_stays(bench: Bench) -> None:
    assert bench.remove() == {}
    bench.approve(only=[A])
    bench.remove()
    assert bench.on_share() == {B, C, M}


# -- the source is not what it was ---------------------------------------------------------------------------------------
def test_a_rewrite_of_the_same_size_and_time_is_noticed(approved: Bench) -> None:
    changed = flipped(FILES[A][0])
    rewrite_unnoticed(approved.root / A, changed)
    done = approved.remove()
    assert done[A].state is State.HELD and "bytes of the manifest" in done[A].said
    assert (approved.root / A).read_bytes() == changed


def test_an_appended_source_stays(approved: Bench) -> None:
    with (approved.root / A).open("ab") as stream:
        stream.write(b"more")
    assert approved.remove()[A].state is State.HELD
    assert (approved.root / A).read_bytes() == FILES[A][0] + b"more"


def test_a_source_with_a_second_name_stays(approved: Bench) -> None:
    os.link(approved.root / A, approved.root / "run" / "second.bin")
    done = approved.remove()
    assert done[A].state is State.HELD and "2 names" in done[A].said
    assert (approved.root / A).exists()


@pytest.mark.parametrize("what", ["link", "folder", "pipe", "linked folder"])
def test_what_is_no_plain_file_any_more_is_left_alone(approved: Bench, what: str, tmp_path: Path) -> None:
    path, elsewhere = approved.root / A, tmp_path / "elsewhere"
    if what == "linked folder":
        path.parent.rename(elsewhere)
        path.parent.symlink_to(elsewhere)
    else:
        path.rename(elsewhere)
        {"link": lambda: path.symlink_to(elsewhere), "folder": path.mkdir, "pipe": lambda: os.mkfifo(path)}[what]()
    assert approved.remove()[A].state is State.HELD
    assert os.path.lexists(path)
    assert (elsewhere / "a.ap.bin" if elsewhere.is_dir() else elsewhere).read_bytes() == FILES[A][0]


def test_a_source_that_somebody_else_took_away_is_no_removal_of_ours(approved: Bench) -> None:
    (approved.root / A).unlink()
    done = approved.remove()
    assert done[A].state is State.HELD and "nothing of ours" in done[A].said
    assert (SHARE, A) not in away(approved.journal, SESSION)


def test_the_first_doubt_ends_the_run(approved: Bench) -> None:
    (approved.root / A).unlink()
    done = approved.remove()
    assert {done[B].state, done[C].state} == {State.APPROVED}
    assert approved.on_share() == {B, C, M}
    approved.remove()
    assert approved.on_share() == {M}


# -- receipt and copies --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("what", ["missing", "truncated", "edited", "missing here", "of other bytes"])
def test_without_its_receipt_in_both_places_nothing_is_removed(approved: Bench, what: str) -> None:
    (receipt,) = (approved.archive / SESSION / "receipts").glob("*.json")
    content = receipt.read_bytes()
    receipt.chmod(0o644)
    if what == "missing here":
        with approved.journal.engine.begin() as connection:
            connection.exec_driver_sql("delete from archive_receipts")
    elif what == "missing":
        receipt.unlink()
    else:
        sha256 = json.loads(content)["files"][1]["sha256"]
        of_other = content.replace(sha256.encode(), b"0" * 64)
        receipt.write_bytes({"truncated": content[:200], "edited": content + b" ", "of other bytes": of_other}[what])
    done = approved.remove()
    assert State.REMOVING not in {one.state for one in done.values()}
    assert State.HELD in {one.state for one in done.values()}
    assert_all_kept(approved)


def test_a_receipt_that_goes_during_the_run_stops_it(approved: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    read = FolderArchive.read_back_sha256

    def losing(self: FolderArchive, path: PurePosixPath) -> ReadBack:
        for receipt in (approved.archive / SESSION / "receipts").glob("*.json"):
            receipt.unlink()
        return read(self, path)

    monkeypatch.setattr(FolderArchive, "read_back_sha256", losing)
    done = approved.remove()
    assert done[A].state is State.HELD and "receipt" in done[A].said
    assert_all_kept(approved)


@pytest.mark.parametrize("damage", [None, b"rot"])
def test_a_copy_that_is_lost_or_rotten_at_the_gate_is_suspect(approved: Bench, damage: bytes | None) -> None:
    approved.damage(A, damage and flipped(FILES[A][0]))
    assert approved.remove()[A].state is State.SUSPECT
    assert_all_kept(approved)


@pytest.mark.parametrize("error", [ArchiveNotReady, ZeroDivisionError])
@pytest.mark.parametrize("when", ["approved", "quarantined"])
def test_a_copy_that_cannot_be_read_just_now_is_no_doubt_and_nothing_is_removed_upon_it(
    bench: Bench, when: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: FolderArchive, path: PurePosixPath) -> ReadBack:
        raise error("no")

    bench.approve()
    if when == "quarantined":
        bench.remove()
        bench.later(8)
    before = bench.states()
    with monkeypatch.context() as patched:
        patched.setattr(FolderArchive, "read_back_sha256", fails)
        done = bench.remove()
    assert bench.states() == before and "could not be read back just now" in done[A].said
    assert not done[A].is_well
    bench.remove()
    assert bench.states()[A] == ("REMOVED" if when == "quarantined" else "QUARANTINED")


@pytest.mark.parametrize("damage", ["lost", "rotten"])
def test_a_copy_that_is_not_proven_after_the_grace_brings_its_source_back(quarantined: Bench, damage: str) -> None:
    quarantined.later(8)
    quarantined.damage(A, None if damage == "lost" else flipped(FILES[A][0]))
    done = quarantined.remove()
    assert done[A].state is State.SUSPECT and "back in its place" in done[A].said
    assert (quarantined.root / A).read_bytes() == FILES[A][0]
    assert len(quarantined.in_quarantine()) == 2


def test_another_way_of_reading_than_the_policy_knows_is_no_proof(approved: Bench) -> None:
    approved.rules(methods=("mount",))
    assert approved.remove()[A].state is State.SUSPECT
    assert_all_kept(approved)


def test_two_copies_are_needed_where_the_policy_says_two(bench: Bench, tmp_path: Path) -> None:
    bench.rules(min_copies=2)
    bench.approve(only=[A])
    assert bench.remove()[A].state is State.SUSPECT
    second = FolderArchive(tmp_path / "second")
    second.put(bench.root / B, PurePosixPath(SESSION, SHARE, B), _sha256(bench, B), len(FILES[B][0]))
    bench.others = (second,)
    bench.approve(only=[B, C])
    done = bench.remove()
    assert done[B].state is State.QUARANTINED
    assert done[C].state is State.SUSPECT and "1 of 2 copies were proven" in done[C].said


def _sha256(bench: Bench, name: str) -> str:
    return next(row["sha256"] for row in bench.journal.files(SESSION).to_pylist() if row["path"] == name)


# -- while it is in quarantine -------------------------------------------------------------------------------------------
def test_a_new_file_under_the_old_name_keeps_both(quarantined: Bench) -> None:
    quarantined.write(A, b"recorded again")
    done = quarantined.remove()
    assert done[A].state is State.HELD and "Another file has its name" in done[A].said
    assert (quarantined.root / A).read_bytes() == b"recorded again"
    (kept,) = [path for path in quarantined.in_quarantine() if path.name == "a.ap.bin"]
    assert kept.read_bytes() == FILES[A][0]
    (quarantined.root / A).unlink()
    quarantined.remove()
    assert (quarantined.root / A).read_bytes() == FILES[A][0]


def test_a_write_through_an_open_handle_brings_the_file_back(approved: Bench) -> None:
    with (approved.root / A).open("r+b") as stream:
        approved.remove()
        assert not (approved.root / A).exists()
        stream.write(b"late words")
    approved.later(8)
    assert approved.remove()[A].state is State.HELD
    assert (approved.root / A).read_bytes().startswith(b"late words")


def test_a_hidden_write_in_quarantine_is_found_by_reading(quarantined: Bench) -> None:
    (path,) = [path for path in quarantined.in_quarantine() if path.name == "a.ap.bin"]
    rewrite_unnoticed(path, flipped(FILES[A][0]))
    quarantined.later(8)
    assert quarantined.remove()[A].state is State.HELD
    assert (quarantined.root / A).read_bytes() == flipped(FILES[A][0])


def test_a_file_that_somebody_took_from_quarantine_is_not_called_removed(quarantined: Bench) -> None:
    next(path for path in quarantined.in_quarantine() if path.name == "a.ap.bin").unlink()
    done = quarantined.remove()
    assert done[A].state is State.HELD and "not by us" in done[A].said


def test_a_hold_or_a_revoked_approval_brings_files_back(quarantined: Bench) -> None:
    quarantined.records.hold(SESSION, who="chen", why="in use", share=SHARE, path=A, now=quarantined.now)
    assert quarantined.remove()[A].state is State.HELD
    assert (quarantined.root / A).exists() and len(quarantined.in_quarantine()) == 2
    (approval,) = quarantined.records.approvals(SESSION)
    quarantined.records.revoke(approval.approval, who="rivera", why="a mistake", now=quarantined.now)
    quarantined.remove()
    assert_all_kept(quarantined)


# -- the share -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("what", ["unmounted", "empty", "another share", "marker gone", "no marker known"])
@pytest.mark.parametrize("when", ["approved", "quarantined"])
def test_where_the_share_is_not_itself_nothing_is_removed_or_concluded(bench: Bench, what: str, when: str) -> None:
    bench.approve()
    if when == "quarantined":
        bench.remove()
        bench.later(8)
    before, aside = bench.states(), bench.work / "aside"
    if what in {"unmounted", "empty", "another share"}:
        bench.root.rename(aside)
        if what != "unmounted":
            bench.root.mkdir()
        if what == "another share":
            (bench.root / MARKER).write_text("another")
            bench.write(A, FILES[A][0])
    elif what == "marker gone":
        (bench.root / MARKER).rename(aside)
    else:
        bench.marker = None
    done = bench.remove()
    assert done and bench.states() == before
    if aside.is_dir():
        if what == "another share":
            assert (bench.root / A).read_bytes() == FILES[A][0]
        if bench.root.exists():
            (bench.root / MARKER).unlink(missing_ok=True)
            (bench.root / A).unlink(missing_ok=True)
            for folder in ("run", ""):
                if (bench.root / folder).is_dir():
                    (bench.root / folder).rmdir()
        aside.rename(bench.root)
    elif aside.exists():
        aside.rename(bench.root / MARKER)
    bench.marker = UUID
    bench.remove()
    expected = State.QUARANTINED if when == "approved" else State.REMOVED
    assert {bench.states()[name] for name in REMOVABLE} == {expected}


@pytest.mark.parametrize("when", ["approved", "quarantined"])
def test_a_share_that_goes_away_while_it_is_looked_at_is_no_doubt_about_its_files(
    bench: Bench, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = FolderArchive.read_back_sha256

    def unmounting(self: FolderArchive, path: PurePosixPath) -> ReadBack:
        if bench.root.exists():
            bench.root.rename(bench.work / "aside")
        return read(self, path)

    bench.approve()
    if when == "quarantined":
        bench.remove()
        bench.later(8)
    before = bench.states()
    with monkeypatch.context() as patched:
        patched.setattr(FolderArchive, "read_back_sha256", unmounting)
        done = bench.remove()
    assert bench.states() == before and "is share rig1 mounted" in done[A].said
    (bench.work / "aside").rename(bench.root)
    bench.remove()
    assert bench.states()[A] == ("REMOVED" if when == "quarantined" else "QUARANTINED")


@pytest.mark.parametrize("when", ["into quarantine", "back", "end"])
def test_a_share_that_does_not_permit_is_asked_again_later(
    bench: Bench, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise PermissionError(13, "the file is used by another process")

    bench.approve(only=[A])
    if when == "into quarantine":
        with monkeypatch.context() as patched:
            patched.setattr(Path, "rename", refuses)
            assert bench.remove()[A].state is State.REMOVING
        assert (bench.root / A).exists()
        assert bench.remove()[A].state is State.QUARANTINED
        return
    bench.remove()
    bench.later(8)
    if when == "back":
        bench.damage(A, None)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuses)
        patched.setattr(os, "link", refuses)
        patched.setattr(Path, "rename", refuses)
        done = bench.remove()[A]
    assert done.state is (State.SUSPECT if when == "back" else State.QUARANTINED)
    assert len(bench.in_quarantine()) == 1
    bench.remove()
    assert not bench.in_quarantine()
    assert bench.states()[A] == ("SUSPECT" if when == "back" else "REMOVED")
    assert (bench.root / A).exists() is (when == "back")


def test_a_file_system_without_links_gives_the_name_back_by_a_rename(
    quarantined: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(95, "Operation not supported")

    quarantined.damage(A, None)
    quarantined.later(8)
    monkeypatch.setattr(os, "link", no_links)
    assert "back in its place" in quarantined.remove()[A].said
    assert (quarantined.root / A).read_bytes() == FILES[A][0]


# -- leave ---------------------------------------------------------------------------------------------------------------
def test_an_expired_approval_removes_nothing_and_may_be_given_anew(approved: Bench) -> None:
    approved.later(7.1)
    done = approved.remove()
    assert {one.state for one in done.values()} == {State.RECEIPTED}
    assert_all_kept(approved)
    approved.approve()
    approved.remove()
    assert approved.on_share() == {M}


def test_an_approval_of_other_bytes_or_of_another_batch_counts_for_nothing(bench: Bench) -> None:
    rows = [row for row in bench.journal.files(SESSION).to_pylist() if row["path"] == A]
    (batch,) = {row["batch"] for row in rows}
    for changed in ({"sha256": "0" * 64}, {"batch": "another"}):
        named = [{**rows[0], **changed}]
        bench.records.approve(SESSION, named, who="rivera", why="x", plan="p", lifetime_s=9e9, now=bench.now)
    bench.journal.move(batch, [rows[0]["file"]], State.APPROVED, actor="rivera", now=bench.now)
    done = bench.remove()
    assert done[A].state is State.RECEIPTED and "no approval that stands names these bytes" in done[A].said
    assert_all_kept(bench)


def test_whoever_approved_does_not_run_the_removal_unless_the_lab_allows_it(approved: Bench) -> None:
    done = approved.remove(actor="rivera")
    assert {one.state for one in done.values()} == {State.APPROVED}
    assert "cannot run it too" in done[A].said
    assert_all_kept(approved)
    approved.rules(allow_self_approval=True)
    approved.remove(actor="rivera")
    assert approved.on_share() == {M}


def test_no_rule_lets_a_source_go_without_a_copy() -> None:
    with pytest.raises(BadConfiguration, match="min_copies = 0"):
        RemovalPolicy(min_copies=0)
    with pytest.raises(BadConfiguration, match="grace_s"):
        RemovalPolicy(grace_s=float("nan"))
    with pytest.raises(BadConfiguration, match="methods"):
        RemovalPolicy(methods=())


@pytest.mark.parametrize("when", ["approved", "quarantined"])
def test_while_the_kill_switch_is_there_nothing_moves(bench: Bench, when: str, tmp_path: Path) -> None:
    switch = tmp_path / "stop"
    bench.rules(kill_switch=switch)
    bench.approve()
    if when == "quarantined":
        bench.remove()
        bench.later(8)
    switch.symlink_to("nowhere")
    before = bench.states()
    done = bench.remove()
    assert all("kill switch" in one.said for one in done.values())
    assert bench.states() == before
    assert len(bench.in_quarantine()) == (3 if when == "quarantined" else 0)
    switch.unlink()
    bench.remove()
    assert bench.on_share() == {M}


def test_a_role_that_the_policy_keeps_stays_even_when_approved(approved: Bench) -> None:
    approved.rules(roles=("video",))
    assert approved.remove()[A].state is State.HELD
    assert approved.on_share() == {A, B, M}


def test_one_run_keeps_to_its_budget(approved: Bench) -> None:
    approved.rules(max_files=2)
    done = approved.remove()
    assert sorted(one.state for one in done.values()) == ["APPROVED", "QUARANTINED", "QUARANTINED"]
    approved.remove()
    approved.rules(max_files=1000, max_bytes=len(FILES[A][0]))
    approved.later(8)
    assert sum(one.state is State.REMOVED for one in approved.remove().values()) == 1


# -- time and company ----------------------------------------------------------------------------------------------------
def test_a_clock_that_was_set_back_ends_nothing_early(quarantined: Bench) -> None:
    quarantined.later(-30)
    quarantined.remove()
    assert len(quarantined.in_quarantine()) == 3


@pytest.mark.parametrize("mtime_s", [0, 4_102_444_800])
def test_a_files_own_times_bring_its_removal_no_nearer(tmp_path: Path, mtime_s: int) -> None:
    bench = Bench(tmp_path)
    bench.record()
    os.utime(bench.root / A, (mtime_s, mtime_s))
    bench.archive_all()
    bench.later(13.9)
    assert not any(bench.desk.plan(SESSION, bench.now)["is_removable"].to_pylist())
    bench.later(0.2)
    bench.approve()
    bench.remove()
    assert bench.on_share() == {M}


def test_a_session_that_another_process_works_on_is_left_to_it(approved: Bench) -> None:
    with approved.journal.lease(SESSION), pytest.raises(LeasedElsewhere):
        approved.remove()
    assert_all_kept(approved)
    approved.remove()
    assert approved.on_share() == {M}


def test_a_worker_whose_lease_was_taken_over_stops_before_it_acts(
    approved: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = FolderArchive.read_back_sha256

    def slow(self: FolderArchive, path: PurePosixPath) -> ReadBack:
        with approved.journal.engine.begin() as connection:
            connection.exec_driver_sql("update archive_leases set owner = 'another', until_us = until_us + 900000000")
        return read(self, path)

    monkeypatch.setattr(FolderArchive, "read_back_sha256", slow)
    with pytest.raises(LeasedElsewhere):
        approved.remove()
    assert_all_kept(approved)
    assert set(approved.states().values()) == {"APPROVED", "RECEIPTED"}
