"""The table that the NWB room makes."""

from __future__ import annotations

from map_assets.vocabulary.table import SESSION, Table, flag, text, whole

NWB_FILE = Table(
    "nwb_file",
    "one row: the session's NWB file and what the gates said of it",
    ("session",),
    (
        SESSION,
        text("path", "under the store's root"),
        whole("size", "of the file", unit="B"),
        text("sha256", "of the file, lower-case hex"),
        flag("can_be_read", "whether reading and both gates ran to their end; else the figures below say nothing good"),
        text("made_from", "JSON: version of each table that the file is made of, as it stood then"),
        text("identifier", "the file's own, which follows from the tables; null if unreadable", nullable=True),
        whole("n_units", "units in the file"),
        whole("n_trials", "trials in the file"),
        text("pynwb_version", "library that wrote it"),
        whole("n_validation_errors", "of pynwb's schema validation"),
        whole("n_inspector_checks", "different checks that nwbinspector ran"),
        whole("n_inspector_critical", "messages of importance CRITICAL, ERROR or BEST_PRACTICE_VIOLATION"),
        whole("n_inspector_suggestions", "messages of importance BEST_PRACTICE_SUGGESTION"),
        text(
            "differences",
            "what the file, read back, gives otherwise than the tables; empty if nothing, null if not compared",
            nullable=True,
        ),
        text("messages", "all messages of both gates, a line each; empty if none"),
    ),
)

TABLES = (NWB_FILE,)
