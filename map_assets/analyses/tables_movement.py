"""Tables of the analyses of movement, licking and performance. Those of free choice are in `tables_foraging`."""

from __future__ import annotations

import pyarrow as pa

from map_assets.analyses.tables import PROBE, UNIT_ID
from map_assets.vocabulary.table import SESSION, Table, flag, many, real, text, whole

VERSION = text("parameters_version", "version of the analyses' parameters, as their file names it")
CORRECTION = text("correction", "of p for many units")
ALPHA = real("alpha", "level")
_TRIAL = whole("trial", "trial number")

JAW_OSCILLATION = Table(
    "jaw_oscillation",
    "the jaw's movement in one trial, filtered, with its phase; each uncut stretch of the trace was filtered by itself",
    ("session", "trial"),
    (
        SESSION,
        _TRIAL,
        text("camera", "position of the camera"),
        text("feature", "body part"),
        real("band_low_hz", "lower edge of the pass band", "Hz"),
        real("band_high_hz", "upper edge of the pass band", "Hz"),
        real("step_s", "time between neighbouring points of a stretch", "s"),
        many("time_s", pa.float64(), "time of each point; stretches one after the other", "s"),
        many("filtered_px", pa.float32(), "band-passed image row; image rows grow downwards", "px"),
        many("amplitude_px", pa.float32(), "length of the analytic signal", "px"),
        many(
            "phase_rad",
            pa.float32(),
            "angle of the analytic signal, -pi to pi: 0 where the image row is largest (the jaw lowest), rising with time",
            "rad",
        ),
        many(
            "run",
            pa.int32(),
            "number of the movement in the session that the point belongs to, from 0; -1 where no phase is told (little "
            "movement, the ends of a stretch, bridged frames, movements that are too short)",
        ),
        VERSION,
    ),
)

JAW_PHASE = Table(
    "jaw_phase",
    "how one unit's firing follows the phase of the jaw's movement",
    ("session", "probe", "unit_id"),
    (
        SESSION,
        PROBE,
        UNIT_ID,
        whole("n_runs", "movements in which the unit could be judged"),
        real("moving_s", "their duration together", "s"),
        whole("n_spikes", "spikes in them"),
        many("phase_bin_start_rad", pa.float64(), "left edges of the bins, half-open, from -pi", "rad"),
        many("moving_in_bin_s", pa.float64(), "time spent in each bin", "s"),
        many("rate_hz", pa.float64(), "spikes over time spent, by bin; empty without any movement", "Hz"),
        real(
            "preferred_phase_rad",
            "direction of the sum of the bins' rates as vectors, -pi to pi: phase as in jaw_oscillation; null without spikes",
            "rad",
            nullable=True,
        ),
        real(
            "vector_length",
            "length of that sum over the sum of the lengths, 0 to 1; above 0 by chance alone with few spikes; null without",
            nullable=True,
        ),
        real(
            "modulation_index",
            "highest less lowest bin's rate over the highest; above 0 by chance alone with few spikes; null without",
            nullable=True,
        ),
        real(
            "p",
            "of the spikes' mean vector against those of the phase shifted in time within each movement (Hotelling's T2 "
            "against the shifts' mean and covariance): spikes in bursts and unequal times per phase make nothing "
            "significant; null if not tested",
            nullable=True,
        ),
        real("p_corrected", "p over the units of the session that were tested; null if not tested", nullable=True),
        real(
            "rayleigh_p",
            "Rayleigh's test of phases made uniform by the time spent; takes spikes for independent; null if not tested",
            nullable=True,
        ),
        real("kuiper_p", "Kuiper's test of the same; null if not tested", nullable=True),
        flag("is_tuned", "whether p_corrected is below alpha; null if not tested", nullable=True),
        whole("n_shifts", "shifts that p rests on"),
        CORRECTION,
        ALPHA,
        text("reason", "why it was not tested; null where it was", nullable=True),
        VERSION,
    ),
)

LICK_BOUTS = Table(
    "lick_bouts",
    "one run of licks without a longer pause, whatever the ports; trials do not cut it",
    ("session", "bout"),
    (
        SESSION,
        whole("bout", "number in time order, from 1"),
        whole("trial", "trial of its first lick"),
        text("port", "port of its first lick"),
        real("start_s", "its first lick", "s"),
        real("stop_s", "its last lick", "s"),
        whole("n_licks", "licks in it"),
        real("start_from_go_s", "its first lick, from that trial's go cue; null without one", "s", nullable=True),
        real("rate_hz", "its intervals over their sum; null with one lick", "Hz", nullable=True),
        VERSION,
    ),
)

LICK_RHYTHM = Table(
    "lick_rhythm",
    "the session's licking at one port, or at all together",
    ("session", "port"),
    (
        SESSION,
        text("port", "left, right or middle; all: whatever the port"),
        whole("n_licks", "licks"),
        whole("n_intervals", "intervals between neighbouring licks at the port within a bout"),
        real("interval_median_s", "of these; null without any", "s", nullable=True),
        real("interval_iqr_s", "upper less lower quartile; null without any", "s", nullable=True),
        real("rate_hz", "one over the median; null without any", "Hz", nullable=True),
        whole("n_first_licks", "trials whose first lick after the go cue was here"),
        real("first_lick_median_s", "of those, from the go cue; null without any", "s", nullable=True),
        VERSION,
    ),
)

DIRECTION_TUNING = Table(
    "direction_tuning",
    "one unit's firing at licks to targets in different directions (multi-target licking)",
    ("session", "probe", "unit_id"),
    (
        SESSION,
        PROBE,
        UNIT_ID,
        many("port", pa.string(), "targets with licks in which the unit could be judged"),
        many("n_licks", pa.int64(), "licks at each"),
        many("n_blocks", pa.int64(), "blocks of each that these are from"),
        many("rate_hz", pa.float64(), "mean over its blocks of the rate around a lick", "Hz"),
        text("preferred_port", "port with the highest rate; null without any", nullable=True),
        real(
            "preferred_direction_deg",
            "direction, about the middle of the targets, of the sum of the ports' rates as vectors; 0: towards higher "
            "lateral positions, 90: higher dorsoventral ones; null unless the ports stand around the middle",
            "deg",
            nullable=True,
        ),
        real("direction_index", "length of that sum over the sum of lengths, 0 to 1; null likewise", nullable=True),
        real(
            "effect",
            "share of the variance of the blocks' ranks between ports (epsilon squared), 0 to 1; null if not tested",
            nullable=True,
        ),
        real(
            "p",
            "Kruskal-Wallis over blocks: a port stands throughout a block, so its licks are no independent observations; "
            "null if not tested",
            nullable=True,
        ),
        real("p_corrected", "over the units of the session that were tested; null if not tested", nullable=True),
        flag("is_tuned", "whether p_corrected is below alpha; null if not tested", nullable=True),
        real("window_from_s", "begin of the window, from a lick", "s"),
        real("window_to_s", "end of the window, from a lick", "s"),
        CORRECTION,
        ALPHA,
        text("reason", "why it was not tested; null where it was", nullable=True),
        VERSION,
    ),
)

PERFORMANCE = Table(
    "performance",
    "one trial and the animal's performance around it",
    ("session", "trial"),
    (
        SESSION,
        _TRIAL,
        flag("is_hit", "ignored trials count as not correct"),
        whole("n_window", "kept trials in the window around it; the window is cut at the session's ends, not padded"),
        real("hit_share", "share of hits among them"),
        real("answered_share", "share of them that were not ignored"),
        real("correct_share", "share of hits among those that were not ignored; null where all were", nullable=True),
        real("early_share", "share of early licks among those of which it is known; null without", nullable=True),
        VERSION,
    ),
)

PHOTOSTIM_PERFORMANCE = Table(
    "photostim_performance",
    "the share of hits with stimulation of one site against trials without, by instruction",
    ("session", "photostim_site", "instruction"),
    (
        SESSION,
        text("photostim_site", "as in photostim_sites; unknown where the rig did not say"),
        text("instruction", "left, right, or all"),
        whole("n_control", "trials without stimulation; none with early licks or given water"),
        whole("n_control_hits", "hits among them; ignored trials count as not correct"),
        whole("n_stim", "trials with stimulation of the site, likewise"),
        whole("n_stim_hits", "hits among them"),
        whole("n_control_ignored", "ignored trials without stimulation"),
        whole("n_stim_ignored", "ignored trials with it"),
        real("control_share", "hits without stimulation; null without trials", nullable=True),
        real("stim_share", "hits with it; null without trials", nullable=True),
        real("difference", "with less without; null without trials of both", nullable=True),
        real("difference_low", "lower end of its 95 % interval (Newcombe's, from Wilson's)", nullable=True),
        real("difference_high", "upper end of it", nullable=True),
        real("p", "Fisher's exact test, two-sided; null without trials of both", nullable=True),
        VERSION,
    ),
)

TABLES = (
    *(JAW_OSCILLATION, JAW_PHASE, LICK_BOUTS, LICK_RHYTHM),
    *(DIRECTION_TUNING, PERFORMANCE, PHOTOSTIM_PERFORMANCE),
)
