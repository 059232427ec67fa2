"""The archive's checks pass what is whole and fail what is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from map_assets.archive.backends.folder import FolderArchive
from map_assets.archive.checks import archived_bytes_equal_the_manifest, receipt_covers_the_manifest
from map_assets.archive.manifest import make_manifest
from map_assets.archive.receipt import archive_session
from map_assets.archive.tables import ARCHIVE_RECEIPT
from map_assets.vocabulary.files import FoundFile

SESSION = "SC022_20190228_151010"


@pytest.fixture
def tables(share: Path, tmp_path: Path, found_in: Callable[..., list[FoundFile]]) -> tuple[pa.Table, pa.Table]:
    manifest, _ = make_manifest(SESSION, found_in(share))
    return manifest, archive_session(SESSION, manifest, {"rig1": share}, FolderArchive(tmp_path / "archive"))


def test_a_whole_session_passes(tables: tuple[pa.Table, pa.Table]) -> None:
    covers, equal = receipt_covers_the_manifest(*tables), archived_bytes_equal_the_manifest(*tables)
    assert covers.passed and covers.figures == {"n_files": 3, "n_missing": 0, "n_surplus": 0}
    assert equal.passed and equal.figures == {"n_compared": 3, "n_different": 0, "n_bytes": 10_000 + 256 * 4096}


def test_a_file_without_receipt_is_named(tables: tuple[pa.Table, pa.Table]) -> None:
    manifest, receipt = tables
    verdict = receipt_covers_the_manifest(manifest, receipt.slice(1))
    assert not verdict.passed and manifest["path"][0].as_py() in verdict.description
    assert not receipt_covers_the_manifest(manifest.slice(1), receipt).passed


def test_other_bytes_are_named(tables: tuple[pa.Table, pa.Table]) -> None:
    manifest, receipt = tables
    for name, wrong in (("sha256", pa.array(["0" * 64] * 3)), ("size", pc.add(manifest["size"], 1))):
        changed = manifest.set_column(manifest.schema.get_field_index(name), manifest.schema.field(name), wrong)
        verdict = archived_bytes_equal_the_manifest(changed, receipt)
        assert not verdict.passed and "SC022/behavior.mat" in verdict.description


def test_no_receipt_at_all_passes_nothing(tables: tuple[pa.Table, pa.Table]) -> None:
    manifest, _ = tables
    assert not receipt_covers_the_manifest(manifest, ARCHIVE_RECEIPT.empty()).passed
    assert not archived_bytes_equal_the_manifest(manifest, ARCHIVE_RECEIPT.empty()).passed
