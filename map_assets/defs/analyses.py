"""Stages of the analyses."""

from __future__ import annotations

from map_assets.analyses.checks import psth_conserves_spikes, trials_hold_no_more_spikes_than_the_train
from map_assets.analyses.psth import make_psth
from map_assets.analyses.tables import PSTH, UNIT_STATS
from map_assets.analyses.unit_stats import make_unit_stats
from map_assets.defs.stage import Check, Made, Work, stage

_INPUTS = ("units", "spikes", "trial_spikes", "trials", "clock_maps", "probes")


@stage(
    writes=[UNIT_STATS],
    reads=_INPUTS,
    group="analyses",
    checks=(Check(trials_hold_no_more_spikes_than_the_train, "unit_stats", ("unit_stats", "units")),),
)
def unit_stats(work: Work) -> Made:
    """Each unit's firing in the trials in which its probe observed it."""
    return Made({"unit_stats": make_unit_stats(work.session, *(work.table(name) for name in _INPUTS))})


@stage(
    writes=[PSTH],
    reads=_INPUTS,
    group="analyses",
    checks=(Check(psth_conserves_spikes, "psth", ("psth",)),),
)
def psth(work: Work) -> Made:
    """Each unit's firing around the go cue, by trial condition."""
    return Made({"psth": make_psth(work.session, *(work.table(name) for name in _INPUTS))})
