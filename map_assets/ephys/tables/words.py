"""Columns that many of the room's tables share."""

from __future__ import annotations

from map_assets.vocabulary.table import text, whole

PROBE = whole("probe", "insertion number, from 1")
UNIT_ID = whole("unit_id", "the sorter's own cluster id, never renumbered")
SORTING = text(
    "sorting", "version of the probe's sorting: the sorter's name, and a hash of its units, spikes, labels and metrics"
)

CODE_START = "start of the code"
TRIAL_START = "start of the trial"
"""What a start that the recording saw marks on the behaviour's clock."""
