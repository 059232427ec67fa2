"""Tables of the figures that come with an interactive page. Those of plain figures are in `tables`."""

from __future__ import annotations

from map_assets.figures.tables import figure_table
from map_assets.vocabulary.table import Table, text


def page_table(name: str, meaning: str) -> Table:
    """Declare the one-row table that stands for a figure with a page."""
    plain = figure_table(name, meaning)
    html = text("html_file", "interactive page, under the store's root; null where not applicable", nullable=True)
    return Table(name, meaning, plain.key, (*plain.columns, html))


PROBE_SLICE = page_table(
    "probe_slice", "figure: each probe's contacts in the section of the brain that its track lies in"
)
PROBE_TRACKS_3D = page_table("probe_tracks_3d", "figure: all probes' tracks and contacts in the whole brain")

TABLES = (PROBE_SLICE, PROBE_TRACKS_3D)
