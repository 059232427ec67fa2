"""Archives a session by Globus in forked processes that are killed after a request or before a change, one after the other, and prints what was left.

Run by ``test_globus_pipeline``: ``python killed_globus.py SHARE WORK (mount|restore) FIRST EVERY``. The service lives on in the process
that forks. After each kill the sources are hashed, and every file under a final name must have its source's bytes; then
a process that is left alone archives the session, and there must be one receipt and no task too many. One JSON line a kill.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import globus_sdk  # noqa: F401  (once here, instead of once in each child)
import pandas  # noqa: F401
from pipeline import SESSION, Pipeline

from map_assets.archive.backends.globus import GlobusArchive
from map_assets.archive.backends.globus_session import GlobusSession
from map_assets.archive.backends.globus_settings import GlobusSettings
from map_assets.archive.globus_loopback.start import start_loopback
from map_assets.archive.journal import Journal

KILLED = 9
CHANGES = frozenset({"os.link", "os.rename", "os.remove", "os.rmdir"})


def archive(share: Path, journal: str, settings: GlobusSettings) -> None:
    """Take the session from manifest to receipt."""
    pipe = Pipeline(share, GlobusArchive(settings), Journal(journal))
    manifest = pipe.manifest()
    end = time.monotonic() + 20
    is_under_way = pipe.transfer(manifest).is_under_way
    while is_under_way and time.monotonic() < end:
        time.sleep(0.02)
        pipe.poll()
        is_under_way = pipe.transfer(manifest).is_under_way
    pipe.verify(manifest)
    pipe.receipt(manifest)
    pipe.journal.close()


def kill_at(step: int) -> None:
    """Let this process end, as if by SIGKILL, after its n-th request, or at its n-th change of a name."""
    left = step
    ask = GlobusSession.asked

    def touched() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os._exit(KILLED)

    def asked(self: GlobusSession, *arguments: Any) -> dict[str, Any]:
        told = ask(self, *arguments)
        touched()
        return told

    GlobusSession.asked = asked  # type: ignore[method-assign]
    sys.addaudithook(lambda event, _: touched() if event in CHANGES else None)


def run(share: Path, journal: str, settings: GlobusSettings, step: int | None) -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if step is not None:
                kill_at(step)
            archive(share, journal, settings)
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(share: Path, work: Path, verification: str, step: int, every: int) -> None:
    truth = {
        path.relative_to(share): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in share.rglob("*")
        if path.is_file()
    }
    was_killed = True
    while was_killed:
        root = work / str(step)
        with start_loopback(
            {"rig1": share}, root / "archive", root / "globus", verification=verification, has_canary=False
        ) as one:  # type: ignore[arg-type]
            journal = f"sqlite:///{root}/journal.db"
            was_killed = run(share, journal, one.settings, step) == KILLED
            final = root / "archive" / SESSION
            wrong = [str(path) for path in final.rglob("*") if path.is_file() and path.suffix != ".json" and "receipts" not in path.parts
                     and hashlib.sha256(path.read_bytes()).hexdigest() != truth[path.relative_to(final / "rig1")]]  # fmt: skip
            book = Journal(journal)
            with book.engine.begin() as connection:  # the killed process's lease runs out
                connection.exec_driver_sql("delete from archive_leases")
            book.close()
            ended = run(share, journal, one.settings, None)
            there = {path: hashlib.sha256((final / "rig1" / path).read_bytes()).hexdigest() for path in truth}
            still = {path: hashlib.sha256((share / path).read_bytes()).hexdigest() for path in truth}
            rig = one.settings.shares["rig1"].collection
            n_moved = sum(
                len(task.asked["DATA"]) for task in one.service.transfers() if task.asked["source_endpoint"] == rig
            )
            receipts = [path.name for path in (final / "receipts").glob("*.json")]
            told = {
                "step": step,
                "killed": was_killed,
                "wrong": wrong,
                "ended": ended,
                "equal": there == still == truth,
            }
            sys.stdout.write(json.dumps({**told, "moved": n_moved, "receipts": len(receipts)}) + "\n")
            sys.stdout.flush()
            step += every


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
