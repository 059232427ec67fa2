"""Archived copies are read again, the longest unread first; what is not proven is in doubt, and the way back is drilled."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, insert

from map_assets.archive.backends.folder import FolderArchive
from map_assets.archive.backends.protocol import ArchiveNotReady, ReadBack
from map_assets.archive.batch import FILES as SCHEMA
from map_assets.archive.copies import Copies, oldest, oldest_copies, sessions_of
from map_assets.archive.drill import MAX_BYTES, choose_for_drill, restore_drill, room_for_drill
from map_assets.archive.fixity import read_again
from map_assets.archive.journal_schema import BATCHES, EVENTS
from map_assets.archive.journal_schema import FILES as FILE_ROWS
from map_assets.archive.removal import watch_quarantine
from map_assets.archive.states import State

sys.path.insert(0, str(Path(__file__).parent))
from removing import FILES, SESSION, SHARE, Bench, flipped

A, B, C, M = FILES
EVERYTHING = 10**12


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A session that was archived fifteen days ago."""
    bench = Bench(tmp_path)
    bench.record()
    bench.archive_all()
    bench.later(15)
    return bench


def look(bench: Bench, budget: int = EVERYTHING) -> dict[str, str]:
    looks = read_again(bench.journal, bench.records, bench.desk.backends, budget, now=bench.now)
    return {one.archive_path.removeprefix(f"{SESSION}/{SHARE}/"): one.verdict for one in looks}


def copies(files: list[tuple[int, int]]) -> Copies:
    rows = [
        {
            **dict.fromkeys(("share", "path", "role", "checks", "batch", "session", "state"), ""),
            **dict.fromkeys(("file", "mtime_ns", "ctime_ns", "device", "inode"), 0),
            "archive_path": f"{n:02}",
            "sha256": "a",
            "size": size,
        }
        for n, (size, _) in enumerate(files)
    ]
    return Copies(pa.Table.from_pylist(rows, SCHEMA), np.array([day for _, day in files], np.int64))


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 30)), max_size=20), st.integers(0, 500), st.integers(0, 20)
)
def test_the_longest_unread_come_first_within_the_bytes_of_a_night(
    files: list[tuple[int, int]], budget: int, cut: int
) -> None:
    everything = copies(files)
    chosen = oldest([everything], budget)
    places = [int(name) for name in chosen.files["archive_path"].to_pylist()]
    assert len(set(places)) == len(places)
    days = [files[n][1] for n in places]
    assert days == sorted(days) == chosen.seen_us.tolist()
    assert all(files[n][1] >= max(days, default=0) for n in set(range(len(files))) - set(places))
    total = sum(files[n][0] for n in places)
    assert total <= budget or len(places) == 1
    assert bool(places) == bool(files)
    # session by session it comes to the same
    first = oldest([Copies(everything.files.slice(0, cut), everything.seen_us[:cut])], budget, is_last=False)
    rest = Copies(everything.files.slice(cut), everything.seen_us[cut:])
    assert oldest([first, rest], budget).files.equals(chosen.files)


def test_a_night_asks_the_database_a_few_things_of_each_session_and_never_of_all_again(bench: Bench) -> None:
    asked = {}
    for n_sessions in (20, 40):
        fill(bench, n_sessions, asked_before=len(asked) * 20)
        statements: list[str] = []
        event.listen(bench.journal.engine, "before_cursor_execute", lambda *a, said=statements: said.append(a[2]))
        chosen = oldest_copies(bench.journal, bench.records, 10**6)
        asked[n_sessions] = len(statements)
        assert chosen.num_rows == 2 * n_sessions + len(FILES)
        assert sessions_of(bench.journal, [State.QUARANTINED]) == []
    assert asked[40] < 2.1 * asked[20] and asked[40] < 12 * 40


def fill(bench: Bench, n_sessions: int, asked_before: int = 0) -> None:
    """Write sessions with two receipted files each straight into the journal."""
    steps = (State.MANIFESTED, State.SUBMITTED, State.TRANSFERRED, State.VERIFIED, State.RECEIPTED)
    with bench.journal.engine.begin() as connection:
        for n in range(asked_before, n_sessions):
            values = {"batch": f"S{n:05}-0", "n_files": 2, "n_bytes": 2}
            connection.execute(insert(BATCHES).values(session=f"S{n:05}", opened_us=n, **values))
            facts = {"share": "rig1", "role": "video", "size": 1, "checks": "", "mtime_ns": 1, "ctime_ns": 1}
            rows = [
                {"path": f"{i}", "archive_path": f"S{n:05}/rig1/{i}", "sha256": f"{n:032x}{i:032x}", "file": i}
                for i in range(2)
            ]
            named = [{**facts, **row, "batch": f"S{n:05}-0", "device": 1, "inode": 1} for row in rows]
            connection.execute(insert(FILE_ROWS), named)
            said = {"batch": f"S{n:05}-0", "files": "0-1", "actor": "x", "why": "", "evidence": "{}", "at_us": n}
            connection.execute(insert(EVENTS), [{**said, "state": str(state)} for state in steps])


def test_a_night_goes_on_where_the_last_one_ended(bench: Bench) -> None:
    budget = len(FILES[A][0]) + len(FILES[B][0])
    first = look(bench, budget)
    bench.later(1)
    second = look(bench, budget)
    assert len(first) == 2 and set(list(second)[:2]) == set(FILES) - set(first)


@pytest.mark.parametrize("damage", [None, b"rot"])
def test_what_differs_or_is_missing_turns_suspect_and_stays_on_its_share(bench: Bench, damage: bytes | None) -> None:
    bench.approve(only=[A])
    bench.damage(A, damage and flipped(FILES[A][0]))
    assert look(bench)[A] == ("missing" if damage is None else "different")
    assert bench.states()[A] == "SUSPECT" and bench.states()[B] == "RECEIPTED"
    assert bench.remove() == {} and bench.on_share() == set(FILES)
    plan = {row["path"]: row["reason"] for row in bench.desk.plan(SESSION, bench.now).to_pylist()}
    assert "in doubt" in plan[A]


def test_a_file_in_quarantine_whose_copy_rots_is_put_back(bench: Bench) -> None:
    bench.approve()
    bench.remove()
    bench.damage(A, flipped(FILES[A][0]))
    look(bench)
    done = watch_quarantine(bench.desk, SESSION, bench.roots, actor="daemon", now=bench.now)
    assert {one.path: one.state for one in done} == {A: State.SUSPECT, B: State.QUARANTINED, C: State.QUARANTINED}
    assert (bench.root / A).read_bytes() == FILES[A][0] and len(bench.in_quarantine()) == 2


def test_a_copy_that_is_whole_again_clears_the_doubt(bench: Bench) -> None:
    bench.approve(only=[A])
    bench.remove()
    bench.later(8)
    bench.remove()
    for name in (A, B):
        bench.damage(name, b"rot")
    look(bench)
    assert (bench.states()[A], bench.states()[B]) == ("SUSPECT", "SUSPECT")
    for name in (A, B):
        bench.copy_of(name).write_bytes(FILES[name][0])
    look(bench)
    assert (bench.states()[A], bench.states()[B]) == ("REMOVED", "RECEIPTED")


def test_an_archive_that_cannot_be_read_tonight_changes_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(self: FolderArchive, path: PurePosixPath) -> ReadBack:
        raise ArchiveNotReady("the archive is away")

    with monkeypatch.context() as patched:
        patched.setattr(FolderArchive, "read_back_sha256", away)
        assert list(look(bench).values()) == ["unread"] * 3
    assert set(bench.states().values()) == {"RECEIPTED"}
    assert len(look(bench)) == 4


def test_a_session_that_is_worked_on_is_judged_at_the_next_look(bench: Bench) -> None:
    bench.damage(A, b"rot")
    with bench.journal.lease(SESSION):
        assert look(bench)[A] == "different"
    assert bench.states()[A] == "RECEIPTED"
    look(bench)
    assert bench.states()[A] == "SUSPECT"


def test_looks_count_as_proof_for_the_plan(bench: Bench) -> None:
    bench.later(100)
    assert not any(bench.desk.plan(SESSION, bench.now)["is_removable"].to_pylist())
    look(bench)
    assert sum(bench.desk.plan(SESSION, bench.now)["is_removable"].to_pylist()) == 3


# -- the drill -----------------------------------------------------------------------------------------------------------
def test_a_drill_brings_a_random_file_back_and_leaves_nothing(bench: Bench, tmp_path: Path) -> None:
    chosen = {choose_for_drill(bench.journal, seed)["path"] for seed in range(60)}
    assert chosen == set(FILES)
    assert choose_for_drill(bench.journal, "2026-W11") == choose_for_drill(bench.journal, "2026-W11")
    assert choose_for_drill(bench.journal, 1, max_bytes=0) is None
    row = choose_for_drill(bench.journal, 3)
    done = restore_drill(row, bench.backend, bench.journal, bench.records, tmp_path / "scratch", now=bench.now)
    assert done.verdict == "equal" and done.reason == "drill"
    assert list((tmp_path / "scratch").iterdir()) == []
    assert bench.records.last_equal()[row["archive_path"], row["sha256"]] == bench.now


def test_a_drill_fetches_no_more_than_its_folder_has_room_for(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    usage = shutil.disk_usage(tmp_path)
    assert room_for_drill(scratch) == min(MAX_BYTES, usage.free // 2) or usage.free // 2 < MAX_BYTES
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=20))
    assert room_for_drill(scratch) == 10
    row = next(row for row in bench.journal.files(SESSION).to_pylist() if row["path"] == A)
    done = restore_drill(row, bench.backend, bench.journal, bench.records, scratch, now=bench.now)
    assert done.verdict == "unread" and "20 bytes free" in done.detail
    assert bench.states()[A] == "RECEIPTED"


def test_a_file_that_was_copied_again_after_its_removal_is_not_called_removed(bench: Bench) -> None:
    bench.approve(only=[A])
    bench.remove()
    bench.later(8)
    bench.remove()
    row = next(row for row in bench.journal.files(SESSION).to_pylist() if row["path"] == A)
    for state in (State.SUSPECT, State.FAILED, State.TRANSFERRED, State.VERIFIED, State.RECEIPTED, State.SUSPECT):
        bench.journal.move(row["batch"], [row["file"]], state, actor="test")
    look(bench)
    assert bench.states()[A] == "RECEIPTED"


@pytest.mark.parametrize("damage", [None, b"rot"])
def test_a_drill_that_fails_turns_the_file_suspect(bench: Bench, tmp_path: Path, damage: bytes | None) -> None:
    row = next(row for row in bench.journal.files(SESSION).to_pylist() if row["path"] == A)
    bench.damage(A, damage)
    done = restore_drill(row, bench.backend, bench.journal, bench.records, tmp_path / "scratch", now=bench.now)
    assert done.verdict == ("missing" if damage is None else "different")
    assert bench.states()[A] == "SUSPECT"


def test_no_drill_where_nothing_is_proven(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert choose_for_drill(bench.journal, 1) is None
    assert read_again(bench.journal, bench.records, (bench.backend,), 1, now=datetime(2026, 1, 1, tzinfo=UTC)) == []
