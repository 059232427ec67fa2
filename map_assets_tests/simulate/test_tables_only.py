"""A laboratory at table level: every table is what is declared, the figures add up, and the truth is in the spikes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from map_assets.catalog import BY_NAME
from map_assets.simulate.tables_only import FULL, SMALL, write_tables
from map_assets.store import Store

HALF = replace(SMALL, n_sessions=3, n_probes=4, n_units=40, n_trials=60)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = tmp_path_factory.mktemp("tables") / "store"
    write_tables(root, BY_NAME, HALF)
    return Store(root)


def test_as_many_sessions_probes_units_and_trials_as_asked_for(store: Store) -> None:
    keys = store.sessions()
    assert len(keys) == HALF.n_sessions and len({key.split("_")[0] for key in keys}) == HALF.n_animals
    assert sum(store.read("probes", key).num_rows for key in store.sessions("probes")) == HALF.n_probes
    assert sum(store.read("units", key).num_rows for key in store.sessions("units")) == HALF.n_units
    assert {store.read("trials", key).num_rows for key in keys} == {HALF.n_trials}


def test_every_table_fits_its_declaration_and_every_unit_has_its_contact_and_probe(store: Store) -> None:
    for name in store.tables():
        for key in store.sessions(name):
            BY_NAME[name].check(store.read(name, key))
    for key in store.sessions("units"):
        contacts = store.read("electrodes", key).select(["probe", "electrode"]).to_pylist()
        units = store.read("units", key).select(["probe", "electrode"]).to_pylist()
        assert {tuple(row.values()) for row in units} <= {tuple(row.values()) for row in contacts}


def test_trials_hold_the_spikes_that_they_say(store: Store) -> None:
    key = store.sessions("spikes")[0]
    fit = {row["probe"]: row for row in store.read("clock_maps", key).to_pylist()}
    rate = {row["probe"]: row["sample_rate_hz"] for row in store.read("probes", key).to_pylist()}
    trials = store.read("trials", key)
    start_s, until_s = trials["start_s"].to_numpy(), trials["until_s"].to_numpy()
    counted = store.read("trial_spikes", key).to_pandas().groupby(["probe", "unit_id"])["n_spikes"].apply(np.array)
    for row in store.read("spikes", key).to_pylist():
        probe = row["probe"]
        seconds = np.array(row["samples"]) / rate[probe] * (1 + fit[probe]["drift_ppm"] * 1e-6) + fit[probe]["offset_s"]
        n_spikes = np.searchsorted(seconds, until_s) - np.searchsorted(seconds, start_s)
        np.testing.assert_array_equal(counted[probe, row["unit_id"]], n_spikes)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, store: Store) -> None:
    tiny = replace(HALF, n_sessions=2, n_probes=1, n_units=5, n_trials=20)
    first, second = (Store(tmp_path / name) for name in "ab")
    for one in (first, second):
        write_tables(one.root, BY_NAME, tiny)
    for name in first.tables():
        for key in first.sessions(name):
            assert first.version(name, key) == second.version(name, key)


def test_the_full_size_is_that_of_the_published_sessions() -> None:
    assert (FULL.n_sessions, FULL.n_units, FULL.n_probes, FULL.n_animals) == (174, 272_000, 659, 28)
    assert FULL.n_sessions * FULL.n_trials == pytest.approx(94_990, rel=0.001)


def test_light_falls_on_trials_and_foraging_has_a_choice(store: Store) -> None:
    delay, foraging = store.read("trials", store.sessions()[0]), store.read("trials", store.sessions()[-1])
    assert 0 < delay["photostim_site"].null_count < HALF.n_trials
    assert delay["choice"].null_count == HALF.n_trials
    assert foraging["photostim_site"].null_count == HALF.n_trials
    chosen = foraging.to_pandas().query("outcome != 'ignore'")["choice"]
    assert set(chosen) == {"left", "right"}
