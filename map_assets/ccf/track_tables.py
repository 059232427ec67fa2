"""Tables of tracings: every version as it was traced, what re-tracing moved, the fitted tracks, and depths along them. The others are in `tables`."""

from __future__ import annotations

from map_assets.ccf.tables import ELECTRODE_POSITIONS, PROBE_TRACKS
from map_assets.vocabulary.table import SESSION, Column, Table, flag, instant, real, text, whole

_PROBE = whole("probe", "insertion number, from 1")
_SHANK = whole("shank", "from 0")
_TRACING = text("tracing", "version: format and hash of what it held first")


def _as_traced(table: Table) -> tuple[Column, ...]:
    """Columns of a table of places, without what corrections add."""
    return tuple(column for column in table.columns if column.name not in {"corrections", "session", "probe"})


TRACINGS = Table(
    "tracings",
    "one version of what the histology gives for a probe",
    ("session", "probe", "tracing"),
    (
        SESSION,
        _PROBE,
        _TRACING,
        flag("is_current", "whether it is the one that electrode_positions and probe_tracks hold"),
        instant("first_seen", "when it was first read, by our clock"),
        flag("is_on_share", "whether the share gives all of it now; false also where a file of it cannot be read"),
        text("formats", "modules that read its files"),
        whole("n_positions", "places along the shanks that it gives"),
        whole("n_track_points", "points of traced tracks that it gives"),
        text(
            "corrections",
            "numbers of the reviewed corrections that are applied to it, by comma; null for none",
            nullable=True,
        ),
        text(
            "corrections_left_out",
            "numbers of reviewed corrections of this probe that were made for another tracing and are not applied; null for none",
            nullable=True,
        ),
        text(
            "shanks_not_shifted",
            "shanks, from 1, by comma, that a reviewed shift left where they are, for they have no two different places",
            nullable=True,
        ),
    ),
)

TRACED_POSITIONS = Table(
    "traced_positions",
    "one place along a shank as one tracing gave it, before any correction; all versions, the current one too",
    ("session", "probe", "tracing", "position_id"),
    (SESSION, _PROBE, _TRACING, *_as_traced(ELECTRODE_POSITIONS)),
)

TRACED_TRACKS = Table(
    "traced_tracks",
    "one point of a probe track as one tracing gave it, before any correction; all versions, the current one too",
    ("session", "probe", "tracing", "shank", "point"),
    (SESSION, _PROBE, _TRACING, *_as_traced(PROBE_TRACKS)),
)

TRACING_CHANGES = Table(
    "tracing_changes",
    "one shank of an older tracing against the current one, both as traced: how far its places moved",
    ("session", "probe", "tracing", "shank", "kind"),
    (
        SESSION,
        _PROBE,
        _TRACING,
        text("current_tracing", "version that it is compared with"),
        _SHANK,
        text("kind", "positions or track"),
        text(
            "change", "same, moved, mirrored (left and right changed sides), lost (only the older has the shank) or new"
        ),
        whole("n_older", "places in the older"),
        whole("n_current", "places in the current"),
        whole("n_compared", "places compared: the same contact, or points of tracks by their share of the length"),
        real(
            "moved_median_um",
            "median distance between the two places; null where nothing is compared",
            "um",
            nullable=True,
        ),
        real("moved_max_um", "largest such distance", "um", nullable=True),
        real("moved_ap_um", "mean movement, posterior positive", "um", nullable=True),
        real("moved_dv_um", "mean movement, inferior positive", "um", nullable=True),
        real("moved_ml_um", "mean movement, to the right positive", "um", nullable=True),
    ),
)

PROBE_TRACK_FITS = Table(
    "probe_track_fits",
    "the straight line fitted through one shank's traced places",
    ("session", "probe", "shank"),
    (
        SESSION,
        _PROBE,
        _SHANK,
        whole("n_contacts", "traced contacts that the line was fitted to"),
        whole("n_track_points", "traced points that the line was fitted to"),
        real("residual_rms_um", "root mean square distance of the fitted places from the line", "um"),
        real("residual_max_um", "largest distance of a fitted place from the line", "um"),
        real("direction_ap", "unit vector from the surface to the tip"),
        real("direction_dv", "unit vector from the surface to the tip"),
        real("direction_ml", "unit vector from the surface to the tip"),
        real("deepest_ap_um", "point of the line at the deepest place that was traced", "um"),
        real("deepest_dv_um", "point of the line at the deepest place that was traced", "um"),
        real("deepest_ml_um", "point of the line at the deepest place that was traced", "um"),
        real("deepest_depth_um", "from the surface along the line; null without a crossing", "um", nullable=True),
        real(
            "tip_row_ap_um",
            "where the shank's tip-most row (y_um 0) lies on the line; null without traced contacts at two heights",
            "um",
            nullable=True,
        ),
        real("tip_row_dv_um", "see tip_row_ap_um", "um", nullable=True),
        real("tip_row_ml_um", "see tip_row_ap_um", "um", nullable=True),
        real("tip_row_depth_um", "from the surface along the line", "um", nullable=True),
        text(
            "surface_status", "crossed, not crossed (the line meets no labelled voxel), or no volume (none was there)"
        ),
        real(
            "surface_ap_um",
            "where the line coming from above enters the first labelled voxel; null where surface_status is not crossed",
            "um",
            nullable=True,
        ),
        real("surface_dv_um", "see surface_ap_um", "um", nullable=True),
        real("surface_ml_um", "see surface_ap_um", "um", nullable=True),
        real("tilt_deg", "angle of the line from the vertical", "deg"),
    ),
)

ELECTRODE_DEPTHS = Table(
    "electrode_depths",
    "one placed contact's depth along its shank's fitted track",
    ("session", "probe", "electrode"),
    (
        SESSION,
        _PROBE,
        whole("electrode", "contact number on the whole probe, from 0"),
        _SHANK,
        real(
            "depth_under_surface_um",
            "from the brain's surface along the track, negative above it; null where the track crosses no surface",
            "um",
            nullable=True,
        ),
        real("off_track_um", "distance of the contact's place from the fitted line", "um"),
    ),
)

TABLES = (TRACED_POSITIONS, TRACED_TRACKS, TRACING_CHANGES, TRACINGS, PROBE_TRACK_FITS, ELECTRODE_DEPTHS)
