"""Sortings of a probe that are not current, and how each differs from the one that is. What is current is declared in `sorting` and `spikes`."""

from __future__ import annotations

from map_assets.ephys.tables.sorting import UNITS
from map_assets.ephys.tables.spikes import SPIKE_FEATURES, SPIKES
from map_assets.ephys.tables.words import PROBE, SORTING
from map_assets.vocabulary.table import SESSION, Table, real, text, whole


def _of_others(table: Table, meaning: str) -> Table:
    """Declare the table that holds for the other versions what `table` holds for the current one."""
    own = tuple(column for column in table.columns if column.name not in {"session", "probe", "sorting"})
    key = ("session", "probe", "sorting", "unit_id")
    return Table(f"other_{table.name}", meaning, key, (SESSION, PROBE, SORTING, *own), table.is_open)


OTHER_UNITS = _of_others(UNITS, "one cluster of a sorting that is not current; its columns are those of units")

OTHER_SPIKES = _of_others(
    SPIKES, "one unit's spike train of a sorting that is not current, exact, on the probe's clock"
)

OTHER_SPIKE_FEATURES = _of_others(
    SPIKE_FEATURES,
    "what the sorter tells of each spike of a unit of a sorting that is not current; as in spike_features",
)

SORTING_CHANGES = Table(
    "sorting_changes",
    "how the units of a sorting that is not current and those of the current one share their spikes, pair by pair",
    ("session", "probe", "sorting", "change_id"),
    (
        SESSION,
        PROBE,
        text("sorting", "version that is not current"),
        whole("change_id", "from 0 within the version"),
        text("current_sorting", "version that is current"),
        whole(
            "unit_id",
            "unit of the version that is not current; null for a unit that only the current one has",
            nullable=True,
        ),
        whole("current_unit_id", "unit of the current version; null for a unit that it has not", nullable=True),
        text("change", "same, changed, split, merged, lost or new, seen from the version that is not current"),
        whole("n_shared", "spikes that both units have"),
        whole("n_spikes", "spikes of the unit; null if there is none", nullable=True),
        whole("n_current_spikes", "spikes of the current version's unit; null if there is none", nullable=True),
        real(
            "share",
            "share of the unit's spikes that the current version's unit has; null if there is none",
            nullable=True,
        ),
        real(
            "current_share",
            "share of the current version's unit's spikes that the unit has; null if there is none",
            nullable=True,
        ),
    ),
)
