"""The analyst's door with a namespace in it: `open_private`, and the narrow door that a grafted analysis is handed. The wide one lives in `analyst`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from map_assets.analyst.errors import NoFigure
from map_assets.analyst.lab import Lab
from map_assets.analyst.session import Figure, LabSession
from map_assets.analyst.source import FolderSource, WrittenVersion
from map_assets.analyst.sql import Desk
from map_assets.analyst.standing import Standing
from map_assets.graft.namespace import private_root
from map_assets.vocabulary.errors import MapAssetsError, NoSuchTable

if TYPE_CHECKING:
    from map_assets.analyst.frame import Frame
    from map_assets.graft.declare import Graft
    from map_assets.vocabulary.table import Table


class NotDeclared(MapAssetsError):
    """A grafted analysis read what it does not declare, so that nobody would know when its result is stale."""


class NoSuchNamespace(MapAssetsError):
    """Nothing was made under that name yet."""


class PrivateSource:
    """The shared store's files with a namespace's over them; see `map_assets.analyst.source.Source`.

    Parameters
    ----------
    shared : FolderSource
    private : FolderSource
    own : frozenset of str
        Tables that are the namespace's.
    """

    def __init__(self, shared: FolderSource, private: FolderSource, own: frozenset[str]) -> None:
        self.shared, self.private, self.own = shared, private, own

    @property
    def location(self) -> str:
        """Both folders."""
        return f"{self.shared.location} with {self.private.location}"

    @property
    def readable(self) -> tuple[Path, ...]:
        """The tables of both."""
        return (*self.shared.readable, *self.private.readable)

    def sessions(self, table: str) -> list[str]:
        """See `Source`."""
        return self._of(table).sessions(table)

    def history(self, kind: str, suffix: str, session: str | None = None) -> dict[str, list[WrittenVersion]]:
        """See `Source`."""
        return self._of(kind).history(kind, suffix, session)

    def paths(self, relpaths: Sequence[str]) -> list[Path]:
        """See `Source`."""
        return [self._of(_kind(relpath)).paths([relpath])[0] for relpath in relpaths]

    def file(self, relpath: str) -> Path | None:
        """See `Source`."""
        return self._of(_kind(relpath)).file(relpath)

    def _of(self, kind: str) -> FolderSource:
        return self.private if kind in self.own else self.shared


class DeclaredSource(FolderSource):
    """A store of which one session's declared tables can be read, and nothing else.

    Parameters
    ----------
    root : pathlib.Path
    session : str
    graft : Graft
    """

    def __init__(self, root: Path, session: str, graft: Graft) -> None:
        super().__init__(root)
        self._session, self._graft = session, graft

    def paths(self, relpaths: Sequence[str]) -> list[Path]:
        """See `Source`.

        Raises
        ------
        NotDeclared
            If a table is not declared, or is another session's.
        """
        graft = self._graft
        for relpath in relpaths:
            table, session = _kind(relpath), PurePosixPath(relpath).stem
            if table not in (*graft.reads, *graft.may_read, *graft.lab_reads):
                raise NotDeclared(f"{graft.name} read the table {table}; add it to its `reads` or `may_read`.")
            if session != self._session and table not in graft.lab_reads:
                raise NotDeclared(f"{graft.name} read {table} of {session} while it was asked for {self._session}.")
        return super().paths(relpaths)


class _PrivateStanding(Standing):
    """Knows the declarations of grafted tables too."""

    @cached_property
    def grafted(self) -> Mapping[str, Table]:
        """Grafted tables of the namespace, as their own files declare them."""
        from map_assets.graft.recorded import declared_under

        assert isinstance(self.source, PrivateSource)
        return declared_under(self.source.private.root)

    def declared(self, table: str) -> Table:
        return self.grafted[table] if table in self.grafted else super().declared(table)


class PrivateLab(Lab):
    """A laboratory with a namespace in it: `Lab`, and the namespace's tables and figures."""

    _standing: _PrivateStanding

    def __init__(self, standing: _PrivateStanding) -> None:
        super().__init__(standing)
        self._desk = Desk(standing, {name: partial(standing.read, name) for name in standing.grafted})

    def session(self, key: str) -> PrivateSession:
        """One session, with the namespace's tables and figures."""
        return PrivateSession(self, self._standing, self._standing.known(key))

    def tables(self) -> Frame:
        """Every table there can be, the namespace's last."""
        import pyarrow as pa

        own = self._standing.grafted.values()
        rows: dict[str, list[Any]] = {
            "table": [table.name for table in own],
            "meaning": [table.meaning for table in own],
            "key": [", ".join(table.key) for table in own],
            "n_sessions": [len(self._standing.having(table.name)) for table in own],
        }
        shared = super().tables().arrow()
        return self._frame(pa.concat_tables([shared, pa.table(rows, shared.schema)]))


class PrivateSession(LabSession):
    """One session, with a namespace's tables and figures."""

    _standing: _PrivateStanding

    def tables(self) -> list[str]:
        """Names of the tables that the session has, the namespace's last."""
        own = [name for name in self._standing.grafted if self.key in self._standing.having(name)]
        return [*super().tables(), *own]

    def figure(self, name: str) -> Figure:
        """A figure of the session; of a grafted analysis by the analysis' name too.

        Raises
        ------
        NoSuchTable, NoFigure
            As in `LabSession.figure`.
        """
        grafted = self._standing.grafted
        found = next((one for one in (name, f"{name}_figure") if one in grafted and one.endswith("_figure")), None)
        if found is None:
            return super().figure(name)
        (row,) = self._standing.read(found, self.key).to_pylist()
        if row["png_file"] is None:
            raise NoFigure(f"The figure {found} of session {self.key} is not applicable: {row['reason']}")
        png = self._standing.file(row["png_file"]).read_bytes()
        return Figure(found, self.key, png, self._standing.file(row["svg_file"]))


def open_private(namespace: str, where: str | Path | None = None, *, as_of: datetime | str | None = None) -> PrivateLab:
    """Open a laboratory together with what a namespace's analyses made; reads only.

    Parameters
    ----------
    namespace : str
    where, as_of : optional
        As in `map_assets.analyst.open_lab`; a folder or a configuration, no bucket.

    Raises
    ------
    NoSuchNamespace
        If the namespace holds nothing.
    NoSuchTable
        If the store is not a folder.

    Examples
    --------
    >>> lab = open_private("susu")                                      # doctest: +SKIP
    >>> lab.table("go_modulation")                                      # doctest: +SKIP
    """
    found = Standing.find(where, as_of)
    if not isinstance(found.source, FolderSource):
        raise NoSuchTable(f"{found.source.location} is no folder; namespaces are read from the store's own folder.")
    root = private_root(found.source.root, namespace)
    if not (root / "tables").is_dir():
        there = sorted(path.name for path in root.parent.iterdir()) if root.parent.is_dir() else []
        raise NoSuchNamespace(
            f"Nothing was made under the name {namespace} yet ({', '.join(there) or 'no namespace'} in {root.parent}); "
            "`map-assets graft run` makes it."
        )
    from map_assets.graft.recorded import declared_under

    source = PrivateSource(found.source, FolderSource(root), frozenset(declared_under(root)))
    return PrivateLab(_PrivateStanding(source, found.as_of, found.configuration))


def open_declared(root: Path, session: str, graft: Graft) -> LabSession:
    """Open one session for a grafted analysis: it sees the tables that it declares.

    Raises
    ------
    NoSuchSession
        If there is no such session.
    """
    return Lab(Standing(DeclaredSource(root, session, graft))).session(session)


def _kind(relpath: str) -> str:
    """Name of the table or kind of file that a path under a store's root is of."""
    parts = PurePosixPath(relpath).parts
    return parts[1] if len(parts) > 2 else ""
