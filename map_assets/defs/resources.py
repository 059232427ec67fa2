"""The laboratory as a Dagster resource: nothing but the way to its configuration."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import dagster as dg

from map_assets.config import load_config
from map_assets.defs.services import Services


class LabResource(dg.ConfigurableResource[Services]):
    """Services of the laboratory whose configuration file is named here, or found as `map_assets.config` says."""

    config_file: str | None = None

    @property
    def services(self) -> Services:
        """The laboratory's services, opened once a process."""
        return _services(self.config_file)


@lru_cache(maxsize=8)
def _services(config_file: str | None) -> Services:
    return Services(load_config(None if config_file is None else Path(config_file)))
