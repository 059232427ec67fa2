"""Commands about files that were put aside: `quarantine list`, `show`, `retry` and `release`. Putting aside is done by the rooms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from map_assets.cli import terminal
from map_assets.cli.laboratory import ledger_if_there, services
from map_assets.vocabulary.errors import MapAssetsError

if TYPE_CHECKING:
    from map_assets.defs.services import Services
    from map_assets.shares.ledger import Ledger
    from map_assets.shares.share import LedgerFile

app = typer.Typer(help="Look at files that were put aside, and let them in again.", no_args_is_help=True)

_A_FILE = "A file: SHARE:PATH, its path under the share, its whole path, or its name if no other has it."
OneFile = Annotated[str, typer.Argument(metavar="FILE", help=_A_FILE)]
Files = Annotated[list[str], typer.Argument(metavar="FILE...", help=_A_FILE)]


class WhichFile(MapAssetsError):
    """A file was named that is not there, or more than one."""


@app.command("list")
def list_(as_json: terminal.AsJson = False) -> None:
    """List the files in quarantine, each with the reason."""
    from map_assets.cli.conservation import quarantined_row

    ledger = ledger_if_there(services())
    rows = [] if ledger is None else [quarantined_row(file) for file in ledger.files(state="quarantined")]
    terminal.show(rows, as_json=as_json, empty="No file is in quarantine.")


@app.command()
def show(file: OneFile, as_json: terminal.AsJson = False) -> None:
    """Show all that is known of one file, and what became of it over time."""
    found = services()
    ledger = _ledger(found)
    known = pick(file, ledger.files(), found)
    facts = {name: getattr(known, name) for name in type(known).__dataclass_fields__}
    changes = [
        {name: getattr(change, name) for name in ("at", "what", "who", "why", "size", "state", "reason")}
        for change in ledger.changes(known.share, known.relpath)
    ]
    if as_json:
        terminal.print_json([{**facts, "changes": changes}])
        return
    terminal.show([{"fact": name, "value": value} for name, value in facts.items() if value is not None], as_json=False)
    if changes:
        terminal.show(changes, as_json=False, title="What it was before")


@app.command()
def retry(files: Files) -> None:
    """Take files out of quarantine, to be read once more."""
    found = services()
    ledger = _ledger(found)
    wanted = [pick(file, ledger.files(state="quarantined"), found, "in quarantine") for file in files]
    for known in wanted:
        ledger.retry(known.share, known.relpath)
        terminal.tell(f"{known.share}:{known.relpath} is read once more by the next `map-assets ingest` or the daemon.")


@app.command()
def release(
    file: OneFile,
    why: Annotated[str, typer.Option(help="Why it may be used as it is; kept with the file.")],
    who: Annotated[str | None, typer.Option(help="Who decides.", show_default="the user of this machine")] = None,
) -> None:
    """Say that a file is to be used as it is, although it looks unfinished or stands in another's place."""
    from getpass import getuser

    if not why.strip():
        raise MapAssetsError("A release needs a reason: --why 'what makes the file usable'.")
    found = services()
    ledger = _ledger(found)
    held = [known for known in ledger.files() if known.state in {"quarantined", "waiting"}]
    known = pick(file, held, found, "waiting or in quarantine")
    ledger.release(known.share, known.relpath, why.strip(), who or getuser())
    terminal.tell(f"{known.share}:{known.relpath} is used as it is, until it changes.")


def _ledger(found: Services) -> Ledger:
    ledger = ledger_if_there(found)
    if ledger is None:
        raise WhichFile("Nothing was scanned yet; `map-assets ingest` looks at the shares.")
    return ledger


def pick(named: str, files: Sequence[LedgerFile], found: Services, where: str = "in the ledger") -> LedgerFile:
    """Find the file that a person means.

    Raises
    ------
    WhichFile
        If no file has that name, or more than one.
    """
    roots = {name: share.path for name, share in found.config.shares.items()}

    def is_meant(file: LedgerFile) -> bool:
        whole = str(roots[file.share] / file.relpath) if file.share in roots else None
        return named in {f"{file.share}:{file.relpath}", file.relpath, whole}

    exact = [file for file in files if is_meant(file)]
    meant = exact or [file for file in files if file.relpath.endswith(f"/{named}")]
    if not meant:
        raise WhichFile(
            f"There is no file {named} {where}; `map-assets quarantine list` and `map-assets status` name what is."
        )
    if len(meant) > 1:
        several = ", ".join(f"{file.share}:{file.relpath}" for file in meant[:5])
        raise WhichFile(f"{named} may be any of {len(meant)} files {where}: {several}; give SHARE:PATH.")
    return meant[0]
