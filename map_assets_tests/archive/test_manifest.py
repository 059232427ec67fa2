"""The manifest: every file once, by its own bytes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import bagit
import pyarrow.compute as pc
import pytest

from map_assets.archive import reading
from map_assets.archive.manifest import SHA1_EQUAL, SHA1_UNKNOWN, Hashed, keep_the_gone, make_manifest, manifest_text
from map_assets.archive.reading import marks_of, read_once
from map_assets.archive.tables import ARCHIVE_MANIFEST
from map_assets.vocabulary.errors import (
    ChangedWhileRead,
    CompanionMissing,
    MapAssetsError,
    PiecesDoNotFit,
    UnreadableFile,
    UnsafePath,
)
from map_assets.vocabulary.files import FoundFile

SESSION = "SC022_20190228_151010"
Found = Callable[..., list[FoundFile]]


def test_every_file_of_every_role_is_hashed(share: Path, found_in: Found) -> None:
    files = [
        FoundFile(file.share, file.root, file.relpath, role, file.size, file.mtime_ns)
        for file, role in zip(found_in(share), ["behavior", "raw", "spikeglx_bin"], strict=True)
    ]
    manifest, rejected = make_manifest(SESSION, files[::-1])
    assert rejected == ()
    assert manifest.schema.equals(ARCHIVE_MANIFEST.schema)
    rows = manifest.to_pylist()
    assert [row["path"] for row in rows] == sorted(str(file.relpath) for file in files)
    for row in rows:
        path = share / row["path"]
        assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (row["size"], row["mtime_ns"]) == (path.stat().st_size, path.stat().st_mtime_ns)
        assert (row["session"], row["share"], row["checks"]) == (SESSION, "rig1", "")
    assert {row["role"] for row in rows} == {"behavior", "raw", "spikeglx_bin"}


def test_a_session_without_files_has_an_empty_manifest() -> None:
    manifest, rejected = make_manifest(SESSION, [])
    assert (manifest.num_rows, rejected, manifest_text(manifest)) == (0, (), "")


def test_the_list_is_understood_by_sha256sum_whatever_the_names(tmp_path: Path, found_in: Found) -> None:
    root = tmp_path / "archive" / SESSION / "rig1"
    root.mkdir(parents=True)
    names = [
        "plain.txt", "two words.txt", "-dash", "'quote\"", "back\\slash", "line\nend", "return\r", "tab\t",
        "Zellkörper-神経.mat", "*", "n" * 255,
    ]  # fmt: skip
    for n, name in enumerate(names):
        (root / name).write_bytes(b"x" * n)
    manifest, rejected = make_manifest(SESSION, found_in(root))
    assert rejected == () and manifest.num_rows == len(names)
    (tmp_path / "list.txt").write_bytes(manifest_text(manifest).encode())
    done = subprocess.run(
        ["sha256sum", "--strict", "-c", tmp_path / "list.txt"], cwd=tmp_path / "archive", capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b": OK\n") == len(names)
    (root / "tab\t").write_bytes(b"other")
    done = subprocess.run(["sha256sum", "-c", tmp_path / "list.txt"], cwd=tmp_path / "archive", capture_output=True)
    assert done.returncode == 1 and done.stdout.count(b"FAILED\n") == 1


def test_a_recording_equal_to_what_spikeglx_wrote_says_so(shared_data: Path, found_in: Found) -> None:
    manifest, rejected = make_manifest(SESSION, found_in(shared_data / "spikeglx/runs/DigitalChannelTest_g0"))
    assert rejected == ()
    assert {row["path"].rpartition(".")[2]: row["checks"] for row in manifest.to_pylist()} == {
        "bin": SHA1_EQUAL,
        "meta": "",
    }


def test_a_shortened_recording_is_rejected_and_the_rest_goes_on(shared_data: Path, found_in: Found) -> None:
    manifest, rejected = make_manifest(SESSION, found_in(shared_data / "spikeglx/runs/Noise4Sam_g0"))
    (refusal,) = rejected
    assert isinstance(refusal.error, PiecesDoNotFit)
    assert "889350 bytes" in str(refusal.error) and "121625350 bytes" in str(refusal.error)
    assert [file.relpath.suffix for file in refusal.files] == [".bin", ".meta"]
    checks = {row["path"]: row["checks"] for row in manifest.to_pylist()}
    assert checks["Noise4Sam_g0_t0.nidq.bin"] == SHA1_EQUAL
    assert checks["Noise4Sam_g0_imec0/Noise4Sam_g0_t0.imec0.ap.meta"] == ""
    assert not any(path.endswith("ap.bin") for path in checks)


def test_one_turned_bit_in_a_recording_is_seen(shared_data: Path, tmp_path: Path, found_in: Found) -> None:
    run = shutil.copytree(
        shared_data / "spikeglx/runs/DigitalChannelTest_g0", tmp_path / "run", copy_function=shutil.copyfile
    )
    run.chmod(0o755)
    path = run / "DigitalChannelTest_g0_t0.nidq.bin"
    content = bytearray(path.read_bytes())
    content[400_000] ^= 1
    path.write_bytes(content)
    manifest, (refusal,) = make_manifest(SESSION, found_in(run))
    assert isinstance(refusal.error, PiecesDoNotFit)
    assert "5D56E7FFFCCFBE5DB90EADEF580E2DAC8524F8F2" in str(refusal.error)
    assert manifest["path"].to_pylist() == ["DigitalChannelTest_g0_t0.nidq.meta"]


@pytest.mark.parametrize("claim", ["fileSHA1=\n", "nSavedChans=9\n", ""])
def test_a_meta_that_claims_nothing_is_no_check(claim: str, tmp_path: Path, found_in: Found) -> None:
    (tmp_path / "a.ap.bin").write_bytes(b"samples")
    (tmp_path / "a.ap.meta").write_text(claim, newline="")
    manifest, rejected = make_manifest(SESSION, found_in(tmp_path))
    assert rejected == ()
    assert manifest["checks"].to_pylist() == ["", ""]


def test_a_run_recovered_by_hand_is_taken_by_its_size_and_said_to_be_so(tmp_path: Path, found_in: Found) -> None:
    (tmp_path / "a.ap.bin").write_bytes(b"samples")
    (tmp_path / "a.ap.meta").write_text("typeThis=imec\r\nfileSHA1=0\r\nfileSizeBytes=7\r\n", newline="")
    manifest, _ = make_manifest(SESSION, found_in(tmp_path))
    assert manifest["checks"].to_pylist() == [SHA1_UNKNOWN, ""]
    (tmp_path / "a.ap.bin").write_bytes(b"sample")
    manifest, (refusal,) = make_manifest(SESSION, found_in(tmp_path))
    assert isinstance(refusal.error, PiecesDoNotFit) and "7 bytes" in str(refusal.error)


def test_a_run_that_spikeglx_has_not_closed_waits_and_the_rest_goes_on(tmp_path: Path, found_in: Found) -> None:
    (tmp_path / "a.ap.bin").write_bytes(b"samples")
    (tmp_path / "a.ap.meta").write_text("typeThis=imec\nnSavedChans=385\n")
    manifest, (refusal,) = make_manifest(SESSION, found_in(tmp_path))
    assert isinstance(refusal.error, CompanionMissing)
    assert manifest["path"].to_pylist() == ["a.ap.meta"]


def test_a_file_that_grew_since_the_scan_is_known_by_what_was_read(share: Path, found_in: Found) -> None:
    files = found_in(share)
    with (share / "SC022/behavior.mat").open("ab") as stream:
        stream.write(b"more")
    manifest, _ = make_manifest(SESSION, files)
    row = next(row for row in manifest.to_pylist() if row["path"] == "SC022/behavior.mat")
    content = (share / "SC022/behavior.mat").read_bytes()
    assert (row["size"], row["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


def test_a_large_file_is_hashed_as_a_small_one_and_refused_if_it_grows_meanwhile(
    share: Path, found_in: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_LARGE_BYTES", 1)
    monkeypatch.setattr(reading, "BLOCK_BYTES", 1000)
    manifest, rejected = make_manifest(SESSION, found_in(share))
    assert rejected == ()
    for row in manifest.to_pylist():
        assert row["sha256"] == hashlib.sha256((share / row["path"]).read_bytes()).hexdigest()
    assert b"".join(reading.blocks_once(share / "SC022/behavior.mat")) == (share / "SC022/behavior.mat").read_bytes()

    def grows(told: Hashed) -> None:
        with (share / "SC022/run_g0/run_g0_t0.imec0.ap.bin").open("ab") as stream:
            stream.write(b"more")

    monkeypatch.setattr("map_assets.archive.manifest._TELL_EVERY_S", 0.0)
    manifest, rejected = make_manifest(SESSION, found_in(share)[2:], tell=grows)
    assert manifest.num_rows == 0 and isinstance(rejected[0].error, ChangedWhileRead)


def test_what_a_sink_says_of_a_large_file_is_heard(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_LARGE_BYTES", 1)

    def full(block: memoryview) -> None:
        raise MapAssetsError("no room")

    for sinks in ((full,), (hashlib.sha256().update, full)):
        with pytest.raises(MapAssetsError, match="no room"):
            read_once(share / "SC022/behavior.mat", *sinks)


def test_it_tells_how_far_it_has_come(share: Path, found_in: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("map_assets.archive.manifest._TELL_EVERY_S", 0.0)
    told: list[Hashed] = []
    (share / "gone").touch()
    files = found_in(share)
    (share / "gone").unlink()
    make_manifest(SESSION, files, tell=told.append)
    n_bytes = sum(file.size for file in files)
    assert told[-1] == Hashed(4, 4, n_bytes, n_bytes)
    assert [*told] == sorted(told) and len(told) > 4


def test_marks_and_links_of_a_file_are_kept(share: Path, found_in: Found) -> None:
    (share / "SC022/second_name.mat").hardlink_to(share / "SC022/behavior.mat")
    manifest, _ = make_manifest(SESSION, found_in(share))
    for row in manifest.to_pylist():
        status = (share / row["path"]).stat()
        assert (row["ctime_ns"], row["device"], row["inode"], row["n_links"]) == (
            *(status.st_ctime_ns, status.st_dev, status.st_ino),
            2 if row["path"].endswith(".mat") else 1,
        )


def test_an_inode_number_of_all_64_bits_fits_a_column(share: Path) -> None:
    parts = [*(share / "SC022/behavior.mat").stat()]
    parts[1] = (1 << 64) - 2
    assert marks_of(os.stat_result(parts)).inode == -2


def test_rows_of_files_that_left_their_share_stay_in_order(share: Path, found_in: Found) -> None:
    before, _ = make_manifest(SESSION, found_in(share))
    (share / "SC022/behavior.mat").unlink()
    (share / "SC022/late.txt").write_text("late")
    now, _ = make_manifest(SESSION, found_in(share))
    kept = keep_the_gone(now, before)
    assert kept.schema.equals(ARCHIVE_MANIFEST.schema)
    assert kept["path"].to_pylist() == sorted([*before["path"].to_pylist(), "SC022/late.txt"])
    gone = kept.filter(pc.equal(kept["path"], "SC022/behavior.mat"))
    assert gone.equals(before.filter(pc.equal(before["path"], "SC022/behavior.mat")))
    assert keep_the_gone(now, now) is now
    # a manifest of a version that did not keep marks
    old = keep_the_gone(
        now, before.drop_columns(["ctime_ns", "device", "inode", "n_links", "probe", "camera", "video_number"])
    )
    assert old["path"].to_pylist() == kept["path"].to_pylist() and old["inode"].null_count == 1


def test_the_list_is_one_that_other_tools_for_bags_accept(share: Path, tmp_path: Path, found_in: Found) -> None:
    manifest, _ = make_manifest(SESSION, found_in(share))
    bag = tmp_path / "bag"
    shutil.copytree(share, bag / "data" / SESSION / "rig1")
    (bag / "bagit.txt").write_text("BagIt-Version: 0.97\nTag-File-Character-Encoding: UTF-8\n")
    lines = manifest_text(manifest).splitlines()
    (bag / "manifest-sha256.txt").write_text("".join(line.replace("  ", "  data/", 1) + "\n" for line in lines))
    bagit.Bag(str(bag)).validate()
    (bag / "data" / SESSION / "rig1/SC022/behavior.mat").write_bytes(b"rot")
    with pytest.raises(bagit.BagValidationError):
        bagit.Bag(str(bag)).validate()


def test_another_shares_meta_says_nothing_of_this_bin(tmp_path: Path, found_in: Found) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "one/a.bin").write_bytes(b"samples")
    (tmp_path / "two/a.meta").write_text("fileSHA1=" + "A" * 40)
    manifest, rejected = make_manifest(
        SESSION, [*found_in(tmp_path / "one", "one"), *found_in(tmp_path / "two", "two")]
    )
    assert rejected == () and manifest["checks"].to_pylist() == ["", ""]


def test_links_pipes_and_ways_out_of_the_root_are_refused(share: Path, tmp_path: Path, found_in: Found) -> None:
    (tmp_path / "secret").write_text("not of this share")
    (share / "link").symlink_to(tmp_path / "secret")
    (share / "linked_folder").symlink_to(tmp_path)
    os.mkfifo(share / "pipe")
    ways_out = [
        FoundFile("rig1", share, PurePosixPath(path), "raw", 0, 0)
        for path in ("../secret", "/etc/hostname", "linked_folder/secret", "odd\udcff")
    ]
    manifest, rejected = make_manifest(SESSION, [*found_in(share), *ways_out])
    assert manifest.num_rows == 3
    assert sorted(str(refusal.files[0].relpath) for refusal in rejected) == sorted(
        ["link", "linked_folder", "pipe", "../secret", "/etc/hostname", "linked_folder/secret", "odd\udcff"]
    )
    assert all(isinstance(refusal.error, UnsafePath) for refusal in rejected)


def test_a_file_that_went_away_is_rejected_with_its_reason(share: Path, found_in: Found) -> None:
    files = found_in(share)
    (share / "SC022/behavior.mat").unlink()
    manifest, (refusal,) = make_manifest(SESSION, files)
    assert isinstance(refusal.error, UnreadableFile)
    assert manifest.num_rows == 2


def test_a_file_that_is_written_to_while_it_is_read_is_refused(share: Path) -> None:
    path = share / "SC022/behavior.mat"

    def somebody_writes(block: memoryview) -> None:
        with path.open("r+b") as stream:
            stream.write(b"B")

    with pytest.raises(ChangedWhileRead, match=r"behavior\.mat"):
        read_once(path, somebody_writes)
