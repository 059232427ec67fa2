"""Commands for grafted analyses: `graft list`, `run`, `check` and `promote`. What one is lives in `graft`, running it in `defs`."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from map_assets.cli import terminal
from map_assets.cli.laboratory import configuration, require_dagster, services_of

app = typer.Typer(help="Run analyses of your own in your namespace, and promote them.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Of an installed analysis, as in go_modulation or susu/go_modulation.")]


@app.command("list")
def list_(as_json: terminal.AsJson = False) -> None:
    """List the installed analyses, whose they are, and where their results stand."""
    from map_assets.graft.installed import installed
    from map_assets.graft.namespace import private_root
    from map_assets.graft.promotion import is_promoted
    from map_assets.store import Store

    root = configuration()[0].store.root
    rows = []
    for one in installed():
        graft = one.graft
        is_shared = graft is not None and is_promoted(graft, root)
        store = Store(root if graft is None or is_shared else private_root(root, graft.namespace))
        rows.append(
            {
                "analysis": one.name,
                "namespace": "" if graft is None else graft.namespace,
                "state": one.fault or ("shared" if is_shared else "private"),
                "sessions": 0 if graft is None else len(store.sessions(graft.name)),
                "package": f"{one.package} {one.package_version}".strip(),
            }
        )
    terminal.show(rows, as_json=as_json, empty="No analysis is installed here; `map-assets new-analysis` writes one.")


@app.command()
def run(
    name: Name,
    sessions: Annotated[list[str] | None, typer.Argument(help="Only these session keys; all by default.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Also where nothing has changed since.")] = False,
    as_json: terminal.AsJson = False,
) -> None:
    """Make an analysis for every session that is due, in its namespace of the store."""
    from map_assets.vocabulary.session import SessionKey

    only = [str(SessionKey.parse(text)) for text in sessions or ()]
    require_dagster("graft run")
    from map_assets.defs.graft_runs import run_graft
    from map_assets.graft.installed import graft_named

    graft = graft_named(name).graft
    assert graft is not None
    config, path = configuration()
    with terminal.progress(f"{graft.namespace}/{graft.name}") as bar:
        report = run_graft(
            graft, services_of(config), path, only, again=again, say=lambda text: bar.at(None, None, text)
        )
    rows = [{"session": one, "state": "made", "why": ""} for one in report.made]
    rows += [{"session": one, "state": "kept", "why": "made from what stands now"} for one in report.kept]
    rows += [{"session": one, "state": "waits", "why": f"for {why}"} for one, why in report.waiting.items()]
    rows += [{"session": one, "state": "failed", "why": why} for one, why in report.failed.items()]
    rows.sort(key=lambda row: row["session"])
    terminal.show(rows, as_json=as_json, empty="There is no session in the store.")
    if report.failed:
        raise typer.Exit(1)


@app.command()
def check(name: Name, as_json: terminal.AsJson = False) -> None:
    """Say what is in the way of an analysis' promotion; exit code 0 only if nothing is."""
    from map_assets.defs.graft_promotion import in_the_way
    from map_assets.graft.installed import graft_named

    one = graft_named(name)
    with terminal.progress(f"judging {name}"):
        found = in_the_way(one, services_of(configuration()[0]))
    terminal.show([{"in_the_way": one} for one in found], as_json=as_json, empty="Nothing is in the way.")
    if found:
        raise typer.Exit(1)


@app.command()
def promote(
    name: Name,
    why: Annotated[str, typer.Option(help="Kept with the record: what it is good for, who looked at it.")],
    who: Annotated[str | None, typer.Option(help="Who decides.", show_default="your login")] = None,
) -> None:
    """Let an analysis join the shared graph, once nothing is in the way: its tables are taken over and kept up to date."""
    from map_assets.defs.graft_promotion import promote as promote_graft
    from map_assets.graft.installed import graft_named

    one = graft_named(name)
    with terminal.progress(f"promoting {name}") as bar:
        record = promote_graft(
            one,
            services_of(configuration()[0]),
            who=who or getpass.getuser(),
            why=why,
            say=lambda text: bar.at(None, None, text),
        )
    terminal.say(f"{record.name} of {record.namespace} is shared now, with {record.n_sessions} sessions.")
    terminal.say("Reload the code location in Dagster (or restart `map-assets up`), so that it goes on by itself.")
