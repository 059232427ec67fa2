"""Commands that make up a laboratory: `demo` runs one from the first file to the last receipt, `simulate` only writes one."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from map_assets.cli import terminal
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
_OVERRIDES = "MAP_ASSETS__"


def demo(
    exit_when_done: Annotated[
        bool, typer.Option("--exit", help="End when all is done; exit code 0 only if every session ended as it should.")
    ] = False,
    folder: Annotated[Path, typer.Option(help="Where the made-up laboratory lives.")] = Path("data/demo"),
    seed: Annotated[int, typer.Option(help="Another seed makes other data.")] = 1,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of the web pages; 0 takes a free one.  [default: 3000, or a free one if that is taken]"),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove an earlier demonstration in the folder first.")] = False,
    limit_s: Annotated[float, typer.Option(min=1, help="Give up when not all is done after so many seconds.")] = 900.0,
    as_json: terminal.AsJson = False,
) -> None:
    """Make up a laboratory and run the whole graph on it: from rig files to figures, NWB files and receipts."""
    require_dagster("demo")
    from map_assets.simulate.presets import demo_plan

    _forget_overrides()
    plan = demo_plan(seed)
    with stopped_by_signals(), _written(folder, plan, seed, is_fresh=fresh) as config_file:
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
        terminal.say(f"The graph is at {servers.url}; the sensors look at the shares every {settings.scan_interval_s} s.")
        _wait_for_all(found, expected, servers, limit_s)
        is_as_planned = _report(found, expected, as_json=as_json)
        if not exit_when_done:
            _say_where_to_look(config_file, expected, servers)
            try:
                servers.wait()
            except KeyboardInterrupt:
                terminal.say("Stopped.")
    return is_as_planned
