"""What names mean: roles, ignore rules, refusals and clues."""

from __future__ import annotations

from datetime import date, datetime, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.shares.grouping import Clue, KnownSession, Placed, assign, behavior_session, clue_of
from map_assets.shares.naming import named
from map_assets.shares.roles import RULES, rule_of
from map_assets.vocabulary.errors import NameDoesNotParse, UnsafePath
from map_assets.vocabulary.session import SessionKey

RUN = "SC022/catgt_SC022_022819_g0/SC022_022819_g0_imec0"


@pytest.mark.parametrize(
    ("kind", "name", "role"),
    [
        ("ephys", f"{RUN}/SC022_022819_g0_tcat.imec0.ap.meta", "spikeglx_meta"),
        ("ephys", f"{RUN}/SC022_022819_g0_t0.imec0.lf.bin", "spikeglx_bin"),
        ("ephys", f"{RUN}/SC022_022819_g0_t0.nidq.bin", "spikeglx_bin"),
        ("ephys", f"{RUN}/temp_wh.bin", "raw"),
        ("ephys", f"{RUN}/SC022_bitcode.mat", "bitcode"),
        ("ephys", f"{RUN}/x_tcat.imec0.XA_0_0.adj.txt", "bitcode"),
        ("ephys", f"{RUN}/x_tcat.nidq.XA_1_2.txt", "bitcode"),
        ("ephys", f"{RUN}/x_tcat.nidq.xd_8_4_500.txt", "bitcode"),
        ("ephys", f"{RUN}/x_imec0/x_tcat.imec0.ap.SY_384_6_500.txt", "bitcode"),
        ("ephys", f"{RUN}/x_tcat.nidq.xia_1_2.txt", "raw"),
        ("ephys", f"{RUN}/ks/spike_times.npy", "sorting"),
        ("ephys", f"{RUN}/ks/cluster_KSLabel.tsv", "sorting"),
        ("ephys", f"{RUN}/ks/params.py", "sorting"),
        ("ephys", f"{RUN}/ks/phy.log", "sorting"),
        ("ephys", f"{RUN}/SC022_g0_jrc.mat", "sorting"),
        ("ephys", f"{RUN}/SC022_g0.ap_res.mat", "sorting"),
        ("ephys", f"{RUN}/ks4/kilosort4.log", "sorting"),
        ("ephys", f"{RUN}/ks4/ops.npy", "sorting"),
        ("ephys", f"{RUN}/si/numpysorting_info.json", "sorting"),
        ("ephys", f"{RUN}/si/properties/quality.npy", "sorting"),
        ("ephys", f"{RUN}/si/sorting_cached.npz", "sorting"),
        ("ephys", f"{RUN}/si/provenance.pkl", "raw"),
        ("ephys", f"{RUN}/notes.docx", "raw"),
        ("histology", "SC022/20190228_1/channel_locations_shank1.json", "histology"),
        ("histology", "SC022/histology/landmarks_SC022_20190228_1_siteInfo.mat", "histology"),
        ("histology", "SC022/20190228_1/slice.tif", "raw"),
        ("tracking", "SC022/SC022_022819/SC022_side_1-0000.csv", "tracking"),
        ("tracking", "SC022/SC022_022819/SC022_022819_side.txt", "tracking_map"),
        ("tracking", "SC022/SC022_022819/SC022_side_1-0000.AVI", "video"),
        ("tracking", "SC022/SC022_022819/SC022_side_1-0000DLC_resnet50_x.h5", "tracking"),
        ("tracking", "SC022/SC022_022819/SC022_side_1-0000DLC_resnet50_x_meta.pickle", "raw"),
        ("tracking", "SC022/SC022_022819/SC022_side_1-0000DLC_resnet50_x_skeleton.csv", "raw"),
        ("tracking", "SC022/SC022_022819/SC022_side_1-0000DLC_resnet50_x_labeled.mp4", "raw"),
        ("tracking", "SC022/SC022_022819/CollectedData_dave.h5", "raw"),
        ("raw", "SC022/20190228/anything.xyz", "raw"),
        ("behavior", "SC022/tw2/Session Data/SC022_tw2_20190228_151010.mat", "behavior"),
    ],
)
def test_a_name_on_a_share_of_a_kind_has_one_role(kind: str, name: str, role: str) -> None:
    assert named(kind, name, is_plain=True).role == role


@pytest.mark.parametrize(
    ("kind", "name", "rule"),
    [
        ("ephys", "SC022/Thumbs.db", "os-litter"),
        ("ephys", "SC022/.DS_Store", "os-litter"),
        ("raw", "$RECYCLE.BIN/S-1-5/x.bin", "os-litter"),
        ("tracking", "SC022/a.avi.part", "temporary-file"),
        ("behavior", ".SC022_tw2_20190228_151010.mat.Xk2f", "temporary-file"),
        ("ephys", "SC022/20190228/.phy/memcache.npy", "temporary-file"),
        ("histology", "~$notes.docx", "temporary-file"),
        ("behavior", ".map_assets_share", "share-marker"),
        ("behavior", "SC022/tw2/Session Settings/DefaultSettings.mat", "bpod-settings"),
        ("behavior", "SC022/notes.txt", "not-a-behavior-file"),
        ("behavior", "FOR01/weights.csv", "not-a-behavior-file"),
        ("ephys", f"{RUN}/CatGT.log", "log-file"),
    ],
)
def test_litter_is_ignored_by_a_named_rule_that_says_why(kind: str, name: str, rule: str) -> None:
    found = named(kind, name, is_plain=True)
    assert (found.role, found.rule, found.refusal) == (None, rule, None)
    assert rule_of(kind, name).why.endswith(".")


def test_every_ignore_rule_has_a_name_and_a_sentence_and_every_kind_ends_with_a_rule_for_all() -> None:
    for rule in RULES:
        assert (rule.role is None) == bool(rule.rule) == bool(rule.why)
    for kind in ("behavior", "tracking", "ephys", "histology", "raw"):
        assert "*" in [rule for rule in RULES if kind in rule.kinds][-1].names


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("SC022_tw2_20190228_151010.mat", "SC022_20190228_151010"),
        ("dl25_tw2_20180225_102508.mat", "dl25_20180225_102508"),
        ("7_a_b_c_20180225_102508.mat", "7_20180225_102508"),
        ("A-1_multi target licking_20200229_000000.MAT", "A-1_20200229_000000"),
        ("FOR01_foraging_20210315_103000.csv", "FOR01_20210315_103000"),
        ("FOR01/20210315-103000/20210315-103000.csv", "FOR01_20210315_103000"),
        ("FOR01/sessions/20210315-103000/20210315-103000_FOR01.csv", "FOR01_20210315_103000"),
        (
            "data/FOR01/Foraging/experiments/F/setups/T-2/sessions/20210315-103000/20210315-103000.csv",
            "FOR01_20210315_103000",
        ),
    ],
)
def test_a_behavior_name_tells_the_session(name: str, key: str) -> None:
    assert str(behavior_session(name)) == key


@pytest.mark.parametrize(
    "name",
    [
        "SC022_20190228_151010.mat",
        "SC022_tw2_20190230_151010.mat",
        "SC022_tw2_20190228_251010.mat",
        "SC022_tw2_20190228_151010_copy.mat",
        "SC 22_tw2_20190228_151010.mat",
        "DefaultSettings.mat",
        "_tw2_20190228_151010.mat",
        "SC022_tw2_20190228_151010.mat\n",
        "20210315-103000.csv",
        "Foraging/experiments/F/setups/T-2/sessions/20210315-103000/20210315-103000.csv",
        "FOR01/20211315-103000.csv",
    ],
)
def test_a_file_on_a_behavior_share_that_tells_no_session_is_refused(name: str) -> None:
    refusal = named("behavior", name, is_plain=True).refusal
    assert isinstance(refusal, NameDoesNotParse | UnsafePath)
    assert "expected" in str(refusal)


@pytest.mark.parametrize("name", ["..\\evil.mat", "SC022/20190228/a\nb.npy", "SC022/2019\x0728/x.npy", "a\udcff.npy"])
def test_names_with_control_characters_backslashes_or_no_text_are_refused(name: str) -> None:
    refusal = named("ephys", name, is_plain=True).refusal
    assert isinstance(refusal, UnsafePath)
    assert str(refusal).isprintable()


def test_a_link_is_refused_whatever_it_is_called() -> None:
    assert isinstance(named("ephys", f"{RUN}/spike_times.npy", is_plain=False).refusal, UnsafePath)
    assert isinstance(named("raw", "Thumbs.db", is_plain=False).refusal, UnsafePath)


@pytest.mark.parametrize(
    ("kind", "path", "animals", "day"),
    [
        ("ephys", "dl25/20180225/1/spike_times.npy", ("dl25",), date(2018, 2, 25)),
        ("ephys", "dl25/2018-02-25/1/dl25_bitcode.mat", ("dl25",), date(2018, 2, 25)),
        ("ephys", "dl25/catgt_20180225_g0/20180225_x_imec0/a.ap.meta", ("dl25",), date(2018, 2, 25)),
        ("ephys", f"{RUN}/a.ap.meta", ("SC022",), date(2019, 2, 28)),
        ("ephys", "HH09/catgt_HH09_S06_20210615_g0/HH09_S06_20210615_g0_imec0/a.npy", ("HH09",), date(2021, 6, 15)),
        ("ephys", "SC022_20190228_g0/SC022_20190228_g0_imec0/a.ap.bin", ("SC022",), date(2019, 2, 28)),
        ("ephys", "ephys/SC022/20190228/1/a.npy", ("SC022",), date(2019, 2, 28)),
        ("ephys", "SC022/20190228/1/ks2_20190305/a.npy", ("SC022",), date(2019, 2, 28)),
        ("tracking", "SC022/SC022_022819/a.csv", ("SC022",), date(2019, 2, 28)),
        ("tracking", "SC022/20190228/tracking/a.csv", ("SC022",), date(2019, 2, 28)),
        ("tracking", "side/SC022/2019_02_28/a.csv", ("SC022",), date(2019, 2, 28)),
        ("tracking", "video/side_face/SC022/2019_02_28_2/a.csv", ("SC022",), date(2019, 2, 28)),
        ("histology", "SC022/20190228_2/channel_locations.json", ("SC022",), date(2019, 2, 28)),
        ("histology", "SC022/histology/landmarks_SC022_20190228_1.csv", ("SC022",), date(2019, 2, 28)),
        ("histology", "SC022/histology_20190401/landmarks_SC022_20190228_1.csv", ("SC022",), date(2019, 2, 28)),
        ("raw", "SC022/20190228/notes.txt", ("SC022",), date(2019, 2, 28)),
    ],
)
def test_the_labs_folder_conventions_tell_animal_and_date(
    kind: str, path: str, animals: tuple[str, ...], day: date
) -> None:
    clue = clue_of(kind, path)
    assert (clue.animals, clue.day) == (animals, day)


@pytest.mark.parametrize(
    "path", ["readme.txt", "SC022/notes.txt", "20190228/a.npy", "SC022/190228/a.npy", "SC022/139919/a.npy"]
)
def test_a_path_without_animal_and_date_is_refused_and_six_digits_are_only_ever_mmddyy(path: str) -> None:
    with pytest.raises(NameDoesNotParse, match="animal and date"):
        clue_of("ephys", path)


def test_tracking_folders_count_the_sessions_of_a_day_and_histology_numbers_are_insertions() -> None:
    assert clue_of("tracking", "SC022/SC022_022819/a.csv").ordinal == 1
    assert clue_of("tracking", "SC022/SC022_022819_2/a.csv").ordinal == 2
    assert clue_of("tracking", "SC022/20190228_3/tracking/a.csv").ordinal == 3
    assert clue_of("tracking", "bottom/SC022/2019_02_28/a.csv").ordinal == 1
    assert clue_of("tracking", "bottom/SC022/2019_02_28_2/a.csv").ordinal == 2
    assert clue_of("histology", "SC022/20190228_2/a.json").ordinal is None
    timed = clue_of("histology", "SC022/histology/landmarks_SC022_20190228_151010_1_2_siteInfo.mat")
    assert (timed.name_time, timed.is_key_time) == (time(15, 10, 10), True)


def test_the_run_index_is_no_hint() -> None:
    first, second = (clue_of("ephys", f"SC022/SC022_20190228_{run}/a.npy") for run in ("g0", "g1"))
    assert (first.ordinal, first.name_time) == (second.ordinal, second.name_time) == (None, None)


AM = KnownSession(SessionKey.parse("SC022_20190228_101010"), datetime(2019, 2, 28, 10, 15))
PM = KnownSession(SessionKey.parse("SC022_20190228_151010"), datetime(2019, 2, 28, 15, 15))
OTHER = KnownSession(SessionKey.parse("SC023_20190228_101010"))
DAY = Clue(("sc022",), date(2019, 2, 28), ())


def at(hour: int, minute: int) -> datetime:
    return datetime(2019, 2, 28, hour, minute)


def test_the_only_session_of_the_day_is_it() -> None:
    assert assign(DAY, [AM, OTHER]) == Placed(str(AM.key))


def test_without_a_behavior_file_the_reason_names_animal_and_date() -> None:
    assert assign(DAY, [OTHER]).reason == "waiting for a behaviour file of sc022 on 2019-02-28"


def test_two_sessions_a_day_are_told_apart_by_when_the_recording_began() -> None:
    assert assign(DAY, [PM, AM], [at(15, 2)]) == Placed(str(PM.key))
    assert assign(DAY, [PM, AM], [at(10, 2), at(10, 3)]) == Placed(str(AM.key))


@pytest.mark.parametrize(
    ("sessions", "recorded", "said"),
    [
        ([AM, PM], [], "nothing in its folder tells which"),
        ([AM, KnownSession(PM.key)], [at(10, 2)], f"the start of {PM.key} is not known yet"),
        ([AM, PM], [at(12, 0)], "none began within 30 min"),
        ([AM, PM], [at(10, 2), at(15, 2)], "holds recordings of"),
    ],
)
def test_what_does_not_tell_two_sessions_apart_waits_and_says_so(
    sessions: list[KnownSession], recorded: list[datetime], said: str
) -> None:
    placed = assign(DAY, sessions, recorded)
    assert placed.session is None
    assert said in str(placed.reason)


def test_a_time_in_a_histology_name_takes_that_session_and_no_other() -> None:
    clue = clue_of("histology", "SC022/histology/landmarks_SC022_20190228_151010_1.csv")
    assert assign(clue, [AM, PM]) == Placed(str(PM.key))
    assert "SC022_20190228_151010" in str(assign(clue, [AM]).reason)


def test_tracking_goes_by_the_order_of_the_day() -> None:
    second = clue_of("tracking", "SC022/SC022_022819_2/a.csv")
    assert assign(second, [PM, AM]) == Placed(str(PM.key))
    assert assign(clue_of("tracking", "SC022/SC022_022819/a.csv"), [PM, AM]) == Placed(str(AM.key))
    assert assign(second, [AM]).reason == "waiting for behaviour file number 2 of SC022 on 2019-02-28"


def test_a_path_that_names_two_animals_with_a_session_that_day_waits() -> None:
    clue = clue_of("ephys", "SC022/SC023_20190228_g0/a.npy")
    assert "each has a session" in str(assign(clue, [AM, OTHER]).reason)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([AM, PM, OTHER, KnownSession(PM.key)]), max_size=4, unique=True),
    st.lists(st.integers(0, 24 * 60 - 1), max_size=3),
    st.sampled_from(["ephys", "tracking", "histology"]),
)
def test_a_path_is_either_placed_in_a_known_session_or_told_why_not(
    sessions: list[KnownSession], minutes: list[int], kind: str
) -> None:
    recorded = [at(minute // 60, minute % 60) for minute in minutes]
    placed = assign(clue_of(kind, "SC022/20190228/x.npy"), sessions, recorded)
    assert (placed.session is None) != (placed.reason is None)
    assert placed.session is None or placed.session in {str(one.key) for one in sessions}


def test_a_classifier_s_file_names_its_session_wherever_it_lies() -> None:
    clue = clue_of("ephys", "SC022/catgt_SC022_022719_g0/SC022_20190228_151010_GoodUnitsIdx_14regions_cl.mat")
    assert (clue.animals[0], clue.day, clue.name_time) == ("SC022", date(2019, 2, 28), time(15, 10, 10))
    assert clue.is_key_time
