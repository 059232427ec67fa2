"""Tables of the report figures: what a session's units do, how well they were sorted, how steady the probes stood. Others are in `tables`, `track_tables`."""

from __future__ import annotations

from map_assets.figures.tables import figure_table
from map_assets.figures.track_tables import page_table

CODING_DIRECTION_FIGURE = figure_table(
    "coding_direction_figure",
    "figure: each probe's contra and ipsi trials on its coding direction, and every two probes' end points trial by trial",
)
GROUP_PSTH = figure_table(
    "group_psth", "figure: contra- and ipsi-selective units in contra and ipsi trials, their means and one by one"
)
GROUP_PHOTOSTIM = figure_table(
    "group_photostim",
    "figure: mean firing of each probe's units with light at each place and without, and single units",
)
DRIFTMAP = figure_table(
    "driftmap", "figure: spikes by time and depth on each shank, with its regions and its depth in the brain"
)
UNIT_CHARACTERISTIC = page_table(
    "unit_characteristic", "figure: where on each probe selective units sit, by period, and those that light changes"
)
CLUSTERING_QUALITY = page_table(
    "clustering_quality", "figure: units' amplitude, signal to noise, rate and interval violations, and where they sit"
)

TABLES = (
    CODING_DIRECTION_FIGURE,
    GROUP_PSTH,
    GROUP_PHOTOSTIM,
    DRIFTMAP,
    UNIT_CHARACTERISTIC,
    CLUSTERING_QUALITY,
)
