"""Reading a session's sorter folders as they lie on a share."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from map_assets.ephys import sortings
from map_assets.ephys.checks import every_unit_has_an_electrode, spike_trains_rise, units_and_spikes_agree
from map_assets.ephys.probes import make_probes
from map_assets.ephys.recordings import read_recordings
from map_assets.ephys.sorters import kilosort
from map_assets.ephys.sorters.protocol import Scale, SorterResult, SortingFolder
from map_assets.ephys.sortings import read_sortings
from map_assets.vocabulary.errors import (
    CompanionMissing,
    NameDoesNotParse,
    NoFormatRecognizes,
    PiecesDoNotFit,
    TwoFormatsRecognize,
    UnreadableFile,
)

PROBE = "SC022/run_g0/run_g0_imec{}"
TRAINS = {12: [5, 400, 900], 3: [20, 30], 7: [5]}


def write_probe(make: SimpleNamespace, root: Path, probe: int, **kwargs: object) -> Path:
    make.write_meta(root / PROBE.format(probe - 1) / f"run_g0_tcat.imec{probe - 1}.ap.meta")
    return make.write_kilosort(root / PROBE.format(probe - 1) / f"imec{probe - 1}_ks2", TRAINS, **kwargs)


def sorting_files(make: SimpleNamespace, root: Path) -> list:
    return [file for file in make.found_all(root, "sorting") if file.relpath.suffix != ".meta"]


def read_all(make: SimpleNamespace, root: Path) -> tuple[dict[str, pa.Table], tuple]:
    metas = [file for file in make.found_all(root, "spikeglx_meta") if file.relpath.suffix == ".meta"]
    found, _ = read_recordings(make.session, metas)
    tables, rejected = read_sortings(
        make.session, sorting_files(make, root), found.get("recordings"), found.get("probe_sites")
    )
    return {**found, **tables}, rejected


def test_units_and_spikes_of_two_probes_come_back_under_their_own_ids(make: SimpleNamespace, tmp_path: Path) -> None:
    write_probe(make, tmp_path, 1)
    write_probe(make, tmp_path, 2)
    tables, rejected = read_all(make, tmp_path)
    assert rejected == ()
    assert [(row["probe"], row["unit_id"], row["samples"]) for row in tables["spikes"].to_pylist()] == [
        (probe, unit, TRAINS[unit]) for probe in (1, 2) for unit in sorted(TRAINS)
    ]
    rows = tables["units"].to_pylist()
    assert [row["n_spikes"] for row in rows] == [2, 1, 3] * 2
    assert [row["peak_channel"] for row in rows] == [3, 3, 0] * 2
    assert [row["electrode"] for row in rows] == [3, 3, 0] * 2
    assert rows[0]["amplitude_uv"] == pytest.approx(4 * 2 * 10 * 2.34375)
    assert [row["waveform_uv"] for row in rows] == [[]] * 6
    (first, second) = tables["sortings"].to_pylist()
    assert (first["sorter"], first["sorter_version"], first["curation"]) == ("kilosort2", "2", "raw")
    assert (first["n_units"], first["n_spikes"], first["has_metrics"]) == (3, 6, False)
    assert second["folder"] == "SC022/run_g0/run_g0_imec1/imec1_ks2"
    assert every_unit_has_an_electrode(tables["units"], tables["probe_sites"]).passed
    assert spike_trains_rise(tables["spikes"]).passed
    assert units_and_spikes_agree(tables["units"], tables["spikes"]).passed


def test_each_probes_units_stand_on_its_own_contacts(make: SimpleNamespace, tmp_path: Path) -> None:
    write_probe(make, tmp_path, 1)
    write_probe(make, tmp_path, 2)
    meta = tmp_path / PROBE.format(1) / "run_g0_tcat.imec1.ap.meta"
    make.write_meta(meta, **{"~snsShankMap": "(1,2,480)(0:0:192:1)(0:1:192:1)(0:0:193:1)(0:1:193:1)"})
    units = read_all(make, tmp_path)[0]["units"]
    assert units["electrode"].to_pylist() == [3, 3, 0, 387, 387, 384]


def test_columns_that_only_one_probes_metrics_have_are_null_for_the_other(
    make: SimpleNamespace, tmp_path: Path
) -> None:
    write_probe(make, tmp_path, 1)
    metrics = "cluster_id,snr,contam_rate,PT_ratio,quality,x_um\n3,1.5,0.25,2,8,9\n12,2.5,0.5,,8,9\n"
    (write_probe(make, tmp_path, 2) / "metrics.csv").write_text(metrics)
    units = read_all(make, tmp_path)[0]["units"]
    assert units["contam_rate"].to_pylist() == [None, None, None, 0.25, None, 0.5]
    assert units["pt_ratio"].to_pylist() == [None, None, None, 2.0, None, None]
    assert units["snr"].to_pylist() == [None, None, None, 1.5, None, 2.5]
    assert set(units["quality"].to_pylist()) == {"unsorted"}
    assert units["x_um"].to_pylist()[3:] == [27.0, 27.0, 43.0]


def test_a_sorting_without_any_recording_has_neither_electrodes_nor_amplitudes(
    make: SimpleNamespace, tmp_path: Path
) -> None:
    make.write_kilosort(tmp_path / PROBE.format(0) / "imec0_ks2", TRAINS)
    tables, rejected = read_sortings(make.session, sorting_files(make, tmp_path))
    assert rejected == ()
    assert tables["units"]["electrode"].null_count == 3
    assert tables["units"]["amplitude_uv"].null_count == 3
    assert not every_unit_has_an_electrode(tables["units"]).passed


def test_a_channel_that_is_no_contact_of_the_probe_has_no_electrode(make: SimpleNamespace, tmp_path: Path) -> None:
    np.save(write_probe(make, tmp_path, 1) / "channel_map.npy", np.array([0, 1, 2, 300]))
    tables, _ = read_all(make, tmp_path)
    assert tables["units"]["electrode"].to_pylist() == [None, None, 0]
    verdict = every_unit_has_an_electrode(tables["units"], tables["probe_sites"])
    assert not verdict.passed
    assert "2 without an electrode" in verdict.description


def test_one_bad_probe_is_rejected_and_the_other_goes_on(make: SimpleNamespace, tmp_path: Path) -> None:
    folder = write_probe(make, tmp_path, 1)
    write_probe(make, tmp_path, 2)
    (folder / "spike_times.npy").write_bytes((folder / "spike_times.npy").read_bytes()[:-8])
    tables, (one,) = read_all(make, tmp_path)
    assert isinstance(one.error, UnreadableFile)
    assert {file.relpath.parent.name for file in one.files} == {"imec0_ks2"}
    assert len(one.files) == len(list(folder.iterdir()))
    assert set(tables["units"]["probe"].to_pylist()) == {2}


def test_a_folder_that_no_sorter_recognises_is_rejected(make: SimpleNamespace, tmp_path: Path) -> None:
    folder = tmp_path / PROBE.format(0) / "sorted"
    folder.mkdir(parents=True)
    (folder / "notes.csv").write_text("a\n")
    tables, (one,) = read_sortings(make.session, sorting_files(make, tmp_path))
    assert tables == {}
    assert isinstance(one.error, NoFormatRecognizes)
    assert "spike_times.npy" in str(one.error)


def test_a_real_folder_without_its_spikes_waits_for_them(
    make: SimpleNamespace, tmp_path: Path, shared_data: Path
) -> None:
    folder = tmp_path / PROBE.format(0) / "ks25_np2_metrics_D1"
    folder.mkdir(parents=True)
    for path in (shared_data / "sorting/ks25_np2_metrics_D1").iterdir():
        shutil.copyfile(path, folder / path.name)
    tables, (one,) = read_sortings(make.session, sorting_files(make, tmp_path))
    assert tables == {}
    assert isinstance(one.error, CompanionMissing)
    assert "spike_times.npy" in str(one.error)
    assert len(one.files) == len(list(folder.iterdir()))


@pytest.mark.parametrize("name", ["spike_times.npy", "channel_map.npy", "templates.npy"])
def test_a_sorting_that_has_not_all_come_waits_and_quarantines_nothing(
    make: SimpleNamespace, tmp_path: Path, name: str
) -> None:
    folder = write_probe(make, tmp_path, 1)
    write_probe(make, tmp_path, 2)
    (folder / "figures").mkdir()
    (folder / "figures" / "drift.csv").write_text("a\n")
    late = (folder / name).read_bytes()
    (folder / name).unlink()
    tables, (one,) = read_all(make, tmp_path)
    assert isinstance(one.error, CompanionMissing)
    assert f"imec0_ks2: {name} is missing" in str(one.error)
    assert {file.path for file in one.files} == {path for path in folder.rglob("*") if path.is_file()}
    assert set(tables["units"]["probe"].to_pylist()) == {2}
    (folder / name).write_bytes(late)
    tables, rejected = read_all(make, tmp_path)
    assert rejected == ()
    assert set(tables["units"]["probe"].to_pylist()) == {1, 2}


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (["run.prm"], r"\*\.ap_res\.mat or \*_jrc\.mat"),
        (["spikes.npy"], r"numpysorting_info\.json"),
        (["numpysorting_info.json", "properties/quality.npy"], r"spikes\.npy"),
        (["npz.json"], r"sorting_cached\.npz"),
        (["cluster_group.tsv", "phy.log"], r"spike_times\.npy"),
        (["spike_times.npy"], r"spike_clusters\.npy"),
    ],
)
def test_a_part_of_any_sorters_folder_waits_for_the_rest_of_it(
    make: SimpleNamespace, tmp_path: Path, names: list[str], missing: str
) -> None:
    for name in names:
        path = tmp_path / PROBE.format(0) / "sorted" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    _, (one,) = read_sortings(make.session, sorting_files(make, tmp_path))
    assert {file.relpath.name for file in one.files} == {Path(name).name for name in names}
    with pytest.raises(CompanionMissing, match=missing):
        raise one.error


@pytest.mark.parametrize("error", [ValueError, IndexError, KeyError, TypeError, OverflowError])
def test_what_nobody_foresaw_in_one_folder_rejects_that_folder_alone(
    make: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    write_probe(make, tmp_path, 1)
    write_probe(make, tmp_path, 2)
    read = kilosort.read

    def fails(folder: SortingFolder, scale: Scale) -> SorterResult:
        if "imec0" in folder.relpath.name:
            raise error("of no use")
        return read(folder, scale)

    monkeypatch.setattr(kilosort, "read", fails)
    tables, (one,) = read_all(make, tmp_path)
    assert isinstance(one.error, PiecesDoNotFit)
    assert f"{error.__name__}: " in str(one.error)
    assert isinstance(one.error.__cause__, error)
    assert set(tables["units"]["probe"].to_pylist()) == {2}


def test_files_above_and_below_a_sorting_accompany_it(make: SimpleNamespace, tmp_path: Path) -> None:
    folder = write_probe(make, tmp_path, 1)
    (folder / "figures").mkdir()
    (folder / "figures" / "drift.csv").write_text("a\n")
    (folder.parent / "notes.csv").write_text("a\n")
    tables, rejected = read_all(make, tmp_path)
    assert rejected == ()
    assert tables["units"].num_rows == 3


def test_a_sorting_whose_path_tells_no_probe_is_rejected(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path / "SC022" / "20190303" / "ks2", TRAINS)
    _, (one,) = read_sortings(make.session, sorting_files(make, tmp_path))
    assert isinstance(one.error, NameDoesNotParse)


def test_a_folder_that_two_sorters_recognise_is_rejected(
    make: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sortings, "SORTERS", (kilosort, kilosort))
    write_probe(make, tmp_path, 1)
    _, (one,) = read_all(make, tmp_path)
    assert isinstance(one.error, TwoFormatsRecognize)


def test_no_sorting_at_all_makes_no_table(make: SimpleNamespace) -> None:
    assert read_sortings(make.session, []) == ({}, ())


def test_the_real_folder_makes_its_tables(make: SimpleNamespace, tmp_path: Path, shared_data: Path) -> None:
    folder = tmp_path / PROBE.format(0) / "phy_ks25_32ch"
    folder.mkdir(parents=True)
    for path in (shared_data / "sorting/phy_ks25_32ch").iterdir():
        shutil.copyfile(path, folder / path.name)
    tables, rejected = read_sortings(make.session, sorting_files(make, tmp_path))
    assert rejected == ()
    assert tables["units"].num_rows == 13
    assert tables["sortings"]["n_spikes"].to_pylist() == [788]
    assert units_and_spikes_agree(tables["units"], tables["spikes"]).passed


def test_probes_join_recordings_and_sortings_that_came_apart(make: SimpleNamespace, tmp_path: Path) -> None:
    write_probe(make, tmp_path, 1)
    shutil.rmtree(write_probe(make, tmp_path, 2))
    shutil.rmtree(tmp_path / PROBE.format(2), ignore_errors=True)
    make.write_kilosort(tmp_path / PROBE.format(2) / "imec2_ks2", TRAINS, rate="29999.5")
    tables, _ = read_all(make, tmp_path)
    first, second, third = make_probes(make.session, tables["recordings"], tables["sortings"]).to_pylist()
    assert [first["sorter"], second["sorter"], third["sorter"]] == ["kilosort2", None, "kilosort2"]
    assert [first["serial_number"], second["serial_number"], third["serial_number"]] == ["18194809281"] * 2 + [None]
    assert [first["sample_rate_hz"], second["sample_rate_hz"], third["sample_rate_hz"]] == [30000.25, 30000.25, 29999.5]
    assert [first["folder"], second["folder"]] == ["SC022/run_g0/run_g0_imec0/imec0_ks2", "SC022/run_g0/run_g0_imec1"]
    assert make_probes(make.session, tables["recordings"])["sorter"].null_count == 2
    assert make_probes(make.session).num_rows == 0
