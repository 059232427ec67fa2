"""Stages of the ephys room."""

from __future__ import annotations

from map_assets.archive.removal_report import away
from map_assets.defs.stage import Check, Made, Work, stage
from map_assets.ephys import checks
from map_assets.ephys import tables as t
from map_assets.ephys.archived_bins import with_archived_bins
from map_assets.ephys.clock_maps import make_clock_maps
from map_assets.ephys.frame_times import make_frame_times
from map_assets.ephys.lfp import make_lfp_power
from map_assets.ephys.probes import make_probes
from map_assets.ephys.pulse_code import read_pulse_protocol
from map_assets.ephys.recordings import read_recordings
from map_assets.ephys.rig_tables import every_file_told_its_events
from map_assets.ephys.sorting_changes import find_changes
from map_assets.ephys.sortings import read_sortings
from map_assets.ephys.trial_spikes import make_trial_spikes
from map_assets.ephys.unit_classes import read_unit_classes
from map_assets.ephys.waveforms import make_unit_waveforms


@stage(
    writes=[t.RECORDINGS, t.PROBE_SITES, t.EPHYS_TRIALS, t.EPHYS_EVENTS, t.EPHYS_FRAMES],
    roles=("spikeglx_meta", "spikeglx_bin", "bitcode"),
    claims=("spikeglx_meta", "bitcode"),
    version="4",
    group="ephys",
    kinds={"spikeglx"},
    parameters=lambda config: repr(read_pulse_protocol(config.protocols.pulses)),
    checks=(Check(every_file_told_its_events, "ephys_events", ("ephys_trials",)),),
)
def recordings(work: Work) -> Made:
    """Probes, their contacts, and the trials, events and frames they saw; what archived files told of them stays."""
    protocol = read_pulse_protocol(work.services.config.protocols.pulses)
    tables, rejected = read_recordings(work.session, work.files, protocol)
    removed = away(work.services.journal, work.session)
    return Made(with_archived_bins(tables, work.standing, removed), rejected)


@stage(
    writes=[t.CLOCK_MAPS],
    reads=("trials", "ephys_trials"),
    may_read=("recordings",),
    version="2",
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
    writes=[t.FRAME_TIMES, t.RIG_EVENTS],
    reads=("ephys_frames", "ephys_events", "clock_maps"),
    group="ephys",
)
def frame_times(work: Work) -> Made:
    """The cameras' frames and the rig's events as the recording saw them, on the session clock."""
    tables = (work.table("ephys_frames"), work.table("ephys_events"), work.table("clock_maps"))
    return Made(make_frame_times(work.session, *tables))


@stage(
    # the others first and `sortings` last: a crash in between loses no version
    writes=[
        *(t.OTHER_UNITS, t.OTHER_SPIKES, t.OTHER_SPIKE_FEATURES, t.UNIT_LABELS),
        *(t.UNITS, t.SPIKES, t.SPIKE_FEATURES, t.SORTING_CHANGES, t.SORTINGS),
    ],
    may_read=("recordings", "probe_sites"),
    roles=("sorting",),
    needs=("sorting choices",),
    keeps=True,
    version="3",
    group="ephys",
    kinds={"kilosort"},
    checks=(
        Check(checks.spike_trains_rise, "spikes", ("spikes",), is_blocking=True),
        Check(checks.units_and_spikes_agree, "units", ("units", "spikes"), is_blocking=True),
        Check(checks.every_unit_has_an_electrode, "units", ("units", "probe_sites")),
    ),
)
def sortings(work: Work) -> Made:
    """Units and their spikes, out of the sorters' folders; other versions of a sorting stand beside the current one."""
    tables, rejected = read_sortings(
        work.session,
        work.files,
        work.maybe("recordings"),
        work.maybe("probe_sites"),
        past=work.standing,
        choices=work.services.sorting_choices.standing(work.session),
    )
    changes = find_changes(work.session, *(tables.get(name) for name in ("sortings", "spikes", "other_spikes")))
    return Made({**tables, "sorting_changes": changes}, rejected)


@stage(writes=[t.PROBES], one_of=("recordings", "sortings"), group="ephys")
def probes(work: Work) -> Made:
    """What was recorded with which probe and which sorting stands."""
    return Made({"probes": make_probes(work.session, work.maybe("recordings"), work.maybe("sortings"))})


@stage(
    writes=[t.UNIT_CLASSES],
    reads=("units",),
    may_read=("probes",),
    roles=("unit_classes",),
    version="2",
    group="ephys",
    kinds={"matlab"},
    checks=(Check(checks.classes_are_younger_than_their_sorting, "unit_classes", ("unit_classes", "probes")),),
)
def unit_classes(work: Work) -> Made:
    """Which units an outside classifier calls good."""
    found = read_unit_classes(work.session, work.files, work.table("units"), work.maybe("probes"), work.standing)
    return Made(*found)


@stage(
    writes=[t.UNIT_WAVEFORMS],
    reads=("recordings", "probe_sites", "units", "spikes"),
    roles=("spikeglx_bin", "spikeglx_meta", "sorting"),
    claims=(),
    keeps=True,
    group="ephys",
    kinds={"spikeglx"},
)
def unit_waveforms(work: Work) -> Made:
    """Mean waveforms of the units, out of the raw recording; they stay when it is archived."""
    tables = (work.table("recordings"), work.table("probe_sites"), work.table("units"), work.table("spikes"))
    table, rejected = make_unit_waveforms(work.session, work.files, *tables, past=work.standing)
    return Made({"unit_waveforms": table}, rejected)


@stage(
    writes=[t.LFP_POWER],
    reads=("recordings", "probe_sites"),
    roles=("spikeglx_bin", "spikeglx_meta"),
    claims=(),
    keeps=True,
    group="ephys",
    kinds={"spikeglx"},
)
def lfp_power(work: Work) -> Made:
    """Power of the field potential by contact and frequency band."""
    tables = (work.table("recordings"), work.table("probe_sites"))
    table, rejected = make_lfp_power(work.session, work.files, *tables, past=work.standing)
    return Made({"lfp_power": table}, rejected)


@stage(writes=[t.TRIAL_SPIKES], reads=("spikes", "trials", "clock_maps", "probes"), version="2", group="ephys")
def trial_spikes(work: Work) -> Made:
    """Where each trial's spikes stand in each unit's train."""
    tables = [work.table(name) for name in ("spikes", "trials", "clock_maps", "probes")]
    return Made({"trial_spikes": make_trial_spikes(work.session, *tables)})
