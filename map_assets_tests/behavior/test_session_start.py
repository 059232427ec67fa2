"""When a session began by the rig's wall clock, and whether that is the day of its name."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from map_assets.vocabulary.errors import PiecesDoNotFit, UnreadableFile


def datenum(moment: datetime) -> float:
    """MATLAB's days since year 0."""
    return (moment - datetime(1970, 1, 1)).total_seconds() / 86400 + 719529


def info(date: str | None = "25-Feb-2018", time: str | None = "11:23:28"):
    fields = {"SessionDate": date, "SessionStartTime_UTC": time, "BpodVersion": "x"}
    return {name: value for name, value in fields.items() if value is not None}


def start(rig, n_trials: int = 1, session: str | None = None, **changes):
    tables = rig.read([rig.trial() for _ in range(n_trials)], session, **changes)
    row = tables["behavior_file"].to_pylist()[0]
    return row["start_local"], row["start_source"], row["info_start_local"]


def test_the_start_is_trial_ones_and_not_infos(rig) -> None:
    moment = datetime(2018, 2, 25, 11, 23, 21, 77000)
    found = start(rig, MATLABStartTimes=np.array([[datenum(moment)]]))
    assert found == ("2018-02-25T11:23:21.077", "MATLABStartTimes", "2018-02-25T11:23:28.000")


def test_an_invalid_first_trial_is_counted_back_to(rig) -> None:
    """Trials of the small rig are 10 s apart."""
    moment = datetime(2018, 2, 25, 11, 23, 41)
    found = start(rig, 3, MATLABStartTimes=np.array([[0, np.nan, datenum(moment)]]))
    assert found[:2] == ("2018-02-25T11:23:21.000", "MATLABStartTimes")


@pytest.mark.parametrize("none", [None, np.zeros((1, 2))])
def test_without_trial_times_infos_start_stands_in_and_says_so(rig, none) -> None:
    found = start(rig, 2, MATLABStartTimes=none)
    assert found[0] == "2018-02-25T11:23:28.000"
    assert found[1] == "Info.SessionDate and Info.SessionStartTime_UTC"


def test_without_info_the_trial_times_do(rig) -> None:
    assert start(rig, Info=None)[2] is None
    assert start(rig, Info=info(time=None))[2] is None


def test_without_any_time_the_file_is_refused(rig) -> None:
    with pytest.raises(PiecesDoNotFit, match="neither MATLABStartTimes nor Info says when it began"):
        start(rig, Info=None, MATLABStartTimes=None)


def test_a_session_named_in_the_evening_may_begin_after_midnight(rig) -> None:
    session = "dl25_20180225_234500"
    after = datetime(2018, 2, 26, 0, 10)
    times = {"MATLABStartTimes": np.array([[datenum(after)]]), "Info": info("26-Feb-2018", "00:10:07")}
    assert start(rig, session=session, **times)[0] == "2018-02-26T00:10:00.000"
    before = datetime(2018, 2, 25, 23, 59, 58)
    times["MATLABStartTimes"] = np.array([[datenum(before)]])
    assert start(rig, session=session, **times)[0] == "2018-02-25T23:59:58.000"


@pytest.mark.parametrize(
    ("session", "date"),
    [
        ("dl25_20180225_102508", "26-Feb-2018"),
        ("dl25_20180225_102508", "24-Feb-2018"),
        ("dl25_20180225_234500", "27-Feb-2018"),
        ("dl25_20180225_234500", "24-Feb-2018"),
        ("dl25_20190225_102508", "25-Feb-2018"),
    ],
)
def test_a_file_of_another_day_than_its_name_is_refused(rig, session, date) -> None:
    with pytest.raises(PiecesDoNotFit, match=r"its name says .* and its Info\.SessionDate") as caught:
        start(rig, session=session, Info=info(date))
    assert "rename" in caught.value.todo


def test_trial_times_of_another_day_than_the_name_are_refused(rig) -> None:
    with pytest.raises(PiecesDoNotFit, match=r"and its MATLABStartTimes 2018-03-25"):
        start(rig, MATLABStartTimes=np.array([[datenum(datetime(2018, 3, 25, 11))]]))


@pytest.mark.parametrize("nonsense", [1e12, 1e300])
def test_a_trial_time_that_is_no_day_is_refused(rig, nonsense) -> None:
    with pytest.raises(PiecesDoNotFit, match="MATLABStartTimes holds"):
        start(rig, MATLABStartTimes=np.array([[nonsense]]))


@pytest.mark.parametrize(
    ("date", "time"),
    [("2018-02-25", "11:23:28"), ("31-Feb-2018", "11:23:28"), ("25-Foo-2018", "1:1:1"), ("25-Feb-2018", "11h23")],
)
def test_a_date_or_time_that_cannot_be_read_is_named(rig, date, time) -> None:
    with pytest.raises(UnreadableFile, match=r"Info\.Session(Date|StartTime_UTC) is '"):
        start(rig, Info=info(date, time))


@pytest.mark.parametrize("moment", [datetime(2018, 2, 25, 9, 0), datetime(2018, 2, 25, 22, 30)])
def test_a_start_before_the_name_or_long_after_it_is_refused(rig, moment) -> None:
    with pytest.raises(PiecesDoNotFit, match=r"its name says 2018-02-25 10:25 and its MATLABStartTimes 2018-02-25"):
        start(rig, MATLABStartTimes=np.array([[datenum(moment)]]))
