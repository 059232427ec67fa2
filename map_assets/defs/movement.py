"""Stages of the analyses of movement, licking, performance and free choice. The others are in `analyses`."""

from __future__ import annotations

from map_assets.analyses import checks_movement
from map_assets.analyses import tables_foraging as free
from map_assets.analyses import tables_movement as movement
from map_assets.analyses.foraging import make_foraging
from map_assets.analyses.jaw_oscillation import make_jaw_oscillation
from map_assets.analyses.jaw_phase import make_jaw_phase
from map_assets.analyses.lick_rhythm import make_lick_rhythm
from map_assets.analyses.movement import make_direction_tuning
from map_assets.analyses.parameters import read_parameters
from map_assets.analyses.performance import make_performance, make_photostim_performance
from map_assets.analyses.period_fits import make_period_fits
from map_assets.defs.analyses import _INPUTS, _parameters, _spiking
from map_assets.defs.stage import Check, Made, Work, stage


@stage(
    writes=[movement.JAW_OSCILLATION],
    reads=("tracking",),
    group="analyses",
    parameters=_parameters("jaw"),
    checks=(Check(checks_movement.movements_are_whole, "jaw_oscillation", ("jaw_oscillation",)),),
)
def jaw_oscillation(work: Work) -> Made:
    """The jaw's movement, filtered, with its phase."""
    parameters = read_parameters(work.services.config.protocols.analyses)
    table = make_jaw_oscillation(work.session, work.table("tracking"), parameters.jaw, parameters.version)
    why = f"no {parameters.jaw.feature} was tracked by the {parameters.jaw.camera} camera long enough"
    return Made({"jaw_oscillation": table}, notes={} if table.num_rows else {"not applicable": why})


@stage(
    writes=[movement.JAW_PHASE],
    reads=(*_INPUTS, "jaw_oscillation"),
    group="analyses",
    parameters=_parameters("jaw_phase"),
    checks=(Check(checks_movement.tuning_conserves_spikes, "jaw_phase", ("jaw_phase",)),),
)
def jaw_phase(work: Work) -> Made:
    """How each unit's firing follows the phase of the jaw."""
    parameters = read_parameters(work.services.config.protocols.analyses)
    table = make_jaw_phase(
        work.session, _spiking(work), work.table("jaw_oscillation"), parameters.jaw_phase, parameters.version
    )
    return Made({"jaw_phase": table})


@stage(
    writes=[movement.LICK_BOUTS, movement.LICK_RHYTHM],
    reads=("licks", "trials"),
    group="analyses",
    parameters=_parameters("licking"),
    checks=(Check(checks_movement.bouts_hold_every_lick, "lick_bouts", ("lick_bouts", "licks")),),
)
def lick_rhythm(work: Work) -> Made:
    """When and how fast the animal licked."""
    parameters = read_parameters(work.services.config.protocols.analyses)
    tables = (work.table("licks"), work.table("trials"))
    bouts, rhythm = make_lick_rhythm(work.session, *tables, parameters.licking, parameters.version)
    return Made({"lick_bouts": bouts, "lick_rhythm": rhythm})


@stage(
    writes=[movement.DIRECTION_TUNING],
    reads=(*_INPUTS, "licks", "block_ports"),
    group="analyses",
    parameters=_parameters("direction_tuning"),
)
def direction_tuning(work: Work) -> Made:
    """How each unit fires at licks to targets in different directions."""
    parameters = read_parameters(work.services.config.protocols.analyses)
    tables = (work.table("licks"), work.table("block_ports"))
    table = make_direction_tuning(
        work.session, _spiking(work), *tables, parameters.direction_tuning, parameters.version
    )
    why = {} if table.num_rows else {"not applicable": "the session's task has no targets in different directions"}
    return Made({"direction_tuning": table}, notes=why)


@stage(
    writes=[movement.PERFORMANCE, movement.PHOTOSTIM_PERFORMANCE],
    reads=("trials",),
    group="analyses",
    parameters=_parameters("performance"),
    checks=(Check(checks_movement.running_shares_are_of_the_trials, "performance", ("performance",)),),
)
def performance(work: Work) -> Made:
    """How well the animal did, over the session and with light."""
    parameters = read_parameters(work.services.config.protocols.analyses)
    trials = work.table("trials")
    running = make_performance(work.session, trials, parameters.performance, parameters.version)
    lit = make_photostim_performance(work.session, trials, parameters.version)
    return Made({"performance": running, "photostim_performance": lit})


@stage(
    writes=[table for table in free.TABLES if table is not free.FORAGING_PERIOD_FITS],
    reads=("trials", "trial_events", "block_ports"),
    group="analyses",
    parameters=_parameters("foraging"),
    checks=(
        Check(
            checks_movement.models_tell_the_likelihood_of_the_choices,
            "foraging_models",
            ("foraging_models", "foraging_trials"),
        ),
    ),
)
def foraging(work: Work) -> Made:
    """What the animal chose and got, and which model of choosing is likeliest."""
    trials = work.table("trials")
    if trials["choice"].null_count == trials.num_rows:
        return Made({}, notes={"not applicable": "the animal made no free choice in the session"})
    parameters = read_parameters(work.services.config.protocols.analyses)
    tables = (trials, work.table("trial_events"), work.table("block_ports"))
    return Made(make_foraging(work.session, *tables, parameters.foraging, parameters.version))


@stage(
    writes=[free.FORAGING_PERIOD_FITS],
    reads=(*_INPUTS, "trial_events", "foraging_trials"),
    may_read=("insertions",),
    group="analyses",
    parameters=_parameters("foraging"),
)
def foraging_period_fits(work: Work) -> Made:
    """How each unit's firing follows the values of the learner that the animal resembles most."""
    if work.table("foraging_trials").num_rows == 0:
        return Made({}, notes={"not applicable": "the animal made no free choice in the session"})
    parameters = read_parameters(work.services.config.protocols.analyses)
    tables = (work.table("trial_events"), work.table("foraging_trials"), work.maybe("insertions"))
    table = make_period_fits(work.session, _spiking(work), *tables, parameters.foraging, parameters.version)
    return Made({"foraging_period_fits": table})
