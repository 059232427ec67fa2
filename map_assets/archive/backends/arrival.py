"""New files of this machine that appear whole or not at all. What is written into them lives with the backend that fetches."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from map_assets.store.atomic import fsync_folder


class Arriving:
    """A file that is being written, and the hash of what was written."""

    def __init__(self, write: Callable[[memoryview], object]) -> None:
        self._write = write
        self._sha256 = hashlib.sha256()
        self.size = 0

    def write(self, block: memoryview) -> None:
        """Write and hash the next bytes."""
        self._write(block)
        self._sha256.update(block)
        self.size += len(block)

    @property
    def sha256(self) -> str:
        """Of what was written so far, lower-case hex."""
        return self._sha256.hexdigest()


@contextmanager
def arriving(to: Path) -> Iterator[Arriving]:
    """Give a place to write to; when the block ends well its bytes are the new file `to`, durably; else nothing is left.

    Raises
    ------
    FileExistsError
        If `to` is there, before or after the block; it is left as it is.
    OSError
        If the folder is not there or cannot be written to.
    """
    if os.path.lexists(to):
        raise FileExistsError(f"{to} is there already; nothing was overwritten.")
    part = to.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("xb", buffering=0) as stream:
            yield Arriving(lambda block: _write_all(stream.write, block))
            os.fsync(stream.fileno())
        _give_name(part, to)
        fsync_folder(to.parent)
    finally:
        part.unlink(missing_ok=True)


def _write_all(write: Callable[[memoryview], int | None], block: memoryview) -> None:
    while n_written := write(block):
        block = block[n_written:]
        if not block:
            return


def _give_name(part: Path, to: Path) -> None:
    try:
        os.link(part, to)
    except FileExistsError:
        raise FileExistsError(f"{to} came to be meanwhile; nothing was overwritten.") from None
    except OSError:  # a file system without hard links: take the name with an empty file, then replace that
        to.touch(exist_ok=False)
        part.replace(to)
