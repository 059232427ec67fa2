"""Archives a session in forked processes that are killed at the 1st, 2nd, 3rd ... durable step, and prints what was left.

Run by ``test_archive_killed``: ``python killed.py SHARE WORK SCENARIO``. A step is any call that changes a
name under the archive's root, any block written there, any fsync, and any commit of the journal. After each kill everything
that holds the session's bytes is looked at, then the session is archived again by a process that is left alone, and
looked at again. One JSON line for each kill. Scenarios: ``folder``; ``service`` (a mover that is polled, and
brings one file wrong at first and calls it right).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pandas  # noqa: F401  (pyarrow loads it at first use: once here, instead of once in each child)
from pipeline import SESSION, Pipeline, SlowMover
from sqlalchemy import Engine, event

from map_assets.archive import reading
from map_assets.archive.backends import write_once
from map_assets.archive.backends.folder import FolderArchive
from map_assets.archive.backends.protocol import Item, Progress
from map_assets.archive.journal import Journal
from map_assets.archive.states import PROVEN

KILLED = 9
CHANGES = frozenset({"os.link", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"})


class CorruptOnce(SlowMover):
    """Brings one file wrong, the first time it moves it, and calls it right."""

    def progress(self, task: str, items: Sequence[Item]) -> Progress:
        said = self.root.with_name(f"{self.root.name}.corrupted")
        wrong = [item for item in items if item.path.name == "behavior.mat" and self.is_ready and not said.exists()]
        for item in wrong:
            place = self.root / item.archive_path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(bytes(item.size))
            said.touch()
        done = super().progress(task, [item for item in items if item not in wrong])
        return done._replace(state="succeeded", failed={}) if self.is_ready else done


def opened(share: Path, root: Path, scenario: str) -> Pipeline:
    backends = {"folder": FolderArchive, "service": CorruptOnce}
    journal = Journal(f"sqlite:///{root.with_name(f'journal-{root.name}.db')}")
    event.listen(journal.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
    journal.engine.dispose()
    return Pipeline(share, backends[scenario](root), journal)


def archive(pipe: Pipeline) -> None:
    manifest = pipe.manifest()
    if isinstance(pipe.backend, SlowMover):
        pipe.transfer(manifest)
        pipe.backend.is_ready = True
        pipe.poll()
    pipe.run(manifest)
    pipe.journal.close()


def kill_at(touch: int, root: Path) -> None:
    """Let this process end, as if by SIGKILL, at its n-th step."""
    left = touch

    def touched(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os._exit(KILLED)

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        is_step = event in CHANGES or (
            event == "open" and int(arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        )  # type: ignore[call-overload]
        if is_step and any(str(root) in str(argument) for argument in arguments):
            touched()

    write = write_once.WriteOnceFolder._write

    def counted_sync(_: int) -> None:
        touched()  # what a killed process wrote is in the page cache: no need to wait for the disk

    def counted_write(self: write_once.WriteOnceFolder, part: object, block: memoryview) -> None:
        write(self, part, block)
        touched()

    os.fsync, write_once.WriteOnceFolder._write = counted_sync, counted_write
    reading.BLOCK_BYTES = 1 << 19
    sys.addaudithook(hear)
    event.listen(Engine, "commit", touched)


def in_child(share: Path, root: Path, scenario: str, touch: int = 0) -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if touch:
                kill_at(touch, root)
            archive(opened(share, root, scenario))
            status = 0
        finally:
            if status:
                sys.excepthook(*sys.exc_info())
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def look(share: Path, root: Path, scenario: str, hashes: dict[str, str]) -> dict[str, object]:
    """Every place that may hold the session's bytes, held against what the journal says of them."""
    assert {path: sha256(share / path) for path in hashes} == hashes, "a source was touched"
    pipe = opened(share, root, scenario)
    files = pipe.journal.files(SESSION).to_pylist()
    states = {row["path"]: row["state"] for row in files}
    for row in files:
        if row["state"] in PROVEN:
            assert sha256(root / row["archive_path"]) == row["sha256"], (
                f"{row['path']} is not what the journal vouches for"
            )
    whole, others = 0, []
    for path in sorted((root / SESSION).rglob("*")):
        if path.is_file() and path.parent.name != "receipts":
            name = str(path.relative_to(root / SESSION / "rig1"))
            if sha256(path) == hashes.get(name):
                whole += 1
            elif scenario != "service" or states.get(name) in PROVEN:
                others.append(name)
    receipts = sorted((root / SESSION / "receipts").glob("*.json"))
    for receipt in receipts if scenario == "folder" else []:
        text = root / json.loads(receipt.read_bytes())["manifest_file"]
        subprocess.run(["sha256sum", "--strict", "--quiet", "-c", text], cwd=root, check=True)
    kept = pipe.journal.kept_receipts(SESSION)
    assert kept.items() <= {str(path.relative_to(root)): path.read_text() for path in receipts}.items()
    assert "RECEIPTED" not in states.values() or kept, "receipted without a receipt"
    submissions = {one.submission for one in pipe.journal.submissions()}
    asked = set(pipe.backend.tasks()) if isinstance(pipe.backend, SlowMover) else set()
    assert asked <= submissions, "asked before it was written down"
    pipe.journal.close()
    return {
        "whole": whole, "others": others, "receipts": len(receipts), "kept": len(kept), "tasks": len(asked),
        "states": sorted(set(states.values())), "submissions": len(submissions),
    }  # fmt: skip


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def let_the_lease_run_out(root: Path) -> None:
    with closing(sqlite3.connect(root.with_name(f"journal-{root.name}.db"))) as connection:
        if connection.execute("select 1 from sqlite_master where name = 'archive_leases'").fetchone():
            connection.execute("update archive_leases set until_us = 0")
            connection.commit()


def main(share: Path, work: Path, scenario: str) -> None:
    hashes = {str(path.relative_to(share)): sha256(path) for path in share.rglob("*") if path.is_file()}
    empty = work.with_name("empty.db")
    Journal(f"sqlite:///{empty}").close()
    work.mkdir()
    archive(opened(share, work / "warm", scenario))  # what is loaded and compiled at first use, once for all children
    for touch in range(1, 1000):
        root = work / f"archive{touch}"
        shutil.copyfile(empty, root.with_name(f"journal-{root.name}.db"))
        ended = in_child(share, root, scenario, touch)
        let_the_lease_run_out(root)
        left = look(share, root, scenario, hashes)
        again = in_child(share, root, scenario) if ended == KILLED else 0
        outcome = {"ended": ended, "left": left, "again": again, "then": look(share, root, scenario, hashes)}
        sys.stdout.write(json.dumps(outcome) + "\n")
        if ended != KILLED:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
