"""Stages of the analyses."""

from __future__ import annotations

from collections.abc import Callable

from map_assets.analyses import checks
from map_assets.analyses import tables as t
from map_assets.analyses import tables_task as task
from map_assets.analyses.cell_type import make_cell_type
from map_assets.analyses.coding_direction import make_coding_direction
from map_assets.analyses.conditions import Condition, read_conditions
from map_assets.analyses.criteria_file import read_criteria
from map_assets.analyses.drift import make_drift
from map_assets.analyses.noise_correlations import make_noise_correlations
from map_assets.analyses.parameters import read_parameters
from map_assets.analyses.periods import DELAY_RESPONSE as DELAY_RESPONSE_PERIODS
from map_assets.analyses.photostim_effect import make_photostim_effect
from map_assets.analyses.population import make_population_psth
from map_assets.analyses.psth import make_psth
from map_assets.analyses.selectivity import make_selectivity
from map_assets.analyses.trains import Spiking
from map_assets.analyses.unit_criteria import make_unit_criteria
from map_assets.analyses.unit_stats import make_unit_stats
from map_assets.config import Config
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


def _conditions(work: Work) -> tuple[Condition, ...]:
    """Return the conditions of the session's task, by the format of its file; none where the conditions name no such task."""
    (name,) = work.table("behavior_file")["format"].to_pylist()
    return read_conditions(work.services.config.protocols.conditions).get(name, ())


def _parameters(part: str) -> Callable[[Config], object]:
    def of(config: Config) -> object:
        parameters = read_parameters(config.protocols.analyses)
        return [parameters.version, repr(getattr(parameters, part)), repr(read_conditions(config.protocols.conditions))]

    return of


def _named(work: Work, *names: str) -> tuple[Condition, ...] | None:
    """Return the task's conditions of those names; None where it lacks one, and the analysis does not apply."""
    found = {condition.name: condition for condition in _conditions(work)}
    return tuple(found[name] for name in names) if found.keys() >= set(names) else None


def _not_applicable(*names: str) -> Made:
    """Tables without rows, and why."""
    return Made({}, notes={"not applicable": f"the session's task has no condition {' or '.join(names)}"})


@stage(
    writes=[t.PSTH],
    reads=(*_INPUTS, "behavior_file"),
    may_read=("photostim_sites",),
    group="analyses",
    version="2",
    parameters=_parameters("psth"),
    checks=(Check(checks.psth_conserves_spikes, "psth", ("psth",)),),
)
def psth(work: Work) -> Made:
    """Each unit's firing around the go cue, by trial condition."""
    settings = read_parameters(work.services.config.protocols.analyses).psth
    made = make_psth(
        work.session,
        *_spiking(work),
        conditions=_conditions(work),
        photostim_sites=work.maybe("photostim_sites"),
        smoothing_sd_s=settings.smoothing_sd_s,
    )
    return Made({"psth": made})


@stage(
    writes=[task.SELECTIVITY, task.UNIT_SELECTIVITY],
    reads=(*_INPUTS, "behavior_file"),
    may_read=("insertions",),
    group="analyses",
    parameters=_parameters("selectivity"),
    checks=(Check(checks.selectivity_follows_its_p, "selectivity", ("selectivity",)),),
)
def selectivity(work: Work) -> Made:
    """Which units tell the instruction to one side from that to the other."""
    parameters = read_parameters(work.services.config.protocols.analyses)
    named = _named(work, parameters.selectivity.condition)
    if named is None:
        return _not_applicable(parameters.selectivity.condition)
    by_period, by_unit = make_selectivity(
        work.session, _spiking(work), work.maybe("insertions"), named[0], parameters.selectivity, parameters.version
    )
    return Made({"selectivity": by_period, "unit_selectivity": by_unit})


@stage(
    writes=[task.CODING_DIRECTION, task.CODING_DIRECTION_TRACES, task.CODING_DIRECTION_WEIGHTS],
    reads=(*_INPUTS, "behavior_file"),
    may_read=("insertions",),
    group="analyses",
    parameters=_parameters("coding_direction"),
    checks=(Check(checks.directions_are_of_unit_length, "coding_direction_weights", ("coding_direction_weights",)),),
)
def coding_direction(work: Work) -> Made:
    """How well each probe's units together tell right from left, trial by trial."""
    parameters = read_parameters(work.services.config.protocols.analyses)
    settings = parameters.coding_direction
    named = _named(work, settings.left, settings.right)
    if named is None:
        return _not_applicable(settings.left, settings.right)
    sides = named[0], named[1]
    return Made(
        make_coding_direction(
            work.session, _spiking(work), work.maybe("insertions"), sides, settings, parameters.version
        )
    )


@stage(
    writes=[task.PHOTOSTIM_EFFECT],
    reads=(*_INPUTS, "behavior_file"),
    group="analyses",
    parameters=_parameters("photostim_effect"),
)
def photostim_effect(work: Work) -> Made:
    """What stimulation of each site does to each unit's firing."""
    parameters = read_parameters(work.services.config.protocols.analyses)
    settings = parameters.photostim_effect
    named = _named(work, settings.control)
    if named is None:
        return _not_applicable(settings.control)
    table = make_photostim_effect(work.session, _spiking(work), named[0], settings, parameters.version)
    why = {} if table.num_rows else {"not applicable": "no trial of the session was stimulated"}
    return Made({"photostim_effect": table}, notes=why)


@stage(
    writes=[task.NOISE_CORRELATIONS],
    reads=(*_INPUTS, "behavior_file"),
    group="analyses",
    parameters=_parameters("noise_correlations"),
)
def noise_correlations(work: Work) -> Made:
    """How much the units of each pair of probes vary together from trial to trial."""
    parameters = read_parameters(work.services.config.protocols.analyses)
    settings = parameters.noise_correlations
    named = _named(work, *settings.conditions)
    if named is None:
        return _not_applicable(*settings.conditions)
    period = next(period for period in DELAY_RESPONSE_PERIODS if period.name == settings.period)
    table = make_noise_correlations(work.session, _spiking(work), named, period, settings, parameters.version)
    return Made({"noise_correlations": table})


@stage(
    writes=[task.POPULATION_PSTH],
    reads=("psth", "units"),
    may_read=("unit_selectivity", "electrodes"),
    group="analyses",
)
def population_psth(work: Work) -> Made:
    """The mean firing of each probe's units, by region, selectivity and condition."""
    tables = (work.table("psth"), work.table("units"), work.maybe("unit_selectivity"), work.maybe("electrodes"))
    return Made({"population_psth": make_population_psth(work.session, *tables)})


def _spiking(work: Work) -> Spiking:
    return Spiking(*(work.table(name) for name in _INPUTS))
