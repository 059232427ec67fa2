"""What the acquisition system recorded: probes, their contacts, the trials that it saw. A probe's clock counts its samples."""

from __future__ import annotations

from map_assets.ephys.tables.words import PROBE
from map_assets.vocabulary.table import SESSION, Table, flag, real, text, whole

RECORDINGS = Table(
    "recordings",
    "one probe's raw recording, as its SpikeGLX meta file tells it",
    ("session", "probe"),
    (
        SESSION,
        PROBE,
        text("serial_number", "of the probe, as written", nullable=True),
        text("part_number", "of the probe, as written", nullable=True),
        text("probe_type", "name of the probe's model"),
        whole("n_shanks", "shanks of the probe"),
        whole("n_saved_channels", "channels in the file, the sync channel too"),
        whole("n_ap_channels", "AP channels in the file", nullable=True),
        real("sample_rate_hz", "exact, as written", "Hz"),
        text("sample_rate_text", "the rate's digits as they stand in the meta file"),
        real("microvolt_per_bit", "of the AP band's first channel", "uV"),
        real("ap_gain", "of the AP band's first channel", nullable=True),
        whole("max_int", "count that stands for the end of the range", nullable=True),
        real("lf_gain", "of the LF band at the first channel; null for a probe without LF band", nullable=True),
        real(
            "microvolt_per_bit_lf",
            "of the LF band at the first channel; null for a probe without LF band",
            "uV",
            nullable=True,
        ),
        real("lf_sample_rate_hz", "exact, as the LF band's own meta file has it", "Hz", nullable=True),
        real(
            "duration_s",
            "of the recording on the probe's nominal clock; null if the meta does not tell",
            "s",
            nullable=True,
        ),
        text("recorded_local", "creation time in the meta, ISO 8601 without zone", nullable=True),
        text(
            "created_local",
            "creation time of this very file (CatGT's later than the recording's), ISO 8601 without zone",
            nullable=True,
        ),
        whole("first_sample", "number of the file's first sample since the acquisition was started", nullable=True),
        whole("bin_size", "size that the meta claims for the .bin file", unit="B", nullable=True),
        text("bin_sha1", "SHA1 that the meta claims for the .bin file", nullable=True),
        text(
            "bin_state",
            "of the AP .bin: whole, acquiring (the meta lacks its last keys), incomplete copy (shorter than the meta says) "
            "or absent; null where the file was set aside for it is longer than the meta says",
            nullable=True,
        ),
        text("bin_file", "AP .bin under its share's root; null if absent", nullable=True),
        text("folder", "probe's folder under its share's root"),
        text("meta_file", "meta file under its share's root"),
        text("lf_meta_file", "LF band's meta file under its share's root; null if there is none", nullable=True),
    ),
)

PROBE_SITES = Table(
    "probe_sites",
    "one recorded contact of a probe",
    ("session", "probe", "electrode"),
    (
        SESSION,
        PROBE,
        whole("electrode", "contact number on the whole probe, from 0, shank by shank, tip first"),
        whole("channel", "row of the contact among the saved AP channels, from 0"),
        whole("shank", "from 0"),
        real("x_um", "across the probe; zero = left edge column of shank 0", "um"),
        real("y_um", "along the shank from the tip-most row", "um"),
        flag("is_used", "false for reference contacts"),
    ),
)

EPHYS_TRIALS = Table(
    "ephys_trials",
    "one trial as the ephys system saw it, carried onto the probe's clock",
    ("session", "probe", "ephys_trial"),
    (
        SESSION,
        PROBE,
        whole("ephys_trial", "number in the ephys stream, from 1"),
        text("bitcode", "code received"),
        real(
            "start_probe_s",
            "start that the recording saw, on the probe's nominal clock; null if the file has no times",
            "s",
            nullable=True,
        ),
        text(
            "start_kind",
            "what start_probe_s marks: start of the code (its first edge, in a bitcode file) or start of the trial (a line "
            "that goes up when the trial begins, by the rig's pulse protocol); null without times",
            nullable=True,
        ),
        real("go_probe_s", "go cue on the probe's nominal clock; null if there was none", "s", nullable=True),
        whole(
            "trial_written", "behaviour trial number that the file itself claims; null if it claims none", nullable=True
        ),
        text(
            "source",
            "where the codes were read: bitcode file, pulse lists (CatGT's text files) or nidq (lines of the .nidq.bin)",
            nullable=True,
        ),
        text(
            "clock",
            "clock that the times were written on: probe, nidq, or another probe's stream (imecN); those of another than "
            "this probe's were carried over by the sync pulses seen on both",
            nullable=True,
        ),
        text("file", "file of the trial starts (bitcode file, pulse list or .nidq.bin) under its share's root"),
        text(
            "events_problem",
            "why the bitcode file's events and frames were left out; null where none were",
            nullable=True,
        ),
    ),
)
