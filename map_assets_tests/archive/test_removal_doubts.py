"""What a removal meets on its way: names that are taken, files that change hands, clocks, databases, and one person under two names."""

from __future__ import annotations

import json
import os
import pwd
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from map_assets.archive import removal_gate, removal_quarantine, removal_run, removal_tombstone
from map_assets.archive.backends.folder import FolderArchive
from map_assets.archive.backends.protocol import ReadBack
from map_assets.archive.journal import Journal, LeasedElsewhere
from map_assets.archive.removal_approval import take_back
from map_assets.archive.removal_decisions import account_here
from map_assets.archive.removal_policy import TOMBSTONE, RemovalStopped
from map_assets.archive.removal_report import away
from map_assets.archive.states import State

sys.path.insert(0, str(Path(__file__).parent))
from removing import FILES, SESSION, SHARE, Bench

A, B, C, M = FILES
BIN = FILES[A][0]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A session that was archived fifteen days ago."""
    bench = Bench(tmp_path)
    bench.record()
    bench.archive_all()
    bench.later(15)
    return bench


def quarantine(bench: Bench, *names: str) -> None:
    bench.approve(only=names)
    bench.remove()
    bench.later(8)


def no_links(*_: object, **__: object) -> None:
    raise OSError(95, "Operation not supported")


# -- the word that stands where a file stood -----------------------------------------------------------------------------
@pytest.mark.parametrize("what", ["a file", "a file like ours", "a link", "a folder"])
def test_a_file_of_somebody_with_the_tombstones_name_keeps_the_source(bench: Bench, what: str) -> None:
    place = bench.root / f"{A}{TOMBSTONE}"
    if what == "a link":
        place.symlink_to("nowhere")
    elif what == "a folder":
        place.mkdir()
    else:
        place.write_text('{"notes": "mine"}' if what == "a file" else json.dumps({"share": SHARE, "path": A}))
    before = None if what in {"a link", "a folder"} else place.read_bytes()
    bench.approve(only=[A])
    done = bench.remove()[A]
    assert done.state is State.HELD and "no word of ours" in done.said
    assert (bench.root / A).read_bytes() == BIN and os.path.lexists(place)
    assert before is None or place.read_bytes() == before


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_that_takes_the_tombstones_name_meanwhile_brings_the_source_back(
    bench: Bench, has_links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = bench.root / f"{A}{TOMBSTONE}"
    write = removal_tombstone.write_tombstone

    def late(*given: Any) -> None:
        place.write_bytes(b"mine")
        write(*given)

    quarantine(bench, A)
    with monkeypatch.context() as patched:
        patched.setattr(removal_run, "write_tombstone", late)
        if not has_links:
            patched.setattr(os, "link", no_links)
        assert bench.remove()[A].state is State.HELD
    assert place.read_bytes() == b"mine" and (bench.root / A).read_bytes() == BIN
    assert [path for path in (bench.root / "run").iterdir() if path.name.endswith(".part")] == []


def test_without_links_the_tombstone_is_written_all_the_same(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    quarantine(bench, A)
    place = bench.root / f"{A}{TOMBSTONE}"
    place.touch()  # of a run that was stopped between taking the name and writing
    monkeypatch.setattr(os, "link", no_links)
    assert bench.remove()[A].state is State.REMOVED
    assert json.loads(place.read_text())["path"] == A


def test_a_second_removal_under_one_name_leaves_the_word_on_the_first(bench: Bench) -> None:
    quarantine(bench, A)
    bench.remove()
    first = (bench.root / f"{A}{TOMBSTONE}").read_bytes()
    bench.write(A, b"recorded again")
    bench.archive_all({A: (b"", "spikeglx_bin")})
    bench.later(15)
    quarantine(bench, A)
    bench.remove()
    assert not (bench.root / A).exists() and (bench.root / f"{A}{TOMBSTONE}").read_bytes() == first
    words = [json.loads(path.read_text()) for path in (bench.root / "run").glob(f"*{TOMBSTONE}")]
    assert len({word["sha256"] for word in words}) == len({word["archive_path"] for word in words}) == 2


def test_two_long_names_that_differ_at_their_end_have_a_tombstone_each(tmp_path: Path) -> None:
    names = {f"{'x' * 225}{end}.bin": (b"same bytes", "spikeglx_bin") for end in "ab"}
    bench = Bench(tmp_path)
    bench.record(names)
    bench.archive_all(names)
    bench.later(15)
    quarantine(bench, *names)
    assert {one.state for one in bench.remove().values()} == {State.REMOVED}
    words = [json.loads(path.read_text()) for path in bench.root.glob(f"*{TOMBSTONE}")]
    assert {word["path"] for word in words} == names.keys()


# -- files that change hands ---------------------------------------------------------------------------------------------
def test_a_file_that_gets_the_name_at_the_rename_comes_back_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, other = removal_quarantine.into_quarantine, b"a new recording, in no archive at all"

    def late(source: Path, *more: Any) -> None:
        source.rename(source.with_name("moved by the rig"))
        source.write_bytes(other)
        rename(source, *more)

    bench.approve(only=[A])
    with monkeypatch.context() as patched:
        patched.setattr(removal_run, "into_quarantine", late)
        done = bench.remove()[A]
    assert done.state is State.HELD and "back in its place" in done.said
    assert (bench.root / A).read_bytes() == other and not bench.in_quarantine()


def test_a_copy_that_is_the_source_itself_lets_nothing_go(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def through_another_mount(path: Path) -> removal_quarantine.Facts | None:
        found = removal_quarantine.facts(path)
        return None if found is None else {**found, "n_links": 1}

    bench.damage(A)
    os.link(bench.root / A, bench.copy_of(A))  # one file under two mounts shows one inode, and one name
    bench.approve(only=[A])
    for module in (removal_gate, removal_run):
        monkeypatch.setattr(module, "facts", through_another_mount)
    done = bench.remove()[A]
    assert done.state is State.SUSPECT and "is the source itself" in done.said
    assert (bench.root / A).read_bytes() == BIN


def test_other_bytes_under_a_removed_files_name_are_not_called_removed(bench: Bench) -> None:
    quarantine(bench, A)
    bench.remove()
    mtime_ns = (bench.root / B).stat().st_mtime_ns
    assert away(bench.journal, SESSION)[SHARE, A][0] == len(BIN) != mtime_ns
    bench.write(A, b"recorded again")
    bench.archive_all({A: (b"", "spikeglx_bin")})
    (bench.root / A).unlink()
    assert (SHARE, A) not in away(bench.journal, SESSION)


def test_a_file_that_was_touched_is_known_by_the_time_it_had_when_it_went(bench: Bench) -> None:
    os.utime(bench.root / A, ns=(0, 1_234_567_890_000_000_000))
    quarantine(bench, A)
    assert away(bench.journal, SESSION) == {(SHARE, A): (len(BIN), 1_234_567_890_000_000_000)}


# -- clocks, databases, leases -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("lifetime_s", [36_000.0, 3600.0])
def test_a_run_that_takes_hours_counts_grace_and_leave_from_the_act(
    tmp_path: Path, lifetime_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    present = datetime.now(UTC)
    bench = Bench(tmp_path, now=present - timedelta(days=15))
    bench.rules(grace_s=3600.0, approval_lifetime_s=lifetime_s)
    bench.record()
    bench.archive_all()
    bench.now = present
    bench.approve(only=[A])
    read, spent = FolderArchive.read_back_sha256, []

    def slow(self: FolderArchive, path: PurePosixPath) -> ReadBack:
        spent.append(timedelta(hours=2))
        return read(self, path)

    monkeypatch.setattr(removal_gate, "clock", lambda _: present + sum(spent, timedelta()))
    monkeypatch.setattr(FolderArchive, "read_back_sha256", slow)
    bench.remove()
    if lifetime_s < 7200:
        assert bench.states()[A] == "RECEIPTED" and (bench.root / A).exists()
        return
    (batch,) = bench.journal.batches(SESSION)
    last = bench.journal.events(batch.batch)[-1]
    assert last.state == "QUARANTINED" and last.at >= present + timedelta(hours=2)
    bench.remove()
    assert bench.in_quarantine()


@pytest.mark.parametrize("error", [RuntimeError("no"), OperationalError("update", {}, ValueError("closed"))])
def test_a_removal_that_could_not_be_written_down_is_written_down_by_the_next_run(
    bench: Bench, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = Journal.move

    def refusing(self: Journal, batch: str, files: Any, to: State, **more: Any) -> None:
        if to is State.REMOVED:
            raise error
        move(self, batch, files, to, **more)

    quarantine(bench, A)
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "move", refusing)
        if isinstance(error, OperationalError):
            with pytest.raises(RemovalStopped, match="database failed"):
                bench.remove()
        else:
            assert bench.remove()[A].state is State.QUARANTINED
    assert bench.states()[A] == "QUARANTINED" and not bench.in_quarantine()
    bench.write(A, b"a new file came under the old name")
    assert bench.remove()[A].state is State.REMOVED
    assert away(bench.journal, SESSION)[SHARE, A][0] == len(BIN)


def test_a_file_that_somebody_put_back_by_hand_is_not_called_removed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    quarantine(bench, A)
    with monkeypatch.context() as patched:  # stopped between the word that it will be unlinked and the act
        patched.setattr(removal_run, "end", lambda *_: (_ for _ in ()).throw(RemovalStopped("power cut")))
        bench.remove()
    (path,) = bench.in_quarantine()
    path.rename(bench.root / A)
    assert bench.remove()[A].state is State.HELD
    assert (bench.root / A).read_bytes() == BIN


def test_no_step_is_written_without_the_lease(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = removal_quarantine.into_quarantine

    def slow(*given: Any) -> None:
        rename(*given)
        with bench.journal.engine.begin() as connection:
            connection.exec_driver_sql("update archive_leases set owner = 'another', until_us = until_us + 900000000")

    bench.approve(only=[A])
    monkeypatch.setattr(removal_run, "into_quarantine", slow)
    with pytest.raises(LeasedElsewhere):
        bench.remove()
    assert bench.states()[A] == "REMOVING"


# -- people --------------------------------------------------------------------------------------------------------------
def test_one_user_of_the_machine_does_not_approve_and_remove_under_two_names(bench: Bench) -> None:
    bench.approve(only=[A], who="rivera")
    done = bench.remove(actor="okafor", account="rivera")[A]
    assert done.state is State.APPROVED and "cannot run it too under another name" in done.said
    bench.rules(allow_self_approval=True)
    bench.remove(actor="okafor", account="rivera")
    assert not (bench.root / A).exists()


def test_who_is_logged_in_is_not_chosen_by_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")
    assert account_here() == pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.setattr(os, "getuid", lambda: 2_000_000_123)
    assert account_here() == "user 2000000123"


def test_a_hold_on_a_share_keeps_all_of_its_files(bench: Bench) -> None:
    bench.records.hold(SESSION, who="chen", why="moving the share", share=SHARE, now=bench.now)
    assert not any(bench.desk.plan(SESSION, bench.now)["is_removable"].to_pylist())
    bench.records.hold("XX1_20200101_000000", who="chen", why="x", share="rig2", now=bench.now)
    (of_other,) = bench.records.holds("XX1_20200101_000000")
    assert not of_other.covers(SHARE, A)


def test_approvals_that_are_taken_back_bring_files_back_and_may_be_given_anew(bench: Bench) -> None:
    quarantine(bench, A)
    bench.approve(only=[B])
    assert take_back(bench.desk, SESSION, who="chen", why="a mistake", now=bench.now) == 2
    assert bench.states()[B] == "RECEIPTED" and take_back(bench.desk, SESSION, who="chen", why="x") == 0
    assert bench.remove()[A].state is State.HELD and (bench.root / A).read_bytes() == BIN
    bench.approve(only=[B])
    bench.remove()
    assert not (bench.root / B).exists()


@pytest.mark.parametrize("name", ["run/g0_t0.nidq.bin", "run/G0_TCAT.NIDQ.BIN"])
def test_the_ni_daqs_stream_stays_by_default(tmp_path: Path, name: str) -> None:
    files = {name: (b"pulses", "spikeglx_bin"), "run/g0.ap.bin": (b"neural", "spikeglx_bin")}
    bench = Bench(tmp_path)
    bench.record(files)
    bench.archive_all(files)
    bench.later(15)
    reasons = {row["path"]: row["reason"] for row in bench.desk.plan(SESSION, bench.now).to_pylist()}
    assert reasons == {name: "files named *.nidq.bin stay ([archive.removal] keep)", "run/g0.ap.bin": ""}
    bench.rules(keep=())
    bench.approve()
    bench.rules(keep=("*.nidq.bin",))
    assert bench.remove()[name].state is State.HELD and (bench.root / name).exists()
