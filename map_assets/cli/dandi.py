"""Commands about the DANDI archive: `dandi layout`, `upload`, `list` and `try`. What they do lives in `publication`."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from map_assets.cli import terminal
from map_assets.cli.chosen import Sessions, Where, chosen_sessions, nwb_inputs
from map_assets.cli.laboratory import services
from map_assets.cli.usable import refuse_blocked
from map_assets.vocabulary.errors import BadConfiguration

if TYPE_CHECKING:
    from map_assets.defs.services import Services
    from map_assets.publication.dandiset import Layout

app = typer.Typer(help="Sessions in the DANDI archive: lay out, upload, look.", no_args_is_help=True)

KEY_VARIABLE = "DANDI_API_KEY"

To = Annotated[Path, typer.Option(help="Folder of the dandiset.")]
About = Annotated[Path | None, typer.Option(help="TOML with title and authors, as docs/publication.md shows.")]
Copy = Annotated[bool, typer.Option("--copy", help="Copy where another file system allows no links.")]


@app.command()
def layout(
    to: To,
    sessions: Sessions = None,
    where: Where = None,
    about: About = None,
    copy: Copy = False,
    as_json: terminal.AsJson = False,
) -> None:
    """Put sessions' NWB files into a folder under DANDI's names, and check it as the archive would."""
    found = _lay_out(services(), to, sessions, where, about, None, is_copying=copy)
    rows = [{"session": one.session, "path": one.path, "size": one.size, "sha256": one.sha256} for one in found.assets]
    terminal.show(rows, as_json=as_json)


@app.command()
def upload(
    to: To,
    dandiset: Annotated[str, typer.Option(help="Number of the dandiset, six digits.")],
    sessions: Sessions = None,
    where: Where = None,
    about: About = None,
    server: Annotated[str, typer.Option(help="Address of the archive's API.")] = "https://api.dandiarchive.org/api",
    replace: Annotated[
        bool, typer.Option("--replace", help="Put new versions in the place of other files of the draft.")
    ] = False,
    wait_s: Annotated[float, typer.Option(help="How long to wait for the archive's sha256.", min=0)] = 600.0,
    copy: Copy = False,
    as_json: terminal.AsJson = False,
) -> None:
    """Lay out, check, upload to a dandiset's draft, and compare the archive's digests with the files'."""
    from map_assets.publication.dandi_upload import upload as send

    key = os.environ.get(KEY_VARIABLE)
    if not key:
        raise BadConfiguration(f"An upload needs an API key of the archive in the environment variable {KEY_VARIABLE}.")
    laboratory = services()
    found = _lay_out(laboratory, to, sessions, where, about, dandiset, is_copying=copy)
    with terminal.progress("uploading") as bar:
        rows = send(
            *(laboratory.store, found),
            server=server,
            dandiset=dandiset,
            token=key,
            is_replacing=replace,
            wait_s=wait_s,
            poll_s=min(5.0, max(wait_s / 100, 0.05)),
            tell=bar.at,
        )
    names = ("session", "path", "asset_id", "was_uploaded", "state")
    terminal.show(rows if as_json else [{name: row[name] for name in names} for row in rows], as_json=as_json)


@app.command("list")
def list_(
    sessions: Annotated[list[str] | None, typer.Argument(metavar="[SESSION]...", help="Only these sessions.")] = None,
    as_json: terminal.AsJson = False,
) -> None:
    """List every file that went to a DANDI archive: from which table versions, by which code, and how it was found there."""
    from map_assets.publication.dandi_record import exports
    from map_assets.publication.tables import DANDI_ASSETS

    store = services().store
    rows = [row for one in sessions or store.sessions(DANDI_ASSETS.name) for row in exports(store, one)]
    names = ("session", "dandiset", "path", "asset_id", "checked_at", "was_uploaded", "state", "code_version")
    shown = rows if as_json else [{name: row[name] for name in names} for row in rows]
    terminal.show(shown, as_json=as_json, empty="Nothing went to a DANDI archive yet.")


@app.command("try")
def try_(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.", min=0, max=65535)] = 0,
    for_s: Annotated[float | None, typer.Option(help="End after so long.", show_default="until Ctrl-C")] = None,
) -> None:
    """Run a small DANDI archive on this machine, which forgets all when it ends, to try an upload out."""
    from map_assets.publication.loopback_dandi import LoopbackDandi

    key = os.environ.get(KEY_VARIABLE) or secrets.token_hex(20)
    with LoopbackDandi(key, port=port) as archive:
        terminal.tell(f"{archive.api}")
        terminal.say(f"Dandiset {archive.dandiset}; upload with --server {archive.api} --dandiset {archive.dandiset}.")
        if not os.environ.get(KEY_VARIABLE):
            terminal.say(f"It takes the made-up key {KEY_VARIABLE}={key}")
        try:
            time.sleep(for_s if for_s is not None else 1e9)
        except KeyboardInterrupt:
            terminal.say("Ended.")


def _lay_out(
    laboratory: Services,
    to: Path,
    sessions: list[str] | None,
    where: str | None,
    about: Path | None,
    dandiset: str | None,
    *,
    is_copying: bool,
) -> Layout:
    """Lay out and check."""
    from map_assets.publication.about import read_about
    from map_assets.publication.dandiset import check_layout, lay_out, plan_layout
    from map_assets.publication.errors import NotPublishable

    said = None if about is None else read_about(about)
    keys = chosen_sessions(laboratory.store, sessions, where)
    for key in keys:
        refuse_blocked(laboratory, key)
    planned = plan_layout(laboratory.store, keys, nwb_inputs())
    with terminal.progress("checking the dandiset") as bar:
        bar.at(None, None, "checking the dandiset")
        found = lay_out(planned, to, said, dandiset, may_copy=is_copying)
        wrong = check_layout(found)
    for sentence in wrong[1:]:
        terminal.say(sentence)
    if wrong:
        raise NotPublishable(f"The dandiset in {to} is not as the archive wants it ({len(wrong)} faults): {wrong[0]}")
    return found
