"""The brain's surface as a mesh, made from the annotation volume and kept under the store. Drawing it is done in `figures`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.ccf.annotation import AnnotationVolume
from map_assets.store import replacing
from map_assets.vocabulary.errors import UnreadableFile

EDGE_UM = 200.0
"""Edge of the blocks that the volume is averaged over: a mesh of about 20,000 triangles, 0.4 MB in a page."""
_FORM = 1
"""Raised when the mesh of a volume comes out otherwise."""


@dataclass(frozen=True)
class Mesh:
    """A closed surface of triangles.

    Parameters
    ----------
    vertices_um : numpy.ndarray of float32, shape (n, 3)
        AP, DV, ML in um.
    faces : numpy.ndarray of int32, shape (m, 3)
        Places in `vertices_um`, from 0.
    """

    vertices_um: NDArray[np.float32]
    faces: NDArray[np.int32]


def brain_mesh(volume: AnnotationVolume, store_root: Path) -> Mesh:
    """Return the mesh of a volume's labelled voxels; the first call makes it, later ones read it.

    Parameters
    ----------
    volume : AnnotationVolume
        One that knows its file's hash: one volume, one mesh.
    store_root : pathlib.Path
        The mesh stands at ``ccf/mesh_{sha256[:16]}_{form}.npz`` below it.

    Raises
    ------
    UnreadableFile
        If what stands there is damaged.
    """
    path = store_root / "ccf" / f"mesh_{volume.sha256[:16]}_{_FORM}.npz"
    if not path.is_file():
        made = make_mesh(volume)
        with replacing(path) as part, part.open("wb") as stream:
            np.savez_compressed(stream, vertices_um=made.vertices_um, faces=made.faces)
        return made
    try:
        with np.load(path, allow_pickle=False) as found:
            return Mesh(found["vertices_um"], found["faces"])
    except Exception as error:
        raise UnreadableFile(
            path, f"it cannot be read ({error})", expected="the brain's mesh", todo="Remove it; it is made again."
        ) from error


def make_mesh(volume: AnnotationVolume, edge_um: float = EDGE_UM) -> Mesh:
    """Draw the surface at which half of a block of voxels has a label.

    Parameters
    ----------
    volume : AnnotationVolume
    edge_um : float
        Edge of a block, um; rounded to whole voxels, at least one.

    Notes
    -----
    The share of labelled voxels is taken block by block and smoothed with its neighbours; marching cubes (Lewiner 2003, as
    in scikit-image) run over the blocks' middles, with an empty block around them so that the surface is closed.
    """
    from scipy.ndimage import gaussian_filter
    from skimage.measure import marching_cubes

    n = max(1, round(edge_um / volume.voxel_um))
    share = np.pad(_share_labelled(volume, n), 1)
    smooth = gaussian_filter(share, 0.6)
    vertices, faces, _, _ = marching_cubes(smooth, 0.5)  # type: ignore[no-untyped-call] # it has no annotations
    places = (vertices - 1 + 0.5) * n * volume.voxel_um
    return Mesh(places.astype(np.float32), faces.astype(np.int32))


def _share_labelled(volume: AnnotationVolume, n: int) -> NDArray[np.float32]:
    """Share of labelled voxels in each block of n x n x n, slab by slab along ML; what is left over at an end counts as empty."""
    n_ap, n_dv, n_ml = volume.shape
    shape = [-(-size // n) for size in volume.shape]
    out = np.zeros(shape, np.float32)
    for slab in range(shape[2]):
        is_inside = np.zeros((shape[0] * n, shape[1] * n, n), bool)
        found = volume.block((0, 0, slab * n), (n_ap, n_dv, min((slab + 1) * n, n_ml))) > 0
        is_inside[:n_ap, :n_dv, : found.shape[2]] = found
        out[:, :, slab] = is_inside.reshape(shape[0], n, shape[1], n, n).mean(axis=(1, 3, 4))
    return out
