"""Which regions a name means: an Allen region with all inside it. Target areas of the lab live in `units`, lookups in `ccf`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from map_assets.analyst.errors import NoSuchRegion, near

if TYPE_CHECKING:
    import pyarrow as pa


def resolve_region(name: str, ontology: pa.Table | None, present: Iterable[str]) -> set[str]:
    """Find the acronyms that a region's name stands for.

    Parameters
    ----------
    name : str
        An Allen acronym (``MOs``) or full name (``Secondary motor area``); capitals do not matter where only one fits.
    ontology : pyarrow.Table or None
        CCF_ONTOLOGY; without it a name means only itself.
    present : iterable of str
        Acronyms that the electrodes bear.

    Returns
    -------
    set of str
        The region's acronym and those of all regions inside it.

    Raises
    ------
    NoSuchRegion
        If nothing is called so; names that look like it are given.
    """
    acronyms = set(present)
    if ontology is None or ontology.num_rows == 0:
        if name in acronyms:
            return {name}
        raise NoSuchRegion(
            f"No electrode is in a region {name!r}{near(name, acronyms)}; no ontology stands in the store, "
            "so that only the electrodes' own acronyms are known."
        )
    rows = ontology.select(["region_id", "region", "name", "parent_id"]).to_pylist()
    exact = [row for row in rows if name in {row["region"], row["name"]}]
    folded = [row for row in rows if name.casefold() in {row["region"].casefold(), row["name"].casefold()}]
    found = exact or folded
    if len({row["region_id"] for row in found}) != 1:
        names = {row["region"] for row in found or rows} | {row["name"] for row in found or rows}
        raise NoSuchRegion(
            f"{'More than one' if found else 'No'} Allen region is called {name!r}{near(name, names)}; "
            "lab.table('ccf_ontology') lists all, and no probe was aimed at an area of that name."
        )
    children: dict[int | None, list[int]] = {}
    for row in rows:
        children.setdefault(row["parent_id"], []).append(row["region_id"])
    inside, edge = set(), [found[0]["region_id"]]
    while edge:
        region = edge.pop()
        inside.add(region)
        edge.extend(children.get(region, []))
    return {row["region"] for row in rows if row["region_id"] in inside}
