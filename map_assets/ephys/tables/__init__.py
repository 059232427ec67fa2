"""Tables that the ephys room makes. A probe's clock counts its samples; `clock_maps` carries it onto the session clock."""

from map_assets.ephys.tables.classes import UNIT_CLASSES
from map_assets.ephys.tables.clock import CLOCK_MAPS
from map_assets.ephys.tables.raw import LFP_POWER, UNIT_WAVEFORMS
from map_assets.ephys.tables.recording import EPHYS_TRIALS, PROBE_SITES, RECORDINGS
from map_assets.ephys.tables.rig import EPHYS_EVENTS, EPHYS_FRAMES, FRAME_TIMES, RIG_EVENTS
from map_assets.ephys.tables.sorting import PROBES, SORTINGS, UNIT_LABELS, UNITS
from map_assets.ephys.tables.spikes import SPIKE_FEATURES, SPIKES, TRIAL_SPIKES
from map_assets.ephys.tables.versions import OTHER_SPIKE_FEATURES, OTHER_SPIKES, OTHER_UNITS, SORTING_CHANGES
from map_assets.ephys.tables.words import PROBE, SORTING, UNIT_ID

__all__ = [
    "CLOCK_MAPS",
    "EPHYS_EVENTS",
    "EPHYS_FRAMES",
    "EPHYS_TRIALS",
    "FRAME_TIMES",
    "LFP_POWER",
    "OTHER_SPIKES",
    "OTHER_SPIKE_FEATURES",
    "OTHER_UNITS",
    "PROBE",
    "PROBES",
    "PROBE_SITES",
    "RECORDINGS",
    "RIG_EVENTS",
    "SORTING",
    "SORTINGS",
    "SORTING_CHANGES",
    "SPIKES",
    "SPIKE_FEATURES",
    "TABLES",
    "TRIAL_SPIKES",
    "UNITS",
    "UNIT_CLASSES",
    "UNIT_ID",
    "UNIT_LABELS",
    "UNIT_WAVEFORMS",
]

TABLES = (
    *(RECORDINGS, PROBE_SITES, EPHYS_TRIALS, CLOCK_MAPS, SORTINGS, PROBES, UNITS, UNIT_LABELS, SPIKES, SPIKE_FEATURES),
    *(TRIAL_SPIKES, OTHER_UNITS, OTHER_SPIKES, OTHER_SPIKE_FEATURES, SORTING_CHANGES),
    *(UNIT_CLASSES, UNIT_WAVEFORMS, LFP_POWER),
    *(EPHYS_EVENTS, EPHYS_FRAMES, FRAME_TIMES, RIG_EVENTS),
)
