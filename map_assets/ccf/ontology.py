"""The Allen mouse brain ontology as a table, and who lies under whom. The volume that uses its ids lives in `annotation`, the table of who lies under whom in `closure`."""

from __future__ import annotations

import difflib
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike

from map_assets.ccf.map_ephys_names import map_ephys_names
from map_assets.ccf.tables import CCF_ONTOLOGY
from map_assets.vocabulary.errors import MapAssetsError

ROOT_ID = 997


class NoSuchRegion(MapAssetsError):
    """An acronym that the ontology does not hold."""


def make_ontology() -> pa.Table:
    """Build the ``ccf_ontology`` table from the structure tree that iblatlas ships; nothing is downloaded.

    iblatlas holds each region twice, the left side under the negative id; here it stands once, under the Allen id.
    Names are iblatlas's, Allen's "safe names" without commas. Id 0 ("void", outside the brain) is no region and is left out. A region that a grouping sends to the root (as
    those above its level) has no name in that grouping.

    Returns
    -------
    pyarrow.Table
        ``ccf_ontology``, in the order of the Allen graph, root first.
    """
    from iblatlas.regions import BrainRegions

    tree = BrainRegions()
    rows = np.flatnonzero(tree.id > 0)
    parent = tree.parent[rows]
    names = np.asarray(tree.acronym, dtype=object)
    full_names = [str(name) for name in np.asarray(tree.name, dtype=object)[rows]]

    def grouped(mapping: str) -> list[str | None]:
        found = names[np.asarray(tree.mappings[mapping])[rows]]
        return [None if name in {"root", "void"} else str(name) for name in found]

    return CCF_ONTOLOGY.from_columns(
        {
            "region_id": tree.id[rows],
            "region": [str(name) for name in names[rows]],
            "name": full_names,
            "parent_id": [None if np.isnan(one) else int(one) for one in parent],
            "depth": tree.level[rows].astype(np.int64),
            "color": ["{:02X}{:02X}{:02X}".format(*rgb) for rgb in np.asarray(tree.rgb)[rows].tolist()],
            "beryl": grouped("Beryl"),
            "cosmos": grouped("Cosmos"),
            "map_ephys_name": map_ephys_names(tree.id[rows].tolist(), full_names),
        }
    )


def names_of(ontology: pa.Table, region_ids: ArrayLike, *, may_be_unknown: bool = False) -> pa.StringArray:
    """Give the acronyms of labels of an annotation volume.

    Parameters
    ----------
    ontology : pyarrow.Table
        ``ccf_ontology``.
    region_ids : array_like of int, shape (n,)
        Null is allowed in an Arrow array.
    may_be_unknown : bool
        A label that is none of the ontology's has no name then, instead of being an error.

    Returns
    -------
    pyarrow.StringArray, shape (n,)
        Null for 0 and below (no region), and for null.

    Raises
    ------
    NoSuchRegion
        If a label is none of the ontology's.
    """
    wanted = region_ids if isinstance(region_ids, pa.Array) else pa.array(np.asarray(region_ids, np.int64))
    at = pc.index_in(wanted, ontology["region_id"].combine_chunks(), skip_nulls=True)
    unknown = wanted.filter(pc.and_(pc.is_null(at), pc.greater(wanted, 0)))
    if len(unknown) and not may_be_unknown:
        raise NoSuchRegion(f"No region has the id {unknown[0].as_py()}: volume and ontology are of different releases.")
    return ontology["region"].combine_chunks().take(at)


def is_under(ontology: pa.Table, acronym: str) -> frozenset[int]:
    """Return the ids of a region and of all that lies under it.

    Parameters
    ----------
    ontology : pyarrow.Table
        ``ccf_ontology``.
    acronym : str
        Such as ``TH``.

    Raises
    ------
    NoSuchRegion
        If no region has that acronym.
    """
    names = ontology["region"].to_pylist()
    if acronym not in names:
        near = difflib.get_close_matches(acronym, names, n=3, cutoff=0.5)
        meant = f"; did you mean {' or '.join(near)}?" if near else "."
        raise NoSuchRegion(f"No region has the acronym {acronym!r}{meant}")
    ids = ontology["region_id"].to_pylist()
    children = _children(tuple(ids), tuple(ontology["parent_id"].to_pylist()))
    found: set[int] = set()
    todo = [ids[names.index(acronym)]]
    while todo:
        region = todo.pop()
        found.add(region)
        todo.extend(child for child in children.get(region, ()) if child not in found)
    return frozenset(found)


@lru_cache(maxsize=4)
def _children(ids: tuple[int, ...], parents: tuple[int | None, ...]) -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for region, parent in zip(ids, parents, strict=True):
        if parent is not None:
            children.setdefault(parent, []).append(region)
    return children
