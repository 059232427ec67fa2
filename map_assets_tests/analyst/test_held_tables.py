"""Tables that are asked for again come from memory, and the answers are the files' own all the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from map_assets.analyst import open_lab
from map_assets.analyst.errors import NoSuchColumn
from map_assets.analyst.lab import Lab
from map_assets.catalog import BY_NAME
from map_assets.simulate.tables_only import SMALL, write_tables
from map_assets.store import Store

QUERIES = [
    "select count(*) as n from units",
    "select session, probe, unit_id, quality from units order by all",
    "select session, trial, go_s from trials where outcome = 'hit' order by 1, 2",
    "select u.unit_id, e.region from units u join electrodes e using (session, probe, electrode) order by 1, 2",
    "select * from units order by session, probe, unit_id",
    "select u from units u order by u.session, u.probe, u.unit_id",
    "select u.waveform_uv[1] as first from units u order by u.session, u.probe, u.unit_id",
    "select a.unit_id, b.waveform_uv from units a natural join units b order by a.session, a.probe, a.unit_id",
    "with w as (select * from units) select len(waveform_uv) as n from w order by all",
    "select columns('waveform.*') from units",
    "select max(len(waveform_uv)) as n from units",
    "describe units",
]


def held(lab: Lab) -> set[str]:
    """Names of the tables in memory."""
    return set(lab._desk._plain._held_bytes)


@pytest.mark.parametrize("query", QUERIES)
def test_an_answer_is_the_same_from_files_and_from_memory(query: str, store_root: Path) -> None:
    fresh = open_lab(store_root).sql(query).arrow()
    lab = open_lab(store_root)
    for _ in range(2):
        lab.sql("select quality, electrode from units"), lab.sql("select trial from trials")
        lab.sql("select region from electrodes")
    assert held(lab) == {"units", "trials"}, "electrodes of one session are one file: nothing is gained"
    for _ in range(3):
        assert lab.sql(query).arrow().equals(fresh)


def test_a_table_is_held_from_the_second_question_on_and_let_go_when_it_changes(
    small: ModuleType, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    small.write_behavior(store, small.OTHER)
    small.write_behavior(store, small.WHOLE)
    lab = open_lab(store.root)
    count = "select count(*) as n from licks"
    states = []
    for _ in range(3):
        assert lab.sql(count)["n"][0] == 152
        states.append(held(lab))
    assert states == [set(), {"licks"}, {"licks"}]
    small.written(store, small.LICKS, small.WHOLE, {"trial": [1], "lick_id": [0], "time_s": [0.5], "port": ["left"]})
    assert lab.sql(count)["n"][0] == 77
    assert held(lab) == set()


def test_a_large_table_is_never_held(store_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("map_assets.analyst.views._MOST_HELD_BYTES_A_TABLE", 100)
    lab = open_lab(store_root)
    for _ in range(3):
        assert lab.sql("select count(*) as n from units")["n"][0] == 10
    assert held(lab) == set()


def test_units_are_the_same_from_files_from_memory_and_one_session_at_a_time(
    store_root: Path, small: ModuleType
) -> None:
    lab = open_lab(store_root)
    first, second, third = (lab.units(region="MOs") for _ in range(3))
    assert first.equals(second) and first.equals(third)
    assert first.equals(lab.units(region="MOs", session=[small.WHOLE, small.OTHER]))
    assert first["depth_rank"].isna().all()  # brought by the other session's metrics
    assert first.drop(columns="depth_rank").equals(lab.units(region="MOs", session=small.WHOLE))


def test_a_column_that_older_files_lack_is_null_there(small: ModuleType, tmp_path: Path) -> None:
    """A list column may have been declared after a file was written."""
    import pyarrow.parquet as pq

    store = Store(tmp_path / "store")
    for session in (small.OTHER, small.WHOLE):
        small.write_behavior(store, session)
        small.write_ephys(store, session)
        path = store.table_path("clock_maps", session)
        pq.write_table(pq.read_table(path).drop_columns(["outlier_trials", "contradicted_trials"]), path)
    lab = open_lab(store.root)
    for _ in range(3):
        assert len(lab.sql("select session, probe, offset_s from clock_maps")) == 4


def test_one_probe_is_one_ragged_array_over_the_memory_of_the_reader(lab: Lab, small: ModuleType) -> None:
    spikes = lab.session(small.WHOLE).spikes(1)
    assert spikes.unit_id.tolist() == [3, 7, 12] and len(spikes) == 3 and "3 units" in repr(spikes)
    for unit_id, samples in spikes:
        np.testing.assert_array_equal(samples, small.SAMPLES[1, unit_id])
        assert np.shares_memory(samples, spikes.samples) or not samples.size
        np.testing.assert_array_equal(spikes.samples_of(unit_id), samples)
    assert not spikes.samples.flags.writeable and not spikes.samples.flags.owndata
    lists = spikes.arrow()
    assert lists.to_pylist()[1] == small.SAMPLES[1, 7].tolist()
    assert np.shares_memory(lists.values.to_numpy(), spikes.samples)
    np.testing.assert_allclose(spikes.times_s(), np.concatenate([small.SPIKE_SECONDS[1, n] for n in (3, 7, 12)]))


def test_pynapple_gets_the_same_spikes(lab: Lab, small: ModuleType) -> None:
    group = lab.session(small.WHOLE).spikes(1).to_pynapple()
    assert group["unit_id"].tolist() == [3, 7, 12] and group["probe"].tolist() == [1, 1, 1]
    np.testing.assert_allclose(group[1].index.values, small.SPIKE_SECONDS[1, 7], atol=1e-9)
    assert [len(group[row]) for row in range(3)] == [len(small.SAMPLES[1, n]) for n in (3, 7, 12)]


def test_xarray_tells_silence_from_what_was_not_observed(lab: Lab, small: ModuleType) -> None:
    session = lab.session(small.WHOLE)
    spikes = session.aligned_spikes("go", window=(-1.0, 1.0))
    counts = spikes.to_xarray(bin_s=0.1)
    assert counts.dims == ("unit", "trial", "time_from_event_s") and counts.sizes["time_from_event_s"] == 20
    assert counts.sum().item() == spikes.times_s.size
    of_two = counts.isel(unit=np.flatnonzero(counts["probe"].values == 2))
    assert np.isnan(of_two.sel(trial=range(1, 7))).all() and of_two.sel(trial=range(12, 20)).notnull().all()
    silent = counts.isel(unit=np.flatnonzero((counts["probe"] == 1) & (counts["unit_id"] == 12)))
    assert (silent == 0).all()
    rate = counts.isel(unit=1).mean("trial").values / 0.1
    np.testing.assert_allclose(rate, session.psth(1, 7, window=(-1.0, 1.0), bin_s=0.1)["rate_hz"], rtol=1e-5)


def test_whole_tables_of_many_sessions_are_read_as_file_by_file(tmp_path: Path) -> None:
    plan = replace(SMALL, n_animals=3, n_sessions=20, n_probes=20, n_units=40, n_trials=10, has_spikes=False)
    write_tables(tmp_path, BY_NAME, plan)
    lab = open_lab(tmp_path)
    for name in ("sessions", "trials", "electrodes", "units", "unit_stats", "clock_maps", "videos"):
        expected = lab._standing.read(name)
        for _ in range(3):
            found = lab.arrow(name)
            assert found.equals(expected) and found.schema.equals(expected.schema, check_metadata=True), name
    chosen = ["quality", "session", "unit_id"]
    for _ in range(3):
        assert lab.arrow("units", columns=chosen).equals(lab._standing.read("units", None, chosen))
    assert held(lab) >= {"sessions", "trials", "units"}
    with pytest.raises(NoSuchColumn):
        lab.table("trials", columns=["trial", "gos"])
