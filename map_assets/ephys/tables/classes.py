"""What a classifier outside said of the units. What the sorter and its curator said is in `sorting`."""

from __future__ import annotations

from map_assets.ephys.tables.words import PROBE, UNIT_ID
from map_assets.vocabulary.table import SESSION, Table, instant, text

UNIT_CLASSES = Table(
    "unit_classes",
    "one unit's class by a classifier's file; the file counts the session's units from 1, by insertion number and then by "
    "unit_id, and that place is what joins it to the unit",
    ("session", "probe", "unit_id"),
    (
        SESSION,
        PROBE,
        UNIT_ID,
        text("class", "good where the file lists the unit, else unlabelled"),
        text("annotation", "CCF region that the file names for the unit; null where it names none", nullable=True),
        text("list_name", "list of the file that the unit stands in, as ALM_qc; null where in none", nullable=True),
        text("sorting", "version of the probe's sorting whose units were counted; null if unknown", nullable=True),
        text("file", "classifier's file under its share's root"),
        text(
            "file_sha256",
            "of the file; it is joined only with the sorting of each probe with which it was joined first",
            nullable=True,
        ),
        instant("file_modified_at", "last change of the file, on its share's clock"),
    ),
)
