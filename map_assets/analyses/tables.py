"""Tables that the analyses make."""

from __future__ import annotations

import pyarrow as pa

from map_assets.vocabulary.table import SESSION, Table, flag, many, real, text, whole

PROBE = whole("probe", "insertion number, from 1")
UNIT_ID = whole("unit_id", "the sorter's own cluster id")

UNIT_STATS = Table(
    "unit_stats",
    "one unit's firing in the trials in which its probe observed it",
    ("session", "probe", "unit_id"),
    (
        SESSION,
        PROBE,
        UNIT_ID,
        whole("n_trials", "trials observed"),
        whole("n_spikes_in_trials", "spikes in those trials, each from its start_s to its until_s"),
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
            "n_isi_violations over all intervals of the whole train; null with fewer than two spikes or where the "
            "probe's rate is unknown",
            nullable=True,
        ),
        real("isi_limit_s", "intervals shorter than it are violations", "s"),
        whole(
            "n_isi_violations_in_trials",
            "intervals under the limit between neighbouring spikes of one observed trial; null where the probe's rate "
            "is unknown",
            nullable=True,
        ),
        real(
            "isi_violation",
            "violations as a rate relative to the unit's own: n_isi_violations_in_trials / (2 n isi_limit_s) / "
            "(n / observed_s), where n counts the spikes in trials, spikes on one sample once; may exceed 1; null where "
            "no trial has two spikes or the probe's rate is unknown",
            nullable=True,
        ),
        real(
            "presence_ratio",
            "share of 100 equal bins of the time observed in which the unit fired: the observed trials' intervals are "
            "laid end to end and cut into 100, so that unobserved time is in no bin; null if nothing was observed",
            nullable=True,
        ),
        real("presence_bin_s", "length of one of these bins; null if nothing was observed", "s", nullable=True),
    ),
)

CELL_TYPE = Table(
    "cell_type",
    "one unit's putative cell type, by the width of its mean waveform",
    ("session", "probe", "unit_id"),
    (
        SESSION,
        PROBE,
        UNIT_ID,
        text("cell_type", "FS, Pyr or not classified"),
        real(
            "spike_width_ms",
            "from the waveform's trough to the highest peak after it, both read from the cubic spline through its "
            "samples; null where the waveform has no such pair or its sample rate is unknown",
            "ms",
            nullable=True,
        ),
        real("fs_below_ms", "a narrower spike is FS", "ms"),
        real("pyr_from_ms", "a spike as wide or wider is Pyr; between the limits a unit is not classified", "ms"),
        text(
            "waveform_source",
            "where the waveform comes from: units (the sorter's), or what unit_waveforms names; null without one",
            nullable=True,
        ),
        text("reason", "why the unit is not classified; null where it is", nullable=True),
    ),
)

DRIFT = Table(
    "drift",
    "how steadily one unit fired over the trials in which its probe observed it",
    ("session", "probe", "unit_id"),
    (
        SESSION,
        PROBE,
        UNIT_ID,
        whole("n_trials", "trials observed"),
        whole("n_blocks", "blocks of window_trials neighbouring observed trials that were judged"),
        whole("window_trials", "trials of a block"),
        whole("step_trials", "trials from one block's first to the next one's"),
        real(
            "drift_metric",
            "share of the blocks whose spikes are improbably few or many for a steady Poisson train: as few or fewer, or "
            "as many or more, have a probability under 5 % at the unit's mean rate over the block's duration; null with "
            "fewer than two blocks or without spikes",
            nullable=True,
        ),
        real(
            "rate_trend_hz_per_h",
            "slope of the line through the blocks' rates, each weighted by its duration; null with fewer than two blocks",
            "Hz/h",
            nullable=True,
        ),
        real(
            "max_drift_um",
            "range of the blocks' median spike depths, over blocks with enough spikes; null with fewer than two of "
            "them or where the sorter tells no depths",
            "um",
            nullable=True,
        ),
        whole("depth_spikes", "spikes with a depth that a block needs to count for max_drift_um"),
    ),
)

UNIT_CRITERIA = Table(
    "unit_criteria",
    "whether one unit meets the quality criteria of the brain area that its probe was aimed at",
    ("session", "probe", "unit_id"),
    (
        SESSION,
        PROBE,
        UNIT_ID,
        text("brain_area", "target of the insertion, as the registry has it; null if unknown", nullable=True),
        whole("n_criteria", "criteria that this area has; zero where none is named for it"),
        flag(
            "passed",
            "whether the unit meets all of them (true where there are none); null where the area or a measure that is "
            "needed is unknown",
            nullable=True,
        ),
        many("failed", pa.string(), "criteria that it does not meet"),
        many("unknown", pa.string(), "criteria whose measure is null for this unit"),
        text("criteria_version", "version of the criteria, as their file names it"),
    ),
)

PSTH = Table(
    "psth",
    "one unit's firing around the go cue, averaged over the trials of one condition",
    ("session", "probe", "unit_id", "condition"),
    (
        SESSION,
        PROBE,
        UNIT_ID,
        text("condition", "name of the trial condition"),
        whole("n_trials", "trials of the condition in which the unit was observed"),
        many("bin_start_from_go_s", pa.float64(), "left edges of the bins, half-open, relative to the go cue", "s"),
        real("bin_width_s", "width of a bin", "s"),
        many("rate_hz", pa.float64(), "mean rate in each bin; empty without trials", "Hz"),
        real("smoothing_sd_s", "of the Gaussian that the rates were smoothed with; 0 for none", "s"),
    ),
)

TABLES = (UNIT_STATS, CELL_TYPE, DRIFT, UNIT_CRITERIA, PSTH)
