"""What stands in the store, or stood at an instant: which tables of which sessions, and which files. Questions live in `lab`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from map_assets.analyst.errors import NoSuchColumn, NoSuchSession, near
from map_assets.analyst.source import FolderSource, Source, table_path
from map_assets.vocabulary.errors import BadConfiguration, NoSuchTable, UnsafePath

if TYPE_CHECKING:
    import pyarrow as pa

    from map_assets.config import Config
    from map_assets.vocabulary.table import Table


@dataclass(frozen=True)
class Standing:
    """A store seen at one instant.

    Parameters
    ----------
    source : Source
        Where its files come from.
    as_of : datetime.datetime or None
        None is now, anew at every question.
    configuration : callable
        The configuration that names the store, read when it is first asked for; None where none does.
    """

    source: Source
    as_of: datetime | None = None
    configuration: Callable[[], Config | None] = lambda: None

    @classmethod
    def find(cls, where: str | Path | None, as_of: datetime | str | None, cache: Path | None = None) -> Standing:
        """Find the store that `where` names; see `map_assets.analyst.open_lab`."""
        instant = _instant(as_of)
        if where is not None and "://" in str(where):
            from map_assets.analyst.objects import open_objects
            from map_assets.analyst.remote import RemoteSource

            return cls(RemoteSource(open_objects(str(where)), cache), instant)
        root, config = _root(where)
        return cls(FolderSource(root), instant, (lambda: config) if config is not None else partial(_naming, root))

    def database(self) -> str | None:
        """URL of the lab's database, with the registry and the ledger; None where only the store is known."""
        config = self.configuration()
        return None if config is None else config.registry.url

    def declared(self, table: str) -> Table:
        """Return the declaration of a table of the catalog.

        Raises
        ------
        NoSuchTable
            If there is no table of that name.
        """
        from map_assets.catalog import BY_NAME

        if table not in BY_NAME:
            raise NoSuchTable(f"There is no table {table!r}{near(table, BY_NAME)}; lab.tables() lists all.")
        return BY_NAME[table]

    def having(self, table: str) -> list[str]:
        """Keys of the sessions that have a table, in order."""
        if self.as_of is None:
            return self.source.sessions(table)
        return list(self._then(table))

    def paths(self, table: str, sessions: Iterable[str] | None = None) -> dict[str, Path]:
        """Parquet files of a table, by session key, in order; of all sessions that have it, or of those among `sessions`."""
        if self.as_of is None:
            standing = {key: table_path(table, key) for key in self.source.sessions(table)}
        else:
            standing = self._then(table)
        if sessions is not None:
            standing = {key: standing[key] for key in sessions if key in standing}
        return dict(zip(standing, self.source.paths(list(standing.values())), strict=True))

    def versions(self, table: str, session: str) -> list[tuple[datetime, str]]:
        """When each version of a session's table was written, with its hash, oldest first, up to the instant."""
        found = self.source.history(table, ".parquet", session).get(session, [])
        return [(written, sha256) for written, sha256, _ in found if self.as_of is None or written <= self.as_of]

    def sessions(self) -> list[str]:
        """Keys of all sessions, in order."""
        return self.having("sessions")

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
                f"No session {session!r} among the {len(sessions)} in {self.source.location}{near(session, sessions)}."
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
        import pyarrow as pa

        declared = self.declared(table)
        if session is not None:
            if "session" not in declared.schema.names:
                raise NoSuchTable(f"Table {table} is the whole lab's, not a session's; leave the session out.")
            wanted = [session] if isinstance(session, str) else list(session)
            paths = self.paths(table, wanted)
            self.must_have(table, [key for key in wanted if key not in paths])
        else:
            paths = self.paths(table)
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
        parts = PurePosixPath(relpath).parts
        if PurePosixPath(relpath).is_absolute() or ".." in parts:
            raise UnsafePath(
                relpath,
                "it is absolute or leaves the store",
                expected="a path under the store",
                todo="Materialize it again.",
            )
        if self.as_of is not None and len(parts) == 3 and parts[0] == "files":
            suffix = PurePosixPath(relpath).suffix
            path = self._version(parts[1], parts[2].removesuffix(suffix), suffix, sha256)
        else:
            path = self.source.file(relpath)
        if path is None:
            raise NoSuchTable(f"The file {relpath} is not in {self.source.location}; materialize its asset again.")
        return path

    def must_have(self, table: str, missing: Sequence[str]) -> None:
        """Say which session lacks a table, if one does.

        Raises
        ------
        NoSuchSession, NoSuchTable
        """
        for session in missing:
            if table != "sessions":
                self.known(session)
            raise NoSuchTable(
                f"Session {session} has no table {table}{'' if self.as_of is None else f' as of {self.as_of}'}; "
                "it is made once its inputs are there."
            )

    def _then(self, table: str) -> dict[str, str]:
        """Paths of the versions that stood at the instant, by session."""
        assert self.as_of is not None
        found = {
            key: [path for written, _, path in versions if written <= self.as_of]
            for key, versions in self.source.history(table, ".parquet").items()
        }
        return {key: paths[-1] for key, paths in found.items() if paths}

    def _version(self, kind: str, session: str, suffix: str, sha256: str | None = None) -> Path | None:
        """Return the last version of that suffix written until the instant, or the one of that hash."""
        found = [
            (version, path)
            for written, version, path in self.source.history(kind, suffix, session).get(session, [])
            if self.as_of is None or written <= self.as_of
        ]
        if sha256 is not None:
            found = [(version, path) for version, path in found if version == sha256[:16]]
        return self.source.file(found[-1][1]) if found else None


def _read(path: Path, columns: Sequence[str] | None) -> pa.Table:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        present = set(file.schema_arrow.names)
        return file.read(columns=None if columns is None else [name for name in columns if name in present])


def _root(where: str | Path | None) -> tuple[Path, Config | None]:
    """Find the store's folder, and the configuration that names it, where there is one."""
    path = None if where is None else Path(where).expanduser()
    if path is not None and (path / "tables").is_dir():
        return path, None
    from map_assets.config import load_config

    if path is None:
        return _configured(load_config())
    if path.is_file():
        return _configured(load_config(path))
    for file in (path / "map_assets.toml", path / "data" / "map_assets.toml"):
        if file.is_file():
            return _configured(load_config(file))
    raise BadConfiguration(
        f"{path} is no store (there is no folder tables in it) and no lab (there is no map_assets.toml in it)."
    )


def _naming(root: Path) -> Config | None:
    """The configuration of the folder that a store stands in, or of one above, if it is this store that it names."""
    from map_assets.config import load_config

    for folder in list(root.absolute().parents)[:3]:
        file = folder / "map_assets.toml"
        if file.is_file():
            config = load_config(file)
            return config if config.store.root.resolve() == root.resolve() else None
    return None


def _configured(config: Config) -> tuple[Path, Config]:
    return config.store.root, config


def _instant(as_of: datetime | str | None) -> datetime | None:
    if as_of is None:
        return None
    try:
        instant = datetime.fromisoformat(as_of) if isinstance(as_of, str) else as_of
    except ValueError as error:
        raise BadConfiguration(f"as_of={as_of!r} is no instant; expected one as in 2026-03-01T12:00+00:00.") from error
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
