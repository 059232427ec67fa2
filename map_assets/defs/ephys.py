"""Stages of the ephys room."""

from __future__ import annotations

from map_assets.defs.stage import Check, Made, Work, stage
from map_assets.ephys import checks
from map_assets.ephys import tables as t
from map_assets.ephys.clock_maps import make_clock_maps
from map_assets.ephys.probes import make_probes
from map_assets.ephys.recordings import read_recordings
from map_assets.ephys.sortings import read_sortings
from map_assets.ephys.trial_spikes import make_trial_spikes


@stage(
    writes=[t.RECORDINGS, t.PROBE_SITES, t.EPHYS_TRIALS],
    roles=("spikeglx_meta", "bitcode"),
    group="ephys",
    kinds={"spikeglx"},
)
def recordings(work: Work) -> Made:
    """Probes, their contacts and the trials they saw, out of the acquisition system's files."""
    return Made(*read_recordings(work.session, work.files))


@stage(
    writes=[t.CLOCK_MAPS],
    reads=("trials", "ephys_trials"),
    may_read=("recordings",),
    group="ephys",
    checks=(
        Check(checks.clock_residuals_are_within_limits, "clock_maps", ("clock_maps", "ephys_trials"), is_blocking=True),
    ),
)
def clock_maps(work: Work) -> Made:
    """Each probe's clock carried onto the session clock, with its anchors and residuals."""
    table = make_clock_maps(work.session, work.table("trials"), work.table("ephys_trials"), work.maybe("recordings"))
    return Made({"clock_maps": table})


@stage(
    writes=[t.SORTINGS, t.UNITS, t.SPIKES],
    may_read=("recordings", "probe_sites"),
    roles=("sorting",),
    group="ephys",
    kinds={"kilosort"},
    checks=(
        Check(checks.spike_trains_rise, "spikes", ("spikes",), is_blocking=True),
        Check(checks.units_and_spikes_agree, "units", ("units", "spikes"), is_blocking=True),
        Check(checks.every_unit_has_an_electrode, "units", ("units", "probe_sites")),
    ),
)
def sortings(work: Work) -> Made:
    """Units and their spikes, out of the sorters' folders."""
    return Made(*read_sortings(work.session, work.files, work.maybe("recordings"), work.maybe("probe_sites")))


@stage(writes=[t.PROBES], one_of=("recordings", "sortings"), group="ephys")
def probes(work: Work) -> Made:
    """What was recorded with which probe and which sorting stands."""
    return Made({"probes": make_probes(work.session, work.maybe("recordings"), work.maybe("sortings"))})


@stage(writes=[t.TRIAL_SPIKES], reads=("spikes", "trials", "clock_maps", "probes"), group="ephys")
def trial_spikes(work: Work) -> Made:
    """Where each trial's spikes stand in each unit's train."""
    tables = [work.table(name) for name in ("spikes", "trials", "clock_maps", "probes")]
    return Made({"trial_spikes": make_trial_spikes(work.session, *tables)})
