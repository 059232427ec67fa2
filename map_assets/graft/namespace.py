"""A namespace of the store: where grafted analyses write, seeing the shared tables and never touching them. Promotion lives in `promotion`.

::

    {root}/private/{namespace}/tables|files|history     laid out as the store itself (see `store`)
    {root}/private/{namespace}/ledger.db                how its analyses ended
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from map_assets.store import Store, Version
from map_assets.vocabulary.errors import MapAssetsError
from map_assets.vocabulary.table import Table


class NotInThisNamespace(MapAssetsError):
    """A grafted analysis would write what is not its own."""


def private_root(root: Path, namespace: str) -> Path:
    """Folder of a namespace under a store's root."""
    return root / "private" / namespace


class PrivateStore(Store):
    """The shared store with a namespace over it: its own tables are read and written there, all others are only read.

    Parameters
    ----------
    shared : Store
    namespace : str
    own : iterable of str
        Names of the namespace's tables; figures hang under the same names.
    """

    def __init__(self, shared: Store, namespace: str, own: Iterable[str]) -> None:
        super().__init__(private_root(shared.root, namespace))
        self.shared = shared
        self.namespace = namespace
        self.own = frozenset(own)

    def table_path(self, table: str, session: str) -> Path:
        """Where a table stands: the namespace's own there, any other in the shared store."""
        return super().table_path(table, session) if table in self.own else self.shared.table_path(table, session)

    def file_path(self, kind: str, session: str, suffix: str) -> Path:
        """Where a file stands; see `table_path`."""
        mine = kind in self.own
        return super().file_path(kind, session, suffix) if mine else self.shared.file_path(kind, session, suffix)

    def sessions(self, table: str = "sessions") -> list[str]:
        """Keys of all sessions that have the table."""
        return super().sessions(table) if table in self.own else self.shared.sessions(table)

    def tables(self) -> list[str]:
        """Names of the tables of which anything stands, here or in the shared store."""
        return sorted({*super().tables(), *self.shared.tables()})

    def history(self, kind: str, session: str, suffix: str = ".parquet") -> list[tuple[datetime, str, Path]]:
        """Every version of a table or file."""
        mine = kind in self.own
        return super().history(kind, session, suffix) if mine else self.shared.history(kind, session, suffix)

    def write(self, table: Table, session: str, data: pa.Table) -> Version:
        """Write one of the namespace's own tables.

        Raises
        ------
        NotInThisNamespace
            If it is a shared one.
        """
        self._must_own(table.name)
        return super().write(table, session, data)

    def write_file(self, kind: str, session: str, suffix: str, write: Callable[[Path], None]) -> Version:
        """Write one of the namespace's own files; see `write`."""
        self._must_own(kind)
        return super().write_file(kind, session, suffix, write)

    def _must_own(self, name: str) -> None:
        if name not in self.own:
            raise NotInThisNamespace(
                f"{name} is no table of the namespace {self.namespace} ({', '.join(sorted(self.own))}); "
                "grafted analyses write nothing that is shared."
            )
