"""Commands about what people enter: `registry import`, `check`, `history` and `undo`. What a sheet may hold lives in `lab`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from map_assets.cli import terminal
from map_assets.cli.laboratory import has_database, services
from map_assets.vocabulary.errors import MapAssetsError

if TYPE_CHECKING:
    from map_assets.lab.registry import Registry

app = typer.Typer(help="Animals, insertions, people and rigs: import sheets, look, take back.", no_args_is_help=True)

Who = Annotated[
    str | None, typer.Option(help="Who does it; kept in the history.", show_default="the user of this machine")
]


class NothingRegistered(MapAssetsError):
    """The laboratory has no registry yet."""


@app.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(help="A csv or xlsx; its columns tell whether it holds animals, insertions, people or rigs."),
    ],
    sheet: Annotated[str | None, typer.Option(help="Sheet of a workbook.", show_default="its first")] = None,
    update: Annotated[bool, typer.Option("--update", help="Let cells that differ replace what is registered.")] = False,
    who: Who = None,
    as_json: terminal.AsJson = False,
) -> None:
    """Take in a sheet, all of it or nothing; an import can be undone."""
    report = services().registry.import_sheet(file, sheet, who=_name(who), update=update)
    for message in report.messages:
        terminal.say(message)
    terminal.show([{"file": file.name, **asdict(report)}] if as_json else [_counts(asdict(report))], as_json=as_json)


def _counts(report: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in report.items() if name != "messages"}


@app.command()
def check(as_json: terminal.AsJson = False) -> None:
    """List what is odd in the registry; exit code 1 if anything is."""
    found = [{"odd": problem} for problem in _registry().check()]
    terminal.show(found, as_json=as_json, empty="Nothing is odd in the registry.")
    if found:
        raise typer.Exit(1)


@app.command()
def history(
    animal: Annotated[
        str | None, typer.Argument(help="Only edits of this animal (its water-restriction name).")
    ] = None,
    as_json: terminal.AsJson = False,
) -> None:
    """List every edit: who changed which cell from what to what, by which sheet."""
    edits = [asdict(edit) for edit in _registry().history(animal)]
    of = "the registry" if animal is None else f"animal {animal}"
    names = ("import_id", "at", "who", "action", "record", "row", "field", "old", "new", "file", "sheet_row", "why")
    rows = edits if as_json else [{name: edit[name] for name in names} for edit in edits]
    terminal.show(rows, as_json=as_json, empty=f"There is no edit of {of}.")


@app.command()
def undo(
    import_id: Annotated[
        int, typer.Argument(metavar="IMPORT", help="Number of the import, as `registry history` shows it.")
    ],
    why: Annotated[str, typer.Option(help="Why it is taken back; kept in the history.")],
    who: Who = None,
) -> None:
    """Take an import back; the history keeps both, and an undo can be undone, too."""
    if not why.strip():
        raise MapAssetsError("An undo needs a reason: --why 'what was wrong with the sheet'.")
    undone = _registry().undo(import_id, _name(who), why.strip())
    terminal.tell(f"Import {import_id} is undone; the undo is import {undone}.")


def _registry() -> Registry:
    found = services()
    if not has_database(found.config):
        raise NothingRegistered(
            "The registry is empty: `map-assets registry import SHEET` takes in a sheet of animals."
        )
    return found.registry


def _name(who: str | None) -> str:
    from getpass import getuser

    return who or getuser()
