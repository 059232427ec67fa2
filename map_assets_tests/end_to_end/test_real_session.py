"""The real session dl25_20180225_102508, from its share to NWB and receipt, by the terminal's own commands."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from laboratory import DL25, Lab

KEY = "dl25_20180225_102508"
MAT = "dl25_tw2_20180225_102508.mat"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Lab:
    """A lab whose shares hold the real behaviour file and the real bitcode file, ingested before the animal was known."""
    lab = Lab.empty(tmp_path_factory.mktemp("dl25"))
    folder = lab.share("behavior") / "dl25" / "tw2" / "Session Data"
    folder.mkdir(parents=True)
    shutil.copy(shared_data / "map" / MAT, folder)
    probe = lab.share("ephys") / "dl25" / "20180225" / "1"
    probe.mkdir(parents=True)
    shutil.copy(shared_data / "map" / "dl25_bitcode.mat", probe)
    lab.run("ingest")
    return lab


def test_ingest_makes_the_partition_with_its_eleven_trials(lab: Lab) -> None:
    assert [row["session"] for row in lab.json("sessions")] == [KEY]
    trials = lab.table("trials", KEY)
    assert [trial["trial"] for trial in trials] == list(range(1, 12))
    assert trials[0]["start_s"] == 0.0
    assert trials[6]["n_go_cues"] == 4
    assert sum(trial["photostim_onset_s"] is not None for trial in trials) == 0


def test_events_and_licks_are_the_files(lab: Lab) -> None:
    licks = lab.table("licks", KEY)
    assert sum(lick["port"] == "left" for lick in licks) == 48
    assert sum(lick["port"] == "right" for lick in licks) == 15
    events = lab.table("trial_events", KEY)
    assert {event["event"] for event in events} == {"presample", "sample", "delay", "go", "trialend"}


def test_the_ten_codes_match_trials_one_to_ten_and_the_eleventh_is_reported(lab: Lab) -> None:
    (clock,) = lab.table("clock_maps", KEY)
    assert clock["matched_trials"] == list(range(1, 11))
    assert clock["matched_ephys_trials"] == list(range(1, 11))
    assert clock["unmatched_behavior_trials"] == [11]
    assert clock["unmatched_ephys_trials"] == []


def test_every_raw_file_has_a_receipt(lab: Lab, shared_data: Path) -> None:
    receipts = {row["path"]: row for row in lab.table("archive_receipt", KEY)}
    assert len(receipts) == 2
    (row,) = [row for path, row in receipts.items() if path.endswith(MAT)]
    archived = lab.services.config.archive.root / row["archive_path"]
    assert archived.read_bytes() == (shared_data / "map" / MAT).read_bytes()
    assert row["sha256"] == hashlib.sha256(archived.read_bytes()).hexdigest()


def test_the_nwb_waits_by_name_until_the_animal_is_registered_and_is_valid_then(lab: Lab) -> None:
    assert not lab.services.store.has("nwb_file", KEY)
    waits = {stage: reason for session, stage, reason in lab.services.ledger.waits() if session == KEY}
    assert "dl25" in waits["nwb_file"]
    assert "dl25" in lab.run("status").stdout

    lab.register(DL25)
    lab.run("ingest")
    (row,) = lab.table("nwb_file", KEY)
    assert row["n_validation_errors"] == 0
    assert row["n_inspector_critical"] == 0
    assert row["n_inspector_checks"] > 30
    assert row["n_trials"] == 11
    (session,) = lab.table("sessions", KEY)
    assert session["subject"] == "407513"
    # 11:23:21.0 on the rig's wall clock in New York, where trial 1 starts
    assert session["start_time"].strftime("%Y-%m-%dT%H:%M:%S") == "2018-02-25T16:23:21"


def test_all_that_was_found_is_accounted_for(lab: Lab) -> None:
    for row in lab.json("status"):
        assert row["found"] == row["ingested"] + row["waiting"] + row["quarantined"] + row["ignored"]
    assert set(lab.states().values()) == {"ingested"}


def test_a_second_ingest_finds_nothing_to_do(lab: Lab) -> None:
    before = {path: path.stat().st_mtime_ns for path in (lab.root / "data" / "store").rglob("*.parquet")}
    lab.run("ingest")
    assert {path: path.stat().st_mtime_ns for path in (lab.root / "data" / "store").rglob("*.parquet")} == before
