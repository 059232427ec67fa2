"""A session from manifest to receipt where Globus moves it, through its faults and through kills."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from backends_globus import Opened, opened
from pipeline import Pipeline

from map_assets.archive.backends.protocol import ArchiveNotReady
from map_assets.archive.globus_loopback.faults import FileFault, HttpFault, TaskFault
from map_assets.archive.journal import Journal
from map_assets.archive.moving import Limits
from map_assets.archive.states import State


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Opened]:
    with opened(tmp_path, has_canary=False) as one:
        yield one


@pytest.fixture
def pipe(lab: Opened, share: Path, tmp_path: Path) -> Iterator[Pipeline]:
    """A session's files on the share that the service serves."""
    journal = Journal(f"sqlite:///{tmp_path}/journal.db")
    yield Pipeline(share, lab.backend, journal)
    journal.close()


def transferred(pipe: Pipeline) -> None:
    """Ask, and look as the sensor does until nothing is under way."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            if not pipe.transfer().is_under_way:
                return
        except ArchiveNotReady:
            continue
        time.sleep(0.02)
        pipe.poll()
    raise AssertionError("a transfer did not come to its end")


def test_a_session_gets_its_receipt(pipe: Pipeline, lab: Opened) -> None:
    transferred(pipe)
    assert set(pipe.verify()["sha256"].to_pylist()) == set(pipe.manifest()["sha256"].to_pylist())
    receipt = pipe.receipt()
    assert receipt.num_rows == 3
    assert set(pipe.states().values()) == {State.RECEIPTED}
    assert len(lab.service.transfers()) == 1


def test_wrong_bytes_that_were_called_right_are_set_aside_and_sent_again(
    pipe: Pipeline, lab: Opened, tmp_path: Path
) -> None:
    lab.service.faults.add(FileFault("corrupt_quietly", "behavior"))
    transferred(pipe)
    pipe.verify()
    transferred(pipe)
    pipe.verify()
    assert pipe.receipt().num_rows == 3
    assert len(list((tmp_path / "archive").rglob("*.BAD-*"))) == 1


def test_a_file_that_always_arrives_wrong_is_left_to_a_person_and_the_others_are_verified(
    pipe: Pipeline, lab: Opened
) -> None:
    pipe.limits = Limits(n_tries=2)
    lab.service.faults.add(FileFault("corrupt", "behavior", n_times=99))
    transferred(pipe)
    pipe.verify()
    states = pipe.states()
    assert states.pop("SC022/behavior.mat") == State.BLOCKED
    assert set(states.values()) == {State.VERIFIED}


def test_a_full_archive_holds_the_session_up_until_a_person_acts(pipe: Pipeline, lab: Opened) -> None:
    lab.service.faults.add(FileFault("quota", "imec0"))
    transferred(pipe)
    assert State.BLOCKED in pipe.states().values()
    assert any("bytes are free" in detail for detail in pipe.details(pipe.transfer().table).values())


def test_a_suspended_task_is_cancelled_and_its_files_wait_for_a_person(pipe: Pipeline, lab: Opened) -> None:
    lab.service.faults.add(TaskFault("inactive"))
    transferred(pipe)
    assert set(pipe.states().values()) == {State.BLOCKED}
    assert lab.service.n_asked("POST .*/cancel") == 1


def test_a_service_that_is_away_leaves_everything_as_it_was(pipe: Pipeline, lab: Opened) -> None:
    lab.service.faults.add(HttpFault(r"POST /v0\.10/transfer", 503, n_times=3))
    with pytest.raises(ArchiveNotReady):
        pipe.transfer()
    assert set(pipe.states().values()) == {State.SUBMITTED}
    transferred(pipe)
    assert len(lab.service.transfers()) == 1


@pytest.mark.parametrize(("verification", "every"), [("mount", 3), ("restore", 9)])
def test_a_kill_at_any_request_or_change_costs_no_byte_and_the_next_run_ends_well(
    verification: str, every: int, share: Path, tmp_path: Path
) -> None:
    runs = subprocess.run(
        [sys.executable, Path(__file__).with_name("killed_globus.py"), share, tmp_path / "runs", verification, "1", str(every)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert runs.returncode == 0, runs.stderr[-2000:]
    told = [json.loads(line) for line in runs.stdout.splitlines()]
    assert len(told) > 8
    assert [one["killed"] for one in told] == [True] * (len(told) - 1) + [False]
    for one in told:
        assert (one["wrong"], one["ended"], one["equal"], one["moved"], one["receipts"]) == ([], 0, True, 3, 1), one
