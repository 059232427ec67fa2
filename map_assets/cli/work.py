"""Commands that let the asset graph work: `up` and `ingest`. The graph itself lives in `defs`."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from map_assets.cli import terminal
from map_assets.cli.laboratory import configuration, require_dagster, services_of

if TYPE_CHECKING:
    from map_assets.cli.conservation import State
    from map_assets.config import Config


def up(
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of the web pages; 0 takes a free one.", show_default="as configured"),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address that they listen on.", show_default="as configured")] = None,
) -> None:
    """Start webserver and daemon, and stay until Ctrl-C."""
    require_dagster("up")
    from map_assets.defs.up import Servers

    config, path = configuration()
    if not config.shares:
        terminal.say(
            "No share is named in the configuration, so nothing will arrive: add a block [shares.NAME] to map_assets.toml."
        )
    with stopped_by_signals(), Servers(config, path, host=host, port=port) as servers:
        with terminal.progress("starting webserver and daemon"):
            servers.wait_until_ready()
        terminal.say(f"Up at {servers.url}; logs are in {servers.log('daemon').parent}. Ctrl-C stops it.")
        try:
            servers.wait()
        except KeyboardInterrupt:
            terminal.say("Stopped.")


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP end the block in order, once: who is stopping is not stopped half-way."""
    asked = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        del number, frame
        if not asked:
            asked = True
            raise KeyboardInterrupt

    is_main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if is_main else ()
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ingest(
    sessions: Annotated[
        list[str] | None, typer.Argument(help="Only these session keys, as in SC022_20190228_151010; all by default.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Go on until no file is still changing.")] = False,
    again: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TABLE",
            help="Make this table of the named sessions anew, though nothing has changed; may be repeated.",
        ),
    ] = None,
    settle_s: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="How long a file must stand still, in seconds, on every share in this call.",
            show_default="as configured",
        ),
    ] = None,
    as_json: terminal.AsJson = False,
) -> None:
    """Scan the shares and materialize what is due, in this process."""
    from map_assets.vocabulary.session import SessionKey

    only = [str(SessionKey.parse(text)) for text in sessions or ()]
    require_dagster("ingest")
    from map_assets.cli.conservation import show_state, state_of
    from map_assets.defs.home import prepare_home
    from map_assets.defs.ingest import ingest as ingest_all

    config, path = configuration()
    found = services_of(config if settle_s is None else _with_settle_s(config, settle_s))
    log = prepare_home(config.orchestration.home) / "logs" / "ingest.log"
    with terminal.progress("scanning the shares") as bar, _orchestrator_writes_to(log):
        report = ingest_all(found, path, only, wait=wait, again=again or (), say=lambda text: bar.at(None, None, text))
    state = state_of(config, found.ledger, only)
    show_state(state, as_json=as_json)
    for session, why in report.failed.items():
        terminal.say(f"{session}: {why}")
    if report.failed:
        terminal.say(f"The whole story is in {log}.")
    if report.failed or report.is_share_missing or not is_well(state):
        raise typer.Exit(1)


def is_well(state: State) -> bool:
    """Whether everything ended ingested or waits for something named."""
    return state.is_conserved and not state.quarantine and not state.failed


def _with_settle_s(config: Config, settle_s: float) -> Config:
    shares = {name: share.model_copy(update={"settle_s": settle_s}) for name, share in config.shares.items()}
    return config.model_copy(update={"shares": shares})


@contextlib.contextmanager
def _orchestrator_writes_to(log: Path) -> Iterator[None]:
    """Let what the orchestrator says of each event go to a file; the terminal is for people."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("a", encoding="utf-8") as stream,
        contextlib.redirect_stderr(stream),
        contextlib.redirect_stdout(stream),
    ):
        yield
