"""What the CCF room claims of fitted tracks and of tracings. The claims of electrodes are in `checks`; when they run is decided outside."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.vocabulary.table import Verdict

Floats = NDArray[np.float64]


def tracks_enter_through_the_surface(
    probe_track_fits: pa.Table,
    electrode_depths: pa.Table,
    probe_tracks: pa.Table | None = None,
    limit_um: float = 500.0,
) -> Verdict:
    """Claim that every fitted track crosses the brain's surface, ends under it, and was traced up to it.

    Contacts above the surface are counted, not held against it: a probe is often longer than its depth. A traced track
    whose uppermost point is further than `limit_um` from the crossing was cut off, or belongs to another brain. Without a
    volume nothing is claimed.

    Parameters
    ----------
    probe_track_fits, electrode_depths : pyarrow.Table
    probe_tracks : pyarrow.Table, optional
    limit_um : float
    """
    wrong: list[str] = []
    above = electrode_depths.filter(pc.field("depth_under_surface_um") < 0).num_rows
    looked_up = [fit for fit in probe_track_fits.to_pylist() if fit["surface_status"] != "no volume"]
    for fit in looked_up:
        name = f"probe {fit['probe']} shank {fit['shank'] + 1}"
        if fit["surface_status"] == "not crossed":
            wrong.append(f"the track of {name} meets no labelled voxel")
            continue
        if fit["deepest_depth_um"] <= 0:
            wrong.append(f"{name} ends {-fit['deepest_depth_um']:.0f} um above the surface")
        if probe_tracks is None or not fit["n_track_points"]:
            continue
        is_here = (pc.field("probe") == fit["probe"]) & (pc.field("shank") == fit["shank"])
        points = _places_of(probe_tracks.filter(is_here))
        top = points[np.argmin(points @ [fit[f"direction_{axis}"] for axis in ("ap", "dv", "ml")])]
        far = float(np.linalg.norm(top - [fit[f"surface_{axis}_um"] for axis in ("ap", "dv", "ml")]))
        if far > limit_um:
            wrong.append(f"the traced track of {name} begins {far:.0f} um from the surface")
    n = len(looked_up)
    said = "; ".join(wrong) or f"{n} tracks enter through the surface; {above} contacts lie above it"
    return Verdict(not wrong, said, {"n_tracks": n, "n_wrong": len(wrong), "n_contacts_above": above})


def tracks_are_straight(probe_track_fits: pa.Table, limit_um: float = 150.0) -> Verdict:
    """Claim that a shank's traced places lie within `limit_um` (root mean square) of one line."""
    fits = probe_track_fits.to_pylist()
    wrong = [
        f"probe {fit['probe']} shank {fit['shank'] + 1} lies {fit['residual_rms_um']:.0f} um about its line"
        for fit in fits
        if fit["residual_rms_um"] > limit_um
    ]
    said = "; ".join(wrong) or f"{len(fits)} tracks lie within {limit_um:g} um of a line"
    return Verdict(
        not wrong,
        said,
        {"n_tracks": len(fits), "residual_rms_um": max((fit["residual_rms_um"] for fit in fits), default=0.0)},
    )


def no_correction_was_made_for_another_tracing(tracings: pa.Table) -> Verdict:
    """Claim that every reviewed correction is applied: none was made for a tracing that is not current any more."""
    rows = [row for row in tracings.to_pylist() if row["corrections_left_out"]]
    wrong = [
        f"correction {row['corrections_left_out']} of probe {row['probe']} was made for an older tracing and is not applied"
        for row in rows
    ]
    said = "; ".join(wrong) or "no correction waits for a tracing that is gone"
    return Verdict(not wrong, said, {"n_left_out": len(rows)})


def _places_of(table: pa.Table) -> Floats:
    return np.stack([table[f"ccf_{axis}_um"].to_numpy() for axis in ("ap", "dv", "ml")], axis=1)
