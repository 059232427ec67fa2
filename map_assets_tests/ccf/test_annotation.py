"""The annotation volume: made once, opened by memory map, looked up by the point."""

from __future__ import annotations

from pathlib import Path

import nrrd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.ccf.annotation import AnnotationVolume, make_annotation
from map_assets.vocabulary.errors import ChangedWhileRead, NoAnnotationVolume, PiecesDoNotFit, UnreadableFile
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
    assert row["array_file"] == f"ccf/annotation_{row['sha256'][:16]}_runs_2.npy"
    volume = AnnotationVolume.open(tmp_path / "store", make_annotation(source, tmp_path / "store"))
    assert np.array_equal(volume.block(), labels)
    assert (volume.sha256, volume.voxel_um) == (row["sha256"], 200.0)
    assert copy.stat().st_size < labels.size
    before = copy.stat().st_mtime_ns
    assert make_annotation(source, tmp_path / "store").to_pylist() == [row]
    assert copy.stat().st_mtime_ns == before
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2"])
@pytest.mark.parametrize("kind", ["u1", "i2", "<u4", ">u4", "i8"])
def test_every_way_to_store_labels_gives_the_same_volume(tmp_path: Path, encoding: str, kind: str) -> None:
    labels = np.random.default_rng(3).integers(0, 100, (66, 40, 57)).astype(kind)
    source = _write(tmp_path / "a.nrrd", labels, encoding=encoding)
    volume = AnnotationVolume.open(tmp_path, make_annotation(source, tmp_path))
    assert np.array_equal(volume.block(), labels)


def test_the_release_is_told_by_the_path_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "annotation" / "ccf_2017"
    folder.mkdir(parents=True)
    source = _write(folder / "a.nrrd", np.ones((66, 40, 57), np.uint8))
    assert make_annotation(source, tmp_path)["release"].to_pylist() == ["ccf_2017"]
    assert make_annotation(source.rename(tmp_path / "a.nrrd"), tmp_path)["release"].to_pylist() == [None]


_CORNERS = st.tuples(*(st.integers(0, size) for size in (66, 40, 57)))


@settings(max_examples=60, deadline=None)
@given(one=_CORNERS, other=_CORNERS, n_labels=st.sampled_from([1, 2, 50]), length=st.integers(1, 9000))
def test_any_box_is_unpacked_as_it_was(
    one: tuple[int, ...], other: tuple[int, ...], n_labels: int, length: int
) -> None:
    rng = np.random.default_rng(length)
    runs = np.repeat(rng.integers(0, n_labels, 150480 // length + 1), length)[:150480]
    labels = runs.reshape((66, 40, 57), order="F").astype(np.uint32)
    volume = AnnotationVolume.from_labels(labels)
    low, high = np.minimum(one, other), np.maximum(one, other)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    assert np.array_equal(volume.block(low, high), labels[box])
    assert np.array_equal(volume.block((0, 0, low[2]), (66, 40, high[2])), labels[:, :, box[2]])
    inside = rng.integers(0, (66, 40, 57), (100, 3))
    assert np.array_equal(volume.at(inside), labels[tuple(inside.T)])


def test_boxes_are_cut_to_the_volume_and_may_be_thinned(small_volume: AnnotationVolume) -> None:
    whole = small_volume.block()
    assert small_volume.shape == whole.shape == (66, 40, 57)
    assert np.array_equal(small_volume.every(7), whole[::7, ::7, ::7])
    assert small_volume.block((5, 5, 5), (5, 9, 9)).shape == (0, 4, 4)
    assert small_volume.block((-3, 0, 50), (2, 99, 99)).shape == (2, 40, 7)


def test_half_a_voxel_lies_between_the_houses_zero_and_iblatlas(small_volume: AnnotationVolume) -> None:
    # the border of CP and VISp is the left side of voxel 28
    ml = [5600.0, 5599.9, 5500.0, 5499.9]
    points = [[6600.0, 4000.0, one] for one in ml]
    assert small_volume.region_ids(points).tolist() == [385, 672, 672, 672]
    assert small_volume.region_ids(points, zero="center").tolist() == [385, 385, 385, 672]
    assert small_volume.region_ids([[0.0, 7900.0, 0.0]], zero="center").tolist() == [-1]


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
    copy.write_bytes(copy.read_bytes()[:-4])
    with pytest.raises(UnreadableFile, match="Materialize ccf_annotation"):
        AnnotationVolume.open(tmp_path, table)
    np.save(copy, np.ones((2, 2, 2), np.uint8))
    with pytest.raises(UnreadableFile, match="its shape is"):
        AnnotationVolume.open(tmp_path, table)
    np.save(copy, np.array([[0, 66 * 40 * 57], [1, 2]], np.uint32))
    with pytest.raises(UnreadableFile, match="beyond the volume"):
        AnnotationVolume.open(tmp_path, table)
    np.save(copy, np.array([[0, 9, 5], [1, 2, 3]], np.uint32))
    with pytest.raises(UnreadableFile, match="out of order"):
        AnnotationVolume.open(tmp_path, table)


def test_a_damaged_copy_is_made_again(tmp_path: Path) -> None:
    source = _write(tmp_path / "a.nrrd", np.ones((66, 40, 57), np.uint8))
    copy = tmp_path / make_annotation(source, tmp_path)["array_file"][0].as_py()
    np.save(copy, np.array([[0, 9, 5], [1, 2, 3]], np.uint32))
    volume = AnnotationVolume.open(tmp_path, make_annotation(source, tmp_path))
    assert (volume.block() == 1).all()


@pytest.mark.parametrize("through_a_link", [False, True])
def test_a_volume_that_is_replaced_while_it_is_read_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, through_a_link: bool
) -> None:
    source = _write(tmp_path / "a.nrrd", np.full((66, 40, 57), 3, np.uint8))
    other = _write(tmp_path / "b.nrrd", np.full((66, 40, 57), 7, np.uint8))
    named = tmp_path / "linked.nrrd" if through_a_link else source
    if through_a_link:
        named.symlink_to(source)

    def hash_and_replace(path: Path) -> str:
        found = sha256_of(path)
        other.replace(source)
        return found

    monkeypatch.setattr("map_assets.ccf.annotation.sha256_of", hash_and_replace)
    with pytest.raises(ChangedWhileRead):
        make_annotation(named, tmp_path / "store")
    monkeypatch.undo()
    assert not (tmp_path / "store").exists()
    now = AnnotationVolume.open(tmp_path / "store", make_annotation(named, tmp_path / "store"))
    assert (now.block() == 7).all()


def test_a_volume_of_noise_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("map_assets.ccf.runs.MOST_RUNS", 1000)
    noise = np.random.default_rng(1).integers(0, 255, (66, 40, 57), np.uint8)
    with pytest.raises(PiecesDoNotFit, match="change more than 1,000 times"):
        make_annotation(_write(tmp_path / "a.nrrd", noise), tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_labels_in_another_file_or_too_many_of_them_are_unreadable(tmp_path: Path) -> None:
    source = _write(tmp_path / "a.nrrd", np.ones((66, 40, 57), np.uint8), encoding="raw")
    source.write_bytes(source.read_bytes() + b"more")
    with pytest.raises(UnreadableFile, match="more than its header says"):
        make_annotation(source, tmp_path / "store")
    nrrd.write(str(tmp_path / "b.nhdr"), np.ones((66, 40, 57), np.uint8))
    with pytest.raises(UnreadableFile, match="data file"):
        make_annotation(tmp_path / "b.nhdr", tmp_path / "store")
