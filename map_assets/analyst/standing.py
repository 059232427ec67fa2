"""What stands in the store, or stood at an instant: which tables of which sessions, and which files. Questions live in `lab`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from map_assets.analyst.errors import NoSuchColumn, NoSuchSession, near
from map_assets.catalog import BY_NAME
from map_assets.config import load_config
from map_assets.store import Store
from map_assets.vocabulary.errors import BadConfiguration, NoSuchTable, UnsafePath
from map_assets.vocabulary.files import inside
from map_assets.vocabulary.table import Table


@dataclass(frozen=True)
class Standing:
    """A store seen at one instant.

    Parameters
    ----------
    store : Store
    as_of : datetime.datetime or None
        None is now, anew at every question.
    """

    store: Store
    as_of: datetime | None = None

    @classmethod
    def find(cls, where: str | Path | None, as_of: datetime | str | None) -> Standing:
        """Find the store that `where` names; see `map_assets.analyst.open_lab`."""
        return cls(Store(_root(where)), _instant(as_of))

    def declared(self, table: str) -> Table:
        """Return the declaration of a table of the catalog.

        Raises
        ------
        NoSuchTable
            If there is no table of that name.
        """
        if table not in BY_NAME:
            raise NoSuchTable(f"There is no table {table!r}{near(table, BY_NAME)}; lab.tables() lists all.")
        return BY_NAME[table]

    def paths(self, table: str) -> dict[str, Path]:
        """Parquet files of a table, by session key, in order."""
        if self.as_of is None:
            return {session: self.store.table_path(table, session) for session in self.store.sessions(table)}
        folder = self.store.root / "history" / table
        sessions = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        found = {session: self._version(table, session, ".parquet") for session in sessions}
        return {session: path for session, path in found.items() if path is not None}

    def sessions(self) -> list[str]:
        """Keys of all sessions, in order."""
        return list(self.paths("sessions"))

    def known(self, session: str) -> str:
        """Return the key, if there is such a session.

        Raises
        ------
        NoSuchSession
            If there is none; keys that look like it are named.
        """
        sessions = self.sessions()
        if session not in sessions:
            raise NoSuchSession(
                f"No session {session!r} among the {len(sessions)} in {self.store.root}{near(session, sessions)}."
            )
        return session

    def read(
        self, table: str, session: str | Iterable[str] | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Read a table of one session, of some, or of all that have it (None), one after the other.

        Raises
        ------
        NoSuchTable
            If there is no such table, or a named session has none.
        NoSuchSession, NoSuchColumn
            If there is no such session or column.
        """
        declared = self.declared(table)
        paths = self.paths(table)
        if session is not None:
            if "session" not in declared.schema.names:
                raise NoSuchTable(f"Table {table} is the whole lab's, not a session's; leave the session out.")
            wanted = [session] if isinstance(session, str) else list(session)
            paths = {key: self._path(table, key, paths) for key in wanted}
        with ThreadPoolExecutor(4) as pool:
            parts = list(pool.map(lambda path: _read(path, columns), paths.values()))
        whole = (
            pa.concat_tables([declared.empty(), *parts], promote_options="permissive") if parts else declared.empty()
        )
        if columns is None:
            return whole
        for name in columns:
            if name not in whole.column_names:
                raise NoSuchColumn(
                    f"Table {table} has no column {name!r}{near(name, whole.column_names)}; "
                    f"lab.describe({table!r}) lists all."
                )
        return whole.select(list(columns))

    def file(self, relpath: str, sha256: str | None = None) -> Path:
        """Where a file that a table names under the store's root is to be read.

        Parameters
        ----------
        relpath : str
            As the table has it.
        sha256 : str, optional
            Of the wanted version, where the table tells.

        Raises
        ------
        NoSuchTable
            If it is not there (any more).
        UnsafePath
            If it leaves the store's root.
        """
        if PurePosixPath(relpath).is_absolute():
            raise UnsafePath(relpath, "it is absolute", expected="a path under the store", todo="Materialize it again.")
        path: Path | None = inside(self.store.root.absolute(), Path(relpath))
        parts = PurePosixPath(relpath).parts
        if self.as_of is not None and len(parts) == 3 and parts[0] == "files":
            suffix = PurePosixPath(relpath).suffix
            path = self._version(parts[1], parts[2].removesuffix(suffix), suffix, sha256)
        if path is None or not path.is_file():
            raise NoSuchTable(f"The file {relpath} is not in {self.store.root}; materialize its asset again.")
        return path

    def _path(self, table: str, session: str, paths: dict[str, Path]) -> Path:
        if session in paths:
            return paths[session]
        if table != "sessions":
            self.known(session)
        raise NoSuchTable(
            f"Session {session} has no table {table}{'' if self.as_of is None else f' as of {self.as_of}'}; "
            "it is made once its inputs are there."
        )

    def _version(self, kind: str, session: str, suffix: str, sha256: str | None = None) -> Path | None:
        """Return the last version of that suffix written until the instant, or the one of that hash."""
        found = [
            (version, path)
            for written, version, path in self.store.history(kind, session, suffix)
            if self.as_of is None or written <= self.as_of
        ]
        if sha256 is not None:
            found = [(version, path) for version, path in found if version == sha256[:16]]
        return found[-1][1] if found else None


def _read(path: Path, columns: Sequence[str] | None) -> pa.Table:
    with pq.ParquetFile(path) as file:
        present = set(file.schema_arrow.names)
        return file.read(columns=None if columns is None else [name for name in columns if name in present])


def _root(where: str | Path | None) -> Path:
    if where is None:
        return load_config().store.root
    if "://" in str(where):
        raise BadConfiguration(f"{where} is an object store, which this version does not open; expected a folder.")
    path = Path(where).expanduser()
    if path.is_file():
        return load_config(path).store.root
    if (path / "tables").is_dir():
        return path
    for file in (path / "map_assets.toml", path / "data" / "map_assets.toml"):
        if file.is_file():
            return load_config(file).store.root
    raise BadConfiguration(
        f"{path} is no store (there is no folder tables in it) and no lab (there is no map_assets.toml in it)."
    )


def _instant(as_of: datetime | str | None) -> datetime | None:
    if as_of is None:
        return None
    try:
        instant = datetime.fromisoformat(as_of) if isinstance(as_of, str) else as_of
    except ValueError as error:
        raise BadConfiguration(f"as_of={as_of!r} is no instant; expected one as in 2026-03-01T12:00+00:00.") from error
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
