"""Tables that NWB has no type of its own for, each as a dynamic table of the file. The ones with a type live beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from map_assets.nwb.columns import TABLE_WORDS, columns_of, meaning_of, names_of

PLACES: dict[str, tuple[str, ...]] = {
    "behavior": (
        *("skipped_trials", "coverage", "blocks", "block_ports", "water_port_settings", "available_rewards"),
        *("tracking_quality", "frame_times", "videos"),
    ),
    "ecephys": ("insertions", "recordings", "sortings", "clock_maps", "unit_labels", "unit_waveforms", "lfp_power"),
}
"""Processing module of the file, and the tables that it holds under their own names."""

_MODULES = {
    "behavior": "Tracked body parts, and tables of the task, the videos and what was observed.",
    "ecephys": "Tables of the probes, their recordings, clocks and sortings.",
}


def module_of(nwbfile: Any, name: str) -> Any:
    """Return a processing module of the file; it is made where there is none yet."""
    if name not in nwbfile.processing:
        nwbfile.create_processing_module(name, _MODULES[name])
    return nwbfile.processing[name]


def add_plain_tables(nwbfile: Any, tables: Mapping[str, pa.Table]) -> None:
    """Add every table that stands and has rows under its own name, with its own columns."""
    for module, names in PLACES.items():
        for name in names:
            if name in tables and tables[name].num_rows:
                add_table(module_of(nwbfile, module), name, tables[name])


def add_table(module: Any, name: str, table: pa.Table) -> None:
    """Add one table to a processing module: every column but the session's key, those of which nothing is known left out."""
    from hdmf.common import DynamicTable

    columns = [
        made
        for field in table.schema
        if field.name != "session"
        for made in columns_of(own_name(name, field.name), meaning_of(field), table[field.name])
    ]
    meaning = (table.schema.metadata or {}).get(b"meaning", b"").decode() or f"{name}, as it came with the data"
    module.add(
        DynamicTable(
            name=name,
            description=f"{meaning[0].upper()}{meaning[1:]}.",
            columns=columns,
            colnames=names_of(columns),
        )
    )


def own_name(table: str, column: str) -> str:
    """Return a column's name; one that every table of NWB has for itself gets the table's name before it."""
    return f"{table}_{column}" if column in TABLE_WORDS else column
