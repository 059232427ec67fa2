"""Every stage, in the order of the work. A new one is one function in its room's file and one line here."""

from __future__ import annotations

from map_assets.defs import analyses, archive, behavior, ccf, ephys, figures, lab, nwb, sessions, tracking
from map_assets.defs.stage import Stage

LAB_STAGES: tuple[Stage, ...] = (ccf.ccf_ontology, ccf.ccf_annotation)
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
    analyses.unit_stats,
    analyses.cell_type,
    analyses.drift,
    analyses.unit_criteria,
    analyses.psth,
    figures.behavior_performance,
    figures.clock_residuals,
    figures.unit_raster_psth,
    nwb.nwb_file,
    archive.archive_manifest,
    archive.archive_receipt,
)
"""Made once a session, in one run."""

BY_NAME: dict[str, Stage] = {stage.name: stage for stage in (*LAB_STAGES, *SESSION_STAGES)}
