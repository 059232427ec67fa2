"""JRCLUST results of versions 3 and 4: everything by unit, sites turned into channels, nothing guessed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest

from map_assets.ephys.sorters import jrclust, jrclust_file
from map_assets.ephys.sorters.jrclust_units import NAMES
from map_assets.ephys.sorters.protocol import Scale, SorterResult
from map_assets.vocabulary.errors import BadInput, PiecesDoNotFit, UnreadableFile

FILES = {"3": "SC022_030319_imec0_jrc.mat", "4": "SC022_030319_g0_t0.imec0.ap_res.mat"}
SCALE = Scale(30000.25, 2.0)
TIMES, CLUSTERS, SITES = [40, 10, 20, 30, 50, 60], [2, 4, 2, 0, -1, 4], [3, 1, 2, 4, 4, 1]
NOTES = ["", "single", "multi", ""]


def texts(file: h5py.File, name: str, values: list[Any]) -> None:
    cells = file.create_dataset(name, (1, len(values)), h5py.ref_dtype)
    for place, value in enumerate(values):
        codes = [ord(sign) for sign in value] if isinstance(value, str) else value
        kind = np.uint16 if codes and isinstance(value, str) else np.uint64
        cell = file.create_dataset(
            f"#refs#/{name.replace('/', '_')}{place}", data=np.array(codes or [0, 0], kind)[:, None]
        )
        if value == "":
            cell.attrs["MATLAB_empty"] = np.uint8(1)
        cells[0, place] = cell.ref


def write(folder: Path, version: str, **changes: Any) -> Path:
    """Six spikes, four clusters of which two have spikes; a change of None leaves the variable out."""
    names = NAMES[version]
    centres = np.array([[11.0, 12.0, 13.0, 14.0], [100.0, 200.0, 300.0, 400.0]])
    values: dict[str, Any] = {
        "times": np.array([TIMES], np.int32),
        "clusters": np.array([CLUSTERS], np.int32),
        "sites": np.array([SITES], np.int32),
        "positions": np.array([[1, 2, 3, 4, 5, 6], [10, 20, 30, 40, 50, 60]], np.float32),
        "unit_sites": np.array([[4.0], [3.0], [2.0], [1.0]]),
        "amplitudes": np.array([[91.0, 92.0, 93.0, 94.0]]),
        "snr": np.array([[1.0, np.inf, 3.0, 4.5]]),
        "waveforms": np.arange(4 * 2 * 3, dtype=np.float32).reshape(4, 2, 3),
    } | {name: value for name, value in changes.items() if hasattr(names, name) and name != "notes"}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILES[version]
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in values.items():
            if value is not None:
                file[getattr(names, name)] = value
        if changes.get("notes", NOTES) is not None:
            texts(file, names.notes, changes.get("notes", NOTES))
        if version == "3":
            file["P/sRateHz"] = np.array([[25000.0]])
            file["S_clu/vrPosX_clu"], file["S_clu/vrPosY_clu"] = centres[:1], centres[1:]
            if "sites_to_channels" in changes:
                file["P/viSite2Chan"] = np.array([changes["sites_to_channels"]], float)
        else:
            file["clusterCentroids"] = centres
    return path


def read(make: SimpleNamespace, path: Path, scale: Scale = SCALE) -> SorterResult:
    folder = make.sorting_folder(path, "SC022/run_g0_imec0/imec0_jrc")
    assert jrclust.recognizes(frozenset(folder.files))
    return jrclust.read(folder, scale)


@pytest.fixture(autouse=True)
def _walk_only_where_it_matters(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare sound files the other process that would walk through them first."""
    if "damaged" not in request.node.name and "library" not in request.node.name:
        monkeypatch.setattr(jrclust_file, "_walk", lambda path: None)


@pytest.fixture(params=["3", "4"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_each_unit_has_its_own_spikes_and_measures(make: SimpleNamespace, tmp_path: Path, version: str) -> None:
    write(tmp_path, version)
    result = read(make, tmp_path)
    trains, measures = result.trains, result.measures
    assert trains.unit_ids.tolist() == [2, 4]
    assert trains.samples.tolist() == [20, 40, 10, 60]
    assert trains.offsets.tolist() == [0, 2, 4]
    assert result.n_unassigned == 2
    assert measures.peak_channel.tolist() == [2, 0]
    assert (measures.x_um.tolist(), measures.y_um.tolist()) == ([12.0, 14.0], [200.0, 400.0])
    assert measures.amplitude_uv.tolist() == [92.0, 94.0]
    np.testing.assert_array_equal(measures.metrics["snr"], [np.nan, 4.5])
    assert [waveform.tolist() for waveform in measures.waveform_uv] == [[6.0, 7.0, 8.0], [18.0, 19.0, 20.0]]
    rate = 25000.0 if version == "3" else 30000.25
    assert result.sample_rate_hz == rate
    np.testing.assert_allclose(measures.firing_rate_hz, [2 * rate / 50, 2 * rate / 50])
    assert (result.sorter, result.sorter_version) == (f"jrclust{version}", version)


def test_depth_is_along_the_probe_in_both_versions(make: SimpleNamespace, tmp_path: Path, version: str) -> None:
    write(tmp_path, version)
    features = read(make, tmp_path).features
    assert features.depth_um is not None
    assert features.depth_um.tolist() == [30.0, 10.0, 20.0, 60.0]
    assert features.peak_channel is not None
    assert features.peak_channel.tolist() == [1, 2, 0, 0]
    assert features.amplitude_uv is None


def test_version_3_says_which_channel_a_site_is(make: SimpleNamespace, tmp_path: Path) -> None:
    write(tmp_path, "3", sites_to_channels=[1, 2, 11, 384])
    result = read(make, tmp_path)
    assert result.measures.peak_channel.tolist() == [10, 0]
    assert result.features.peak_channel is not None
    assert result.features.peak_channel.tolist() == [1, 10, 0, 0]


def test_notes_are_labels_as_found(make: SimpleNamespace, tmp_path: Path, version: str) -> None:
    write(tmp_path, version)
    result = read(make, tmp_path)
    name = FILES[version]
    assert (result.quality, result.quality_source) == (["single", "unsorted"], [name, "none"])
    assert result.curation == "curated"
    assert (result.labels.unit_id, result.labels.value) == ([2, 3], ["single", "multi"])
    assert (result.labels.source, result.labels.name) == ([name] * 2, ["note"] * 2)
    write(tmp_path, version, notes=["", "", "", ""])
    assert read(make, tmp_path).curation == "raw"
    write(tmp_path, version, notes=None)
    assert read(make, tmp_path).quality == ["unsorted", "unsorted"]


def test_what_is_not_saved_is_not_told(make: SimpleNamespace, tmp_path: Path, version: str) -> None:
    write(tmp_path, version, positions=None, sites=None, waveforms=None, snr=None)
    result = read(make, tmp_path, Scale())
    assert result.features.depth_um is None
    assert result.features.peak_channel is None
    assert result.measures.metrics == {}
    assert [len(waveform) for waveform in result.measures.waveform_uv] == [0, 0]
    assert result.sample_rate_hz == (25000.0 if version == "3" else None)


def test_a_result_without_units_has_none(make: SimpleNamespace, tmp_path: Path, version: str) -> None:
    write(tmp_path, version, clusters=np.zeros((1, 6), np.int32))
    result = read(make, tmp_path)
    assert (result.trains.unit_ids.tolist(), result.n_unassigned) == ([], 6)
    assert len(result.measures.peak_channel) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"clusters": np.array([CLUSTERS[:-1]])},
        {"times": np.array([[-1, 2, 3, 4, 5, 6]])},
        {"times": np.array([[0.5, 2, 3, 4, 5, 6]])},
        {"times": np.array([[np.nan, 2, 3, 4, 5, 6]])},
        {"clusters": np.array([[9, 1, 1, 1, 1, 1]])},
        {"sites": np.array([[0, 1, 1, 1, 1, 1]])},
        {"sites": np.array([[1, 1, 1]])},
        {"unit_sites": np.array([[1.0], [99999.0], [1.0], [1.0]])},
        {"positions": np.zeros((6, 2))},
        {"amplitudes": np.array([[1.0]])},
        {"waveforms": np.zeros((2, 2))},
    ],
)
def test_variables_that_disagree_do_not_fit(
    make: SimpleNamespace, tmp_path: Path, version: str, changes: dict[str, Any]
) -> None:
    write(tmp_path, version, **changes)
    with pytest.raises(PiecesDoNotFit):
        read(make, tmp_path)


def damage_structs(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        for name in ("S_clu", "spikeClusters"):
            if name in file:
                del file[name]
        file["spikeClusters"] = np.zeros(3)


def damage_link(path: Path) -> None:
    name = "viTime_spk" if path.name == FILES["3"] else "spikeTimes"
    with h5py.File(path.with_name("other.h5"), "w") as other:
        other["times"] = np.array([TIMES])
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = h5py.ExternalLink("other.h5", "times")


def damage_bomb(path: Path) -> None:
    name = "viTime_spk" if path.name == FILES["3"] else "spikeTimes"
    with h5py.File(path, "r+") as file:
        del file[name]
        file.create_dataset(name, (1, 1 << 40), np.int32, chunks=(1, 1 << 20))


def damage_text(path: Path) -> None:
    name = "viTime_spk" if path.name == FILES["3"] else "spikeTimes"
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = np.array([b"abc"])


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:3000]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200)),
        damage_structs,
        damage_link,
        damage_bomb,
        damage_text,
    ],
    ids=["truncated", "empty", "matlab 5", "structs", "link", "bomb", "text"],
)
def test_a_damaged_file_is_said(
    make: SimpleNamespace, tmp_path: Path, version: str, damage: Callable[[Path], None]
) -> None:
    damage(write(tmp_path, version))
    with pytest.raises(BadInput):
        read(make, tmp_path)


@pytest.mark.parametrize("value", [[7, 8], "x" * 40_000])
def test_a_note_that_is_no_text_is_unreadable_and_a_long_one_is_kept(
    make: SimpleNamespace, tmp_path: Path, version: str, value: Any
) -> None:
    write(tmp_path, version, notes=["", value, "", ""])
    if isinstance(value, str):
        assert read(make, tmp_path).quality[0] == value
        return
    with pytest.raises(UnreadableFile, match="holds values of type"):
        read(make, tmp_path)


def test_of_two_versions_the_later_is_read_but_two_results_do_not_fit(make: SimpleNamespace, tmp_path: Path) -> None:
    write(tmp_path, "3")
    write(tmp_path, "4")
    assert read(make, tmp_path).sorter == "jrclust4"
    (tmp_path / "SC022_030319_g1_t0.imec0.ap_res.mat").touch()
    with pytest.raises(PiecesDoNotFit, match="2 results"):
        read(make, tmp_path)
    (tmp_path / "SC023_030319_g1_t0.imec0.ap_res.mat").touch()
    with pytest.raises(PiecesDoNotFit, match="different animals"):
        read(make, tmp_path)


@pytest.mark.parametrize(
    ("walk", "found"),
    [
        ("import time; time.sleep(60)", "did not get through"),
        (jrclust_file._WALK + "bytearray(2 << 30)", "MemoryError"),
        ("import os; os.abort()", "library failed, -6"),
    ],
)
def test_a_file_that_the_hdf5_library_does_not_survive_is_refused(
    make: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, walk: str, found: str
) -> None:
    write(tmp_path, "4")
    assert len(read(make, tmp_path).trains.samples) == 4
    monkeypatch.setattr(jrclust_file, "_WALK", walk)
    monkeypatch.setattr(jrclust_file, "_WALK_S", 2.0)
    with pytest.raises(UnreadableFile, match=found):
        read(make, tmp_path)
