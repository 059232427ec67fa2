"""Reading a file once, block by block, a raw one proven unchanged. What becomes of the blocks lives with the caller."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from io import FileIO
from pathlib import Path

from map_assets.vocabulary.errors import UnreadableFile, UnsafePath
from map_assets.vocabulary.files import unchanged

BLOCK_BYTES = 1 << 20
Sink = Callable[[memoryview], object]


def read_blocks(stream: FileIO, *sinks: Sink) -> int:
    """Hand every block of an open file to each sink, in order, and return how many bytes there were."""
    block = memoryview(bytearray(min(BLOCK_BYTES, max(os.fstat(stream.fileno()).st_size, 1))))
    n_bytes = 0
    while n_read := stream.readinto(block):
        n_bytes += n_read
        for sink in sinks:
            sink(block[:n_read])
    return n_bytes


def read_once(path: Path, *sinks: Sink) -> os.stat_result:
    """Hand every block of a file to each sink, in order.

    Parameters
    ----------
    path : pathlib.Path
        A plain file; a link, a pipe or a device is refused before it is opened.
    *sinks : callable
        Each takes a block as a memoryview that is overwritten by the next block (``hashlib`` objects' ``update``).

    Returns
    -------
    os.stat_result
        Of the file, the same before and after the read.

    Raises
    ------
    UnsafePath
        If it is no plain file.
    ChangedWhileRead
        If somebody wrote to it meanwhile.
    UnreadableFile
        If it cannot be opened or read to its end.
    """
    try:
        with unchanged(path) as before:
            if not stat.S_ISREG(before.st_mode):
                raise UnsafePath(
                    path, "it is no plain file", expected="a plain file", todo="Take it out of the session's folder."
                )
            with path.open("rb", buffering=0) as stream:
                read_blocks(stream, *sinks)
    except OSError as error:
        raise UnreadableFile(
            path,
            f"it cannot be read to its end ({error.strerror or error})",
            expected="a readable file",
            todo="Check the share and the file's permissions.",
        ) from error
    return before
