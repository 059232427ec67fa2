"""The NI-DAQ's lines: a real digital recording, and made-up ones read in pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.ephys.edges import Line, find_edges
from map_assets.ephys.nidq import NidqFile, digital_lines, line_edges, open_nidq, sync_line
from map_assets.vocabulary.errors import PiecesDoNotFit, UnreadableFile


def write_nidq(path: Path, samples: np.ndarray, **changes: str | None) -> Path:
    """A .nidq.bin of two XA channels and one digital word, and its .meta; a change of None leaves the key out."""
    path.write_bytes(samples.astype("<i2").tobytes())
    keys: dict[str, str | None] = {
        "acqMnMaXaDw": "0,0,2,1",
        "fileSHA1": "AB",
        "fileSizeBytes": str(path.stat().st_size),
        "fileTimeSecs": "1",
        "nSavedChans": "3",
        "niAiRangeMax": "5",
        "niMaxInt": "32768",
        "niSampRate": "2500",
        "snsMnMaXaDw": "0,0,2,1",
        "snsSaveChanSubset": "all",
        "typeThis": "nidq",
    }
    keys.update(changes)
    path.with_suffix(".meta").write_text(
        "".join(f"{key}={value}\n" for key, value in keys.items() if value is not None)
    )
    return path


def opened(path: Path) -> NidqFile:
    return open_nidq(path, path.with_suffix(".meta"))


def test_the_real_digital_recording_has_326_edges_of_its_sync_line(shared_data: Path) -> None:
    path = shared_data / "spikeglx/runs/DigitalChannelTest_g0/DigitalChannelTest_g0_t0.nidq.bin"
    file = opened(path)
    assert (file.samples.shape, file.sample_rate_hz, file.state) == ((406776, 1), 2500.0, "whole")
    assert sync_line(file.meta) == ("XD0", 0.0)
    edges = line_edges(file, digital_lines(file), 0.0)
    assert sum(len(found.sample) for found in edges.values()) == 326
    (line,) = [name for name, found in edges.items() if len(found.sample)]
    assert line == "XD0"
    word = np.fromfile(path, "<i2") & 1
    np.testing.assert_array_equal(edges[line].sample, np.flatnonzero(np.diff(word)) + 1)
    np.testing.assert_array_equal(word[edges[line].sample] == 1, edges[line].is_rising)
    # a wave of 1 Hz on the NI-DAQ's own clock: every half second to the sample
    assert set(np.diff(edges[line].sample)) <= {1249, 1250, 1251}


@pytest.mark.parametrize(("run", "n_channels"), [("Noise4Sam_g0", 9), ("NP2_with_sync", 2)])
def test_real_recordings_without_pulses_have_no_edges(shared_data: Path, run: str, n_channels: int) -> None:
    (path,) = (shared_data / "spikeglx/runs" / run).glob("*.nidq.bin")
    file = opened(path)
    assert file.samples.shape[1] == n_channels
    analog = [f"XA{n}" for n in range(file.acquired["XA"])]
    edges = line_edges(file, [*digital_lines(file), *analog], 1.1)
    assert {len(found.sample) for found in edges.values()} == {0}


@given(
    words=st.lists(st.integers(-(2**15), 2**15 - 1), max_size=200),
    bit=st.integers(0, 15),
    piece_bytes=st.integers(1, 200),
)
@settings(max_examples=60, deadline=None)
def test_pieces_of_any_size_find_the_edges_that_the_whole_has(words: list[int], bit: int, piece_bytes: int) -> None:
    samples = np.array(words, np.int16).reshape(-1, 1)
    (found,) = find_edges(samples, [Line(0, bit)], piece_bytes=piece_bytes)
    state = np.array([word >> bit & 1 for word in words], np.int64)
    steps = np.diff(state)
    assert found.sample.tolist() == (np.flatnonzero(steps) + 1).tolist()
    assert found.is_rising.tolist() == (steps[steps != 0] > 0).tolist()


def test_analog_and_digital_lines_are_read_in_one_pass(tmp_path: Path) -> None:
    samples = np.zeros((1000, 3), np.int64)
    samples[100:200, 0] = 16384  # 2.5 V
    samples[300:310, 1] = 6553  # 1.0 V
    samples[400:500, 2] = 1 << 4
    samples[450:460, 2] |= 1 << 15
    file = opened(write_nidq(tmp_path / "a.nidq.bin", np.where(samples > 32767, samples - 65536, samples)))
    edges = line_edges(file, ["XA0", "XA1", "XD4", "XD15", "XD3"], 1.5)
    assert {name: found.sample.tolist() for name, found in edges.items()} == {
        "XA0": [100, 200],
        "XA1": [],
        "XD4": [400, 500],
        "XD15": [450, 460],
        "XD3": [],
    }
    assert line_edges(file, ["XA1"], 0.9)["XA1"].rising.tolist() == [300]


def test_a_gain_scales_the_threshold_and_a_subset_shifts_the_columns(tmp_path: Path) -> None:
    samples = np.zeros((10, 2), np.int64)
    samples[4:, 0] = 1000
    told = {"acqMnMaXaDw": "0,3,0,1", "snsMnMaXaDw": "0,1,0,1", "nSavedChans": "2", "snsSaveChanSubset": "2:3"}
    file = opened(write_nidq(tmp_path / "a.nidq.bin", samples, niMAGain="10", **told))
    volt = 1000 / 32768 * 5 / 10
    assert line_edges(file, ["MA2"], volt)["MA2"].sample.tolist() == [4]
    assert line_edges(file, ["MA2"], volt * 1.01)["MA2"].sample.tolist() == []
    with pytest.raises(PiecesDoNotFit, match="no line MA0"):
        line_edges(file, ["MA0"], 1.0)


@pytest.mark.parametrize("line", ["XD16", "XA2", "MN0", "X7", "", "XD", "../XD0"])
def test_a_line_that_the_file_does_not_hold_is_refused(tmp_path: Path, line: str) -> None:
    file = opened(write_nidq(tmp_path / "a.nidq.bin", np.zeros((5, 3))))
    with pytest.raises(PiecesDoNotFit, match="holds no line"):
        line_edges(file, [line], 1.0)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"nSavedChans": "2"}, PiecesDoNotFit),
        ({"nSavedChans": None}, UnreadableFile),
        ({"snsMnMaXaDw": "0,0,3"}, UnreadableFile),
        ({"snsMnMaXaDw": "0,0,9,1"}, PiecesDoNotFit),
        ({"acqMnMaXaDw": "0,0,1,1"}, PiecesDoNotFit),
        ({"niSampRate": "0"}, UnreadableFile),
        ({"niSampRate": None}, UnreadableFile),
        ({"fileSizeBytes": "20"}, PiecesDoNotFit),
    ],
)
def test_a_meta_file_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, str | None], error: type[Exception]
) -> None:
    path = write_nidq(tmp_path / "a.nidq.bin", np.zeros((5, 3)), **changes)
    with pytest.raises(error, match=r"a\.nidq\."):
        opened(path)


def test_the_analog_sync_line_is_counted_after_the_multiplexed_channels(tmp_path: Path) -> None:
    told = {"acqMnMaXaDw": "0,1,1,1", "snsMnMaXaDw": "0,1,1,1"}
    told |= {"syncNiChanType": "1", "syncNiChan": "1", "syncNiThresh": "1.1"}
    file = opened(write_nidq(tmp_path / "a.nidq.bin", np.zeros((5, 3)), **told))
    assert sync_line(file.meta) == ("XA0", 1.1)
    assert sync_line(opened(write_nidq(tmp_path / "b.nidq.bin", np.zeros((5, 3)))).meta) is None
