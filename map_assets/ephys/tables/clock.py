"""How a probe's clock is carried onto the session clock. The map itself is `vocabulary.clock`."""

from __future__ import annotations

import pyarrow as pa

from map_assets.ephys.tables.words import PROBE
from map_assets.vocabulary.table import SESSION, Table, many, real, text, whole

CLOCK_MAPS = Table(
    "clock_maps",
    "one probe's clock against the session clock: session_s = offset_s + probe_s * (1 + drift_ppm * 1e-6)",
    ("session", "probe"),
    (
        SESSION,
        PROBE,
        whole("n_anchors", "instants seen on both clocks that the fit rests on"),
        text(
            "anchor_kind",
            "go cue, start of the code, start of the trial, or start of the trial in place of its code's; null without "
            "anchors",
            nullable=True,
        ),
        real(
            "offset_bound_s",
            "by how much the map's session times may be too early: 0 where both clocks saw the same instant; where trial "
            "starts stand in for code starts, the shortest time from a trial's start to its go cue or end, for the code "
            "begins in between; null without anchors, or where that is unknown",
            "s",
            nullable=True,
        ),
        real("drift_ppm", "how much faster the session clock runs; null without anchors", "ppm", nullable=True),
        real("offset_s", "session time of the probe's sample 0; null without anchors", "s", nullable=True),
        real("residual_rms_s", "of the anchors", "s", nullable=True),
        real("residual_max_s", "largest absolute residual of the anchors", "s", nullable=True),
        many("matched_trials", pa.int64(), "behaviour trials whose code was found in the ephys stream"),
        many("matched_ephys_trials", pa.int64(), "their numbers in the ephys stream, in the same order"),
        many("unmatched_behavior_trials", pa.int64(), "behaviour trials that the ephys stream lacks"),
        many("unmatched_ephys_trials", pa.int64(), "ephys trials that the behaviour file lacks"),
        many(
            "contradicted_trials",
            pa.int64(),
            "those of unmatched_behavior_trials whose code stands in the ephys stream at a time that contradicts the clock",
            nullable=True,
        ),
        many("anchor_trials", pa.int64(), "behaviour trials of the anchors"),
        many("anchor_probe_s", pa.float64(), "anchors on the probe's nominal clock", "s"),
        many("anchor_session_s", pa.float64(), "anchors on the session clock", "s"),
        many("anchor_residual_s", pa.float64(), "session time minus the map's", "s"),
        whole("n_outliers", "matched trials whose instants do not meet the map; null without anchors", nullable=True),
        many("outlier_trials", pa.int64(), "behaviour trials of the outliers", nullable=True),
        many("outlier_session_s", pa.float64(), "outliers on the session clock", "s", nullable=True),
        many("outlier_residual_s", pa.float64(), "their session time minus the map's", "s", nullable=True),
        real("observed_from_s", "session time from which the probe recorded; null without anchors", "s", nullable=True),
        real("observed_to_s", "session time until which the probe recorded; null if unknown", "s", nullable=True),
        text("problem", "why no trial of the probe was matched; null where some were", nullable=True),
    ),
)
