"""Stages of the CCF room: the laboratory's atlas, and each session's electrodes in it."""

from __future__ import annotations

from datetime import UTC, datetime

from map_assets.ccf import checks, shank_checks, tracing_checks, track_checks
from map_assets.ccf import tables as t
from map_assets.ccf import track_tables as tt
from map_assets.ccf.annotation import AnnotationVolume, make_annotation
from map_assets.ccf.closure import make_closure
from map_assets.ccf.electrodes import make_electrodes
from map_assets.ccf.histology import probes_of, read_histology
from map_assets.ccf.ontology import make_ontology
from map_assets.ccf.tracing_versions import settle_tracings
from map_assets.ccf.tracks import make_tracks
from map_assets.defs.stage import Check, Made, Work, stage
from map_assets.vocabulary.errors import NoAnnotationVolume


@stage(writes=[t.CCF_ONTOLOGY], group="ccf", for_lab=True, version="2")
def ccf_ontology(work: Work) -> Made:  # noqa: ARG001 - every stage takes its work
    """Regions of the Allen mouse brain ontology."""
    return Made({"ccf_ontology": make_ontology()})


@stage(writes=[t.CCF_REGION_CLOSURE], group="ccf", for_lab=True)
def ccf_region_closure(work: Work) -> Made:  # noqa: ARG001 - every stage takes its work
    """Which regions lie under which."""
    return Made({"ccf_region_closure": make_closure(make_ontology())})


@stage(writes=[t.CCF_ANNOTATION], group="ccf", kinds={"nrrd"}, for_lab=True, needs=("annotation",), version="3")
def ccf_annotation(work: Work) -> Made:
    """The annotation volume in use, with a copy that can be looked up without loading it."""
    volume = work.services.config.ccf.annotation
    if volume is None:
        raise NoAnnotationVolume("No annotation volume is named: set [ccf] annotation to an Allen CCF nrrd file.")
    return Made({"ccf_annotation": make_annotation(volume, work.services.store.root)})


@stage(
    # all versions first and `tracings` last: a crash in between loses none
    writes=[
        *(tt.TRACED_POSITIONS, tt.TRACED_TRACKS, tt.TRACING_CHANGES),
        *(t.ELECTRODE_POSITIONS, t.PROBE_TRACKS, tt.TRACINGS),
    ],
    roles=("histology",),
    needs=("tracing corrections",),
    keeps=True,
    version="3",
    group="ccf",
    checks=(
        Check(track_checks.no_correction_was_made_for_another_tracing, "tracings", ("tracings",)),
        Check(tracing_checks.shifts_move_every_shank, "tracings", ("tracings",)),
    ),
)
def histology(work: Work) -> Made:
    """Places along the shanks and traced tracks, out of the histologists' files; earlier tracings stand beside the current ones."""
    read, rejected = read_histology(work.session, work.files)
    tables = settle_tracings(
        work.session,
        read,
        probes_of(work.session, rejected),
        past=work.standing,
        corrections=work.services.tracing_corrections.standing(work.session),
        now=datetime.now(UTC),
    )
    return Made(tables, rejected)


@stage(
    writes=[t.ELECTRODES],
    reads=("probe_sites",),
    may_read=("electrode_positions", "probe_tracks"),
    lab_reads=("ccf_annotation", "ccf_ontology"),
    version="3",
    group="ccf",
    checks=(
        Check(checks.electrodes_follow_the_shank, "electrodes", ("electrodes",)),
        Check(checks.contacts_are_spaced_as_on_the_probe, "electrodes", ("electrodes",)),
        Check(checks.tracings_have_no_gaps, "electrodes", ("electrodes",)),
        Check(checks.positions_find_their_contacts, "electrodes", ("electrodes", "electrode_positions")),
        Check(shank_checks.shanks_stand_as_on_the_probe, "electrodes", ("electrodes",)),
        Check(shank_checks.traced_probes_are_traced_whole, "electrodes", ("electrodes",)),
        Check(shank_checks.labels_have_names, "electrodes", ("electrodes",)),
        Check(shank_checks.rows_are_told_apart, "electrodes", ("electrodes", "electrode_positions")),
    ),
)
def electrodes(work: Work) -> Made:
    """Every recorded contact with its place in the brain."""
    names = ("electrode_positions", "ccf_ontology", "probe_tracks")
    positions, ontology, tracks = (work.maybe(name) for name in names)
    sites = work.table("probe_sites")
    return Made({"electrodes": make_electrodes(work.session, sites, positions, volume_of(work), ontology, tracks)})


@stage(
    writes=[tt.PROBE_TRACK_FITS, tt.ELECTRODE_DEPTHS],
    reads=("electrodes",),
    may_read=("probe_tracks", "insertions"),
    lab_reads=("ccf_annotation",),
    group="ccf",
    checks=(
        Check(
            track_checks.tracks_enter_through_the_surface,
            "probe_track_fits",
            ("probe_track_fits", "electrode_depths", "probe_tracks"),
        ),
        Check(track_checks.tracks_are_straight, "probe_track_fits", ("probe_track_fits",)),
        Check(
            checks.hemisphere_agrees_with_the_surgery,
            "probe_track_fits",
            ("electrodes", "insertions", "probe_track_fits"),
        ),
    ),
)
def track_fits(work: Work) -> Made:
    """The line of each shank, where it enters the brain, and each contact's depth under the surface."""
    return Made(make_tracks(work.session, work.table("electrodes"), work.maybe("probe_tracks"), volume_of(work)))


def volume_of(work: Work) -> AnnotationVolume | None:
    """Open the annotation volume that the laboratory uses; None where there is none yet."""
    row = work.maybe("ccf_annotation")
    return None if row is None else AnnotationVolume.open(work.services.store.root, row)
