"""Tables of what may leave the shares and what has left them. Making them lives in `removal_plan` and `removal`."""

from __future__ import annotations

from map_assets.vocabulary.table import SESSION, Table, flag, instant, text, whole

REMOVAL_PLAN = Table(
    "removal_plan",
    "one raw file that is archived, and whether it may leave its share; nothing is removed by it",
    ("session", "batch", "file"),
    (
        SESSION,
        text("batch", "batch of the archive's journal"),
        whole("file", "number in the batch, from 0"),
        text("share", "name of the share in the configuration"),
        text("path", "under the share's root"),
        text("role", "what the file is for"),
        whole("size", "of the file", unit="B"),
        text("sha256", "of the file, lower-case hex"),
        text("archive_path", "its copy, under the archive's root"),
        text("state", "where the journal has it"),
        flag("is_removable", "whether a person may approve its removal now"),
        text("reason", "why not, or empty"),
        instant(
            "removable_from", "when its time on the share is over; null where no receipt vouches for it", nullable=True
        ),
        instant("verified_at", "when its copy was last read back equal", nullable=True),
    ),
)

SOURCE_REMOVED = Table(
    "source_removed",
    "one raw file whose removal from its share was approved, and how far it came",
    ("session", "batch", "file"),
    (
        SESSION,
        text("batch", "batch of the archive's journal"),
        whole("file", "number in the batch, from 0"),
        text("share", "name of the share in the configuration"),
        text("path", "under the share's root"),
        whole("size", "of the file", unit="B"),
        text("sha256", "of the file, lower-case hex"),
        text("archive_path", "its copy, under the archive's root"),
        text("state", "APPROVED, REMOVING, QUARANTINED or REMOVED; HELD or SUSPECT where it was stopped and stays"),
        text("approval", "the approval that names these bytes"),
        text("reason", "last word of the journal about it"),
        instant("at", "when it came to that state"),
    ),
)

RECONCILIATION = Table(
    "archive_reconciliation",
    "one file that journal and archive do not agree about",
    ("archive_path",),
    (
        text("archive_path", "under the archive's root"),
        text("what", "missing (known and not there), other size, or unknown (there and not known)"),
        text("session", "that it belongs to, where that is known", nullable=True),
        whole("size", "that it should have; of the file there where it is unknown", unit="B"),
        whole("found_size", "that it has; null where it is not there", unit="B", nullable=True),
    ),
)

TABLES = (REMOVAL_PLAN, SOURCE_REMOVED)
