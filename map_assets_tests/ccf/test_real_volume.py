"""Allen's own annotation volume at 25 um: labels, landmarks, lookups as iblatlas has them, and how long they take.

Loads about 300 MB; the only tests that do. The truth is read straight off the nrrd file's bytes.
"""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from map_assets.ccf.annotation import AnnotationVolume, make_annotation
from map_assets.ccf.closure import make_closure
from map_assets.ccf.nearest import nearest_regions
from map_assets.ccf.ontology import is_under, make_ontology, names_of
from map_assets.vocabulary.frame import ccf_from_bregma

SHAPE = (528, 320, 456)


@pytest.fixture(scope="module")
def table(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pa.Table]:
    store = tmp_path_factory.mktemp("store")
    return store, make_annotation(shared_data / "ccf" / "annotation_25.nrrd", store)


@pytest.fixture(scope="module")
def volume(table: tuple[Path, pa.Table]) -> AnnotationVolume:
    return AnnotationVolume.open(*table)


@pytest.fixture(scope="module")
def truth(shared_data: Path) -> NDArray[np.uint32]:
    """Decoded without the room's code, AP, DV, ML: nrrd stores the first axis fastest."""
    raw = (shared_data / "ccf" / "annotation_25.nrrd").read_bytes()
    body = raw[raw.index(b"\n\n") + 2 :]
    return np.frombuffer(gzip.decompress(body), "<u4").reshape(SHAPE[::-1]).T


@pytest.fixture(scope="module")
def ontology() -> pa.Table:
    return make_ontology()


def test_its_row_and_its_labels_are_allens(
    table: tuple[Path, pa.Table], volume: AnnotationVolume, truth: NDArray[np.uint32]
) -> None:
    row = table[1].to_pylist()[0]
    assert (row["voxel_um"], row["n_ap"], row["n_dv"], row["n_ml"], row["n_labels"]) == (25.0, *SHAPE, 671)
    for plane in range(0, SHAPE[2], 19):
        assert np.array_equal(volume.block((0, 0, plane), (*SHAPE[:2], plane + 1))[:, :, 0], truth[:, :, plane])
    assert np.array_equal(volume.block((100, 50, 200), (140, 90, 260)), truth[100:140, 50:90, 200:260])


def test_all_672_labels_have_a_name(volume: AnnotationVolume, ontology: pa.Table) -> None:
    labels = np.unique(volume.values)
    assert len(labels) == 672
    names = names_of(ontology, labels)
    assert [labels[i] for i, name in enumerate(names.to_pylist()) if name is None] == [0]
    held = make_closure(ontology)
    assert set(labels[1:].tolist()) <= set(held["region_id"].to_pylist())


def test_ten_thousand_lookups_are_right_and_fast(volume: AnnotationVolume, truth: NDArray[np.uint32]) -> None:
    voxels = np.random.default_rng(0).integers(0, SHAPE, (10_000, 3))
    points = voxels * 25.0 + np.random.default_rng(1).uniform(0, 24.9, (10_000, 3))
    took = []
    for _ in range(3):
        start = time.process_time()
        found = volume.region_ids(points)
        took.append(time.process_time() - start)
    assert np.array_equal(found, truth[tuple(voxels.T)])
    assert np.count_nonzero(found) > 2000
    assert min(took) < 0.1


@pytest.mark.parametrize(
    ("place", "ccf_um"),
    [
        ("CP", (5000, 4000, 3500)),
        ("CP", (5000, 4000, 11400 - 3500)),
        ("TH", (7000, 4000, 5200)),
        ("CBX", (11200, 2500, 5700)),
        ("MOB", (1500, 3000, 5000)),
        ("MY", (12300, 6000, 5600)),
        ("MO", (3000, 1800, 4200)),
        ("HY", (6500, 6500, 5500)),
        ("SSp", (6000, 1700, 2300)),
    ],
)
def test_named_places_lie_where_an_anatomist_looks_for_them(
    volume: AnnotationVolume, ontology: pa.Table, place: str, ccf_um: tuple[float, ...]
) -> None:
    assert volume.region_ids([ccf_um])[0] in is_under(ontology, place)


def test_axes_run_to_posterior_inferior_and_right(volume: AnnotationVolume, ontology: pa.Table) -> None:
    some = volume.block((0, 0, 0), SHAPE)[::4, ::4, ::4]

    def middle(place: str) -> NDArray[np.float64]:
        return np.argwhere(np.isin(some, list(is_under(ontology, place)))).mean(axis=0) * 100.0

    olfactory_bulb, isocortex, hypothalamus, cerebellum = (middle(one) for one in ("MOB", "Isocortex", "HY", "CB"))
    assert olfactory_bulb[0] < isocortex[0] < hypothalamus[0] < cerebellum[0]
    assert isocortex[1] < hypothalamus[1]
    # a brain is as wide on both sides; left and right are told apart by the frame, not by the volume
    assert np.abs([olfactory_bulb[2], isocortex[2], cerebellum[2]] - np.array(5700.0)).max() < 100
    side = np.isin(some, list(is_under(ontology, "CP"))).sum(axis=(0, 1))
    assert side[:57].sum() == pytest.approx(side[57:].sum(), rel=0.02)
    assert not some[:, 0].any()


def test_lookups_agree_with_iblatlas_on_a_hundred_thousand_points(
    volume: AnnotationVolume, truth: NDArray[np.uint32]
) -> None:
    """iblatlas takes an index times 25 um for the middle of a voxel: that is `zero="center"`, half a voxel further in."""
    from iblatlas.atlas import ALLEN_CCF_LANDMARKS_MLAPDV_UM, BrainAtlas
    from iblatlas.regions import BrainRegions

    regions = BrainRegions()
    ids, place = _ids_and_places(truth)
    index = np.array([int(np.flatnonzero(regions.id == one)[0]) for one in ids], np.uint16)
    label = np.ascontiguousarray(index[place].transpose(0, 2, 1))  # iblatlas's order: AP, ML, DV
    image = np.broadcast_to(np.uint8(0), label.shape)
    bregma = ALLEN_CCF_LANDMARKS_MLAPDV_UM["bregma"]
    atlas = BrainAtlas(
        image, label, 25e-6 * np.array([1, -1, -1]), regions, bregma / 25, dims2xyz=[1, 0, 2], xyz2dims=[1, 0, 2]
    )
    ccf = np.random.default_rng(5).uniform((100, 100, 100), (13000, 7800, 11200), (100_000, 3))
    xyz_um = np.stack([ccf[:, 2] - bregma[0], bregma[1] - ccf[:, 0], bregma[2] - ccf[:, 1]], axis=1)
    theirs = atlas.get_labels(xyz_um * 1e-6)
    ours = ccf_from_bregma(*xyz_um.T)
    assert np.array_equal(volume.region_ids(ours, zero="center"), theirs)
    assert np.array_equal(volume.region_ids(ours + 12.5), theirs)
    assert 0.8 < np.mean(volume.region_ids(ours) == theirs) < 1


def test_the_nearest_region_above_the_cortex_is_its_first_layer(volume: AnnotationVolume, ontology: pa.Table) -> None:
    surface = np.flatnonzero(volume.block((200, 0, 150), (201, 320, 151))[0, :, 0])[0] * 25.0
    points = [[5012.5, surface - up, 3762.5] for up in (10.0, 200.0, 600.0)]
    assert volume.region_ids(points).tolist() == [0, 0, 0]
    region_id, distance_um = nearest_regions(volume, points)
    assert all(name.endswith("1") for name in names_of(ontology, region_id).to_pylist())
    assert (distance_um <= [10.0, 200.0, 600.0]).all()
    assert (distance_um > [0.0, 100.0, 350.0]).all()


def _ids_and_places(truth: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
    """Different labels and which of them each voxel has, plane by plane."""
    ids = np.unique(np.concatenate([np.unique(truth[:, :, plane]) for plane in range(truth.shape[2])]))
    place = np.empty(truth.shape, np.uint16, order="F")
    for plane in range(truth.shape[2]):
        place[:, :, plane] = np.searchsorted(ids, truth[:, :, plane])
    return ids, place
