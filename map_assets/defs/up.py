"""Webserver and daemon as child processes of one command, on loopback unless the configuration says otherwise."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

from map_assets.config import Config
from map_assets.defs.home import make_storage, prepare_home
from map_assets.vocabulary.errors import MapAssetsError

_STOP_S = 30.0


class Servers:
    """The laboratory's webserver and daemon; a context manager that starts and stops both.

    Parameters
    ----------
    config : Config
    config_file : pathlib.Path or None
        The file that `config` was read from; handed to the children.
    host, port : optional
        In place of the configuration's; port 0 takes a free one.
    """

    def __init__(
        self, config: Config, config_file: Path | None, *, host: str | None = None, port: int | None = None
    ) -> None:
        self.config_file = config_file
        self.host = config.orchestration.webserver_host if host is None else host
        wanted = config.orchestration.webserver_port if port is None else port
        self.port = free_port(self.host) if wanted == 0 else wanted
        self.home = prepare_home(config.orchestration.home)
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        """Where the UI is."""
        return f"http://{self.host}:{self.port}"

    def log(self, name: str) -> Path:
        """Where a child writes what it has to say: ``webserver`` or ``daemon``."""
        return self.home / "logs" / f"{name}.log"

    def start(self) -> None:
        """Start both children.

        Raises
        ------
        MapAssetsError
            If the port is taken.
        """
        if is_taken(self.host, self.port):
            raise MapAssetsError(f"Port {self.port} of {self.host} is taken; choose another with --port.")
        make_storage(self.home)
        workspace = ["-w", str(self.home / "workspace.yaml")]
        web = ["-m", "dagster_webserver", *workspace, "-h", self.host, "-p", str(self.port)]
        self._children["webserver"] = self._spawn("webserver", web)
        self._children["daemon"] = self._spawn("daemon", ["-m", "dagster._daemon", "run", *workspace])

    def _spawn(self, name: str, arguments: list[str]) -> subprocess.Popen[bytes]:
        self.log(name).parent.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "DAGSTER_HOME": str(self.home), "DAGSTER_DISABLE_TELEMETRY": "1"}
        if self.config_file is not None:
            environment["MAP_ASSETS_CONFIG"] = str(self.config_file)
        with self.log(name).open("ab") as log:
            # a session of its own, so that stopping it takes its code server and run workers along
            return subprocess.Popen(  # noqa: S603 - our own interpreter and modules
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self.home,
                start_new_session=True,
            )

    def wait_until_ready(self, limit_s: float = 120.0) -> None:
        """Wait until the UI answers.

        Raises
        ------
        MapAssetsError
            If a child ends, or the UI does not answer in time.
        """
        ends = time.monotonic() + limit_s
        while time.monotonic() < ends:
            self.must_run()
            try:
                with urllib.request.urlopen(f"{self.url}/server_info", timeout=5) as answer:  # noqa: S310 - our own server
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.25)
        raise MapAssetsError(f"The webserver did not answer within {limit_s:.0f} s; see {self.log('webserver')}.")

    def must_run(self) -> None:
        """Make sure that both children still run.

        Raises
        ------
        MapAssetsError
            If one has ended; its log says why.
        """
        for name, child in self._children.items():
            if child.poll() is not None:
                raise MapAssetsError(f"The {name} ended with exit code {child.returncode}; see {self.log(name)}.")

    def wait(self) -> None:
        """Stay until a child ends."""
        while True:
            self.must_run()
            time.sleep(1.0)

    def stop(self) -> None:
        """Ask both to end, and end them if they do not."""
        for child in self._children.values():
            _signal(child, signal.SIGTERM)
        ends = time.monotonic() + _STOP_S
        for child in self._children.values():
            try:
                child.wait(max(0.1, ends - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
            _signal(child, signal.SIGKILL)
            child.wait()
        self._children.clear()

    def __enter__(self) -> Servers:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal a child and all that it started."""
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        return


def free_port(host: str) -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def is_taken(host: str, port: int) -> bool:
    """Whether somebody listens on a port already."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((host, port)) == 0
