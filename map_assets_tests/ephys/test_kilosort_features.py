"""What a Kilosort folder tells of each spike, every label in it, and the odd shapes that its writers leave."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.ephys.sorters import kilosort, trains
from map_assets.ephys.sorters.npy import read_blocks
from map_assets.ephys.sorters.protocol import Scale, SorterResult
from map_assets.ephys.sorters.trains import sort_spikes
from map_assets.vocabulary.errors import PiecesDoNotFit, UnreadableFile

SPARSE = {100: [10, 400, 900], 3: [20, 30], 7: [5], 41: [500, 501, 502, 503]}
SCALE = Scale(30000.25, 2.0)


@pytest.fixture
def folder(make: SimpleNamespace, tmp_path: Path) -> Path:
    return Path(make.write_kilosort(tmp_path, SPARSE))


def read(make: SimpleNamespace, path: Path, scale: Scale = SCALE) -> SorterResult:
    return kilosort.read(make.sorting_folder(path), scale)


def save(path: Path, name: str, array: np.ndarray) -> None:
    np.save(path / f"{name}.npy", array)


# -- order -------------------------------------------------------------------------------------------------------------
@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 6)), min_size=1, max_size=80), st.booleans())
def test_many_spikes_are_sorted_by_counting_exactly_as_few_are(spikes: list[tuple[int, int]], rises: bool) -> None:
    found = sorted(spikes) if rises else spikes
    times, ids = (np.array(part, np.int64) for part in zip(*found, strict=True))
    few = sort_spikes(times, ids)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trains, "_MANY", 1)
        many = sort_spikes(times, ids)
    assert many.order.tolist() == few.order.tolist() == np.lexsort((times, ids)).tolist()
    assert many.trains.samples.tolist() == few.trains.samples.tolist() == times[few.order].tolist()
    assert many.sorted(ids).tolist() == np.sort(ids).tolist()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 9), st.integers(1, 4), st.integers(1, 4), st.sampled_from("CF"), st.sampled_from([None, 0]),
    st.integers(1, 200), st.sampled_from(["<f4", ">f8"]),
)  # fmt: skip
def test_blocks_of_an_array_are_the_array_whichever_way_it_lies(
    tmp_path_factory: pytest.TempPathFactory, n: int, m: int, k: int, order: str, at: int | None, size: int, kind: str
) -> None:
    path = tmp_path_factory.mktemp("blocks") / "array.npy"
    array = np.asarray(np.arange(n * m * k).reshape(n, m, k), kind, order=order)  # type: ignore[call-overload]
    np.save(path, array)
    expected = array if at is None else array[:, at]
    found = np.full(expected.shape, -1.0)
    for start, block in read_blocks(path, 3, at=at, block_bytes=size):
        found[start : start + len(block)] = block
    assert np.array_equal(found, expected)


# -- spikes' features --------------------------------------------------------------------------------------------------
def test_each_spike_has_its_own_templates_channel_and_amplitude(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path, {9: [1, 2, 3, 4]}, n_templates=4)
    save(tmp_path, "spike_templates", np.array([1, 2, 2, 3], np.uint32))
    save(tmp_path, "amplitudes", np.array([1.0, 2.0, 3.0, 4.0]))
    features = read(make, tmp_path).features
    assert features.peak_channel is not None
    assert features.peak_channel.tolist() == [1, 2, 2, 3]
    assert features.amplitude_uv is not None
    # template's peak-to-peak (number + 1), inverse whitening 2, the spike's own amplitude, 2 uV a bit
    assert features.amplitude_uv.tolist() == [2 * 2 * 1 * 2, 3 * 2 * 2 * 2, 3 * 2 * 3 * 2, 4 * 2 * 4 * 2]


def test_features_stand_in_the_order_of_the_trains(make: SimpleNamespace, folder: Path) -> None:
    times, ids = (np.load(folder / f"spike_{name}.npy").ravel() for name in ("times", "clusters"))
    save(folder, "amplitudes", np.arange(10.0))
    save(folder, "spike_positions", np.stack([np.zeros(10), times], axis=1))
    result = read(make, folder)
    order = np.lexsort((times, ids))
    assert result.features.depth_um is not None
    assert result.features.depth_um.tolist() == times[order].tolist() == result.trains.samples.tolist()
    assert result.features.amplitude_uv is not None
    np.testing.assert_allclose(result.features.amplitude_uv, np.arange(10.0)[order] * (ids[order] + 1) * 2 * 2)


@pytest.mark.parametrize("missing", ["whitening_mat_inv", "amplitudes"])
def test_an_amplitude_that_cannot_be_reckoned_is_not_told(make: SimpleNamespace, folder: Path, missing: str) -> None:
    (folder / f"{missing}.npy").unlink()
    result = read(make, folder)
    assert result.features.amplitude_uv is None
    assert np.isnan(result.measures.amplitude_uv).all()
    assert read(make, folder, Scale()).features.amplitude_uv is None


@pytest.mark.parametrize("order", ["C", "F"])
def test_depth_is_the_mean_of_the_feature_channels_by_squares_of_the_first_component(
    make: SimpleNamespace, folder: Path, order: str
) -> None:
    components = np.zeros((10, 3, 2), np.float32)
    components[:, 1:] = 99.0
    components[:, 0] = [[2, 1], [3, -5], [0, 0], [-1, -2], [1, 1], [1, 0], [0, 1], [1, 1], [1, 3], [2, 2]]
    held = np.tile([0, 3], (101, 1))
    held[7] = [3, 999]  # a channel that was not sorted counts for nothing
    save(folder, "pc_features", np.asarray(components, order=order))
    save(folder, "pc_feature_ind", np.asarray(held, np.uint32, order=order))
    result = read(make, folder)
    times, ids = (np.load(folder / f"spike_{name}.npy").ravel() for name in ("times", "clusters"))
    of_spike = [4.0, 0.0, np.nan, np.nan, 10.0, 0.0, 20.0, 10.0, 18.0, 10.0]  # y of channels 0 and 3 are 0 and 20
    of_spike[int(np.flatnonzero(ids == 7)[0])] = 20.0
    assert result.features.depth_um is not None
    np.testing.assert_allclose(result.features.depth_um, np.array(of_spike)[np.lexsort((times, ids))], rtol=1e-6)


def test_features_that_do_not_fit_are_said(make: SimpleNamespace, folder: Path) -> None:
    save(folder, "pc_features", np.ones((9, 3, 2), np.float32))
    save(folder, "pc_feature_ind", np.zeros((101, 2), np.uint32))
    with pytest.raises(PiecesDoNotFit, match="features of shape"):
        read(make, folder)
    save(folder, "pc_features", np.ones((10, 3, 2), np.float32))
    for shape in ((101, 2, 1), (101, 2, 2), (101,)):
        save(folder, "pc_feature_ind", np.zeros(shape, np.uint32))
        with pytest.raises(PiecesDoNotFit, match="features of shape"):
            read(make, folder)
    save(folder, "pc_feature_ind", np.zeros((100, 2), np.uint32))
    with pytest.raises(PiecesDoNotFit, match="template 100"):
        read(make, folder)
    save(folder, "spike_positions", np.ones((10, 3)))
    with pytest.raises(PiecesDoNotFit, match="spike positions"):
        read(make, folder)


@pytest.mark.parametrize("name", ["pc_features", "pc_feature_ind", "spike_positions"])
@pytest.mark.parametrize("damage", ["truncated", "pickle"])
def test_damaged_features_are_unreadable(make: SimpleNamespace, folder: Path, name: str, damage: str) -> None:
    save(folder, "pc_features", np.ones((10, 3, 2), np.float32))
    save(folder, "pc_feature_ind", np.zeros((101, 2), np.uint32))
    if name == "spike_positions":
        save(folder, name, np.ones((10, 2)))
    path = folder / f"{name}.npy"
    if damage == "pickle":
        np.save(path, np.array([{}], object), allow_pickle=True)
    else:
        path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(UnreadableFile, match=name):
        read(make, folder)


MEASURE = """
import resource, sys
from pathlib import Path, PurePosixPath
import numpy as np
from map_assets.ephys.sorters.kilosort_features import read_depths
from map_assets.ephys.sorters.kilosort_templates import read_channels
from map_assets.ephys.sorters.protocol import SortingFolder
from map_assets.vocabulary.files import FoundFile
path = Path(sys.argv[1])
files = {f.name: FoundFile("e", path, PurePosixPath(f.name), "sorting", 0, 0) for f in path.iterdir()}
folder = SortingFolder(PurePosixPath("a"), files)
channels, templates = read_channels(folder), np.zeros(int(sys.argv[2]), np.uint16)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
depth = read_depths(folder, templates, channels)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, np.isnan(depth).all())
"""


@pytest.mark.parametrize("order", ["C", "F"])
def test_components_larger_than_memory_should_be_are_streamed(tmp_path: Path, order: str) -> None:
    n_spikes = 1_000_000
    header = f"{{'descr': '<f4', 'fortran_order': {order == 'F'}, 'shape': ({n_spikes}, 3, 32)}}"
    with (tmp_path / "pc_features.npy").open("wb") as stream:  # 384 MB of holes
        stream.write(b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + header.ljust(117).encode() + b"\n")
        stream.truncate(128 + n_spikes * 3 * 32 * 4)
    save(tmp_path, "pc_feature_ind", np.tile(np.arange(32), (1, 1)))
    save(tmp_path, "channel_map", np.arange(32))
    save(tmp_path, "channel_positions", np.zeros((32, 2)))
    run = [sys.executable, "-c", MEASURE, str(tmp_path), str(n_spikes)]
    grown_kb, is_nan = subprocess.run(run, check=True, capture_output=True, text=True).stdout.split()
    assert int(grown_kb) < 130_000
    assert is_nan == "True"


# -- labels ------------------------------------------------------------------------------------------------------------
def test_every_cell_of_every_label_file_is_kept_as_found(make: SimpleNamespace, folder: Path) -> None:
    (folder / "cluster_KSLabel.tsv").write_text("cluster_id\tKSLabel\n3\tgood\n999\tmua\n")
    (folder / "cluster_Amplitude.tsv").write_text("cluster_id\tAmplitude\n3\t4066.70\n7\t\n")
    (folder / "cluster_groups.csv").write_text("cluster_id\tgroup\n7\tnoise\n")
    (folder / "cluster_info.tsv").write_text("id\tAmplitude\tn spikes\tnotes\n3\t4066.7\t2\tbursts, maybe two\n")
    (folder / "cluster_map.csv").write_text("channel,depth\n1,2\n")
    labels = read(make, folder).labels
    assert sorted(zip(labels.unit_id, labels.source, labels.name, labels.value, strict=True)) == [
        (3, "cluster_Amplitude.tsv", "Amplitude", "4066.70"),
        (3, "cluster_KSLabel.tsv", "KSLabel", "good"),
        (3, "cluster_info.tsv", "Amplitude", "4066.7"),
        (3, "cluster_info.tsv", "n spikes", "2"),
        (3, "cluster_info.tsv", "notes", "bursts, maybe two"),
        (7, "cluster_groups.csv", "group", "noise"),
        (999, "cluster_KSLabel.tsv", "KSLabel", "mua"),
    ]


@pytest.mark.parametrize(
    "text", ["cluster_id\tnote\n1\ta\n1\tb\n", "cluster_id\tnote\nx\ta\n", "cluster_id\tnote\n1\n",
             f"cluster_id\tnote\n{'9' * 5000}\ta\n", f"cluster_id\tnote\n1\t\"{'a' * 200_000}\"\n"]
)  # fmt: skip
def test_a_damaged_file_of_further_labels_is_said(make: SimpleNamespace, folder: Path, text: str) -> None:
    (folder / "cluster_note.tsv").write_text(text)
    with pytest.raises(UnreadableFile, match=r"cluster_note\.tsv"):
        read(make, folder)


# -- what writers leave ------------------------------------------------------------------------------------------------
def test_arrays_without_their_axes_of_length_one_are_read(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path, {0: [17]})
    save(tmp_path, "pc_features", np.ones((1, 3, 2), np.float32))
    save(tmp_path, "pc_feature_ind", np.array([[0, 3]]))
    whole = read(make, tmp_path)
    for name in ("spike_times", "spike_clusters", "spike_templates", "amplitudes", "templates", "channel_map",
                 "pc_features", "pc_feature_ind"):  # fmt: skip
        save(tmp_path, name, np.load(tmp_path / f"{name}.npy").squeeze())
    squeezed = read(make, tmp_path)
    for result in (whole, squeezed):
        assert result.trains.samples.tolist() == [17]
        assert result.measures.amplitude_uv.tolist() == [1 * 2 * 10 * 2.0]
        assert result.curation == "raw"
        assert result.features.depth_um is not None
        assert result.features.depth_um.tolist() == [10.0]


def test_a_probe_of_one_channel_is_read_without_its_axis(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path, {0: [17], 1: [20]})
    save(tmp_path, "templates", np.load(tmp_path / "templates.npy")[:, :, 0])
    save(tmp_path, "channel_map", np.array(5))
    save(tmp_path, "channel_positions", np.array([43.0, 60.0]))
    save(tmp_path, "whitening_mat_inv", np.array(2.0))
    measures = read(make, tmp_path).measures
    assert (measures.peak_channel.tolist(), measures.y_um.tolist()) == ([5, 5], [60.0, 60.0])
    assert measures.amplitude_uv.tolist() == [1 * 2 * 10 * 2.0, 0.0]


@pytest.mark.parametrize("name", ["templates_ind", "template_ind"])
def test_sparse_templates_are_over_the_channels_that_they_name(
    make: SimpleNamespace, tmp_path: Path, name: str
) -> None:
    make.write_kilosort(tmp_path, {0: [1, 4], 1: [2]})
    templates = np.zeros((2, 6, 2), np.float32)
    templates[0, 2] = [-1.0, -4.0]
    templates[1, 3] = [-2.0, -9.0]
    save(tmp_path, "templates", templates)
    with pytest.raises(PiecesDoNotFit, match="templates of shape"):
        read(make, tmp_path)
    save(tmp_path, name, np.array([[0, 3], [2, -1]]))
    result = read(make, tmp_path)
    assert result.measures.peak_channel.tolist() == [3, 2]
    assert result.measures.amplitude_uv.tolist() == [4 * 2 * 10 * 2.0, 2 * 2 * 10 * 2.0]


def test_an_empty_sorting_has_no_features(make: SimpleNamespace, folder: Path) -> None:
    for name in ("spike_times", "spike_clusters", "spike_templates", "amplitudes"):
        save(folder, name, np.load(folder / f"{name}.npy")[:0])
    save(folder, "pc_features", np.ones((0, 3, 2), np.float32))
    save(folder, "pc_feature_ind", np.zeros((101, 2), np.uint32))
    features = read(make, folder).features
    for values in (features.amplitude_uv, features.depth_um, features.peak_channel):
        assert values is not None
        assert len(values) == 0


# -- the real folder ---------------------------------------------------------------------------------------------------
@pytest.fixture
def real(shared_data: Path) -> Path:
    return shared_data / "sorting/phy_ks25_32ch"


def test_the_real_folders_spikes_have_depths_and_channels(make: SimpleNamespace, real: Path) -> None:
    result = kilosort.read(make.sorting_folder(real), SCALE)
    load = {name: np.load(real / f"{name}.npy") for name in
            ("pc_features", "pc_feature_ind", "spike_templates", "spike_times", "spike_clusters", "channel_positions",
             "templates", "amplitudes")}  # fmt: skip
    order = np.lexsort((load["spike_times"].ravel(), load["spike_clusters"].ravel()))
    template = load["spike_templates"].ravel()[order]
    weight = np.clip(load["pc_features"][order, 0].astype(float), 0, None) ** 2
    y_um = load["channel_positions"][:, 1][load["pc_feature_ind"][template].astype(int)]
    features = result.features
    assert features.depth_um is not None
    np.testing.assert_allclose(features.depth_um, (weight * y_um).sum(1) / weight.sum(1), rtol=1e-4, atol=1e-3)
    assert features.peak_channel is not None
    largest = np.abs(load["templates"]).max(axis=1).argmax(axis=1)
    assert np.array_equal(features.peak_channel, largest[template])
    assert features.amplitude_uv is not None
    height = (
        np.ptp(load["templates"][np.arange(13), :, largest], axis=1) * 200
    )  # its whitening is 1/200 of each channel
    expected = height[template] * load["amplitudes"].ravel()[order] * 2.0
    np.testing.assert_allclose(features.amplitude_uv, expected, rtol=1e-5)
    labels = result.labels
    found = {(u, s, n): v for u, s, n, v in zip(labels.unit_id, labels.source, labels.name, labels.value, strict=True)}
    assert len(found) == 4 * 13
    assert found[0, "cluster_Amplitude.tsv", "Amplitude"] == "4066.7"
    assert found[0, "cluster_group.tsv", "KSLabel"] == "mua"


def test_spikeinterface_reads_the_same_units_and_samples_from_the_real_folder(
    make: SimpleNamespace, real: Path
) -> None:
    extractors = pytest.importorskip("spikeinterface.extractors", reason="SpikeInterface is not installed")
    result = kilosort.read(make.sorting_folder(real), SCALE)
    for sorting in (extractors.read_phy(real), extractors.read_kilosort(real)):
        assert sorted(sorting.unit_ids.tolist()) == result.trains.unit_ids.tolist()
        for k, unit_id in enumerate(result.trains.unit_ids.tolist()):
            ours = result.trains.samples[result.trains.offsets[k] : result.trains.offsets[k + 1]]
            assert np.array_equal(sorting.get_unit_spike_train(unit_id), ours)
        assert sorting.sampling_frequency == result.sample_rate_hz
