"""A session's row: when it began as an instant, who the animal is, and what stands null."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.behavior.tables import BEHAVIOR_FILE
from map_assets.sessions.checks import name_date_matches_the_start, subject_is_known
from map_assets.sessions.make import make_session
from map_assets.vocabulary.errors import BadConfiguration, NameDoesNotParse
from map_assets.vocabulary.subject import Subject

SESSION = "dl25_20180225_102508"
DL25 = Subject(subject_id="407513", animal="dl25", person="Liu, Dave")


def behavior_file(start_local: str = "2018-02-25T11:23:21.076", rig: str | None = "RRig"):
    return BEHAVIOR_FILE.from_rows(
        [
            {
                "session": SESSION,
                "file": "dl25/tw2/Session Data/dl25_tw2_20180225_102508.mat",
                "share": "rig1",
                "rig": rig,
                "size": 201_976,
                "sha256": "27f4",
                "task": "audio delay",
                "task_protocol": 1,
                "format": "delay_response",
                "protocol_file": "delay_response.toml version 1",
                "n_trials": 11,
                "start_local": start_local,
                "start_source": "MATLABStartTimes",
            }
        ]
    )


def made(start_local: str, time_zone: str | None, session: str = SESSION) -> dict:
    return make_session(session, behavior_file(start_local), DL25, time_zone).to_pylist()[0]


def test_a_session_has_its_start_subject_and_file() -> None:
    row = make_session(SESSION, behavior_file(), DL25, "America/New_York").to_pylist()[0]
    assert row == {
        "session": SESSION,
        "animal": "dl25",
        "subject": "407513",
        "start_time": datetime(2018, 2, 25, 16, 23, 21, 76000, UTC),
        "time_zone": "America/New_York",
        "time_zone_source": "configuration",
        "rig": "RRig",
        "experimenter": "Liu, Dave",
        "task": "audio delay",
        "task_protocol": 1,
        "n_trials": 11,
        "behavior_file": "dl25/tw2/Session Data/dl25_tw2_20180225_102508.mat",
        "behavior_sha256": "27f4",
    }


def test_an_animal_that_the_registry_does_not_know_leaves_nulls() -> None:
    sessions = make_session(SESSION, behavior_file(rig=None), None, "UTC")
    row = sessions.to_pylist()[0]
    assert (row["subject"], row["experimenter"], row["rig"], row["animal"]) == (None, None, None, "dl25")
    assert not subject_is_known(sessions).passed
    assert "dl25" in subject_is_known(sessions).description
    assert subject_is_known(make_session(SESSION, behavior_file(), DL25, "UTC")).passed


def test_without_a_configured_zone_the_machines_is_assumed_and_the_row_says_so(monkeypatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    import tzlocal

    tzlocal.reload_localzone()
    try:
        row = made("2018-02-25T11:23:21", None)
    finally:
        monkeypatch.undo()
        tzlocal.reload_localzone()
    assert (row["time_zone"], row["time_zone_source"]) == ("Asia/Tokyo", "assumed")
    assert row["start_time"] == datetime(2018, 2, 25, 2, 23, 21, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["America/Janelia", "", "../etc/passwd", "America"])
def test_a_zone_that_does_not_exist_is_named(zone) -> None:
    with pytest.raises(BadConfiguration, match="There is no time zone"):
        made("2018-02-25T11:23:21", zone)


def test_a_time_that_happens_twice_is_the_first_of_the_two() -> None:
    assert made("2018-11-04T01:30:00", "America/New_York")["start_time"] == datetime(2018, 11, 4, 5, 30, tzinfo=UTC)


def test_a_time_that_never_happens_is_read_by_the_clock_not_yet_set() -> None:
    """02:30 by the winter clock, which the summer clock calls 03:30."""
    assert made("2018-03-11T02:30:00", "America/New_York")["start_time"] == datetime(2018, 3, 11, 7, 30, tzinfo=UTC)


@settings(max_examples=60, deadline=None)
@given(
    st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1)),
    st.sampled_from(["America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]),
)
def test_the_instant_read_back_in_the_zone_is_what_the_rig_wrote(local, zone) -> None:
    """Except in the hour that never happens, which moves by what the clock was set forward."""
    from zoneinfo import ZoneInfo

    local = local.replace(microsecond=local.microsecond // 1000 * 1000)
    back = made(local.isoformat(timespec="milliseconds"), zone)["start_time"].astimezone(ZoneInfo(zone))
    moved = back.replace(tzinfo=None) - local
    never_happens = local.replace(tzinfo=ZoneInfo(zone), fold=0).utcoffset() != back.utcoffset()
    assert moved == timedelta(0) or (never_happens and timedelta(0) < moved <= timedelta(hours=1))


@pytest.mark.parametrize(
    ("session", "start_local", "fits"),
    [
        (SESSION, "2018-02-25T11:23:21", True),
        ("dl25_20180225_235000", "2018-02-26T00:20:00", True),
        (SESSION, "2018-02-26T13:00:00", False),
        (SESSION, "2018-02-24T23:00:00", False),
        (SESSION, "2019-02-25T11:23:21", False),
    ],
)
def test_a_session_begins_on_the_day_of_its_name_by_the_rigs_clock(session, start_local, fits) -> None:
    for zone in ("America/New_York", "Asia/Tokyo", "UTC"):
        verdict = name_date_matches_the_start(make_session(session, behavior_file(start_local), DL25, zone))
        assert verdict.passed is fits
        assert verdict.figures["n_on_another_day"] == (0 if fits else 1)


def test_a_session_that_is_no_key_is_refused() -> None:
    with pytest.raises(NameDoesNotParse):
        made("2018-02-25T11:23:21", "UTC", session="dl25")
