"""Stages of the analyses."""

from __future__ import annotations

from map_assets.analyses import checks
from map_assets.analyses import tables as t
from map_assets.analyses.cell_type import make_cell_type
from map_assets.analyses.criteria_file import read_criteria
from map_assets.analyses.drift import make_drift
from map_assets.analyses.psth import make_psth
from map_assets.analyses.unit_criteria import make_unit_criteria
from map_assets.analyses.unit_stats import make_unit_stats
from map_assets.defs.stage import Check, Made, Work, stage

_INPUTS = ("units", "spikes", "trial_spikes", "trials", "clock_maps", "probes")


@stage(
    writes=[t.UNIT_STATS],
    reads=_INPUTS,
    group="analyses",
    version="2",
    checks=(
        Check(checks.trials_hold_no_more_spikes_than_the_train, "unit_stats", ("unit_stats", "units")),
        Check(checks.stats_hold_together, "unit_stats", ("unit_stats",)),
    ),
)
def unit_stats(work: Work) -> Made:
    """Each unit's firing in the trials in which its probe observed it."""
    return Made({"unit_stats": make_unit_stats(work.session, *(work.table(name) for name in _INPUTS))})


@stage(
    writes=[t.CELL_TYPE],
    reads=("units", "probes"),
    may_read=("unit_waveforms",),
    group="analyses",
    checks=(Check(checks.every_cell_type_has_its_grounds, "cell_type", ("cell_type",)),),
)
def cell_type(work: Work) -> Made:
    """Narrow or wide spikes, by each unit's mean waveform."""
    table = make_cell_type(work.session, work.table("units"), work.table("probes"), work.maybe("unit_waveforms"))
    return Made({"cell_type": table})


@stage(
    writes=[t.DRIFT],
    reads=("units", "trial_spikes", "trials"),
    may_read=("spike_features",),
    group="analyses",
    checks=(Check(checks.drift_is_of_whole_blocks, "drift", ("drift",)),),
)
def drift(work: Work) -> Made:
    """How steadily each unit fired over the observed trials."""
    tables = (work.table("units"), work.table("trial_spikes"), work.table("trials"))
    return Made({"drift": make_drift(work.session, *tables, work.maybe("spike_features"))})


@stage(
    writes=[t.UNIT_CRITERIA],
    reads=("units", "unit_stats"),
    may_read=("insertions", "drift"),
    group="analyses",
    parameters=lambda config: repr(read_criteria(config.protocols.unit_criteria)),
    checks=(Check(checks.criteria_are_answered, "unit_criteria", ("unit_criteria",)),),
)
def unit_criteria(work: Work) -> Made:
    """Whether each unit meets the quality criteria of its probe's target."""
    tables = (work.table("units"), work.table("unit_stats"))
    criteria = read_criteria(work.services.config.protocols.unit_criteria)
    table = make_unit_criteria(work.session, *tables, work.maybe("insertions"), work.maybe("drift"), criteria)
    return Made({"unit_criteria": table})


@stage(
    writes=[t.PSTH],
    reads=_INPUTS,
    group="analyses",
    checks=(Check(checks.psth_conserves_spikes, "psth", ("psth",)),),
)
def psth(work: Work) -> Made:
    """Each unit's firing around the go cue, by trial condition."""
    return Made({"psth": make_psth(work.session, *(work.table(name) for name in _INPUTS))})
