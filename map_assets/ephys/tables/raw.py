"""What is computed from raw binaries: mean waveforms and the power of the field potential. What sorters say lives in `sorting`."""

from __future__ import annotations

import pyarrow as pa

from map_assets.ephys.tables.words import PROBE, UNIT_ID
from map_assets.vocabulary.table import SESSION, Table, many, real, text, whole

UNIT_WAVEFORMS = Table(
    "unit_waveforms",
    "one unit's mean waveform on its peak contact and those next to it, out of the recording where it is there; "
    "a unit without a single whole window, or whose peak channel is unknown or no contact of its probe, has no row",
    ("session", "probe", "unit_id"),
    (
        SESSION,
        PROBE,
        UNIT_ID,
        text(
            "sorting",
            "version of the sorting whose unit it is, as in units, whose row of another version is another unit; null "
            "if it is not known",
            nullable=True,
        ),
        text(
            "source",
            "ap.bin: averaged here over spikes of the recording; mean_waveforms.npy: as the sorter's files say",
        ),
        whole("n_spikes_used", "spikes averaged; null where the sorter's files do not tell", nullable=True),
        real("sample_rate_hz", "exact, as written in the meta file", "Hz"),
        whole("n_samples", "samples of the waveform on each channel"),
        whole(
            "first_sample_from_spike",
            "first sample of the waveform, counted from the sorter's spike time; null where the files do not tell",
            unit="samples",
            nullable=True,
        ),
        whole("peak_channel", "saved AP channel that the sorter calls the largest, from 0"),
        whole("electrode", "its contact, as in probe_sites"),
        whole("largest_electrode", "contact with the largest mean waveform of those here; the sorter may name another"),
        whole("n_channels", "channels of the waveform"),
        many("electrodes", pa.int64(), "contacts of the waveform's channels, the peak first, then by distance"),
        many("waveform_uv", pa.float32(), "channel after channel in the order of electrodes, n_samples each", "uV"),
        real("amplitude_uv", "peak to peak of the mean waveform on the peak channel", "uV"),
        real(
            "noise_uv",
            "standard deviation of what is left of the single spikes after the mean, on the peak channel; null where "
            "fewer than two spikes were averaged",
            "uV",
            nullable=True,
        ),
        real("snr", "amplitude over twice the noise; null without noise", nullable=True),
    ),
)

LFP_POWER = Table(
    "lfp_power",
    "power of the field potential in one frequency band at one contact",
    ("session", "probe", "electrode", "band"),
    (
        SESSION,
        PROBE,
        whole("electrode", "contact, as in probe_sites"),
        text("band", "name of the band"),
        real("low_hz", "lower limit, in the band", "Hz"),
        real("high_hz", "upper limit, no more in the band", "Hz"),
        whole("shank", "from 0"),
        real("y_um", "along the shank from the tip-most row", "um"),
        real(
            "power_uv2",
            "power in the band (a sine of amplitude A has A^2/2); null for reference contacts and for those that the "
            "file lacks",
            "uV^2",
            nullable=True,
        ),
        text("source", "lf.bin, or ap.bin of a probe whose AP band holds all frequencies"),
        whole("n_stretches", "stretches of the recording that the power is the mean of"),
        real("stretch_s", "length of each", "s"),
        text("file", "file under its share's root"),
    ),
)
