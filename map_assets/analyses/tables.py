"""Tables that the analyses make."""

from __future__ import annotations

import pyarrow as pa

from map_assets.vocabulary.table import SESSION, Table, many, real, text, whole

UNIT_STATS = Table(
    "unit_stats",
    "one unit's firing in the trials in which its probe observed it",
    ("session", "probe", "unit_id"),
    (
        SESSION,
        whole("probe", "insertion number, from 1"),
        whole("unit_id", "the sorter's own cluster id"),
        whole("n_trials", "trials observed"),
        whole("n_spikes_in_trials", "spikes in those trials, each from its start to the next trial's"),
        real("observed_s", "time observed: the same intervals, as far as the probe recorded them, summed", "s"),
        real("rate_hz", "spikes in trials over time observed; null if nothing was observed", "Hz", nullable=True),
        whole(
            "n_isi_violations",
            "intervals under the limit between neighbouring spikes of the whole train, on the probe's nominal clock; "
            "null where the probe's rate is unknown",
            nullable=True,
        ),
        real(
            "isi_violation_share",
            "of all intervals; null with fewer than two spikes or where the probe's rate is unknown",
            nullable=True,
        ),
        real("isi_limit_s", "the limit", "s"),
    ),
)

PSTH = Table(
    "psth",
    "one unit's firing around the go cue, averaged over the trials of one condition",
    ("session", "probe", "unit_id", "condition"),
    (
        SESSION,
        whole("probe", "insertion number, from 1"),
        whole("unit_id", "the sorter's own cluster id"),
        text("condition", "name of the trial condition"),
        whole("n_trials", "trials of the condition in which the unit was observed"),
        many("bin_start_from_go_s", pa.float64(), "left edges of the bins, half-open, relative to the go cue", "s"),
        real("bin_width_s", "width of a bin", "s"),
        many("rate_hz", pa.float64(), "mean rate in each bin; empty without trials", "Hz"),
    ),
)

TABLES = (UNIT_STATS, PSTH)
