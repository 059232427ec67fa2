"""Removes an archived session in forked processes that are killed at the 1st, 2nd, 3rd ... durable step, and prints what was left.

Run by ``test_removal_killed``: ``python killed_removal.py SCENARIO WORK``. A step is any call that changes the share or
the archive (rename, link, unlink, folder, file opened for writing), any fsync, and any writing transaction,
before it begins and before it is committed. After each kill all places that can hold the files' bytes are looked at, then
the removal is run again, left alone, until nothing changes. One JSON line for each kill.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pandas  # noqa: F401  (pyarrow loads it at first use: once here, instead of once in each child)
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

sys.path.insert(0, str(Path(__file__).parent))
from removing import FILES, SESSION, Bench, flipped

A, B, C, M = FILES
CHANGES = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}


def kill_at(step: int, work: Path) -> None:
    """Let this process be killed at its n-th durable step."""
    left = step

    def stepped(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def hear(name: str, arguments: tuple[object, ...]) -> None:
        is_write = name == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if (name in CHANGES or is_write) and any(str(work) in str(argument) for argument in arguments):
            stepped()

    sync = os.fsync

    def counted_sync(handle: int) -> None:
        stepped()
        sync(handle)

    os.fsync = counted_sync

    def hear_database(connection: Connection) -> None:
        if not connection.get_execution_options().get("is_reading"):
            stepped()

    event.listen(Engine, "begin", hear_database)
    event.listen(Engine, "commit", hear_database)
    sys.addaudithook(hear)


def in_child(act: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            act()
            status = 0
        finally:
            if status:
                sys.excepthook(*sys.exc_info())
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def bench_at(work: Path, days: float) -> Bench:
    bench = Bench(work)
    bench.later(days)
    return bench


def prepare(work: Path) -> None:
    bench = Bench(work)
    bench.record()
    bench.archive_all()
    bench.later(15)
    bench.approve(only=[A, B])
    bench.journal.close()
    bench.records.close()


def look(work: Path) -> dict[str, object]:
    """In how many places each file's bytes stand, and what the journal has."""
    bench = Bench(work)
    places = {}
    for name, (content, _) in FILES.items():
        found = [*work.rglob(f"*/{Path(name).name}")]
        places[name] = sorted(
            {"archive": "archive"}.get(
                path.relative_to(work).parts[0], "quarantine" if ".archive-quarantine" in path.parts else "share"
            )
            for path in found
            if path.read_bytes() == content
        )
    with bench.journal.engine.connect() as connection:
        unlinking = connection.exec_driver_sql("select count(*) from archive_removal_acts").scalar()
    said = {"places": places, "states": bench.states(), "unlinking": unlinking}
    bench.journal.close()
    bench.records.close()
    return said


def main(scenario: str, work: Path) -> None:
    days = 15 if scenario == "take" else 23
    first = work / "first"
    first.mkdir()
    in_child(lambda: prepare(first))
    for step in range(1, 1000):
        place = work / f"kill{step}"
        shutil.copytree(first, place)
        if scenario != "take":
            in_child(lambda place=place: bench_at(place, 15).remove())
        if scenario == "restore":
            rotten = Bench(place).copy_of(A)
            rotten.unlink()
            rotten.write_bytes(flipped(FILES[A][0]))

        def killed(place: Path = place, step: int = step) -> None:
            bench = bench_at(place, days)
            kill_at(step, place)
            bench.remove()

        def again(place: Path = place) -> None:
            bench = bench_at(place, days)
            with bench.journal.engine.begin() as connection:  # as if its time had run out
                connection.exec_driver_sql("update archive_leases set until_us = 0")
            for _ in range(3):
                bench.remove()

        ended = in_child(killed)
        outcome = {"ended": ended, "left": look(place), "again": in_child(again), "then": look(place)}
        sys.stdout.write(json.dumps(outcome) + "\n")
        shutil.rmtree(place)
        if ended == 0:
            return


if __name__ == "__main__":
    assert SESSION
    main(sys.argv[1], Path(sys.argv[2]))
