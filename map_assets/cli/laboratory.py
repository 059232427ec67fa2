"""Which laboratory a command speaks of: its configuration and services, opened only as far as the command needs. What they hold lives in the rooms."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from map_assets.vocabulary.errors import BadConfiguration, MapAssetsError

if TYPE_CHECKING:
    from map_assets.config import Config
    from map_assets.defs.services import Services
    from map_assets.shares.ledger import Ledger

CONFIG_VARIABLE = "MAP_ASSETS_CONFIG"


class NoDagster(MapAssetsError):
    """The command needs the asset graph, and Dagster is not installed."""


def use_config(path: Path) -> None:
    """Let this process, and all that it starts, take another configuration file.

    Raises
    ------
    BadConfiguration
        If there is no such file.
    """
    if not path.is_file():
        raise BadConfiguration(f"--config names {path}, and there is no such file; correct the path.")
    os.environ[CONFIG_VARIABLE] = str(path.expanduser().absolute())


def configuration() -> tuple[Config, Path | None]:
    """Read the configuration in force; gives the file that it stands in, too (None: defaults and environment)."""
    from map_assets.config import config_file, load_config

    path = config_file()
    return load_config(path), path


def services_of(config: Config) -> Services:
    """Give a laboratory's services; each is opened at its first use."""
    from map_assets.defs.services import Services

    return Services(config)


def services() -> Services:
    """Give the services of the laboratory in force."""
    return services_of(configuration()[0])


def has_database(config: Config) -> bool:
    """Whether the laboratory's database stands; opening one that does not would make it."""
    kind, _, path = config.registry.url.partition(":///")
    return not kind.startswith("sqlite") or Path(path).is_file()


def ledger_if_there(found: Services) -> Ledger | None:
    """Open the ledger for looking; None where nothing was scanned yet."""
    return found.ledger if has_database(found.config) else None


def require_dagster(command: str) -> None:
    """Make sure that the asset graph can be loaded.

    Raises
    ------
    NoDagster
        If Dagster is not installed.
    """
    for package in ("dagster", "dagster_webserver"):
        try:
            is_there = find_spec(package) is not None
        except ImportError:
            is_there = False
        if not is_there:
            raise NoDagster(
                f"`map-assets {command}` needs Dagster, which is not installed here; "
                'install it with pip install "map-assets[dagster]".'
            )
