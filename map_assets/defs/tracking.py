"""Stage of the tracking room."""

from __future__ import annotations

from map_assets.defs.stage import Check, Made, Work, stage
from map_assets.tracking.checks import frames_fit_their_trials
from map_assets.tracking.read import read_tracking
from map_assets.tracking.tables import TRACKING


@stage(
    writes=[TRACKING],
    reads=("trials",),
    roles=("tracking", "tracking_map"),
    group="tracking",
    kinds={"csv"},
    checks=(Check(frames_fit_their_trials, "tracking", ("tracking", "trials")),),
)
def tracking(work: Work) -> Made:
    """Body parts frame by frame, out of the tracker's results."""
    table, rejected = read_tracking(work.session, work.files, work.table("trials"))
    return Made({"tracking": table}, rejected)
