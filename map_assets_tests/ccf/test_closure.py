"""Who lies under whom: the table agrees with walking the tree, and one join answers for a region."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from map_assets.ccf.closure import make_closure
from map_assets.ccf.ontology import is_under, make_ontology


@pytest.fixture(scope="module")
def ontology() -> pa.Table:
    return make_ontology()


@pytest.fixture(scope="module")
def closure(ontology: pa.Table) -> pa.Table:
    return make_closure(ontology)


def test_every_region_lies_under_itself_its_parent_and_the_root(ontology: pa.Table, closure: pa.Table) -> None:
    rows = {(row["region_id"], row["under_id"]): row["n_steps"] for row in closure.to_pylist()}
    for region in ontology.to_pylist():
        assert rows[region["region_id"], region["region_id"]] == 0
        assert rows[region["region_id"], 997] == region["depth"]
        if region["parent_id"] is not None:
            assert rows[region["region_id"], region["parent_id"]] == 1
    assert len(rows) == sum(depth + 1 for depth in ontology["depth"].to_pylist())


@pytest.mark.parametrize("place", ["root", "TH", "VISp", "VISp6b", "fiber tracts", "CB"])
def test_the_table_holds_what_the_call_finds(ontology: pa.Table, closure: pa.Table, place: str) -> None:
    under = closure.filter(pa.compute.field("under") == place)
    assert set(under["region_id"].to_pylist()) == is_under(ontology, place)


def test_all_units_of_the_thalamus_are_one_join(closure: pa.Table) -> None:
    # MD, VPM and CP; an electrode without a region
    units = pa.table({"unit_id": [1, 2, 3, 4, 5], "electrode": [10, 11, 12, 13, 12]})
    electrodes = pa.table({"electrode": [10, 11, 12, 13], "region_id": [362, 672, 733, None]})
    database = duckdb.connect()
    for name, table in (("units", units), ("electrodes", electrodes), ("ccf_region_closure", closure)):
        database.register(name, table)
    found = database.sql(
        "select unit_id from units join electrodes using (electrode) join ccf_region_closure using (region_id) "
        "where under = 'TH' order by unit_id"
    ).fetchall()
    assert found == [(1,), (3,), (5,)]
