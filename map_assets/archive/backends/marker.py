"""The marker by which an archive's folder is known from another one in its place, or from a bare mount point. What is kept of it lives in `identity`.

``.map_assets_archive`` in the root holds a text of its own; the lab's database holds the same. It is made once: where
the database knows no archive yet. After that a folder without it is no archive, and nothing is made there.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from map_assets.archive.backends.protocol import ArchiveNotReady
from map_assets.store.atomic import fsync_folder

MARKER: Final = ".map_assets_archive"


class Known(Protocol):
    """What the lab's database knows of archives; see `identity.Identities`."""

    def known(self, backend: str) -> str | None:
        """Identity of a backend's archive, or None."""

    def keep(self, backend: str, location: str, identity: str) -> str:
        """Keep the first identity of a backend's archive, and return the one that is kept."""

    def receipts(self, backend: str) -> Iterator[tuple[str, str]]:
        """Path and sha256 of the receipts that are kept of a backend's archive."""


class Marker:
    """The marker in a root.

    Parameters
    ----------
    root : pathlib.Path
    backend : str
        The backend's name in the configuration.
    known : Known
    """

    def __init__(self, root: Path, backend: str, known: Known) -> None:
        self.root, self.backend, self._known = root, backend, known
        self._identity: str | None = None

    @property
    def identity(self) -> str:
        """The archive's identity; empty where none is known yet."""
        if self._identity is None:
            self._identity = self._known.known(self.backend)
        return self._identity or ""

    def check(self) -> None:
        """Make sure that this very archive stands at the root; nothing where none was ever used.

        Raises
        ------
        ArchiveNotReady
            If it does not, or that cannot be seen.
        """
        if self.identity or self._taken_up():
            found = self._read()
            if found != self.identity:
                raise ArchiveNotReady(f"{self._without(found)} Nothing was concluded from it, and nothing written.")

    def make(self) -> None:
        """Make root and marker at the first use of a database that knows no archive; else as `check`.

        Raises
        ------
        ArchiveNotReady
            Also if the folder above the root is not there: it is never made.
        """
        if self.identity or self._taken_up():
            return self.check()
        if not self.root.parent.is_dir():
            raise ArchiveNotReady(
                f"The folder {self.root.parent}, in which the archive {self.root.name} is to be made, is not there: mount it, "
                "or make it yourself; it is never made by us."
            )
        try:
            self.root.mkdir(exist_ok=True)
            fsync_folder(self.root.parent)
        except OSError as error:
            raise self._unwritable(error) from error
        self._keep(self._read() or self._write())
        return self.check()

    # -- inside ------------------------------------------------------------------------------------------------------
    def _taken_up(self) -> bool:
        """Take up an archive from before there were markers, known by a receipt; False where no receipt is kept."""
        kept = list(self._known.receipts(self.backend))
        if not kept:
            return False
        if not any(self._stands(path, sha256) for path, sha256 in kept):
            raise ArchiveNotReady(
                f"None of the {len(kept)} receipts of the archive that the lab's database keeps stands in {self.root}: it is "
                "not mounted, or is another folder. Mount it; nothing was written there."
            )
        self._keep(self._read() or self._write())
        return True

    def _stands(self, path: str, sha256: str) -> bool:
        try:
            return hashlib.sha256((self.root / path).read_bytes()).hexdigest() == sha256
        except OSError:
            return False

    def _keep(self, identity: str) -> None:
        self._identity = self._known.keep(self.backend, str(self.root.resolve()), identity)

    def _read(self) -> str | None:
        try:
            return (self.root / MARKER).read_text("utf-8", "replace").strip() or None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ArchiveNotReady(
                f"{self.root / MARKER} cannot be read ({error.strerror}); is the archive mounted? Nothing was concluded."
            ) from error

    def _write(self) -> str:
        """Make the marker, durably and whole; where another process was first, its text counts."""
        part = self.root / f"{MARKER}.{uuid.uuid4().hex}.part"
        try:
            with part.open("x", encoding="utf-8") as stream:
                stream.write(f"{uuid.uuid4()}\n")
                stream.flush()
                os.fsync(stream.fileno())
            with suppress(FileExistsError):  # another process was first
                os.link(part, self.root / MARKER)
            part.unlink()
            fsync_folder(self.root)
        except OSError as error:
            raise self._unwritable(error) from error
        return self._read() or ""

    def _unwritable(self, error: OSError) -> ArchiveNotReady:
        return ArchiveNotReady(
            f"The archive {self.root} could not keep its marker {MARKER} ({error.strerror or error}); mend the folder (it "
            "must take hard links), and run again."
        )

    def _without(self, found: str | None) -> str:
        said = "has no marker" if found is None else f"is marked {found!r}"
        return (
            f"The archive is not at {self.root}: what stands there {said}, and the lab's archive is known by {self.identity!r} "
            f"in {MARKER}. Mount it; if it was moved, move it with that file."
        )
