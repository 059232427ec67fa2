"""Grafted analyses as Dagster assets under ``namespace/name``, with a sensor for each namespace; promoted ones stand among the shared."""

# no `from __future__ import annotations` here: Dagster reads the annotations of the functions that it decorates
import hashlib
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from map_assets.config import Config, load_config
from map_assets.defs.alive import RUNNER_TAG, runs_under_way
from map_assets.defs.assets import SESSIONS, _check_specs, _result, _spec
from map_assets.defs.grafts import by_place, decision_for, services_for, stages_of
from map_assets.defs.resources import LabResource
from map_assets.defs.sensors import LONGEST_TICK_S, MOST_RUNS_A_TICK, MOST_TRIES
from map_assets.defs.services import Services
from map_assets.defs.stage import Stage
from map_assets.defs.work import Outcome, perform
from map_assets.graft.declare import Graft
from map_assets.graft.script import CONTEXT_VARIABLE, MESSAGES_VARIABLE, Call, ScriptFailed
from map_assets.store import Version
from map_assets.vocabulary.errors import MapAssetsError
from map_assets.vocabulary.session import SessionKey

GRAFT_TAG = "map_assets/graft"


def graft_assets(grafts: Sequence[Graft], config: Config) -> list[dg.AssetsDefinition]:
    """Make the assets of grafts, each under its namespace, or among the shared ones where it was promoted."""
    places = by_place(grafts, config.store.root)
    return [_asset(graft, n, place) for place, found in places.items() for graft in found for n in range(_n(graft))]


def _n(graft: Graft) -> int:
    return len(stages_of(graft))


def asset_key(place: str, name: str) -> dg.AssetKey:
    """Asset of a grafted table: under its namespace, or (no place) among the shared ones."""
    return dg.AssetKey([place, name] if place else [name])


def _asset(graft: Graft, n: int, place: str) -> dg.AssetsDefinition:
    stage = stages_of(graft)[n]
    own = {table.name for table in graft.tables}

    def spec(table: Any) -> dg.AssetSpec:
        found = _spec(stage, table)
        deps = [asset_key(place if name in own else "", name) for name in (*stage.inputs, *stage.lab_reads)]
        return found.replace_attributes(
            key=asset_key(place, table.name),
            deps=deps,
            group_name=f"grafted_{place or 'promoted'}",
            owners=[f"team:{graft.namespace}"],
        )

    @dg.multi_asset(
        name=f"{place or 'promoted'}__{stage.name}",
        specs=[spec(table) for table in stage.writes],
        check_specs=[
            dg.AssetCheckSpec(
                one.name, asset=asset_key(place, stage.name), description=one.description, blocking=one.blocking
            )
            for one in _check_specs(stage)
        ],
        partitions_def=SESSIONS,
        description=graft.meaning,
    )
    def materialize(context: dg.AssetExecutionContext, laboratory: LabResource) -> Iterator[dg.MaterializeResult[Any]]:
        session = str(SessionKey.parse(context.partition_key))
        bound = stages_of(graft, partial(_launch, context))[n]
        try:
            is_dispatched = not context.run.tags.keys().isdisjoint({GRAFT_TAG, RUNNER_TAG})
            with services_for([graft], laboratory.services) as services:
                outcome = perform(bound, session, services, may_skip=is_dispatched)
        except MapAssetsError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        for name, version in outcome.versions.items():
            yield _under(place, bound, name, version, outcome)

    return materialize


def _under(place: str, stage: Stage, name: str, version: Version, outcome: Outcome) -> dg.MaterializeResult[Any]:
    """Tell a result under its place's key."""
    found, key = _result(name, version, outcome), asset_key(place, name)
    checks = [
        dg.AssetCheckResult(
            asset_key=key,
            check_name=one.check_name,
            passed=one.passed,
            severity=one.severity,
            description=one.description,
            metadata=one.metadata,
        )
        for one in found.check_results or ()
    ]
    metadata = {**(found.metadata or {}), "place": place or "shared", "stage_version": stage.version}
    return dg.MaterializeResult(asset_key=key, metadata=metadata, check_results=checks, data_version=found.data_version)


def _launch(context: dg.AssetExecutionContext, call: Call) -> None:
    """Run a script by Dagster Pipes: it is told its context, and what it says and prints goes to the run's log."""
    told, said, printed = (call.folder / name for name in ("context.json", "messages.jsonl", "printed.txt"))
    injector = dg.PipesFileContextInjector(str(told))
    reader = dg.PipesFileMessageReader(str(said))
    with dg.open_pipes_session(context, injector, reader, extras=dict(call.extras)) as pipes, printed.open("wb") as out:
        environment = {**os.environ, **pipes.get_bootstrap_env_vars()}
        environment |= {CONTEXT_VARIABLE: str(told), MESSAGES_VARIABLE: str(said)}
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": subprocess.STDOUT}
        try:
            # the graft's own declared command, without a shell
            done = subprocess.run(call.command, cwd=call.folder, env=environment, check=False, **streams)  # noqa: S603
        except OSError as error:
            raise ScriptFailed(f"{call.command[0]} cannot be started: {error.strerror}; install it.") from error
    text = printed.read_text("utf-8", "replace").strip()
    if text:
        context.log.info(f"{call.name} printed:\n{text}")
    if done.returncode != 0:
        raise ScriptFailed(f"{call.name} ended with exit code {done.returncode}: {_complaint(text)}.")


def _complaint(text: str) -> str:
    """The line in which a script says what went wrong: the first that begins with "error", else the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = next(
        (line for line in lines if line.lower().startswith("error")), lines[-1] if lines else "it said nothing"
    )
    return found.rstrip(".")


def graft_sensors(
    grafts: Sequence[Graft], assets: Sequence[dg.AssetsDefinition], config: Config
) -> list[dg.SensorDefinition]:
    """Make one sensor for each place, so that nobody's analyses hold up another's, nor the shared graph."""
    return [_sensor(place, found, assets, config) for place, found in by_place(grafts, config.store.root).items()]


def _sensor(
    place: str, grafts: Sequence[Graft], assets: Sequence[dg.AssetsDefinition], config: Config
) -> dg.SensorDefinition:
    keys = {asset_key(place, table.name) for graft in grafts for table in graft.tables}

    @dg.sensor(
        name=f"grafts_due_{re.sub(r'[^a-z0-9_]', '_', place) or 'promoted'}",
        asset_selection=dg.AssetSelection.assets(*(asset for asset in assets if keys & set(asset.keys))),
        minimum_interval_seconds=config.orchestration.scan_interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Requests the runs that the grafted analyses of {place or 'the shared graph'} are due for.",
    )
    def grafts_due(context: dg.SensorEvaluationContext, laboratory: LabResource) -> dg.SensorResult:
        return request_graft_runs(context.instance, laboratory.services, place, grafts, context.cursor)

    return grafts_due


def request_graft_runs(
    instance: dg.DagsterInstance, services: Services, place: str, grafts: Sequence[Graft], cursor: str | None
) -> dg.SensorResult:
    """Request one run for each session that something of a place is due for.

    Parameters
    ----------
    cursor : str or None
        ``{"seen": shared ledger's counter, "mark": what the grafts are, "later": sessions}`` as JSON.
    """
    before: dict[str, Any] = json.loads(cursor) if cursor else {"seen": 0, "mark": "", "later": []}
    mark = _mark(grafts)
    touched, now = services.ledger.touched(before["seen"])
    there = set(services.store.sessions())
    candidates = there if mark != before["mark"] else there & {*touched, *before["later"]}
    busy = {run.tags.get("dagster/partition") for run in runs_under_way(instance)}
    known = set(instance.get_dynamic_partitions(str(SESSIONS.name)))
    requests: list[dg.RunRequest] = []
    later: list[str] = []
    ends = time.monotonic() + LONGEST_TICK_S
    for session in sorted(candidates):
        if session in busy or session not in known or len(requests) == MOST_RUNS_A_TICK or time.monotonic() > ends:
            later.append(session)
            continue
        requests += _requests(instance, services, place, grafts, session)
    return dg.SensorResult(run_requests=requests, cursor=json.dumps({"seen": now, "mark": mark, "later": later}))


def _requests(
    instance: dg.DagsterInstance, services: Services, place: str, grafts: Sequence[Graft], session: str
) -> Iterator[dg.RunRequest]:
    decision = decision_for(grafts, session, services)
    if not decision.stages:
        return
    digest = f"{place}:{session}:{decision.digest}"
    tries = instance.get_runs_count(dg.RunsFilter(tags={GRAFT_TAG: digest}))
    if tries >= MOST_TRIES:
        return
    yield dg.RunRequest(
        run_key=f"{digest}:{tries}",
        partition_key=session,
        asset_selection=[asset_key(place, name) for name in decision.stages],
        tags={GRAFT_TAG: digest},
    )


def _mark(grafts: Sequence[Graft]) -> str:
    seen = [[graft.name, graft.version, graft.source_sha256, dict(graft.parameters)] for graft in grafts]
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:16]


def definitions_of(*grafts: Graft, config_file: Path | None = None) -> dg.Definitions:
    """A code location of grafted analyses alone: a second one in ``workspace.yaml``, with an environment of its own.

    Parameters
    ----------
    *grafts : Graft
    config_file : pathlib.Path, optional
        The laboratory's configuration; by default found as `map_assets.config` says.
    """
    config = load_config(config_file)
    assets = graft_assets(grafts, config)
    return dg.Definitions(
        assets=assets,
        sensors=graft_sensors(grafts, assets, config),
        resources={"laboratory": LabResource(config_file=None if config_file is None else str(config_file))},
        executor=dg.in_process_executor,
    )
