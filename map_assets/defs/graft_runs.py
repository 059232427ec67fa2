"""Grafted analyses run in this process, for a person at a terminal: the same assets and the same rule as the sensors'."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from map_assets.defs.alive import RUNNER_TAG, runner
from map_assets.defs.assets import SESSIONS
from map_assets.defs.graft_assets import asset_key, definitions_of
from map_assets.defs.grafts import by_place, decision_for, services_for
from map_assets.defs.home import open_instance
from map_assets.defs.ingest import _QUIET, _why
from map_assets.defs.services import Services
from map_assets.graft.declare import Graft
from map_assets.vocabulary.errors import NoSuchTable

Say = Callable[[str], None]


@dataclass
class GraftReport:
    """What a run of one graft did: sessions that were made, that were kept as they stood, that wait, and that failed."""

    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def run_graft(
    graft: Graft,
    services: Services,
    config_file: Path | None,
    sessions: Iterable[str] = (),
    *,
    again: bool = False,
    say: Say = lambda _text: None,
) -> GraftReport:
    """Do a grafted analysis for all sessions that are due, or for some.

    Parameters
    ----------
    graft : Graft
    services : Services
        The laboratory's shared ones.
    config_file : pathlib.Path or None
        The file that `services` were opened from.
    sessions : iterable of str
        Only these; all by default.
    again : bool
        Also where what stands was made from what stands now, and where it failed.

    Raises
    ------
    NoSuchTable
        If a named session is not in the store.
    """
    known = services.store.sessions()
    only = list(sessions) or known
    missing = sorted(set(only) - set(known))
    if missing:
        raise NoSuchTable(f"There is no session {', '.join(missing)} in {services.store.root}.")
    report = GraftReport()
    instance = open_instance(services.config.orchestration.home)
    new = set(only) - set(instance.get_dynamic_partitions(str(SESSIONS.name)))
    if new:
        instance.add_dynamic_partitions(str(SESSIONS.name), sorted(new))
    job = definitions_of(graft, config_file=config_file).resolve_implicit_global_asset_job_def()
    (place,) = by_place([graft], services.config.store.root)
    for session in only:
        lacking = [name for name in graft.reads if not services.store.has(name, session)]
        decision = decision_for([graft], session, services)
        stages = tuple(table.name for table in graft.tables) if again and not decision.waits else decision.stages
        if lacking or decision.waits:
            report.waiting[session] = next(iter(decision.waits.values()), f"tables {', '.join(lacking)}")
            continue
        if not stages:
            failure = _failure(graft, session, services)
            if failure is None:
                report.kept.append(session)
            else:
                report.failed[session] = f"{failure} (nothing has changed since; --again tries it all the same)"
            continue
        say(f"{session}: {', '.join(stages)}")
        result = job.execute_in_process(
            partition_key=session,
            asset_selection=[asset_key(place, name) for name in stages],
            instance=instance,
            raise_on_error=False,
            run_config=_QUIET,
            # a person who asks for it again gets it made
            tags={} if again else {RUNNER_TAG: runner()},
        )
        if result.success:
            report.made.append(session)
        else:
            # the author's own mistakes stand in the ledger with their words; Dagster's sentence names only the step
            report.failed[session] = _failure(graft, session, services) or _why(result)
    return report


def _failure(graft: Graft, session: str, services: Services) -> str | None:
    """Why a graft failed the last time."""
    with services_for([graft], services) as found:
        records = found.ledger.stage_records(session)
    for table in graft.tables:
        record = records.get(table.name)
        if record is not None and record.outcome == "failed":
            return str(json.loads(record.detail)["why"])
    return None
