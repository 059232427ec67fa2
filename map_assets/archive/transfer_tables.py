"""Tables of a session's way into the archive. The manifest and the receipt are in `tables`, removal's are in `removal_tables`."""

from __future__ import annotations

from map_assets.vocabulary.table import SESSION, Table, instant, text, whole

_SHARE = text("share", "name of the share in the configuration")
_PATH = text("path", "under the share's root")
_ARCHIVE_PATH = text("archive_path", "under the archive's root")
_TRIES = whole("n_tries", "times that it failed since a person last looked")
_DETAIL = text("detail", "why it stands where it stands, or empty")

ARCHIVE_TRANSFER = Table(
    "archive_transfer",
    "one file of the manifest on its way into the archive, as the journal has it",
    ("session", "share", "path"),
    (
        SESSION,
        _SHARE,
        _PATH,
        _ARCHIVE_PATH,
        whole("size", "of the source", unit="B"),
        text("sha256", "of the source, lower-case hex"),
        text(
            "state",
            "MANIFESTED, SUBMITTED, TRANSFERRED (there by size), FAILED, BLOCKED, CONFLICT, UNSTABLE or SUSPECT",
        ),
        text("batch", "of the journal"),
        text("submission", "id under which the mover was last asked, or empty"),
        text("claim", "what the mover itself says of the bytes, or empty; never a proof"),
        _TRIES,
        instant("transferred_at", "when it was seen there", nullable=True),
        _DETAIL,
    ),
)

ARCHIVE_VERIFICATION = Table(
    "archive_verification",
    "one file of the manifest, and whether its copy in the archive was read back equal",
    ("session", "share", "path"),
    (
        SESSION,
        _SHARE,
        _PATH,
        _ARCHIVE_PATH,
        whole("size", "as in the manifest", unit="B"),
        text("sha256", "of the bytes read back, lower-case hex; null until they are the manifest's", nullable=True),
        text("method", "how it was read back, never by the mover's claim; null as above", nullable=True),
        instant("verified_at", "when", nullable=True),
        _TRIES,
        _DETAIL,
    ),
)

TABLES = (ARCHIVE_TRANSFER, ARCHIVE_VERIFICATION)
