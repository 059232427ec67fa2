"""Columns that many of the room's tables share."""

from __future__ import annotations

from map_assets.vocabulary.table import whole

PROBE = whole("probe", "insertion number, from 1")
UNIT_ID = whole("unit_id", "the sorter's own cluster id, never renumbered")
