"""Tables as frames: types, units and meanings, and the joins over all sessions."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType

import pandas as pd
import pyarrow as pa
import pytest

from map_assets.analyst import open_lab
from map_assets.analyst.errors import NoSuchColumn, NoSuchRegion
from map_assets.analyst.lab import Lab
from map_assets.analyst.regions import resolve_region
from map_assets.behavior.tables import TRIALS
from map_assets.catalog import TABLES
from map_assets.ephys.tables import UNITS
from map_assets.lab.tables import INSERTIONS
from map_assets.store import Store
from map_assets.vocabulary.errors import NoSuchTable


def test_a_table_is_every_sessions_or_some(lab: Lab, small: ModuleType) -> None:
    assert lab.table("trials")["session"].value_counts().to_dict() == dict.fromkeys(small.ALL, 39)
    assert lab.table("trials", small.WHOLE)["trial"].tolist() == small.trial_table()["trial"]
    two = lab.table("trials", [small.OTHER, small.WHOLE], columns=["session", "go_s"])
    assert list(two.columns) == ["session", "go_s"]
    assert two["session"].unique().tolist() == [small.OTHER, small.WHOLE]
    assert lab.table("units")["session"].unique().tolist() == [small.WHOLE, small.OTHER]


def test_a_frame_is_pandas_and_goes_back_to_arrow_as_it_stood(lab: Lab, small: ModuleType, store_root) -> None:
    trials = lab.table("trials", small.WHOLE)
    assert isinstance(trials, pd.DataFrame)
    assert trials.arrow().equals(Store(store_root).read("trials", small.WHOLE))
    assert trials.arrow().schema.equals(TRIALS.schema.remove_metadata(), check_metadata=False)
    hits = trials[trials["outcome"] == "hit"]
    assert hits.arrow().num_rows == 26
    assert hits.arrow().schema.field("go_s").metadata[b"unit"] == b"s"
    units = lab.table("units", small.WHOLE)
    assert units.arrow().schema.field("waveform_uv").type == pa.list_(pa.float32())
    assert units.arrow()["electrode"].to_pylist() == [0, 10, 20, 30, None]


def test_whole_numbers_stay_whole_where_some_are_unknown(lab: Lab, small: ModuleType) -> None:
    units = lab.table("units", small.WHOLE)
    assert str(units["electrode"].dtype) == "Int64"
    assert units["electrode"].isna().tolist() == [False] * 4 + [True]
    assert str(units["n_spikes"].dtype) == "int64"
    assert str(lab.units()["n_trials"].dtype) == "Int64"


def test_a_column_says_its_unit_and_meaning(lab: Lab) -> None:
    columns = lab.table("trials").attrs["columns"]
    assert columns["go_s"] == {"unit": "s", "meaning": "start of the trial's last go cue; null if none"}
    described = lab.describe("trials").set_index("column")
    assert described.index.tolist() == [column.name for column in TRIALS.columns]
    assert described.loc["photostim_power_mw", "unit"] == "mW"
    assert described.index[described["is_key"]].tolist() == ["session", "trial"]
    assert described.loc["go_s", "may_be_null"] and not described.loc["start_s", "may_be_null"]


def test_columns_that_the_metrics_bring_are_described_and_joined(lab: Lab, small: ModuleType) -> None:
    assert lab.describe("units")["column"].tolist() == [*(column.name for column in UNITS.columns), "depth_rank"]
    units = lab.table("units")
    assert units.loc[units["session"] == small.OTHER, "depth_rank"].tolist() == [1, 2, 3, 4, 5]
    assert units.loc[units["session"] == small.WHOLE, "depth_rank"].isna().all()
    assert lab.table("units", columns=["unit_id", "depth_rank"]).shape == (10, 2)


def test_the_list_of_tables_is_the_catalog(lab: Lab) -> None:
    tables = lab.tables().set_index("table")
    assert tables.index.tolist() == [table.name for table in TABLES]
    assert tables.loc[["trials", "units", "tracking", "ccf_ontology"], "n_sessions"].tolist() == [3, 2, 0, 1]


def test_the_labs_own_tables_have_no_session(lab: Lab, small: ModuleType) -> None:
    assert len(lab.table("ccf_ontology")) == 8
    with pytest.raises(NoSuchTable, match="leave the session out"):
        lab.table("ccf_ontology", small.WHOLE)


def test_what_is_not_there_is_said_with_what_is_near(lab: Lab, small: ModuleType) -> None:
    with pytest.raises(NoSuchTable, match="near it: trials"):
        lab.table("trails")
    with pytest.raises(NoSuchTable, match="near it: units"):
        lab.describe("unit")
    with pytest.raises(NoSuchColumn, match="near it: go_s"):
        lab.table("trials", columns=["gos"])
    with pytest.raises(NoSuchTable, match=f"{small.BEHAVIOR_ONLY} has no table units"):
        lab.units(session=small.BEHAVIOR_ONLY)


def test_units_come_with_place_probe_and_statistics(lab: Lab, small: ModuleType) -> None:
    units = lab.units(session=small.WHOLE).set_index(["probe", "unit_id"])
    for pair, region in small.REGION.items():
        expected = None if pair == (2, 7) else region  # its peak channel is on no known contact
        assert (units.loc[pair, "region"] == expected) if expected else pd.isna(units.loc[pair, "region"])
    assert units["sorter"].unique().tolist() == ["kilosort2"]
    assert units.loc[(1, 7), "rate_hz"] == 0.5 and pd.isna(units.loc[(2, 0), "rate_hz"])
    assert "waveform_uv" not in units.columns
    assert len(lab.units()) == 10
    assert units.attrs["columns"]["region"]["meaning"].startswith("its acronym")


def test_units_by_region_count_all_regions_inside_it(lab: Lab, small: ModuleType) -> None:
    def found(**chosen: str) -> list[tuple[int, int]]:
        units = lab.units(**chosen)
        assert set(units["session"]) <= {small.WHOLE}
        return list(zip(units["probe"], units["unit_id"], strict=True))

    assert found(region="MOs") == [(1, 3), (1, 7)]
    assert found(region="MOs", quality="good") == [(1, 7)]
    assert found(region="MOs5") == [(1, 3)]
    assert found(region="Secondary motor area, layer 5") == [(1, 3)]
    assert found(region="thalamus", quality="good") == [(2, 0)]
    assert found(region="root") == [(1, 3), (1, 7), (2, 0)]
    assert found(region="ORBl") == []


def test_units_by_quality_take_the_label_as_found(lab: Lab, small: ModuleType) -> None:
    assert lab.units(quality="good", session=small.WHOLE)["unit_id"].tolist() == [7, 12, 0]
    assert lab.session(small.OTHER).units(quality="noise")["unit_id"].tolist() == [7]
    assert len(lab.units(quality="excellent")) == 0


def test_a_target_area_of_the_lab_means_the_probes_that_were_aimed_there(
    lab: Lab, small: ModuleType, tmp_path: Path
) -> None:
    shutil.copytree(lab.root, tmp_path / "store")
    aimed = [
        {"session": small.WHOLE, "probe": 1, "brain_area": "ALM", "hemisphere": "left"},
        {"session": small.WHOLE, "probe": 2, "brain_area": "Thalamus", "hemisphere": "left"},
    ]
    Store(tmp_path / "store").write(INSERTIONS, small.WHOLE, INSERTIONS.from_rows(aimed))
    there = open_lab(tmp_path / "store")
    everything = lab.units(session=small.WHOLE)
    for name in ("ALM", "alm", "left ALM"):
        found = there.units(region=name)
        assert found["unit_id"].tolist() == everything[everything["probe"] == 1]["unit_id"].tolist()
        assert set(found["probe"]) == {1}
    with pytest.raises(NoSuchRegion):
        there.units(region="right ALM")


def test_a_region_that_is_none_is_explained(lab: Lab) -> None:
    with pytest.raises(NoSuchRegion, match="no probe was aimed at an area of that name"):
        lab.units(region="ALM")
    with pytest.raises(NoSuchRegion, match="near it: MOs"):
        lab.units(region="MOss")


def test_without_an_ontology_a_region_is_only_itself() -> None:
    assert resolve_region("MOs5", None, ["MOs5", "VAL"]) == {"MOs5"}
    with pytest.raises(NoSuchRegion, match="no ontology stands"):
        resolve_region("MOs", None, ["MOs5", "VAL"])


def test_columns_of_one_name_in_a_query_are_told_apart(lab: Lab) -> None:
    assert list(lab.sql("select 1 as a, 2 as a, 3 as b").columns) == ["a", "a_2", "b"]
