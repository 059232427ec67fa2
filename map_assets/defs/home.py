"""Dagster's home folder of a laboratory: made at first use from the packaged default, never overwritten."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

import dagster as dg

from map_assets.store import replacing

_DEFAULT_HOME = "data/dagster"
WORKSPACE = """\
load_from:
  - python_module:
      module_name: map_assets.definitions
      location_name: map_assets
"""


def prepare_home(home: Path) -> Path:
    """Make sure that `home` holds a ``dagster.yaml`` and a ``workspace.yaml``; what is there already stays.

    Returns
    -------
    pathlib.Path
        The absolute home.
    """
    home = home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    text = resources.files("map_assets.defs").joinpath("dagster.yaml").read_text("utf-8")
    for name, content in (
        ("dagster.yaml", text.replace(_DEFAULT_HOME, home.as_posix())),
        ("workspace.yaml", WORKSPACE),
    ):
        target = home / name
        if not target.exists():
            with replacing(target) as part:
                part.write_text(content, "utf-8")
    return home


def open_instance(home: Path) -> dg.DagsterInstance:
    """Open the laboratory's Dagster instance in this process."""
    os.environ["DAGSTER_HOME"] = str(prepare_home(home))
    return dg.DagsterInstance.get()


def make_storage(home: Path) -> None:
    """Make the instance's databases, so that processes which start together do not both make them."""
    with dg.DagsterInstance.from_config(str(prepare_home(home))) as instance:
        instance.get_runs_count()
