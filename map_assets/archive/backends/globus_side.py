"""What stands in the archive of a Globus collection, by its mount where there is one, else by Globus. Moving sources into it lives in `globus`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from map_assets.archive.backends.globus_client import GlobusClient
from map_assets.archive.backends.globus_mounted import MountedArchive
from map_assets.archive.backends.globus_served import ServedArchive
from map_assets.archive.backends.globus_settings import GlobusSettings
from map_assets.archive.backends.protocol import Item, ReadBack
from map_assets.archive.backends.question import asking
from map_assets.archive.names import safe
from map_assets.archive.parallel import each_in_parallel
from map_assets.vocabulary.errors import ArchiveConflict, MapAssetsError

_LOG = logging.getLogger(__name__)


class GlobusSide:
    """The files of an archive in a Globus collection.

    Parameters
    ----------
    settings : GlobusSettings
    """

    def __init__(self, settings: GlobusSettings) -> None:
        self.settings = settings
        self.client = GlobusClient(settings)
        self._served = ServedArchive(settings, self.client)
        mount, root = settings.destination.mount, PurePosixPath()
        self._mounted = None if mount is None else MountedArchive(
            mount, lambda: (name for name, _, _ in self.client.entries(settings.destination, root))
        )  # fmt: skip

    def set_aside(self, archive_path: PurePosixPath) -> PurePosixPath:
        """Rename a damaged copy; see `ArchiveBackend.set_aside`."""
        writable = self._writable()
        return self._served.set_aside(archive_path) if writable is None else writable.set_aside(archive_path)

    def stat(self, archive_path: PurePosixPath) -> int | None:
        """Size of an archived file in bytes, or None where there is none."""
        return self._seen().stat(archive_path)

    def listing(self, folder: PurePosixPath) -> Iterator[tuple[PurePosixPath, int]]:
        """Give every file under a folder, in order of the paths' bytes."""
        return self._seen().listing(folder)

    def read_back_sha256(self, archive_path: PurePosixPath) -> ReadBack:
        """Read an archived file again, where the archive is mounted or by letting it come back; see `verification`."""
        place = self._served if self.settings.verification == "restore" else self._seen()
        return place.read_back_sha256(archive_path)

    def fetch(self, archive_path: PurePosixPath, to: Path) -> ReadBack:
        """Copy an archived file to a new file of this machine; see `ArchiveBackend.fetch`."""
        return self._seen().fetch(archive_path, to)

    def put_receipt(self, archive_path: PurePosixPath, content: bytes) -> None:
        """Write a small file once; see `ArchiveBackend.put_receipt`."""
        writable = self._writable()
        if writable is not None:
            writable.put_receipt(archive_path, content)
        elif self.stat(archive_path) is None:
            self._served.send_receipt(archive_path, content)
        elif self.read_receipt(archive_path) != content:
            raise ArchiveConflict(f"Other bytes stand as {archive_path} in the archive; nothing was overwritten.")

    def read_receipt(self, archive_path: PurePosixPath) -> bytes:
        """Read a small file."""
        return self._seen().read_receipt(archive_path)

    def receipts(self, folder: PurePosixPath) -> list[PurePosixPath]:
        """Archive paths of the receipts (``*.json``) in a folder, in order of name."""
        return self._seen().receipts(folder)

    def sizes(self, items: Sequence[Item]) -> dict[PurePosixPath, int]:
        """Sizes of those that stand in the archive; a folder's is -1."""
        found: dict[PurePosixPath, int] = {}
        for folder in sorted({item.archive_path.parent for item in items}):
            for name, is_folder, size in self.client.entries(self.settings.destination, folder):
                found[folder / name] = -1 if is_folder else size
        return found

    def conflict(self, item: Item, size: int | None) -> ArchiveConflict | None:
        """Say why what stands under an item's name is not the item, or nothing where it is."""
        found = f"{size} bytes" if size is not None and size >= 0 else "a folder"
        if size == item.size:
            with asking(f"conflict with {item.sha256}"):
                held = self.read_back_sha256(item.archive_path)
            if (held.sha256, held.size) == (item.sha256, item.size):
                return None
            found = f"{held.size} bytes of sha256 {held.sha256}"
        return ArchiveConflict(
            f"The archive holds {found} as {item.archive_path}, and was given {item.size} bytes of sha256 {item.sha256} "
            "under that name; nothing was overwritten."
        )

    def name_all(self, named: Sequence[tuple[PurePosixPath, Item]]) -> list[ArchiveConflict | None]:
        """Give staged files their final names, durably; for each whose name is taken, why it has none."""
        writable = self._writable()

        def name(pair: tuple[PurePosixPath, Item]) -> ArchiveConflict | None:
            staged, item = pair
            try:
                if writable is None or not writable.name_it(staged, safe(item.archive_path), item.size):
                    self._served.name_it(staged, item.archive_path, item.size)
            except ArchiveConflict as error:
                return error
            return None

        # each thread would ask Globus for a token of its own
        return list(map(name, named)) if writable is None else list(each_in_parallel(name, named))

    def make_durable(self, items: Sequence[Item]) -> None:
        """Make the names of those that stand there durable, where that is in our hands."""
        writable = self._writable()
        if writable is not None:
            writable.make_durable({item.archive_path.parent for item in items})

    def clear(self, folder: PurePosixPath, names: Sequence[str]) -> None:
        """Clear away what a task that has ended left under names of its own; what cannot be is left and logged."""
        try:
            writable = self._writable()
            if writable is None:
                self.client.remove_folder(self.settings.destination, folder)
            else:
                writable.clear(folder, names)
        except (MapAssetsError, OSError) as error:
            _LOG.warning("%s in the archive could not be cleared away: %s", folder, error)

    def room(self) -> str:
        """Say how much room is left, where that can be seen."""
        return (
            "" if self._mounted is None else f" {self._mounted.n_free_bytes()} bytes are free at {self._mounted.root}."
        )

    # -- inside --------------------------------------------------------------------------------------------------------
    def _seen(self) -> MountedArchive | ServedArchive:
        if self._mounted is None:
            return self._served
        self._mounted.must_be_mounted()
        return self._mounted

    def _writable(self) -> MountedArchive | None:
        if self._mounted is None or not self.settings.destination.is_mount_writable:
            return None
        self._mounted.must_be_mounted()
        return self._mounted
