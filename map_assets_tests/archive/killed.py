"""Archives a session in forked processes that are killed at the 1st, 2nd, 3rd ... touch of the archive, and prints what was left.

Run by ``test_archive_killed``: ``python killed.py SHARE WORK``. A touch is any file-system call of Python's under the
archive's root, any block written there, and any fsync. After each kill the archive is looked at, then the session is
archived again by a process that is left alone, and looked at again. One JSON line for each kill.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pandas  # noqa: F401  (pyarrow loads it at first use: once here, instead of once in each child)

from map_assets.archive import reading
from map_assets.archive.backends import folder
from map_assets.archive.manifest import make_manifest
from map_assets.archive.receipt import archive_session
from map_assets.vocabulary.files import FoundFile

SESSION = "SC022_20190228_151010"
KILLED = 9


def archive(share: Path, root: Path) -> None:
    files = [
        FoundFile("rig1", share, PurePosixPath(path.relative_to(share)), "raw", path.stat().st_size, 0)
        for path in sorted(share.rglob("*"))
        if path.is_file()
    ]
    manifest, rejected = make_manifest(SESSION, files, workers=1)
    assert not rejected
    archive_session(SESSION, manifest, {"rig1": share}, folder.FolderArchive(root), workers=1)


def kill_at(touch: int, root: Path) -> None:
    """Let this process end, as if by SIGKILL, at its n-th touch of the archive."""
    left = touch

    def touched() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os._exit(KILLED)

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if event.startswith(("os.", "open")) and any(str(root) in str(argument) for argument in arguments):
            touched()

    sync, write = os.fsync, folder.FolderArchive._write

    def counted_sync(handle: int) -> None:
        touched()
        sync(handle)

    def counted_write(self: folder.FolderArchive, part: object, block: memoryview) -> None:
        write(self, part, block)
        touched()

    os.fsync, folder.FolderArchive._write = counted_sync, counted_write
    reading.BLOCK_BYTES = 1 << 19
    sys.addaudithook(hear)


def in_child(share: Path, root: Path, touch: int = 0) -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if touch:
                kill_at(touch, root)
            archive(share, root)
            status = 0
        finally:
            if status:
                sys.excepthook(*sys.exc_info())
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def look(share: Path, root: Path) -> dict[str, object]:
    """What stands under final names: how many whole files, which others, how many receipts, and whether they are true."""
    whole, others = 0, []
    for path in (root / SESSION).rglob("*"):
        if path.is_file() and path.parent.name != "receipts":
            source = share / path.relative_to(root / SESSION / "rig1")
            if hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(source.read_bytes()).digest():
                whole += 1
            else:
                others.append(str(path))
    receipts = sorted((root / SESSION / "receipts").glob("*.json"))
    for receipt in receipts:
        text = root / json.loads(receipt.read_bytes())["manifest_file"]
        subprocess.run(["sha256sum", "--strict", "--quiet", "-c", text], cwd=root, check=True)
    return {"whole": whole, "others": others, "receipts": len(receipts)}


def main(share: Path, work: Path) -> None:
    for touch in range(1, 1000):
        root = work / f"archive{touch}"
        ended = in_child(share, root, touch)
        left = look(share, root)
        again = in_child(share, root) if ended == KILLED else 0
        outcome = {"ended": ended, "left": left, "again": again, "then": look(share, root)}
        sys.stdout.write(json.dumps(outcome) + "\n")
        if ended != KILLED:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
