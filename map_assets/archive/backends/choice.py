"""The known backends and how one is opened by its name in the configuration. A new one is a module and a line here."""

from __future__ import annotations

from pathlib import Path

from map_assets.archive.backends.folder import FolderArchive
from map_assets.archive.backends.protocol import ArchiveBackend
from map_assets.vocabulary.errors import BadConfiguration


def open_backend(name: str, root: Path) -> ArchiveBackend:
    """Open an archive backend.

    Parameters
    ----------
    name : str
        ``folder``.
    root : pathlib.Path
        Root of the archive.

    Raises
    ------
    BadConfiguration
        If there is no backend of that name.
    """
    known: tuple[ArchiveBackend, ...] = (FolderArchive(root),)
    for backend in known:
        if backend.name == name:
            return backend
    raise BadConfiguration(
        f"[archive] backend = {name!r} is not known; expected one of {', '.join(backend.name for backend in known)}."
    )
