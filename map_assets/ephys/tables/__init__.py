"""Tables that the ephys room makes. A probe's clock counts its samples; `clock_maps` carries it onto the session clock."""

from map_assets.ephys.tables.clock import CLOCK_MAPS
from map_assets.ephys.tables.recording import EPHYS_TRIALS, PROBE_SITES, RECORDINGS
from map_assets.ephys.tables.sorting import PROBES, SORTINGS, UNITS
from map_assets.ephys.tables.spikes import SPIKES, TRIAL_SPIKES
from map_assets.ephys.tables.words import PROBE, UNIT_ID

__all__ = [
    "CLOCK_MAPS",
    "EPHYS_TRIALS",
    "PROBE",
    "PROBES",
    "PROBE_SITES",
    "RECORDINGS",
    "SORTINGS",
    "SPIKES",
    "TABLES",
    "TRIAL_SPIKES",
    "UNITS",
    "UNIT_ID",
]

TABLES = (RECORDINGS, PROBE_SITES, EPHYS_TRIALS, CLOCK_MAPS, SORTINGS, PROBES, UNITS, SPIKES, TRIAL_SPIKES)
