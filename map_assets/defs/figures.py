"""Stages of the figures: one a figure, shown on the asset's page."""

from __future__ import annotations

from map_assets.ccf.mesh import brain_mesh
from map_assets.ccf.tracks import probe_sheets
from map_assets.defs.ccf import volume_of
from map_assets.defs.hanging import hang
from map_assets.defs.stage import Made, Work, stage
from map_assets.figures import behavior_performance as performance
from map_assets.figures import clock_residuals as residuals
from map_assets.figures import probe_slice as sections
from map_assets.figures import probe_tracks_3d as tracks
from map_assets.figures import unit_raster_psth as raster
from map_assets.figures.drawing import NotApplicable
from map_assets.figures.tables import BEHAVIOR_PERFORMANCE, CLOCK_RESIDUALS, UNIT_RASTER_PSTH
from map_assets.figures.track_tables import PROBE_SLICE, PROBE_TRACKS_3D

_RASTER = ("trials", "units", "spikes", "trial_spikes", "psth", "clock_maps", "probes")


@stage(
    writes=[BEHAVIOR_PERFORMANCE],
    reads=("trials",),
    may_read=("photostim_sites",),
    version="3",
    group="figures",
    kinds={"matplotlib"},
)
def behavior_performance(work: Work) -> Made:
    """Performance over the session and under photostimulation."""
    drawn = performance.draw(work.session, work.table("trials"), work.maybe("photostim_sites"))
    return hang(work, BEHAVIOR_PERFORMANCE, drawn, ("trials", "photostim_sites"))


@stage(
    writes=[CLOCK_RESIDUALS],
    reads=("clock_maps",),
    group="figures",
    kinds={"matplotlib"},
    shows_refused=True,
    version="2",
)
def clock_residuals(work: Work) -> Made:
    """Residuals of each probe's clock over the session; drawn above all where they are too large."""
    return hang(work, CLOCK_RESIDUALS, residuals.draw(work.session, work.table("clock_maps")), ("clock_maps",))


@stage(writes=[UNIT_RASTER_PSTH], reads=_RASTER, version="3", group="figures", kinds={"matplotlib"})
def unit_raster_psth(work: Work) -> Made:
    """Raster and PSTH of one unit."""
    drawn = raster.draw(work.session, *(work.table(name) for name in _RASTER))
    return hang(work, UNIT_RASTER_PSTH, drawn, _RASTER)


_TRACKS = ("electrodes", "probe_track_fits")
_NO_VOLUME = NotApplicable("the laboratory has named no annotation volume")


@stage(
    writes=[PROBE_SLICE],
    reads=_TRACKS,
    lab_reads=("ccf_annotation", "ccf_ontology"),
    group="figures",
    kinds={"matplotlib", "plotly"},
    shows_refused=True,
)
def probe_slice(work: Work) -> Made:
    """Each probe's contacts in the section that its track lies in."""
    volume = volume_of(work)
    if volume is None:
        return hang(work, PROBE_SLICE, _NO_VOLUME, _TRACKS)
    contacts, fits = (work.table(name) for name in _TRACKS)
    sheets = probe_sheets(volume, fits)
    drawn = sections.draw(work.session, contacts, fits, sheets, volume.voxel_um, work.maybe("ccf_ontology"))
    return hang(work, PROBE_SLICE, drawn, _TRACKS)


@stage(
    writes=[PROBE_TRACKS_3D],
    reads=_TRACKS,
    lab_reads=("ccf_annotation",),
    group="figures",
    kinds={"matplotlib", "plotly"},
    shows_refused=True,
)
def probe_tracks_3d(work: Work) -> Made:
    """All probes' tracks and contacts in the whole brain."""
    volume = volume_of(work)
    if volume is None:
        return hang(work, PROBE_TRACKS_3D, _NO_VOLUME, _TRACKS)
    contacts, fits = (work.table(name) for name in _TRACKS)
    mesh = brain_mesh(volume, work.services.store.root)
    drawn = tracks.draw(work.session, contacts, fits, mesh.vertices_um, mesh.faces)
    return hang(work, PROBE_TRACKS_3D, drawn, _TRACKS)
