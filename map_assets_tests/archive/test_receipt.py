"""A session into the archive: copied, read back, receipted; never overwritten."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pytest

from map_assets.archive.backends.folder import FolderArchive
from map_assets.archive.manifest import make_manifest
from map_assets.archive.receipt import archive_session
from map_assets.archive.tables import ARCHIVE_RECEIPT
from map_assets.vocabulary.errors import ArchiveConflict, BadConfiguration, ChangedWhileRead, UnreadableFile
from map_assets.vocabulary.files import FoundFile

SESSION = "SC022_20190228_151010"
BEHAVIOR = "SC022/behavior.mat"
Found = Callable[..., list[FoundFile]]
Archived = Callable[[Path], dict[str, str]]


@pytest.fixture
def archive(tmp_path: Path) -> FolderArchive:
    return FolderArchive(tmp_path / "archive")


@pytest.fixture
def run(share: Path, archive: FolderArchive, found_in: Found) -> Callable[..., pa.Table]:
    """Make the manifest of what is on the share and archive it."""

    def run(now: datetime | None = None, **roots: Path) -> pa.Table:
        manifest, rejected = make_manifest(SESSION, found_in(share))
        assert rejected == ()
        return archive_session(SESSION, manifest, {"rig1": share, **roots}, archive, now)

    return run


def receipts(archive: FolderArchive, suffix: str = ".json") -> list[Path]:
    return sorted((archive.root / SESSION / "receipts").glob(f"*{suffix}"))


def check_lists(archive: FolderArchive) -> None:
    """Every list beside a receipt is true, by the system's own tool."""
    for text in receipts(archive, ".txt"):
        subprocess.run(
            ["sha256sum", "--strict", "--quiet", "-c", text], cwd=archive.root, check=True, capture_output=True
        )


def test_every_file_is_copied_read_back_and_receipted(
    run: Callable[..., pa.Table], share: Path, archive: FolderArchive, archived_files: Archived
) -> None:
    now = datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)
    receipt = run(now)
    assert receipt.schema.equals(ARCHIVE_RECEIPT.schema)
    assert archived_files(archive.root) == {
        f"{SESSION}/rig1/{path.relative_to(share)}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in share.rglob("*")
        if path.is_file()
    }
    for row in receipt.to_pylist():
        assert row["archive_path"] == f"{SESSION}/rig1/{row['path']}"
        assert row["sha256"] == hashlib.sha256((share / row["path"]).read_bytes()).hexdigest()
        assert (row["backend"], row["verified_at"]) == ("folder", now)
        written = archive.root / row["receipt_file"]
        assert row["receipt_sha256"] == hashlib.sha256(written.read_bytes()).hexdigest()
        assert written.name.startswith("20260301T120000.250000Z-")
    check_lists(archive)


def test_the_receipt_says_what_was_done_in_canonical_json(run: Callable[..., pa.Table], archive: FolderArchive) -> None:
    receipt = run()
    (path,) = receipts(archive)
    document = json.loads(path.read_bytes())
    assert path.read_text() == json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
    (text,) = receipts(archive, ".txt")
    assert document["manifest_file"] == str(text.relative_to(archive.root))
    assert document["manifest_sha256"] == hashlib.sha256(text.read_bytes()).hexdigest()
    assert document["receipt_id"] == path.stem and document["receipt_id"].endswith(document["manifest_sha256"][:16])
    assert document["previous_receipt_sha256"] is None
    assert document["backend"] == {"name": "folder", "location": str(archive.root)}
    assert set(document["verification"]) == {"algorithm", "started", "finished", "host", "tool", "tool_version"}
    assert [file["path"] for file in document["files"]] == receipt["path"].to_pylist()
    assert path.stat().st_mode & 0o777 == 0o444


def test_archiving_again_changes_nothing(run: Callable[..., pa.Table], archive: FolderArchive) -> None:
    first = run()
    before = {path: path.stat().st_mtime_ns for path in archive.root.rglob("*")}
    assert run().equals(first)
    assert {path: path.stat().st_mtime_ns for path in archive.root.rglob("*")} == before


def test_a_touched_file_is_the_same_file(run: Callable[..., pa.Table], share: Path, archive: FolderArchive) -> None:
    first = run()
    os.utime(share / BEHAVIOR, (1, 1))
    assert run().equals(first)
    assert len(receipts(archive)) == 1


def test_a_file_that_came_later_makes_a_second_receipt_in_the_chain(
    run: Callable[..., pa.Table], share: Path, archive: FolderArchive
) -> None:
    run(datetime(2026, 3, 1, tzinfo=UTC))
    first = receipts(archive)[0]
    (share / "SC022/histology.csv").write_text("late")
    receipt = run(datetime(2026, 3, 20, tzinfo=UTC))
    _, second = receipts(archive)
    assert receipt.num_rows == 4
    assert json.loads(second.read_bytes())["previous_receipt_sha256"] == hashlib.sha256(first.read_bytes()).hexdigest()
    check_lists(archive)


def test_changed_content_gets_its_own_name_and_both_stay_readable(
    run: Callable[..., pa.Table], share: Path, archive: FolderArchive, archived_files: Archived
) -> None:
    run()
    old = (share / BEHAVIOR).read_bytes()
    new = old[:-1] + b"!"
    (share / BEHAVIOR).write_bytes(new)
    receipt = run()
    places = dict(zip(receipt["path"].to_pylist(), receipt["archive_path"].to_pylist(), strict=True))
    assert places[BEHAVIOR] == f"{SESSION}/rig1/{BEHAVIOR}.v-{hashlib.sha256(new).hexdigest()[:12]}"
    assert (archive.root / places[BEHAVIOR]).read_bytes() == new
    assert (archive.root / SESSION / "rig1" / BEHAVIOR).read_bytes() == old
    assert len(archived_files(archive.root)) == 4
    check_lists(archive)
    assert run().equals(receipt)

    (share / BEHAVIOR).write_bytes(old)
    again = run()
    assert (
        dict(zip(again["path"].to_pylist(), again["archive_path"].to_pylist(), strict=True))[BEHAVIOR]
        == f"{SESSION}/rig1/{BEHAVIOR}"
    )
    assert len(receipts(archive)) == 2
    check_lists(archive)


def test_a_source_that_changed_since_the_manifest_is_not_archived_and_the_others_are(
    share: Path, archive: FolderArchive, found_in: Found, archived_files: Archived
) -> None:
    manifest, _ = make_manifest(SESSION, found_in(share))
    (share / BEHAVIOR).write_bytes(b"other")
    with pytest.raises(ChangedWhileRead, match=r"behavior\.mat"):
        archive_session(SESSION, manifest, {"rig1": share}, archive)
    assert len(archived_files(archive.root)) == 2
    assert receipts(archive) == []


def test_a_source_that_vanished_is_an_error_only_while_the_archive_lacks_it(
    run: Callable[..., pa.Table], share: Path, archive: FolderArchive, found_in: Found
) -> None:
    manifest, _ = make_manifest(SESSION, found_in(share))
    content = (share / BEHAVIOR).read_bytes()
    (share / BEHAVIOR).unlink()
    with pytest.raises(UnreadableFile, match=r"behavior\.mat"):
        archive_session(SESSION, manifest, {"rig1": share}, archive)
    (share / BEHAVIOR).write_bytes(content)
    receipt = archive_session(SESSION, manifest, {"rig1": share}, archive)
    (share / BEHAVIOR).unlink()
    assert archive_session(SESSION, manifest, {"rig1": share}, archive).equals(receipt)


@pytest.mark.parametrize("damage", ["turned bit", "shorter"])
def test_damage_in_the_archive_is_said_and_never_covered_up(
    damage: str, run: Callable[..., pa.Table], archive: FolderArchive
) -> None:
    run()
    copy = archive.root / SESSION / "rig1" / BEHAVIOR
    content = copy.read_bytes()
    copy.chmod(0o644)
    copy.write_bytes(content[:-1] + (b"!" if damage == "turned bit" else b""))
    with pytest.raises(ArchiveConflict, match="the copy is damaged"):
        run()
    copy.rename(copy.with_suffix(".bad"))
    receipt = run()
    assert copy.read_bytes() == content
    assert len(receipts(archive)) == 2
    assert receipt.num_rows == 3


def test_a_copy_that_was_lost_is_made_again_with_a_new_receipt(
    run: Callable[..., pa.Table], archive: FolderArchive
) -> None:
    run()
    (archive.root / SESSION / "rig1" / BEHAVIOR).unlink()
    run()
    assert len(receipts(archive)) == 2
    check_lists(archive)


def test_another_versions_copy_that_no_receipt_knows_is_left_alone(
    run: Callable[..., pa.Table], archive: FolderArchive, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"an interrupted run's")
    place = PurePosixPath(SESSION, "rig1", BEHAVIOR)
    archive.put(other, place, hashlib.sha256(other.read_bytes()).hexdigest(), 20)
    receipt = run()
    assert (archive.root / place).read_bytes() == b"an interrupted run's"
    assert any(".v-" in path for path in receipt["archive_path"].to_pylist())
    check_lists(archive)


@pytest.mark.parametrize("deed", ["edited", "removed", "truncated", "of another session"])
def test_a_receipt_that_was_tampered_with_shows(
    deed: str, run: Callable[..., pa.Table], share: Path, archive: FolderArchive
) -> None:
    run(datetime(2026, 3, 1, tzinfo=UTC))
    (share / "late").write_text("late")
    run(datetime(2026, 3, 2, tzinfo=UTC))
    first = receipts(archive)[0]
    first.chmod(0o644)
    if deed == "edited":
        first.write_text(first.read_text().replace("folder", "f0lder"))
    elif deed == "removed":
        first.unlink()
    elif deed == "truncated":
        first.write_bytes(first.read_bytes()[:50])
    else:
        first.write_text(first.read_text().replace(SESSION, "SC023_20190228_151010"))
    with pytest.raises(ArchiveConflict, match="put it back as it was"):
        run()


def test_a_clock_that_was_set_back_does_not_break_the_chain(
    run: Callable[..., pa.Table], share: Path, archive: FolderArchive
) -> None:
    for n, day in enumerate([10, 5, 7]):
        (share / f"late{n}").write_text("late")
        run(datetime(2026, 3, day, tzinfo=UTC))
    previous = [json.loads(path.read_bytes())["previous_receipt_sha256"] for path in receipts(archive)]
    assert previous.count(None) == 1 and len(set(previous)) == 3


def test_wrong_calls_are_matters_of_configuration(share: Path, archive: FolderArchive, found_in: Found) -> None:
    manifest, _ = make_manifest(SESSION, found_in(share))
    with pytest.raises(BadConfiguration, match="'rig1'"):
        archive_session(SESSION, manifest, {}, archive)
    with pytest.raises(BadConfiguration, match="SC099"):
        archive_session("SC099_20190228_151010", manifest, {"rig1": share}, archive)
    named, _ = make_manifest(SESSION, found_in(share, "receipts"))
    with pytest.raises(BadConfiguration, match="receipts"):
        archive_session(SESSION, named, {"receipts": share}, archive)


def test_a_session_without_files_gets_no_receipt(archive: FolderArchive) -> None:
    manifest, _ = make_manifest(SESSION, [])
    assert archive_session(SESSION, manifest, {}, archive).num_rows == 0
    assert not archive.root.exists()
