"""Gives each recorded contact its place in the brain and its region. Contacts are placed in `placing` and `along_track`, voxels looked up in `annotation`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.ccf.along_track import place_along_track
from map_assets.ccf.annotation import AnnotationVolume
from map_assets.ccf.nearest import nearest_regions
from map_assets.ccf.ontology import names_of
from map_assets.ccf.placing import contact_of, contacts_per_um, place_by_contact, place_by_geometry, row_pitch
from map_assets.ccf.tables import ELECTRODES
from map_assets.vocabulary.frame import hemisphere_of

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Sources = NDArray[np.object_]


def make_electrodes(
    session: str,
    probe_sites: pa.Table,
    electrode_positions: pa.Table | None = None,
    volume: AnnotationVolume | None = None,
    ontology: pa.Table | None = None,
    probe_tracks: pa.Table | None = None,
    tip_length_um: Mapping[int, float] | float = 0.0,
) -> pa.Table:
    """Join the recorded contacts with the histology's positions, and look up their regions.

    A position with a contact number belongs to that contact. One with x and y belongs to the contact of its row (the
    nearest, within half a row) that stands at its place across the row; the histology's columns may have another
    zero than the probe's. Contacts between traced ones of their shank are interpolated along it, and at most one row
    beyond the last ones. A shank that has a traced track and no positions has its contacts placed along that, from its
    deeper end. All others stay "not traced".

    A region is that of the voxel that holds the contact. One that lies in no labelled voxel has no region: the nearest
    one and how far it is stand in columns of their own. A label that the ontology does not know keeps its id, without a name.

    Parameters
    ----------
    session : str
        Session key.
    probe_sites : pyarrow.Table
        The recorded contacts; the result has one row for each.
    electrode_positions : pyarrow.Table, optional
        What the histology gives, if any has come.
    volume, ontology : AnnotationVolume, pyarrow.Table, optional
        Without a volume the positions stand without regions; without an ontology the regions have ids and no names.
    probe_tracks : pyarrow.Table, optional
        Traced tracks, for shanks without positions.
    tip_length_um : mapping of int to float, or float
        From the end of a traced track to the tip-most row of contacts, for each probe or for all; 0 where a probe is
        not named.

    Returns
    -------
    pyarrow.Table
        ``electrodes``.

    Raises
    ------
    PiecesDoNotFit
        If a shank's contacts do not lie in rows, so that contact numbers cannot be given to them.
    """
    probe, shank, electrode = (probe_sites[name].to_numpy() for name in ("probe", "shank", "electrode"))
    x_um, y_um = (probe_sites[name].to_numpy() for name in ("x_um", "y_um"))
    ccf_um = np.full((probe_sites.num_rows, 3), np.nan)
    source = np.full(probe_sites.num_rows, None, object)
    done = set()
    for one_probe, one_shank, given in _by_shank(electrode_positions):
        done.add((one_probe, one_shank))
        is_probe = probe == one_probe
        rows = np.flatnonzero(is_probe & (shank == one_shank))
        if not rows.size:
            continue
        if given["contact"].null_count:
            placed, is_traced = place_by_geometry(x_um[rows], y_um[rows], given)
        else:
            of_probe = (electrode[is_probe], shank[is_probe], y_um[is_probe])
            step = max(1.0, round(contacts_per_um(*of_probe) * row_pitch(y_um[is_probe])))
            contact = contact_of(*of_probe)[shank[is_probe] == one_shank]
            placed, is_traced = place_by_contact(contact, given, step)
        ccf_um[rows], source[rows] = placed, np.where(is_traced, "traced", "interpolated")
    for one_probe, one_shank, track in _by_shank(probe_tracks):
        rows = np.flatnonzero((probe == one_probe) & (shank == one_shank))
        if (one_probe, one_shank) in done or not rows.size:
            continue
        tip_um = tip_length_um.get(one_probe, 0.0) if isinstance(tip_length_um, Mapping) else tip_length_um
        points = np.stack([track[f"ccf_{axis}_um"].to_numpy() for axis in ("ap", "dv", "ml")], axis=1)
        ccf_um[rows] = place_along_track(points, y_um[rows] + tip_um, row_pitch(y_um[rows]))
        source[rows] = "along the track"
    columns = {name: probe_sites[name] for name in ("probe", "electrode", "shank", "x_um", "y_um", "is_used")}
    return ELECTRODES.from_columns(
        {"session": [session] * probe_sites.num_rows, **columns, **_in_the_brain(ccf_um, source, volume, ontology)}
    )


def _in_the_brain(
    ccf_um: Floats, source: Sources, volume: AnnotationVolume | None, ontology: pa.Table | None
) -> dict[str, pa.Array]:
    """Columns of place, region, nearest region and hemisphere; NaN rows are not traced."""
    is_placed = np.isfinite(ccf_um).all(axis=1)
    found = np.full(len(ccf_um), -1, np.int64)
    nearest, nearest_um = np.zeros(len(ccf_um), np.int64), np.full(len(ccf_um), np.nan)
    if volume is not None:
        found[is_placed] = volume.region_ids(ccf_um[is_placed])
        is_outside = is_placed & (found <= 0)
        nearest[is_outside], nearest_um[is_outside] = nearest_regions(volume, ccf_um[is_outside])
    is_labelled = found > 0
    region_id, nearest_id = pa.array(found, mask=~is_labelled), pa.array(nearest, mask=nearest <= 0)
    nameless = pa.nulls(len(found), pa.string())
    status = np.where(is_labelled, "labelled", "outside" if volume is not None else "no volume")
    return {
        **{f"ccf_{axis}_um": pa.array(ccf_um[:, i], mask=~is_placed) for i, axis in enumerate(("ap", "dv", "ml"))},
        "region_id": region_id,
        "region": nameless if ontology is None else names_of(ontology, region_id, may_be_unknown=True),
        "region_status": pa.array(np.where(is_placed, status, "not traced")),
        "position_source": pa.array(source, pa.string(), mask=~is_placed),
        "hemisphere": pa.array(hemisphere_of(ccf_um[:, 2]), mask=~is_placed),
        "nearest_region_id": nearest_id,
        "nearest_region": nameless if ontology is None else names_of(ontology, nearest_id, may_be_unknown=True),
        "nearest_region_um": pa.array(nearest_um, mask=nearest <= 0),
        "annotation_sha256": pa.array([None if volume is None else volume.sha256] * len(found), pa.string()),
    }


def _by_shank(positions: pa.Table | None) -> Iterator[tuple[int, int, pa.Table]]:
    """Go through the shanks that the histology placed or traced; a shank's positions come from one file and are of one kind."""
    if positions is None:
        return
    for pair in positions.group_by(["probe", "shank"]).aggregate([]).to_pylist():
        is_here = (pc.field("probe") == pair["probe"]) & (pc.field("shank") == pair["shank"])
        yield pair["probe"], pair["shank"], positions.filter(is_here)
