"""Commands that look and change nothing: `status`, `sessions`, `tables` and `config`. One session and queries live in `show` and `query`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from map_assets.cli import terminal
from map_assets.cli.laboratory import configuration, ledger_if_there, services, services_of
from map_assets.vocabulary.errors import MapAssetsError

if TYPE_CHECKING:
    from map_assets.store import Store
    from map_assets.vocabulary.table import Table


def status(as_json: terminal.AsJson = False) -> None:
    """Show where every file of the shares is, and what waits, failed or is in quarantine."""
    from map_assets.cli.conservation import show_state, state_of

    config, _ = configuration()
    show_state(state_of(config, ledger_if_there(services_of(config))), as_json=as_json)


def sessions(as_json: terminal.AsJson = False) -> None:
    """List all sessions with how far each has come."""
    from map_assets.cli.conservation import failed_stages

    found = services()
    ledger = ledger_if_there(found)
    keys = sorted({*found.store.sessions(), *(() if ledger is None else ledger.sessions())})
    waits = set() if ledger is None else {row[0] for row in ledger.waits()}
    failed = set() if ledger is None else {row["session"] for row in failed_stages(ledger)}
    rows = []
    with terminal.progress("reading sessions") as bar:
        for number, key in enumerate(keys):
            rows.append(_session_row(found.store, key, key in waits, key in failed))
            bar.at(number + 1, len(keys), "reading sessions")
    terminal.show(rows, as_json=as_json, empty="No session yet: `map-assets ingest` takes in what is on the shares.")


def _session_row(store: Store, key: str, is_waiting: bool, has_failed: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if store.has("sessions", key):
        facts = store.read("sessions", key).to_pylist()[0]
    return {
        "session": key,
        **{name: facts.get(name) for name in ("subject", "start_time", "rig", "task", "n_trials")},
        "n_probes": n_rows(store, "probes", key),
        "n_units": n_rows(store, "units", key),
        "has_nwb": store.has("nwb_file", key),
        "is_archived": store.has("archive_receipt", key),
        "is_waiting": is_waiting,
        "has_failed": has_failed,
    }


def n_rows(store: Store, table: str, key: str) -> int | None:
    """Count a session's rows of a table by its footer; None where it has no such table."""
    import pyarrow.parquet as pq

    return int(pq.read_metadata(store.table_path(table, key)).num_rows) if store.has(table, key) else None


def tables(
    name: Annotated[str | None, typer.Argument(help="Only this table.")] = None,
    columns: Annotated[bool, typer.Option("--columns", help="Show each table's columns: type, unit, meaning.")] = False,
    as_json: terminal.AsJson = False,
) -> None:
    """List all tables with meaning, key and the number of sessions that have them."""
    from map_assets.catalog import BY_NAME, TABLES

    if name is not None and name not in BY_NAME:
        raise MapAssetsError(f"There is no table {name}; `map-assets tables` lists all.")
    wanted = TABLES if name is None else (BY_NAME[name],)
    if columns:
        terminal.show([row for table in wanted for row in _column_rows(table)], as_json=as_json)
        return
    store = services().store
    terminal.show([_table_row(table, store) for table in wanted], as_json=as_json)


def _table_row(table: Table, store: Store) -> dict[str, Any]:
    n_standing = len(store.sessions(table.name))
    is_of_sessions = any(column.name == "session" for column in table.columns)
    return {
        "table": table.name,
        "n_sessions": n_standing if is_of_sessions else None,
        "key": list(table.key),
        "n_columns": len(table.columns),
        "meaning": table.meaning,
    }


def _column_rows(table: Table) -> list[dict[str, Any]]:
    return [
        {
            "table": table.name,
            "column": column.name,
            "type": str(column.type),
            "unit": column.unit,
            "is_key": column.name in table.key,
            "may_be_null": column.nullable,
            "meaning": column.meaning,
        }
        for column in table.columns
    ]


def config(as_json: terminal.AsJson = False) -> None:
    """Show every setting in force and where it comes from; secrets are masked."""
    from map_assets.config import explain_config

    rows = [{"key": key, "value": value, "source": source} for key, value, source in explain_config()]
    terminal.show(rows, as_json=as_json)
