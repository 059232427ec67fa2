"""Rules of the room that hold for every session: identity, observed intervals, insertions, names."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.behavior.tables import TRIALS
from map_assets.ccf.ontology import make_ontology
from map_assets.nwb.columns import column_name, plain_name
from map_assets.nwb.identity import file_identifier
from map_assets.nwb.observed import observed_intervals
from map_assets.nwb.probes import NO_REGION, allen_acronym
from map_assets.nwb.write import write_nwb

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_the_same_tables_give_the_same_bytes(
    full_session: dict[str, pa.Table], made: SimpleNamespace, tmp_path: Path
) -> None:
    for name in ("one.nwb", "two.nwb"):
        tables = dict(sorted(full_session.items(), reverse=name == "two.nwb"))
        write_nwb(tmp_path / name, made.key, tables, made.subject, made.laboratory, written_at=AT)
    assert (tmp_path / "one.nwb").read_bytes() == (tmp_path / "two.nwb").read_bytes()


def test_the_identifier_follows_from_content_not_from_storage(
    full_session: dict[str, pa.Table], made: SimpleNamespace, tmp_path: Path
) -> None:
    stored = {}
    for name, table in full_session.items():
        pq.write_table(table, tmp_path / name, row_group_size=7)
        stored[name] = pa.concat_tables([pq.read_table(tmp_path / name).slice(0, 3), table.slice(3)])
    identifier = file_identifier(made.key, full_session)
    assert file_identifier(made.key, stored) == identifier
    assert file_identifier("SC022_20190228_151011", full_session) != identifier
    for name in ("trials", "spikes", "units"):
        assert file_identifier(made.key, full_session | {name: full_session[name].slice(1)}) != identifier
    without = {name: table for name, table in full_session.items() if name != "licks"}
    assert file_identifier(made.key, without) != identifier


def test_moving_a_spike_from_one_unit_to_the_next_changes_the_identifier(made: SimpleNamespace) -> None:
    lists = [
        pa.array(cut, pa.list_(pa.int64()))
        for cut in ([[1, 2], [3]], [[1], [2, 3]], [[1, 2, 3], []], [[1, 2, 3], None])
    ]
    found = {file_identifier(made.key, {"spikes": pa.table({"samples": one})}) for one in lists}
    assert len(found) == 4


def _trials(starts: np.ndarray, numbers: np.ndarray) -> pa.Table:
    n = len(starts)
    return TRIALS.from_columns(
        {
            "session": ["SC022_20190228_151010"] * n,
            "trial": numbers,
            "start_s": starts,
            "stop_s": starts + 0.5,
            "until_s": np.r_[starts[1:], starts[-1:] + 0.5],
            "instruction": ["left"] * n,
            "outcome": ["hit"] * n,
            **{name: np.zeros(n, bool) for name in ("early_lick", "is_auto_water", "is_free_water")},
            **{name: np.ones(n, int) for name in ("n_samples", "n_delays", "n_go_cues")},
        }
    )


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_an_instant_is_observed_if_and_only_if_the_probe_saw_its_trial_whole(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 12))
    starts = np.cumsum(data.draw(st.lists(st.integers(1, 9), min_size=n, max_size=n))).astype(float)
    numbers = np.cumsum(data.draw(st.lists(st.integers(1, 3), min_size=n, max_size=n)))
    matched = data.draw(st.sets(st.integers(1, int(numbers[-1]) + 2)))
    from_s = data.draw(st.none() | st.floats(0, 60))
    to_s = data.draw(st.none() | st.floats(0, 120))
    intervals = observed_intervals(_trials(starts, numbers), sorted(matched), from_s, to_s)
    ends = np.r_[starts[1:], starts[-1] + 0.5]
    for t in np.arange(0, starts[-1] + 2, 0.25):
        trial = np.flatnonzero((starts <= t) & (t < ends))
        expected = len(trial) > 0 and int(numbers[trial[0]]) in matched
        expected = expected and (from_s is None or starts[trial[0]] >= from_s)
        expected = expected and (to_s is None or ends[trial[0]] <= to_s)
        assert bool(((intervals[:, 0] <= t) & (t < intervals[:, 1])).any()) == expected
    assert (np.diff(intervals.ravel()) > 0).all(), "rising, and neighbouring trials in one piece"


@pytest.mark.parametrize("name", ["id", "spike_times", "electrodes_index", "sample_rate_hz", "name"])
def test_a_metric_takes_no_name_that_nwb_uses(name: str) -> None:
    assert column_name(name) == f"metric_{name}"
    assert column_name(f"my_{name}") == f"my_{name}"


def test_every_region_of_the_ontology_is_a_term_that_the_inspector_knows() -> None:
    from nwbinspector._internal_configs._allen_ccf import get_allen_ccf_location_terms

    acronyms = [NO_REGION, *make_ontology()["region"].to_pylist()]
    written = [allen_acronym(acronym) for acronym in acronyms]
    assert [one for one in written if one not in get_allen_ccf_location_terms()] == []
    assert len(set(written)) == len(acronyms) - 1, "root stands in the ontology too; else no two become one"


def test_names_lose_slashes_and_colons() -> None:
    assert plain_name("Unnamed: 0/a") == "Unnamed- 0-a"


def test_a_metric_with_an_awkward_name_is_written(
    full_session: dict[str, pa.Table], made: SimpleNamespace, tmp_path: Path
) -> None:
    from pynwb import NWBHDF5IO

    units = full_session["units"]
    for name in ("drift_index", "id", "Unnamed: 0"):
        units = units.append_column(name, pa.array(np.arange(units.num_rows, dtype=float)))
    write_nwb(tmp_path / "x.nwb", made.key, full_session | {"units": units}, made.subject, made.laboratory)
    with NWBHDF5IO(tmp_path / "x.nwb", "r") as io:
        table = io.read().units
        for name in ("drift_index", "metric_id", "Unnamed- 0"):
            np.testing.assert_array_equal(table[name][:], np.arange(units.num_rows))


def test_what_was_measured_of_another_sorting_joins_no_unit() -> None:
    from map_assets.nwb.joined import rows_of

    units = pa.table({"probe": [1, 1], "unit_id": [4, 7], "sorting": ["ks-a", "ks-a"]})
    measured = pa.table({"probe": [1, 1], "unit_id": [7, 4], "sorting": ["ks-a", "ks-b"]})
    assert rows_of(units, measured).to_pylist() == [None, 0]
    assert rows_of(units, measured.drop_columns(["sorting"])).to_pylist() == [1, 0]
