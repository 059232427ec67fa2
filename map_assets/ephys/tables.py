"""Tables that the ephys room makes. A probe's clock counts its samples; `clock_maps` carries it onto the session clock."""

from __future__ import annotations

import pyarrow as pa

from map_assets.vocabulary.table import SESSION, Column, Table, flag, instant, many, real, text, whole

PROBE = whole("probe", "insertion number, from 1")
UNIT_ID = whole("unit_id", "the sorter's own cluster id, never renumbered")

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
            "go cue, start of the code, or start of the trial in its place; null without anchors",
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
        many("anchor_trials", pa.int64(), "behaviour trials of the anchors"),
        many("anchor_probe_s", pa.float64(), "anchors on the probe's nominal clock", "s"),
        many("anchor_session_s", pa.float64(), "anchors on the session clock", "s"),
        many("anchor_residual_s", pa.float64(), "session time minus the map's", "s"),
        real("observed_from_s", "session time from which the probe recorded; null without anchors", "s", nullable=True),
        real("observed_to_s", "session time until which the probe recorded; null if unknown", "s", nullable=True),
    ),
)

SORTINGS = Table(
    "sortings",
    "one sorter's result for one probe",
    ("session", "probe"),
    (
        SESSION,
        PROBE,
        text("sorter", "sorter that made the result"),
        text("sorter_version", "as found; null if the files do not tell", nullable=True),
        text("curation", "raw, or curated where a person's decisions are in it"),
        instant("sorted_at", "youngest file of the result", nullable=True),
        whole("n_units", "units of the result"),
        whole("n_spikes", "spikes of the result"),
        real("sample_rate_hz", "rate that the sorter was told", "Hz", nullable=True),
        flag("has_metrics", "whether a metrics.csv came with it"),
        text("folder", "folder under its share's root"),
    ),
)

PROBES = Table(
    "probes",
    "one probe in one session: what was recorded and which sorting stands",
    ("session", "probe"),
    (
        SESSION,
        PROBE,
        text("serial_number", "of the probe; null where no meta file has arrived", nullable=True),
        text("part_number", "of the probe", nullable=True),
        text("probe_type", "name of the probe's model", nullable=True),
        whole("n_shanks", "shanks of the probe", nullable=True),
        real("sample_rate_hz", "exact, as written", "Hz", nullable=True),
        text("sorter", "null where nothing is sorted yet", nullable=True),
        text("sorter_version", "as found", nullable=True),
        text("curation", "raw or curated", nullable=True),
        instant("sorted_at", "youngest file of the sorting", nullable=True),
        text("folder", "folder of the sorting, else of the recording, under its share's root"),
    ),
)

_METRICS = (
    ("isi_violation", "share of inter-spike interval violations as the metrics' source defines it", ""),
    ("presence_ratio", "share of the recording in which the unit fired", ""),
    ("amplitude_cutoff", "estimated share of spikes lost under the threshold", ""),
    ("isolation_distance", "Mahalanobis isolation distance", ""),
    ("l_ratio", "L-ratio", ""),
    ("d_prime", "linear discriminant d'", ""),
    ("nn_hit_rate", "nearest-neighbour hit rate", ""),
    ("nn_miss_rate", "nearest-neighbour miss rate", ""),
    ("silhouette_score", "silhouette score", ""),
    ("max_drift", "largest drift in depth", "um"),
    ("cumulative_drift", "cumulated drift in depth", "um"),
    ("duration", "trough-to-peak time of the mean waveform", "ms"),
    ("halfwidth", "width of the trough at half its depth", "ms"),
    ("pt_ratio", "peak-to-trough ratio", ""),
    ("repolarization_slope", "slope from trough to peak", "V/s"),
    ("recovery_slope", "slope after the peak", "V/s"),
    ("spread", "extent of the waveform along the probe", "um"),
    ("velocity_above", "inverse conduction speed above the peak channel", "s/m"),
    ("velocity_below", "inverse conduction speed below the peak channel", "s/m"),
)

UNITS = Table(
    "units",
    "one cluster of one sorting; a unit's region is a join of units and electrodes",
    ("session", "probe", "unit_id"),
    (
        SESSION,
        PROBE,
        UNIT_ID,
        text("quality", "the sorter's or curator's label as found"),
        text("quality_source", "file that the label comes from; none where no file has a label"),
        text(
            "sorter_label",
            "the sorter's own label, also where quality is a curator's; null if it gave none",
            nullable=True,
        ),
        whole(
            "electrode",
            "contact with the largest waveform, as in probe_sites; null if the channel is on no known contact",
            nullable=True,
        ),
        whole("peak_channel", "saved AP channel with the largest waveform, from 0"),
        real("x_um", "of the peak contact, as in the sorter's channel positions", "um"),
        real("y_um", "of the peak contact, as in the sorter's channel positions", "um"),
        real("amplitude_uv", "peak to peak", "uV", nullable=True),
        real("snr", "signal to noise; null where the sorter's files do not tell", nullable=True),
        whole("n_spikes", "spikes of the unit"),
        real(
            "firing_rate_hz",
            "as metrics.csv has it, else spikes over the span of all spikes of the probe; null where that is nothing",
            "Hz",
            nullable=True,
        ),
        *(real(name, meaning, unit, nullable=True) for name, meaning, unit in _METRICS),
        many(
            "waveform_uv",
            pa.float32(),
            "mean waveform on the peak channel, one value a sample; empty where there is none",
            "uV",
        ),
    ),
    is_open=True,
)

SPIKES = Table(
    "spikes",
    "one unit's spike train, exact, on the probe's clock",
    ("session", "probe", "unit_id"),
    (
        SESSION,
        PROBE,
        UNIT_ID,
        Column("samples", pa.list_(pa.int64()), "samples since the start of the recording, rising", "samples"),
    ),
)

TRIAL_SPIKES = Table(
    "trial_spikes",
    "where one trial's spikes stand in a unit's train: from the trial's start to the next trial's (the last: to its stop); "
    "only trials that the probe observed from end to end have rows, so zero means silent",
    ("session", "probe", "unit_id", "trial"),
    (
        SESSION,
        PROBE,
        UNIT_ID,
        whole("trial", "trial number"),
        whole("first_spike", "index of the trial's first spike in the unit's samples"),
        whole("n_spikes", "spikes in the trial"),
    ),
)

TABLES = (RECORDINGS, PROBE_SITES, EPHYS_TRIALS, CLOCK_MAPS, SORTINGS, PROBES, UNITS, SPIKES, TRIAL_SPIKES)
