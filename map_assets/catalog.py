"""Every table on one page, collected from the rooms that make them."""

from __future__ import annotations

from map_assets.analyses.tables import TABLES as _ANALYSES
from map_assets.analyses.tables_foraging import TABLES as _FORAGING
from map_assets.analyses.tables_movement import TABLES as _MOVEMENT
from map_assets.analyses.tables_task import TABLES as _ANALYSES_OF_TASKS
from map_assets.archive.removal_tables import TABLES as _REMOVAL
from map_assets.archive.tables import ARCHIVE_MANIFEST, ARCHIVE_RECEIPT
from map_assets.archive.transfer_tables import ARCHIVE_TRANSFER, ARCHIVE_VERIFICATION
from map_assets.behavior.tables import TABLES as _BEHAVIOR
from map_assets.ccf.tables import TABLES as _CCF
from map_assets.ccf.track_tables import TABLES as _TRACINGS
from map_assets.ephys.tables import TABLES as _EPHYS
from map_assets.figures.tables import TABLES as _FIGURES
from map_assets.figures.tables_movement import TABLES as _MOVEMENT_FIGURES
from map_assets.figures.tables_report import TABLES as _REPORT
from map_assets.figures.track_tables import TABLES as _PAGES
from map_assets.lab.tables import TABLES as _LAB
from map_assets.nwb.tables import TABLES as _NWB
from map_assets.sessions.tables import TABLES as _SESSIONS
from map_assets.tracking.tables import TABLES as _TRACKING
from map_assets.vocabulary.table import Table

TABLES: tuple[Table, ...] = (
    *_SESSIONS,
    *_LAB,
    *_BEHAVIOR,
    *_TRACKING,
    *_EPHYS,
    *_CCF,
    *_TRACINGS,
    *_ANALYSES,
    *_ANALYSES_OF_TASKS,
    *_MOVEMENT,
    *_FORAGING,
    *_FIGURES,
    *_PAGES,
    *_REPORT,
    *_MOVEMENT_FIGURES,
    *_NWB,
    *(ARCHIVE_MANIFEST, ARCHIVE_TRANSFER, ARCHIVE_VERIFICATION, ARCHIVE_RECEIPT),
    *_REMOVAL,
)
"""In the order of the work: from what the rigs wrote to what is published and archived."""

BY_NAME: dict[str, Table] = {table.name: table for table in TABLES}


def markdown() -> str:
    """Print every table's declaration as one page of Markdown (``docs/tables.md``)."""
    lines = [
        "# Tables",
        "",
        "One Parquet file per table and session, under `tables/{table}/{session}.parquet` of the store. Written by `make docs`",
        "from the declarations in the code; times are on the session clock (seconds, zero = start of trial 1) unless the name",
        "says otherwise. A column marked *null* may be unknown or not applicable.",
        "",
    ]
    for table in TABLES:
        lines += [
            f"## {table.name}",
            "",
            f"{table.meaning[0].upper()}{table.meaning[1:]}. Key: {', '.join(table.key)}.",
            "",
        ]
        lines += ["| column | type | unit | null | meaning |", "|---|---|---|---|---|"]
        lines += [
            f"| `{column.name}` | {column.type} | {column.unit} | {'null' if column.nullable else ''} | {column.meaning} |"
            for column in table.columns
        ]
        lines += ["", "More columns may come with what the sorter's metrics bring.", ""] if table.is_open else [""]
    return "\n".join(lines)
