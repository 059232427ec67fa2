"""Grafts in Dagster: assets under their namespace, with the shared ones' checks, figures and staleness; a sensor for each namespace."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from grafting import GraftLab, change, written

from map_assets.defs.assets import SCHEMA_CHECK, SESSIONS
from map_assets.defs.graft_assets import GRAFT_TAG, definitions_of, request_graft_runs
from map_assets.defs.grafts import by_place
from map_assets.graft.installed import graft_named, grafts

NAME = "go_change"


def test_a_graft_is_an_asset_of_its_namespace_with_the_shared_ones_above_it(
    lab: GraftLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "package", NAME, monkeypatch)
    found = definitions_of(graft_named(NAME).graft, config_file=lab.config_file)
    specs = {spec.key.to_user_string(): spec for spec in found.resolve_all_asset_specs()}
    made, figure = specs[f"susu/{NAME}"], specs[f"susu/{NAME}_figure"]
    assert {dep.asset_key.to_user_string() for dep in made.deps} >= {"trials", "units", "spikes"}
    assert [dep.asset_key.to_user_string() for dep in figure.deps] == [f"susu/{NAME}"]
    assert "modulation" in [column.name for column in made.metadata["dagster/column_schema"].columns]
    assert [sensor.name for sensor in found.sensors] == ["grafts_due_susu"]


def test_a_run_shows_checks_rows_and_the_figure_on_the_assets_page(
    lab: GraftLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "package", NAME, monkeypatch)
    key = lab.keys[0]
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        instance.add_dynamic_partitions(str(SESSIONS.name), [key])
        job = definitions_of(graft_named(NAME).graft, config_file=lab.config_file)
        result = job.resolve_implicit_global_asset_job_def().execute_in_process(partition_key=key, instance=instance)
        checks = {
            (one.asset_key.to_user_string(), one.check_name): one.passed for one in result.get_asset_check_evaluations()
        }
        assert checks == {
            (f"susu/{NAME}", SCHEMA_CHECK): True,
            (f"susu/{NAME}", "modulation_is_within_its_bounds"): True,
            (f"susu/{NAME}_figure", SCHEMA_CHECK): True,
        }
        told = {
            event.asset_key.to_user_string(): event.step_materialization_data.materialization.metadata
            for event in result.all_events
            if event.is_step_materialization
        }
    assert told[f"susu/{NAME}"]["dagster/row_count"].value > 0
    assert "data:image/png" in told[f"susu/{NAME}_figure"]["figure"].value


def test_the_sensor_asks_for_what_is_due_once_and_looks_again_when_the_code_or_a_shared_table_changes(
    lab: GraftLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = written(tmp_path / "package", NAME, monkeypatch)
    services = lab.services
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:

        def tick(cursor: str | None) -> tuple[list[str], str]:
            found = request_graft_runs(instance, services, "susu", grafts(), cursor)
            for request in found.run_requests:
                assert [one.to_user_string() for one in request.asset_selection] == [
                    f"susu/{NAME}",
                    f"susu/{NAME}_figure",
                ]
                assert request.tags[GRAFT_TAG].startswith("susu:")
            return [request.partition_key for request in found.run_requests], found.cursor

        # a session that the shared graph has not registered yet waits for that
        asked, cursor = tick(None)
        assert asked == []
        instance.add_dynamic_partitions(str(SESSIONS.name), lab.keys)
        asked, cursor = tick(cursor)
        assert asked == lab.keys
        asked, cursor = tick(cursor)
        assert asked == []
        services.ledger.record_stage(lab.keys[1], "ephys", "x", "done", '{"made": [], "blocked": ""}')
        asked, cursor = tick(cursor)
        assert asked == [lab.keys[1]]
        change(body, "/ window_s", "/ (2 * window_s)", NAME)
        asked, cursor = tick(cursor)
        assert asked == lab.keys


def test_two_people_may_have_an_analysis_of_one_name(
    lab: GraftLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "package", NAME, monkeypatch)
    first = graft_named(NAME).graft
    other = replace(first, namespace="dave")
    assert set(by_place([first, other], lab.store)) == {"susu", "dave"}
    keys = definitions_of(first, other, config_file=lab.config_file).resolve_all_asset_keys()
    assert {key.to_user_string() for key in keys} >= {f"susu/{NAME}", f"dave/{NAME}"}


def test_the_second_code_location_of_the_template_can_be_loaded(
    lab: GraftLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "package", NAME, monkeypatch)
    monkeypatch.setenv("MAP_ASSETS_CONFIG", str(lab.config_file))
    module = importlib.import_module(f"{NAME}.definitions")
    keys = {key.to_user_string() for key in module.defs.resolve_all_asset_keys()}
    assert {f"susu/{NAME}", f"susu/{NAME}_figure"} <= keys
