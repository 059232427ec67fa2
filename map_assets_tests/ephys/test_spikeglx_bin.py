"""Raw recordings as arrays: real shortened ones, whole ones, and files of odd sizes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.ephys.bin_samples import open_samples
from map_assets.ephys.spikeglx import open_bin
from map_assets.vocabulary.errors import ChangedWhileRead, PiecesDoNotFit, UnreadableFile

REAL = {
    "Noise4Sam_g0/Noise4Sam_g0_imec0/Noise4Sam_g0_t0.imec0.ap.bin": (1155, 2.34375),
    "NP2_with_sync/all_chan_g0_imec0/all_chan_g0_t0.imec0.ap.bin": (1000, 3.02734375),
    "TEST_20210920_0_g0/TEST_20210920_0_g0_t0.imec0.ap.bin": (1000, 0.762939453125),
}


@pytest.mark.parametrize("name", REAL)
def test_a_real_shortened_recording_is_an_incomplete_copy_that_can_be_read(shared_data: Path, name: str) -> None:
    path = shared_data / "spikeglx/runs" / name
    n_samples, microvolt = REAL[name]
    file = open_bin(path, path.with_suffix(".meta"))
    assert file.samples.shape == (n_samples, 385)
    assert (file.n_ap_channels, file.n_lf_channels, file.sample_rate_hz) == (384, 0, 30000.0)
    assert file.state == "incomplete copy"
    np.testing.assert_allclose(file.microvolt_per_bit[:384], microvolt, rtol=1e-12)
    assert np.isnan(file.microvolt_per_bit[384:]).all()
    np.testing.assert_array_equal(file.samples[100:900:3], np.fromfile(path, "<i2").reshape(-1, 385)[100:900:3])


def test_a_whole_recording_is_whole_and_each_channel_has_its_own_scale(make: SimpleNamespace, tmp_path: Path) -> None:
    imro = "(0,384)" + "".join(f"({c} 0 0 {(500, 250)[c % 2]} {(250, 125)[c % 2]} 1)" for c in range(384))
    subset = {"snsApLfSy": "2,2,1", "acqApLfSy": "384,384,1", "snsSaveChanSubset": "0:1,384:385,768"}
    shank_map = "(1,2,480)(0:0:0:1)(0:1:0:1)"
    meta = make.write_meta(
        tmp_path / "a.ap.meta", fileSizeBytes="40", **subset, **{"~imroTbl": imro, "~snsShankMap": shank_map}
    )
    meta.with_suffix(".bin").write_bytes(np.arange(20, dtype="<i2").tobytes())
    file = open_bin(meta.with_suffix(".bin"), meta)
    assert file.samples[:].tolist() == np.arange(20).reshape(4, 5).tolist()
    assert (file.n_ap_channels, file.n_lf_channels, file.state) == (2, 2, "whole")
    np.testing.assert_allclose(file.microvolt_per_bit, [2.34375, 4.6875, 4.6875, 9.375, np.nan])


def test_an_lf_file_has_lf_channels_alone(shared_data: Path, tmp_path: Path) -> None:
    meta = shared_data / "spikeglx/runs/Noise4Sam_g0/Noise4Sam_g0_imec0/Noise4Sam_g0_t0.imec0.lf.meta"
    path = tmp_path / "a.lf.bin"
    path.write_bytes(bytes(2 * 385 * 3))
    file = open_bin(path, meta)
    assert (file.samples.shape, file.n_ap_channels, file.n_lf_channels) == ((3, 385), 0, 384)
    assert file.sample_rate_hz == 2500.0
    np.testing.assert_allclose(file.microvolt_per_bit[:384], 9.375)


@given(size=st.integers(0, 60))
@settings(max_examples=40, deadline=None)
def test_a_size_that_is_no_whole_number_of_samples_is_refused(
    tmp_path_factory: pytest.TempPathFactory, size: int
) -> None:
    path = tmp_path_factory.mktemp("odd") / "a.ap.bin"
    path.write_bytes(bytes(size))
    if size % 10:
        with pytest.raises(PiecesDoNotFit, match=f"{size} bytes are no whole number of samples of 5 channels"):
            open_samples(path, 5)
    else:
        assert open_samples(path, 5).shape == (size // 10, 5)


def test_a_bin_that_is_not_there_or_too_long_is_refused(make: SimpleNamespace, tmp_path: Path) -> None:
    meta = make.write_meta(tmp_path / "a.ap.meta", fileSizeBytes="40")
    with pytest.raises(UnreadableFile, match=r"a\.ap\.bin"):
        open_bin(meta.with_suffix(".bin"), meta)
    meta.with_suffix(".bin").write_bytes(bytes(50))
    with pytest.raises(PiecesDoNotFit, match="50 bytes"):
        open_bin(meta.with_suffix(".bin"), meta)


def test_a_bin_that_is_shortened_while_it_is_read_ends_no_process(tmp_path: Path) -> None:
    path = tmp_path / "a.ap.bin"
    path.write_bytes(bytes(100_000))
    samples = open_samples(path, 5)
    assert samples[9_000:9_010].shape == (10, 5)
    path.write_bytes(bytes(500))
    with pytest.raises(ChangedWhileRead, match=r"a\.ap\.bin"):
        samples[9_000:9_010]
    path.unlink()
    with pytest.raises(ChangedWhileRead, match="not there any more"):
        samples[0:10]
