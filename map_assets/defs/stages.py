"""Every stage, in the order of the work. A new one is one function in its room's file and one line here."""

from __future__ import annotations

from map_assets.defs import (
    analyses,
    archive,
    behavior,
    ccf,
    ephys,
    figures,
    lab,
    movement,
    movement_figures,
    nwb,
    report_figures,
    sessions,
    tracking,
)
from map_assets.defs.stage import Stage

LAB_STAGES: tuple[Stage, ...] = (ccf.ccf_ontology, ccf.ccf_region_closure, ccf.ccf_annotation)
"""Made once for the laboratory."""

SESSION_STAGES: tuple[Stage, ...] = (
    behavior.behavior,
    sessions.sessions,
    lab.insertions,
    ephys.recordings,
    ephys.clock_maps,
    ephys.frame_times,
    tracking.tracking,
    tracking.videos,
    ephys.sortings,
    ephys.probes,
    ephys.unit_classes,
    ephys.unit_waveforms,
    ephys.lfp_power,
    sessions.coverage,
    ephys.trial_spikes,
    ccf.histology,
    ccf.electrodes,
    ccf.track_fits,
    analyses.unit_stats,
    analyses.cell_type,
    analyses.drift,
    analyses.unit_criteria,
    analyses.psth,
    analyses.selectivity,
    analyses.coding_direction,
    analyses.photostim_effect,
    analyses.noise_correlations,
    analyses.population_psth,
    movement.jaw_oscillation,
    movement.jaw_phase,
    movement.lick_rhythm,
    movement.direction_tuning,
    movement.performance,
    movement.foraging,
    movement.foraging_period_fits,
    figures.behavior_performance,
    figures.clock_residuals,
    figures.unit_raster_psth,
    figures.probe_slice,
    figures.probe_tracks_3d,
    report_figures.coding_direction_figure,
    report_figures.group_psth,
    report_figures.group_photostim,
    report_figures.driftmap,
    report_figures.unit_characteristic,
    report_figures.clustering_quality,
    movement_figures.jaw_phase_tuning,
    movement_figures.unit_behavior,
    movement_figures.licking_psth,
    movement_figures.foraging_summary,
    nwb.nwb_file,
    archive.archive_manifest,
    archive.archive_transfer,
    archive.archive_verification,
    archive.archive_receipt,
    archive.removal_plan,
)
"""Made once a session, in one run."""

MANUAL_STAGES: tuple[Stage, ...] = (archive.source_removed,)
"""Made for a session when a person asks for it, and never by themselves."""

BY_NAME: dict[str, Stage] = {stage.name: stage for stage in (*LAB_STAGES, *SESSION_STAGES, *MANUAL_STAGES)}
