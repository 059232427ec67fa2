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
        real("sample_rate_hz", "exact, as written", "Hz"),
        text("sample_rate_text", "the rate's digits as they stand in the meta file"),
        real("microvolt_per_bit", "of the AP band's first channel", "uV"),
        real(
            "duration_s",
            "of the recording on the probe's nominal clock; null if the meta does not tell",
            "s",
            nullable=True,
        ),
        text("recorded_local", "creation time in the meta, ISO 8601 without zone", nullable=True),
        whole("bin_size", "size that the meta claims for the .bin file", unit="B", nullable=True),
        text("bin_sha1", "SHA1 that the meta claims for the .bin file", nullable=True),
        text("folder", "probe's folder under its share's root"),
        text("meta_file", "meta file under its share's root"),
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
    "one trial as the ephys system saw it, on the probe's clock",
    ("session", "probe", "ephys_trial"),
    (
        SESSION,
        PROBE,
        whole("ephys_trial", "number in the ephys stream, from 1"),
        text("bitcode", "code received"),
        real(
            "start_probe_s",
            "first edge of the code on the probe's nominal clock; null if the file has no times",
            "s",
            nullable=True,
        ),
        real("go_probe_s", "go cue on the probe's nominal clock; null if there was none", "s", nullable=True),
        whole(
            "trial_written", "behaviour trial number that the file itself claims; null if it claims none", nullable=True
        ),
        text("file", "bitcode file under its share's root"),
    ),
)
