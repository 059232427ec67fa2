"""What must hold of a session's archive tables. Reading bytes back lives in `receipt`; here only tables are compared."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from map_assets.vocabulary.table import Verdict

_FILE = ["session", "share", "path"]


def the_mover_is_done(transfer: pa.Table) -> Verdict:
    """No file is waiting for a mover or under way with one; until then, what rests on the transfer waits.

    Parameters
    ----------
    transfer : pyarrow.Table
        ARCHIVE_TRANSFER of one session.
    """
    on_its_way = transfer.filter(pc.is_in(transfer["state"], pa.array(["MANIFESTED", "SUBMITTED"])))
    n_bytes = pc.sum(on_its_way["size"]).as_py() or 0
    described = (
        f"{on_its_way.num_rows} of {transfer.num_rows} files ({n_bytes} bytes) are on their way into the archive"
    )
    return Verdict(on_its_way.num_rows == 0, f"{described}.", {"n_under_way": on_its_way.num_rows, "n_bytes": n_bytes})


def no_file_needs_a_person(transfer: pa.Table) -> Verdict:
    """No file is blocked, in conflict, suspect, failing, or other than its manifest says.

    Parameters
    ----------
    transfer : pyarrow.Table
        ARCHIVE_TRANSFER of one session.
    """
    asides = pa.array(["FAILED", "BLOCKED", "CONFLICT", "UNSTABLE", "SUSPECT"])
    aside = transfer.filter(pc.is_in(transfer["state"], asides))
    described = f"{aside.num_rows} of {transfer.num_rows} files stand aside"
    if aside.num_rows:
        first = aside.slice(0, 1).to_pylist()[0]
        described += f"; the first is {first['path']}, {first['state']}: {first['detail']}"
    return Verdict(aside.num_rows == 0, described.rstrip(".") + ".", {"n_aside": aside.num_rows})


def every_file_is_verified(manifest: pa.Table, verification: pa.Table) -> Verdict:
    """Every file of the manifest was read back from the archive with its size and hash.

    Parameters
    ----------
    manifest, verification : pyarrow.Table
        ARCHIVE_MANIFEST and ARCHIVE_VERIFICATION of one session.
    """
    proven = verification.filter(pc.is_valid(verification["sha256"])).select([*_FILE, "size", "sha256"])
    missing = manifest.join(proven, [*_FILE, "size", "sha256"], join_type="left anti")
    described = f"{manifest.num_rows - missing.num_rows} of {manifest.num_rows} files were read back equal"
    if missing.num_rows:
        described += f"; the first that was not is {min(missing['path'].to_pylist())}"
    figures = {"n_files": manifest.num_rows, "n_not_verified": missing.num_rows}
    return Verdict(missing.num_rows == 0, f"{described}.", figures)


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
