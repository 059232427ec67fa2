"""The command `new-analysis`: a package for somebody's own analysis. What it looks like lives in `graft.template`."""

from __future__ import annotations

import getpass
import re
import shlex
from pathlib import Path
from typing import Annotated, cast

import typer

from map_assets.cli import terminal


def new_analysis(
    name: Annotated[str, typer.Argument(help="Of the analysis and its table, as in go_modulation.")],
    to: Annotated[Path | None, typer.Option(help="Folder for its package.", show_default="NAME here")] = None,
    who: Annotated[str | None, typer.Option(help="Namespace of its results.", show_default="your login")] = None,
    language: Annotated[str, typer.Option(help="Of its body: python, or octave (MATLAB, too).")] = "python",
) -> None:
    """Write a package for an analysis of your own, ready to be installed, run and tested."""
    from map_assets.graft.scaffold import Language, write_package

    folder = Path(name) if to is None else to
    namespace = _namespace(getpass.getuser()) if who is None else who
    for path in write_package(name, namespace, folder, cast("Language", language)):
        terminal.tell(str(path))
    terminal.say(f"Next:  pip install -e {shlex.quote(str(folder))}")
    terminal.say(f"       map-assets graft run {name}")


def _namespace(login: str) -> str:
    """Turn a login into a namespace's name."""
    plain = re.sub(r"[^a-z0-9_]", "_", login.lower())
    return plain if plain[:1].isalpha() else f"u{plain}"
