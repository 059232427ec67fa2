"""Scanning: when a file counts, and what is concluded when a share is not what it was."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from map_assets.shares.ledger import Ledger
from map_assets.shares.scan import scan_all, scan_share

KEY = "SC022_20190228_151010"
BEHAVIOR = "SC022/tw2/Session Data/SC022_tw2_20190228_151010.mat"
RUN = "SC022/catgt_SC022_022819_g0/SC022_022819_g0_imec0/SC022_022819_g0_t0.imec0.ap"


def test_a_file_counts_once_it_has_stood_still_by_our_clock(lab) -> None:
    path = lab.write("rig", BEHAVIOR)
    os.utime(path, (0, 0))  # a copy may bring an old date along
    assert lab.scan()["rig"].n_new == 1
    assert lab.scan(after=59)["rig"].n_newly_settled == 0
    assert lab.file(BEHAVIOR).reason == "it must stand still for 60 s"
    assert [str(file.relpath) for file in lab.ledger.inventory(KEY).unsettled] == [BEHAVIOR]
    assert lab.scan(after=1)["rig"].n_newly_settled == 1
    assert lab.usable(KEY) == {BEHAVIOR}


def test_a_folder_that_is_still_growing_waits(lab) -> None:
    lab.write("rig", BEHAVIOR)
    lab.settle()
    path = lab.write("ephys", "SC022/20190228/1/spike_times.npy", b"1")
    for n_bytes in range(2, 8):
        lab.scan(after=40)
        path.write_bytes(b"1" * n_bytes)
    assert lab.usable(KEY) == {BEHAVIOR}
    lab.scan(after=40)
    lab.scan(after=61)
    assert lab.usable(KEY) == {BEHAVIOR, "SC022/20190228/1/spike_times.npy"}


def test_zero_seconds_take_a_file_at_first_sight(lab) -> None:
    lab.share("rig", settle_s=0)
    lab.write("rig", BEHAVIOR)
    assert lab.scan()["rig"].n_newly_settled == 1
    assert lab.usable(KEY) == {BEHAVIOR}


def test_the_same_size_and_date_do_not_hide_a_rewrite(lab) -> None:
    path = lab.write("rig", BEHAVIOR, b"one")
    lab.settle()
    assert lab.ingest(KEY) == 1
    before = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert lab.scan()["rig"].n_changed == 1
    assert lab.file(BEHAVIOR).state == "waiting"


def test_a_change_after_ingest_is_due_again_and_the_old_facts_are_kept(lab) -> None:
    path = lab.write("rig", BEHAVIOR, b"one")
    lab.settle()
    lab.ingest(KEY)
    lab.ledger.record_stage(KEY, "trials", "a", "done", now=lab.now)
    lab.ledger.record_stage(KEY, "units", "b", "done", now=lab.now)
    path.write_bytes(b"longer")
    _, counter = lab.ledger.touched(0)
    lab.scan(after=10)
    found = lab.file(BEHAVIOR)
    assert (found.state, found.settled, found.by) == ("waiting", False, None)
    signatures = {name: record.signature for name, record in lab.ledger.stage_records(KEY).items()}
    assert signatures["trials"] == ""
    assert signatures["units"] != ""
    assert lab.ledger.touched(counter)[0] == [KEY]
    (old,) = lab.ledger.changes("rig", BEHAVIOR)
    assert (old.what, old.size, old.state, old.by) == ("changed", 3, "ingested", "trials")
    lab.scan(after=61)
    assert lab.ingest(KEY) == 1


def test_new_inode_numbers_after_a_remount_are_no_change(lab) -> None:
    lab.write("rig", BEHAVIOR)
    lab.settle()
    lab.ingest(KEY)
    with lab.ledger.writing() as (connection, _):
        connection.exec_driver_sql("update ledger_files set inode = inode + 1")
    assert lab.scan(after=10)["rig"].n_changed == 0
    assert lab.file(BEHAVIOR).state == "ingested"


def test_a_clock_that_goes_back_settles_nothing_early(lab) -> None:
    lab.write("rig", BEHAVIOR)
    lab.scan()
    lab.scan(after=-3600)
    assert lab.scan(after=3601)["rig"].n_newly_settled == 0  # the clock is right again, 1 s of real time later
    assert lab.scan(after=59)["rig"].n_newly_settled == 0
    assert lab.scan(after=1)["rig"].n_newly_settled == 1


def test_a_clock_that_was_ahead_does_not_hold_files_up(lab) -> None:
    lab.now += timedelta(days=365)
    lab.write("rig", BEHAVIOR)
    lab.scan()
    lab.scan(after=-365 * 86400)
    assert lab.scan(after=61)["rig"].n_newly_settled == 1


# -- SpikeGLX ----------------------------------------------------------------------------------------------------------
def test_a_recording_waits_until_spikeglx_has_written_its_end_marks(lab, finished_meta) -> None:
    lab.share("ephys", settle_s=0)
    lab.write("ephys", f"{RUN}.bin", b"1" * 10)
    lab.scan()
    assert (
        lab.file(f"{RUN}.bin").reason
        == f"SpikeGLX is still writing: no {Path(RUN).name}.meta beside {Path(RUN).name}.bin"
    )
    meta = lab.write("ephys", f"{RUN}.meta", "fileCreateTime=2019-02-28T15:12:00\nfileSHA1=\n")
    lab.scan(after=1000)
    assert lab.file(f"{RUN}.bin").reason == f"SpikeGLX is still writing: no fileSHA1 in {Path(RUN).name}.meta"
    assert not lab.file(f"{RUN}.meta").settled
    meta.write_text(finished_meta(size=10))
    assert lab.scan(after=1)["ephys"].n_newly_settled == 2


def test_an_incomplete_copy_of_a_recording_waits_and_says_how_much_is_there(lab, finished_meta) -> None:
    lab.share("ephys", settle_s=0)
    lab.write("ephys", f"{RUN}.meta", finished_meta(size=9_000_000))
    path = lab.write("ephys", f"{RUN}.bin", b"1" * 813_552)
    lab.scan()
    name = Path(RUN).name
    assert lab.file(f"{RUN}.bin").reason == f"incomplete copy: 813552 of 9000000 bytes of {name}.bin"
    with path.open("ab") as stream:
        stream.truncate(9_000_000)
    assert lab.scan(after=1)["ephys"].n_newly_settled == 2


def test_a_meta_whose_bin_was_left_elsewhere_counts_alone(lab, finished_meta) -> None:
    lab.share("ephys", settle_s=0)
    lab.write("ephys", f"{RUN}.meta", finished_meta(size=9_000_000))
    assert lab.scan()["ephys"].n_newly_settled == 1


def test_a_meta_that_is_only_a_link_is_not_read(lab, finished_meta, tmp_path: Path) -> None:
    lab.share("ephys", settle_s=0)
    lab.write("ephys", f"{RUN}.bin", b"1" * 10)
    (tmp_path / "other.meta").write_text(finished_meta(size=10))
    (lab.root / "ephys" / f"{RUN}.meta").symlink_to(tmp_path / "other.meta")
    lab.scan()
    assert "SpikeGLX is still writing: no" in str(lab.file(f"{RUN}.bin").reason)


def test_a_meta_that_could_not_be_read_is_read_again(lab, finished_meta, monkeypatch) -> None:
    lab.share("ephys", settle_s=0)
    lab.write("ephys", f"{RUN}.meta", finished_meta(size=10))
    lab.write("ephys", f"{RUN}.bin", b"1" * 10)
    real = Path.open

    def refuse(path: Path, *args: object, **facts: object) -> object:
        if path.suffix == ".meta":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **facts)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        lab.scan()
    assert lab.file(f"{RUN}.bin").reason == f"{Path(RUN).name}.meta: it cannot be read (Permission denied)"
    assert lab.scan(after=1)["ephys"].n_newly_settled == 2


def test_real_runs_with_shortened_bins_are_incomplete_copies_and_the_whole_one_counts(lab, shared_data: Path) -> None:
    lab.share("ephys", settle_s=0)
    target = lab.root / "ephys" / "SC022" / "20190228"
    shutil.copytree(shared_data / "spikeglx" / "runs", target)
    lab.scan()
    by_name = {Path(file.relpath).name: file for file in lab.ledger.files()}
    assert by_name["DigitalChannelTest_g0_t0.nidq.bin"].settled
    short = by_name["Noise4Sam_g0_t0.imec0.ap.bin"]
    assert short.reason == "incomplete copy: 889350 of 121625350 bytes of Noise4Sam_g0_t0.imec0.ap.bin"


# -- shares that are not what they were --------------------------------------------------------------------------------
def rows(lab) -> list[object]:
    return lab.ledger.files()


def test_a_share_that_cannot_be_reached_changes_nothing(lab) -> None:
    lab.write("rig", BEHAVIOR)
    lab.settle()
    before = rows(lab)
    (lab.root / "rig").rename(lab.root / "away")
    report = lab.scan(after=100)["rig"]
    assert report.status == "unreachable"
    assert rows(lab) == before
    assert [(status.scan_status, status.absent) for status in lab.ledger.status()] == [("unreachable", 0)]
    assert lab.usable(KEY) == {BEHAVIOR}


def test_an_unmounted_share_that_shows_as_an_empty_folder_changes_nothing(lab) -> None:
    lab.write("rig", BEHAVIOR)
    lab.settle()
    before = rows(lab)
    (lab.root / "rig").rename(lab.root / "away")
    (lab.root / "rig").mkdir()
    report = lab.scan(after=100)["rig"]
    assert (report.status, report.n_absent) == ("empty", 0)
    assert "held files before" in report.message
    assert rows(lab) == before


def test_a_share_that_never_held_anything_may_be_empty(lab) -> None:
    lab.share("rig")
    assert lab.scan()["rig"].status == "empty"
    lab.write("rig", BEHAVIOR)
    assert lab.scan()["rig"].status == "ok"


def test_another_share_mounted_in_its_place_is_noticed_by_the_marker_it_had_at_first(lab) -> None:
    lab.write("rig", BEHAVIOR)
    lab.write("rig", ".map_assets_share", "rig one\n")
    lab.settle()
    before = rows(lab)
    for other in ("rig two", None):
        marker = lab.root / "rig" / ".map_assets_share"
        marker.unlink() if other is None else marker.write_text(other)
        lab.write("rig", "SC099_tw2_20190228_151010.mat")
        report = lab.scan(after=100)["rig"]
        assert report.status == "wrong"
        assert "rig one" in report.message
        assert rows(lab) == before


def test_a_marker_that_the_configuration_names_must_be_there(lab) -> None:
    lab.share("rig", marker="rig one")
    lab.write("rig", BEHAVIOR)
    assert lab.scan()["rig"].status == "wrong"
    assert rows(lab) == []
    lab.write("rig", ".map_assets_share", "rig one")
    assert lab.scan()["rig"].status == "ok"


def test_an_empty_root_is_called_empty_whatever_marker_is_expected(lab) -> None:
    lab.share("rig", marker="rig one")
    report = lab.scan()["rig"]
    assert (report.status, report.n_found) == ("empty", 0)


def test_a_share_that_is_replaced_while_it_is_read_concludes_nothing(lab, monkeypatch) -> None:
    from map_assets.shares import walk

    lab.write("rig", BEHAVIOR)
    lab.write("rig", ".map_assets_share", "rig one")
    lab.settle()
    before = rows(lab)
    real = walk._walk

    def slow(root: Path) -> object:
        look = real(root)
        look.found.pop(BEHAVIOR)
        lab.write("rig", ".map_assets_share", "rig two")
        return look

    monkeypatch.setattr(walk, "_walk", slow)
    assert lab.scan(after=1)["rig"].status == "unreachable"
    assert rows(lab) == before


def test_a_marker_put_there_later_is_remembered_from_then_on(lab) -> None:
    lab.write("rig", BEHAVIOR)
    lab.scan()
    lab.write("rig", ".map_assets_share", "rig one")
    assert lab.scan()["rig"].status == "ok"
    lab.write("rig", ".map_assets_share", "rig two")
    assert lab.scan()["rig"].status == "wrong"


def test_one_broken_share_stops_no_other(lab) -> None:
    lab.write("rig", BEHAVIOR)
    lab.write("rig2", "SC023_tw2_20190228_151010.mat")
    shutil.rmtree(lab.root / "rig")
    reports = lab.scan()
    assert [reports[name].status for name in ("rig", "rig2")] == ["unreachable", "ok"]
    assert "rig (unreachable)" in reports["rig"].sentence


def test_a_file_that_vanished_is_absent_and_nothing_else(lab) -> None:
    path = lab.write("rig", BEHAVIOR)
    lab.write("rig", "SC023_tw2_20190228_151010.mat")
    lab.settle()
    lab.ingest(KEY)
    path.unlink()
    assert lab.scan(after=10)["rig"].n_absent == 1
    gone = lab.file(BEHAVIOR)
    assert (gone.state, gone.absent_since) == ("ingested", lab.now)
    inventory = lab.ledger.inventory(KEY)
    assert (inventory.files, len(inventory.absent)) == ((), 1)
    assert lab.scan(after=10)["rig"].n_absent == 0
    assert lab.file(BEHAVIOR).absent_since == gone.absent_since


def test_a_folder_that_cannot_be_read_is_reported_and_its_files_are_not_absent(lab, monkeypatch) -> None:
    lab.write("ephys", "SC022/20190228/1/spike_times.npy")
    lab.write("ephys", "SC022/20190301/1/spike_times.npy")
    lab.settle()
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("20190228"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    shutil.rmtree(lab.root / "ephys" / "SC022" / "20190301" / "1")
    report = lab.scan(after=10)["ephys"]
    assert (report.status, report.n_absent) == ("ok", 1)
    assert "SC022/20190228" in report.message
    assert lab.file("SC022/20190228/1/spike_times.npy").absent_since is None


def test_links_are_put_aside_and_never_followed(lab, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "SC022_tw2_20190228_151010.mat").write_bytes(b"secret")
    lab.write("rig", "SC023_tw2_20190228_151010.mat")
    (lab.root / "rig" / "SC022_tw2_20190228_151010.mat").symlink_to(outside / "SC022_tw2_20190228_151010.mat")
    (lab.root / "rig" / "folder").symlink_to(outside)
    (lab.root / "rig" / "loop").symlink_to(lab.root / "rig")
    (lab.root / "rig" / "broken").symlink_to(tmp_path / "nowhere")
    lab.settle()
    refused = lab.ledger.files(state="quarantined")
    assert {file.relpath for file in refused} == {"SC022_tw2_20190228_151010.mat", "folder", "loop", "broken"}
    assert all("link" in str(file.reason) for file in refused)
    assert lab.ledger.sessions() == ["SC023_20190228_151010"]


def test_a_file_that_becomes_a_link_is_put_aside(lab, tmp_path: Path) -> None:
    path = lab.write("rig", BEHAVIOR)
    lab.settle()
    path.rename(tmp_path / "moved.mat")
    path.symlink_to(tmp_path / "moved.mat")
    lab.scan(after=10)
    assert lab.file(BEHAVIOR).state == "quarantined"
    assert lab.usable(KEY) == set()


def test_names_that_climb_or_hold_odd_bytes_are_put_aside(lab) -> None:
    lab.share("ephys")
    lab.write("ephys", "SC022/20190228/..\\..\\evil.npy")
    lab.write("ephys", "SC022/20190228/two\nlines.npy")
    lab.write("ephys", os.fsdecode(b"SC022/20190228/\xff.npy"))
    report = lab.scan()["ephys"]
    assert (report.n_found, len(lab.ledger.files(state="quarantined"))) == (3, 3)
    assert lab.scan(after=1)["ephys"].n_new == 0


def test_a_share_whose_kind_was_wrong_in_the_configuration_is_read_anew(lab) -> None:
    share = lab.share("ephys", "behavior")
    lab.write("ephys", "SC022/20190228/1/spike_times.npy")
    lab.settle()
    assert lab.file("SC022/20190228/1/spike_times.npy").rule == "not-a-behavior-file"
    lab.shares["ephys"] = replace(share, kind="ephys")
    lab.scan(after=10)
    assert lab.file("SC022/20190228/1/spike_times.npy").role == "sorting"


def test_a_scan_that_was_overtaken_concludes_nothing(lab, monkeypatch) -> None:
    share = lab.share("rig")
    lab.write("rig", BEHAVIOR)
    from map_assets.shares import scan

    real = scan.look_at

    def slow(*args: object, **facts: object) -> object:
        look = real(*args, **facts)
        monkeypatch.setattr(scan, "look_at", real)
        assert scan_share(share, lab.ledger, lab.now).n_new == 1
        return look

    monkeypatch.setattr(scan, "look_at", slow)
    report = scan_share(share, lab.ledger, lab.now)
    assert (report.status, report.n_new) == ("ok", 0)
    assert "another scan" in report.message
    assert len(rows(lab)) == 1


def test_the_ledger_outlives_its_process(lab) -> None:
    lab.write("rig", BEHAVIOR)
    lab.settle()
    lab.ledger.close()
    again = Ledger(lab.url)
    assert again.sessions() == [KEY]
    assert scan_all(lab.shares.values(), again, lab.now)[0].n_new == 0
