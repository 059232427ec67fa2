"""The demonstration's archive filled by Globus: a service of its own on this machine, and the configuration that uses it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ARCHIVE = re.compile(r"^\[archive\]\n(?:(?!\[).*\n?)*", re.MULTILINE)
POLL_S = 2


@contextmanager
def with_globus(config_file: Path) -> Iterator[Path]:
    """Serve the laboratory's folders as Globus would, until the block ends; gives a configuration file that uses that.

    Real files are copied between real folders by the real client over 127.0.0.1; no account is needed. The client's
    secret is in the environment of this process and its children alone.
    """
    from map_assets.archive.globus_loopback.start import as_toml, start_loopback
    from map_assets.config import load_config

    config = load_config(config_file)
    shares = {name: share.path for name, share in config.shares.items()}
    folder = config_file.parent / "globus"
    with start_loopback(shares, config.archive.root, folder) as running:
        own = config_file.with_name("map_assets_globus.toml")
        archive = f'[archive]\nbackend = "globus"\npoll_interval_s = {POLL_S}\n\n{as_toml(running.settings)}\n'
        own.write_text(_ARCHIVE.sub("", config_file.read_text("utf-8")) + "\n" + archive, "utf-8")
        yield own
