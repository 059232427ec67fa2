"""Tables of the analyses of a task's sides, stimulation and populations. The others are in `tables`."""

from __future__ import annotations

import pyarrow as pa

from map_assets.analyses.tables import PROBE, UNIT_ID
from map_assets.vocabulary.table import SESSION, Table, flag, many, real, text, whole

_HEMISPHERE = text("hemisphere", "side of the brain that the probe was aimed at; null if unknown", nullable=True)
_VERSION = text("parameters_version", "version of the analyses' parameters, as their file names it")

SELECTIVITY = Table(
    "selectivity",
    "one unit's firing in one period of the trials in which the animal was told left, against those of right",
    ("session", "probe", "unit_id", "period"),
    (
        SESSION,
        PROBE,
        UNIT_ID,
        text("period", "sample, delay or response"),
        _HEMISPHERE,
        whole("n_left", "trials of the left instruction in which the unit could be judged"),
        whole("n_right", "trials of the right instruction in which it could"),
        real("rate_left_hz", "mean rate in those; null without any", "Hz", nullable=True),
        real("rate_right_hz", "mean rate in those; null without any", "Hz", nullable=True),
        real(
            "rate_contra_hz", "mean rate with the instruction to the other side; null if unknown", "Hz", nullable=True
        ),
        real("rate_ipsi_hz", "mean rate with the instruction to the own side; null if unknown", "Hz", nullable=True),
        real(
            "effect",
            "right over left, from -1 to 1: of all pairs of a right and a left trial, the share in which the right one "
            "has the higher rate less the share in which it has the lower (rank biserial correlation); null if not tested",
            nullable=True,
        ),
        real("p", "two-sided; null if not tested", nullable=True),
        real(
            "p_corrected",
            "over the units that were tested in the session and period; null if not tested",
            nullable=True,
        ),
        text(
            "prefers",
            "left or right where p_corrected is below alpha, none where not; null if not tested",
            nullable=True,
        ),
        text(
            "selectivity",
            "contra-selective, ipsi-selective or non-selective; null if not tested, or selective on an unknown side",
            nullable=True,
        ),
        text("test", "rank (Mann-Whitney) or t (Student's)"),
        text("correction", "of p for many units"),
        real("alpha", "level"),
        text("reason", "why it was not tested; null where it was", nullable=True),
        _VERSION,
    ),
)

UNIT_SELECTIVITY = Table(
    "unit_selectivity",
    "one unit's selectivity over all periods",
    ("session", "probe", "unit_id"),
    (
        SESSION,
        PROBE,
        UNIT_ID,
        whole("n_tested", "periods in which it was tested"),
        whole("n_selective", "periods in which it was selective"),
        text(
            "selectivity",
            "contra-selective or ipsi-selective where all selective periods agree, mixed where they do not, "
            "non-selective; null if not tested in any, or selective on an unknown side",
            nullable=True,
        ),
        text(
            "selectivity_by_means",
            "as in the earlier MAP pipeline: where any period is selective, the side with the higher mean over all "
            "periods, which may contradict the one that is",
            nullable=True,
        ),
        _VERSION,
    ),
)

CODING_DIRECTION = Table(
    "coding_direction",
    "one trial's projection on the direction in which a probe's units tell the right from the left",
    ("session", "probe", "trial"),
    (
        SESSION,
        PROBE,
        whole("trial", "trial number"),
        text("side", "left or right"),
        whole("fold", "the trial is projected on a direction made without the trials of its fold"),
        real("projection_hz", "in the window, on the direction of unit length; right positive", "Hz"),
        real("projection_contra_hz", "the same, contra positive; null where the side is unknown", "Hz", nullable=True),
        _HEMISPHERE,
        _VERSION,
    ),
)

CODING_DIRECTION_TRACES = Table(
    "coding_direction_traces",
    "the mean projection of a probe's trials of one side over time",
    ("session", "probe", "side"),
    (
        SESSION,
        PROBE,
        text("side", "left or right"),
        _HEMISPHERE,
        whole("n_trials", "trials, each projected on a direction made without its fold"),
        whole("n_units", "units of the direction"),
        many("bin_start_from_go_s", pa.float64(), "left edges of the bins, half-open, relative to the go cue", "s"),
        real("bin_width_s", "width of a bin", "s"),
        many("projection_hz", pa.float64(), "mean over trials; right positive", "Hz"),
        many("sem_hz", pa.float64(), "standard error over trials", "Hz"),
        many("sample_from_go_s", pa.float64(), "median sample, delay of the trials: two numbers, NaN where none", "s"),
        real(
            "separation",
            "d': difference of the sides' mean end points over their pooled standard deviation",
            nullable=True,
        ),
        _VERSION,
    ),
)

CODING_DIRECTION_WEIGHTS = Table(
    "coding_direction_weights",
    "one unit's part in the direction made of all trials",
    ("session", "probe", "unit_id"),
    (SESSION, PROBE, UNIT_ID, real("weight", "component of the vector of unit length; right positive"), _VERSION),
)

PHOTOSTIM_EFFECT = Table(
    "photostim_effect",
    "one unit's firing under stimulation of one site, against the same time of trials without",
    ("session", "probe", "unit_id", "photostim_site"),
    (
        SESSION,
        PROBE,
        UNIT_ID,
        text("photostim_site", "row of photostim_sites"),
        whole("n_stim", "trials with stimulation in which the unit could be judged"),
        whole("n_control", "trials without"),
        real(
            "window_from_go_s",
            "median begin of the stimulation, relative to the go cue; null without any",
            "s",
            nullable=True,
        ),
        real("window_s", "median duration of the stimulation; null without any", "s", nullable=True),
        real("rate_stim_hz", "mean rate under stimulation, each trial in its own window", "Hz", nullable=True),
        real("rate_control_hz", "mean rate in the median window of trials without", "Hz", nullable=True),
        real(
            "change", "(stim - control) / control; null where control is silent or nothing is to compare", nullable=True
        ),
        real("effect", "stim over control, from -1 to 1: rank biserial correlation; null if not tested", nullable=True),
        real("p", "two-sided Mann-Whitney; null if not tested", nullable=True),
        real(
            "p_corrected", "Benjamini-Hochberg over the units tested with the site; null if not tested", nullable=True
        ),
        flag("is_affected", "whether p_corrected is below alpha; null if not tested", nullable=True),
        real("alpha", "level"),
        _VERSION,
    ),
)

NOISE_CORRELATIONS = Table(
    "noise_correlations",
    "the shared variability of two probes' units (or of one probe's among themselves)",
    ("session", "probe", "other_probe"),
    (
        SESSION,
        PROBE,
        whole("other_probe", "insertion number; the same for pairs within the probe"),
        text("period", "period in which spikes were counted"),
        whole("n_trials", "trials in which all units of both could be judged"),
        whole("n_units", "units of the first that fire enough"),
        whole("n_other_units", "units of the second that do"),
        whole("n_pairs", "pairs of two different units"),
        real(
            "mean_r",
            "mean over pairs of Pearson's correlation of spike counts, each z-scored by condition",
            nullable=True,
        ),
        real("median_r", "median over pairs", nullable=True),
        real("sd_r", "standard deviation over pairs", nullable=True),
        real(
            "mean_r_shuffled", "the same with the second's trials moved on by one within each condition", nullable=True
        ),
        _VERSION,
    ),
)

POPULATION_PSTH = Table(
    "population_psth",
    "the mean firing of a group of a probe's units around the go cue, in the trials of one condition",
    ("session", "probe", "region", "selectivity", "condition"),
    (
        SESSION,
        PROBE,
        text("region", "acronym of the region that the units' electrodes lie in, or all"),
        text("selectivity", "the units' class in unit_selectivity, or all"),
        text("condition", "name of the trial condition"),
        whole("n_units", "units with trials of the condition"),
        many("bin_start_from_go_s", pa.float64(), "left edges of the bins, half-open, relative to the go cue", "s"),
        real("bin_width_s", "width of a bin", "s"),
        many("rate_hz", pa.float64(), "mean over units of their mean rates", "Hz"),
        many("sem_hz", pa.float64(), "standard error over units; NaN with one", "Hz"),
    ),
)

TABLES = (
    SELECTIVITY,
    UNIT_SELECTIVITY,
    CODING_DIRECTION,
    CODING_DIRECTION_TRACES,
    CODING_DIRECTION_WEIGHTS,
    PHOTOSTIM_EFFECT,
    NOISE_CORRELATIONS,
    POPULATION_PSTH,
)
