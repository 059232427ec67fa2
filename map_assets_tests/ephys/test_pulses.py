"""CatGT's lists of pulses, trial codes sent as pulses, and streams tied by sync pulses."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.ephys.pulse_code import decode, encode, read_pulse_protocol
from map_assets.ephys.pulses import parse_pulse_list, read_pulses
from map_assets.ephys.sync import match_pulses
from map_assets.vocabulary.errors import BadInput, ClockDoesNotFit, PiecesDoNotFit, UnreadableFile

PROTOCOL = read_pulse_protocol()
HERE = Path("x_tcat.nidq.XA_1_2.txt")


def pulses_of(start_s: list[float], numbers: list[int], jitter_s: float = 0.0, stretch: float = 1.0) -> np.ndarray:
    """Pulses as a rig sends them: one for each bit that is set, lowest first."""
    found = [
        start + (0.05 + 0.007 * place) * stretch + jitter_s * (-1) ** place
        for start, number in zip(start_s, numbers, strict=True)
        for place in range(10)
        if number >> place & 1
    ]
    return np.array(found)


@pytest.mark.parametrize(
    ("number", "code"),
    [(1, "1000000000"), (2, "0100000000"), (5, "1010000000"), (341, "1010101010"), (1023, "1111111111")],
)
def test_a_trial_number_is_written_lowest_bit_first(number: int, code: str) -> None:
    assert encode(number, 10) == code
    assert decode(np.array([3.0]), pulses_of([3.0], [number]), PROTOCOL, HERE) == [code]


@given(
    numbers=st.lists(st.integers(0, 1023), min_size=1, max_size=20),
    jitter_s=st.floats(-0.0008, 0.0008),
    stretch=st.floats(0.995, 1.005),
)
@settings(max_examples=60, deadline=None)
def test_what_is_encoded_is_decoded(numbers: list[int], jitter_s: float, stretch: float) -> None:
    start = [10.0 + 5.3 * trial for trial in range(len(numbers))]
    found = decode(np.array(start), pulses_of(start, numbers, jitter_s, stretch), PROTOCOL, HERE)
    assert found == [encode(number, 10) for number in numbers]


@given(number=st.integers(0, 2**16 - 1))
@settings(max_examples=30)
def test_a_code_is_the_number_reversed(number: int) -> None:
    assert int(encode(number, 16)[::-1], 2) == number


@pytest.mark.parametrize(("number", "n_bits"), [(1024, 10), (-1, 10), (0, 0)])
def test_a_number_that_does_not_fit_is_refused(number: int, n_bits: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        encode(number, n_bits)


@pytest.mark.parametrize(
    ("pulse", "words"),
    [
        ([10.05, 16.12], "2. trial stands beyond the last of 10 bits"),
        ([10.05, 16.01], "2. trial stands before the first bit"),
        ([10.05, 10.0505], "1. trial is the second at one place"),
        ([16.05, 17.9], "2. trial stands beyond"),
    ],
)
def test_a_pulse_at_no_place_names_its_trial(pulse: list[float], words: str) -> None:
    with pytest.raises(PiecesDoNotFit, match=words):
        decode(np.array([10.0, 16.0, 22.0]), np.array(pulse), PROTOCOL, HERE)


def test_pulses_before_the_first_trial_and_long_after_the_last_belong_to_none() -> None:
    start = np.array([10.0, 16.0])
    assert decode(start, np.array([1.0, 10.05, 16.057, 116.0]), PROTOCOL, HERE) == ["1000000000", "0100000000"]
    assert decode(np.empty(0), np.array([1.0]), PROTOCOL, HERE) == []
    assert decode(start, np.empty(0), PROTOCOL, HERE) == ["0000000000", "0000000000"]


def test_the_protocol_file_names_what_the_decoding_rests_on() -> None:
    found = tomllib.loads(files("map_assets.ephys.protocols").joinpath("trial_number.toml").read_text("utf-8"))
    assert (found["n_bits"], found["first_bit_delay_s"], found["pulse_spacing_s"]) == (10, 0.05, 0.007)
    assert PROTOCOL.source == f"trial_number.toml version {found['version']}"
    wide = replace(PROTOCOL, n_bits=4, first_bit_delay_s=0.1, pulse_spacing_s=0.02)
    assert decode(np.array([1.0]), np.array([1.1, 1.16]), wide, HERE) == ["1001"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("SC_g0_tcat.nidq.XA_0_0.txt", ("nidq", "XA_0_0", None, 0, False)),
        ("SC_g0_tcat.nidq.XA_1_2.adj.txt", ("nidq", "XA_1_2", None, 2, True)),
        ("SC.XA_1_2_adj.txt", ("nidq", "XA_1_2", None, 2, True)),
        ("SC_g0_tcat.nidq.xa_0_500.txt", ("nidq", "XA_0_500", None, 500, False)),
        ("SC_g0_tcat.nidq.xd_8_4_500.txt", ("nidq", "XD_8_4_500", 4, 500, False)),
        ("SC_g0_tcat.imec1.ap.SY_384_6_500.txt", ("imec1", "SY_384_6_500", 6, 500, False)),
        ("SC_g0_tcat.imec0.SY_384_6_500.txt", ("imec0", "SY_384_6_500", 6, 500, False)),
        ("SC_g0_tcat.imec0.ap.xd_384_6_500.txt", ("imec0", "XD_384_6_500", 6, 500, False)),
        ("SC_g0_tcat.imec0.lf.xd_384_6_500.txt", None),
        ("SC_g0_tcat.nidq.iXA_0_0.txt", None),
        ("SC_g0_tcat.nidq.xia_0_0.txt", None),
        ("SC_g0_tcat.nidq.XA_0.txt", None),
        ("SC_g0_tcat.nidq.XA_0_0_0.txt", None),
        ("SC_g0_tcat.SY_384_6_500.txt", None),
        ("notes.txt", None),
    ],
)
def test_a_lists_name_tells_stream_line_and_width(name: str, told: tuple | None) -> None:
    found = parse_pulse_list(name)
    assert (found and (found.stream, found.line, found.bit, found.width_ms, found.is_adjusted)) == told


def test_a_list_is_read_with_either_line_end_and_an_empty_one_has_no_pulses(tmp_path: Path) -> None:
    path = tmp_path / "a.XA_0_0.txt"
    path.write_bytes(b"1.5\r\n2.250000\r\n\r\n  30\r\n")
    assert read_pulses(path).tolist() == [1.5, 2.25, 30.0]
    path.write_bytes(b"")
    assert read_pulses(path).tolist() == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"1.0\n2.0\n3.", "cut off"),
        (b"1.0\n1.0\n", "do not rise"),
        (b"2.0\n1.0\n", "do not rise"),
        (b"1.0 2.0\n", "something else"),
        (b"1.0\nnan\n", "something else"),
        (b"1_0\n", "something else"),
        (b"1e999\n", "something else"),
        (b"1e99\n1e99\n", "do not rise"),
        (b"1.0\n1e9\n", "beyond ten days"),
        (b"-1e9\n1.0\n", "beyond ten days"),
        (b"\0\0\n", "something else"),
        ("1.0\n٢\n".encode(), "something else"),
    ],
)
def test_a_damaged_list_says_what_is_wrong(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.XA_0_0.txt"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=words):
        read_pulses(path)


@given(content=st.binary(max_size=80))
@settings(max_examples=80, deadline=None)
def test_whatever_stands_in_a_list_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("list") / "a.XA_0_0.txt"
    path.write_bytes(content)
    try:
        times = read_pulses(path)
    except BadInput:
        return
    assert (np.diff(times) > 0).all()


@given(
    drift_ppm=st.floats(-300, 300),
    offset_s=st.floats(-0.2, 0.2),
    lost=st.sets(st.integers(0, 59), max_size=20),
)
@settings(max_examples=60, deadline=None)
def test_pulses_that_either_stream_missed_shift_nothing(drift_ppm: float, offset_s: float, lost: set[int]) -> None:
    wave = 0.3 + np.arange(60.0) * 60
    wave = np.sort(np.concatenate([wave, wave + 1, wave + 2]))
    kept = np.array([number not in lost for number in range(len(wave))])
    to = wave * (1 + drift_ppm * 1e-6) + offset_s
    found = match_pulses(wave[kept], to, Path("x.txt"))
    times = np.linspace(wave[kept][0], wave[kept][-1], 200)
    carried = found.carry(times, 60.0)
    np.testing.assert_allclose(carried, times * (1 + drift_ppm * 1e-6) + offset_s, atol=1e-9)
    assert (np.diff(carried) > 0).all()


def test_times_far_from_every_sync_pulse_are_unknown() -> None:
    wave = np.arange(10.0, 20.0)
    found = match_pulses(wave, wave * 1.0001 + 0.01, Path("x.txt"))
    carried = found.carry(np.array([1.0, 9.0, 15.5, 22.0, 40.0]), 5.0)
    np.testing.assert_allclose(carried, [np.nan, 9.0109, 15.51155, 22.0122, np.nan])


@pytest.mark.parametrize(
    ("from_s", "to_s", "words"),
    [
        (np.arange(2.0), np.arange(9.0), "2 and 9 sync pulses"),
        (np.arange(9.0), np.arange(9.0) * 2, "every 1 s and 2 s"),
        (np.arange(9.0), np.arange(9.0) + 0.5, "0.50 periods apart"),
        (np.array([0.0, 1, 2, 3.3, 4, 5]), np.arange(9.0), "at 3.300000 s is out of step"),
        (np.array([0.0, 1, 2, 3, 3.01, 4]), np.arange(9.0), "at 3.010000 s is out of step"),
        (np.arange(3.0), np.arange(7.0, 12.0), "0 sync pulses were seen by both"),
    ],
)
def test_pulses_that_cannot_be_paired_without_a_guess_are_refused(
    from_s: np.ndarray, to_s: np.ndarray, words: str
) -> None:
    with pytest.raises(ClockDoesNotFit, match=words):
        match_pulses(from_s, to_s, Path("x.txt"))


def test_a_laboratory_s_own_protocol_stands_in_the_place_of_the_package_s(tmp_path: Path) -> None:
    from importlib.resources import files

    from map_assets.vocabulary.errors import BadConfiguration

    own = tmp_path / "ours.toml"
    packaged = files("map_assets.ephys.protocols").joinpath("trial_number.toml").read_text("utf-8")
    own.write_text(packaged.replace("n_bits = 10", "n_bits = 12"))
    assert (read_pulse_protocol(own).n_bits, read_pulse_protocol().n_bits) == (12, 10)
    own.write_text(packaged.replace('start_marks = "trial"', 'start_marks = "code"'))
    assert (read_pulse_protocol(own).start_marks, read_pulse_protocol().start_marks) == ("code", "trial")
    own.write_text(packaged.replace('start_marks = "trial"', 'start_marks = "go"'))
    with pytest.raises(BadConfiguration, match="start_marks is 'go'; it is 'trial' or 'code'"):
        read_pulse_protocol(own)
    for damaged in (
        packaged.replace("start_marks", "starts"),
        "n_bits = ",
        packaged.replace("[sync]", "[other]"),
        "lists = 3",
    ):
        own.write_text(damaged)
        with pytest.raises(BadConfiguration, match=r"ours\.toml"):
            read_pulse_protocol(own)
