"""A mover that takes its time: asked once, looked at without waiting, and believed in nothing but that its work is over."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

import pytest
from pipeline import SESSION, Pipeline, SlowMover

from map_assets.archive import journal_submissions
from map_assets.archive.backends.protocol import ArchiveNotReady
from map_assets.archive.checks import every_file_is_verified, the_mover_is_done
from map_assets.archive.journal import Journal
from map_assets.archive.manifest import make_manifest
from map_assets.archive.moving import Limits
from map_assets.archive.polling import poll
from map_assets.archive.receipt import NotVerified
from map_assets.archive.transfer import Transfer, transfer_session, try_again
from map_assets.vocabulary.files import FoundFile

BEHAVIOR = "SC022/behavior.mat"
RUN = "SC022/run_g0/run_g0_t0.imec0.ap.bin"
EMPTY = "SC022/notes/empty.txt"


class Slow(Pipeline):
    backend: SlowMover

    def over(self) -> None:
        """Let the tasks come to their end, and look."""
        self.backend.is_ready = True
        self.poll()
        self.backend.is_ready = False


@pytest.fixture
def slow(share: Path, tmp_path: Path) -> Iterator[Slow]:
    journal = Journal(f"sqlite:///{tmp_path}/registry.db")
    yield Slow(share, SlowMover(tmp_path / "archive"), journal)
    journal.close()


def place(path: str) -> str:
    return f"{SESSION}/rig1/{path}"


def test_a_transfer_is_left_at_work_and_comes_to_its_end_at_a_later_look(slow: Slow) -> None:
    transfer = slow.transfer()
    assert transfer.is_under_way and not the_mover_is_done(transfer.table).passed
    looked = slow.poll()
    assert (looked.sessions, looked.n_under_way) == ((), 1)
    with pytest.raises(NotVerified, match="0 of 3 files"):
        slow.receipt()
    assert slow.transfer().is_under_way and [task["n_asked"] for task in slow.backend.tasks().values()] == [1]
    slow.backend.is_ready = True
    looked = slow.poll()
    assert (looked.sessions, looked.n_under_way) == ((SESSION,), 0)
    transfer = slow.transfer()
    assert not transfer.is_under_way and the_mover_is_done(transfer.table).passed
    assert set(transfer.table["claim"].to_pylist()) == {"sha256:claimed"}
    verification = slow.verify()
    assert every_file_is_verified(slow.manifest(), verification).passed
    assert all("read back" in method for method in verification["method"].to_pylist())
    assert slow.receipt().num_rows == 3


def test_what_a_look_found_is_told_until_it_was_heard(slow: Slow) -> None:
    slow.transfer()
    before = slow.journal.marks()
    slow.backend.is_ready = True
    assert slow.poll().sessions == (SESSION,)
    heard, slow.cursor = slow.cursor, 0  # the process ended before anybody was told
    assert slow.poll().sessions == (SESSION,)
    slow.cursor = heard
    assert slow.poll().sessions == ()
    assert slow.journal.marks() != before


def test_a_look_leaves_alone_what_another_process_works_on(slow: Slow) -> None:
    slow.transfer()
    slow.backend.is_ready = True
    with slow.journal.lease(SESSION):
        looked = slow.poll()
    assert (looked.sessions, looked.n_under_way) == ((), 1)
    assert set(slow.states().values()) == {"SUBMITTED"}
    assert slow.poll().sessions == (SESSION,)


def test_a_mover_that_does_not_answer_is_said_to_and_asked_again(slow: Slow) -> None:
    slow.transfer()
    slow.backend.is_away = True
    looked = slow.poll()
    assert looked.n_under_way == 1 and "does not answer" in looked.sentence
    slow.backend.is_away = False
    slow.over()
    assert set(slow.states().values()) == {"TRANSFERRED"}


def test_a_lost_reply_makes_no_second_task(slow: Slow) -> None:
    slow.backend.loses_replies = 2
    for _ in range(2):
        with pytest.raises(ArchiveNotReady, match="reply was lost"):
            slow.transfer()
        assert slow.poll().n_under_way == 0  # a look never asks for what was not answered
    assert slow.transfer().is_under_way
    ((submission, task),) = slow.backend.tasks().items()
    assert task["n_asked"] == 3
    assert [one.submission for one in slow.journal.submissions()] == [submission]
    slow.over()
    assert set(slow.states().values()) == {"TRANSFERRED"}


def test_a_byte_that_turned_on_the_way_fails_the_task_and_goes_again(slow: Slow) -> None:
    slow.backend.wrong[place(BEHAVIOR)] = "mismatch"
    slow.transfer()
    slow.over()
    assert slow.states()[BEHAVIOR] == "FAILED"
    slow.backend.wrong.clear()
    assert slow.transfer().is_under_way
    slow.over()
    assert set(slow.states().values()) == {"TRANSFERRED"}
    slow.verify()
    assert slow.receipt().num_rows == 3


def test_wrong_bytes_that_a_mover_calls_right_are_set_aside_and_sent_again(slow: Slow, tmp_path: Path) -> None:
    slow.backend.wrong[place(BEHAVIOR)] = "corrupt"
    slow.transfer()
    slow.over()
    assert set(slow.states().values()) == {"TRANSFERRED"}  # there, by size, as the mover says
    verification = slow.verify()
    assert slow.states() == {BEHAVIOR: "SUBMITTED", RUN: "VERIFIED", EMPTY: "VERIFIED"}
    assert not every_file_is_verified(slow.manifest(), verification).passed
    folder = (tmp_path / "archive" / place(BEHAVIOR)).parent
    (aside,) = folder.glob("behavior.mat.BAD-*")
    assert len(aside.read_bytes()) == 10_000
    slow.over()
    assert slow.transfer().table["n_tries"].to_pylist() == [1, 0, 0]
    assert every_file_is_verified(slow.manifest(), slow.verify()).passed
    slow.receipt()
    assert set(slow.states().values()) == {"RECEIPTED"}


def test_bytes_that_arrive_wrong_every_time_need_a_person_in_the_end(slow: Slow, tmp_path: Path) -> None:
    slow.backend.wrong[place(BEHAVIOR)] = "always corrupt"
    slow.backend.is_ready = True
    slow.transfer()
    verification = slow.verify()
    assert slow.states() == {BEHAVIOR: "BLOCKED", RUN: "VERIFIED", EMPTY: "VERIFIED"}
    assert len(list((tmp_path / "archive" / place(BEHAVIOR)).parent.glob("*.BAD-*"))) == 3
    assert "reads back as 10000 bytes" in slow.details(verification)[BEHAVIOR]
    with pytest.raises(NotVerified, match="2 of 3"):
        slow.receipt()
    assert not (tmp_path / "archive" / place(BEHAVIOR)).exists()


def test_a_file_that_a_task_skipped_is_not_there_whatever_the_task_says(slow: Slow) -> None:
    slow.backend.wrong[place(RUN)] = "skipped"
    slow.transfer()
    slow.over()
    assert slow.states() == {BEHAVIOR: "TRANSFERRED", RUN: "FAILED", EMPTY: "TRANSFERRED"}
    (failed,) = [event for event in _events(slow) if event.state == "FAILED"]
    assert "says that it moved" in failed.why and "is not there" in failed.why


def test_a_file_that_stood_there_already_counts_only_by_our_own_reading(slow: Slow, tmp_path: Path) -> None:
    standing = tmp_path / "archive" / place(RUN)
    standing.parent.mkdir(parents=True)
    standing.write_bytes(bytes(len((slow.share / RUN).read_bytes())))  # its size, and nothing else of it
    slow.backend.wrong[place(RUN)] = "skipped"
    slow.transfer()
    slow.over()
    assert slow.states()[RUN] == "TRANSFERRED"
    slow.backend.wrong.clear()
    slow.verify()
    assert slow.states() == {BEHAVIOR: "VERIFIED", RUN: "SUBMITTED", EMPTY: "VERIFIED"}
    slow.over()
    assert every_file_is_verified(slow.manifest(), slow.verify()).passed


def test_a_task_that_stands_still_is_blocked_and_cancelled_never_a_success(slow: Slow) -> None:
    slow.transfer()
    slow.backend.outcome = "blocked"
    slow.over()
    assert set(slow.states().values()) == {"BLOCKED"}
    assert len(slow.backend.cancelled) == 1
    transfer = slow.transfer()
    assert not transfer.is_under_way and set(transfer.table["detail"].to_pylist()) == {"The task is blocked."}
    slow.backend.outcome = "succeeded"
    try_again(SESSION, slow.journal, "anna", "the pause was lifted")
    slow.transfer()
    slow.over()
    assert set(slow.states().values()) == {"TRANSFERRED"}


def test_a_task_that_ran_out_of_time_fails_and_is_asked_for_anew(slow: Slow) -> None:
    slow.transfer()
    slow.backend.outcome = "expired"
    slow.over()
    assert set(slow.states().values()) == {"FAILED"}
    slow.backend.outcome = "succeeded"
    assert slow.transfer().is_under_way
    assert len(slow.backend.tasks()) == 2
    slow.over()
    assert set(slow.states().values()) == {"TRANSFERRED"}


def test_a_file_that_changed_under_the_mover_waits_for_a_new_manifest(slow: Slow) -> None:
    slow.transfer()
    status = (slow.share / BEHAVIOR).stat()
    (slow.share / BEHAVIOR).write_bytes(b"BEHAVIOUR " * 1000)
    os.utime(slow.share / BEHAVIOR, ns=(status.st_atime_ns, status.st_mtime_ns))
    slow.over()
    assert slow.states() == {BEHAVIOR: "UNSTABLE", RUN: "TRANSFERRED", EMPTY: "TRANSFERRED"}
    slow.transfer()
    slow.over()
    assert set(slow.transfer().table["state"].to_pylist()) == {"TRANSFERRED"}


def test_no_more_is_under_way_than_the_limits_say_and_all_arrives(slow: Slow) -> None:
    slow.limits = Limits(items_per_submission=1, submissions_in_flight=2)
    for n in range(4):
        (slow.share / f"{n}.bin").write_bytes(bytes([n]))
    for _ in range(7):
        transfer = slow.transfer()
        n_open = len(slow.journal.submissions(is_open=True))
        assert n_open <= 2 and transfer.is_under_way == bool(n_open)
        if not n_open:
            break
        slow.over()
    assert set(slow.states().values()) == {"TRANSFERRED"} and n_open == 0


class Several:
    """Sessions of one share each with a file, one mover and one journal."""

    def __init__(self, slow: Slow, n_sessions: int) -> None:
        self.slow = slow
        self.sessions = [f"S{n:03}_20240305_102508" for n in range(n_sessions)]
        self.manifests = {}
        for session in self.sessions:
            folder = slow.share / session
            folder.mkdir()
            (folder / "a.bin").write_bytes(session.encode())
            file = FoundFile("rig1", slow.share, PurePosixPath(session, "a.bin"), "raw", len(session), 0)
            self.manifests[session] = make_manifest(session, [file], workers=1)[0]

    def transfer(self, session: str) -> Transfer:
        slow = self.slow
        manifest = self.manifests[session]
        return transfer_session(session, manifest, slow.roots, slow.backend, slow.journal, limits=slow.limits)


def test_over_all_sessions_no_more_is_under_way_than_the_limits_say_and_each_gets_its_turn(slow: Slow) -> None:
    slow.limits = Limits(submissions_in_flight=2)
    several = Several(slow, 7)
    for session in several.sessions:
        assert several.transfer(session).is_under_way
    assert slow.journal.n_in_flight("slow") == 2
    assert all(slow.journal.is_under_way(session) for session in several.sessions)
    marks = slow.journal.marks()
    order = []
    for _ in range(8):
        slow.over()
        changed = {session for session, mark in slow.journal.marks().items() if marks.get(session) != mark}
        marks = slow.journal.marks()
        for session in sorted(changed):
            if several.transfer(session).is_under_way:
                order.append(session)
        assert slow.journal.n_in_flight("slow") <= 2
    assert order == several.sessions[2:]
    assert set(slow.journal.files()["state"].to_pylist()) == {"TRANSFERRED"}
    assert not any(slow.journal.is_under_way(session) for session in several.sessions)


def test_sessions_are_told_of_one_by_one_and_a_round_that_is_cut_short_goes_on_at_the_next(slow: Slow) -> None:
    several = Several(slow, 3)
    for session in several.sessions:
        several.transfer(session)
    slow.backend.is_ready = True
    heard: list[str] = []
    seen = poll(slow.journal, slow.backend, slow.roots, looks_for_s=0.0, heard=heard.append)
    assert (seen.n_under_way, heard) == (3, []) and "Not all" in seen.sentence

    def cut(session: str) -> None:
        heard.append(session)
        raise KeyboardInterrupt

    for n in range(3):
        with pytest.raises(KeyboardInterrupt):
            poll(slow.journal, slow.backend, slow.roots, heard=cut)
        assert len(heard) == n + 1
    assert sorted(heard) == several.sessions


def test_those_not_looked_at_for_longest_are_looked_at_first(slow: Slow) -> None:
    several = Several(slow, 3)
    for session in several.sessions:
        several.transfer(session)
    first = slow.journal.tasks("slow")[0]
    slow.journal.note_task(first[1].submission, str(first[1].task))
    assert [session for session, _ in slow.journal.tasks("slow")][-1] == first[0]


def test_a_clock_that_was_set_back_keeps_no_end_from_being_told(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    several = Several(slow, 2)
    several.transfer(several.sessions[0])
    slow.backend.is_ready = True
    assert slow.poll().sessions == (several.sessions[0],)
    slow.backend.is_ready = False
    several.transfer(several.sessions[1])
    slow.backend.is_ready = True
    earlier = datetime.now(UTC) - timedelta(days=1)
    monkeypatch.setattr(journal_submissions, "microseconds", lambda _now: round(earlier.timestamp() * 1e6))
    assert slow.poll().sessions == (several.sessions[1],)
    assert slow.poll().sessions == ()
    slow.cursor = round(datetime.now(UTC).timestamp() * 1e6)  # of another database
    assert slow.poll().sessions == tuple(several.sessions)


def _events(slow: Slow) -> list:
    return [event for batch in slow.journal.batches() for event in slow.journal.events(batch.batch)]
