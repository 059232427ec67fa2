"""What must hold of a session's archive tables. Reading bytes back lives in `receipt`; here only tables are compared."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from map_assets.vocabulary.table import Verdict

_FILE = ["session", "share", "path"]


def receipt_covers_the_manifest(manifest: pa.Table, receipt: pa.Table) -> Verdict:
    """Every file of the manifest has a receipt row, and the receipt has no other rows.

    Parameters
    ----------
    manifest, receipt : pyarrow.Table
        ARCHIVE_MANIFEST and ARCHIVE_RECEIPT of one session.
    """
    missing = manifest.select(_FILE).join(receipt.select(_FILE), _FILE, join_type="left anti")
    surplus = receipt.select(_FILE).join(manifest.select(_FILE), _FILE, join_type="left anti")
    described = f"The receipt covers {manifest.num_rows - missing.num_rows} of the manifest's {manifest.num_rows} files"
    if missing.num_rows:
        described += f"; the first without receipt is {min(missing['path'].to_pylist())}"
    if surplus.num_rows:
        described += f"; {surplus.num_rows} of its rows are of no file of the manifest"
    return Verdict(
        missing.num_rows == 0 and surplus.num_rows == 0,
        f"{described}.",
        {"n_files": manifest.num_rows, "n_missing": missing.num_rows, "n_surplus": surplus.num_rows},
    )


def archived_bytes_equal_the_manifest(manifest: pa.Table, receipt: pa.Table) -> Verdict:
    """Size and hash read back from the archive are those of the manifest, for every file that has a receipt.

    A manifest of which no file has a receipt does not pass.
    """
    wanted = [*_FILE, "size", "sha256"]
    both = manifest.select(wanted).join(receipt.select(wanted), _FILE, join_type="inner", right_suffix="_archived")
    is_equal = pc.and_(pc.equal(both["size"], both["size_archived"]), pc.equal(both["sha256"], both["sha256_archived"]))
    different = both.filter(pc.invert(is_equal))
    n_bytes = pc.sum(both["size_archived"]).as_py() or 0
    described = f"{both.num_rows - different.num_rows} of {both.num_rows} archived files equal the manifest"
    if different.num_rows:
        described += f"; the first that differs is {min(different['path'].to_pylist())}"
    return Verdict(
        different.num_rows == 0 and (both.num_rows > 0 or manifest.num_rows == 0),
        f"{described} ({n_bytes} bytes).",
        {"n_compared": both.num_rows, "n_different": different.num_rows, "n_bytes": n_bytes},
    )
