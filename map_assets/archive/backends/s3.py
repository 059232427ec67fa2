"""The archive in a bucket of S3, or of a service that speaks its language. Single requests to it live in `s3_bucket`.

A name gets its bytes whole and once: a small file in one request that the service refuses where the name is taken, a
large one in parts, behind a claim (`s3_claims`). Every byte is hashed on its way out, and where the hash is not the
manifest's the upload never ends; requests are signed over their content, so the service refuses what changed on the
way. Parts of uploads that a killed process left are for the bucket's lifecycle rules to clear away.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from map_assets.archive.backends.arrival import arriving
from map_assets.archive.backends.one_by_one import by_size, copy_one_by_one
from map_assets.archive.backends.protocol import ArchiveNotReady, Item, Progress, ReadBack
from map_assets.archive.backends.s3_bucket import Bucket
from map_assets.archive.backends.s3_claims import Claims
from map_assets.archive.backends.s3_errors import AlreadyThere
from map_assets.archive.backends.s3_settings import S3Settings
from map_assets.archive.names import beside, safe
from map_assets.archive.reading import blocks_once
from map_assets.vocabulary.errors import ArchiveConflict, BadInput, ChangedWhileRead


class S3Archive:
    """An archive in a bucket.

    Parameters
    ----------
    settings : S3Settings
    retries : int
        How often a request that the service did not answer is sent again, with growing waits.
    part_bytes : int
        A file larger than this is uploaded in parts of this size, or larger ones where there would be too many; four
        files of four parts each are held in memory.
    """

    def __init__(self, settings: S3Settings, *, retries: int = 6, part_bytes: int = 8 << 20) -> None:
        self.part_bytes, self.copy_bytes = part_bytes, 5 << 30
        self._bucket = Bucket(settings, retries, part_bytes)
        self._claims = Claims(self._bucket)

    @property
    def name(self) -> str:
        """The backend's name in the configuration."""
        return "s3"

    @property
    def location(self) -> str:
        """Endpoint, bucket and prefix."""
        return self._bucket.location

    def new_submission(self) -> str:
        """Return an id; a bucket needs none, and keeps none."""
        return secrets.token_hex(16)

    def submit(self, submission: str, items: Sequence[Item]) -> Progress:
        """Upload files, a few at a time, and return when each is there or known not to be; see `ArchiveBackend.submit`."""
        return self._unclaimed(copy_one_by_one(submission, items, self._put, self.location, 4), items)

    def progress(self, task: str, items: Sequence[Item]) -> Progress:
        """Say what stands there; see `by_size`. `submit` returns when it has ended: nothing is under way."""
        return self._unclaimed(by_size(task, items, lambda item: self.stat(item.archive_path), self.location), items)

    def cancel(self, task: str) -> None:
        """Do nothing: `submit` returns only when it has ended."""

    def stat(self, archive_path: PurePosixPath) -> int | None:
        """Size of an object in bytes, or None where there is none."""
        return self._bucket.size(safe(archive_path))

    def listing(self, folder: PurePosixPath) -> Iterator[tuple[PurePosixPath, int]]:
        """Give every object under a folder, in order of the paths' bytes, a page at a time."""
        for path, size in self._bucket.entries(safe(folder) if folder.parts else folder):
            if not path.parts[0].startswith("."):
                yield path, size

    def read_back_sha256(self, archive_path: PurePosixPath) -> ReadBack:
        """Read an object whole, as the service gives it, and hash it; what its attributes say counts for nothing."""
        found, size = hashlib.sha256(), 0
        for block in self._bucket.blocks(safe(archive_path)):
            found.update(block)
            size += len(block)
        return ReadBack(found.hexdigest(), size, "read back whole from the bucket")

    def fetch(self, archive_path: PurePosixPath, to: Path) -> ReadBack:
        """Copy an object to a new file of this machine; see `ArchiveBackend.fetch`."""
        with arriving(to) as new:
            for block in self._bucket.blocks(safe(archive_path)):
                new.write(memoryview(block))
        return ReadBack(new.sha256, new.size, "hashed while it was copied from the bucket")

    def set_aside(self, archive_path: PurePosixPath) -> PurePosixPath:
        """Copy a damaged object to another name, prove that, and remove it; see `ArchiveBackend.set_aside`.

        The service itself copies no more than 5 GiB at a time; what is larger goes through this machine's temporary
        folder.
        """
        aside = beside(safe(archive_path), f".BAD-{datetime.now(UTC).strftime('%Y%m%dT%H%M%S.%fZ')}")
        damaged = self.read_back_sha256(archive_path)
        if damaged.size <= self.copy_bytes:
            self._bucket.copy(archive_path, aside)
        else:
            with TemporaryDirectory() as folder:
                through = Path(folder, "damaged")
                self.fetch(archive_path, through)
                self._bucket.upload(aside, blocks_once(through), damaged.size, damaged.sha256)
        if self.read_back_sha256(aside)[:2] != damaged[:2]:
            raise ArchiveNotReady(
                f"The copy {aside} in the archive {self.location} does not read back as {archive_path} did; that one "
                "was left as it is."
            )
        self._bucket.remove(archive_path)
        return aside

    def put_receipt(self, archive_path: PurePosixPath, content: bytes) -> None:
        """Create a small object once; see `ArchiveBackend.put_receipt`."""
        self._create(safe(archive_path), content, hashlib.sha256(content).hexdigest())

    def read_receipt(self, archive_path: PurePosixPath) -> bytes:
        """Read a small object."""
        return b"".join(self._bucket.blocks(safe(archive_path)))

    def receipts(self, folder: PurePosixPath) -> list[PurePosixPath]:
        """Archive paths of the receipts (``*.json``) in a folder, in order of name."""
        return sorted(path for path, _ in self.listing(folder) if path.parent == folder and path.suffix == ".json")

    # -- inside ------------------------------------------------------------------------------------------------------
    def _put(self, item: Item) -> None:
        path = safe(item.archive_path)
        if item.size <= self.part_bytes:
            return self._create(path, b"".join(_proven(item)), item.sha256)
        claim = self._claims.take(path, item.sha256)
        try:
            if self.stat(path) is None:
                self._bucket.upload(path, _proven(item), item.size, item.sha256)
            else:
                self._must_hold(path, item.sha256, item.size)
        except (BadInput, ArchiveConflict):  # after any other error the object may yet appear: the claim stays
            self._claims.withdraw(claim)
            raise
        return self._claims.drop(path, item.sha256)

    def _create(self, path: PurePosixPath, content: bytes, sha256: str) -> None:
        try:
            self._bucket.create(path, content, sha256)
        except AlreadyThere:
            self._must_hold(path, sha256, len(content))

    def _must_hold(self, path: PurePosixPath, sha256: str, size: int) -> None:
        held = self.read_back_sha256(path)
        if (held.sha256, held.size) != (sha256, size):
            raise ArchiveConflict(
                f"The archive {self.location} holds {held.size} bytes of sha256 {held.sha256} as {path}, and was given "
                f"{size} bytes of sha256 {sha256} under that name; nothing was overwritten."
            )

    def _unclaimed(self, done: Progress, items: Sequence[Item]) -> Progress:
        """Take out what was created while other bytes were being uploaded under the same name."""
        if len(done.failed) == len(items):
            return done
        claimed = self._claims.against({item.archive_path: item.sha256 for item in items})
        return done._replace(failed={**{str(path): error for path, error in claimed.items()}, **done.failed})


def _proven(item: Item) -> Iterator[bytes]:
    """Give the source's blocks, and fail at the end, before an object stands, if they are not the manifest's."""
    found, size = hashlib.sha256(), 0
    for block in blocks_once(item.source):
        found.update(block)
        size += len(block)
        yield block
    if (found.hexdigest(), size) != (item.sha256, item.size):
        raise ChangedWhileRead(
            item.source,
            f"it now has {size} bytes of sha256 {found.hexdigest()}",
            expected=f"{item.size} bytes of sha256 {item.sha256}, as in the manifest",
            todo="Make the manifest anew; the archive keeps what it has.",
        )
