"""SQL over all sessions: everything can be asked, nothing can be changed, and nothing but the store can be read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from map_assets.analyst import open_lab
from map_assets.analyst.errors import BadQuery
from map_assets.analyst.lab import Lab
from map_assets.catalog import TABLES
from map_assets.store import Store


def test_a_query_sees_all_sessions(lab: Lab, small: ModuleType) -> None:
    found = lab.sql("select session, count(*) as n from trials where outcome = 'hit' group by session order by session")
    assert found["session"].tolist() == small.ALL
    assert found["n"].tolist() == [26, 26, 26]


def test_a_query_joins_tables(lab: Lab) -> None:
    found = lab.sql(
        "select u.unit_id, e.region from units u join electrodes e using (session, probe, electrode) "
        "where u.quality = 'good' and e.region is not null order by u.unit_id"
    )
    assert found.to_dict("list") == {"unit_id": [0, 7], "region": ["VAL", "MOs2/3"]}


def test_tables_whose_columns_differ_are_united_by_name(lab: Lab, small: ModuleType) -> None:
    found = lab.sql("select session, max(depth_rank) as deepest from units group by session order by session")
    assert found["deepest"].isna().tolist() == [True, False] and found["deepest"][1] == 5


def test_values_go_in_as_parameters(lab: Lab) -> None:
    assert lab.sql("select count(*) as n from trials where trial = ?", [5])["n"].tolist() == [3]
    assert lab.sql("select $side as side", {"side": "'; drop table trials; --"})["side"].tolist() == [
        "'; drop table trials; --"
    ]


def test_sums_are_whole_numbers_and_literals_floats(lab: Lab, small: ModuleType) -> None:
    found = lab.sql("select sum(n_spikes) as n, sum(n_spikes) * 1.5 as more, 99999999999999999999 as big from units")
    assert str(found["n"].dtype) == "int64"
    assert found["n"][0] == 2 * sum(map(len, small.SAMPLES.values()))
    assert found["more"].dtype == found["big"].dtype == np.float64


def test_lists_and_instants_come_out_as_they_stand(lab: Lab, small: ModuleType) -> None:
    row = lab.sql("select samples from spikes where session = ? and probe = 1 and unit_id = 7", [small.WHOLE])
    np.testing.assert_array_equal(row["samples"][0], small.SAMPLES[1, 7])
    assert str(lab.sql("select start_time from sessions")["start_time"][0]) == "2019-02-28 20:10:10+00:00"


def test_every_table_can_be_shown_and_described(lab: Lab) -> None:
    assert sorted(lab.sql("show tables")["name"]) == sorted(table.name for table in TABLES)
    assert "go_s" in lab.sql("describe trials")["column_name"].tolist()
    assert lab.sql("select count(*) as n from tracking")["n"].tolist() == [0]
    assert lab.sql("from TRIALS").shape == lab.table("trials").shape


def test_what_is_written_later_is_seen_at_the_next_query(small: ModuleType, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    small.write_behavior(store, small.OTHER)
    lab = open_lab(store.root)
    count = "select count(*) as n from licks"
    assert lab.sql("select count(*) as n from units")["n"][0] == 0
    assert lab.sql(count)["n"][0] == 76
    small.write_behavior(store, small.WHOLE)
    small.write_ephys(store, small.WHOLE)
    assert lab.sql(count)["n"][0] == 152
    assert lab.sql("select count(*) as n from units")["n"][0] == 5
    small.written(store, small.LICKS, small.WHOLE, {"trial": [1], "lick_id": [0], "time_s": [0.5], "port": ["left"]})
    assert lab.sql(count)["n"][0] == 77


@pytest.mark.parametrize(
    "query",
    [
        "copy trials to '{store}/tables/trials/x.parquet'",
        "explain analyze copy trials to '{store}/tables/trials/x.parquet'",
        "with x as (copy trials to '{store}/tables/x') select 1",
        "export database '{store}/tables/x'",
        "attach '{store}/tables/x.db'",
        "create table '{store}/x' as select 1",
        "insert into trials select * from trials",
        "delete from trials",
        "drop view trials",
        "set enable_external_access = true",
        "install httpfs",
        "load httpfs",
        "call pragma_version()",
        "select 1; drop view trials",
        "select * from read_text('/etc/hostname')",
        "select * from '/etc/hostname'",
        "select * from glob('/etc/*')",
        "select * from read_parquet('{store}/../*.parquet')",
        "select * from read_text('{store}/files/*/*')",
        "select * from lab",
        "selec 1",
        "",
    ],
)
def test_nothing_else_is_done(query: str, lab: Lab, store_root: Path) -> None:
    before = sorted(path.relative_to(store_root) for path in store_root.rglob("*"))
    with pytest.raises(BadQuery):
        lab.sql(query.format(store=store_root))
    assert sorted(path.relative_to(store_root) for path in store_root.rglob("*")) == before
    assert len(lab.sql("select * from trials")) == 117


def test_a_store_may_stand_in_a_folder_with_an_odd_name(small: ModuleType, tmp_path: Path) -> None:
    for name in ("it's", "st[o]re", "a*b?", "two words"):
        store = Store(tmp_path / name)
        small.write_behavior(store, small.WHOLE)
        assert len(open_lab(store.root).sql("select * from trials")) == 39


def test_many_threads_may_ask_one_lab(lab: Lab) -> None:
    tables = ["trials", "licks", "units", "sessions", "spikes"] * 4
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda name: len(lab.sql(f"select * from {name}")), tables))
    assert found == [len(lab.table(name)) for name in tables]
