"""What the sorters made of a recording: sortings, units, labels. Spikes are declared in `spikes`, versions that are not current in `versions`."""

from __future__ import annotations

import pyarrow as pa

from map_assets.ephys.tables.words import PROBE, SORTING, UNIT_ID
from map_assets.vocabulary.table import SESSION, Table, flag, instant, many, real, text, whole

SORTINGS = Table(
    "sortings",
    "one version of a probe's sorting: one sorter's result, as it was when it was read",
    ("session", "probe", "sorting"),
    (
        SESSION,
        PROBE,
        SORTING,
        flag("is_current", "whether it is the version that units and spikes hold; one of each probe's versions is"),
        text("current_because", "why it is current; null for the others", nullable=True),
        text("sorter", "sorter that made the result"),
        text("sorter_version", "as found; null if the files do not tell", nullable=True),
        text("curation", "raw, or curated where a person's decisions are in it"),
        instant("sorted_at", "youngest file of the result", nullable=True),
        whole("n_units", "units of the result"),
        whole("n_spikes", "spikes of the result"),
        whole(
            "n_unassigned_spikes", "spikes that the sorter found and gave to no unit (noise, deleted)", nullable=True
        ),
        real("sample_rate_hz", "rate that the sorter was told", "Hz", nullable=True),
        flag("has_metrics", "whether a metrics.csv came with it"),
        text("folder", "folder under its share's root that it was read from; one of them where several hold the same"),
        instant("first_seen", "when it was first read"),
        flag(
            "is_on_share",
            "whether its folder held it when the folders were last read; false where it is gone or was written over",
        ),
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
        text("sorting", "version that is current; null where nothing is sorted yet", nullable=True),
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
    "one cluster of the sorting that is current; a unit's region is a join of units and electrodes",
    ("session", "probe", "unit_id"),
    (
        SESSION,
        PROBE,
        text("sorting", "version of the sorting, as in sortings; null if it is not known", nullable=True),
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
        whole(
            "peak_channel",
            "saved AP channel with the largest waveform, from 0; null where the sorter's files do not tell",
            nullable=True,
        ),
        real(
            "x_um",
            "of the peak contact, or of the unit's centre (JRCLUST), as in the sorter's channel positions; null if not told",
            "um",
            nullable=True,
        ),
        real("y_um", "along the shank; as x_um", "um", nullable=True),
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

UNIT_LABELS = Table(
    "unit_labels",
    "one label that the sorter or a person gave a cluster, of every version of the sorting",
    ("session", "probe", "sorting", "unit_id", "source", "name"),
    (
        SESSION,
        PROBE,
        SORTING,
        UNIT_ID,
        text("source", "file that the label comes from"),
        text("name", "column of that file, or what the sorter calls the label"),
        text("value", "as found; a number is the text that the file has"),
    ),
)
