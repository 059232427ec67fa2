"""The sensor requests what is due, once, and no more than a tick has room for."""

from __future__ import annotations

import dataclasses
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from map_assets.config import load_config
from map_assets.defs import alive, sensors
from map_assets.defs.services import Services
from map_assets.shares.scan import scan_all
from map_assets.simulate.laboratory import write_laboratory
from map_assets.simulate.plans import LabPlan, Part, example_plan


@pytest.fixture
def services(tmp_path: Path) -> Services:
    """A laboratory of three sessions, behaviour only, without an atlas."""
    plan = example_plan()
    first = plan.sessions[0].with_parts(Part.BEHAVIOR)
    days = [dataclasses.replace(first, named_at=first.named_at + timedelta(days=n), seed=n + 1) for n in range(3)]
    written = write_laboratory(tmp_path, LabPlan(plan.animals, tuple(days), voxel_um=200.0))
    config = load_config(written.config)
    bare = config.model_copy(update={"ccf": config.ccf.model_copy(update={"annotation": None})})
    services = Services(bare)
    scan_all(services.shares, services.ledger)
    return services


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


def tick(instance: dg.DagsterInstance, services: Services, cursor: str | None) -> dg.SensorResult:
    result = sensors.request_runs(instance, services, cursor)
    assert isinstance(result, dg.SensorResult)
    for request in result.dynamic_partitions_requests or []:
        instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
    return result


def past_the_atlas(services: Services) -> None:
    """Mark the laboratory's own assets as done, so that the sessions are looked at."""
    from map_assets.defs.stages import LAB_STAGES
    from map_assets.defs.work import perform

    for stage in LAB_STAGES[:2]:  # the third waits for a volume
        perform(stage, "lab", services)


def test_the_atlas_comes_first_and_without_a_partition(instance: dg.DagsterInstance, services: Services) -> None:
    (request,) = tick(instance, services, None).run_requests
    assert request.partition_key is None
    assert {key.to_user_string() for key in request.asset_selection} == {"ccf_ontology", "ccf_region_closure"}


def test_each_new_session_becomes_a_partition_and_one_run(instance: dg.DagsterInstance, services: Services) -> None:
    past_the_atlas(services)
    result = tick(instance, services, None)
    sessions = services.ledger.sessions()
    assert len(sessions) == 3
    assert instance.get_dynamic_partitions("session") == sessions
    assert [request.partition_key for request in result.run_requests] == sessions
    assert len({request.run_key for request in result.run_requests}) == 3


def test_a_quiet_tick_requests_nothing(instance: dg.DagsterInstance, services: Services) -> None:
    from map_assets.defs.stages import SESSION_STAGES
    from map_assets.defs.work import perform

    past_the_atlas(services)
    cursor = tick(instance, services, None).cursor
    for session in services.ledger.sessions():
        for stage in SESSION_STAGES:
            if stage.name in {"behavior", "sessions", "insertions", "behavior_performance"} or "archive" in stage.name:
                perform(stage, session, services)
    cursor = tick(instance, services, cursor).cursor
    assert tick(instance, services, cursor).run_requests == []


def test_more_than_a_tick_has_room_for_comes_in_the_next(
    instance: dg.DagsterInstance, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    past_the_atlas(services)
    monkeypatch.setattr(sensors, "MOST_RUNS_A_TICK", 2)
    first = tick(instance, services, None)
    assert len(first.run_requests) == 2
    second = tick(instance, services, first.cursor)
    keys = {request.partition_key for request in (*first.run_requests, *second.run_requests)}
    assert keys == set(services.ledger.sessions())


def test_a_session_whose_run_is_under_way_is_left_alone(instance: dg.DagsterInstance, services: Services) -> None:
    past_the_atlas(services)
    busy = services.ledger.sessions()[0]
    job = dg.JobDefinition(graph_def=dg.GraphDefinition(name="a_run"))
    instance.create_run_for_job(job, tags={"dagster/partition": busy}, status=dg.DagsterRunStatus.STARTED)
    result = tick(instance, services, None)
    assert busy not in {request.partition_key for request in result.run_requests}
    assert busy in services.ledger.touched(json.loads(result.cursor)["seen"])[0]


def test_a_run_whose_process_was_killed_holds_nothing_up(instance: dg.DagsterInstance, services: Services) -> None:
    past_the_atlas(services)
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    name = f"{socket.gethostname()}:{process.pid}:{alive._began(process.pid)}"
    job = dg.JobDefinition(graph_def=dg.GraphDefinition(name="a_run"))
    session = services.ledger.sessions()[0]
    tags = {"dagster/partition": session, alive.RUNNER_TAG: name}
    run = instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.STARTED)
    assert session not in {request.partition_key for request in tick(instance, services, None).run_requests}
    process.kill()
    process.wait()
    assert session in {request.partition_key for request in tick(instance, services, None).run_requests}
    assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.FAILURE


def test_another_hosts_process_counts_as_running() -> None:
    assert not alive.is_gone("another-host:1:5")
    assert not alive.is_gone(alive.runner())
    assert alive.is_gone(alive.runner() + "0")


def test_runs_that_die_without_a_verdict_are_not_requested_for_ever(
    instance: dg.DagsterInstance, services: Services
) -> None:
    past_the_atlas(services)
    (request, *_) = tick(instance, services, None).run_requests
    job = dg.JobDefinition(graph_def=dg.GraphDefinition(name="a_run"))
    for _ in range(sensors.MOST_TRIES):
        instance.create_run_for_job(job, tags=request.tags, status=dg.DagsterRunStatus.FAILURE)
    again = tick(instance, services, None)
    assert request.partition_key not in {other.partition_key for other in again.run_requests}
    waits = [reason for session, stage, reason in services.ledger.waits() if session == request.partition_key]
    assert any("3 runs ended without a verdict" in reason for reason in waits)


def test_runs_that_ended_well_are_no_failed_tries(instance: dg.DagsterInstance, services: Services) -> None:
    past_the_atlas(services)
    (request, *_) = tick(instance, services, None).run_requests
    job = dg.JobDefinition(graph_def=dg.GraphDefinition(name="a_run"))
    for _ in range(sensors.MOST_TRIES + 1):
        instance.create_run_for_job(job, tags=request.tags, status=dg.DagsterRunStatus.SUCCESS)
    again = tick(instance, services, None)
    assert request.partition_key in {other.partition_key for other in again.run_requests}


def test_an_hour_after_the_last_try_there_is_another(
    instance: dg.DagsterInstance, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    past_the_atlas(services)
    (request, *_) = tick(instance, services, None).run_requests
    job = dg.JobDefinition(graph_def=dg.GraphDefinition(name="a_run"))
    for _ in range(sensors.MOST_TRIES):
        instance.create_run_for_job(job, tags=request.tags, status=dg.DagsterRunStatus.FAILURE)
    monkeypatch.setattr(sensors, "TRY_AGAIN_AFTER_S", 0.0)
    again = tick(instance, services, None)
    assert request.partition_key in {other.partition_key for other in again.run_requests}
