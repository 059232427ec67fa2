"""Tables of the figures of movement, licking and free choice. The others are in `tables`."""

from __future__ import annotations

from map_assets.figures.tables import figure_table

JAW_PHASE_TUNING = figure_table(
    "jaw_phase_tuning", "figure: the jaw's phase, and the firing of the units that follow it most closely"
)
UNIT_BEHAVIOR = figure_table(
    "unit_behavior",
    "figure: jaw, tongue and one unit's spikes in hit trials, by lick side, and the jaw's phase at them",
)
LICKING_PSTH = figure_table("licking_psth", "figure: licks around the go cue, trial by trial and averaged, by port")
FORAGING_SUMMARY = figure_table(
    "foraging_summary", "figure: choices, rewards, matching, history and models of a session of free choice"
)

TABLES = (JAW_PHASE_TUNING, UNIT_BEHAVIOR, LICKING_PSTH, FORAGING_SUMMARY)
