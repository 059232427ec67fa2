"""The annotation volume: checked once, kept as a memory-mappable copy, looked up by the point. Region names live in `ontology`."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from map_assets.ccf.tables import CCF_ANNOTATION
from map_assets.store import replacing
from map_assets.vocabulary.errors import NoAnnotationVolume, PiecesDoNotFit, UnreadableFile
from map_assets.vocabulary.files import sha256_of, unchanged
from map_assets.vocabulary.frame import voxel_of, voxel_size_from_shape

OUTSIDE_VOLUME = -1
_TODO = "Name an Allen annotation volume (nrrd) under [ccf] annotation."

_BROKEN_NRRD = (
    OSError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
    StopIteration,
    zlib.error,
    MemoryError,
)
"""What the nrrd library raises on damaged or foreign files, besides its own error."""


def make_annotation(nrrd: Path, store_root: Path) -> pa.Table:
    """Check an annotation volume and keep a memory-mappable copy of it under the store.

    Parameters
    ----------
    nrrd : pathlib.Path
        Allen annotation volume, axes AP, DV, ML, whole-numbered labels.
    store_root : pathlib.Path
        The copy goes to ``ccf/annotation_{sha256[:16]}.npy`` below it, unless it is there already.

    Returns
    -------
    pyarrow.Table
        ``ccf_annotation``, one row.

    Raises
    ------
    NoAnnotationVolume
        If there is no such file.
    UnreadableFile
        If it is no nrrd file, or a truncated one.
    PiecesDoNotFit
        If it is no whole Allen volume of labels with axes AP, DV, ML.
    """
    if not nrrd.is_file():
        raise NoAnnotationVolume(f"The annotation volume {nrrd} is not there. {_TODO}")
    sha256 = sha256_of(nrrd)
    relative = Path("ccf") / f"annotation_{sha256[:16]}.npy"
    target = store_root / relative
    if target.is_file():
        labels = _open(target)
    else:
        labels = _read(nrrd)
        voxel_size_from_shape(labels.shape, nrrd.name)
        with replacing(target) as part, part.open("wb") as stream:
            np.save(stream, labels, allow_pickle=False)
    n_ap, n_dv, n_ml = labels.shape
    row = {
        "file": str(nrrd),
        "sha256": sha256,
        "voxel_um": voxel_size_from_shape(labels.shape, nrrd.name),
        "n_ap": n_ap,
        "n_dv": n_dv,
        "n_ml": n_ml,
        "n_labels": int(np.count_nonzero(_distinct(labels))),
        "array_file": relative.as_posix(),
    }
    return CCF_ANNOTATION.from_rows([row])


@dataclass(frozen=True)
class AnnotationVolume:
    """An annotation volume, memory-mapped: opening reads nothing but its header.

    Parameters
    ----------
    labels : numpy.ndarray of unsigned int, shape (n_ap, n_dv, n_ml)
        Region id of each voxel, 0 where there is none.
    voxel_um : float
        Edge of a voxel, um.
    """

    labels: NDArray[np.unsignedinteger]
    voxel_um: float

    @classmethod
    def open(cls, store_root: Path, row_table: pa.Table) -> AnnotationVolume:
        """Open the copy that the one row of ``ccf_annotation`` names.

        Raises
        ------
        NoAnnotationVolume
            If the table is empty, or the copy is not under the store.
        UnreadableFile
            If the copy is damaged.
        """
        if row_table.num_rows == 0:
            raise NoAnnotationVolume(f"No annotation volume is in use. {_TODO}")
        row = row_table.slice(0, 1).to_pylist()[0]
        path = store_root / row["array_file"]
        if not path.is_file():
            raise NoAnnotationVolume(
                f"The copy {path} of the annotation volume is not there; materialize ccf_annotation."
            )
        labels = _open(path)
        if labels.shape != (row["n_ap"], row["n_dv"], row["n_ml"]):
            raise UnreadableFile(
                path,
                f"its shape is {labels.shape}",
                expected=f"{row['n_ap']} x {row['n_dv']} x {row['n_ml']} voxels",
                todo="Remove it and materialize ccf_annotation.",
            )
        return cls(labels, float(row["voxel_um"]))

    def region_ids(self, ccf_um: ArrayLike) -> NDArray[np.int64]:
        """Look up the region of each point.

        Parameters
        ----------
        ccf_um : array_like of float, shape (n, 3)
            AP, DV, ML in um, `vocabulary.frame`.

        Returns
        -------
        numpy.ndarray of int64, shape (n,)
            Region id; 0 in a voxel without label, -1 outside the volume or where the point is not finite.
        """
        points = np.asarray(ccf_um, np.float64).reshape(-1, 3)
        n_ap, n_dv, n_ml = self.labels.shape
        index, is_inside = voxel_of(points, self.voxel_um, (n_ap, n_dv, n_ml))
        found = self.labels[index[:, 0], index[:, 1], index[:, 2]].astype(np.int64)
        return np.where(is_inside, found, OUTSIDE_VOLUME)


def _read(path: Path) -> NDArray[np.unsignedinteger]:
    """Read an nrrd file's labels in the smallest unsigned type that holds them."""
    import nrrd

    expected = "a whole nrrd file"
    try:
        with unchanged(path):
            data, header = nrrd.read(str(path))
    except (nrrd.NRRDError, *_BROKEN_NRRD) as error:
        raise UnreadableFile(
            path, f"it cannot be read ({error})", expected=expected, todo="Copy the file again, or name another."
        ) from error
    voxel_size_from_shape(data.shape, path.name)
    if not np.issubdtype(data.dtype, np.integer) or (data.dtype.kind == "i" and data.min() < 0):
        raise PiecesDoNotFit(
            path, f"its voxels are {data.dtype}", expected="whole numbers from 0, the region ids", todo=_TODO
        )
    directions = header.get("space directions")
    if directions is not None:
        steps = np.asarray(directions, np.float64)
        if steps.shape != (3, 3) or np.any(steps != np.diag(np.diag(steps))) or np.any(np.diag(steps) <= 0):
            raise PiecesDoNotFit(
                path,
                f"its axes run along {steps.tolist()}",
                expected="axes towards posterior, inferior and right, as Allen ships it",
                todo=_TODO,
            )
    smallest = np.min_scalar_type(int(data.max()))
    return np.asarray(data.astype(smallest, copy=False))


def _open(path: Path) -> NDArray[np.unsignedinteger]:
    try:
        labels = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UnreadableFile(
            path,
            f"it cannot be opened ({error})",
            expected="the copy of the annotation volume",
            todo="Remove it and materialize ccf_annotation.",
        ) from error
    return np.asanyarray(labels)


def _distinct(labels: NDArray[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
    """Return the different labels; neighbours are mostly equal, so only changes along memory are sorted, slab by slab."""
    parts = []
    for first in range(0, labels.shape[2], 16):
        flat = labels[:, :, first : first + 16].ravel(order="K")
        parts.append(np.unique(flat[np.flatnonzero(np.r_[True, flat[1:] != flat[:-1]])]))
    return np.unique(np.concatenate(parts))
