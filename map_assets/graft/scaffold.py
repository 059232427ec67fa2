"""A new analysis' package, written from the template. What is in it is declared with `declare`."""

from __future__ import annotations

import keyword
import re
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import Literal, get_args

from map_assets.catalog import BY_NAME
from map_assets.store import replacing
from map_assets.vocabulary.errors import MapAssetsError

Language = Literal["python", "octave"]
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_MORE_TESTS = "more_tests.py.template"


class CannotBeWritten(MapAssetsError):
    """A new analysis cannot be written as asked."""


def write_package(name: str, namespace: str, folder: Path, language: Language = "python") -> list[Path]:
    """Write the package of a new analysis.

    Parameters
    ----------
    name : str
        Of the analysis, its table and its package.
    namespace : str
        Whose it is.
    folder : pathlib.Path
        New or empty.
    language : str
        Of its body.

    Returns
    -------
    list of pathlib.Path
        What was written.

    Raises
    ------
    CannotBeWritten
        If a name cannot be used, or the folder is not empty.
    """
    for what, value in (("name", name), ("namespace", namespace)):
        if not _NAME.fullmatch(value) or keyword.iskeyword(value):
            raise CannotBeWritten(
                f"The {what} {value!r} cannot be used; expected small letters, digits and underscores, a letter first."
            )
    if name in BY_NAME or f"{name}_figure" in BY_NAME:
        raise CannotBeWritten(f"There is a table {name} in the catalog already; take another name.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CannotBeWritten(f"{folder} is not empty; name a folder that is new or empty with --to.")
    if language not in get_args(Language):
        raise CannotBeWritten(f"There is no template for {language}; choose one of {', '.join(get_args(Language))}.")
    template = resources.files("map_assets.graft").joinpath("template")
    more = template.joinpath(language, _MORE_TESTS)
    values = {"name": name, "namespace": namespace, "project": name.replace("_", "-")}
    values["more_tests"] = Template(more.read_text("utf-8")).substitute(values) if more.is_file() else ""
    written = []
    for part in ("common", language):
        for source, parts in _files(template.joinpath(part)):
            target = folder.joinpath(*(one.replace("NAME", name) for one in parts))
            with replacing(target) as made:
                made.write_text(Template(source.read_text("utf-8")).substitute(values).rstrip() + "\n", "utf-8")
            written.append(target)
    return sorted(written)


def _files(folder: Traversable, above: tuple[str, ...] = ()) -> list[tuple[Traversable, tuple[str, ...]]]:
    """Templates in a folder of the package, each with its path without ``.template``."""
    found: list[tuple[Traversable, tuple[str, ...]]] = []
    for one in folder.iterdir():
        if one.is_dir():
            found += _files(one, (*above, one.name))
        elif one.name.endswith(".template") and one.name != _MORE_TESTS:
            found.append((one, (*above, one.name.removesuffix(".template"))))
    return found
