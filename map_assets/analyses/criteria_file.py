"""The file of quality criteria: thresholds by brain area, read and checked. Units are judged by it in `unit_criteria`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from map_assets.vocabulary.errors import BadConfiguration
from map_assets.vocabulary.own_file import read_own_or_packaged

TABLES = ("units", "unit_stats", "drift")
"""Tables that a measure may come from."""


@dataclass(frozen=True)
class Criterion:
    """One threshold.

    Parameters
    ----------
    measure : str
        Its name in the file.
    table, column : str
        Where the measure stands.
    above, below : float
        The measure must be larger than one and smaller than the other; infinite where only one is asked for.
    """

    measure: str
    table: str
    column: str
    above: float = -math.inf
    below: float = math.inf

    def __str__(self) -> str:
        asked = [f"> {self.above:g}"] * math.isfinite(self.above) + [f"< {self.below:g}"] * math.isfinite(self.below)
        return f"{self.measure} {' and '.join(asked)}"


@dataclass(frozen=True)
class CriteriaFile:
    """A file of criteria, read.

    Parameters
    ----------
    version : str
    areas : mapping of str to tuple of Criterion
        By the area's name in lower case.
    """

    version: str
    areas: Mapping[str, tuple[Criterion, ...]]

    def of(self, brain_area: str) -> tuple[Criterion, ...]:
        """Return an area's criteria; none where the file does not name it."""
        return self.areas.get(brain_area.strip().casefold(), ())


def read_criteria(path: Path | None = None) -> CriteriaFile:
    """Read a file of criteria.

    Parameters
    ----------
    path : pathlib.Path, optional
        A laboratory's own file; without one, the package's ``unit_criteria.toml``.

    Raises
    ------
    BadConfiguration
        If it cannot be read, lacks a part, or a threshold is no number or of a measure that it does not place.
    """
    name, found = read_own_or_packaged(path, "map_assets.analyses", "unit_criteria.toml")
    if not found.keys() <= {"version", "measures", "areas"}:
        raise _odd(name, f"holds {', '.join(sorted(found.keys() - {'version', 'measures', 'areas'}))}")
    version = found.get("version")
    if not isinstance(version, str) or not version.strip():
        raise _odd(name, "names no version, which must be a text")
    places = {measure: _place(name, measure, place) for measure, place in _part(name, found, "measures").items()}
    areas: dict[str, tuple[Criterion, ...]] = {}
    for area, thresholds in _part(name, found, "areas").items():
        if area.strip().casefold() in areas or not isinstance(thresholds, dict):
            raise _odd(name, f"names the area {area} twice, or without thresholds")
        asked = tuple(_criterion(name, area, measure, limits, places) for measure, limits in thresholds.items())
        areas[area.strip().casefold()] = asked
    return CriteriaFile(version.strip(), areas)


def _part(name: str, found: Mapping[str, Any], part: str) -> dict[str, Any]:
    inside = found.get(part, {})
    if not isinstance(inside, dict):
        raise _odd(name, f"has no section {part}")
    return inside


def _place(name: str, measure: str, place: object) -> tuple[str, str]:
    table, _, column = place.partition(".") if isinstance(place, str) else ("", "", "")
    if table not in TABLES or not column:
        raise _odd(name, f"places {measure} at {place!r}, which is no column of {', '.join(TABLES)}")
    return table, column


def _criterion(name: str, area: str, measure: str, limits: object, places: Mapping[str, tuple[str, str]]) -> Criterion:
    if measure not in places:
        raise _odd(name, f"asks for {measure} in {area}, and the section measures does not say where it stands")
    is_table = isinstance(limits, dict) and bool(limits) and limits.keys() <= {"above", "below"}
    values = list(limits.values()) if isinstance(limits, dict) and is_table else []
    if not values or not all(type(value) in {int, float} and math.isfinite(value) for value in values):
        raise _odd(
            name, f"asks for {measure} in {area} as {limits!r}; write {{ above = 0.9 }}, {{ below = 0.1 }} or both"
        )
    assert isinstance(limits, dict)
    above, below = float(limits.get("above", -math.inf)), float(limits.get("below", math.inf))
    return Criterion(measure, *places[measure], above, below)


def _odd(name: str, found: str) -> BadConfiguration:
    return BadConfiguration(f"{name}: it {found}.")
