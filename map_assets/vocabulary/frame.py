"""CCF axes, voxels and hemispheres: the only place where an axis is turned. Volumes and regions live in `ccf`.

The house's frame is the Allen CCF's own: ``ccf_ap_um`` grows from anterior to posterior, ``ccf_dv_um`` from superior
to inferior, ``ccf_ml_um`` from the animal's left to its right; zero is the volume's anterior-superior-left corner, and
voxel (i, j, k) of an r um volume covers [i r, (i + 1) r) and so on.

=========================  ==========================================  =========================================
frame                      axes                                        functions
=========================  ==========================================  =========================================
the house's, NWB's         AP, DV, ML; towards posterior, inferior,    `nwb_from_ccf`, `ccf_from_nwb`
                           right (NWB's x, y, z)
the MAP database's         x, y, z = ML, DV, AP                        `map_xyz_from_ccf`, `ccf_from_map_xyz`
the published NWB files'   x, y, z = ML from the right, DV, AP         `published_xyz_from_ccf`, `ccf_from_published_xyz`
the activity viewer's      AP, DV, ML from the right                   `viewer_from_ccf`, `ccf_from_viewer`
bregma-relative (IBL)      x right, y anterior, z dorsal of bregma     `bregma_from_ccf`, `ccf_from_bregma`
=========================  ==========================================  =========================================
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from map_assets.vocabulary.errors import PiecesDoNotFit

CCF_MIDLINE_ML_UM = 5700.0
CCF_EXTENT_UM = (13200.0, 8000.0, 11400.0)
"""Extent of the Allen CCF volume along AP, DV and ML, um."""

BREGMA_IN_CCF_UM = (5400.0, 332.0, 5739.0)
"""Bregma along AP, DV, ML, um, as the IBL takes it (iblatlas, ALLEN_CCF_LANDMARKS_MLAPDV_UM)."""

MAP_GRID_UM = 20.0
"""The MAP database keeps places on a grid of this step."""

VoxelZero = Literal["corner", "center"]
"""Where in the first voxel a coordinate of zero is: at its outer corner (the house, brainglobe), or in its middle
(iblatlas, which takes an index times the voxel's edge for the coordinate)."""


def ccf_from_bregma(
    right_um: ArrayLike,
    anterior_um: ArrayLike,
    dorsal_um: ArrayLike,
    bregma_in_ccf_um: tuple[float, float, float] = BREGMA_IN_CCF_UM,
) -> NDArray[np.float64]:
    """Turn bregma-relative coordinates (IBL: x right, y anterior, z dorsal) into the CCF.

    Returns
    -------
    numpy.ndarray, shape (n, 3)
        AP, DV, ML in um.
    """
    ap, dv, ml = bregma_in_ccf_um
    return np.stack(
        [ap - np.asarray(anterior_um, float), dv - np.asarray(dorsal_um, float), ml + np.asarray(right_um, float)],
        axis=-1,
    )


def bregma_from_ccf(
    ccf_um: ArrayLike, bregma_in_ccf_um: tuple[float, float, float] = BREGMA_IN_CCF_UM
) -> NDArray[np.float64]:
    """Turn AP, DV, ML (n, 3) um into bregma-relative x right, y anterior, z dorsal, um; the inverse of `ccf_from_bregma`."""
    ap, dv, ml = np.moveaxis(np.asarray(ccf_um, float), -1, 0)
    return np.stack([ml - bregma_in_ccf_um[2], bregma_in_ccf_um[0] - ap, bregma_in_ccf_um[1] - dv], axis=-1)


def ccf_from_map_xyz(xyz_um: ArrayLike) -> NDArray[np.float64]:
    """Turn the MAP database's x, y, z (ML, DV, AP) into AP, DV, ML; all um, shape (n, 3)."""
    return np.asarray(xyz_um, float)[..., ::-1]


def map_xyz_from_ccf(ccf_um: ArrayLike) -> NDArray[np.float64]:
    """Turn AP, DV, ML into the MAP database's x, y, z (ML, DV, AP); all um, shape (n, 3)."""
    return np.asarray(ccf_um, float)[..., ::-1]


def on_map_grid(um: ArrayLike) -> NDArray[np.float64]:
    """Round to the MAP database's grid, halves to the even step, as the earlier pipeline did: 10 to 0, 30 to 40 um."""
    return MAP_GRID_UM * np.round(np.asarray(um, float) / MAP_GRID_UM)


def ccf_from_nwb(xyz_um: ArrayLike) -> NDArray[np.float64]:
    """Turn NWB's x, y, z of an electrode (posterior, inferior, right) into AP, DV, ML: they are the same; um, (n, 3)."""
    return np.array(xyz_um, float)


def nwb_from_ccf(ccf_um: ArrayLike) -> NDArray[np.float64]:
    """Turn AP, DV, ML into NWB's x, y, z of an electrode (posterior, inferior, right): they are the same; um, (n, 3)."""
    return np.array(ccf_um, float)


def mirrored(ccf_um: ArrayLike) -> NDArray[np.float64]:
    """Mirror AP, DV, ML (n, 3) um at the midline; its own inverse."""
    return np.asarray(ccf_um, float) * [1, 1, -1] + [0, 0, CCF_EXTENT_UM[2]]


def ccf_from_published_xyz(xyz_um: ArrayLike) -> NDArray[np.float64]:
    """Turn x, y, z of the NWB files that the MAP project has published into AP, DV, ML; um, shape (n, 3).

    Those files hold the MAP database's x, y, z (not NWB's own order), and their x runs from the right: probes that were
    aimed at the left hemisphere lie at x of 5700 um and more.
    """
    return mirrored(ccf_from_map_xyz(xyz_um))


def published_xyz_from_ccf(ccf_um: ArrayLike) -> NDArray[np.float64]:
    """Turn AP, DV, ML into x, y, z of the published NWB files; the inverse of `ccf_from_published_xyz`."""
    return map_xyz_from_ccf(mirrored(ccf_um))


def ccf_from_viewer(ccf_coord_um: ArrayLike) -> NDArray[np.float64]:
    """Turn the activity viewer's coordinates (AP, DV, ML from the right) into AP, DV, ML; um, shape (n, 3)."""
    return mirrored(ccf_coord_um)


def viewer_from_ccf(ccf_um: ArrayLike) -> NDArray[np.float64]:
    """Turn AP, DV, ML into the activity viewer's coordinates (AP, DV, ML from the right); um, shape (n, 3)."""
    return mirrored(ccf_um)


def voxel_of(
    ccf_um: ArrayLike, voxel_um: float, shape: tuple[int, int, int], zero: VoxelZero = "corner"
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Find the voxel that holds each point.

    Parameters
    ----------
    ccf_um : array_like of float, shape (n, 3)
    voxel_um : float
    shape : tuple of int
        Voxels along AP, DV, ML.
    zero : {"corner", "center"}
        Where in the first voxel the point (0, 0, 0) is. With ``center``, as iblatlas has it, a point is half a voxel
        further in along each axis.

    Returns
    -------
    index : numpy.ndarray of int, shape (n, 3)
        Voxel indices along AP, DV, ML; zero where the point lies outside.
    is_inside : numpy.ndarray of bool, shape (n,)
    """
    points = np.atleast_2d(np.asarray(ccf_um, np.float64))
    floor = np.floor(points / voxel_um + (0.5 if zero == "center" else 0.0))
    is_inside = np.asarray(
        np.isfinite(floor).all(axis=1) & (floor >= 0).all(axis=1) & (floor < np.asarray(shape)).all(axis=1)
    )
    return np.where(is_inside[:, None], floor, 0).astype(np.intp), np.asarray(is_inside, np.bool_)


def voxel_center_um(index: ArrayLike, voxel_um: float, zero: VoxelZero = "corner") -> NDArray[np.float64]:
    """Place the middles of voxels (n, 3) by their indices; AP, DV, ML in um."""
    return (np.asarray(index, float) + (0.5 if zero == "corner" else 0.0)) * voxel_um


def hemisphere_of(ccf_ml_um: ArrayLike) -> NDArray[np.str_]:
    """Name the hemisphere of CCF points: ``left`` below the midline, ``right`` from it on."""
    return np.where(np.asarray(ccf_ml_um, float) < CCF_MIDLINE_ML_UM, "left", "right")


def voxel_size_from_shape(shape: tuple[int, ...], name: str = "annotation volume") -> float:
    """Tell an Allen volume's voxel size, um, from its shape (AP, DV, ML).

    Raises
    ------
    PiecesDoNotFit
        If the shape is no whole Allen volume at 10, 20, 25, 50, 100 or 200 um.
    """
    for voxel_um in (10.0, 20.0, 25.0, 50.0, 100.0, 200.0):
        if tuple(shape) == tuple(round(extent / voxel_um) for extent in CCF_EXTENT_UM):
            return voxel_um
    raise PiecesDoNotFit(
        name,
        f"its shape is {tuple(shape)}",
        expected="an Allen CCF volume with axes AP, DV, ML at 10, 20 or 25 um",
        todo="Name another file under [ccf] annotation.",
    )
