"""Which session a file belongs to as things arrive, and which of two behaviour files counts."""

from __future__ import annotations

from datetime import datetime

import pytest

from map_assets.shares.refresh import refresh

AM, PM = "SC022_20190228_101010", "SC022_20190228_151010"
AM_FILE, PM_FILE = "SC022/SC022_tw2_20190228_101010.mat", "SC022/SC022_tw2_20190228_151010.mat"
RUN = "SC022/SC022_20190228_g1"


def test_what_comes_before_its_behavior_file_waits_for_it_by_name(lab) -> None:
    lab.write("ephys", "SC022/20190228/1/spike_times.npy")
    lab.settle()
    assert lab.file("SC022/20190228/1/spike_times.npy").reason == "waiting for a behaviour file of SC022 on 2019-02-28"
    assert lab.ledger.waiting_reasons() == [("waiting for a behaviour file of SC022 on 2019-02-28", 1)]
    assert lab.ledger.sessions() == []
    lab.write("rig", PM_FILE)
    lab.settle()
    assert lab.usable(PM) == {PM_FILE, "SC022/20190228/1/spike_times.npy"}


def test_late_files_join_their_session_and_touch_only_it(lab) -> None:
    lab.write("rig", PM_FILE)
    lab.write("rig", "SC023_tw2_20190228_151010.mat")
    lab.settle()
    lab.ingest(PM)
    _, counter = lab.ledger.touched(0)
    lab.write("slices", "SC022/20190228_1/channel_locations.json")
    lab.settle()
    assert lab.ledger.touched(counter)[0] == [PM]
    assert lab.usable(PM) == {PM_FILE, "SC022/20190228_1/channel_locations.json"}


def test_a_scan_that_finds_nothing_new_touches_nothing(lab) -> None:
    lab.write("rig", PM_FILE)
    lab.write("ephys", "SC022/20190228/1/spike_times.npy")
    lab.settle()
    sessions, counter = lab.ledger.touched(0)
    assert sessions == [PM]
    lab.scan(after=10)
    again, later = lab.ledger.touched(counter)
    assert again == []
    assert later > counter


def test_two_sessions_a_day_wait_for_their_starts_and_then_go_by_the_recordings_own(lab, finished_meta) -> None:
    lab.write("rig", AM_FILE, b"am")
    lab.write("rig", PM_FILE, b"pm")
    meta = f"{RUN}/SC022_20190228_g1_imec0/SC022_20190228_g1_t0.imec0.ap.meta"
    lab.write("ephys", meta, finished_meta("2026-01-01T00:00:00", fileCreateTime_original="2019-02-28T15:12:00"))
    lab.write("ephys", f"{RUN}/SC022_20190228_g1_tcat.nidq.XA_0_0.txt")
    lab.write("ephys", f"{RUN}/SC022_20190228_g1_imec0/ks/spike_times.npy")
    lab.settle()
    assert "the start of" in str(lab.file(meta).reason)
    lab.ledger.set_session_start(AM, datetime(2019, 2, 28, 10, 15))
    lab.ledger.set_session_start(PM, datetime(2019, 2, 28, 15, 15))
    refresh(lab.ledger, lab.now)
    assert len(lab.usable(PM)) == 4
    assert lab.usable(AM) == {AM_FILE}


def test_a_second_session_of_the_day_takes_its_recording_even_if_it_was_taken_in_before(lab, finished_meta) -> None:
    lab.write("rig", AM_FILE, b"am")
    meta = f"{RUN}/SC022_20190228_g1_imec0/SC022_20190228_g1_t0.imec0.ap.meta"
    lab.write("ephys", meta, finished_meta("2019-02-28T15:12:00"))
    lab.settle()
    lab.ledger.set_session_start(AM, datetime(2019, 2, 28, 10, 15))
    lab.ingest(AM)
    lab.write("rig", PM_FILE, b"pm")
    lab.settle()
    assert lab.file(meta).session == AM  # nothing is sure yet
    lab.ledger.set_session_start(PM, datetime(2019, 2, 28, 15, 15))
    refresh(lab.ledger, lab.now)
    moved = lab.file(meta)
    assert (moved.session, moved.state) == (PM, "waiting")
    assert [change.what for change in lab.ledger.changes("ephys", meta)] == ["moved"]


def test_tracking_folders_follow_the_order_of_the_day_when_an_earlier_session_turns_up(lab) -> None:
    lab.write("cameras", "SC022/SC022_022819/SC022_side_1-0000.csv")
    lab.write("cameras", "SC022/SC022_022819_2/SC022_side_1-0000.csv")
    lab.write("rig", PM_FILE)
    lab.settle()
    assert lab.file("SC022/SC022_022819/SC022_side_1-0000.csv").session == PM
    assert "number 2" in str(lab.file("SC022/SC022_022819_2/SC022_side_1-0000.csv").reason)
    lab.write("rig", AM_FILE, b"am")
    lab.settle()
    assert lab.file("SC022/SC022_022819/SC022_side_1-0000.csv").session == AM
    assert lab.file("SC022/SC022_022819_2/SC022_side_1-0000.csv").session == PM


def test_a_behavior_file_that_is_renamed_takes_its_session_along(lab) -> None:
    path = lab.write("rig", "SC022_tw2_20190228_150000.mat")
    lab.write("ephys", "SC022/20190228/1/spike_times.npy")
    lab.settle()
    path.rename(path.with_name("SC022_tw2_20190228_151010.mat"))
    lab.settle()
    assert lab.ledger.sessions() == [PM]
    assert lab.file("SC022/20190228/1/spike_times.npy").session == PM
    assert lab.file("SC022_tw2_20190228_150000.mat").reason == "it is not on the share any more"


def test_an_ingested_session_stands_when_its_files_are_gone(lab) -> None:
    path = lab.write("rig", PM_FILE)
    lab.write("rig", "SC023_tw2_20190228_151010.mat")
    lab.settle()
    lab.ingest(PM)
    path.unlink()
    lab.write("ephys", "SC022/20190228/1/spike_times.npy")
    lab.settle()
    assert lab.usable(PM) == {"SC022/20190228/1/spike_times.npy"}


def test_a_path_that_tells_no_animal_and_date_is_put_aside(lab) -> None:
    lab.write("ephys", "old stuff/spike_times.npy")
    lab.settle()
    assert "neither its folders nor its name tell animal and date" in str(lab.file("old stuff/spike_times.npy").reason)


# -- two behaviour files of one session --------------------------------------------------------------------------------
def test_the_same_bytes_on_a_second_share_are_ignored(lab) -> None:
    lab.write("rig", PM_FILE, b"same")
    lab.settle()
    lab.ingest(PM)
    lab.write("rig2", "copy/SC022_tw2_20190228_151010.mat", b"same")
    lab.settle()
    twin = lab.file("copy/SC022_tw2_20190228_151010.mat")
    assert (twin.state, twin.rule) == ("ignored", "same-bytes-as-another")
    assert lab.usable(PM) == {PM_FILE}


def test_other_bytes_for_an_ingested_session_are_put_aside_and_the_first_stands(lab) -> None:
    lab.write("rig", PM_FILE, b"one")
    lab.settle()
    lab.ingest(PM)
    lab.write("rig2", PM_FILE.replace("tw2", "tw3"), b"two")
    lab.settle()
    assert lab.usable(PM) == {PM_FILE}
    reason = str(lab.file(PM_FILE.replace("tw2", "tw3")).reason)
    assert f"rig:{PM_FILE}" in reason
    assert "rig2:SC022/SC022_tw3_20190228_151010.mat" in reason


def disputed(lab) -> None:
    lab.write("rig", PM_FILE, b"one")
    lab.write("rig2", PM_FILE.replace("tw2", "tw3"), b"two")
    lab.settle()


def test_two_different_files_neither_ingested_are_both_put_aside(lab) -> None:
    disputed(lab)
    assert lab.usable(PM) == set()
    assert [file.rule for file in lab.ledger.files(state="quarantined")] == ["two-files-one-session"] * 2


def test_releasing_one_of_two_chooses_it(lab) -> None:
    disputed(lab)
    lab.ledger.release("rig2", PM_FILE.replace("tw2", "tw3"), "the other is a test", "Liu", lab.now)
    lab.scan(after=1)
    assert lab.usable(PM) == {PM_FILE.replace("tw2", "tw3")}
    assert lab.file(PM_FILE).state == "quarantined"
    chosen = lab.file(PM_FILE.replace("tw2", "tw3"))
    assert (chosen.released_by, chosen.released_why) == ("Liu", "the other is a test")


def test_a_release_overrules_what_was_ingested(lab) -> None:
    lab.write("rig", PM_FILE, b"one")
    lab.settle()
    lab.ingest(PM)
    lab.write("rig2", PM_FILE, b"two")
    lab.settle()
    lab.ledger.release("rig2", PM_FILE, "the rig's clock was wrong", "Liu", lab.now)
    lab.scan(after=1)
    assert {(file.share, file.state) for file in lab.ledger.files()} == {("rig", "quarantined"), ("rig2", "waiting")}


def test_that_the_other_one_is_gone_decides_nothing_but_a_retry_does(lab) -> None:
    disputed(lab)
    (lab.root / "rig2" / PM_FILE.replace("tw2", "tw3")).unlink()
    lab.write("rig2", "SC023_tw2_20190228_151010.mat")
    lab.scan(after=1)
    assert lab.usable(PM) == set()
    lab.ledger.retry("rig", PM_FILE)
    lab.scan(after=1)
    assert lab.usable(PM) == {PM_FILE}


def test_a_retry_with_both_still_there_is_the_same_dispute(lab) -> None:
    disputed(lab)
    lab.ledger.retry("rig", PM_FILE)
    lab.scan(after=1)
    assert len(lab.ledger.files(state="quarantined")) == 2


def test_a_third_file_joins_the_dispute(lab) -> None:
    disputed(lab)
    lab.write("rig", PM_FILE.replace("tw2", "tw4"), b"three")
    lab.settle()
    assert len(lab.ledger.files(state="quarantined")) == 3


def test_an_ignored_copy_takes_over_when_the_first_is_gone(lab) -> None:
    first = lab.write("rig", PM_FILE, b"same")
    lab.write("rig", "SC023_tw2_20190228_151010.mat")
    lab.settle()
    lab.write("rig2", PM_FILE, b"same")
    lab.settle()
    first.unlink()
    lab.scan(after=1)
    assert [(file.share, str(file.relpath)) for file in lab.ledger.inventory(PM).files] == [("rig2", PM_FILE)]


def test_while_the_first_is_rewritten_its_copy_stays_ignored_and_then_they_differ(lab) -> None:
    lab.write("rig", PM_FILE, b"same")
    lab.settle()
    lab.ingest(PM)
    lab.write("rig2", PM_FILE, b"same")
    lab.settle()
    lab.write("rig", PM_FILE, b"new")
    lab.scan(after=1)
    assert {(file.share, file.state) for file in lab.ledger.files()} == {("rig", "waiting"), ("rig2", "ignored")}
    lab.settle()
    assert {(file.share, file.state) for file in lab.ledger.files()} == {
        ("rig", "quarantined"),
        ("rig2", "quarantined"),
    }


def test_an_ignored_copy_that_is_rewritten_is_in_dispute_and_what_it_was_is_kept(lab) -> None:
    lab.write("rig", PM_FILE, b"same")
    lab.settle()
    lab.ingest(PM)
    lab.write("rig2", PM_FILE, b"same")
    lab.settle()
    lab.write("rig2", PM_FILE, b"new")
    lab.settle()
    assert {(file.share, file.state) for file in lab.ledger.files()} == {("rig", "ingested"), ("rig2", "quarantined")}
    (old,) = lab.ledger.changes("rig2", PM_FILE)
    assert (old.what, old.state, old.size) == ("changed", "ignored", 4)


@pytest.mark.parametrize("is_ingested", [True, False])
def test_a_moved_file_is_the_same_session_at_its_new_place(lab, is_ingested: bool) -> None:
    path = lab.write("rig", PM_FILE, b"same")
    lab.settle()
    if is_ingested:
        lab.ingest(PM)
    target = lab.root / "rig" / "2019" / path.name
    target.parent.mkdir()
    path.rename(target)
    lab.settle()
    assert lab.usable(PM) == {f"2019/{path.name}"}
    assert lab.ledger.files(state="quarantined") == []
