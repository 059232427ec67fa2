"""Tables that the behaviour room makes. Times are on the session clock: seconds, zero = start of trial 1."""

from __future__ import annotations

from map_assets.vocabulary.table import SESSION, Table, flag, real, text, whole

BEHAVIOR_FILE = Table(
    "behavior_file",
    "one row: the rig's behaviour file that the session's trials come from",
    ("session",),
    (
        SESSION,
        text("file", "path under the share's root"),
        text("share", "name of the share in the configuration"),
        text("rig", "rig that the share belongs to; null where the configuration names none", nullable=True),
        whole("size", "size of the file", unit="B"),
        text("sha256", "of the file's bytes, lower-case hex"),
        text("task", "task recognised by content"),
        whole("task_protocol", "number of the task's protocol"),
        text("format", "module that read the file"),
        whole("n_trials", "trials in the file, skipped ones too"),
        text("start_local", "wall-clock start of trial 1 as the rig wrote it, ISO 8601 without zone"),
        text("start_source", "field that start_local was taken from"),
        text(
            "info_start_local",
            "start that the file's Info names (some seconds after trial 1), ISO 8601 without zone",
            nullable=True,
        ),
        text("rig_software", "version of the acquisition software as written", nullable=True),
    ),
)

TRIALS = Table(
    "trials",
    "one trial that was kept; numbers count every trial of the file from 1, so skipped trials leave gaps",
    ("session", "trial"),
    (
        SESSION,
        whole("trial", "trial number as in the file, from 1"),
        real("start_s", "start of the trial", "s"),
        real("stop_s", "entry of the trial's first TrialEnd state", "s"),
        text("instruction", "side that earns the reward: left or right"),
        text("outcome", "hit, miss or ignore"),
        flag("early_lick", "whether the animal licked in sample or delay, by the rig's own states"),
        flag("is_auto_water", "whether water came regardless of the answer"),
        flag("is_free_water", "whether the trial was only a drop of water"),
        real("sample_s", "start of the trial's last sample; null if none", "s", nullable=True),
        real("delay_s", "start of the trial's last delay; null if none", "s", nullable=True),
        real("go_s", "start of the trial's last go cue; null if none", "s", nullable=True),
        whole("n_samples", "how many times the sample was started"),
        whole("n_delays", "how many times the delay was started"),
        whole("n_go_cues", "how many go cues the trial had"),
        real("photostim_onset_s", "start of the photostimulation; null without", "s", nullable=True),
        real("photostim_duration_s", "duration of the photostimulation; null without", "s", nullable=True),
        real("photostim_power_mw", "maximum power of the photostimulation; null without", "mW", nullable=True),
        text("photostim_site", "row of photostim_sites (all sites of that name at once); null without", nullable=True),
        text("bitcode", "code the rig sent to the ephys system in this trial; null if none", nullable=True),
        real("bitcode_start_s", "when the code began; null if unknown", "s", nullable=True),
        text("protocol_type", "training protocol as the rig names it", nullable=True),
        text("autolearn", "the rig's autolearn setting as it names it", nullable=True),
    ),
)

SKIPPED_TRIALS = Table(
    "skipped_trials",
    "one trial of the file that is not in trials, and why",
    ("session", "trial"),
    (SESSION, whole("trial", "trial number as in the file, from 1"), text("reason", "why it was skipped")),
)

TRIAL_EVENTS = Table(
    "trial_events",
    "one visit of a task state; repeated samples, delays and go cues are rows of their own",
    ("session", "trial", "event_id"),
    (
        SESSION,
        whole("trial", "trial number"),
        whole(
            "event_id", "number within the trial, from 0: presample, sample, delay, go, trialend, each in time order"
        ),
        text("event", "presample, sample, delay, go or trialend"),
        real("start_s", "entry of the state", "s"),
        real("duration_s", "exit minus entry", "s"),
    ),
)

LICKS = Table(
    "licks",
    "one contact with a lick port",
    ("session", "trial", "lick_id"),
    (
        SESSION,
        whole("trial", "trial number"),
        whole("lick_id", "number within the trial in time order, from 0"),
        real("time_s", "onset of the contact", "s"),
        text("port", "left or right"),
    ),
)

PHOTOSTIM_SITES = Table(
    "photostim_sites",
    "one named photostimulation: where the light goes",
    ("session", "photostim_site"),
    (
        SESSION,
        text("photostim_site", "name that trials refer to, as in left_alm, right_alm, both_alm"),
        text("device", "light source"),
        real("wavelength_nm", "of the light", "nm"),
        real("ap_um", "from Bregma, anterior positive", "um"),
        real(
            "ml_um",
            "from Bregma, right positive; with hemisphere both it is the right target, and the left one mirrors it",
            "um",
        ),
        real("dv_um", "from the surface, dorsal positive", "um"),
        real("theta_deg", "elevation about the ML axis", "deg"),
        real("phi_deg", "azimuth about the DV axis", "deg"),
        text("brain_area", "target area"),
        text("hemisphere", "left, right or both"),
        text("skull_reference", "what ap and ml are measured from"),
        text("source", "where these values come from (protocol file and version)"),
    ),
)

TABLES = (BEHAVIOR_FILE, TRIALS, SKIPPED_TRIALS, TRIAL_EVENTS, LICKS, PHOTOSTIM_SITES)
