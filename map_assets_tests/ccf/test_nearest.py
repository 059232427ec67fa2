"""The nearest labelled voxel: exact, near and far, whatever lies between."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from map_assets.ccf.annotation import AnnotationVolume
from map_assets.ccf.nearest import nearest_regions
from map_assets.ccf.occupancy import occupied_blocks

SHAPE = (66, 40, 57)


def _by_hand(labels: NDArray[np.uint32], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances to the surface of the nearest labelled voxel, out of all of them; voxels of 200 um."""
    middles = (np.argwhere(labels) + 0.5) * 200.0
    away = np.maximum(np.abs(points[:, None, :] - middles[None]) - 100.0, 0)
    return np.linalg.norm(away, axis=2).min(axis=1)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n_labelled=st.integers(1, 300), spread=st.sampled_from([400.0, 3000.0, 20_000.0]))
def test_no_labelled_voxel_is_nearer_than_the_one_that_is_named(seed: int, n_labelled: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    labels = np.zeros(SHAPE, np.uint32)
    labels[tuple(rng.integers(0, SHAPE, (n_labelled, 3)).T)] = rng.integers(1, 9, n_labelled)
    points = np.array([6600.0, 4000.0, 5700.0]) + rng.uniform(-spread, spread, (20, 3))
    volume = AnnotationVolume.from_labels(labels)
    region_id, distance_um = nearest_regions(volume, points)
    assert np.allclose(distance_um, _by_hand(labels, points))
    assert (region_id > 0).all()
    inside = distance_um == 0
    assert np.array_equal(region_id[inside], volume.region_ids(points[inside]))


def test_the_distance_is_to_the_voxels_side_not_to_its_middle() -> None:
    labels = np.zeros(SHAPE, np.uint32)
    labels[10:20, 20:30, 10:20] = 672
    labels[30:32, 20:30, 10:20] = 385
    volume = AnnotationVolume.from_labels(labels)
    points = [[3000, 3990, 3000], [3000, 0, 3000], [4990, 5000, 3000], [5010, 5000, 3000], [1970, 5000, 1960]]
    region_id, distance_um = nearest_regions(volume, points)
    assert region_id.tolist() == [672, 672, 672, 385, 672]
    assert np.allclose(distance_um, [10, 4000, 990, 990, 50])


def test_a_volume_without_labels_has_no_nearest_region() -> None:
    volume = AnnotationVolume.from_labels(np.zeros(SHAPE, np.uint32))
    region_id, distance_um = nearest_regions(volume, [[100.0, 100.0, 100.0]])
    assert region_id.tolist() == [0]
    assert np.isnan(distance_um).all()
    assert nearest_regions(volume, np.empty((0, 3)))[0].shape == (0,)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.sampled_from([1, 4, 7, 100]), share=st.sampled_from([0.0, 0.001, 0.5, 1.0]))
def test_a_block_is_occupied_where_any_of_its_voxels_has_a_label(seed: int, n: int, share: float) -> None:
    labels = (np.random.default_rng(seed).random(SHAPE) < share).astype(np.uint32)
    size = [-(-one // n) for one in SHAPE]
    whole = np.zeros([one * n for one in size], bool)
    whole[: SHAPE[0], : SHAPE[1], : SHAPE[2]] = labels > 0
    expected = np.argwhere(whole.reshape(size[0], n, size[1], n, size[2], n).any(axis=(1, 3, 5)))
    assert np.array_equal(occupied_blocks(AnnotationVolume.from_labels(labels), n), expected)
