"""Stage of the behaviour room."""

from __future__ import annotations

from datetime import datetime

from map_assets.behavior import checks
from map_assets.behavior.protocol_file import protocols_mark
from map_assets.behavior.read import read_behavior
from map_assets.behavior.tables import TABLES
from map_assets.defs.stage import Check, Made, Work, stage


@stage(
    writes=TABLES,
    roles=("behavior",),
    group="behavior",
    kinds={"matlab", "csv"},
    version="3",
    parameters=lambda config: protocols_mark(config.protocols.behavior),
    checks=(
        Check(checks.trials_are_in_order, "trials", ("trials",), is_blocking=True),
        Check(checks.every_trial_is_accounted_for, "trials", ("behavior_file", "trials", "skipped_trials")),
        Check(checks.events_lie_in_their_trials, "trial_events", ("trials", "trial_events")),
        Check(checks.licks_lie_in_their_trials, "licks", ("trials", "licks")),
        Check(checks.starts_agree, "behavior_file", ("behavior_file",)),
        Check(checks.blocks_hold_their_trials, "blocks", ("trials", "blocks")),
    ),
)
def behavior(work: Work) -> Made:
    """Trials, events, licks and photostimulation, out of the rig's behaviour file of whatever task."""
    tables = read_behavior(work.session, work.files[0], protocols=work.services.config.protocols.behavior)
    start = datetime.fromisoformat(tables["behavior_file"]["start_local"][0].as_py())
    work.services.ledger.set_session_start(work.session, start)
    return Made(tables)
