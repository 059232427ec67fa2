"""The archive's checks pass what is whole and fail what is not."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pipeline import Pipeline

from map_assets.archive.backends.folder import FolderArchive
from map_assets.archive.checks import (
    archived_bytes_equal_the_manifest,
    every_file_is_verified,
    no_file_needs_a_person,
    receipt_covers_the_manifest,
    the_mover_is_done,
)
from map_assets.archive.journal import Journal
from map_assets.archive.tables import ARCHIVE_RECEIPT


@pytest.fixture
def pipe(share: Path, tmp_path: Path) -> Pipeline:
    return Pipeline(share, FolderArchive(tmp_path / "archive"), Journal(f"sqlite:///{tmp_path}/registry.db"))


@pytest.fixture
def tables(pipe: Pipeline) -> tuple[pa.Table, pa.Table]:
    return pipe.manifest(), pipe.run()


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


@pytest.mark.parametrize("state", ["MANIFESTED", "SUBMITTED"])
def test_what_is_on_its_way_is_counted(pipe: Pipeline, state: str) -> None:
    table = pipe.transfer().table
    assert the_mover_is_done(table).passed
    states = pa.array([state, "TRANSFERRED", "TRANSFERRED"])
    moving = table.set_column(table.schema.get_field_index("state"), table.schema.field("state"), states)
    verdict = the_mover_is_done(moving)
    assert not verdict.passed and verdict.figures == {"n_under_way": 1, "n_bytes": 10_000}
    assert no_file_needs_a_person(moving).passed


@pytest.mark.parametrize("state", ["FAILED", "BLOCKED", "CONFLICT", "UNSTABLE", "SUSPECT"])
def test_what_stands_aside_is_named(pipe: Pipeline, state: str) -> None:
    table = pipe.transfer().table
    states = pa.array(["TRANSFERRED", state, "TRANSFERRED"])
    aside = table.set_column(table.schema.get_field_index("state"), table.schema.field("state"), states)
    verdict = no_file_needs_a_person(aside)
    assert not verdict.passed and state in verdict.description and table["path"][1].as_py() in verdict.description
    assert the_mover_is_done(aside).passed


def test_a_file_that_was_not_read_back_is_named(pipe: Pipeline) -> None:
    manifest = pipe.manifest()
    pipe.transfer()
    verification = pipe.verify()
    assert every_file_is_verified(manifest, verification).passed
    column = verification.schema.get_field_index("sha256")
    for wrong in (None, "0" * 64):
        values = pa.array([wrong, *verification["sha256"].to_pylist()[1:]], pa.string())
        unread = verification.set_column(column, verification.schema.field("sha256"), values)
        verdict = every_file_is_verified(manifest, unread)
        assert not verdict.passed and verdict.figures == {"n_files": 3, "n_not_verified": 1}
        assert manifest["path"][0].as_py() in verdict.description
    assert not every_file_is_verified(manifest, verification.slice(1)).passed
