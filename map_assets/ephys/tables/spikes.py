"""Spikes, exact, and where each trial's spikes stand in them."""

from __future__ import annotations

import pyarrow as pa

from map_assets.ephys.tables.words import PROBE, UNIT_ID
from map_assets.vocabulary.table import SESSION, Column, Table, many, whole

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

SPIKE_FEATURES = Table(
    "spike_features",
    "what the sorter tells of each spike of a unit; lists stand element by element beside the unit's samples in spikes",
    ("session", "probe", "unit_id"),
    (
        SESSION,
        PROBE,
        UNIT_ID,
        many("amplitude_uv", pa.float32(), "of each spike; null where the sorter does not tell", "uV", nullable=True),
        many(
            "depth_um",
            pa.float32(),
            "of each spike along the shank, in the sorter's channel positions; null where the sorter does not tell",
            "um",
            nullable=True,
        ),
        many(
            "electrode",
            pa.int16(),
            "contact on which each spike is largest, as in probe_sites; null where the sorter does not tell, or where the "
            "probe's contacts are not known; an element is null if its channel is on no known contact",
            nullable=True,
        ),
    ),
)

TRIAL_SPIKES = Table(
    "trial_spikes",
    "where one trial's spikes stand in a unit's train: from the trial's start to the start of the file's next trial (`until_s`); "
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
