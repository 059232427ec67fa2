"""Stages of the CCF room: the laboratory's atlas, and each session's electrodes in it."""

from __future__ import annotations

from map_assets.ccf import tables as t
from map_assets.ccf.annotation import AnnotationVolume, make_annotation
from map_assets.ccf.checks import electrodes_follow_the_shank, positions_find_their_contacts
from map_assets.ccf.electrodes import make_electrodes
from map_assets.ccf.histology import read_histology
from map_assets.ccf.ontology import make_ontology
from map_assets.defs.stage import Check, Made, Work, stage
from map_assets.vocabulary.errors import NoAnnotationVolume


@stage(writes=[t.CCF_ONTOLOGY], group="ccf", for_lab=True)
def ccf_ontology(work: Work) -> Made:  # noqa: ARG001 - every stage takes its work
    """Regions of the Allen mouse brain ontology."""
    return Made({"ccf_ontology": make_ontology()})


@stage(writes=[t.CCF_ANNOTATION], group="ccf", kinds={"nrrd"}, for_lab=True, needs=("annotation",))
def ccf_annotation(work: Work) -> Made:
    """The annotation volume in use, with a copy that can be looked up without loading it."""
    volume = work.services.config.ccf.annotation
    if volume is None:
        raise NoAnnotationVolume("No annotation volume is named: set [ccf] annotation to an Allen CCF nrrd file.")
    return Made({"ccf_annotation": make_annotation(volume, work.services.store.root)})


@stage(writes=[t.ELECTRODE_POSITIONS, t.PROBE_TRACKS], roles=("histology",), group="ccf")
def histology(work: Work) -> Made:
    """Places along the shanks and traced tracks, out of the histologists' files."""
    return Made(*read_histology(work.session, work.files))


@stage(
    writes=[t.ELECTRODES],
    reads=("probe_sites",),
    may_read=("electrode_positions",),
    lab_reads=("ccf_annotation", "ccf_ontology"),
    group="ccf",
    checks=(
        Check(electrodes_follow_the_shank, "electrodes", ("electrodes",)),
        Check(positions_find_their_contacts, "electrodes", ("electrodes", "electrode_positions")),
    ),
)
def electrodes(work: Work) -> Made:
    """Every recorded contact with its place in the brain."""
    row = work.maybe("ccf_annotation")
    volume = None if row is None else AnnotationVolume.open(work.services.store.root, row)
    positions, ontology = work.maybe("electrode_positions"), work.maybe("ccf_ontology")
    return Made({"electrodes": make_electrodes(work.session, work.table("probe_sites"), positions, volume, ontology)})
