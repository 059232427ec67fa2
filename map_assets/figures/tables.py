"""The table that the figures room makes."""

from __future__ import annotations

from map_assets.vocabulary.table import SESSION, Table, text, whole


def figure_table(name: str, meaning: str) -> Table:
    """Declare the one-row table that stands for a figure of a session."""
    return Table(
        name,
        meaning,
        ("session",),
        (
            SESSION,
            text("status", "drawn, or not applicable"),
            text("reason", "why it is not applicable; null where drawn", nullable=True),
            text("png_file", "under the store's root; null where not applicable", nullable=True),
            text("svg_file", "under the store's root; null where not applicable", nullable=True),
            whole("png_bytes", "size of the PNG", unit="B", nullable=True),
            text("data_sha256", "hash of the tables' versions that it was drawn from"),
        ),
    )


BEHAVIOR_PERFORMANCE = figure_table(
    "behavior_performance", "figure: the session's performance over trials and by photostimulation"
)
CLOCK_RESIDUALS = figure_table(
    "clock_residuals", "figure: how well each probe's clock map meets its anchors over the session, with the limits"
)
UNIT_RASTER_PSTH = figure_table(
    "unit_raster_psth", "figure: raster and PSTH of the session's most active unit with a good label, by lick side"
)

TABLES = (BEHAVIOR_PERFORMANCE, CLOCK_RESIDUALS, UNIT_RASTER_PSTH)
