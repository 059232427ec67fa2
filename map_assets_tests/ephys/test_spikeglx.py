"""SpikeGLX meta files: real ones of every kind of probe, and damaged ones."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from map_assets.ephys.probe_models import NAMES, model_of
from map_assets.ephys.spikeglx import Recording, is_probe_recording, open_bin, read_recording
from map_assets.ephys.spikeglx_gains import gains, saved_channels
from map_assets.ephys.spikeglx_meta import read_meta
from map_assets.vocabulary.errors import BadInput, NoFormatRecognizes, PiecesDoNotFit, UnreadableFile

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


@pytest.mark.parametrize("part_number", sorted({part for parts in NAMES.values() for part in parts}))
def test_every_named_model_numbers_its_contacts_as_the_catalogue_orders_them(part_number: str) -> None:
    from probeinterface.neuropixels_tools import build_neuropixels_probe

    model = model_of(part_number.lower(), None)
    assert model is not None
    assert part_number in NAMES[model.name]
    ids = list(map(str, build_neuropixels_probe(part_number).contact_ids))
    sites_per_shank = model.n_rows * model.n_columns
    shank, on_shank = np.divmod(np.arange(len(ids)), sites_per_shank)
    row, column = np.divmod(on_shank, model.n_columns)
    np.testing.assert_array_equal(model.electrode(shank, row, column), np.arange(len(ids)))
    assert [name.rsplit("e", 1)[1] for name in ids] == on_shank.astype(str).tolist()
    assert model.contact_um[shank == 0].min(axis=0).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("part_number", "n_shanks", "sites_per_shank", "row_um", "left_um", "last_row_um"),
    [
        ("NP1000", 1, 960, 20, (16, 0), 9580),
        ("NP2000", 1, 1280, 15, (0, 0), 9585),
        ("NP2013", 4, 1280, 15, (0, 0), 9585),
    ],
)
def test_contacts_follow_the_published_closed_form(
    part_number: str, n_shanks: int, sites_per_shank: int, row_um: int, left_um: tuple[int, int], last_row_um: int
) -> None:
    model = model_of(part_number, None)
    assert model is not None
    assert len(model.contact_um) == n_shanks * sites_per_shank
    electrode = np.arange(n_shanks * sites_per_shank)
    shank, row, column = electrode // sites_per_shank, electrode % sites_per_shank // 2, electrode % 2
    np.testing.assert_array_equal(shank * sites_per_shank + 2 * row + column, model.electrode(shank, row, column))
    np.testing.assert_array_equal(model.contact_um[:, 0], np.array(left_um)[row % 2] + 32 * column + 250 * shank)
    np.testing.assert_array_equal(model.contact_um[:, 1], row_um * row)
    assert model.contact_um[:, 1].max() == last_row_um


@pytest.mark.parametrize(
    ("code", "part_number", "max_int", "fixed_gain"),
    [
        *((code, "NP1000", 512, None) for code in (-1, 0, 1)),
        (21, "NP2000", 8192, 80.0),
        (24, "NP2010", 8192, 80.0),
        (1110, "NP1110", 512, None),
        (2003, "NP2003", 2048, 100.0),
        (2013, "NP2013", 2048, 100.0),
        (2020, "NP2020", 2048, 100.0),
    ],
)
def test_a_type_code_alone_names_a_model(code: int, part_number: str, max_int: int, fixed_gain: float | None) -> None:
    model, named = model_of(None, code), model_of(part_number, None)
    assert model is not None
    assert named is not None
    assert (model.name, model.max_int, model.fixed_gain) == (named.name, max_int, fixed_gain)
    np.testing.assert_array_equal(model.contact_um, named.contact_um)


def test_a_part_number_that_is_unknown_is_not_taken_for_its_type_code() -> None:
    assert model_of("NP9999", 0) is None
    assert model_of(None, 77) is None


WRITTEN = {
    # file: AP and LF gain of the first channel, first sample, bytes of the .bin, start
    "NP-Ultra.meta": (500, 250, 434819, 104697424370, "2021-11-30T16:10:26"),
    "NP1110_2x192_bank4_g0_t0.imec0.ap.meta": (500, 250, 305280, 172529280, "2026-03-19T22:20:16"),
    "NP1110_bank0_g0_t0.imec0.ap.meta": (500, 250, 1462140, 378673680, "2026-03-19T22:16:27"),
    "NP1110_botrow80_g0_t0.imec0.ap.meta": (500, 250, 4551371, 151333490, "2026-03-19T22:18:10"),
    "NP1110_vstripe_g0_t0.imec0.ap.meta": (500, 250, 467544, 226269120, "2026-03-19T22:15:54"),
    "NP1_saved_only_subset_of_channels.meta": (500, 250, 53573280, 98746460736, "2022-09-29T11:43:49"),
    "NP2020_sample_g0_t0.imec0.ap.meta": (100, None, 249578, 858091080, "2026-05-06T22:05:09"),
    "NP2_2013_all_channels.imec0.ap.meta": (100, None, 500141, 186155200, "2023-09-04T16:01:07"),
    "NP2_2013_subset_channels.imec0.ap.meta": (100, None, 920506, 75511260, "2023-09-04T16:03:26"),
    "NP2_4_shanks.imec0.ap.meta": (80, None, 94827, 23598960, "2021-09-20T14:13:34"),
    "NP2_4_shanks_save_different_electrodes.imec0.ap.meta": (80, None, 135473, 108024840, "2022-10-25T14:53:42"),
    "Noise_g0_t0.imec0.ap.meta": (500, 125, 177385, 121625350, "2020-11-03T10:35:10"),
    "allan-longcol_g0_t0.imec0.ap.meta": (500, 250, 26021568, 40057700760, "2021-03-01T09:00:05"),
    "catgt.meta": (500, 50, 48994605, 98624725430, "2023-04-27T15:21:38"),
    "doppio-checkerboard_t0.imec0.ap.meta": (500, 250, 1794959, 166320167090, "2020-03-17T09:08:06"),
    "non_human_primate_long_staggered.imec0.ap.meta": (500, 250, 1037484, 10582341000, "2023-03-13T14:19:21"),
    "non_human_primate_short_linear_probe_type_0.meta": (500, 250, 105889716, 99308526240, "2023-02-24T09:53:29"),
    "p2_g0_t0.imec0.ap.meta": (80, None, 1416311, 45205648180, "2019-09-27T16:04:32"),
    "phase3a.imec.ap.meta": (500, 250, 174660732, 4483321920, "2018-10-18T00:54:51"),
}


@pytest.mark.parametrize("name", REAL)
def test_a_real_file_tells_gains_start_and_size_as_written(shared_data: Path, name: str) -> None:
    path = shared_data / "spikeglx/meta" / name
    told, lines = read(path), dict(line.split("=", 1) for line in path.read_text().splitlines())
    start = told.recorded_local
    assert (told.ap_gain, told.lf_gain, told.first_sample, told.bin_size, start) == WRITTEN[name]
    assert told.created_local == lines["fileCreateTime"]
    assert told.part_number == lines.get("imDatPrb_pn")
    assert told.bin_sha1 == (None if lines["fileSHA1"] == "0" else lines["fileSHA1"])
    assert told.saved.all == told.n_saved_channels == int(lines["nSavedChans"])
    assert told.saved.ap == len(told.sites.electrode)
    if "imMaxInt" in lines:
        assert told.max_int == int(lines["imMaxInt"])
    if told.lf_gain:
        assert told.microvolt_per_bit_lf == pytest.approx(0.6 / 512 / told.lf_gain * 1e6, rel=1e-12)


@pytest.mark.parametrize("name", REAL)
def test_every_channels_gain_is_that_of_an_independent_reader(shared_data: Path, name: str) -> None:
    from probeinterface import read_spikeglx

    path = shared_data / "spikeglx/meta" / name
    meta = read_meta(path)
    found, probe = gains(meta, read(path).model), read_spikeglx(path)
    each = probe.contact_annotations.get("ap_gains", np.full(len(found.ap), probe.annotations["ap_gain"]))
    np.testing.assert_array_equal(found.ap, each)


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
        ({"imMaxInt": "-512"}, UnreadableFile, "imMaxInt"),
        ({"snsSaveChanSubset": "0:7,768"}, PiecesDoNotFit, "snsSaveChanSubset"),
        ({"snsSaveChanSubset": "3:0,1:5"}, UnreadableFile, "falls"),
        ({"snsSaveChanSubset": "0-4"}, UnreadableFile, "0-4"),
        ({"snsSaveChanSubset": "400:403,768"}, PiecesDoNotFit, "channel 400"),
        ({"snsApLfSy": "4,0"}, UnreadableFile, "three counts"),
        ({"snsApLfSy": "4,1,1"}, PiecesDoNotFit, "6 channels"),
        ({"~imroTbl": "(0,384)(0 0 0 nine 250 1)(1 0 0 5 5 1)(2 0 0 5 5 1)(3 0 0 5 5 1)"}, UnreadableFile, "nine"),
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


def test_saved_channels_are_named_as_the_subset_has_them(shared_data: Path) -> None:
    meta = read_meta(shared_data / "spikeglx/meta/NP2_2013_subset_channels.imec0.ap.meta")
    wanted = [*range(36), *range(72, 96), *range(192, 228), *range(264, 288), 384]
    assert saved_channels(meta).tolist() == wanted


@given(line=st.integers(0, 14), text=st.text("0123456789eE:,.-() xNP=\n", max_size=12), at=st.integers(0, 30))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_meta_file_that_is_damaged_anywhere_is_read_or_refused(
    make: SimpleNamespace, tmp_path: Path, line: int, text: str, at: int
) -> None:
    path = make.write_meta(
        tmp_path / "a.ap.meta", snsGeomMap="(NP1000,1,0,70)(0:27:0:1)(0:59:0:1)(0:11:20:1)(0:43:20:1)"
    )
    path.with_suffix(".bin").write_bytes(bytes(30))
    lines = path.read_text().splitlines()
    key, _, value = lines[line % len(lines)].partition("=")
    lines[line % len(lines)] = f"{key}={value[:at]}{text}{value[at + len(text) :]}"
    path.write_text("\n".join(lines))
    try:
        meta = read_meta(path)
        if is_probe_recording(meta):
            assert read_recording(meta).microvolt_per_bit > 0
            assert open_bin(path.with_suffix(".bin"), path).samples.shape[1] == meta.whole("nSavedChans")
    except BadInput as error:
        assert "a.ap." in str(error)


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("Noise_g0_t0.imec0.ap.meta", "4ae1f6ed4687467836d43369e548fe00"),
        ("catgt.meta", "4ae1f6ed4687467836d43369e548fe00"),
    ],
)
def test_contacts_and_references_are_those_of_the_earlier_pipelines_configuration(
    shared_data: Path, name: str, digest: str
) -> None:
    recording = read(shared_data / "spikeglx/meta" / name)
    sites = recording.sites
    # the earlier pipeline counted contacts from 1 and named a configuration by a digest of them
    members = [
        {"probe_type": recording.model.name, "electrode": electrode + 1, "is_used": int(used), "electrode_group": 0}
        for electrode, used in sorted(zip(sites.electrode.tolist(), sites.is_used.tolist(), strict=True))
    ]
    assert (members[0]["electrode"], members[-1]["electrode"], len(members)) == (1, 384, 384)
    assert hashlib.md5("".join(map(str, members)).encode(), usedforsecurity=False).hexdigest() == digest
