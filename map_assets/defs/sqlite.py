"""Dagster's SQLite storage with one engine a database file, in place of a new one a statement.

Dagster makes a SQLAlchemy engine for every access, and with it loses the compiled statements: a session's run writes
some 300 events, and a third of its time went there. Connections are still opened and closed as Dagster does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

_BUSY_S = 30
_MOST_ENGINES = 16
"""Each run has a database of its own: a process that sees many keeps the engines of the latest."""


class _Engines:
    """Engines by database, the latest used last."""

    def __init__(self) -> None:
        self._engines: dict[str, Engine] = {}

    def engine(self, address: str) -> Engine:
        """Return the engine of a database; a new one for the first time."""
        engine = self._engines.pop(address, None)
        if engine is None:
            engine = create_engine(address, poolclass=NullPool, connect_args={"timeout": _BUSY_S})
        self._engines[address] = engine
        while len(self._engines) > _MOST_ENGINES:
            self._engines.pop(next(iter(self._engines))).dispose()
        return engine


class OneEngineEventLog(SqliteEventLogStorage):
    """Dagster's event log, with one engine for each of its databases."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._one_engine = _Engines()
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._one_engine.engine(self.conn_string_for_shard(shard))
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection


class OneEngineRunStorage(SqliteRunStorage):
    """Dagster's run storage, with one engine."""

    def __init__(self, conn_string: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._one_engine = _Engines()
        super().__init__(conn_string, inst_data)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Open a connection in a transaction."""
        with self._one_engine.engine(self._conn_string).connect() as connection, connection.begin():
            yield connection


class OneEngineSqliteStorage(DagsterSqliteStorage):
    """What ``dagster.yaml`` names under ``storage``: Dagster's SQLite storage, made of the two above."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        history = f"{base_dir}/history/"
        self._run_storage = OneEngineRunStorage.from_local(history)
        self._event_log_storage = OneEngineEventLog(f"{history}runs/")

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> OneEngineSqliteStorage:
        """Make the storage from the block in ``dagster.yaml``."""
        return cls.from_local(inst_data=inst_data, **config_value)
