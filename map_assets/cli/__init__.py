"""The terminal's door: `map-assets`. Each group of commands has its own file; what they call lives in the rooms and the wing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from map_assets import __version__
from map_assets.cli import (
    archive,
    archive_mend,  # noqa: F401 - adds its commands to archive's
    dandi,
    demo,
    export,
    graft,
    histology,
    looking,
    new_analysis,
    quarantine,
    query,
    registry,
    release,
    session,
    sorting,
    work,
)
from map_assets.cli.laboratory import use_config
from map_assets.cli.terminal import TRACEBACK_VARIABLE, House, tell

app = typer.Typer(
    cls=House,
    name="map-assets",
    help="A neurophysiology laboratory's asset graph: from rig files on network shares to NWB, receipts, figures and tables.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_PANELS = {
    "Start": (demo.demo, demo.simulate, work.up, work.ingest),
    "Look": (looking.status, looking.sessions, session.show, looking.tables, query.query, looking.config),
    "Extend": (new_analysis.new_analysis,),
}
for _panel, _commands in _PANELS.items():
    for _command in _commands:
        app.command(rich_help_panel=_panel)(_command)
app.add_typer(export.app, name="export", rich_help_panel="Give")
app.add_typer(archive.app, name="archive", rich_help_panel="Decide")
app.add_typer(quarantine.app, name="quarantine", rich_help_panel="Decide")
app.add_typer(registry.app, name="registry", rich_help_panel="Decide")
app.add_typer(histology.app, name="histology", rich_help_panel="Decide")
app.add_typer(sorting.app, name="sorting", rich_help_panel="Decide")
app.add_typer(graft.app, name="graft", rich_help_panel="Extend")
app.add_typer(release.app, name="release", rich_help_panel="Publish")
app.add_typer(dandi.app, name="dandi", rich_help_panel="Publish")


def _say_version(is_asked: bool) -> None:
    if is_asked:
        tell(f"map-assets {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    config: Annotated[
        Path | None,
        typer.Option(
            help="Configuration file.", show_default="$MAP_ASSETS_CONFIG, else map_assets.toml here or in data/"
        ),
    ] = None,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Show where in the code a failure comes from.")
    ] = False,
    version: Annotated[  # noqa: ARG001 - done by its callback
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    if traceback:
        os.environ[TRACEBACK_VARIABLE] = "1"
    if config is not None:
        use_config(config)


def main() -> None:
    """Run the command that the terminal asks for."""
    app()
