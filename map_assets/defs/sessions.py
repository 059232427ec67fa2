"""Stages of the sessions room."""

from __future__ import annotations

from map_assets.defs.stage import Check, Made, Work, stage
from map_assets.sessions.checks import name_date_matches_the_start, subject_is_known
from map_assets.sessions.coverage import make_coverage
from map_assets.sessions.make import make_session
from map_assets.sessions.tables import COVERAGE, SESSIONS


@stage(
    writes=[SESSIONS],
    reads=("behavior_file",),
    needs=("any subject",),
    group="sessions",
    parameters=lambda config: config.lab.time_zone,
    checks=(
        Check(name_date_matches_the_start, "sessions", ("sessions",)),
        Check(subject_is_known, "sessions", ("sessions",)),
    ),
)
def sessions(work: Work) -> Made:
    """Who, when, on which rig, in which task."""
    zone = work.services.config.lab.time_zone
    return Made({"sessions": make_session(work.session, work.table("behavior_file"), work.subject(), zone)})


@stage(
    writes=[COVERAGE],
    reads=("trials",),
    may_read=("skipped_trials", "clock_maps", "probes", "tracking"),
    group="sessions",
)
def coverage(work: Work) -> Made:
    """Which trials the behaviour, each probe and each camera observed, and why not the others."""
    sources = (work.maybe(name) for name in ("skipped_trials", "clock_maps", "probes", "tracking"))
    return Made({"coverage": make_coverage(work.session, work.table("trials"), *sources)})
