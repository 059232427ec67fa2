"""Sortings that SpikeInterface saved: read by its own classes, never unpickled, never by the class a file names."""

from __future__ import annotations

import json
import sys
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from map_assets.ephys.sorters import spikeinterface_folder
from map_assets.ephys.sorters.protocol import Scale, SorterResult
from map_assets.ephys.sortings import read_sortings
from map_assets.ephys.tables import PROBE_SITES
from map_assets.shares.roles import rule_of
from map_assets.vocabulary.errors import CompanionMissing, NoFormatRecognizes, PiecesDoNotFit, UnreadableFile
from map_assets.vocabulary.files import FoundFile

core = pytest.importorskip("spikeinterface.core", reason="the extra spikeinterface is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")

SAMPLES, UNITS = [5, 10, 15, 20, 25], [7, 3, 7, 11, 3]


def make_sorting(ids: list[Any] | None = None, n_segments: int = 1, **properties: list[Any]) -> Any:
    """Five spikes of three of four units."""
    sorting = core.NumpySorting.from_samples_and_labels(
        [np.array(SAMPLES)] * n_segments, [np.array(UNITS)] * n_segments, 30000.0, [3, 7, 9, 11]
    )
    for name, values in properties.items():
        sorting.set_property(name, values)
    return sorting if ids is None else sorting.rename_units(ids)


def read(make: SimpleNamespace, path: Path) -> SorterResult:
    folder = make.sorting_folder(path, "SC022/run_g0_imec0/sorted")
    assert spikeinterface_folder.recognizes(frozenset(folder.files))
    return spikeinterface_folder.read(folder, Scale())


@pytest.mark.parametrize("kind", ["numpy_folder", "npz_folder"])
def test_units_spikes_and_properties_come_back(make: SimpleNamespace, tmp_path: Path, kind: str) -> None:
    sorting = make_sorting(
        quality=["good", "mua", "noise", "good"], snr=[1.5, 2.5, np.nan, 4.5], place=np.zeros((4, 2)),
        main_channel_id=["imec0.ap#AP12", "AP5", "x", "7"],
    )  # fmt: skip
    sorting.save(folder=tmp_path / "a", format=kind)
    result = read(make, tmp_path / "a")
    assert result.trains.unit_ids.tolist() == [3, 7, 11]
    assert result.trains.samples.tolist() == [10, 25, 5, 15, 20]
    assert result.trains.offsets.tolist() == [0, 2, 4, 5]
    assert (result.quality, set(result.quality_source)) == (["good", "mua", "good"], {"properties/quality.npy"})
    assert (result.sorter, result.sorter_version, result.curation) == ("spikeinterface", None, "raw")
    assert result.sample_rate_hz == 30000.0
    np.testing.assert_allclose(result.measures.firing_rate_hz, np.array([2, 2, 1]) * 30000.0 / 20)
    assert result.measures.peak_channel.tolist() == [12, 5, 7]
    labels = result.labels
    found = {(u, n): v for u, n, v in zip(labels.unit_id, labels.name, labels.value, strict=True)}
    assert found[9, "quality"] == "noise"
    assert found[7, "snr"] == "2.5"
    assert (9, "snr") not in found
    assert not [name for _, name in found if name == "place"]


def test_names_that_are_no_numbers_are_counted_and_kept_as_labels(make: SimpleNamespace, tmp_path: Path) -> None:
    make_sorting(["b", "a", "d", "c"]).save(folder=tmp_path / "a")
    result = read(make, tmp_path / "a")
    assert result.trains.unit_ids.tolist() == [0, 1, 3]
    assert result.trains.samples[:2].tolist() == [10, 25]
    assert dict(zip(result.labels.unit_id, result.labels.value, strict=True)) == {0: "b", 1: "a", 2: "d", 3: "c"}
    assert (result.quality, result.quality_source) == (["unsorted"] * 3, ["none"] * 3)


def test_the_sorter_is_the_one_that_was_run(make: SimpleNamespace, tmp_path: Path) -> None:
    sorting = make_sorting(KSLabel=["good", "mua", "good", "mua"])
    sorting.set_sorting_info({}, {}, {"sorter_name": "mountainsort5", "sorter_version": "0.5.6"})
    sorting.save(folder=tmp_path / "a")
    result = read(make, tmp_path / "a")
    assert (result.sorter, result.sorter_version) == ("mountainsort5", "0.5.6")
    assert result.quality == result.sorter_label == ["good", "mua", "mua"]


def test_a_step_of_curation_makes_it_curated(make: SimpleNamespace, tmp_path: Path) -> None:
    from spikeinterface.curation import CurationSorting

    make_sorting().save(folder=tmp_path / "raw")
    curated = CurationSorting(core.load(tmp_path / "raw"))
    curated.merge(units_to_merge=[3, 7], new_unit_id=20)
    curated.sorting.save(folder=tmp_path / "a")
    result = read(make, tmp_path / "a")
    assert result.trains.unit_ids.tolist() == [11, 20]
    assert result.curation == "curated"


def test_through_the_whole_reading_unknown_channels_are_null(make: SimpleNamespace, tmp_path: Path) -> None:
    relpath = "SC022/SC022_030319_g0/SC022_030319_g0_imec0/sorted"
    make_sorting(main_channel_id=["AP1", "x", "x", "AP0"]).save(folder=tmp_path / relpath)
    files = []
    for path in sorted(path for path in tmp_path.rglob("*") if path.is_file()):
        name = path.relative_to(tmp_path).as_posix()
        role = rule_of("ephys", name).role
        assert role == "sorting", name
        status = path.stat()
        files.append(FoundFile("ephys", tmp_path, PurePosixPath(name), role, status.st_size, status.st_mtime_ns))
    sites = [
        {"session": make.session, "probe": 1, "electrode": 10 + k, "channel": k, "shank": 0, "x_um": 0.0, "y_um": 0.0,
         "is_used": True} for k in range(2)
    ]  # fmt: skip
    tables, rejected = read_sortings(make.session, files, None, PROBE_SITES.from_rows(sites))
    assert rejected == ()
    units: pa.Table = tables["units"]
    assert units["peak_channel"].to_pylist() == [1, None, 0]
    assert units["electrode"].to_pylist() == [11, None, 10]
    assert units["x_um"].to_pylist() == [None] * 3
    assert tables["sortings"]["n_spikes"].to_pylist() == [5]


# -- what is refused ---------------------------------------------------------------------------------------------------
class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.marker,)  # type: ignore[return-value]


@pytest.mark.parametrize("where", ["properties/quality.npy", "spikes.npy"])
@pytest.mark.parametrize("is_bare", [True, False])
def test_python_objects_are_never_loaded(make: SimpleNamespace, tmp_path: Path, where: str, is_bare: bool) -> None:
    import pickle

    marker = tmp_path / "was_opened"
    make_sorting(quality=["a"] * 4).save(folder=tmp_path / "a")
    if is_bare:
        (tmp_path / "a" / where).write_bytes(pickle.dumps(Trap(marker)))
    else:
        np.save(tmp_path / "a" / where, np.array(Trap(marker), object), allow_pickle=True)
    with pytest.raises(UnreadableFile, match=Path(where).name):
        read(make, tmp_path / "a")
    assert not marker.exists()


def test_pickled_provenance_and_the_class_that_a_file_names_are_left_alone(
    make: SimpleNamespace, tmp_path: Path
) -> None:
    import pickle

    marker = tmp_path / "was_opened"
    make_sorting().save(folder=tmp_path / "a")
    for name in ("provenance.pkl", "cached.pkl"):
        (tmp_path / "a" / name).write_bytes(pickle.dumps(Trap(marker)))
    (tmp_path / "a/si_folder.json").write_text(
        json.dumps({"class": "os.path.join", "module": "os", "version": "0", "kwargs": {}, "annotations": {}})
    )
    assert len(read(make, tmp_path / "a").trains.samples) == 5
    assert not marker.exists()


@pytest.mark.parametrize("kind", ["numpy_folder", "npz_folder"])
@pytest.mark.parametrize("is_link", [True, False])
def test_an_array_that_is_not_among_the_sessions_files_is_never_read(
    make: SimpleNamespace, tmp_path: Path, kind: str, is_link: bool
) -> None:
    make_sorting(quality=["good"] * 4).save(folder=tmp_path / "a", format=kind)
    folder = make.sorting_folder(tmp_path / "a")
    np.save(tmp_path / "outside.npy", np.array(["stolen"] * 4))
    secret = tmp_path / "a/properties/secret.npy"
    if is_link:
        secret.symlink_to(tmp_path / "outside.npy")
    else:
        (tmp_path / "outside.npy").rename(secret)
    with pytest.raises(CompanionMissing, match=r"properties/secret\.npy"):
        spikeinterface_folder.read(folder, Scale())
    secret.unlink()
    assert set(spikeinterface_folder.read(folder, Scale()).labels.name) == {"quality"}


def test_nothing_on_the_share_is_mapped_and_no_copy_stays(
    make: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_sorting(quality=["good"] * 4).save(folder=tmp_path / "a")
    opened: list[Path] = []
    load = np.load
    monkeypatch.setattr(
        np, "load", lambda path, *args, **kwargs: opened.append(Path(path)) or load(path, *args, **kwargs)
    )
    assert len(read(make, tmp_path / "a").trains.samples) == 5
    assert {path.name for path in opened} == {"spikes.npy", "quality.npy"}
    assert not [path for path in opened if path.is_relative_to(tmp_path) or path.exists()]


def test_without_spikeinterface_the_extra_is_named(
    make: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_sorting().save(folder=tmp_path / "a")
    monkeypatch.setitem(sys.modules, "spikeinterface.core", None)
    with pytest.raises(NoFormatRecognizes, match=r"map-assets\[spikeinterface\]"):
        read(make, tmp_path / "a")


def test_a_sorting_of_two_segments_does_not_fit(make: SimpleNamespace, tmp_path: Path) -> None:
    make_sorting(n_segments=2).save(folder=tmp_path / "a")
    with pytest.raises(PiecesDoNotFit, match="2 segments"):
        read(make, tmp_path / "a")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("numpysorting_info.json", "{}"),
        ("numpysorting_info.json", "not json"),
        ("numpysorting_info.json", '{"sampling_frequency": 3e4, "unit_ids": [1], "num_segments": 1}'),
        ("numpysorting_info.json", '{"sampling_frequency": 3e4, "unit_ids": [3, 3, 3, 3], "num_segments": 1}'),
        ("numpysorting_info.json", '{"sampling_frequency": "a", "unit_ids": {"b": 2}, "num_segments": 1}'),
        ("annotations.json", "["),
        ("spikes.npy", "short"),
    ],
)
def test_a_damaged_folder_is_said(make: SimpleNamespace, tmp_path: Path, name: str, content: str) -> None:
    make_sorting().save(folder=tmp_path / "a")
    (tmp_path / "a" / name).write_text(content)
    with pytest.raises((UnreadableFile, PiecesDoNotFit)):
        read(make, tmp_path / "a")


@pytest.mark.parametrize("code", [0xD800, 0x7FFFFFFF])
def test_texts_of_codes_that_are_no_characters_are_unreadable(make: SimpleNamespace, tmp_path: Path, code: int) -> None:
    make_sorting(quality=["aa"] * 4).save(folder=tmp_path / "a")
    path = tmp_path / "a/properties/quality.npy"
    path.write_bytes(path.read_bytes()[:-4] + code.to_bytes(4, "little"))
    with pytest.raises(UnreadableFile, match=r"quality\.npy"):
        read(make, tmp_path / "a")


def test_arrays_of_another_make_are_unreadable(make: SimpleNamespace, tmp_path: Path) -> None:
    make_sorting().save(folder=tmp_path / "a")
    np.save(tmp_path / "a/spikes.npy", np.arange(5))
    with pytest.raises(UnreadableFile, match=r"spikes\.npy"):
        read(make, tmp_path / "a")
    with (tmp_path / "a/spikes.npy").open("wb") as stream:
        np.savez(stream, a=np.arange(5))
    with pytest.raises(UnreadableFile, match=r"spikes\.npy"):
        read(make, tmp_path / "a")
