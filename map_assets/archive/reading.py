"""Reading a file once, block by block, a raw one proven unchanged. What becomes of the blocks lives with the caller."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from map_assets.vocabulary.errors import UnreadableFile, UnsafePath
from map_assets.vocabulary.files import unchanged

BLOCK_BYTES = 1 << 20
_LARGE_BYTES = 32 << 20
_BLOCKS_AHEAD = 3
Sink = Callable[[memoryview], object]


class Marks(NamedTuple):
    """By what a file is known again without reading it; numbers that fit into 64 bits with a sign."""

    size: int
    mtime_ns: int
    ctime_ns: int
    device: int
    inode: int
    n_links: int


def marks_of(status: os.stat_result) -> Marks:
    """Return a file's marks; servers give inode numbers of all 64 bits, which become negative here."""
    inode = status.st_ino - (1 << 64) if status.st_ino >= 1 << 63 else status.st_ino
    return Marks(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_dev, inode, status.st_nlink)


def read_blocks(stream: FileIO, *sinks: Sink) -> int:
    """Hand every block of an open file to each sink, in order, and return how many bytes there were.

    The sinks of a large file each have a thread of their own, so that reading, hashing and writing overlap; each still
    gets the blocks in order, one at a time.
    """
    size = os.fstat(stream.fileno()).st_size
    if size >= _LARGE_BYTES:
        return _read_ahead(stream, sinks)
    block = memoryview(bytearray(min(BLOCK_BYTES, max(size, 1))))
    n_bytes = 0
    while n_read := stream.readinto(block):
        n_bytes += n_read
        for sink in sinks:
            sink(block[:n_read])
    return n_bytes


def _read_ahead(stream: FileIO, sinks: Sequence[Sink]) -> int:
    n_bytes = 0
    with ExitStack() as stack:
        threads = [stack.enter_context(ThreadPoolExecutor(1)) for _ in sinks]
        ring: deque[tuple[memoryview, list[Future[object]]]] = deque(
            (memoryview(bytearray(4 * BLOCK_BYTES)), []) for _ in range(_BLOCKS_AHEAD)
        )
        while True:
            block, taken = ring.popleft()
            for future in taken:
                future.result()
            if not (n_read := stream.readinto(block)):
                break
            n_bytes += n_read
            part = block[:n_read]
            ring.append((block, [thread.submit(sink, part) for thread, sink in zip(threads, sinks, strict=True)]))
        for _, taken in ring:
            for future in taken:
                future.result()
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
    with _opened(path) as (stream, before):
        read_blocks(stream, *sinks)
    return before


def blocks_once(path: Path) -> Iterator[bytes]:
    """Give every block of a file in turn, for who asks for them; proofs and errors as in `read_once`, the last at the end."""
    with _opened(path) as (stream, _):
        while block := stream.read(BLOCK_BYTES):
            yield block


@contextmanager
def _opened(path: Path) -> Iterator[tuple[FileIO, os.stat_result]]:
    try:
        with unchanged(path) as before:
            if not stat.S_ISREG(before.st_mode):
                raise UnsafePath(
                    path, "it is no plain file", expected="a plain file", todo="Take it out of the session's folder."
                )
            with path.open("rb", buffering=0) as stream:
                yield stream, before
    except OSError as error:
        raise UnreadableFile(
            path,
            f"it cannot be read to its end ({error.strerror or error})",
            expected="a readable file",
            todo="Check the share and the file's permissions.",
        ) from error
