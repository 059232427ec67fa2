"""Whether a session's NWB file rests on the tables that stand is told by their versions, whatever the clocks said."""

from __future__ import annotations

import json
from collections.abc import Callable

import pyarrow.parquet as pq
import pytest
from publishing_laboratory import BEHAVIOR_ONLY, INPUTS, WITH_PROBE

from map_assets.behavior.tables import LICKS
from map_assets.nwb.write import OPTIONAL, REQUIRED
from map_assets.publication.errors import NotPublishable
from map_assets.publication.frozen import freeze_nwb
from map_assets.store import Store


def without_first(store: Store) -> None:
    store.write(LICKS, BEHAVIOR_ONLY, store.read("licks", BEHAVIOR_ONLY).slice(1))


def stamp_nwb_long_after(store: Store) -> None:
    (_, _, path) = store.history("nwb", BEHAVIOR_ONLY, ".nwb")[-1]
    path.rename(path.with_name(f"20990101T000000.000000Z-{path.name.partition('-')[2]}"))


def test_the_row_names_the_version_of_every_table_that_the_file_is_made_of(store: Store) -> None:
    told = json.loads(store.read("nwb_file", WITH_PROBE)["made_from"][0].as_py())
    standing = {name for name in (*REQUIRED, *OPTIONAL) if store.has(name, WITH_PROBE)}
    assert told == {name: store.version(name, WITH_PROBE) for name in standing}
    assert {"sessions", "trials", "units", "spikes"} <= set(told)
    assert freeze_nwb(store, WITH_PROBE, INPUTS).made_from == told


def test_a_table_that_was_changed_and_changed_back_leaves_the_file_as_good_as_it_was(store: Store) -> None:
    first = store.read("licks", BEHAVIOR_ONLY)
    without_first(store)
    store.write(LICKS, BEHAVIOR_ONLY, first)
    assert freeze_nwb(store, BEHAVIOR_ONLY, INPUTS).made_from["licks"] == store.version("licks", BEHAVIOR_ONLY)


def gone(store: Store) -> None:
    store.table_path("licks", BEHAVIOR_ONLY).unlink()


@pytest.mark.parametrize("change", [without_first, gone])
def test_a_file_of_other_tables_is_refused_even_where_its_stamp_is_the_younger(
    store: Store, change: Callable[[Store], None]
) -> None:
    change(store)
    stamp_nwb_long_after(store)
    with pytest.raises(NotPublishable, match="made from another version of licks"):
        freeze_nwb(store, BEHAVIOR_ONLY, INPUTS)


def test_a_table_that_came_after_the_file_is_missed_in_it(store: Store) -> None:
    row = store.read("nwb_file", BEHAVIOR_ONLY).to_pylist()[0]
    told = json.loads(row["made_from"])
    del told["licks"]
    row["made_from"] = json.dumps(told)
    from map_assets.nwb.tables import NWB_FILE

    store.write(NWB_FILE, BEHAVIOR_ONLY, NWB_FILE.from_rows([row]))
    with pytest.raises(NotPublishable, match="made from another version of licks"):
        freeze_nwb(store, BEHAVIOR_ONLY, INPUTS)


def test_a_row_that_does_not_say_what_its_file_was_made_from_is_no_proof(store: Store) -> None:
    path = store.table_path("nwb_file", BEHAVIOR_ONLY)
    before = pq.read_table(path, partitioning=None).drop_columns(["made_from"])
    path.unlink()
    pq.write_table(before, path)
    with pytest.raises(NotPublishable, match="does not say from which tables"):
        freeze_nwb(store, BEHAVIOR_ONLY, INPUTS)
