"""Fitted probe tracks: the line through a shank's traced places, where it enters the brain, and each contact's depth along it. Lines are fitted in `lines`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.ccf.annotation import AnnotationVolume
from map_assets.ccf.lines import Line, fit_line
from map_assets.ccf.track_tables import ELECTRODE_DEPTHS, PROBE_TRACK_FITS

Floats = NDArray[np.float64]
_AXES = ("ap", "dv", "ml")
_STEP_UM = 1.0
"""How finely a line is followed to the brain's surface."""


def make_tracks(
    session: str,
    electrodes: pa.Table,
    probe_tracks: pa.Table | None = None,
    volume: AnnotationVolume | None = None,
) -> dict[str, pa.Table]:
    """Fit each shank's track and give each placed contact its depth under the brain's surface.

    The line is fitted through the contacts that the histology names and the points of the traced track; where there are
    both, they weigh the same, however many there are of either. Contacts that were placed by interpolation or along a
    track tell nothing of their own and are not fitted. The surface is where the line, coming from above, enters the first
    voxel with a label, to 1 um; a track that runs beside the brain has none.

    Parameters
    ----------
    session : str
        Session key.
    electrodes : pyarrow.Table
        ``electrodes``.
    probe_tracks : pyarrow.Table, optional
        ``probe_tracks``.
    volume : AnnotationVolume, optional
        Without one there is no surface, and no depth.

    Returns
    -------
    dict of str to pyarrow.Table
        ``probe_track_fits`` and ``electrode_depths``; a shank with fewer than two different places has no row in either.
    """
    fits: list[dict[str, Any]] = []
    depths = [ELECTRODE_DEPTHS.empty()]
    for probe, shank, contacts, points in _shanks(electrodes, probe_tracks):
        traced = contacts.filter(pc.field("position_source") == "traced")
        fitted = _fit(_places(traced), traced["y_um"].to_numpy(), points)
        if fitted is None:
            continue
        line, residual = fitted
        surface_um = surface_along(line, volume)
        row: dict[str, Any] = {"session": session, "probe": probe, "shank": shank}
        row |= {"n_contacts": traced.num_rows, "n_track_points": len(points)}
        row |= {"residual_rms_um": float(np.sqrt(np.mean(residual**2))), "residual_max_um": float(residual.max())}
        row |= {f"direction_{axis}": float(line.direction[i]) for i, axis in enumerate(_AXES)}
        row["tilt_deg"] = float(np.degrees(np.arccos(np.clip(line.direction[1], -1, 1))))
        every = np.concatenate([_places(contacts), points])
        row |= _on(line, "deepest", float(line.along(every).max()), surface_um)
        row |= _on(line, "tip_row", _tip_row(line, traced), surface_um)
        row |= _on(line, "surface", surface_um, None)
        row["surface_status"] = "no volume" if volume is None else "not crossed" if surface_um is None else "crossed"
        fits.append(row)
        depths.append(_depths(session, probe, shank, contacts, line, surface_um))
    fields = {column.name for column in PROBE_TRACK_FITS.columns}
    table = PROBE_TRACK_FITS.from_rows({name: row[name] for name in row if name in fields} for row in fits)
    return {"probe_track_fits": table, "electrode_depths": ELECTRODE_DEPTHS.check(pa.concat_tables(depths))}


def line_of(fit: dict[str, Any]) -> Line:
    """Return the line that a row of ``probe_track_fits`` tells."""
    point, direction = (
        np.array([fit[name.format(axis)] for axis in _AXES], np.float64) for name in ("deepest_{}_um", "direction_{}")
    )
    return Line(point, direction)


def surface_along(line: Line, volume: AnnotationVolume | None) -> float | None:
    """Tell how far along a line the brain's surface is, coming from above, um; None if it meets no labelled voxel."""
    if volume is None:
        return None
    extent = np.array(volume.shape) * volume.voxel_um
    reach = float(np.linalg.norm(extent))
    at = np.arange(-reach, reach, _STEP_UM)
    points = line.at(at)
    inside = np.flatnonzero(((points >= 0) & (points < extent)).all(axis=1))
    if not inside.size:
        return None
    labelled = np.flatnonzero(volume.region_ids(points[inside]) > 0)
    return float(at[inside[labelled[0]]]) if labelled.size else None


def coronal_sheet(volume: AnnotationVolume, line: Line) -> NDArray[np.int64]:
    """Cut the volume along a track: coronal, but leaning forwards or backwards with it.

    Returns
    -------
    numpy.ndarray of int64, shape (n_dv, n_ml)
        Region id at the middle of each voxel row's height and the AP that the line has there; 0 without a label or outside.
        A line that is nearer to horizontal than 45 degrees in the sagittal plane gives the coronal plane at its point.
    """
    _, n_dv, n_ml = volume.shape
    dv_um, ml_um = ((np.arange(n) + 0.5) * volume.voxel_um for n in (n_dv, n_ml))
    forward, down = line.direction[:2]
    lean = forward / down if abs(down) >= abs(forward) and down else 0.0
    ap_um = line.point[0] + lean * (dv_um - line.point[1])
    points = np.stack(
        [np.repeat(ap_um, n_ml), np.repeat(dv_um, n_ml), np.tile(ml_um, n_dv)],
        axis=1,
    )
    return np.maximum(volume.region_ids(points).reshape(n_dv, n_ml), 0)


def probe_sheets(volume: AnnotationVolume, probe_track_fits: pa.Table) -> dict[int, NDArray[np.int64]]:
    """Cut a `coronal_sheet` for each probe, along the middle one of its fitted shanks; by insertion number."""
    fits: dict[int, list[dict[str, Any]]] = {}
    for fit in probe_track_fits.sort_by([("probe", "ascending"), ("shank", "ascending")]).to_pylist():
        fits.setdefault(fit["probe"], []).append(fit)
    return {probe: coronal_sheet(volume, line_of(found[(len(found) - 1) // 2])) for probe, found in fits.items()}


def _shanks(electrodes: pa.Table, tracks: pa.Table | None) -> Iterator[tuple[int, int, pa.Table, Floats]]:
    """Go through the shanks of which anything is placed: contacts with a place, and points of the track."""
    placed = electrodes.filter(pc.field("ccf_ap_um").is_valid())
    tables = [placed] if tracks is None else [placed, tracks]
    pairs = {(row["probe"], row["shank"]) for table in tables for row in _pairs(table)}
    for probe, shank in sorted(pairs):
        is_here = (pc.field("probe") == probe) & (pc.field("shank") == shank)
        points = np.empty((0, 3)) if tracks is None else _places(tracks.filter(is_here))
        yield probe, shank, placed.filter(is_here), points


def _pairs(table: pa.Table) -> list[dict[str, int]]:
    found: list[dict[str, int]] = table.group_by(["probe", "shank"]).aggregate([]).to_pylist()
    return found


def _places(table: pa.Table) -> Floats:
    return np.stack([table[f"ccf_{axis}_um"].to_numpy() for axis in _AXES], axis=1)


def _fit(contacts: Floats, y_um: Floats, points: Floats) -> tuple[Line, Floats] | None:
    """Fit a line through contacts and points, each kind weighing the same; gives also each place's distance from it."""
    every = np.concatenate([contacts, points])
    share = [np.full(len(kind), 1.0 / len(kind)) for kind in (contacts, points) if len(kind)]
    if not share:
        return None
    line = fit_line(every, np.concatenate(share), np.r_[y_um, np.full(len(points), np.nan)])
    return None if line is None else (line, line.off(every))


def _tip_row(line: Line, traced: pa.Table) -> float | None:
    """How far along the line the shank's tip-most row lies, by the contacts' heights; None without two heights."""
    y_um = traced["y_um"].to_numpy()
    if len(np.unique(y_um)) < 2:
        return None
    along = line.along(_places(traced))
    slope = np.sum((y_um - y_um.mean()) * along) / np.sum((y_um - y_um.mean()) ** 2)
    return float(along.mean() - slope * y_um.mean())


def _on(line: Line, name: str, along: float | None, surface_um: float | None) -> dict[str, float | None]:
    """Columns of a point on the line: its place, and its depth from the surface."""
    place = [None] * 3 if along is None else line.at(along).tolist()
    row = {f"{name}_{axis}_um": value for axis, value in zip(_AXES, place, strict=True)}
    return row | {f"{name}_depth_um": None if along is None or surface_um is None else along - surface_um}


def _depths(session: str, probe: int, shank: int, contacts: pa.Table, line: Line, surface_um: float | None) -> pa.Table:
    places = _places(contacts)
    n = len(places)
    depth = line.along(places) - (np.nan if surface_um is None else surface_um)
    return ELECTRODE_DEPTHS.from_columns(
        {
            "session": [session] * n,
            "probe": np.full(n, probe),
            "electrode": contacts["electrode"],
            "shank": np.full(n, shank),
            "depth_under_surface_um": depth,
            "off_track_um": line.off(places),
        }
    )
