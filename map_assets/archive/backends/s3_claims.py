"""Who is writing a large object under which name, so that two writers never put different bytes under one.

A small object is created in one request that the service refuses where the name is taken. A large one is uploaded in
parts, and appears at the end whatever stands there: so its writer first writes down a claim,
``.claims/{archive path}/{sha256}-{token}``, then looks whether there are other claims or an object, and only then
uploads. Whoever created a small object looks for claims afterwards. Of two writers of different bytes at least the
later one sees the other. A claim that a killed writer left stands in nobody's way who brings the same bytes.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

from map_assets.archive.backends.s3_bucket import Bucket
from map_assets.vocabulary.errors import ArchiveConflict

FOLDER: Final = PurePosixPath(".claims")
_ALL: Final = PurePosixPath()
_EMPTY: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class Claims:
    """The claims in a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    def take(self, path: PurePosixPath, sha256: str) -> PurePosixPath:
        """Claim a name for these bytes, and return the claim.

        Raises
        ------
        ArchiveConflict
            If other bytes are claimed for it; the new claim is withdrawn.
        """
        claim = FOLDER / path / f"{sha256}-{secrets.token_hex(8)}"
        self.bucket.create(claim, b"", _EMPTY)
        conflicts = self.against({path: sha256}, path)
        if conflicts:
            self.withdraw(claim)
            raise conflicts[path]
        return claim

    def withdraw(self, claim: PurePosixPath) -> None:
        """Take one claim back: its upload was given up before its end."""
        self.bucket.remove(claim)

    def against(
        self, given: Mapping[PurePosixPath, str], folder: PurePosixPath = _ALL
    ) -> dict[PurePosixPath, ArchiveConflict]:
        """Find names that are claimed for other bytes than those given.

        Parameters
        ----------
        given : mapping of pathlib.PurePosixPath to str
            Hash of what is or will be under a name, by archive path.
        folder : pathlib.PurePosixPath
            Only claims below it are looked at; by default all.
        """
        found = {}
        for claim, _ in self.bucket.entries(FOLDER / folder):
            path = claim.parent.relative_to(FOLDER)
            if given.get(path, claim.name[:64]) != claim.name[:64]:
                found[path] = ArchiveConflict(
                    f"Other bytes are being uploaded to the archive {self.bucket.location} as {path}; nothing was "
                    f"overwritten. Where nobody is uploading any more, remove the object {claim} and run again."
                )
        return found

    def drop(self, path: PurePosixPath, sha256: str) -> None:
        """Withdraw every claim of these bytes: the object stands, and guards its name itself."""
        for claim, _ in list(self.bucket.entries(FOLDER / path)):
            if claim.parent == FOLDER / path and claim.name[:64] == sha256:
                self.bucket.remove(claim)
