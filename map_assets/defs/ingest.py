"""Ingest without a daemon: scan, decide and run in this process. The same decision and the same assets as the sensors'."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import dagster as dg

from map_assets.defs.alive import AGAIN_TAG, RUNNER_TAG, runner
from map_assets.defs.assets import SESSIONS
from map_assets.defs.dispatch import Due, due_for_lab, due_for_sessions
from map_assets.defs.due import Decision
from map_assets.defs.home import open_instance
from map_assets.defs.services import Services
from map_assets.defs.stage import LAB
from map_assets.defs.stages import SESSION_STAGES
from map_assets.defs.wing import definitions_for
from map_assets.vocabulary.errors import MapAssetsError

Say = Callable[[str], None]
_MOST_LOOKS = 5
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Dagster's own words go to its event log; the terminal is told a sentence a session."""


@dataclass
class IngestReport:
    """What an ingest did.

    Parameters
    ----------
    shares : list of str
        A sentence about each share.
    done : dict of str to float
        Seconds that each session's run took, for the runs that ended well.
    failed : dict of str to str
        Why each other run failed.
    n_runs : int
    """

    shares: list[str] = field(default_factory=list)
    done: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    n_runs: int = 0
    is_share_missing: bool = False


def ingest(
    services: Services,
    config_file: Path | None,
    sessions: Iterable[str] = (),
    *,
    wait: bool = False,
    again: Iterable[str] = (),
    say: Say = lambda _text: None,
) -> IngestReport:
    """Scan the shares and materialize what is due.

    Parameters
    ----------
    services : Services
    config_file : pathlib.Path or None
        The file that `services` were opened from.
    sessions : iterable of str
        Only these; all by default.
    wait : bool
        Go on until no file is still changing.
    again : iterable of str
        Tables that are made anew of the named sessions once nothing is due, though what they rest on is the same.
    say : callable
        Told a sentence at each step.

    Raises
    ------
    MapAssetsError
        If a named session was not found on the shares, or `again` names no table or comes without sessions.
    """
    from map_assets.shares.scan import scan_all

    report = IngestReport()
    only = set(sessions)
    stages = _stages_of(again, only)
    instance = open_instance(services.config.orchestration.home)
    while True:
        scans = scan_all(services.shares, services.ledger)
        report.shares = [scan.sentence for scan in scans]
        had_files = {share.share for share in services.ledger.status() if share.found}
        report.is_share_missing = any(
            scan.status in {"unreachable", "wrong"} or (scan.status == "empty" and scan.share in had_files)
            for scan in scans
        )
        _materialize(services, config_file, instance, only, report, say)
        still = sum(not found.settled for found in services.ledger.files(state="waiting")) if wait else 0
        if not still:
            break
        say(f"waiting for {still} files to stand still")
        time.sleep(min(1.0, min((share.settle_s for share in services.shares), default=1.0) or 1.0))
    missing = only - set(services.ledger.sessions())
    if missing:
        raise MapAssetsError(f"No settled behaviour file of {', '.join(sorted(missing))} was found on the shares.")
    if stages:
        due = [Due(session, Decision(stages, {}, "again")) for session in sorted(only)]
        _run_all(due, config_file, instance, report, say, {AGAIN_TAG: "yes"})
        _materialize(services, config_file, instance, only, report, say)
    return report


def _stages_of(tables: Iterable[str], sessions: Collection[str]) -> tuple[str, ...]:
    """Name the stages that make these tables, in the order of the work."""
    wanted = set(tables)
    known = {table.name: stage.name for stage in SESSION_STAGES for table in stage.writes}
    if wanted - set(known):
        raise MapAssetsError(
            f"No stage makes {', '.join(sorted(wanted - set(known)))}; docs/tables.md lists all tables."
        )
    if wanted and not sessions:
        raise MapAssetsError("Name the sessions of which tables are made again.")
    chosen = {known[name] for name in wanted}
    return tuple(stage.name for stage in SESSION_STAGES if stage.name in chosen)


def _materialize(
    services: Services,
    config_file: Path | None,
    instance: dg.DagsterInstance,
    only: set[str],
    report: IngestReport,
    say: Say,
) -> None:
    """Run what is due, look again (a session's start tells which recording is its own), until nothing is due."""
    from map_assets.shares.refresh import refresh

    _run_all([due for due in [due_for_lab(services)] if due is not None], config_file, instance, report, say)
    tried: set[tuple[str, str]] = set()
    for _ in range(_MOST_LOOKS):
        refresh(services.ledger)
        known = services.ledger.sessions()
        new = set(known) - set(instance.get_dynamic_partitions(str(SESSIONS.name)))
        if new:
            instance.add_dynamic_partitions(str(SESSIONS.name), sorted(new))
        due = due_for_sessions(services, [session for session in known if not only or session in only])
        # what ended without a verdict just now is left to the next ingest
        due = [item for item in due if (item.session, item.decision.digest) not in tried]
        if not due:
            return
        tried |= {(item.session, item.decision.digest) for item in due}
        _run_all(due, config_file, instance, report, say)
    for item in due:
        report.failed[item.session] = f"still due after {_MOST_LOOKS} looks: {', '.join(item.decision.stages)}"


def _run_all(
    due: Iterable[Due],
    config_file: Path | None,
    instance: dg.DagsterInstance,
    report: IngestReport,
    say: Say,
    tags: Mapping[str, str] = MappingProxyType({}),
) -> None:
    for item in due:
        say(f"{item.session}: {', '.join(item.decision.stages)}")
        began = time.monotonic()
        error = run(item, config_file, instance, tags)
        report.n_runs += 1
        if error is None:
            report.done[item.session] = report.done.get(item.session, 0.0) + time.monotonic() - began
            report.failed.pop(item.session, None)
        else:
            report.failed[item.session] = error


def run(
    due: Due,
    config_file: Path | None,
    instance: dg.DagsterInstance,
    tags: Mapping[str, str] = MappingProxyType({}),
) -> str | None:
    """Run what one session is due for in this process; return None, or why it failed."""
    job = definitions_for(config_file).resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        partition_key=None if due.session == LAB else due.session,
        asset_selection=[dg.AssetKey(name) for name in due.assets],
        instance=instance,
        raise_on_error=False,
        run_config=_QUIET,
        tags={RUNNER_TAG: runner(), **tags},
    )
    if result.success:
        return None
    return _why(result)


def _why(result: dg.ExecuteInProcessResult) -> str:
    """The first failed step's own sentence, or the blocking checks that failed."""
    for event in result.all_events:
        failure = event.event_specific_data if event.is_step_failure else None
        said = getattr(failure, "user_failure_data", None)
        if said is not None and said.description:
            return str(said.description).strip()
    checks = [found for found in result.get_asset_check_evaluations() if not found.passed]
    blocking = [found for found in checks if found.severity == dg.AssetCheckSeverity.ERROR]
    if blocking:
        told = (f"{found.check_name} of {found.asset_key.to_user_string()}: {found.description}" for found in blocking)
        return "a check failed, and what rests on it waits: " + "; ".join(told)
    for event in result.all_events:
        error = getattr(event.event_specific_data, "error", None) if event.is_step_failure else None
        if error is not None:
            return str(error.message).strip()
    return "the run failed; its events in the UI say why"
