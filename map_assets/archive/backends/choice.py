"""The known backends and how one is opened by its name in the configuration. A new one is a module and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from map_assets.archive.backends.marker import Known
from map_assets.archive.backends.protocol import ArchiveBackend
from map_assets.vocabulary.errors import BadConfiguration

if TYPE_CHECKING:
    from map_assets.archive.backends.globus_settings import GlobusSettings
    from map_assets.archive.backends.s3_settings import S3Settings

_Settings = TypeVar("_Settings")


def open_backend(
    name: str,
    root: Path,
    *,
    s3: S3Settings | None = None,
    globus: GlobusSettings | None = None,
    known: Known | None = None,
) -> ArchiveBackend:
    """Open an archive backend; nothing is asked of it yet.

    Parameters
    ----------
    name : str
        ``folder``, ``s3`` or ``globus``.
    root : pathlib.Path
        Root of an archive in a folder.
    s3, globus
        Settings of the others; only those of the named one are needed.
    known : Known, optional
        What the lab's database knows of archives; see `marker`.

    Raises
    ------
    BadConfiguration
        If there is no backend of that name, or its settings are not there.
    """

    def folder() -> ArchiveBackend:
        from map_assets.archive.backends.folder import FolderArchive

        return FolderArchive(root, known=known)

    def bucket() -> ArchiveBackend:
        from map_assets.archive.backends.s3 import S3Archive

        return S3Archive(_given(s3, name))

    def service() -> ArchiveBackend:
        from map_assets.archive.backends.globus import GlobusArchive

        return GlobusArchive(_given(globus, name))

    openers: dict[str, Callable[[], ArchiveBackend]] = {"folder": folder, "s3": bucket, "globus": service}
    if name not in openers:
        raise BadConfiguration(f"[archive] backend = {name!r} is not known; expected one of {', '.join(openers)}.")
    return openers[name]()


def refuse_overlap(root: Path, shares: Mapping[str, Path]) -> None:
    """Refuse an archive in a share, or a share in the archive: it would archive itself, or removal would reach it.

    Parameters
    ----------
    root : pathlib.Path
        Root of an archive in a folder, or where an archive is mounted.
    shares : mapping of str to pathlib.Path
        Root of each share, by its name. Links are followed.

    Raises
    ------
    BadConfiguration
    """
    real_root = root.resolve()
    for name, share in shares.items():
        real_share = share.resolve()
        if real_root.is_relative_to(real_share) or real_share.is_relative_to(real_root):
            raise BadConfiguration(
                f"The archive {root} and the share {name!r} at {share} lie in one another. Give the archive a folder "
                "outside every share."
            )


def _given(settings: _Settings | None, name: str) -> _Settings:
    if settings is None:
        raise BadConfiguration(f"[archive] backend = {name!r} needs a section [archive.{name}], which is not there.")
    return settings
