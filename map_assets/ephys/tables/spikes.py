"""Spikes, exact, and where each trial's spikes stand in them."""

from __future__ import annotations

import pyarrow as pa

from map_assets.ephys.tables.words import PROBE, UNIT_ID
from map_assets.vocabulary.table import SESSION, Column, Table, whole

SPIKES = Table(
    "spikes",
    "one unit's spike train, exact, on the probe's clock",
    ("session", "probe", "unit_id"),
    (
        SESSION,
        PROBE,
        UNIT_ID,
        Column("samples", pa.list_(pa.int64()), "samples since the start of the recording, rising", "samples"),
    ),
)

TRIAL_SPIKES = Table(
    "trial_spikes",
    "where one trial's spikes stand in a unit's train: from the trial's start to the next trial's (the last: to its stop); "
    "only trials that the probe observed from end to end have rows, so zero means silent",
    ("session", "probe", "unit_id", "trial"),
    (
        SESSION,
        PROBE,
        UNIT_ID,
        whole("trial", "trial number"),
        whole("first_spike", "index of the trial's first spike in the unit's samples"),
        whole("n_spikes", "spikes in the trial"),
    ),
)
