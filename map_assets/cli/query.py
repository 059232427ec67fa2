"""The command `query`: SQL over every table of every session. Opening and binding the tables lives in `analyst`."""

from __future__ import annotations

import csv
import json
import sys
from typing import Annotated, Any

import typer

from map_assets.cli import terminal


def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="A select over the tables that `map-assets tables` lists.")],
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values with a header.")] = False,
    as_json: terminal.AsJson = False,
) -> None:
    """Run SQL (DuckDB) over all tables of all sessions; nothing can be changed by it."""
    if as_csv and as_json:
        raise typer.BadParameter("--csv and --json exclude each other.")
    from map_assets.analyst import open_lab

    with terminal.progress("asking"):
        found = open_lab().sql(sql).arrow()
        rows = found.to_pylist()
    if as_csv:
        _write_csv(found.column_names, rows)
    else:
        terminal.show(rows, as_json=as_json, empty="No row answers that.")


def _write_csv(names: list[str], rows: list[dict[str, Any]]) -> None:
    """Print rows as comma-separated values; unknown is empty, lists are JSON."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        values = [terminal.plain(value) for value in row.values()]
        writer.writerow([json.dumps(value) if isinstance(value, list | dict) else value for value in values])
