"""Who lies under whom, as a table: one row for each region and each region that holds it. The regions themselves are `ontology`."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from map_assets.ccf.tables import CCF_REGION_CLOSURE


def make_closure(ontology: pa.Table) -> pa.Table:
    """Spell out the ontology's tree, so that all that lies under a region is one join.

    ``select u.* from units u join electrodes e using (session, probe, electrode) join ccf_region_closure c using
    (region_id) where c.under = 'TH'`` gives all units of the thalamus.

    Parameters
    ----------
    ontology : pyarrow.Table
        ``ccf_ontology``.

    Returns
    -------
    pyarrow.Table
        ``ccf_region_closure``, by region in the ontology's order, each from itself up to the root.
    """
    ids = ontology["region_id"].combine_chunks()
    parent = pc.fill_null(pc.index_in(ontology["parent_id"].combine_chunks(), ids, skip_nulls=True), -1)
    parent_at = np.asarray(parent, np.int64)
    region = np.arange(len(ids))
    at, n_steps = region, 0
    rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    while region.size:
        rows.append((region, at, np.full(region.size, n_steps)))
        is_held = parent_at[at] >= 0
        region, at, n_steps = region[is_held], parent_at[at[is_held]], n_steps + 1
    below, above, steps = (np.concatenate(column) for column in zip(*rows, strict=True))
    order = np.lexsort((steps, below))
    names = ontology["region"].combine_chunks()
    return CCF_REGION_CLOSURE.from_columns(
        {
            "region_id": ids.take(below[order]),
            "under_id": ids.take(above[order]),
            "region": names.take(below[order]),
            "under": names.take(above[order]),
            "n_steps": steps[order],
        }
    )
