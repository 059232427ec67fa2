"""Kilosort and Phy folders: everything by cluster id, nothing guessed, nothing run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.ephys.sorters import kilosort
from map_assets.ephys.sorters.kilosort_metrics import read_metrics
from map_assets.ephys.sorters.protocol import Scale, SorterResult, SortingFolder
from map_assets.vocabulary.errors import CompanionMissing, PiecesDoNotFit, UnreadableFile
from map_assets.vocabulary.files import FoundFile

SPARSE = {100: [10, 400, 900], 3: [20, 30], 7: [5], 41: [500, 501, 502, 503]}
SCALE = Scale(30000.25, 2.34375)


def as_folder(path: Path, relpath: str = "SC022/run_g0/run_g0_imec0/imec0_ks2") -> SortingFolder:
    """The folder as read_sortings sees it; its place on the share is made up."""
    files = {}
    for file in sorted(path.iterdir()):
        status = file.stat()
        files[file.name] = FoundFile(
            "ephys", path, PurePosixPath(file.name), "sorting", status.st_size, status.st_mtime_ns
        )
    return SortingFolder(PurePosixPath(relpath), files)


def read(path: Path, scale: Scale = SCALE, relpath: str = "SC022/run_g0/run_g0_imec0/imec0_ks2") -> SorterResult:
    folder = as_folder(path, relpath)
    assert kilosort.recognizes(frozenset(folder.files))
    return kilosort.read(folder, scale)


def trains_of(result: SorterResult) -> dict[int, list[int]]:
    trains = result.trains
    return {
        unit: trains.samples[trains.offsets[k] : trains.offsets[k + 1]].tolist()
        for k, unit in enumerate(trains.unit_ids.tolist())
    }


# -- spikes ------------------------------------------------------------------------------------------------------------
def test_sparse_ids_keep_their_own_spikes_and_are_never_renumbered(make: SimpleNamespace, tmp_path: Path) -> None:
    assert trains_of(read(make.write_kilosort(tmp_path, SPARSE))) == {k: sorted(SPARSE[k]) for k in sorted(SPARSE)}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2**40), st.sampled_from([0, 1, 5, 70000, 20_000_000])), min_size=1, max_size=60),
    st.sampled_from([np.uint64, np.int64]),
    st.booleans(),
)
def test_no_spike_is_lost_or_moved_whatever_the_order_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, spikes: list[tuple[int, int]], kind: type, is_column: bool
) -> None:
    from map_assets.ephys.sorters.kilosort_trains import read_spikes

    path = tmp_path_factory.mktemp("ks")
    times, ids = np.array([s for s, _ in spikes], kind), np.array([i for _, i in spikes], np.uint32)
    np.save(path / "spike_times.npy", times[:, None] if is_column else times)
    np.save(path / "spike_clusters.npy", ids[None] if is_column else ids)
    trains = read_spikes(as_folder(path)).trains
    expected = sorted((i, s) for s, i in spikes)
    assert np.repeat(trains.unit_ids, trains.counts).tolist() == [i for i, _ in expected]
    assert trains.samples.tolist() == [s for _, s in expected]


def test_without_curated_clusters_the_templates_are_the_units(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path, SPARSE)
    (tmp_path / "spike_clusters.npy").unlink()
    assert sorted(trains_of(read(tmp_path))) == sorted(SPARSE)


def test_a_sorting_of_one_spike_is_a_sorting(make: SimpleNamespace, tmp_path: Path) -> None:
    result = read(make.write_kilosort(tmp_path, {0: [17]}))
    assert trains_of(result) == {0: [17]}
    assert np.isnan(result.measures.firing_rate_hz).all()


def test_a_sorting_without_spikes_has_no_units(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path, {0: [17]})
    for name in ("spike_times", "spike_clusters", "spike_templates", "amplitudes"):
        array = np.load(tmp_path / f"{name}.npy")
        np.save(tmp_path / f"{name}.npy", array[:0])
    assert trains_of(read(tmp_path)) == {}


# -- labels ------------------------------------------------------------------------------------------------------------
def test_labels_are_joined_by_id_in_whatever_order_they_stand(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path, SPARSE)
    (tmp_path / "cluster_KSLabel.tsv").write_text(
        "cluster_id\tKSLabel\r\n100\tgood\r\n41\tmua\r\n7\tgood\r\n3\tmua\r\n"
    )
    result = read(tmp_path)
    assert dict(zip(result.trains.unit_ids.tolist(), result.quality, strict=True)) == {
        3: "mua", 7: "good", 41: "mua", 100: "good",
    }  # fmt: skip
    assert set(result.quality_source) == {"cluster_KSLabel.tsv"}
    assert result.curation == "raw"


def test_each_cluster_has_the_most_curated_label_that_there_is(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path, SPARSE)
    (tmp_path / "cluster_group.tsv").write_text("cluster_id\tgroup\n100\tmua\n999\tgood\n41\t\n")
    (tmp_path / "cluster_KSLabel.tsv").write_text("cluster_id\tKSLabel\n3\tgood\n41\tmua\n100\tgood\n")
    (tmp_path / "cluster_groups.csv").write_text("cluster_id\tgroup\n7\tnoise\n100\tnoise\n")
    result = read(tmp_path)
    labels = dict(
        zip(result.trains.unit_ids.tolist(), zip(result.quality, result.quality_source, strict=True), strict=True)
    )
    assert labels == {
        100: ("mua", "cluster_group.tsv"),
        3: ("good", "cluster_KSLabel.tsv"),
        41: ("mua", "cluster_KSLabel.tsv"),
        7: ("noise", "cluster_groups.csv"),
    }
    assert result.sorter_label == ["good", None, "mua", "good"]
    assert result.curation == "curated"


def test_a_cluster_that_nobody_labelled_is_unsorted(make: SimpleNamespace, tmp_path: Path) -> None:
    result = read(make.write_kilosort(tmp_path, {3: [1]}))
    assert (result.quality, result.quality_source) == (["unsorted"], ["none"])


@pytest.mark.parametrize(
    ("files", "curation"),
    [
        ({}, "raw"),
        ({"cluster_group.tsv": "cluster_id\tKSLabel\n0\tgood\n"}, "raw"),
        ({"cluster_group.tsv": "cluster_id\tgroup\n0\tgood\n", "cluster_KSLabel.tsv": "cluster_id\tKSLabel\n0\tgood\n"}, "raw"),
        ({"cluster_group.tsv": "cluster_id\tgroup\n0\tnoise\n", "cluster_KSLabel.tsv": "cluster_id\tKSLabel\n0\tgood\n"}, "raw"),
        ({"cluster_group.tsv": "cluster_id\tgroup\n0\tmua\n", "cluster_KSLabel.tsv": "cluster_id\tKSLabel\n0\tgood\n"}, "curated"),
        ({"phy.log": "19:04:06.123 [I] supervisor:1 | Opened the folder\n"}, "raw"),
        ({"phy.log": "19:04:06.123 [I] clustering:2 | Merge clusters 1, 2 to 30.\n"}, "curated"),
        ({"phy.log": "19:04:06.123 [I] cluster_meta:3 | Change metadata_group for clusters [1] to good.\n"}, "curated"),
    ],
)  # fmt: skip
def test_a_sorting_is_curated_if_a_persons_decisions_are_in_it(
    make: SimpleNamespace, tmp_path: Path, files: dict[str, str], curation: str
) -> None:
    make.write_kilosort(tmp_path, {0: [1, 2], 1: [3]})
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert read(tmp_path).curation == curation


def test_a_cluster_beyond_the_templates_was_merged_or_split_by_a_person(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path, {0: [1], 9: [2]}, templates_of={9: 1}, n_templates=4)
    assert read(tmp_path).curation == "curated"


@pytest.mark.parametrize(
    "text", ["", "id\tgroup\n1\tgood\n", "cluster_id\tgroup\nx\tgood\n", "cluster_id\tgroup\n1\n",
             "cluster_id\tgroup\n1\tgood\n1\tmua\n"]
)  # fmt: skip
def test_a_damaged_label_file_is_said(make: SimpleNamespace, tmp_path: Path, text: str) -> None:
    make.write_kilosort(tmp_path, SPARSE)
    (tmp_path / "cluster_group.tsv").write_text(text)
    with pytest.raises(UnreadableFile, match=r"cluster_group\.tsv"):
        read(tmp_path)


# -- peak channels, amplitudes, metrics ------------------------------------------------------------------------------
def test_peak_and_amplitude_come_from_the_units_own_template(make: SimpleNamespace, tmp_path: Path) -> None:
    measures = read(make.write_kilosort(tmp_path, SPARSE)).measures
    assert measures.peak_channel.tolist() == [3, 3, 1, 0]
    assert measures.x_um.tolist() == [27.0, 27.0, 11.0, 43.0]
    # template peak-to-peak (id + 1), times the inverse whitening (2), the mean amplitude (10) and uV per bit
    np.testing.assert_allclose(measures.amplitude_uv, (np.array([3, 7, 41, 100]) + 1) * 2 * 10 * 2.34375)
    span_s = (900 - 5) / 30000.25
    np.testing.assert_allclose(measures.firing_rate_hz, np.array([2, 1, 4, 3]) / span_s)


def test_a_merged_cluster_is_like_the_template_of_most_of_its_spikes(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path, {9: [1, 2, 3, 4, 5]}, n_templates=4)
    np.save(tmp_path / "spike_templates.npy", np.array([1, 2, 2, 1, 2], np.uint32))
    assert read(tmp_path).measures.peak_channel.tolist() == [2]
    np.save(tmp_path / "spike_templates.npy", np.array([2, 1, 2, 1, 3], np.uint32))
    assert read(tmp_path).measures.peak_channel.tolist() == [1]


def test_without_a_recording_the_amplitude_is_unknown(make: SimpleNamespace, tmp_path: Path) -> None:
    assert np.isnan(read(make.write_kilosort(tmp_path, SPARSE), Scale()).measures.amplitude_uv).all()


def test_the_channel_map_names_the_saved_channel(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path, {1: [5, 6]})
    np.save(tmp_path / "channel_map.npy", np.array([2, 8, 30, 31]))
    assert read(tmp_path).measures.peak_channel.tolist() == [8]


def test_metrics_are_joined_by_id_and_need_no_scaling(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path, SPARSE)
    (tmp_path / "metrics.csv").write_text(
        "cluster_id,firing_rate,isi_viol,snr,PT_ratio,amplitude,peak_channel,num_viol,epoch_name_quality_metrics\n"
        "100,1.5,0.25,4.5,0.3,111.5,2,7,complete_session\n"
        "555,9,9,9,9,9,9,9,complete_session\n"
        "3,2.5,,inf,0.4,222.5,1,8,complete_session\n"
    )
    result = read(tmp_path)
    measures = result.measures
    assert result.has_metrics
    assert result.trains.unit_ids.tolist() == [3, 7, 41, 100]
    assert measures.peak_channel.tolist() == [1, 3, 1, 2]
    np.testing.assert_allclose(measures.amplitude_uv, [222.5, 8 * 20 * 2.34375, 42 * 20 * 2.34375, 111.5])
    assert measures.firing_rate_hz[[0, 3]].tolist() == [2.5, 1.5]
    assert sorted(measures.metrics) == ["isi_violation", "num_viol", "pt_ratio", "snr"]
    np.testing.assert_array_equal(measures.metrics["isi_violation"], [np.nan, np.nan, np.nan, 0.25])
    np.testing.assert_array_equal(measures.metrics["snr"], [np.nan, np.nan, np.nan, 4.5])
    np.testing.assert_array_equal(measures.metrics["num_viol"], [8.0, np.nan, np.nan, 7.0])


def test_a_metrics_file_with_an_index_and_a_mark_at_its_head_is_read(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("\ufeff,cluster_id,SNR,snr\r\n0,5,1.5,9\r\n1,4,2,9\r\n", encoding="utf-8")
    found = read_metrics(tmp_path / "metrics.csv").of(np.array([4, 5]))
    assert {name: values.tolist() for name, values in found.items()} == {"snr": [2.0, 1.5]}


def test_with_complete_metrics_no_template_is_needed(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path, {4: [1, 2]})
    (tmp_path / "metrics.csv").write_text("cluster_id,amplitude,peak_channel\n4,100,2\n")
    (tmp_path / "templates.npy").unlink()
    assert read(tmp_path).measures.peak_channel.tolist() == [2]
    (tmp_path / "metrics.csv").unlink()
    with pytest.raises(CompanionMissing, match=r"templates\.npy is missing"):
        read(tmp_path)


def test_mean_waveforms_are_those_of_the_cluster_on_its_peak_channel(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path, {1: [5], 3: [6], 9: [7]}, templates_of={9: 2}, n_templates=4)
    waveforms = np.arange(5 * 4 * 6, dtype=np.float64).reshape(5, 4, 6)
    waveforms[1] = np.nan
    for order in ("C", "F"):
        np.save(tmp_path / "mean_waveforms.npy", np.asarray(waveforms, order=order))
        first, second, third = read(tmp_path).measures.waveform_uv
        assert len(first) == 0
        assert second.tolist() == waveforms[3, 3].tolist()
        assert len(third) == 0


def test_the_real_metrics_file_is_read_whole(shared_data: Path) -> None:
    metrics = read_metrics(shared_data / "sorting/ks25_np2_metrics_D1/metrics.csv")
    assert len(metrics.unit_ids) == 165
    assert 7 not in metrics.unit_ids
    found = metrics.of(np.array([7, 0, 165]))
    assert np.isnan(found["snr"][0])
    assert found["snr"][1] == 2.96217609018272
    assert found["pt_ratio"][1] == 0.1468429016277192
    assert found["peak_channel"][1] == 1.0
    assert np.isnan(found["velocity_below"][1])
    assert not [name for name in found if "epoch" in name]


@pytest.mark.parametrize(
    "text", ["", "snr,amplitude\n1,2\n", "cluster_id,snr\n1.5,2\n", "cluster_id,snr\n1,2\n1,3\n", "cluster_id,snr\n1\n",
             "cluster_id,snr\n-1,2\n", "cluster_id,snr\na,2\n"]
)  # fmt: skip
def test_a_damaged_metrics_file_is_said(make: SimpleNamespace, tmp_path: Path, text: str) -> None:
    make.write_kilosort(tmp_path, SPARSE)
    (tmp_path / "metrics.csv").write_text(text)
    with pytest.raises(UnreadableFile, match=r"metrics\.csv"):
        read(tmp_path)


# -- what the folder says of itself ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("relpath", "sorter", "version"),
    [
        ("SC022/run_g0/run_g0_imec0/imec0_ks2", "kilosort2", "2"),
        ("SC022/run_g0_imec0/imec0_ks25", "kilosort2.5", "2.5"),
        ("SC022/run_g0_imec0/pyks25/output", "pykilosort2.5", "2.5"),
        ("SC022/run_g0_imec0/kilosort2_5_32ch", "kilosort2.5", "2.5"),
        ("SC022/run_g0_imec0/Kilosort4", "kilosort4", "4"),
        ("SC022/run_g0_imec0/ks2_32ch", "kilosort2", "2"),
        ("SC022/run_g0_imec0/sorted", "kilosort", None),
        ("KS4/KS4_030319_g0/KS4_030319_g0_imec0/sorted", "kilosort", None),
        ("SC022/run_g0_imec0/tracks2", "kilosort", None),
    ],
)
def test_the_folder_names_sorter_and_version(
    make: SimpleNamespace, tmp_path: Path, relpath: str, sorter: str, version: str | None
) -> None:
    result = read(make.write_kilosort(tmp_path, {0: [1]}), relpath=relpath)
    assert (result.sorter, result.sorter_version) == (sorter, version)


def test_the_sorting_is_as_old_as_its_youngest_file(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path, {0: [1]})
    for number, file in enumerate(sorted(tmp_path.iterdir())):
        os.utime(file, ns=(0, 1_550_000_000_000_000_000 + number * 1000))
    found = read(tmp_path).sorted_at
    assert found is not None
    n_files = len(list(tmp_path.iterdir()))
    assert found.isoformat() == f"2019-02-12T19:33:20.{n_files - 1:06d}+00:00"


@pytest.mark.parametrize(("rate", "expected"), [("32000.", 32000.0), ("'fast'", None), ("0", None), ("True", None)])
def test_the_rate_is_what_the_parameters_say(
    make: SimpleNamespace, tmp_path: Path, rate: str, expected: float | None
) -> None:
    assert read(make.write_kilosort(tmp_path, {0: [1]}, rate=rate)).sample_rate_hz == expected


def test_parameters_are_read_and_never_run(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path, {0: [1]})
    marker = tmp_path / "was_run"
    (tmp_path / "params.py").write_text(
        f"import os\nos.system('touch {marker}')\nx = open({str(marker)!r}, 'w')\n"
        f"y = __import__('os').mkdir({str(marker)!r})\n((((\n\nsample_rate = 25000.0  # Hz\nz = {'(' * 3000}\n"
    )
    assert read(tmp_path).sample_rate_hz == 25000.0
    assert not marker.exists()


# -- damage ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["spike_clusters", "spike_templates", "amplitudes"])
def test_arrays_of_different_lengths_do_not_fit(make: SimpleNamespace, tmp_path: Path, name: str) -> None:
    make.write_kilosort(tmp_path, SPARSE)
    np.save(tmp_path / f"{name}.npy", np.load(tmp_path / f"{name}.npy")[:-1])
    with pytest.raises(PiecesDoNotFit, match="imec0_ks2"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("channel_map", np.arange(3)),
        ("channel_positions", np.zeros((4, 3))),
        ("templates", np.zeros((200, 6, 5), np.float32)),
        ("templates", np.zeros((200, 6), np.float32)),
        ("templates", np.zeros((50, 6, 4), np.float32)),
        ("whitening_mat_inv", np.eye(3)),
        ("mean_waveforms", np.float64(3.0)),
        ("mean_waveforms", np.zeros((101, 4))),
        ("spike_clusters", np.full(10, -1)),
        ("spike_times", np.full(10, -1)),
        ("spike_templates", np.full(10, 2**31)),
    ],
)
def test_shapes_that_disagree_do_not_fit(make: SimpleNamespace, tmp_path: Path, name: str, array: np.ndarray) -> None:
    make.write_kilosort(tmp_path, SPARSE)
    np.save(tmp_path / f"{name}.npy", array)
    with pytest.raises(PiecesDoNotFit, match="imec0_ks2"):
        read(tmp_path)


def test_a_peak_channel_that_was_not_sorted_does_not_fit(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path, {0: [1]})
    (tmp_path / "metrics.csv").write_text("cluster_id,peak_channel\n0,77\n")
    with pytest.raises(PiecesDoNotFit, match="77"):
        read(tmp_path)


ARRAYS = (
    "spike_times", "spike_clusters", "spike_templates", "amplitudes", "templates", "whitening_mat_inv", "channel_map",
    "channel_positions", "mean_waveforms",
)  # fmt: skip


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("damage", ["truncated", "empty", "pickle", "text", "archive", "strings"])
def test_a_damaged_array_is_unreadable_and_never_unpickled(
    make: SimpleNamespace, tmp_path: Path, name: str, damage: str
) -> None:
    make.write_kilosort(tmp_path, SPARSE)
    path = tmp_path / f"{name}.npy"
    if name == "mean_waveforms":
        np.save(path, np.zeros((101, 4, 6)))
    whole = path.read_bytes()
    if damage == "pickle":
        np.save(path, np.array([{"a": 1}], object), allow_pickle=True)
    elif damage == "archive":
        with path.open("wb") as stream:
            np.savez(stream, a=np.zeros(3))
    elif damage == "strings":
        np.save(path, np.array(["a", "b"]))
    else:
        path.write_bytes({"truncated": whole[:-4], "empty": b"", "text": b"not an array at all"}[damage])
    with pytest.raises(UnreadableFile, match=rf"{name}\.npy"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["spike_times", "channel_map", "channel_positions", "templates"])
def test_a_missing_array_is_named(make: SimpleNamespace, tmp_path: Path, name: str) -> None:
    make.write_kilosort(tmp_path, SPARSE)
    (tmp_path / f"{name}.npy").unlink()
    with pytest.raises(CompanionMissing, match=rf"{name}\.npy is missing"):
        kilosort.read(as_folder(tmp_path), SCALE)


@pytest.mark.parametrize("kind", [np.float64, np.complex128, np.bool_])
def test_spike_times_that_are_no_whole_numbers_are_unreadable(
    make: SimpleNamespace, tmp_path: Path, kind: type
) -> None:
    make.write_kilosort(tmp_path, SPARSE)
    np.save(tmp_path / "spike_times.npy", np.load(tmp_path / "spike_times.npy").astype(kind))
    with pytest.raises(UnreadableFile, match=r"spike_times\.npy"):
        read(tmp_path)


# -- the real folder ---------------------------------------------------------------------------------------------------
def test_the_real_folder_is_read_whole(shared_data: Path, tmp_path: Path) -> None:
    result = read(shared_data / "sorting/phy_ks25_32ch", relpath="x/imec0/phy_ks25_32ch")
    times = np.load(shared_data / "sorting/phy_ks25_32ch/spike_times.npy").ravel()
    ids = np.load(shared_data / "sorting/phy_ks25_32ch/spike_clusters.npy").ravel()
    assert trains_of(result) == {int(unit): np.sort(times[ids == unit]).tolist() for unit in np.unique(ids)}
    assert len(result.trains.samples) == 788
    assert (result.sorter, result.sorter_version, result.curation) == ("kilosort2.5", "2.5", "raw")
    assert result.sample_rate_hz == 32000.0
    labels = dict(zip(result.trains.unit_ids.tolist(), result.quality, strict=True))
    assert {unit for unit, label in labels.items() if label == "good"} == {9, 10, 11}
    assert set(result.quality_source) == {"cluster_group.tsv"}
    templates = np.load(shared_data / "sorting/phy_ks25_32ch/templates.npy")
    assert result.measures.peak_channel.tolist() == np.abs(templates).max(axis=1).argmax(axis=1).tolist()
    assert np.all(result.measures.amplitude_uv > 0)
    assert np.all(result.measures.firing_rate_hz > 0)


def test_the_real_folder_without_its_parameters_still_knows_its_spikes(shared_data: Path, tmp_path: Path) -> None:
    shutil.copytree(shared_data / "sorting/phy_ks25_32ch", tmp_path / "ks", copy_function=shutil.copyfile)
    (tmp_path / "ks").chmod(0o755)
    (tmp_path / "ks" / "params.py").unlink()
    result = read(tmp_path / "ks", Scale(), relpath="x/imec0/sorted")
    assert (result.sorter, result.sorter_version, result.sample_rate_hz) == ("kilosort", None, None)
    assert len(result.trains.samples) == 788
    assert np.isnan(result.measures.firing_rate_hz).all()
