"""Axes are turned in one place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from map_assets.vocabulary import frame
from map_assets.vocabulary.errors import PiecesDoNotFit

um = st.floats(-1e4, 1e4)


def test_bregma_is_where_the_ibl_puts_it() -> None:
    assert frame.ccf_from_bregma(0, 0, 0).tolist() == [5400.0, 332.0, 5739.0]


def test_right_anterior_dorsal_go_where_the_ccf_puts_them() -> None:
    ap, dv, ml = frame.ccf_from_bregma(100, 200, -300)
    assert (ap, dv, ml) == (5200.0, 632.0, 5839.0)


@given(st.lists(st.tuples(um, um, um), min_size=1, max_size=5))
def test_ccf_and_bregma_turn_into_each_other(points: list[tuple[float, float, float]]) -> None:
    ccf = np.array(points)
    back = frame.ccf_from_bregma(*frame.bregma_from_ccf(ccf).T)
    assert np.allclose(back, ccf, atol=1e-6)


def test_the_map_database_has_ml_dv_ap() -> None:
    assert frame.ccf_from_map_xyz([[1.0, 2.0, 3.0]]).tolist() == [[3.0, 2.0, 1.0]]


def test_a_point_on_a_voxels_lower_border_belongs_to_it() -> None:
    index, is_inside = frame.voxel_of(
        [[0, 0, 0], [24.999, 25, 50], [-0.001, 0, 0], [13200, 0, 0]], 25.0, (528, 320, 456)
    )
    assert index[:2].tolist() == [[0, 0, 0], [0, 1, 2]]
    assert is_inside.tolist() == [True, True, False, False]


def test_left_is_below_the_midline() -> None:
    assert frame.hemisphere_of([0.0, 5699.9, 5700.0, 11400.0]).tolist() == ["left", "left", "right", "right"]


@pytest.mark.parametrize(
    ("shape", "voxel_um"), [((528, 320, 456), 25.0), ((1320, 800, 1140), 10.0), ((660, 400, 570), 20.0)]
)
def test_a_whole_volume_tells_its_voxel_size(shape: tuple[int, int, int], voxel_um: float) -> None:
    assert frame.voxel_size_from_shape(shape) == voxel_um


def test_axes_in_another_order_are_refused() -> None:
    with pytest.raises(PiecesDoNotFit, match="AP, DV, ML"):
        frame.voxel_size_from_shape((456, 320, 528))


@pytest.mark.parametrize(
    ("out", "back"),
    [
        (frame.map_xyz_from_ccf, frame.ccf_from_map_xyz),
        (frame.nwb_from_ccf, frame.ccf_from_nwb),
        (frame.published_xyz_from_ccf, frame.ccf_from_published_xyz),
        (frame.viewer_from_ccf, frame.ccf_from_viewer),
        (frame.mirrored, frame.mirrored),
    ],
)
@given(points=st.lists(st.tuples(um, um, um), min_size=1, max_size=5))
def test_every_frame_turns_into_the_ccf_and_back(out: object, back: object, points: list[tuple[float, ...]]) -> None:
    ccf = np.array(points)
    assert np.allclose(back(out(ccf)), ccf, atol=1e-6)
    assert out(ccf).shape == ccf.shape


def test_each_frame_has_its_own_order_and_its_own_left() -> None:
    place = [[1000.0, 2000.0, 3000.0]]  # AP, DV, ML: anterior, on the left
    assert frame.nwb_from_ccf(place).tolist() == [[1000.0, 2000.0, 3000.0]]
    assert frame.map_xyz_from_ccf(place).tolist() == [[3000.0, 2000.0, 1000.0]]
    # in the published files probes on the left lie at x of 5700 um and more
    assert frame.published_xyz_from_ccf(place).tolist() == [[8400.0, 2000.0, 1000.0]]
    assert frame.viewer_from_ccf(place).tolist() == [[1000.0, 2000.0, 8400.0]]
    assert frame.bregma_from_ccf(place).tolist() == [[-2739.0, 4400.0, -1668.0]]


def test_the_map_grid_rounds_halves_to_the_even_step() -> None:
    assert frame.on_map_grid([10, 30, 50, 9.9]).tolist() == [0.0, 40.0, 40.0, 0.0]
    assert frame.on_map_grid(frame.ccf_from_bregma(0, 0, 0)).tolist() == [5400.0, 340.0, 5740.0]


@pytest.mark.parametrize("voxel_um", [10.0, 20.0, 25.0])
@given(st.tuples(*(st.integers(0, 300),) * 3))
def test_a_voxels_middle_lies_in_it_in_either_convention(voxel_um: float, voxel: tuple[int, int, int]) -> None:
    shape = (528, 320, 456)
    for zero in ("corner", "center"):
        index, is_inside = frame.voxel_of([frame.voxel_center_um(voxel, voxel_um, zero)], voxel_um, shape, zero)
        assert is_inside.all()
        assert tuple(index[0]) == voxel
    assert np.array_equal(
        frame.voxel_center_um(voxel, voxel_um) - frame.voxel_center_um(voxel, voxel_um, "center"), [voxel_um / 2] * 3
    )
