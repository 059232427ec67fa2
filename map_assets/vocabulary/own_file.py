"""A TOML file that comes with a room, or a laboratory's own in its place. What its values mean is said in the room."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from map_assets.vocabulary.errors import BadConfiguration


def read_own_or_packaged(path: Path | None, package: str, name: str) -> tuple[str, dict[str, Any]]:
    """Read the laboratory's file, or the package's where it has none.

    Parameters
    ----------
    path : pathlib.Path or None
        The laboratory's own.
    package, name : str
        Where the package's lies.

    Returns
    -------
    file : str
        What to call it in a sentence.
    values : dict

    Raises
    ------
    BadConfiguration
        If it cannot be read as TOML.
    """
    file = name if path is None else str(path)
    try:
        text = files(package).joinpath(name).read_text("utf-8") if path is None else path.read_text("utf-8")
        return file, tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadConfiguration(f"{file} cannot be read ({error}); expected TOML as in the package's {name}.") from error
