"""A store in a bucket or on a web server, read through copies on this machine. How each is asked lives in `objects`.

A file is fetched whole when it is first needed and once for each version of it; a question about one session fetches
that session's files only. What there is is looked at again when the last look is older than `FRESH_S`.
"""

from __future__ import annotations

import os
import tempfile
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from threading import Lock
from typing import Final

from map_assets.analyst.objects import Objects
from map_assets.analyst.source import WrittenVersion, version_of
from map_assets.vocabulary.errors import NoSuchTable

FRESH_S: Final = 30.0
_AT_A_TIME: Final = 16


class RemoteSource:
    """A store elsewhere.

    Parameters
    ----------
    objects : Objects
    cache : pathlib.Path, optional
        Folder for the copies, kept; by default one of this process, which is removed with it.
    clock : callable, optional
        Seconds; for tests.
    """

    def __init__(
        self, objects: Objects, cache: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._objects, self._clock = objects, clock
        if cache is None:
            cache = Path(tempfile.mkdtemp(prefix="map_assets_"))
            weakref.finalize(self, rmtree, cache, ignore_errors=True)
        self._cache = cache.absolute() / sha256(objects.location.encode()).hexdigest()[:16]
        self._listed: dict[str, tuple[float, dict[str, str | None]]] = {}
        self._copies: dict[str, tuple[float, str, Path]] = {}
        self._lock = Lock()

    @property
    def location(self) -> str:
        """Its URL."""
        return self._objects.location

    @property
    def readable(self) -> tuple[Path, ...]:
        """The copies."""
        return (self._cache,)

    def sessions(self, table: str) -> list[str]:
        """See `Source`."""
        names = (path.rpartition("/")[2] for path in self._listing(f"tables/{table}"))
        return sorted(name.removesuffix(".parquet") for name in names if _is_table(name))

    def history(self, kind: str, suffix: str, session: str | None = None) -> dict[str, list[WrittenVersion]]:
        """See `Source`."""
        folder = f"history/{kind}" if session is None else f"history/{kind}/{session}"
        found: dict[str, list[WrittenVersion]] = {}
        for path in sorted(self._listing(folder)):
            if path.endswith(suffix) and not path.rpartition("/")[2].startswith("."):
                found.setdefault(path.split("/")[2], []).append(version_of(path))
        return found

    def paths(self, relpaths: Sequence[str]) -> list[Path]:
        """See `Source`; what is not on this machine yet is fetched.

        Raises
        ------
        NoSuchTable
            If one has been removed meanwhile.
        """
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            found = list(pool.map(self._copy, relpaths))
        for relpath, path in zip(relpaths, found, strict=True):
            if path is None:
                raise NoSuchTable(f"The file {relpath} is not in {self.location} any more; ask again.")
        return [path for path in found if path is not None]

    def file(self, relpath: str) -> Path | None:
        """See `Source`."""
        return self._copy(relpath)

    def _listing(self, folder: str) -> dict[str, str | None]:
        """Paths under a folder with what tells their versions apart, as of at most `FRESH_S` ago."""
        with self._lock:
            found = self._listed.get(folder)
        if found is None or self._clock() - found[0] > FRESH_S:
            found = self._clock(), self._objects.listing(folder)
            with self._lock:
                self._listed[folder] = found
        return found[1]

    def _copy(self, relpath: str) -> Path | None:
        """Fetch a file unless this version of it is here."""
        mark = self._mark(relpath) if self._objects.tells_versions else None
        with self._lock:
            known = self._copies.get(relpath)
        if known is not None and not known[2].is_file():
            known = None
        if known is not None and (mark == known[1] or (mark is None and self._clock() - known[0] <= FRESH_S)):
            return known[2]
        path = None if mark is None else self._place(relpath, mark)
        if mark is None or path is None or not path.is_file():
            fetched = self._objects.fetch(relpath, None if known is None else known[1])
            if fetched is None:
                return None
            content, told = fetched
            mark = mark or told
            path = self._place(relpath, mark)
            if content is not None:
                _write(path, content)
        with self._lock:
            self._copies[relpath] = (self._clock(), mark, path)
        return path

    def _mark(self, relpath: str) -> str | None:
        """The version of a file, by a listing that is fresh, of its folder or of the one above."""
        folder = relpath.rpartition("/")[0]
        for listed in (folder, folder.rpartition("/")[0]):
            with self._lock:
                found = self._listed.get(listed)
            if found is not None and self._clock() - found[0] <= FRESH_S:
                return found[1].get(relpath)
        return self._listing(folder).get(relpath)

    def _place(self, relpath: str, mark: str) -> Path:
        return self._cache / sha256(mark.encode()).hexdigest()[:16] / relpath


def _is_table(name: str) -> bool:
    return name.endswith(".parquet") and not name.startswith(".")


def _write(path: Path, content: bytes) -> None:
    """Put a copy there whole: another process may look at the same cache."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
