"""Stages of the figures of movement, licking and free choice. The others are in `figures`."""

from __future__ import annotations

from map_assets.defs.hanging import hang
from map_assets.defs.stage import Made, Work, stage
from map_assets.figures import foraging_summary as forage
from map_assets.figures import jaw_phase_tuning as jaw_tuning
from map_assets.figures import licking_psth as licking
from map_assets.figures import unit_behavior as face
from map_assets.figures.tables_movement import FORAGING_SUMMARY, JAW_PHASE_TUNING, LICKING_PSTH, UNIT_BEHAVIOR

_FACE = (
    *("trials", "licks", "tracking", "jaw_oscillation", "jaw_phase"),
    *("spikes", "trial_spikes", "clock_maps", "probes"),
)
_FORAGING = ("foraging_trials", "foraging_sessions", "foraging_blocks", "foraging_models", "foraging_history")


@stage(writes=[JAW_PHASE_TUNING], reads=("jaw_oscillation", "jaw_phase"), group="figures", kinds={"matplotlib"})
def jaw_phase_tuning(work: Work) -> Made:
    """The jaw's phase, and the units that follow it most closely."""
    drawn = jaw_tuning.draw(work.session, work.table("jaw_oscillation"), work.table("jaw_phase"))
    return hang(work, JAW_PHASE_TUNING, drawn, ("jaw_oscillation", "jaw_phase"))


@stage(writes=[UNIT_BEHAVIOR], reads=_FACE, group="figures", kinds={"matplotlib"})
def unit_behavior(work: Work) -> Made:
    """Jaw, tongue and the spikes of the unit that follows the jaw most closely."""
    drawn = face.draw(work.session, *(work.table(name) for name in _FACE))
    return hang(work, UNIT_BEHAVIOR, drawn, _FACE)


@stage(writes=[LICKING_PSTH], reads=("trials", "licks"), group="figures", kinds={"matplotlib"})
def licking_psth(work: Work) -> Made:
    """Licks around the go cue."""
    drawn = licking.draw(work.session, work.table("trials"), work.table("licks"))
    return hang(work, LICKING_PSTH, drawn, ("trials", "licks"))


@stage(writes=[FORAGING_SUMMARY], reads=_FORAGING, group="figures", kinds={"matplotlib"})
def foraging_summary(work: Work) -> Made:
    """Choices, rewards, matching, history and models of a session of free choice."""
    drawn = forage.draw(work.session, *(work.table(name) for name in _FORAGING))
    return hang(work, FORAGING_SUMMARY, drawn, _FORAGING)
