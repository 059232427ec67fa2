"""A plan says what may leave and why not; leave is given to named bytes of a plan that was seen."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from map_assets.archive.journal import LeasedElsewhere
from map_assets.archive.removal_approval import approve, let_go_on
from map_assets.archive.removal_decisions import Look
from map_assets.archive.removal_plan import fingerprint, removable
from map_assets.archive.removal_policy import RemovalRefused

sys.path.insert(0, str(Path(__file__).parent))
from removing import FILES, SESSION, SHARE, Bench, flipped

A, B, C, M = FILES


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A session that was archived fifteen days ago."""
    bench = Bench(tmp_path)
    bench.record()
    bench.archive_all()
    bench.later(15)
    return bench


def reasons(bench: Bench) -> dict[str, str]:
    plan = bench.desk.plan(SESSION, bench.now)
    return dict(zip(plan["path"].to_pylist(), plan["reason"].to_pylist(), strict=True))


def test_a_plan_names_what_may_go_and_why_the_rest_stays(bench: Bench) -> None:
    plan = bench.desk.plan(SESSION, bench.now)
    assert set(removable(plan)["path"].to_pylist()) == {A, B, C}
    assert reasons(bench)[M] == "files of role behavior stay"
    assert bench.on_share() == set(FILES) and set(bench.states().values()) == {"RECEIPTED"}


def test_a_session_that_is_not_archived_has_an_empty_plan(bench: Bench) -> None:
    assert bench.desk.plan("XX1_20200101_000000", bench.now).num_rows == 0


def test_time_on_the_share_holds_and_old_proof_keep_a_file(bench: Bench) -> None:
    bench.later(-2)
    assert reasons(bench)[A] == "it stays until 2026-03-15 12:00 UTC"
    bench.later(2)
    bench.records.hold(SESSION, who="chen", why="a paper", share=SHARE, path=A, now=bench.now)
    assert reasons(bench)[A] == "chen holds it: a paper" and reasons(bench)[B] == ""
    bench.later(90)
    assert "verify it again" in reasons(bench)[B]
    row = bench.desk.plan(SESSION, bench.now).to_pylist()[2]
    look = Look(row["archive_path"], row["sha256"], row["size"], "equal", "fixity", "read back whole", "", bench.now)
    bench.records.note_look(look)
    assert reasons(bench)[row["path"]] == ""
    bench.later(-60)
    assert "clock was set back" in reasons(bench)[row["path"]]


def test_an_approval_names_files_with_their_hashes_and_its_end(bench: Bench) -> None:
    given = bench.approve(only=[A])
    (row,) = [row for row in bench.journal.files(SESSION).to_pylist() if row["path"] == A]
    assert given.files == {(row["batch"], row["file"]): row["sha256"]}
    assert (given.until - given.at).days == 7 and given.who == "rivera"
    assert bench.states()[A] == "APPROVED" and bench.states()[B] == "RECEIPTED"


@pytest.mark.parametrize("name", ["run", "run/*", "*", "run/", "video/c*.avi", "no such file", M])
def test_a_folder_a_pattern_or_a_file_that_stays_cannot_be_approved(bench: Bench, name: str) -> None:
    with pytest.raises(RemovalRefused, match="names no removable file"):
        bench.approve(only=[A, name])
    assert bench.records.approvals(SESSION) == [] and "APPROVED" not in bench.states().values()


def test_only_the_plan_that_was_seen_is_approved(bench: Bench) -> None:
    seen = fingerprint(bench.desk.plan(SESSION, bench.now))
    bench.records.hold(SESSION, who="chen", why="a paper", share=SHARE, path=A, now=bench.now)
    with pytest.raises(RemovalRefused, match="by now, not"):
        approve(bench.desk, SESSION, plan=seen, who="rivera", why="x", now=bench.now)
    bench.later(-10)
    with pytest.raises(RemovalRefused, match="may be removed now"):
        approve(bench.desk, SESSION, plan=seen, who="rivera", why="x", now=bench.now)
    assert bench.records.approvals(SESSION) == []


@pytest.mark.parametrize(("who", "why"), [(" ", "x"), ("rivera", "")])
def test_nobody_approves_for_no_reason(bench: Bench, who: str, why: str) -> None:
    seen = fingerprint(bench.desk.plan(SESSION, bench.now))
    with pytest.raises(RemovalRefused, match="must be named"):
        approve(bench.desk, SESSION, plan=seen, who=who, why=why, now=bench.now)


def test_one_process_at_a_time_decides_about_a_session(bench: Bench) -> None:
    with bench.journal.lease(SESSION), pytest.raises(LeasedElsewhere):
        bench.approve()
    assert bench.records.approvals(SESSION) == []


def test_other_bytes_that_came_later_are_a_file_of_their_own(bench: Bench) -> None:
    bench.write(A, flipped(FILES[A][0]))
    bench.archive_all({A: (b"", "spikeglx_bin")})
    plan = bench.desk.plan(SESSION, bench.now)
    found = {row["archive_path"]: row["is_removable"] for row in plan.to_pylist() if row["path"] == A}
    assert sorted(found.values()) == [False, True]
    assert next(name for name, may in found.items() if not may).rpartition(".v-")[1] == ".v-"


def test_what_was_stopped_may_be_planned_again_when_somebody_says_so(bench: Bench) -> None:
    bench.approve()
    bench.records.hold(SESSION, who="chen", why="a paper", now=bench.now)
    bench.remove()
    bench.remove()
    assert sorted(bench.states().values()).count("HELD") == 3
    assert "archive lift" in reasons(bench)[A]
    with pytest.raises(RemovalRefused):
        let_go_on(bench.desk, SESSION, who="chen", why=" ", now=bench.now)
    assert let_go_on(bench.desk, SESSION, who="chen", why="printed", now=bench.now) == 3
    assert set(bench.states().values()) == {"RECEIPTED"} and reasons(bench)[A] == ""
