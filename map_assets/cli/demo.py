"""Commands that make up a laboratory: `demo` runs one from the first file to the last receipt, `simulate` only writes one."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from map_assets.cli import terminal
from map_assets.cli.demo_globus import with_globus
from map_assets.cli.laboratory import CONFIG_VARIABLE, configuration, require_dagster, services_of
from map_assets.cli.work import stopped_by_signals
from map_assets.vocabulary.errors import BadConfiguration, MapAssetsError

if TYPE_CHECKING:
    from map_assets.cli.demo_outcome import Expected
    from map_assets.config import Config
    from map_assets.defs.services import Services
    from map_assets.defs.up import Servers
    from map_assets.simulate.plans import LabPlan

_LOOK_EVERY_S = 0.5
_GIVE_UP_AFTER_STILL_S = 20.0
_PRESETS = "demo, example, small or map"
_OVERRIDES = "MAP_ASSETS__"
_WHERE_TO_LOOK = """
The graph, run by run:   {url}
This laboratory:         export MAP_ASSETS_CONFIG={config}
In the terminal:         map-assets status
                         map-assets show {session}
                         map-assets query "select session, quality, count(*) as n_units from units group by all order by all"
In a notebook:           from map_assets.analyst import open_lab
                         lab = open_lab()
                         lab.sessions()
Ctrl-C stops it; `map-assets demo` goes on with what is there."""


def demo(
    exit_when_done: Annotated[
        bool, typer.Option("--exit", help="End when all is done; exit code 0 only if every session ended as it should.")
    ] = False,
    folder: Annotated[Path, typer.Option(help="Where the made-up laboratory lives.")] = Path("data/demo"),
    seed: Annotated[int, typer.Option(help="Another seed makes other data.")] = 1,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port of the web pages; 0 takes a free one.",
            show_default="3000, or a free one if that is taken",
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Remove an earlier demonstration in the folder first.")
    ] = False,
    globus: Annotated[
        bool,
        typer.Option("--globus", help="Let a Globus service on this machine fill the archive; no account is needed."),
    ] = False,
    limit_s: Annotated[float, typer.Option(min=1, help="Give up when not all is done after so many seconds.")] = 900.0,
    as_json: terminal.AsJson = False,
) -> None:
    """Make up a laboratory and run the whole graph on it: from rig files to figures, NWB files and receipts."""
    require_dagster("demo")
    from map_assets.simulate.plans import demo_plan

    _forget_overrides()
    plan = demo_plan(seed)
    with (
        stopped_by_signals(),
        _written(folder, plan, seed, is_fresh=fresh) as written,
        with_globus(written) if globus else nullcontext(written) as config_file,
    ):
        os.environ[CONFIG_VARIABLE] = str(config_file)
        config, _ = configuration()
        is_as_planned = _run(config, config_file, plan, port, limit_s, exit_when_done=exit_when_done, as_json=as_json)
    if not is_as_planned:
        raise typer.Exit(1)


def _forget_overrides() -> None:
    """Keep settings of the real laboratory out: the demonstration writes nowhere but into its folder."""
    for name in [name for name in os.environ if name.startswith(_OVERRIDES)]:
        terminal.say(f"{name} is left aside: the demonstration has its own configuration.")
        del os.environ[name]


@contextmanager
def _written(folder: Path, plan: LabPlan, seed: int, *, is_fresh: bool) -> Iterator[Path]:
    from map_assets.cli.demo_folder import demo_folder

    with ExitStack() as stack:
        with terminal.progress(f"writing the made-up laboratory to {folder}"):
            config_file = stack.enter_context(demo_folder(folder, plan, seed, is_fresh=is_fresh))
        yield config_file


def _run(
    config: Config,
    config_file: Path,
    plan: LabPlan,
    port: int | None,
    limit_s: float,
    *,
    exit_when_done: bool,
    as_json: bool,
) -> bool:
    """Import the sheets, start the servers, wait for the sensors' work, and report; tells whether all ended as planned."""
    from map_assets.cli.demo_outcome import expected_of
    from map_assets.defs.up import Servers, is_taken

    found = services_of(config)
    _import_sheets(found, config_file.parent)
    settings = config.orchestration
    if port is None and is_taken(settings.webserver_host, settings.webserver_port):
        port = 0
    expected = expected_of(plan)
    with Servers(config, config_file, port=port) as servers:
        with terminal.progress("starting webserver and daemon"):
            servers.wait_until_ready()
        terminal.say(
            f"The graph is at {servers.url}; the sensors look at the shares every {settings.scan_interval_s} s."
        )
        _wait_for_all(found, expected, servers, limit_s)
        is_as_planned = _report(found, expected, as_json=as_json)
        if not exit_when_done:
            _say_where_to_look(config_file, expected, servers)
            try:
                servers.wait()
            except KeyboardInterrupt:
                terminal.say("Stopped.")
    return is_as_planned


def _import_sheets(found: Services, folder: Path) -> None:
    """Take in what the made-up laboratory's people keep; sheets that were taken in before change nothing."""
    for name in ("people.csv", "animals.csv", "insertions.csv"):
        report = found.registry.import_sheet(folder / "registry" / name, who="demo")
        if report.n_new:
            terminal.say(f"{report.n_new} rows of {report.kind} were imported into the registry.")


def _wait_for_all(found: Services, expected: Sequence[Expected], servers: Servers, limit_s: float) -> None:
    """Show how the sensors' work goes on, until all ended as planned, nothing moves any more, or time is up."""
    from map_assets.cli.demo_outcome import ended_of, is_settled
    from map_assets.defs.home import open_instance

    instance = open_instance(found.config.orchestration.home)
    n_stages = sum(len(one.stages) for one in expected)
    ends, still_since = time.monotonic() + limit_s, None
    with terminal.progress("the sensors look at the shares") as bar:
        while time.monotonic() < ends:
            servers.must_run()
            ended = [ended_of(one, found) for one in expected]
            bar.at(sum(one.n_done for one in ended), n_stages, _how_far(found, [not one.wrong for one in ended]))
            is_still = is_settled(found, expected) and all(run.is_finished for run in instance.get_runs(limit=100))
            if is_still and not any(one.wrong for one in ended):
                return
            still_since = (still_since or time.monotonic()) if is_still else None
            if still_since is not None and time.monotonic() - still_since > _GIVE_UP_AFTER_STILL_S:
                return
            time.sleep(_LOOK_EVERY_S)
    terminal.say(f"Not all was done after {limit_s:.0f} s; --limit-s gives it longer.")


def _how_far(found: Services, is_ended: Sequence[bool]) -> str:
    states = {
        name: sum(getattr(share, name) for share in found.ledger.status())
        for name in ("waiting", "ingested", "quarantined")
    }
    counted = ", ".join(f"{n_files} {state}" for state, n_files in states.items() if n_files)
    return f"{sum(is_ended)} of {len(is_ended)} sessions; files: {counted or 'none yet'}"


def _report(found: Services, expected: Sequence[Expected], *, as_json: bool) -> bool:
    """Print where all files are and how every session ended; tells whether that is as planned."""
    from map_assets.cli.conservation import show_state, state_of
    from map_assets.cli.demo_outcome import judged

    with terminal.progress("judging what stands"):
        ended = [(one, judged(one, found)) for one in expected]
    state = state_of(found.config, found.ledger)
    if not as_json:
        show_state(state, as_json=False)
    rows = [
        {"session": one.session, "expected": one.sentence, "ended": actual.sentence, "as_planned": not actual.wrong}
        for one, actual in ended
    ]
    terminal.show(rows, as_json=as_json, title="Sessions")
    wrong = [
        f"{one.session} did not end as planned: {'; '.join(actual.wrong)}." for one, actual in ended if actual.wrong
    ]
    wrong += [] if state.is_conserved else ["The counts of files do not add up."]
    wrong += [f"{row['n_files']} files still wait: {row['reason']}." for row in state.waiting_files]
    for sentence in wrong:
        terminal.say(sentence)
    if not wrong:
        terminal.say("Every session ended as planned, and every file is accounted for.")
    return not wrong


def _say_where_to_look(config_file: Path, expected: Sequence[Expected], servers: Servers) -> None:
    terminal.say(
        _WHERE_TO_LOOK.format(url=servers.url, config=shlex.quote(str(config_file)), session=expected[0].session)
    )


def simulate(
    out: Annotated[Path, typer.Argument(help="Folder for it all: made, or empty.")],
    preset: Annotated[str, typer.Option(help=f"{_PRESETS}.")] = "demo",
    seed: Annotated[int, typer.Option(help="The same seed makes the same bytes.")] = 1,
    as_json: terminal.AsJson = False,
) -> None:
    """Write a made-up laboratory in the rigs' own file formats, with the truth beside it."""
    from map_assets.simulate.laboratory import write_laboratory
    from map_assets.simulate.plans import PRESETS

    name = _preset(preset, PRESETS)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise MapAssetsError(f"{out} is not empty; name a folder that is new or empty.")
    with terminal.progress(f"writing {name} to {out}"):
        written = write_laboratory(out, PRESETS[name](seed))
    rows = [
        {
            "session": session.key,
            "n_files": len(session.files),
            "size_mb": round(sum(file.stat().st_size for file in session.files) / 1e6, 3),
        }
        for session in written.sessions
    ]
    terminal.show(rows, as_json=as_json)
    steps = [
        f"registry import {shlex.quote(str(sheet))}" for sheet in (written.people, written.animals, written.insertions)
    ]
    terminal.say(f"To take it in:  export MAP_ASSETS_CONFIG={shlex.quote(str(written.config))}")
    for step in [*steps, "ingest"]:
        terminal.say(f"                map-assets {step}")


def _preset(preset: str, names: Iterable[str]) -> str:
    """Find the preset that is meant: ``map`` is ``map-session``."""
    for name in names:
        if preset in {name, name.removesuffix("-session")}:
            return name
    raise BadConfiguration(f"There is no preset {preset}; choose one of {_PRESETS}.")
