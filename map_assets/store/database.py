"""How the lab's database is opened: SQLite or PostgreSQL, many processes at once. What is in it lives with `shares` and `lab`."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, Table, create_engine, event, insert, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from map_assets.vocabulary.errors import BadConfiguration
from map_assets.vocabulary.url import masked_url

_BUSY_S = 30
_CREATE_LOCK = 7_236_418


def open_engine(url: str, tables: MetaData, counter: Table | None = None, *, is_durable: bool = True) -> Engine:
    """Open the database and make the tables that are not there yet.

    Parameters
    ----------
    url : str
        ``sqlite:///file`` (parent folders are made) or ``postgresql://...``.
    tables : sqlalchemy.MetaData
    counter : sqlalchemy.Table, optional
        The one of them with one row, ``(1, value)``, which is made too.
    is_durable : bool
        Whether a power cut may cost nothing; without it SQLite may lose its last transactions, never the file. For what
        is found again by looking.

    Raises
    ------
    BadConfiguration
        If the URL is of neither kind, or the database cannot be opened.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise BadConfiguration(
            "What the configuration names is no database URL; expected sqlite:///file or postgresql://..."
        ) from error
    kind = parsed.get_backend_name()
    if kind not in {"sqlite", "postgresql"} or (kind == "sqlite" and parsed.database in {None, "", ":memory:"}):
        raise BadConfiguration(f"{masked_url(url)} is no database of ours; expected sqlite:///file or postgresql://...")
    try:
        if kind == "sqlite":
            Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(parsed, connect_args={"timeout": _BUSY_S})
            event.listen(engine, "connect", partial(_prepare_sqlite, synchronous="FULL" if is_durable else "NORMAL"))
            event.listen(engine, "begin", _begin_sqlite)
        else:
            engine = create_engine(parsed, pool_pre_ping=True)
        with engine.begin() as connection:
            if kind == "postgresql":
                connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _CREATE_LOCK})
            tables.create_all(connection)
            if counter is not None and connection.scalar(select(counter.c.value)) is None:
                connection.execute(insert(counter).values(one=1, value=0))
    except (DBAPIError, OSError) as error:
        raise BadConfiguration(f"The database {masked_url(url)} cannot be opened: {_said(error)}.") from error
    return engine


def _prepare_sqlite(connection: Any, _: Any, *, synchronous: str) -> None:
    """Leave transactions to us, and let readers and writers work side by side."""
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_S * 1000}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    deadline = time.monotonic() + _BUSY_S
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except (
            connection.OperationalError
        ):  # another process is opening it at this moment; the busy timeout does not cover this
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at the start of a writing transaction, so that none fails half-way."""
    is_reading = connection.get_execution_options().get("is_reading", False)
    connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")


def _said(error: Exception) -> str:
    """What the database itself said, in one line."""
    return " ".join(str(getattr(error, "orig", None) or error).split())
