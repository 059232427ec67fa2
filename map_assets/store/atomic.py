"""Write-temp, fsync, rename: nothing half-written is ever visible. What is written lives with the caller."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def fsync_folder(folder: Path) -> None:
    """Make a rename inside `folder` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fsync_file(path: Path) -> None:
    """Make a file's bytes durable."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target`; when the block ends well it becomes `target`, durably; else it is removed.

    The temporary name begins with a dot and ends with ``.part``, so that no reader's glob for the target's suffix sees it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{secrets.token_hex(6)}.part")
    try:
        yield part
        fsync_file(part)
        part.replace(target)
        fsync_folder(target.parent)
    finally:
        part.unlink(missing_ok=True)
