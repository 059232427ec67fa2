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
