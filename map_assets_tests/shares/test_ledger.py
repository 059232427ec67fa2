"""What callers say to the ledger and what it remembers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from map_assets.shares.ledger import Ledger
from map_assets.shares.scan import scan_share
from map_assets.shares.share import NoSuchFile
from map_assets.vocabulary.errors import BadConfiguration, NameDoesNotParse, UnsafePath

KEY = "SC022_20190228_151010"
BEHAVIOR = "SC022_tw2_20190228_151010.mat"
SPIKES = "SC022/20190228/1/spike_times.npy"


@pytest.fixture
def session(lab) -> object:
    lab.share("rig", rig="RRig2")
    lab.write("rig", BEHAVIOR)
    lab.write("ephys", SPIKES)
    lab.settle()
    return lab


def test_an_inventory_gives_files_with_their_root_role_and_rig(session) -> None:
    found = {file.role: file for file in session.ledger.inventory(KEY).files}
    assert found["behavior"].path.read_bytes() == b"bytes"
    assert (found["behavior"].rig, found["sorting"].rig) == ("RRig2", None)
    assert session.ledger.inventory("SC099_20190228_151010").files == ()


def test_an_inventorys_signature_changes_with_any_file_of_its_roles(session) -> None:
    before = session.ledger.inventory(KEY)
    session.write("ephys", "SC022/20190228/1/spike_clusters.npy")
    session.settle()
    after = session.ledger.inventory(KEY)
    assert before.signature({"behavior"}) == after.signature({"behavior"})
    assert before.signature({"sorting"}) != after.signature({"sorting"})
    assert before.signature() != after.signature()


def test_only_what_is_still_what_was_read_counts_as_ingested(session) -> None:
    files = session.ledger.inventory(KEY).files
    stale = [replace(file, size=file.size + 1) if file.role == "sorting" else file for file in files]
    assert session.ledger.mark_ingested(stale, "trials", session.now) == 1
    assert {file.relpath: file.state for file in session.ledger.files()} == {BEHAVIOR: "ingested", SPIKES: "waiting"}
    assert session.file(BEHAVIOR).by == "trials"


def test_what_is_in_quarantine_stays_there_when_another_stage_takes_it_in(session) -> None:
    files = session.ledger.inventory(KEY).files
    spikes = [file for file in files if file.role == "sorting"]
    assert session.ledger.quarantine(spikes, "It holds letters.", "units", session.now) == 1
    assert session.ledger.mark_ingested(files, "archive_manifest", session.now) == 1
    held = session.file(SPIKES)
    assert (held.state, held.reason, held.by) == ("quarantined", "It holds letters.", "units")
    assert session.usable(KEY) == {BEHAVIOR}


def test_a_file_that_changed_since_it_was_refused_is_not_put_aside(session) -> None:
    spikes = [file for file in session.ledger.inventory(KEY).files if file.role == "sorting"]
    session.write("ephys", SPIKES, b"better and longer")
    session.scan(after=1)
    assert session.ledger.quarantine(spikes, "It holds letters.", "units", session.now) == 0
    assert session.file(SPIKES).state == "waiting"


def test_a_file_in_quarantine_that_is_replaced_is_due_again(session) -> None:
    spikes = [file for file in session.ledger.inventory(KEY).files if file.role == "sorting"]
    session.ledger.quarantine(spikes, "It holds letters.", "units", session.now)
    session.ledger.record_stage(KEY, "units", "a", "failed", "It holds letters.", session.now)
    session.write("ephys", SPIKES, b"better and longer")
    session.settle()
    assert session.usable(KEY) == {BEHAVIOR, SPIKES}
    assert session.ledger.stage_records(KEY)["units"].signature == ""


def test_retry_opens_a_file_again_and_forgets_only_failed_stages(session) -> None:
    session.ledger.quarantine(session.ledger.inventory(KEY).files, "Bad.", "units", session.now)
    session.ledger.record_stage(KEY, "units", "a", "failed", "Bad.", session.now)
    session.ledger.record_stage(KEY, "trials", "b", "done", now=session.now)
    _, counter = session.ledger.touched(0)
    session.ledger.retry("ephys", SPIKES, session.now)
    assert session.usable(KEY) == {SPIKES}
    assert session.ledger.stage_records(KEY).keys() == {"trials"}
    assert session.ledger.touched(counter)[0] == [KEY]
    assert [change.what for change in session.ledger.changes("ephys", SPIKES)] == ["quarantined", "retried"]


def test_release_takes_an_unfinished_recording_as_it_is_until_it_changes(session, finished_meta) -> None:
    stem = "SC022/20190228/SC022_20190228_g0_t0.imec0.ap"
    session.write("ephys", f"{stem}.meta", finished_meta(size=100))
    session.write("ephys", f"{stem}.bin", b"1" * 60)
    session.settle()
    session.ledger.release("ephys", f"{stem}.bin", "the computer died", "Liu", session.now)
    session.scan(after=100)
    assert f"{stem}.bin" in session.usable(KEY)
    assert f"{stem}.meta" not in session.usable(KEY)
    (change,) = session.ledger.changes("ephys", f"{stem}.bin")
    assert (change.what, change.who, change.why) == ("released", "Liu", "the computer died")
    session.write("ephys", f"{stem}.bin", b"1" * 80)
    session.scan(after=100)
    assert "incomplete copy: 80 of 100" in str(session.file(f"{stem}.bin").reason)
    assert session.file(f"{stem}.bin").released_by is None


def test_what_a_name_or_link_forbids_cannot_be_released(lab) -> None:
    lab.write("rig", "notes.mat")
    (lab.root / "rig" / "link.mat").symlink_to(lab.root / "rig" / "notes.mat")
    lab.settle()
    with pytest.raises(NameDoesNotParse):
        lab.ledger.release("rig", "notes.mat", "please", "Liu")
    with pytest.raises(UnsafePath):
        lab.ledger.retry("rig", "link.mat")
    assert len(lab.ledger.files(state="quarantined")) == 2


@pytest.mark.parametrize("relpath", ["../rig2/x.mat", "nothing.mat"])
def test_a_file_that_the_ledger_does_not_know_cannot_be_retried(session, relpath: str) -> None:
    with pytest.raises(NoSuchFile, match="scan first"):
        session.ledger.retry("rig", relpath)


def test_an_ignored_file_cannot_be_released(lab) -> None:
    lab.write("rig", "Thumbs.db")
    lab.scan()
    with pytest.raises(NoSuchFile, match="os-litter"):
        lab.ledger.release("rig", "Thumbs.db", "please", "Liu")


def test_files_can_be_listed_by_share_state_and_session(session) -> None:
    session.write("rig", "Thumbs.db")
    session.settle()
    assert [file.relpath for file in session.ledger.files(share="rig")] == [BEHAVIOR, "Thumbs.db"]
    assert [file.relpath for file in session.ledger.files(state="ignored")] == ["Thumbs.db"]
    assert [file.relpath for file in session.ledger.files(session=KEY)] == [SPIKES, BEHAVIOR]
    seen = session.file(BEHAVIOR)
    assert seen.first_seen == seen.last_change_seen < session.now


def test_status_counts_every_file_once_and_says_how_the_share_is(session) -> None:
    session.write("rig", "Thumbs.db")
    session.write("rig", "notes.mat")
    session.scan(after=10)
    session.ledger.mark_ingested(session.ledger.inventory(KEY).files, "trials", session.now)
    rig = session.ledger.status()[1]
    assert (rig.share, rig.found, rig.ingested, rig.waiting, rig.quarantined, rig.ignored) == ("rig", 3, 1, 0, 1, 1)
    assert (rig.last_scan, rig.scan_status, rig.message) == (session.now, "ok", "")


def test_waiting_files_are_counted_by_why_they_wait(session) -> None:
    session.write("ephys", "SC099/20190228/1/spike_times.npy")
    session.settle()
    session.write("ephys", "SC022/20190228/1/new.npy")
    session.scan()
    assert session.ledger.waiting_reasons() == [
        ("it has settled and waits for its stage", 2),
        ("it must stand still for 60 s", 1),
        ("waiting for a behaviour file of SC099 on 2019-02-28", 1),
    ]


# -- stages, waits, what was touched -----------------------------------------------------------------------------------
def test_the_last_record_of_a_stage_stands(session) -> None:
    session.ledger.record_stage(KEY, "trials", "a", "failed", "Bad.", session.now)
    session.ledger.record_stage(KEY, "trials", "b", "done", now=session.now + timedelta(seconds=5))
    (record,) = session.ledger.stage_records(KEY).values()
    assert (record.signature, record.outcome, record.detail) == ("b", "done", "")
    assert record.at == session.now + timedelta(seconds=5)
    session.ledger.record_stage(KEY, "units", "c", "done")
    session.ledger.forget_stage(KEY, "trials")
    assert session.ledger.stage_records(KEY).keys() == {"units"}
    session.ledger.forget_stage(KEY)
    assert session.ledger.stage_records(KEY) == {}


def test_waits_are_replaced_as_a_whole_and_touch_nothing(session) -> None:
    _, counter = session.ledger.touched(0)
    session.ledger.set_waits(KEY, {"units": "sorting", "nwb_file": "the animal's row"})
    session.ledger.set_waits(KEY, {"units": "sorting"})
    assert session.ledger.waits() == [(KEY, "units", "sorting")]
    assert session.ledger.touched(counter)[0] == []
    session.ledger.set_waits(KEY, {})
    assert session.ledger.waits() == []


def test_what_changes_a_session_touches_it_once(session) -> None:
    ledger = session.ledger
    steps = [
        lambda: ledger.record_stage(KEY, "trials", "a", "done"),
        lambda: ledger.forget_stage(KEY),
        lambda: ledger.set_session_start(KEY, datetime(2019, 2, 28, 15, 11)),
        lambda: ledger.touch([KEY]),
        lambda: ledger.quarantine(ledger.inventory(KEY).files, "Bad.", "trials"),
    ]
    for step in steps:
        _, counter = ledger.touched(0)
        step()
        assert ledger.touched(counter)[0] == [KEY]
    _, counter = ledger.touched(0)
    ledger.set_session_start(KEY, datetime(2019, 2, 28, 15, 11))
    assert ledger.touched(counter)[0] == []
    assert ledger.session_start(KEY) == datetime(2019, 2, 28, 15, 11)


# -- the database ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/x", "not a url"])
def test_a_url_that_is_no_file_and_no_postgresql_is_refused(url: str) -> None:
    with pytest.raises(BadConfiguration, match="expected sqlite"):
        Ledger(url)


def test_a_file_that_is_no_database_is_refused_in_a_sentence(tmp_path) -> None:
    (tmp_path / "registry.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(BadConfiguration, match="cannot be opened"):
        Ledger(f"sqlite:///{tmp_path}/registry.db")


def test_the_database_is_opened_for_many_at_once(tmp_path) -> None:
    with Ledger(f"sqlite:///{tmp_path}/new/registry.db").reading() as connection:
        said = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "busy_timeout")]
        assert [*said, connection.exec_driver_sql("PRAGMA foreign_keys").scalar()] == ["wal", 30000, 1]


def test_many_may_open_a_new_database_at_once(tmp_path) -> None:
    with ThreadPoolExecutor(8) as pool:
        ledgers = list(pool.map(lambda _: Ledger(f"sqlite:///{tmp_path}/new/registry.db"), range(8)))
    for ledger in ledgers:
        ledger.touch([KEY])
    assert ledgers[0].touched(0) == ([KEY], 8)


def test_threads_that_scan_and_write_at_once_lose_nothing(lab) -> None:
    shares = [lab.share(name, "ephys", settle_s=0) for name in ("one", "two")]
    for name in ("one", "two"):
        for number in range(40):
            lab.write(name, f"SC022/20190228/{number}/spike_times.npy")
    lab.share("rig", settle_s=0)
    lab.write("rig", BEHAVIOR)

    def work(number: int) -> int:
        scan_share(shares[number % 2], lab.ledger, lab.now)
        lab.ledger.record_stage(KEY, f"stage {number}", "a", "done")
        return lab.ledger.touched(0)[1]

    with ThreadPoolExecutor(8) as pool:
        counters = list(pool.map(work, range(16)))
    lab.scan()
    assert len(set(counters)) > 1
    assert len(lab.ledger.stage_records(KEY)) == 16
    assert {status.share: status.found for status in lab.ledger.status()} == {"one": 40, "two": 40, "rig": 1}
    assert len(lab.ledger.inventory(KEY).files) == 81


def test_a_refresh_that_was_overtaken_does_not_undo_what_came_after(lab, monkeypatch) -> None:
    from map_assets.shares import refresh as room

    lab.write("ephys", SPIKES)
    real = room._decide
    is_first = []

    def slow(*args: object) -> object:
        decided = real(*args)
        if not is_first:
            is_first.append(True)
            lab.write("rig", BEHAVIOR)
            lab.scan(after=1)
        return decided

    monkeypatch.setattr(room, "_decide", slow)
    lab.scan()
    assert lab.file(SPIKES).session == KEY


def test_a_refresh_during_which_more_arrived_leaves_the_day_for_the_next_one(lab, monkeypatch) -> None:
    from map_assets.shares import refresh as room

    lab.write("ephys", SPIKES)
    rig = lab.share("rig")
    real = room._decide

    def slow(*args: object) -> object:
        monkeypatch.setattr(room, "_decide", real)
        decided = real(*args)
        lab.write("rig", BEHAVIOR)
        scan_share(rig, lab.ledger, lab.now)
        return decided

    monkeypatch.setattr(room, "_decide", slow)
    scan_share(lab.shares["ephys"], lab.ledger, lab.now)
    room.refresh(lab.ledger, lab.now)
    assert lab.file(SPIKES).session is None
    room.refresh(lab.ledger, lab.now)
    assert lab.file(SPIKES).session == KEY


def test_what_has_not_settled_cannot_be_taken_in(session) -> None:
    session.write("ephys", "SC022/20190228/1/new.npy")
    session.scan()
    unsettled = session.ledger.inventory(KEY).unsettled
    assert len(unsettled) == 1
    assert session.ledger.mark_ingested(unsettled, "units", session.now) == 0
    assert session.file("SC022/20190228/1/new.npy").state == "waiting"
