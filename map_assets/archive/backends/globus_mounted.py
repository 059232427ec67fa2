"""The archive's folder where it is mounted on this machine, beside the collection that serves it. Moving sources into it lives in `globus`."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Final

from map_assets.archive.backends.folder import FolderArchive
from map_assets.archive.backends.protocol import ArchiveBlocked, ArchiveNotReady
from map_assets.store.atomic import fsync_file
from map_assets.vocabulary.errors import ArchiveConflict

_LOOKS_EVERY_S: Final = 60.0


class MountedArchive(FolderArchive):
    """An archive's folder that is mounted here.

    Parameters
    ----------
    root : pathlib.Path
    served : callable
        Names at the archive's root, as the collection shows them.
    """

    def __init__(self, root: Path, served: Callable[[], Iterable[str]]) -> None:
        super().__init__(root)
        self._served = served
        self._looked_at: float | None = None

    def must_be_mounted(self) -> None:
        """Raise ArchiveNotReady unless the mount shows what the collection shows: an empty mount point is no empty archive."""
        if self._looked_at is not None and time.monotonic() - self._looked_at < _LOOKS_EVERY_S:
            return
        try:
            here = {path.name for path in self.root.iterdir() if not path.name.startswith(".")}
        except OSError as error:
            raise ArchiveNotReady(f"The archive is not mounted at {self.root} ({error.strerror}); mount it.") from error
        try:
            there = {name for name in self._served() if not name.startswith(".")}
        except (ArchiveNotReady, ArchiveBlocked):
            there = here  # an archive that is mounted may be read while Globus is away
            if not here:
                raise
        if there and not here & there:
            raise ArchiveNotReady(
                f"{self.root} shows nothing of what the archive's collection shows ({', '.join(sorted(there)[:3])} ...): "
                "it is not mounted, or it is another folder. Nothing was concluded from it."
            )
        if here:
            self._looked_at = time.monotonic()

    def name_it(self, staged: PurePosixPath, final: PurePosixPath, size: int) -> bool:
        """Give a staged file its final name as a hard link, which a name that is taken refuses; see `make_durable`.

        Returns
        -------
        bool
            False where this folder knows no such links.
        """
        source, target = self.root / staged, self._path(final)
        if not source.is_file() or source.stat().st_size != size:
            if target.is_file() and target.stat().st_size == size:
                return True
            raise ArchiveNotReady(f"{staged} is in the archive's collection and not yet seen whole at {self.root}.")
        try:
            self._make_folder(target.parent)
            os.link(source, target)
        except FileExistsError:
            if not source.samefile(target):  # else it was stopped between its two names
                raise ArchiveConflict(
                    f"Something stands as {final} in the archive by now; nothing was overwritten."
                ) from None
        except OSError:
            return False
        with contextlib.suppress(PermissionError):  # it stays as the mover made it
            fsync_file(target)
            target.chmod(0o444)
        source.unlink()
        return True

    def make_durable(self, folders: Iterable[PurePosixPath]) -> None:
        """Make the names in these folders durable, where they are there."""
        self._make_durable(folder for folder in folders if (self.root / folder).is_dir())

    def n_free_bytes(self) -> int:
        """Room that is left there."""
        return shutil.disk_usage(self.root).free

    def clear(self, folder: PurePosixPath, names: Iterable[str]) -> None:
        """Remove what is left of a submission under these names, and its folder where it is empty then."""
        for name in names:
            (self.root / folder / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            (self.root / folder).rmdir()
