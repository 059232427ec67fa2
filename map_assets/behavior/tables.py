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
        text("protocol_file", "protocol file of the task, with its version, that the tables rest on"),
        whole("n_trials", "trials in the file, skipped ones too"),
        text("start_local", "wall-clock start of trial 1 as the rig wrote it, ISO 8601 without zone"),
        text("start_source", "field that start_local was taken from"),
        text(
            "info_start_local",
            "start that the file's Info names (some seconds after trial 1), ISO 8601 without zone",
            nullable=True,
        ),
        text("rig_software", "version of the acquisition software as written", nullable=True),
        text("random_seed", "seed of the rig's chance as written; null if the file has none", nullable=True),
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
        real("stop_s", "entry of the trial's first TrialEnd state; in foraging the end of its last state", "s"),
        real(
            "until_s",
            "start of the file's next trial, also of a skipped one; the last, or if that is unknown: its stop",
            "s",
        ),
        text("instruction", "port that earns the reward: left, right or middle; none where the animal chooses freely"),
        text("outcome", "hit, miss or ignore; N/A in a task that has none (multi-target licking)"),
        flag(
            "early_lick",
            "whether the animal licked too early: by the rig's own states, in foraging before the go cue; null where the "
            "file does not tell",
            nullable=True,
        ),
        flag("is_auto_water", "whether the rig was to give water regardless of the answer"),
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
        text("choice", "port that the animal chose; null if none, or in a task without a free choice", nullable=True),
        whole("block", "block of the trial, from 1; null in a task without blocks", nullable=True),
        whole("block_trial", "number of the trial among its block's kept ones, from 1; null without", nullable=True),
    ),
)

SKIPPED_TRIALS = Table(
    "skipped_trials",
    "one trial of the file that is not in trials, and why",
    ("session", "trial"),
    (
        SESSION,
        whole("trial", "trial number as in the file, from 1"),
        real("start_s", "start of the trial; null where the file does not say", "s", nullable=True),
        text("reason", "why it was skipped"),
        flag("was_run", "false: it was planned and never run, so nothing recorded it", nullable=True),
    ),
)

TRIAL_EVENTS = Table(
    "trial_events",
    "one visit of a task state; repeated samples, delays and go cues are rows of their own",
    ("session", "trial", "event_id"),
    (
        SESSION,
        whole("trial", "trial number"),
        whole(
            "event_id",
            "number within the trial, from 0, in the order that `event` lists them, each kind in time order",
        ),
        text(
            "event",
            "presample, sample, delay, go, trialend; in foraging videostart, bitcodestart, delay, go, choice, reward, "
            "doubledip, trialend, videoend",
        ),
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
        text("port", "left, right or middle"),
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

_PORT = text("port", "water port: left, right, middle, or mtl-1 to mtl-9 (3 x 3, as on a number pad)")

BLOCKS = Table(
    "blocks",
    "one block of trials under the same conditions; tasks without blocks have none",
    ("session", "block"),
    (
        SESSION,
        whole("block", "number of the block, from 1"),
        whole("first_trial", "first of its trials that was kept"),
        real("start_s", "start of that trial", "s"),
        whole("n_trials", "trials of the block that were run, skipped ones too"),
        whole("n_licks_for_reward", "licks that earn the drop, which comes with the next one", nullable=True),
        real("roll_deg", "roll of the head, positive towards its right shoulder", "deg", nullable=True),
        whole("n_bins_x", "lateral positions of the targets", nullable=True),
        whole("n_bins_y", "rostrocaudal positions of the targets", nullable=True),
        whole("n_bins_z", "dorsoventral positions of the targets", nullable=True),
    ),
)

BLOCK_PORTS = Table(
    "block_ports",
    "one water port in one block: where it stands, or how likely it gives water",
    ("session", "block", "port"),
    (
        SESSION,
        whole("block", "number of the block"),
        _PORT,
        real("reward_probability", "that a trial puts a reward at the port", nullable=True),
        real("position_x", "lateral position", "motor units", nullable=True),
        real("position_y", "rostrocaudal position", "motor units", nullable=True),
        real("position_z", "dorsoventral position", "motor units", nullable=True),
    ),
)

WATER_PORT_SETTINGS = Table(
    "water_port_settings",
    "where the lick ports stood in one trial; only trials of which the rig wrote it",
    ("session", "trial"),
    (
        SESSION,
        whole("trial", "trial number"),
        real("lateral_position", "of the motor", "motor units", nullable=True),
        real("rostrocaudal_position", "of the motor", "motor units", nullable=True),
        real("dorsoventral_position", "of the motor", "motor units", nullable=True),
    ),
)

AVAILABLE_REWARDS = Table(
    "available_rewards",
    "one water port in one trial of a task in which ports are baited",
    ("session", "trial", "port"),
    (
        SESSION,
        whole("trial", "trial number"),
        _PORT,
        flag(
            "is_available",
            "whether a reward lay at the port in this trial: it was taken or left over; null where the rig does not keep "
            "rewards that were not taken",
            nullable=True,
        ),
        flag("is_left_over", "whether a reward still lay there after the trial; null if not written", nullable=True),
        flag("is_auto_water", "whether the port gave water before the animal's answer"),
        real("open_duration_s", "time that its valve opens for a reward; null if not written", "s", nullable=True),
    ),
)

TABLES = (
    BEHAVIOR_FILE,
    TRIALS,
    SKIPPED_TRIALS,
    TRIAL_EVENTS,
    LICKS,
    PHOTOSTIM_SITES,
    BLOCKS,
    BLOCK_PORTS,
    WATER_PORT_SETTINGS,
    AVAILABLE_REWARDS,
)
