"""The journal keeps every step, takes none that is not allowed, and lets one process at a time work on a session."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from own_postgresql import running
from sqlalchemy import create_engine, text

from map_assets.archive.batch import FILES, read_ranges, written_ranges
from map_assets.archive.journal import Journal, LeasedElsewhere, NotAllowed
from map_assets.archive.states import STEPS, State

SESSION = "SC022_20190228_151010"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[str | None]:
    with running() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/registry.db"
    server = request.getfixturevalue("server")
    if server is None:
        pytest.skip("this machine has no PostgreSQL")
    engine = create_engine(server)
    with engine.begin() as connection:
        connection.execute(text("drop schema public cascade; create schema public"))
    engine.dispose()
    return str(server)


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    journal = Journal(url)
    yield journal
    journal.close()


def row(n: int, sha256: str = "") -> dict[str, object]:
    path = f"run/{n:03}.bin"
    return {
        "share": "rig1",
        "path": path,
        "archive_path": f"{SESSION}/rig1/{path}",
        "role": "raw",
        "size": n,
        "sha256": sha256 or f"{n:064x}",
        "checks": "",
        "mtime_ns": 1_700_000_000_000_000_000 + n,
        "ctime_ns": 1,
        "device": 2,
        "inode": 2**62 + n,
    }


def opened(journal: Journal, n_files: int = 4) -> str:
    batch = journal.open_batch(SESSION, [row(n) for n in range(n_files)], NOW)
    assert batch is not None
    return batch.batch


def states(journal: Journal) -> list[str]:
    return journal.files(SESSION)["state"].to_pylist()


# -- batches -----------------------------------------------------------------------------------------------------------
def test_a_batch_keeps_all_that_the_manifest_says(journal: Journal) -> None:
    opened(journal)
    files = journal.files(SESSION)
    assert files.schema.equals(FILES)
    assert files["path"].to_pylist() == [f"run/{n:03}.bin" for n in range(4)]
    assert files["inode"].to_pylist() == [2**62 + n for n in range(4)]
    assert set(files["state"].to_pylist()) == {"MANIFESTED"}
    (batch,) = journal.batches(SESSION)
    assert (batch.n_files, batch.n_bytes, batch.opened_at) == (4, 6, NOW)
    assert journal.batches("SC023_20190228_151010") == []


def test_a_file_is_in_one_batch_only_and_what_came_later_is_in_another(journal: Journal) -> None:
    first = opened(journal)
    assert journal.open_batch(SESSION, [row(n) for n in range(4)]) is None
    second = journal.open_batch(SESSION, [row(3), row(4), row(0, "f" * 64)])
    assert second is not None and second.n_files == 2
    assert journal.files(SESSION)["batch"].to_pylist() == [first] * 4 + [second.batch] * 2
    assert journal.files(SESSION, batch=second.batch)["path"].to_pylist() == ["run/000.bin", "run/004.bin"]


def test_a_file_that_was_unstable_is_taken_up_anew_with_the_same_bytes(journal: Journal) -> None:
    first = opened(journal, 1)
    journal.move(first, [0], State.UNSTABLE, actor="test")
    second = journal.open_batch(SESSION, [row(0)])
    assert second is not None and second.batch != first
    assert states(journal) == ["UNSTABLE", "MANIFESTED"]


# -- steps -------------------------------------------------------------------------------------------------------------
def test_steps_are_kept_with_their_evidence_and_none_is_changed(journal: Journal) -> None:
    batch = opened(journal)
    journal.move(batch, [0, 1, 3], State.TRANSFERRED, actor="folder", why="there", evidence={"task": "a"}, now=NOW)
    journal.move(batch, [3], State.FAILED, actor="folder", why="gone again")
    assert states(journal) == ["TRANSFERRED", "TRANSFERRED", "MANIFESTED", "FAILED"]
    opening, there, gone = journal.events(batch)
    assert (there.files.tolist(), there.state, there.actor, there.why, there.at) == (
        [0, 1, 3],
        State.TRANSFERRED,
        "folder",
        "there",
        NOW,
    )
    assert there.evidence == {"task": "a"}
    assert opening.seq < there.seq < gone.seq and gone.evidence == {}


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("start", sorted(State))
def test_a_step_that_is_not_allowed_is_refused_for_all_files_of_the_call(journal: Journal, start: State) -> None:
    batch = opened(journal, 2)
    for state in _path_to(start):
        journal.move(batch, [0], state, actor="test")
    before = states(journal)
    for to in sorted(set(State) - STEPS[start]):
        with pytest.raises(NotAllowed, match=rf"File 0 of batch {batch} stands at {start} and cannot become {to}"):
            journal.move(batch, [0], to, actor="test")
    # the second file could take this one; the first cannot, so none does
    if State.SUBMITTED not in STEPS[start]:
        with pytest.raises(NotAllowed):
            journal.move(batch, [0, 1], State.SUBMITTED, actor="test")
    assert states(journal) == before


def _path_to(state: State) -> list[State]:
    """The shortest way from MANIFESTED."""
    ways: dict[State, list[State]] = {State.MANIFESTED: []}
    queue = [State.MANIFESTED]
    while queue:
        here = queue.pop(0)
        for there in sorted(STEPS[here] - set(ways)):
            ways[there] = [*ways[here], there]
            queue.append(there)
    return ways[state]


def test_every_state_can_be_reached_and_no_removal_goes_by_the_receipt() -> None:
    assert all(_path_to(state) is not None for state in State)
    reached, queue = {State.MANIFESTED}, [State.MANIFESTED]
    while queue:
        for there in STEPS[queue.pop()] - reached - {State.RECEIPTED}:
            reached.add(there)
            queue.append(there)
    # a copy that lost its proof may only be called removed again where the source was removed before
    assert {State.APPROVED, State.REMOVING, State.QUARANTINED, State.HELD}.isdisjoint(reached)


def test_what_the_journal_does_not_know_is_refused(journal: Journal) -> None:
    with pytest.raises(NotAllowed, match="no batch nowhere"):
        journal.move("nowhere", [0], State.TRANSFERRED, actor="test")


# -- submissions -------------------------------------------------------------------------------------------------------
def test_a_submission_is_written_down_with_its_files_before_it_is_asked(journal: Journal) -> None:
    batch = opened(journal)
    with journal.lease(SESSION) as lease:
        journal.plan_submission(batch, [0, 1, 2], "s-1", "globus", lease, NOW)
        assert states(journal) == ["SUBMITTED"] * 3 + ["MANIFESTED"]
        with pytest.raises(NotAllowed, match="cannot be submitted"):
            journal.plan_submission(batch, [2, 3], "s-2", "globus", lease)
    assert states(journal)[3] == "MANIFESTED"
    (open_one,) = journal.submissions(SESSION, is_open=True)
    assert (open_one.submission, open_one.files.tolist(), open_one.task) == ("s-1", [0, 1, 2], None)
    journal.note_task("s-1", "task-9", "2 of 3 files", 77)
    journal.settle("s-1", "succeeded", "all there", is_polled=True)
    journal.settle("s-1", "failed", "said twice", is_polled=False)
    assert journal.submissions(SESSION, is_open=True) == []
    (ended,) = journal.submissions(SESSION, is_open=False)
    assert (ended.task, ended.bytes_done, ended.outcome, ended.is_polled) == ("task-9", 77, "succeeded", True)
    assert journal.submissions("SC023_20190228_151010") == []


# -- leases ------------------------------------------------------------------------------------------------------------
def test_one_process_holds_a_session_until_it_gives_it_back(journal: Journal, url: str) -> None:
    other = Journal(url)
    is_refused = pytest.raises(LeasedElsewhere, match="another process until")
    with journal.lease(SESSION), other.lease("SC023_20190228_151010"), is_refused, other.lease(SESSION):
        raise AssertionError("two at work on one session")
    with other.lease(SESSION):
        pass
    other.close()


def test_a_stale_lease_is_taken_over_and_its_holder_may_write_no_more(journal: Journal) -> None:
    batch = opened(journal)
    with journal.lease(SESSION, 60) as lease:
        journal.take_lease(SESSION, "other", 60, now=datetime.now(UTC) + timedelta(seconds=61))
        with pytest.raises(LeasedElsewhere):
            journal.plan_submission(batch, [0], "s-1", "folder", lease)
        with pytest.raises(LeasedElsewhere):
            journal.move(batch, [0], State.TRANSFERRED, actor="test", lease=lease)
        with pytest.raises(LeasedElsewhere):
            lease.renew()
    assert states(journal) == ["MANIFESTED"] * 4 and journal.submissions() == []
    with pytest.raises(LeasedElsewhere), journal.lease(SESSION):
        raise AssertionError("giving back a lost lease took the other's away")


def test_a_long_piece_of_work_keeps_its_lease(journal: Journal) -> None:
    batch = opened(journal)
    with journal.lease(SESSION, 0.3) as lease:
        with lease.kept(0.3):
            time.sleep(0.6)
            journal.move(batch, [0], State.TRANSFERRED, actor="test", lease=lease)
        time.sleep(0.35)
        with pytest.raises(LeasedElsewhere, match="has run out"):
            journal.move(batch, [1], State.TRANSFERRED, actor="test", lease=lease)


_HOLD = """
import sys, time
from map_assets.archive.journal import Journal
journal = Journal(sys.argv[1])
with journal.lease(sys.argv[2], 1.5):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_killed_process_loses_its_lease_when_it_runs_out(journal: Journal, url: str) -> None:
    holder = subprocess.Popen([sys.executable, "-c", _HOLD, url, SESSION], stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    began = time.monotonic()
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with pytest.raises(LeasedElsewhere), journal.lease(SESSION):
        raise AssertionError("taken before it ran out")
    while time.monotonic() < began + 10:
        try:
            with journal.lease(SESSION):
                return
        except LeasedElsewhere:
            time.sleep(0.05)
    raise AssertionError("never given back")


def test_of_many_that_ask_at_once_one_holds_the_lease(journal: Journal) -> None:
    def ask(owner: int) -> bool:
        try:
            journal.take_lease(SESSION, str(owner), 60)
        except LeasedElsewhere:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(ask, range(6))) == 1


def test_steps_of_many_at_once_are_all_kept(journal: Journal) -> None:
    batch = opened(journal, 24)

    def step(n: int) -> None:
        journal.move(batch, [n], State.TRANSFERRED, actor="test")
        journal.move(batch, [n], State.VERIFIED, actor="test")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(step, range(24)))
    assert states(journal) == ["VERIFIED"] * 24
    assert len(journal.events(batch)) == 49


# -- receipts ----------------------------------------------------------------------------------------------------------
def test_a_receipt_is_kept_once(journal: Journal) -> None:
    for _ in range(2):
        journal.keep_receipt(SESSION, "a.json", "0" * 64, '{"a": "µ"}\n')
    assert journal.kept_receipts(SESSION) == {"a.json": '{"a": "µ"}\n'}
    assert journal.kept_receipts("SC023_20190228_151010") == {}


# -- ranges ------------------------------------------------------------------------------------------------------------
@given(st.sets(st.integers(0, 5000)))
def test_file_numbers_written_as_ranges_are_read_back(numbers: set[int]) -> None:
    written = written_ranges(numbers)
    assert read_ranges(written).tolist() == sorted(numbers)
    assert written.count(",") + 1 == (np.diff(sorted(numbers)) != 1).sum() + 1 or not numbers


def test_a_whole_batch_is_a_few_letters() -> None:
    assert written_ranges(range(100_000)) == "0-99999"
