"""Where a store's files come from: `Source`, and a folder as one. Stores in a bucket or on a web server live in `remote`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from map_assets.vocabulary.files import inside

if TYPE_CHECKING:
    from map_assets.store import Store

_SUFFIX: Final = ".parquet"

WrittenVersion = tuple[datetime, str, str]
"""When a version was written, the first 16 hex digits of its sha256, its path under the store's root."""


class Source(Protocol):
    """A store as it is read; nothing is ever written to it."""

    @property
    def location(self) -> str:
        """Where it is, for a sentence."""
        ...

    @property
    def readable(self) -> tuple[Path, ...]:
        """Folders of this machine under which every file that `paths` gives lies."""
        ...

    def sessions(self, table: str) -> list[str]:
        """Keys of the sessions that have a table now, in order."""
        ...

    def history(self, kind: str, suffix: str, session: str | None = None) -> dict[str, list[WrittenVersion]]:
        """Every version of a table or file, oldest first, by session key in order; of one session only where it is named."""
        ...

    def paths(self, relpaths: Sequence[str]) -> list[Path]:
        """Where tables, of which `sessions` or `history` told, can be read on this machine."""
        ...

    def file(self, relpath: str) -> Path | None:
        """Where any file under the store's root can be read on this machine; None where there is none."""
        ...


class FolderSource:
    """A store in a folder.

    Parameters
    ----------
    root : pathlib.Path
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def location(self) -> str:
        """The folder."""
        return str(self.root)

    @cached_property
    def readable(self) -> tuple[Path, ...]:
        """Its tables, and their earlier versions."""
        return self.root.absolute() / "tables", self.root.absolute() / "history"

    @cached_property
    def _store(self) -> Store:
        from map_assets.store import Store

        return Store(self.root)

    def sessions(self, table: str) -> list[str]:
        """See `Source`."""
        folder = self.root / "tables" / table
        names = os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208 - thousands of names, at every question
        return sorted(name[: -len(_SUFFIX)] for name in names if name.endswith(_SUFFIX) and not name.startswith("."))

    def history(self, kind: str, suffix: str, session: str | None = None) -> dict[str, list[WrittenVersion]]:
        """See `Source`."""
        folder = self.root / "history" / kind
        sessions = (
            [session] if session is not None else sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
        )
        versions = {key: self._store.history(kind, key, suffix) for key in sessions}
        return {
            key: [(written, sha256, path.relative_to(self.root).as_posix()) for written, sha256, path in found]
            for key, found in versions.items()
            if found
        }

    def paths(self, relpaths: Sequence[str]) -> list[Path]:
        """See `Source`."""
        root = self.root.absolute()
        return [root / relpath for relpath in relpaths]

    def file(self, relpath: str) -> Path | None:
        """See `Source`.

        Raises
        ------
        UnsafePath
            If it leaves the store.
        """
        path = inside(self.root.absolute(), Path(relpath))
        return path if path.is_file() else None


def table_path(table: str, session: str) -> str:
    """Path of a session's table under a store's root."""
    return f"tables/{table}/{session}.parquet"


def version_of(relpath: str) -> WrittenVersion:
    """Read a version's instant and hash from its name in the history (see `store`)."""
    instant, _, rest = relpath.rpartition("/")[2].partition("-")
    written = datetime.strptime(instant, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
    return written, rest[:16], relpath
