"""The command `show`: all that is known of one session on one page. The lists of many sessions live in `looking`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from map_assets.cli import terminal
from map_assets.cli.laboratory import ledger_if_there, services
from map_assets.vocabulary.errors import MapAssetsError

if TYPE_CHECKING:
    from map_assets.defs.services import Services
    from map_assets.defs.stage import Stage
    from map_assets.shares.ledger import Ledger

Rows = list[dict[str, Any]]


class NoSuchSession(MapAssetsError):
    """Neither the shares nor the store have the session."""


def show(
    session: Annotated[str, typer.Argument(help="Session key, as in SC022_20190228_151010.")],
    as_json: terminal.AsJson = False,
) -> None:
    """Show one session: facts, files, stages, tables, figures, NWB file and receipts."""
    from map_assets.vocabulary.session import SessionKey

    key = str(SessionKey.parse(session))
    found = services()
    page = page_of(key, found, ledger_if_there(found))
    if not page["files"] and not page["tables"]:
        raise NoSuchSession(
            f"There is no session {key} on the shares or in the store; `map-assets sessions` lists all."
        )
    if as_json:
        terminal.print_json([{"session": key, **page}])
        return
    facts = {"session": key, **page["facts"]}
    terminal.show([{"fact": name, "value": value} for name, value in facts.items()], as_json=False)
    for title in ("files", "stages", "tables", "figures", "nwb", "receipts"):
        if page[title]:
            terminal.show(page[title], as_json=False, title=title.capitalize() if title != "nwb" else "NWB")


def page_of(key: str, found: Services, ledger: Ledger | None) -> dict[str, Any]:
    """Gather what `show` prints: ``facts`` is one mapping, the rest are lists of rows."""
    store = found.store
    sessions = store.read_if_there("sessions", key)
    return {
        "facts": {} if sessions is None else {**sessions.to_pylist()[0]},
        "files": [] if ledger is None else _file_rows(key, ledger),
        "stages": [] if ledger is None else stage_rows(key, found, ledger),
        "tables": _table_rows(key, found),
        "figures": _figure_rows(key, found),
        "nwb": _nwb_rows(key, found),
        "receipts": _receipt_rows(key, found),
    }


def _file_rows(key: str, ledger: Ledger) -> Rows:
    """Count a session's files by share, role, state and the reason for it."""
    counts = Counter((file.share, file.role, file.state, file.reason) for file in ledger.files(session=key))
    return [
        {"share": share, "role": role, "state": state, "n_files": n_files, "reason": reason}
        for (share, role, state, reason), n_files in sorted(counts.items(), key=str)
    ]


def stage_rows(key: str, found: Services, ledger: Ledger) -> Rows:
    """Tell of every stage whether it is done, failed or waits, and why."""
    from map_assets.cli.conservation import why_failed
    from map_assets.defs.stages import SESSION_STAGES

    records = ledger.stage_records(key)
    waits = {stage: reason for session, stage, reason in ledger.waits() if session == key}
    roles = {file.role for file in ledger.inventory(key).files}
    standing = {name for stage in SESSION_STAGES for name in stage.inputs if found.store.has(name, key)}
    rows = []
    for stage in SESSION_STAGES:
        record = records.get(stage.name)
        row: dict[str, Any] = {
            "stage": stage.name,
            "state": "not due",
            "at": None,
            "why": _lacks(stage, roles, standing),
        }
        if record is not None:
            row |= {"state": record.outcome, "at": record.at, "why": why_failed(record.outcome, record.detail)}
        if stage.name in waits:
            row |= {
                "state": "waits" if record is None else f"{record.outcome}, waits",
                "why": f"for {waits[stage.name]}",
            }
        rows.append(row)
    return rows


def _lacks(stage: Stage, roles: set[str], standing: set[str]) -> str:
    """Say which input of a stage is not there."""
    if stage.roles and not any(stage.opens(role) for role in roles):
        return f"no settled file of role {' or '.join(stage.roles)}"
    missing = [name for name in stage.reads if name not in standing]
    if missing:
        return f"no table {', '.join(missing)}"
    if stage.one_of and standing.isdisjoint(stage.one_of):
        return f"no table {' or '.join(stage.one_of)}"
    return "" if stage.roles or stage.inputs else "it was not looked at yet"


def _table_rows(key: str, found: Services) -> Rows:
    from map_assets.catalog import TABLES
    from map_assets.cli.looking import n_rows

    counted = {table.name: n_rows(found.store, table.name, key) for table in TABLES}
    return [
        {"table": name, "n_rows": count, "n_versions": len(found.store.history(name, key))}
        for name, count in counted.items()
        if count is not None
    ]


def _figure_rows(key: str, found: Services) -> Rows:
    from map_assets.figures.tables import TABLES

    rows = []
    for table in TABLES:
        drawn = found.store.read_if_there(table.name, key)
        if drawn is not None:
            row = drawn.to_pylist()[0]
            file = None if row["png_file"] is None else str(found.store.root / row["png_file"])
            rows.append({"figure": table.name, "status": row["status"], "reason": row["reason"], "file": file})
    return rows


def _nwb_rows(key: str, found: Services) -> Rows:
    table = found.store.read_if_there("nwb_file", key)
    names = ("size", "n_trials", "n_units", "n_validation_errors", "n_inspector_critical", "n_inspector_suggestions")
    return [
        {"file": str(found.store.root / row["path"]), **{name: row[name] for name in names}}
        for row in ([] if table is None else table.to_pylist())
    ]


def _receipt_rows(key: str, found: Services) -> Rows:
    """Sum archived files by receipt."""
    table = found.store.read_if_there("archive_receipt", key)
    archive = found.config.archive.root
    sums: dict[str, dict[str, Any]] = {}
    for row in [] if table is None else table.to_pylist():
        first = {
            "receipt": str(archive / row["receipt_file"]),
            "backend": row["backend"],
            "verified_at": row["verified_at"],
        }
        receipt = sums.setdefault(row["receipt_file"], {**first, "n_files": 0, "size": 0})
        receipt["n_files"] += 1
        receipt["size"] += row["size"]
    return list(sums.values())
