"""Protocol files: where one is, and reading it with the lab's own before the package's. What a task takes from one lives with the task.

A protocol file says what a task's rigs do and their behaviour files do not say. The package's lie in `protocols`; a lab
that does it otherwise puts a file of the same name into a folder of its own and names that folder in the configuration.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from map_assets.vocabulary.errors import BadConfiguration

Made = TypeVar("Made")


@dataclass(frozen=True)
class ProtocolFile:
    """A protocol file's values, and its name and version for rows that rest on it."""

    source: str
    values: Mapping[str, Any]


def read_protocol_file(name: str, folder: Path | None, make: Callable[[ProtocolFile], Made]) -> Made:
    """Read a task's protocol file.

    Parameters
    ----------
    name : str
        Of the file, without suffix.
    folder : pathlib.Path or None
        The lab's own protocol files; one that is not there is taken from the package.
    make : callable
        From the file to what the task uses of it.

    Raises
    ------
    BadConfiguration
        If the lab's folder is not there, or its file cannot be read or lacks a value.
    """
    if folder is not None and not folder.is_dir():
        raise BadConfiguration(f"{folder} is to hold the lab's protocol files, and there is no such folder.")
    own = folder / f"{name}.toml" if folder is not None else None
    if own is None or not own.is_file():
        packaged: Made = _made(f"{name}.toml", _packaged(name), make)
        return packaged
    try:
        made: Made = _made(str(own), own.read_bytes(), make)
    except OSError as error:
        raise BadConfiguration(f"{own} cannot be read ({error.strerror}).") from error
    return made


def protocols_mark(folder: Path | None) -> str:
    """Fingerprint all protocol files in force, so that tables are made again when one changes."""
    own = sorted(folder.glob("*.toml")) if folder is not None and folder.is_dir() else []
    digest = hashlib.sha256()
    packaged = sorted(
        one.name for one in files("map_assets.behavior.protocols").iterdir() if one.name.endswith(".toml")
    )
    for name in packaged:
        digest.update(_packaged(name.removesuffix(".toml")))
    for path in own:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _packaged(name: str) -> bytes:
    return files("map_assets.behavior.protocols").joinpath(f"{name}.toml").read_bytes()


@lru_cache(maxsize=32)
def _made(path: str, content: bytes, make: Callable[[ProtocolFile], Made]) -> Made:
    try:
        values = tomllib.loads(content.decode("utf-8"))
        return make(ProtocolFile(f"{Path(path).name} version {values['version']}", values))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadConfiguration(f"{path} cannot be read as TOML: {error}") from error
    except KeyError as error:
        raise BadConfiguration(f"{path} lacks {error}; take it over from the package's file of that name.") from error
    except (TypeError, ValueError, AttributeError, re.error) as error:
        raise BadConfiguration(f"{path} holds a value of the wrong kind: {error}") from error
