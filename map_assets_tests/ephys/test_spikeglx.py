"""SpikeGLX meta files: 25 real ones of every kind of probe, and damaged ones."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from map_assets.ephys.probe_models import MODELS, model_of
from map_assets.ephys.spikeglx import Recording, is_probe_recording, read_recording
from map_assets.ephys.spikeglx_meta import read_meta
from map_assets.vocabulary.errors import NoFormatRecognizes, PiecesDoNotFit, UnreadableFile

NP1, NP1_LINEAR, NHP_LONG = (
    "neuropixels 1.0 - 3B",
    "neuropixels 1.0 - NHP short linear",
    "neuropixels 1.0 - NHP long staggered",
)
UHD1, UHD2 = "neuropixels 1.0 - UHD1", "neuropixels 1.0 - UHD2"
SS, MS, QB = "neuropixels 2.0 - SS", "neuropixels 2.0 - MS", "neuropixels 2.0 - QB"

REAL = {
    # file: model, shanks, rate's digits, channels with sync, uV per bit, used contacts
    "NP-Ultra.meta": (UHD1, 1, "30000", 385, 2.34375, 384),
    "NP1110_2x192_bank4_g0_t0.imec0.ap.meta": (UHD2, 1, "30000", 385, 2.34375, 384),
    "NP1110_bank0_g0_t0.imec0.ap.meta": (UHD2, 1, "30000", 385, 2.34375, 384),
    "NP1110_botrow80_g0_t0.imec0.ap.meta": (UHD2, 1, "30000", 385, 2.34375, 384),
    "NP1110_vstripe_g0_t0.imec0.ap.meta": (UHD2, 1, "30000", 385, 2.34375, 384),
    "NP1_saved_only_subset_of_channels.meta": (NP1, 1, "30000", 152, 2.34375, 151),
    "NP2020_sample_g0_t0.imec0.ap.meta": (QB, 4, "30000", 1540, 3.02734375, 1536),
    "NP2_2013_all_channels.imec0.ap.meta": (MS, 4, "30000", 385, 3.02734375, 384),
    "NP2_2013_subset_channels.imec0.ap.meta": (MS, 4, "30000", 121, 3.02734375, 120),
    "NP2_4_shanks.imec0.ap.meta": (MS, 4, "30000", 385, 0.762939453125, 383),
    "NP2_4_shanks_save_different_electrodes.imec0.ap.meta": (MS, 4, "30000", 385, 0.762939453125, 383),
    "Noise_g0_t0.imec0.ap.meta": (NP1, 1, "30000", 385, 2.34375, 383),
    "allan-longcol_g0_t0.imec0.ap.meta": (NP1, 1, "29999.941586", 385, 2.34375, 383),
    "catgt.meta": (NP1, 1, "30000.149579831934", 385, 2.34375, 383),
    "doppio-checkerboard_t0.imec0.ap.meta": (NP1, 1, "30000.030168", 385, 2.34375, 383),
    "non_human_primate_long_staggered.imec0.ap.meta": (NHP_LONG, 1, "30000", 385, 2.34375, 383),
    "non_human_primate_short_linear_probe_type_0.meta": (NP1_LINEAR, 1, "30000", 385, 2.34375, 383),
    "p2_g0_t0.imec0.ap.meta": (SS, 1, "30000", 385, 0.762939453125, 383),
    "phase3a.imec.ap.meta": ("neuropixels 1.0 - 3A", 1, "30000", 385, 2.34375, 374),
}


def read(path: Path) -> Recording:
    return read_recording(read_meta(path))


def test_every_real_meta_file_is_in_the_table(shared_data: Path) -> None:
    assert sorted(path.name for path in (shared_data / "spikeglx/meta").glob("*.meta")) == sorted(REAL)


@pytest.mark.parametrize("name", REAL)
def test_a_real_probe_tells_model_rate_channels_and_scale(shared_data: Path, name: str) -> None:
    model, n_shanks, rate, n_channels, microvolt, n_used = REAL[name]
    recording = read(shared_data / "spikeglx/meta" / name)
    assert recording.model.name == model
    assert recording.model.n_shanks == n_shanks
    assert recording.sample_rate_text == rate
    assert recording.sample_rate_hz == float(rate)
    assert recording.n_saved_channels == n_channels
    assert recording.microvolt_per_bit == pytest.approx(microvolt, rel=1e-12)
    assert np.count_nonzero(recording.sites.is_used) == n_used
    assert recording.serial_number is not None
    assert recording.serial_number.isdecimal()
    assert recording.duration_s is not None


@pytest.mark.parametrize("name", REAL)
def test_contacts_stand_where_an_independent_reader_puts_them(shared_data: Path, name: str) -> None:
    from probeinterface import read_spikeglx

    sites = read(shared_data / "spikeglx/meta" / name).sites
    probe = read_spikeglx(shared_data / "spikeglx/meta" / name)
    np.testing.assert_allclose(np.stack([sites.x_um, sites.y_um], axis=1), probe.contact_positions, atol=1e-9)
    on_shank = sites.electrode - sites.shank * 1280
    many = "s" in str(probe.contact_ids[0])
    names = [f"s{s}e{e}" if many else f"e{e}" for s, e in zip(sites.shank, on_shank, strict=True)]
    assert names == list(map(str, probe.contact_ids))


@pytest.mark.parametrize("part_number", sorted({part for model in MODELS for part in model.part_numbers}))
def test_every_listed_model_has_the_layout_that_an_independent_catalogue_has(part_number: str) -> None:
    from probeinterface.neuropixels_tools import build_neuropixels_probe

    model = model_of(part_number, None)
    assert model is not None
    probe = build_neuropixels_probe(part_number)
    shank, rest = np.divmod(np.arange(model.n_shanks * model.n_rows * model.n_columns), model.n_rows * model.n_columns)
    row, column = np.divmod(rest, model.n_columns)
    np.testing.assert_array_equal(model.electrode(shank, row, column), np.arange(len(shank)))
    np.testing.assert_allclose(model.position_um(shank, row, column), probe.contact_positions, atol=1e-9)


def test_a_catgt_file_keeps_the_acquisitions_own_time(shared_data: Path) -> None:
    assert read(shared_data / "spikeglx/meta/catgt.meta").recorded_local == "2023-04-27T15:21:38"


def test_a_four_shank_probe_counts_contacts_over_all_shanks(shared_data: Path) -> None:
    sites = read(shared_data / "spikeglx/meta/NP2_4_shanks_save_different_electrodes.imec0.ap.meta").sites
    assert sites.electrode[0] == 3 * 1280 + 2 * 288
    assert (sites.x_um[0], sites.y_um[0]) == (750.0, 4320.0)


def test_lfp_and_daq_streams_of_the_real_runs_are_no_probes(shared_data: Path) -> None:
    metas = {path.name: read_meta(path) for path in (shared_data / "spikeglx/runs").rglob("*.meta")}
    assert {name for name, meta in metas.items() if is_probe_recording(meta)} == {
        "Noise4Sam_g0_t0.imec0.ap.meta",
        "all_chan_g0_t0.imec0.ap.meta",
        "TEST_20210920_0_g0_t0.imec0.ap.meta",
    }
    assert len(metas) == 7


def test_a_line_with_two_equal_signs_is_kept(make: SimpleNamespace, tmp_path: Path) -> None:
    meta = read_meta(make.write_meta(tmp_path / "a.ap.meta", userNotes="depth=3.2 mm", catGTCmdline="-a=1 -b=2"))
    assert meta.text("userNotes") == "depth=3.2 mm"
    assert meta.text("catGTCmdline") == "-a=1 -b=2"


def test_tables_are_found_with_and_without_their_tilde(make: SimpleNamespace, tmp_path: Path) -> None:
    meta = read_meta(make.write_meta(tmp_path / "a.ap.meta"))
    assert meta.text("~imroTbl") == meta.text("imroTbl")
    assert meta.table("imroTbl")[0] == "0,384"


def test_the_gain_is_that_of_the_first_saved_channel(make: SimpleNamespace, tmp_path: Path) -> None:
    imro = "(0,384)" + "".join(f"({channel} 0 0 {250 if channel == 8 else 500} 250 1)" for channel in range(384))
    path = make.write_meta(tmp_path / "a.ap.meta", snsSaveChanSubset="8:11,768", **{"~imroTbl": imro})
    assert read(path).microvolt_per_bit == pytest.approx(2 * 2.34375)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"imSampRate": None}, UnreadableFile, "imSampRate"),
        ({"imSampRate": "fast"}, UnreadableFile, "'fast'"),
        ({"imSampRate": "-1"}, UnreadableFile, "-1"),
        ({"imAiRangeMax": None}, UnreadableFile, "imAiRangeMax"),
        ({"imMaxInt": "0"}, UnreadableFile, "imMaxInt"),
        ({"nSavedChans": None}, UnreadableFile, "nSavedChans"),
        ({"snsApLfSy": None}, UnreadableFile, "snsApLfSy"),
        ({"imDatPrb_pn": "NP9999"}, NoFormatRecognizes, "NP9999"),
        ({"imDatPrb_pn": None, "imDatPrb_type": "77"}, NoFormatRecognizes, "77"),
        ({"~snsShankMap": None}, UnreadableFile, "snsGeomMap"),
        ({"~snsShankMap": "(1,2,480)(0:0:0:1)"}, PiecesDoNotFit, "1 contacts for 4"),
        ({"~snsShankMap": "(1,2,480)(0:0:0:1)(0:0:0:1)(0:0:1:1)(0:1:1:1)"}, PiecesDoNotFit, "twice"),
        ({"~snsShankMap": "(1,2,480)(0:0:0:1)(0:1:0:1)(0:0:1:1)(0:1:480:1)"}, PiecesDoNotFit, "has none"),
        ({"~snsShankMap": "(1,2,480)(0:0:0:1)(0:x:0:1)(0:0:1:1)(0:1:1:1)"}, UnreadableFile, "numbers"),
        ({"~snsShankMap": "(1,2,480)(0:0:0)(0:1:0)(0:0:1)(0:1:1)"}, UnreadableFile, "another size"),
        ({"~snsGeomMap": "(PRB,1,0,70)(0:27:0:1)(0:59:0:1)(0:11:27:1)(0:43:20:1)"}, PiecesDoNotFit, "between"),
    ],
)
def test_a_damaged_meta_file_says_what_is_wrong(
    make: SimpleNamespace, tmp_path: Path, changes: dict[str, str | None], error: type[Exception], words: str
) -> None:
    meta = read_meta(make.write_meta(tmp_path / "a.ap.meta", **changes))
    with pytest.raises(error, match=words):
        assert is_probe_recording(meta)
        read_recording(meta)


@pytest.mark.parametrize("content", [b"", b"\0\0\0\0typeThis=imec\n", b"\x93NUMPY", b"hello\nworld\n"])
def test_a_file_that_is_no_meta_file_is_unreadable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.ap.meta"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"a\.ap\.meta"):
        read_meta(path)


def test_a_run_that_still_goes_on_has_neither_length_nor_hash(make: SimpleNamespace, tmp_path: Path) -> None:
    path = make.write_meta(tmp_path / "a.ap.meta", fileTimeSecs=None, fileSizeBytes=None, fileSHA1=None)
    recording = read(path)
    assert (recording.duration_s, recording.bin_size, recording.bin_sha1) == (None, None, None)
