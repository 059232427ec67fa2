"""The annotation volume: made once, opened by memory map, looked up by the point."""

from __future__ import annotations

import time
from pathlib import Path

import nrrd
import numpy as np
import pytest

from map_assets.ccf.annotation import AnnotationVolume, make_annotation
from map_assets.vocabulary.errors import NoAnnotationVolume, PiecesDoNotFit, UnreadableFile
from map_assets.vocabulary.files import sha256_of


def _write(path: Path, labels: np.ndarray, **header: object) -> Path:
    nrrd.write(str(path), labels, header=header or None)
    return path


def test_a_lookup_names_the_voxel_that_holds_the_point(small_volume: AnnotationVolume) -> None:
    points = [
        [6600.0, 2000.0, 5599.9],
        [6600.0, 2000.0, 5600.0],
        [6600.0, 1999.9, 5600.0],
        [0.0, 2000.0, 0.0],
        [13199.9, 7999.9, 11399.9],
        [13200.0, 2000.0, 0.0],
        [-0.1, 2000.0, 0.0],
        [np.nan, 2000.0, 0.0],
    ]
    assert small_volume.region_ids(points).tolist() == [672, 385, 0, 672, 385, -1, -1, -1]
    assert small_volume.region_ids(points).dtype == np.int64
    assert small_volume.region_ids(np.empty((0, 3))).shape == (0,)


def test_the_row_describes_the_volume_and_the_copy_is_kept(tmp_path: Path) -> None:
    labels = np.zeros((66, 40, 57), np.int64)
    labels[3:9] = 614454277
    labels[9:12] = 7
    source = _write(tmp_path / "a.nrrd", labels)
    row = make_annotation(source, tmp_path / "store").to_pylist()[0]
    assert (row["voxel_um"], row["n_ap"], row["n_dv"], row["n_ml"], row["n_labels"]) == (200.0, 66, 40, 57, 2)
    assert row["sha256"] == sha256_of(source)
    copy = tmp_path / "store" / row["array_file"]
    assert row["array_file"] == f"ccf/annotation_{row['sha256'][:16]}.npy"
    kept = np.load(copy, mmap_mode="r", allow_pickle=False)
    assert kept.dtype == np.uint32
    assert np.array_equal(kept, labels)
    before = copy.stat().st_mtime_ns
    assert make_annotation(source, tmp_path / "store").to_pylist() == [row]
    assert copy.stat().st_mtime_ns == before
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_small_labels_are_kept_small(tmp_path: Path) -> None:
    source = _write(tmp_path / "a.nrrd", np.full((66, 40, 57), 300, np.uint32))
    table = make_annotation(source, tmp_path)
    assert AnnotationVolume.open(tmp_path, table).labels.dtype == np.uint16


def test_a_volume_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    with pytest.raises(NoAnnotationVolume, match=r"no\.nrrd is not there"):
        make_annotation(tmp_path / "no.nrrd", tmp_path)
    source = _write(tmp_path / "a.nrrd", np.ones((66, 40, 57), np.uint8))
    table = make_annotation(source, tmp_path / "store")
    with pytest.raises(NoAnnotationVolume, match="materialize ccf_annotation"):
        AnnotationVolume.open(tmp_path / "elsewhere", table)
    with pytest.raises(NoAnnotationVolume, match="No annotation volume is in use"):
        AnnotationVolume.open(tmp_path / "store", table.slice(0, 0))


@pytest.mark.parametrize("kept", [0, 3, 200, 0.5, 0.99])
def test_a_truncated_volume_is_unreadable_and_leaves_nothing_behind(tmp_path: Path, kept: float) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (66, 40, 57), np.uint8)
    source = _write(tmp_path / "a.nrrd", noise)
    whole = source.read_bytes()
    source.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    with pytest.raises(UnreadableFile, match=r"a\.nrrd.*name another"):
        make_annotation(source, tmp_path / "store")
    assert not list((tmp_path / "store").rglob("*"))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.ones((40, 66, 57), np.uint8), "its shape is"),
        (np.ones((66, 40), np.uint8), "its shape is"),
        (np.ones((66, 40, 57), np.float32), "float32"),
        (np.full((66, 40, 57), -4, np.int16), "int16"),
    ],
)
def test_what_is_no_allen_annotation_does_not_fit(tmp_path: Path, labels: np.ndarray, said: str) -> None:
    with pytest.raises(PiecesDoNotFit, match=said):
        make_annotation(_write(tmp_path / "a.nrrd", labels), tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_a_mirrored_volume_does_not_fit(tmp_path: Path) -> None:
    source = _write(
        tmp_path / "a.nrrd",
        np.ones((66, 40, 57), np.uint8),
        space="left-posterior-superior",
        **{"space directions": np.diag([200.0, 200.0, -200.0])},
    )
    with pytest.raises(PiecesDoNotFit, match="posterior, inferior and right"):
        make_annotation(source, tmp_path)


def test_a_damaged_copy_is_named(tmp_path: Path) -> None:
    table = make_annotation(_write(tmp_path / "a.nrrd", np.ones((66, 40, 57), np.uint8)), tmp_path)
    copy = tmp_path / table["array_file"][0].as_py()
    copy.write_bytes(copy.read_bytes()[:1000])
    with pytest.raises(UnreadableFile, match="materialize ccf_annotation"):
        AnnotationVolume.open(tmp_path, table)
    np.save(copy, np.ones((2, 2, 2), np.uint8))
    with pytest.raises(UnreadableFile, match="its shape is"):
        AnnotationVolume.open(tmp_path, table)


def test_the_real_volume_is_looked_up_right_and_fast(shared_data: Path, tmp_path: Path) -> None:
    """Loads about 300 MB; the only test that does. The truth is read straight off the nrrd file's bytes."""
    source = shared_data / "ccf" / "annotation_25.nrrd"
    table = make_annotation(source, tmp_path)
    row = table.to_pylist()[0]
    assert (row["voxel_um"], row["n_ap"], row["n_dv"], row["n_ml"], row["n_labels"]) == (25.0, 528, 320, 456, 671)
    volume = AnnotationVolume.open(tmp_path, table)
    truth = _labels_by_hand(source)
    voxels = np.random.default_rng(0).integers(0, (528, 320, 456), (10_000, 3))
    points = voxels * 25.0 + np.random.default_rng(1).uniform(0, 24.9, (10_000, 3))
    volume.region_ids(points)
    start = time.perf_counter()
    found = volume.region_ids(points)
    assert time.perf_counter() - start < 0.1
    assert np.array_equal(found, truth[voxels[:, 2], voxels[:, 1], voxels[:, 0]])
    assert np.count_nonzero(found) > 2000
    # Middle of the left and right striatum, and the air above the brain.
    assert volume.region_ids([[5000, 4000, 3500], [5000, 4000, 11400 - 3500], [5000, 10, 5700]]).tolist() == [
        672,
        672,
        0,
    ]


def _labels_by_hand(source: Path) -> np.ndarray:
    """Decode the volume without the room's code: nrrd stores the first axis fastest, so C order is ML, DV, AP."""
    import gzip

    raw = source.read_bytes()
    body = raw[raw.index(b"\n\n") + 2 :]
    return np.frombuffer(gzip.decompress(body), "<u4").reshape(456, 320, 528)
