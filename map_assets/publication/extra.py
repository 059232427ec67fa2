"""How the libraries of the extra `publish` are loaded: late, without telemetry, with a sentence where one is missing."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from map_assets.publication.errors import PublishExtraMissing


def load(module: str) -> Any:
    """Import a module of the extra `publish`.

    DANDI's client asks a telemetry server for news, and keeps what it read of files in the home folder, unless told not
    to; it is told not to here.

    Raises
    ------
    PublishExtraMissing
        If it is not installed.
    """
    os.environ["DANDI_NO_ET"] = "1"
    os.environ["NO_ET"] = "1"
    os.environ.setdefault("DANDI_CACHE", "ignore")
    try:
        return import_module(module)
    except ImportError as error:
        raise PublishExtraMissing(
            f"Publishing needs {module.partition('.')[0]}, which is not installed here; "
            'install it with pip install "map-assets[publish]".'
        ) from error
