"""Whether, when and where a trial was stimulated, told from the session itself and the protocol file."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from map_assets.behavior.protocol import Site, read_protocol

LATE = {"session": "SC022_20180225_102508", "name": "SC022_RecordingRig3_20180225_102508.mat"}


def stimulated(rig, session=None, name="dl25_tw2_20180225_102508.mat", **trial):
    row = rig.read([rig.trial(**trial)], session, name=name)["trials"].to_pylist()[0]
    return (
        row["photostim_onset_s"],
        row["photostim_duration_s"],
        row["photostim_power_mw"],
        row["photostim_site"],
    )


def with_delay(rig, *delays: tuple[float, float]):
    visits = [("DelayPeriod", *delay) for delay in delays]
    go = delays[-1][1]
    head = [visit for visit in rig.hit if visit[0] not in ("DelayPeriod", "ResponseCue") and visit[1] < 3]
    tail = [("ResponseCue", go, go + 0.05), ("Reward", go + 0.1, go + 0.13), ("TrialEnd", go + 2, go + 2.25)]
    return [*head, *visits, *tail]


@pytest.mark.parametrize(("code", "site"), [(4, "left_alm"), (5, "right_alm"), (6, "both_alm")])
def test_light_comes_at_the_start_of_the_last_delay(rig, code, site) -> None:
    states = with_delay(rig, (2.13, 2.5), (2.6, 3.8))
    assert stimulated(rig, stim=code, states=states) == (2.6, 0.5, 5.5, site)


def test_in_late_delay_sessions_light_comes_half_a_second_before_the_go_cue(rig) -> None:
    onset = stimulated(rig, **LATE, stim=4, ProtocolType=7)
    assert onset[0] == pytest.approx(3.33 - 0.5)
    assert onset[3] == "left_alm"


def test_a_repeated_go_cue_does_not_move_the_light(rig) -> None:
    states = rig.after("ResponseCue", ("NoResponse", 3.38, 3.5), ("ResponseCue", 3.5, 3.55))
    assert stimulated(rig, **LATE, stim=4, states=states)[0] == pytest.approx(2.83)


@pytest.mark.parametrize(
    ("session", "name"),
    [
        ("SC022_20180225_102508", "SC022_RecordingRig2_20180225_102508.mat"),
        ("SC022_20180225_102508", "SC022_tw2_20180225_102508.mat"),
        ("dl25_20180225_102508", "dl25_RecordingRig3_20180225_102508.mat"),
    ],
)
def test_only_that_rigs_sessions_of_those_animals_are_late(rig, session, name) -> None:
    assert stimulated(rig, session, name, stim=4)[0] == pytest.approx(2.13)


def test_onset_is_on_the_session_clock(rig) -> None:
    trials = rig.read([rig.trial(), rig.trial(stim=5)])["trials"].to_pylist()
    assert trials[0]["photostim_onset_s"] is None
    assert trials[1]["photostim_onset_s"] == pytest.approx(12.13)


@pytest.mark.parametrize(("protocol_type", "is_stimulated"), [(3, False), (4, False), (5, True), (6, True), (8, True)])
def test_late_light_comes_in_every_protocol_that_enforces_the_delay(rig, protocol_type, is_stimulated) -> None:
    found = stimulated(rig, **LATE, stim=4, ProtocolType=protocol_type)
    assert (found[3] == "left_alm") is is_stimulated


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    code=st.sampled_from([0, 2, 4]),
    protocol_type=st.integers(3, 8),
    autolearn=st.integers(1, 4),
    delay_ms=st.sampled_from([400, 1193, 1196, 1199, 1200, 1201, 1204, 1207, 2000]),
    is_late=st.booleans(),
)
def test_all_four_conditions_must_hold(rig, code, protocol_type, autolearn, delay_ms, is_late) -> None:
    """A code that fails a condition is no stimulation, known or not (code 2 is unknown)."""
    states = with_delay(rig, (2.13, 2.13 + delay_ms / 1000))
    conditions = (
        code == 4,
        protocol_type > 4 if is_late else protocol_type == 5,
        autolearn == 4,
        1195 < delay_ms < 1205,
    )
    if code == 2 and all(conditions[1:]):
        return
    where = LATE if is_late else {}
    trial = {"stim": code, "ProtocolType": protocol_type, "Autolearn": autolearn, "states": states}
    found = stimulated(rig, **where, **trial)
    assert (found[3] is not None) == all(conditions)
    assert (None in found) != all(conditions)


def test_a_trial_without_a_delay_is_not_stimulated(rig) -> None:
    states = rig.without("DelayPeriod")
    assert stimulated(rig, stim=4, states=states) == (None, None, None, None)


def test_the_delay_is_the_trials_own_and_not_the_one_before(rig) -> None:
    tables = rig.read([rig.trial(stim=4), rig.trial(stim=4, states=rig.without("DelayPeriod"))])
    assert tables["trials"]["photostim_site"].to_pylist() == ["left_alm", None]


def test_sites_are_those_the_session_used_once_each(rig) -> None:
    trials = [rig.trial(stim=6), rig.trial(stim=4), rig.trial(stim=6), rig.trial(), rig.trial(stim=5, Autolearn=1)]
    sites = rig.read(trials)["photostim_sites"].to_pylist()
    assert [site["photostim_site"] for site in sites] == ["left_alm", "both_alm"]
    assert sites[0] == {
        "session": rig.session,
        "photostim_site": "left_alm",
        "device": "OBIS470",
        "wavelength_nm": 473.0,
        "ap_um": 2500.0,
        "ml_um": -1500.0,
        "dv_um": 0.0,
        "theta_deg": 15.0,
        "phi_deg": 15.0,
        "brain_area": "ALM",
        "hemisphere": "left",
        "skull_reference": "Bregma",
        "source": "delay_response.toml version 1",
    }
    assert (sites[1]["hemisphere"], sites[1]["ml_um"]) == ("both", 1500.0)


def test_an_unknown_code_takes_only_its_own_trial(rig) -> None:
    tables = rig.read([rig.trial(stim=4), rig.trial(stim=7), rig.trial(stim=7, Autolearn=1)])
    assert tables["trials"]["trial"].to_pylist() == [1, 3]
    assert tables["skipped_trials"]["trial"].to_pylist() == [2]


def test_the_protocol_file_says_its_version_and_fills_every_field() -> None:
    protocol = read_protocol("delay_response")
    assert protocol.source == "delay_response.toml version 1"
    assert sorted(protocol.photostim.sites) == [4, 5, 6]
    sides = {site.hemisphere: site.ml_um for site in protocol.photostim.sites.values()}
    assert sides == {"left": -1500.0, "right": 1500.0, "both": 1500.0}
    assert {field.name for field in fields(Site)} == set(vars(protocol.photostim.sites[4]))
