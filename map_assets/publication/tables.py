"""The table that tells which files of a session went to a DANDI archive. It grows by a row an upload and is never made anew."""

from __future__ import annotations

from map_assets.vocabulary.table import SESSION, Table, flag, instant, text, whole

DANDI_ASSETS = Table(
    "dandi_assets",
    "one file of the session in a DANDI archive, as it was found there after an upload",
    ("session", "server", "dandiset", "asset_id", "checked_at"),
    (
        SESSION,
        text("server", "address of the archive's API"),
        text("dandiset", "number of the dandiset, six digits"),
        text("asset_id", "the archive's own id of the file"),
        instant("checked_at", "when its digests were compared"),
        text("path", "in the dandiset"),
        flag("was_uploaded", "false where the archive had the same file at that path already"),
        text(
            "state",
            "verified: size, dandi-etag and sha256 are the file's; differs; or pending: the sha256 did not come in time",
        ),
        whole("size", "of the file", unit="B"),
        text("etag", "of the file, as DANDI reckons it"),
        text("sha256", "of the file, lower-case hex"),
        text("table_versions", "JSON: version of each table that the file was made from"),
        text("code_version", "what wrote the file, as it says itself"),
    ),
)

TABLES = (DANDI_ASSETS,)
