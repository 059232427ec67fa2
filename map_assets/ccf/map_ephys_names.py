"""Region names and colours as the earlier MAP pipeline (map-ephys) wrote them, brought to Allen's ids. The ontology itself is `ontology`.

That pipeline kept two csv files without header: ``id,name`` and ``id,colour``. Its names are Allen's, with the commas
that the atlas library leaves out; `map_ephys_names.csv` holds those that have any. A spreadsheet has taken the leading
zero off some of its colours.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.vocabulary.errors import MapAssetsError, PiecesDoNotFit, UnreadableFile

_HEX = re.compile(r"[0-9A-F]{1,6}")
_TODO = "Take the list from the lab's own checkout of the earlier pipeline."


class NoSuchRegionName(MapAssetsError):
    """A region's name that the ontology does not hold."""


def map_ephys_names(region_ids: Sequence[int], names: Sequence[str]) -> list[str]:
    """Give the earlier pipeline's names of regions, out of their ids and the atlas library's names."""
    with_commas = _with_commas()
    return [with_commas.get(region, name) for region, name in zip(region_ids, names, strict=True)]


@lru_cache(maxsize=1)
def _with_commas() -> dict[int, str]:
    text = files("map_assets.ccf").joinpath("map_ephys_names.csv").read_text(encoding="utf-8")
    return {int(row["region_id"]): row["name"] for row in csv.DictReader(text.splitlines())}


def region_ids_of(ontology: pa.Table, names: Iterable[str]) -> NDArray[np.int64]:
    """Find the ids of regions by the names of either pipeline; capitals, commas and spaces do not matter.

    Parameters
    ----------
    ontology : pyarrow.Table
        ``ccf_ontology``.
    names : iterable of str
        Full names, such as ``Primary motor area, Layer 1``.

    Returns
    -------
    numpy.ndarray of int64, shape (n,)

    Raises
    ------
    NoSuchRegionName
        If a region of that name is not known; those that look like it are given.
    """
    known = {
        _plain(name): (region, name)
        for region, name in zip(ontology["region_id"].to_pylist(), ontology["name"].to_pylist(), strict=True)
    }
    found = []
    for name in names:
        hit = known.get(_plain(name))
        if hit is None:
            near = [known[one][1] for one in difflib.get_close_matches(_plain(name), known, n=3, cutoff=0.8)]
            meant = f"; did you mean {' or '.join(near)}?" if near else "."
            raise NoSuchRegionName(f"No region is called {name!r}{meant}")
        found.append(hit[0])
    return np.asarray(found, np.int64)


def repaired_color(color: str) -> str:
    """Give a colour as six upper-case hex digits, with the zeros that a spreadsheet took off its front: 19399 is 019399.

    Raises
    ------
    ValueError
        If it is no colour.
    """
    plain = color.strip().lstrip("#").upper()
    if not _HEX.fullmatch(plain):
        raise ValueError(f"{color!r} is no colour of up to six hex digits")
    return plain.zfill(6)


def read_map_ephys_list(names_csv: Path, colors_csv: Path) -> dict[int, tuple[str, str]]:
    """Read a lab's own copy of the earlier pipeline's two lists.

    Parameters
    ----------
    names_csv, colors_csv : pathlib.Path
        ``mousebrainontology_2.csv`` and ``hexcode.csv``: no header; id, name and id, colour.

    Returns
    -------
    dict of int to tuple of str
        Name and repaired colour of each region id.

    Raises
    ------
    UnreadableFile
        If a row is not an id and a value, or an id stands twice.
    PiecesDoNotFit
        If the two files do not list the same ids.
    """
    names, colors = _pairs(names_csv), _pairs(colors_csv)
    if set(names) != set(colors):
        odd = sorted(set(names) ^ set(colors))
        raise PiecesDoNotFit(
            colors_csv,
            f"{len(odd)} ids stand in one list alone, such as {odd[0]}",
            expected=f"the ids of {names_csv.name}",
            todo=_TODO,
        )
    try:
        return {region: (name, repaired_color(colors[region])) for region, name in names.items()}
    except ValueError as error:
        raise UnreadableFile(colors_csv, str(error), expected="id, colour", todo=_TODO) from error


def _pairs(path: Path) -> dict[int, str]:
    found: dict[int, str] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            for number, row in enumerate(csv.reader(stream), 1):
                region, value = row
                if int(region) in found:
                    raise ValueError(f"the id {region} stands twice, the second time in row {number}")
                found[int(region)] = value
    except (OSError, ValueError, csv.Error) as error:
        raise UnreadableFile(path, str(error), expected="rows of an id and a value", todo=_TODO) from error
    return found


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
