"""Objects of a bucket by their archive paths: created, uploaded, read in ranges, listed. Which may be written when lives in `s3`."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from map_assets.archive.backends.protocol import ArchiveBlocked, NotInArchive
from map_assets.archive.backends.s3_errors import said_plainly, unsafe
from map_assets.archive.backends.s3_settings import CREDENTIALS, S3Settings, has_credentials

if TYPE_CHECKING:
    from obstore.store import S3Store

_N_PARTS: Final = 9_000
_AT_A_TIME: Final = 4
_KEY_BYTES: Final = 1024 - 100
_SEEN_S: Final = 60.0


class Bucket:
    """A bucket, opened when it is first used.

    Parameters
    ----------
    settings : S3Settings
    retries : int
        How often a request that the service did not answer is sent again, with growing waits.
    part_bytes : int
        Size of the parts of large objects, and of the ranges that they are read in.
    """

    def __init__(self, settings: S3Settings, retries: int, part_bytes: int) -> None:
        self.settings, self.retries, self.part_bytes = settings, retries, part_bytes
        self._seen = float("-inf")

    @cached_property
    def store(self) -> S3Store:
        """The client.

        Raises
        ------
        ArchiveBlocked
            If the environment holds no keys.
        """
        from obstore.store import S3Store

        if not has_credentials():
            raise ArchiveBlocked(
                f"The archive {self.location} needs keys from the environment: set {' and '.join(CREDENTIALS[0])}."
            )
        settings = self.settings
        return S3Store(
            settings.bucket,
            prefix=settings.prefix or None,
            config={"region": settings.region, **({"endpoint": settings.endpoint} if settings.endpoint else {})},
            client_options={
                "allow_http": (settings.endpoint or "").startswith("http://"),
                "connect_timeout": timedelta(seconds=10),
                "timeout": timedelta(minutes=5),
            },
            retry_config={
                "max_retries": self.retries,
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": timedelta(seconds=10),
                    "base": 2,
                },
                "retry_timeout": timedelta(minutes=2),
            },
        )

    @property
    def location(self) -> str:
        """Where it is, for a sentence."""
        return self.settings.location

    def size(self, path: PurePosixPath) -> int | None:
        """Size of an object in bytes, or None where there is none and the bucket is there."""
        import obstore

        try:
            with said_plainly(self.location, path):
                return int(obstore.head(self.store, self._key(path))["size"])
        except NotInArchive:
            self._must_be_seen()
            return None

    def create(self, path: PurePosixPath, content: bytes, sha256: str) -> None:
        """Make a small object, in one request that is refused where the name is taken.

        Raises
        ------
        AlreadyThere
        """
        import obstore

        with said_plainly(self.location, path):
            obstore.put(self.store, self._key(path), content, attributes={"sha256": sha256}, mode="create")

    def upload(self, path: PurePosixPath, blocks: Iterator[bytes], size: int, sha256: str) -> None:
        """Make an object in parts, whatever stands there; an error of `blocks`, even at its end, leaves none.

        The client takes the blocks inside its own event loop: `blocks` may not ask the bucket for anything.
        """
        import obstore

        with said_plainly(self.location, path):
            obstore.put(
                self.store,
                self._key(path),
                blocks,
                attributes={"sha256": sha256},
                use_multipart=True,
                chunk_size=max(self.part_bytes, -(-size // _N_PARTS)),
                max_concurrency=_AT_A_TIME,
            )

    def blocks(self, path: PurePosixPath) -> Iterator[bytes]:
        """Give the bytes of one object in order, a few ranges ahead, each asked for anew where its answer was cut off.

        Raises
        ------
        NotInArchive, ArchiveNotReady
            The second, too, if the object was replaced meanwhile.
        """
        import obstore

        key = self._key(path)
        with said_plainly(self.location, path):
            first = obstore.get(self.store, key)
            size, tag = first.meta["size"], first.meta["e_tag"]
            if size <= self.part_bytes:
                yield bytes(first.bytes())
                return
            del first

        def part(start: int) -> bytes:
            end = min(start + self.part_bytes, size)
            with said_plainly(self.location, path):
                got = obstore.get(self.store, key, options={"range": (start, end), "if_match": tag})
                return bytes(got.bytes())

        ahead: deque[Future[bytes]] = deque()
        with ThreadPoolExecutor(_AT_A_TIME - 1) as pool:
            for start in range(0, size, self.part_bytes):
                ahead.append(pool.submit(part, start))
                if len(ahead) == _AT_A_TIME:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def entries(self, folder: PurePosixPath) -> Iterator[tuple[PurePosixPath, int]]:
        """Give path and size of every object under a folder (``.`` for all), in order of the paths' bytes."""
        import obstore

        with said_plainly(self.location, folder):
            for page in obstore.list(self.store, f"{self._key(folder)}/" if folder.parts else None, chunk_size=1000):
                for entry in page:
                    yield PurePosixPath(entry["path"]), entry["size"]

    def copy(self, path: PurePosixPath, to: PurePosixPath) -> None:
        """Let the service copy an object."""
        import obstore

        with said_plainly(self.location, path):
            obstore.copy(self.store, self._key(path), self._key(to))

    def remove(self, path: PurePosixPath) -> None:
        """Remove an object; without effect where there is none."""
        import obstore

        with said_plainly(self.location, path):
            obstore.delete(self.store, self._key(path))

    def _key(self, path: PurePosixPath) -> str:
        key = str(path)
        if len(self.settings.prefix) + len(key.encode(errors="replace")) > _KEY_BYTES or not _is_writable(key):
            raise unsafe(path)
        return key

    def _must_be_seen(self) -> None:
        """Look whether the bucket is there at all: a missing one answers as a missing object does."""
        if time.monotonic() - self._seen > _SEEN_S:
            next(self.entries(PurePosixPath("none")), None)
            self._seen = time.monotonic()


def _is_writable(key: str) -> bool:
    return not any(letter < " " or "\x7f" <= letter < "\xa0" or "\ud800" <= letter < "\ue000" for letter in key)
