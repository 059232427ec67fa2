"""Reading a session's recordings and bitcode files as they lie on a share."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from map_assets.ephys.recordings import read_recordings
from map_assets.vocabulary.errors import (
    CompanionMissing,
    NameDoesNotParse,
    PiecesDoNotFit,
    UnreadableFile,
)

RUN = "SC022/catgt_SC022_030319_g0"


def meta_path(root: Path, probe: int, kind: str = "tcat", band: str = "ap") -> Path:
    return root / RUN / f"SC022_030319_g0_imec{probe - 1}" / f"SC022_030319_g0_{kind}.imec{probe - 1}.{band}.meta"


def metas(make: SimpleNamespace, root: Path) -> list:
    return [
        make.found(root, path.relative_to(root).as_posix(), "bitcode" if path.suffix == ".mat" else "spikeglx_meta")
        for path in sorted(root.rglob("*"))
        if path.suffix in {".meta", ".mat"}
    ]


def test_two_probes_make_two_recordings_with_their_contacts(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_meta(meta_path(tmp_path, 1))
    make.write_meta(meta_path(tmp_path, 11), imDatPrb_sn="42", fileTimeSecs=None)
    tables, rejected = read_recordings(make.session, metas(make, tmp_path))
    assert rejected == ()
    first, second = tables["recordings"].to_pylist()
    assert first["probe"] == 1
    assert first["probe_type"] == "neuropixels 1.0 - 3B"
    assert first["sample_rate_hz"] == 30000.25
    assert first["sample_rate_text"] == "30000.25"
    assert first["microvolt_per_bit"] == 2.34375
    assert first["duration_s"] == 100.0
    assert first["recorded_local"] == "2019-03-03T15:10:00"
    assert first["folder"] == f"{RUN}/SC022_030319_g0_imec0"
    assert first["meta_file"] == f"{RUN}/SC022_030319_g0_imec0/SC022_030319_g0_tcat.imec0.ap.meta"
    assert (second["probe"], second["serial_number"], second["duration_s"]) == (11, "42", None)
    sites = [row for row in tables["probe_sites"].to_pylist() if row["probe"] == 1]
    assert [row["electrode"] for row in sites] == [0, 1, 2, 3]
    assert [row["channel"] for row in sites] == [0, 1, 2, 3]
    assert [(row["x_um"], row["y_um"]) for row in sites] == [(16.0, 0.0), (48.0, 0.0), (0.0, 20.0), (32.0, 20.0)]
    assert [row["is_used"] for row in sites] == [True, True, True, False]
    assert "ephys_trials" not in tables


def test_catgts_meta_stands_for_the_acquisitions(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_meta(meta_path(tmp_path, 1, "t0"), fileTimeSecs="1.0")
    make.write_meta(meta_path(tmp_path, 1, "tcat"), fileTimeSecs="2.0")
    tables, rejected = read_recordings(make.session, metas(make, tmp_path))
    assert tables["recordings"]["duration_s"].to_pylist() == [2.0]
    assert rejected == ()


def test_lfp_and_daq_meta_files_make_no_probe(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_meta(meta_path(tmp_path, 1, band="lf"), snsApLfSy="0,4,1", **{"~snsShankMap": None})
    make.write_meta(tmp_path / RUN / "SC022_030319_g0_t0.nidq.meta", typeThis="nidq", snsApLfSy=None)
    assert read_recordings(make.session, metas(make, tmp_path)) == ({}, ())


def test_a_damaged_meta_is_rejected_and_the_other_probe_goes_on(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_meta(meta_path(tmp_path, 1), imSampRate=None)
    make.write_meta(meta_path(tmp_path, 2))
    tables, rejected = read_recordings(make.session, metas(make, tmp_path))
    assert tables["recordings"]["probe"].to_pylist() == [2]
    (one,) = rejected
    assert isinstance(one.error, UnreadableFile)
    assert [file.path for file in one.files] == [meta_path(tmp_path, 1)]


def test_two_different_runs_of_one_probe_are_both_rejected(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_meta(meta_path(tmp_path, 1, "t0"), fileTimeSecs="1.0")
    make.write_meta(meta_path(tmp_path, 1, "t1"), fileTimeSecs="2.0")
    tables, (one,) = read_recordings(make.session, metas(make, tmp_path))
    assert tables == {}
    assert isinstance(one.error, PiecesDoNotFit)
    assert len(one.files) == 2
    assert "t0.imec0" in str(one.error)
    assert "t1.imec0" in str(one.error)


def test_the_same_meta_file_twice_is_one(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_meta(meta_path(tmp_path, 1))
    copy = tmp_path / "SC022" / "copy" / "SC022_imec0" / "SC022_tcat.imec0.ap.meta"
    copy.parent.mkdir(parents=True)
    shutil.copy(meta_path(tmp_path, 1), copy)
    tables, rejected = read_recordings(make.session, metas(make, tmp_path))
    assert (tables["recordings"].num_rows, rejected) == (1, ())


def test_a_file_whose_path_tells_no_probe_is_rejected(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_meta(tmp_path / "SC022" / "20190303" / "run.ap.meta")
    make.write_bitcode(tmp_path / "SC022" / "20190303" / "SC022_bitcode.mat", ["1010"])
    tables, rejected = read_recordings(make.session, metas(make, tmp_path))
    assert tables == {}
    assert [type(one.error) for one in rejected] == [NameDoesNotParse, NameDoesNotParse]


def test_a_bitcode_file_gives_its_trials_in_probe_seconds(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_meta(meta_path(tmp_path, 1))
    bitcode = meta_path(tmp_path, 1).with_name("SC022_030319_bitcode.mat")
    make.write_bitcode(bitcode, ["1010", "0110"], sTrig=[300002.5, 600005.0], goCue=[660005.5], trialNum=[1, 2])
    tables, rejected = read_recordings(make.session, metas(make, tmp_path))
    assert rejected == ()
    first, second = tables["ephys_trials"].to_pylist()
    assert (first["ephys_trial"], first["bitcode"], first["trial_written"]) == (1, "1010", 1)
    assert first["start_probe_s"] == pytest.approx(10.0)
    assert first["go_probe_s"] is None
    assert second["go_probe_s"] == pytest.approx(22.0)
    assert second["file"] == f"{RUN}/SC022_030319_g0_imec0/SC022_030319_bitcode.mat"


def test_the_real_bitcode_folder_without_any_meta_gives_trials(
    make: SimpleNamespace, tmp_path: Path, shared_data: Path
) -> None:
    folder = tmp_path / "dl25" / "20180225" / "1"
    folder.mkdir(parents=True)
    shutil.copy(shared_data / "map/dl25_bitcode.mat", folder)
    tables, rejected = read_recordings("dl25_20180225_102508", metas(make, tmp_path))
    assert rejected == ()
    assert list(tables) == ["ephys_trials"]
    assert tables["ephys_trials"].num_rows == 10
    assert set(tables["ephys_trials"]["probe"].to_pylist()) == {1}
    assert tables["ephys_trials"]["start_probe_s"].null_count == 10


def test_sample_times_wait_for_the_probes_own_meta_file(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_meta(meta_path(tmp_path, 1))
    bitcode = meta_path(tmp_path, 2).with_name("SC022_bitcode.mat")
    make.write_bitcode(bitcode, ["1010", "0110"], sTrig=[300000.0, 600000.0])
    tables, (one,) = read_recordings(make.session, metas(make, tmp_path))
    assert isinstance(one.error, CompanionMissing)
    assert "ephys_trials" not in tables
    make.write_meta(meta_path(tmp_path, 2))
    tables, rejected = read_recordings(make.session, metas(make, tmp_path))
    assert (tables["ephys_trials"].num_rows, rejected) == (2, ())


def test_two_different_bitcode_files_of_one_probe_are_both_rejected(make: SimpleNamespace, tmp_path: Path) -> None:
    folder = meta_path(tmp_path, 1).parent
    make.write_bitcode(folder / "SC022_a_bitcode.mat", ["1010"])
    make.write_bitcode(folder / "SC022_b_bitcode.mat", ["0110"])
    tables, (one,) = read_recordings(make.session, metas(make, tmp_path))
    assert tables == {}
    assert isinstance(one.error, PiecesDoNotFit)
    assert len(one.files) == 2


def test_lists_of_pulses_beside_a_decoded_file_are_left_alone(make: SimpleNamespace, tmp_path: Path) -> None:
    pulses = tmp_path / RUN / "SC022_030319_g0_tcat.nidq.XA_1_2.txt"
    pulses.parent.mkdir(parents=True)
    pulses.write_text("1.0\n")
    found = make.found(tmp_path, pulses.relative_to(tmp_path).as_posix(), "bitcode")
    _, (one,) = read_recordings(make.session, [found])
    assert isinstance(one.error, CompanionMissing)
    make.write_bitcode(meta_path(tmp_path, 1).with_name("SC022_bitcode.mat"), ["1010"])
    tables, rejected = read_recordings(make.session, [found, *metas(make, tmp_path)])
    assert (tables["ephys_trials"].num_rows, rejected) == (1, ())
    assert tables["ephys_trials"].select(["source", "clock"]).to_pylist() == [
        {"source": "bitcode file", "clock": "probe"}
    ]


def bins(make: SimpleNamespace, root: Path) -> list:
    return [
        make.found(root, path.relative_to(root).as_posix(), "spikeglx_bin") for path in sorted(root.rglob("*.ap.bin"))
    ]


@pytest.mark.parametrize(
    ("changes", "size", "state"),
    [
        ({}, 40, "whole"),
        ({}, 30, "incomplete copy"),
        ({"fileSHA1": "0"}, 40, "whole"),
        ({"fileSHA1": None}, 30, "acquiring"),
        ({"fileTimeSecs": None}, 40, "acquiring"),
        ({"fileSizeBytes": None}, 50, "acquiring"),
        ({}, None, "absent"),
    ],
)
def test_the_state_of_the_bin_is_told(
    make: SimpleNamespace, tmp_path: Path, changes: dict[str, str | None], size: int | None, state: str
) -> None:
    path = make.write_meta(meta_path(tmp_path, 1), **{"fileSizeBytes": "40", **changes})
    if size is not None:
        path.with_suffix(".bin").write_bytes(bytes(size))
    tables, rejected = read_recordings(make.session, [*metas(make, tmp_path), *bins(make, tmp_path)])
    (row,) = tables["recordings"].to_pylist()
    assert row["bin_state"] == state
    assert (row["bin_file"] is None) == (size is None)
    assert rejected == ()


def test_a_bin_that_is_longer_than_its_meta_says_is_set_aside(make: SimpleNamespace, tmp_path: Path) -> None:
    path = make.write_meta(meta_path(tmp_path, 1), fileSizeBytes="40")
    path.with_suffix(".bin").write_bytes(bytes(50))
    tables, (one,) = read_recordings(make.session, [*metas(make, tmp_path), *bins(make, tmp_path)])
    assert tables["recordings"]["bin_state"].to_pylist() == [None]
    assert isinstance(one.error, PiecesDoNotFit)
    assert [file.path.suffix for file in one.files] == [".bin"]


def test_the_lf_band_of_a_real_run_is_found_beside_its_ap_band(make: SimpleNamespace, shared_data: Path) -> None:
    root = shared_data / "spikeglx" / "runs"
    found = [
        make.found(root, path.relative_to(root).as_posix(), f"spikeglx_{path.suffix[1:]}")
        for path in sorted((root / "Noise4Sam_g0").rglob("*"))
        if path.suffix in {".meta", ".bin"}
    ]
    tables, rejected = read_recordings(make.session, found)
    assert rejected == ()
    (row,) = tables["recordings"].to_pylist()
    assert (row["ap_gain"], row["lf_gain"], row["max_int"]) == (500.0, 125.0, 512)
    assert (row["microvolt_per_bit"], row["microvolt_per_bit_lf"]) == (2.34375, 9.375)
    assert row["lf_sample_rate_hz"] == 2500.0
    assert row["lf_meta_file"].endswith("Noise4Sam_g0_t0.imec0.lf.meta")
    assert row["first_sample"] == 177385
    assert row["bin_size"] == 121625350
    assert row["bin_state"] == "incomplete copy"


def test_other_roles_are_left_alone(make: SimpleNamespace, tmp_path: Path) -> None:
    path = make.write_meta(meta_path(tmp_path, 1))
    assert read_recordings(make.session, [make.found(tmp_path, path.relative_to(tmp_path).as_posix(), "raw")]) == (
        {},
        (),
    )


@pytest.mark.parametrize("run", ["Noise4Sam_g0", "TEST_20210920_0_g0", "NP2_with_sync"])
def test_a_real_run_gives_one_probe(make: SimpleNamespace, shared_data: Path, run: str) -> None:
    root = shared_data / "spikeglx" / "runs"
    found = [
        make.found(root, path.relative_to(root).as_posix(), "spikeglx_meta")
        for path in sorted((root / run).rglob("*.meta"))
    ]
    tables, rejected = read_recordings(make.session, found)
    assert rejected == ()
    assert tables["recordings"]["probe"].to_pylist() == [1]
    assert tables["probe_sites"].num_rows == 384
