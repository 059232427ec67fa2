"""The whole graph, as Dagster sees it."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pytest

from map_assets.catalog import BY_NAME
from map_assets.defs.stages import LAB_STAGES, MANUAL_STAGES, SESSION_STAGES
from map_assets.defs.wing import definitions_for

SNAPSHOT = Path(__file__).with_name("graph.json")


@pytest.fixture
def defs(tmp_path: Path) -> dg.Definitions:
    config = tmp_path / "map_assets.toml"
    config.write_text(
        "\n".join(
            f'[shares.{kind}]\nkind = "{kind}"\npath = "{kind}"'
            for kind in ("behavior", "tracking", "ephys", "histology", "raw")
        )
    )
    return definitions_for(config)


def drawn(defs: dg.Definitions) -> dict[str, object]:
    """The graph as plain data: for each asset its group, what it rests on and its checks."""
    graph = defs.resolve_asset_graph()
    checks: dict[str, list[str]] = {}
    for key in graph.asset_check_keys:
        checks.setdefault(key.asset_key.to_user_string(), []).append(key.name)
    return {
        spec.key.to_user_string(): {
            "group": spec.group_name,
            "deps": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
            "checks": sorted(checks.get(spec.key.to_user_string(), [])),
            "per_session": spec.partitions_def is not None,
        }
        for spec in sorted(defs.resolve_all_asset_specs(), key=lambda spec: spec.key)
    }


def test_the_graph_loads(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)


def test_the_graph_is_the_one_that_was_agreed(defs: dg.Definitions) -> None:
    found = drawn(defs)
    assert found == json.loads(SNAPSHOT.read_text()), f"if this is meant, write {SNAPSHOT.name} anew"


def test_every_table_of_the_catalog_is_an_asset_and_the_other_way_round(defs: dg.Definitions) -> None:
    assert {spec.key.to_user_string() for spec in defs.resolve_all_asset_specs()} == set(BY_NAME)


def test_every_asset_has_owner_group_description_schema_and_a_check_of_it(defs: dg.Definitions) -> None:
    graph = drawn(defs)
    for spec in defs.resolve_all_asset_specs():
        name = spec.key.to_user_string()
        assert spec.owners, name
        assert spec.group_name not in {None, "default"}, name
        assert spec.description, name
        assert spec.kinds, name
        assert spec.code_version, name
        columns = spec.metadata["dagster/column_schema"].columns
        assert [column.name for column in columns] == [column.name for column in BY_NAME[name].columns]
        assert "fits_its_declaration" in graph[name]["checks"], name


def test_units_and_times_stand_in_the_column_schema(defs: dg.Definitions) -> None:
    (spec,) = [spec for spec in defs.resolve_all_asset_specs() if spec.key.to_user_string() == "trials"]
    (go,) = [column for column in spec.metadata["dagster/column_schema"].columns if column.name == "go_s"]
    assert go.description.endswith("[s]")
    assert go.constraints.nullable


def test_one_partition_a_session_and_nothing_finer(defs: dg.Definitions) -> None:
    per_session = {table.name for stage in (*SESSION_STAGES, *MANUAL_STAGES) for table in stage.writes}
    for spec in defs.resolve_all_asset_specs():
        wanted = "session" if spec.key.to_user_string() in per_session else None
        assert (spec.partitions_def.name if spec.partitions_def else None) == wanted


def test_each_share_has_its_own_running_sensor(defs: dg.Definitions) -> None:
    sensors = {sensor.name: sensor.default_status for sensor in defs.sensors}
    assert set(sensors) == {
        "share_behavior", "share_tracking", "share_ephys", "share_histology", "share_raw", "sessions_due",
        "archive_transfers",
    }  # fmt: skip
    assert set(sensors.values()) == {dg.DefaultSensorStatus.RUNNING}


def test_no_two_stages_make_one_table() -> None:
    made = [table.name for stage in (*LAB_STAGES, *SESSION_STAGES, *MANUAL_STAGES) for table in stage.writes]
    assert len(made) == len(set(made))
