"""Sensors: one a share that scans it, and one that requests the runs that are due. Deciding lives in `due`, scanning in `shares`."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import dagster as dg

from map_assets.config import Config
from map_assets.defs.alive import runs_under_way
from map_assets.defs.assets import SESSIONS
from map_assets.defs.dispatch import DUE_TAG, Due, due_for_lab, due_for_sessions, laboratory_mark, session_parameters
from map_assets.defs.resources import LabResource
from map_assets.defs.services import Services
from map_assets.defs.stage import LAB

MOST_RUNS_A_TICK = 25
LONGEST_TICK_S = 20.0
"""Dagster gives up on a tick after 60 s; what is left is looked at in the next one."""

MOST_TRIES = 3
"""Runs that end without a verdict (the machine went down, the archive was away) are requested so often at once."""
TRY_AGAIN_AFTER_S = 3600.0
"""After that many tries, a further one each hour: most such faults are mended by somebody who knows nothing of us."""


def share_sensors(config: Config) -> list[dg.SensorDefinition]:
    """Make one sensor for each share, so that a share that hangs stops none of the others."""
    return [_share_sensor(name, config.orchestration.scan_interval_s) for name in config.shares]


def _share_sensor(share_name: str, interval_s: int) -> dg.SensorDefinition:
    @dg.sensor(
        name="share_" + re.sub(r"\W", "_", share_name),
        minimum_interval_seconds=interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Scans share {share_name} and keeps the ledger of what was found there.",
    )
    def scan(laboratory: LabResource) -> dg.SkipReason:
        from map_assets.shares.scan import scan_share

        services = laboratory.services
        share = next(share for share in services.shares if share.name == share_name)
        return dg.SkipReason(scan_share(share, services.ledger).sentence)

    return scan


def due_sensor(assets: Iterable[dg.AssetsDefinition], config: Config) -> dg.SensorDefinition:
    """Make the sensor that registers new sessions and requests one run for each session that is due."""

    @dg.sensor(
        name="sessions_due",
        asset_selection=dg.AssetSelection.assets(*assets),
        minimum_interval_seconds=config.orchestration.scan_interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Registers new sessions and requests one run for each session that something has arrived for.",
    )
    def sessions_due(context: dg.SensorEvaluationContext, laboratory: LabResource) -> dg.SensorResult:
        return request_runs(context.instance, laboratory.services, context.cursor)

    return sessions_due


def request_runs(instance: dg.DagsterInstance, services: Services, cursor: str | None) -> dg.SensorResult:
    """Request what is due: first the atlas, then sessions, at most `MOST_RUNS_A_TICK`.

    Parameters
    ----------
    cursor : str or None
        ``{"seen": ledger counter, "mark": laboratory mark}`` as JSON.
    """
    from map_assets.shares.refresh import refresh

    refresh(services.ledger)
    seen: dict[str, Any] = json.loads(cursor) if cursor else {"seen": 0, "mark": ""}
    busy = {run.tags.get("dagster/partition", LAB) for run in runs_under_way(instance)}
    lab = due_for_lab(services)
    if lab is not None:
        requests = [] if LAB in busy else [*_requests(instance, services, [lab])]
        if requests or LAB in busy:
            return dg.SensorResult(run_requests=requests)
    mark = laboratory_mark(services)
    touched, now = services.ledger.touched(seen["seen"])
    known = services.ledger.sessions()
    candidates = known if mark != seen["mark"] else sorted(set(touched) & set(known))
    due, later = _look_at(services, candidates, busy)
    if later:
        services.ledger.touch(later)
    new = sorted(set(known) - set(instance.get_dynamic_partitions(str(SESSIONS.name))))
    return dg.SensorResult(
        dynamic_partitions_requests=[SESSIONS.build_add_request(new)] if new else [],
        run_requests=[*_requests(instance, services, due)],
        cursor=json.dumps({"seen": now, "mark": mark}),
    )


def _look_at(services: Services, candidates: Iterable[str], busy: Collection[str]) -> tuple[list[Due], list[str]]:
    """Decide about as many sessions as a tick has room for; give the runs that are due, and the sessions left for later."""
    due: list[Due] = []
    later: list[str] = []
    ends = time.monotonic() + LONGEST_TICK_S
    parameters = session_parameters(services)
    for session in candidates:
        if session in busy or len(due) == MOST_RUNS_A_TICK or time.monotonic() > ends:
            later.append(session)
        else:
            due += due_for_sessions(services, [session], parameters)
    return due, later


def _requests(instance: dg.DagsterInstance, services: Services, due: Iterable[Due]) -> Iterator[dg.RunRequest]:
    for item in due:
        digest = f"{item.session}:{item.decision.digest}"
        ended = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
        dead = instance.get_run_records(dg.RunsFilter(tags={DUE_TAG: digest}, statuses=ended))
        tries = len(dead)
        if tries >= MOST_TRIES and time.time() - dead[0].create_timestamp.timestamp() < TRY_AGAIN_AFTER_S:
            reason = f"the next try within the hour, or a person: {tries} runs ended without a verdict; see {DUE_TAG}={digest}"
            services.ledger.set_waits(item.session, {**item.decision.waits, item.decision.stages[0]: reason})
            services.ledger.touch([item.session])
            continue
        yield dg.RunRequest(
            run_key=f"{digest}:{instance.get_runs_count(dg.RunsFilter(tags={DUE_TAG: digest}))}",
            partition_key=None if item.session == LAB else item.session,
            asset_selection=[dg.AssetKey(name) for name in item.assets],
            tags={DUE_TAG: digest},
        )
