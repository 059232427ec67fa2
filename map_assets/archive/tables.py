"""Tables that the archive room makes."""

from __future__ import annotations

from map_assets.vocabulary.table import SESSION, Table, instant, text, whole

ARCHIVE_MANIFEST = Table(
    "archive_manifest",
    "one raw file of the session, hashed once with the file proven unchanged around the read",
    ("session", "share", "path"),
    (
        SESSION,
        text("share", "name of the share in the configuration"),
        text("path", "under the share's root"),
        text("role", "what the file is for"),
        whole("size", "of the file", unit="B"),
        whole("mtime_ns", "modification time on the share's clock", unit="ns"),
        text("sha256", "of the file, lower-case hex"),
        text("checks", "what else was compared: 'spikeglx fileSHA1 equal', 'spikeglx fileSHA1 is 0' or empty"),
        whole("ctime_ns", "when its inode last changed, on the share's clock", unit="ns", nullable=True),
        whole("device", "of the file system, as this machine numbered it", nullable=True),
        whole("inode", "of the file, as a signed number", nullable=True),
        whole("n_links", "names that the file had", nullable=True),
        whole("probe", "insertion number that the path says", nullable=True),
        text("camera", "camera's position as the name spells it", nullable=True),
        whole(
            "video_number",
            "number that the name counts a camera's videos by; its trial stands in videos",
            nullable=True,
        ),
    ),
)

ARCHIVE_RECEIPT = Table(
    "archive_receipt",
    "one archived file, proven by reading it back",
    ("session", "share", "path"),
    (
        SESSION,
        text("share", "name of the share in the configuration"),
        text("path", "under the share's root"),
        text("archive_path", "under the archive's root"),
        whole("size", "of the archived file", unit="B"),
        text("sha256", "of the bytes read back, lower-case hex"),
        text("backend", "archive backend"),
        text("method", "how it was verified"),
        instant("verified_at", "when it was read back"),
        text("receipt_file", "write-once receipt, under the archive's root"),
        text("receipt_sha256", "of the receipt file"),
    ),
)

TABLES = (ARCHIVE_MANIFEST, ARCHIVE_RECEIPT)
