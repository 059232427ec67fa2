"""A session from manifest to receipt: copied, read back, receipted in two places; never overwritten."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipeline import SESSION, Pipeline

from map_assets.archive.backends.folder import FolderArchive
from map_assets.archive.journal import Journal
from map_assets.archive.mending import mend_session
from map_assets.archive.receipt import NotVerified, receipt_session, standing_receipts
from map_assets.archive.receipt_file import canonical
from map_assets.archive.states import State
from map_assets.archive.tables import ARCHIVE_RECEIPT
from map_assets.vocabulary.errors import ArchiveConflict

BEHAVIOR = "SC022/behavior.mat"
Archived = Callable[[Path], dict[str, str]]


@pytest.fixture
def archive(tmp_path: Path) -> FolderArchive:
    return FolderArchive(tmp_path / "archive")


@pytest.fixture
def pipe(share: Path, archive: FolderArchive, tmp_path: Path) -> Iterator[Pipeline]:
    journal = Journal(f"sqlite:///{tmp_path}/registry.db")
    yield Pipeline(share, archive, journal)
    journal.close()


@pytest.fixture
def run(pipe: Pipeline) -> Callable[..., pa.Table]:
    """Make the manifest of what is on the share and archive it."""

    def run(now: datetime | None = None) -> pa.Table:
        return pipe.run(now=now)

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
        assert (row["backend"], row["method"][:15]) == ("folder", "read back whole")
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


def test_there_is_no_receipt_before_every_file_was_read_back(pipe: Pipeline, archive: FolderArchive) -> None:
    manifest = pipe.manifest()
    for work in (lambda _: None, pipe.transfer):
        work(manifest)
        with pytest.raises(NotVerified, match="0 of 3 files"):
            pipe.receipt(manifest)
    (pipe.share / BEHAVIOR).write_bytes(b"other")
    changed = pipe.manifest()
    pipe.verify(manifest)
    with pytest.raises(NotVerified, match="2 of 3 files"):
        pipe.receipt(changed)
    assert receipts(archive) == []


def test_a_source_that_vanished_when_it_was_archived_stays_in_the_receipt(
    pipe: Pipeline, run: Callable[..., pa.Table]
) -> None:
    receipt, manifest = run(), pipe.manifest()
    (pipe.share / BEHAVIOR).unlink()
    assert pipe.run(manifest).equals(receipt)


@pytest.mark.parametrize("damage", ["turned bit", "shorter", "lost"])
def test_a_copy_that_came_to_harm_is_set_aside_and_made_again_with_a_new_receipt(
    damage: str, pipe: Pipeline, run: Callable[..., pa.Table], archive: FolderArchive
) -> None:
    first = run()
    copy = archive.root / SESSION / "rig1" / BEHAVIOR
    content = copy.read_bytes()
    copy.chmod(0o644)
    copy.write_bytes(content[:-1] + (b"!" if damage == "turned bit" else b""))
    if damage == "lost":
        copy.unlink()
    suspect(pipe, BEHAVIOR)
    with pytest.raises(NotVerified, match="2 of 3"):
        run()
    assert pipe.states()[BEHAVIOR] == "SUSPECT"
    assert mend_session(SESSION, pipe.roots, archive, pipe.journal, "anna").n_sent_again == 1
    again = run()
    assert copy.read_bytes() == content
    assert len(list(copy.parent.glob("*.BAD-*"))) == (damage != "lost")
    assert len(receipts(archive)) == 2 and again.num_rows == 3 and not again.equals(first)
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


# -- two places --------------------------------------------------------------------------------------------------------
def test_a_receipt_stands_in_two_places(run: Callable[..., pa.Table], pipe: Pipeline, archive: FolderArchive) -> None:
    run()
    (path,) = receipts(archive)
    assert pipe.journal.kept_receipts(SESSION) == {str(path.relative_to(archive.root)): path.read_text()}
    assert set(pipe.states().values()) == {"RECEIPTED"}


def test_the_last_receipt_is_missed_when_it_is_removed(
    run: Callable[..., pa.Table], pipe: Pipeline, archive: FolderArchive
) -> None:
    run()
    (path,) = receipts(archive)
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(ArchiveConflict, match="was removed; put it back as it was"):
        run()
    path.write_bytes(content)
    run()


def test_a_receipt_that_was_edited_with_its_successors_shows_in_the_other_place(
    run: Callable[..., pa.Table], pipe: Pipeline, archive: FolderArchive
) -> None:
    run()
    (path,) = receipts(archive)
    path.chmod(0o644)
    path.write_text(path.read_text().replace("folder", "f0lder"))  # the last of the chain: no successor tells
    with pytest.raises(ArchiveConflict, match="is not what it was when it was written"):
        standing_receipts(SESSION, archive, pipe.journal)


def test_a_process_that_ended_between_the_two_places_is_made_up_for(
    pipe: Pipeline, archive: FolderArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = pipe.manifest()
    pipe.transfer(manifest)
    pipe.verify(manifest)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "keep_receipt", stop)
        with pytest.raises(KeyboardInterrupt):
            pipe.receipt(manifest)
    assert len(receipts(archive)) == 1 and pipe.journal.kept_receipts(SESSION) == {}
    receipt_session(SESSION, manifest, archive, pipe.journal)
    assert len(receipts(archive)) == 1 and len(pipe.journal.kept_receipts(SESSION)) == 1


def suspect(pipe: Pipeline, path: str) -> None:
    files = pipe.journal.files(SESSION).to_pylist()
    (row,) = (row for row in files if row["path"] == path)
    pipe.journal.move(row["batch"], [row["file"]], State.SUSPECT, actor="fixity", why="it reads back otherwise")


@given(
    st.lists(
        st.dictionaries(st.text(max_size=3), st.one_of(st.none(), st.integers(), st.text()), max_size=3), max_size=4
    )
)
def test_a_receipt_written_file_by_file_is_the_canonical_json_of_the_whole(files: list[dict[str, object]]) -> None:
    document = {"session": "S", "files": files, "backend": {"name": "folder", "location": "é"}, "previous": None}
    whole = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical(document) == whole.encode() + b"\n"
