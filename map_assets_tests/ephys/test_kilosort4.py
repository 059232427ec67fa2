"""Kilosort 4's folder: what only it writes, how it whitens, and its pickle, which is never opened."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from map_assets.ephys.sorters import kilosort
from map_assets.ephys.sorters.protocol import Scale, SorterResult
from map_assets.vocabulary.errors import PiecesDoNotFit

SPARSE = {100: [10, 400, 900], 3: [20, 30]}
SCALE = Scale(30000.25, 2.0)


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.marker,)  # type: ignore[return-value]


def read(make: SimpleNamespace, path: Path, relpath: str = "SC022/run_g0_imec0/sorted") -> SorterResult:
    return kilosort.read(make.sorting_folder(path, relpath), SCALE)


def test_its_state_is_a_pickle_and_is_never_opened(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path / "ks", SPARSE)
    marker = tmp_path / "was_opened"
    stream = io.BytesIO()
    np.save(stream, np.array(Trap(marker), object), allow_pickle=True)
    (tmp_path / "ks/ops.npy").write_bytes(stream.getvalue())
    result = read(make, tmp_path / "ks")
    assert (result.sorter, result.sorter_version) == ("kilosort4", "4")
    assert not marker.exists()
    np.load(io.BytesIO(stream.getvalue()), allow_pickle=True)
    assert marker.exists()  # the trap works


@pytest.mark.parametrize(
    ("name", "content", "version"),
    [
        ("kilosort4.log", b"12-10-24 INFO kilosort.run_kilosort Kilosort version 4.0.30\nSorting\n", "4.0.30"),
        ("kilosort4.log", b"INFO Kilosort version 4.0.19.dev3+g58f46e2\n", "4.0.19.dev3+g58f46e2"),
        ("kilosort4.log", b"\xff\xfe nothing of it\n", "4"),
        ("kept_spikes.npy", b"never read", "4"),
        ("spike_detection_templates.npy", b"never read", "4"),
    ],
)
def test_it_is_known_by_its_files_whatever_the_folder_is_called(
    make: SimpleNamespace, tmp_path: Path, name: str, content: bytes, version: str
) -> None:
    make.write_kilosort(tmp_path, SPARSE)
    (tmp_path / name).write_bytes(content)
    result = read(make, tmp_path, "SC022/run_g0_imec0/imec0_ks25")
    assert (result.sorter, result.sorter_version) == ("kilosort4", version)


def test_its_templates_are_of_full_size_and_its_amplitudes_no_voltages(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path, SPARSE)
    (tmp_path / "kept_spikes.npy").touch()
    result = read(make, tmp_path)
    np.testing.assert_allclose(result.measures.amplitude_uv, np.array([4, 101]) * 2 * 2.0)
    assert result.features.amplitude_uv is None
    assert result.features.peak_channel is not None


def test_its_whitening_is_undone_the_way_it_was_done(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path, {0: [1, 2]})
    whitening = np.array([[0.05, -0.02, 0, 0], [0.01, 0.05, 0, 0], [0, -0.01, 0.05, -0.01], [0, 0, 0.02, 0.05]])
    wave = np.zeros((6, 4))
    wave[2], wave[3] = [-100.0, -30.0, 0.0, 0.0], [20.0, 5.0, 0.0, 0.0]
    np.save(tmp_path / "templates.npy", (wave @ whitening.T)[None].astype(np.float32))
    np.save(tmp_path / "whitening_mat_dat.npy", whitening)
    np.save(tmp_path / "whitening_mat_inv.npy", np.eye(4) / 0.005)  # what early versions wrote for Phy
    np.testing.assert_allclose(read(make, tmp_path).measures.amplitude_uv, [120.0 * 2.0], rtol=1e-5)
    (tmp_path / "whitening_mat_dat.npy").unlink()
    np.save(tmp_path / "whitening_mat_inv.npy", np.linalg.inv(whitening))
    (tmp_path / "kept_spikes.npy").touch()
    np.testing.assert_allclose(read(make, tmp_path).measures.amplitude_uv, [120.0 * 2.0], rtol=1e-5)


def test_a_whitening_that_cannot_be_undone_does_not_fit(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path, SPARSE)
    np.save(tmp_path / "whitening_mat_dat.npy", np.zeros((4, 4)))
    with pytest.raises(PiecesDoNotFit, match="whitening_mat_dat"):
        read(make, tmp_path)


def test_depths_are_its_own_positions_along_the_probe(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path, SPARSE)
    positions = np.stack([np.full(5, -1.0), [10.5, 20.5, 30.5, 40.5, 50.5]], axis=1).astype(np.float32)
    np.save(tmp_path / "pc_features.npy", np.ones((5, 3, 2), np.float32))
    np.save(tmp_path / "pc_feature_ind.npy", np.zeros((101, 2), np.int64))
    for order in ("C", "F"):
        np.save(tmp_path / "spike_positions.npy", np.asarray(positions, order=order))
        depth = read(make, tmp_path).features.depth_um
        assert depth is not None
        # file order is that of time: 10 (100), 20 (3), 30 (3), 400 (100), 900 (100)
        assert depth.tolist() == [20.5, 30.5, 10.5, 40.5, 50.5]


def test_a_template_label_column_in_the_group_file_is_the_sorters(make: SimpleNamespace, tmp_path: Path) -> None:
    make.write_kilosort(tmp_path, SPARSE)
    for name in ("cluster_group.tsv", "cluster_KSLabel.tsv"):
        (tmp_path / name).write_text("cluster_id\tKSLabel\n3\tgood\n100\tmua\n")
    (tmp_path / "ops.npy").touch()
    result = read(make, tmp_path)
    assert (result.quality, result.sorter_label, result.curation) == (["good", "mua"], ["good", "mua"], "raw")
