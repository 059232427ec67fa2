"""The annotation volume: checked once, kept in a small copy, looked up by the point. The file is read in `nrrd_blocks`, names live in `ontology`.

A brain's labels hardly ever change from one voxel to the next, so the copy holds where they change, and to what: 2.5
million places instead of 77 million voxels at 25 um. It is 20 MB there and about 120 MB at 10 um, where the volume
itself has 4.8 GB. That form is `runs`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from map_assets.ccf.nrrd_blocks import TODO, read_header
from map_assets.ccf.runs import FORM, REMAKE, open_runs, runs_of, unpacked
from map_assets.ccf.tables import CCF_ANNOTATION
from map_assets.store import replacing
from map_assets.vocabulary.errors import NoAnnotationVolume, UnreadableFile
from map_assets.vocabulary.files import sha256_of, unchanged
from map_assets.vocabulary.frame import VoxelZero, voxel_of, voxel_size_from_shape

OUTSIDE_VOLUME = -1

_RELEASE = re.compile(r"ccf_20\d\d")


def make_annotation(nrrd: Path, store_root: Path) -> pa.Table:
    """Check an annotation volume and keep a copy of it under the store that can be looked up without loading it.

    The volume is read block by block, so that one of 10 um needs no more memory than one of 25 um.

    Parameters
    ----------
    nrrd : pathlib.Path
        Allen annotation volume, axes AP, DV, ML, whole-numbered labels.
    store_root : pathlib.Path
        The copy goes to ``ccf/annotation_{sha256[:16]}_runs_{form}.npy`` below it, unless a sound one is there already.

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
    ChangedWhileRead
        If the file was written to, or replaced, meanwhile.
    """
    if not nrrd.is_file():
        raise NoAnnotationVolume(f"The annotation volume {nrrd} is not there. {TODO}")
    file = nrrd.resolve()
    with unchanged(file):  # checksum and labels have to be of the same file
        sha256 = sha256_of(file)
        relative = Path("ccf") / f"annotation_{sha256[:16]}_runs_{FORM}.npy"
        labels = read_header(file)
        kept = _kept(store_root / relative)
        runs = runs_of(labels.blocks(), file) if kept is None else kept
    if kept is None:
        with replacing(store_root / relative) as part, part.open("wb") as stream:
            np.save(stream, runs, allow_pickle=False)
    n_ap, n_dv, n_ml = labels.shape
    release = _RELEASE.findall(nrrd.as_posix())
    row = {
        "file": str(nrrd),
        "sha256": sha256,
        "release": release[-1] if release else None,
        "voxel_um": labels.voxel_um,
        "n_ap": n_ap,
        "n_dv": n_dv,
        "n_ml": n_ml,
        "n_labels": int(np.count_nonzero(np.unique(runs[1]))),
        "array_file": relative.as_posix(),
    }
    return CCF_ANNOTATION.from_rows([row])


def _kept(path: Path) -> NDArray[np.uint32] | None:
    """Open the copy that is there already; None where there is none, or a damaged one, which is made again."""
    try:
        return open_runs(path) if path.is_file() else None
    except UnreadableFile:
        return None


@dataclass(frozen=True)
class AnnotationVolume:
    """An annotation volume, memory-mapped: opening reads nothing but a header, a lookup the few pages that it needs.

    Parameters
    ----------
    starts : numpy.ndarray of uint32, shape (n,)
        First voxel of each run of equal labels, rising from 0; voxels are counted along AP, then DV, then ML.
    values : numpy.ndarray of uint32, shape (n,)
        Region id of each run; 0 where there is none.
    shape : tuple of int
        Voxels along AP, DV, ML.
    voxel_um : float
        Edge of a voxel, um.
    sha256 : str
        Of the file that the volume was read from, lower-case hex.
    """

    starts: NDArray[np.uint32]
    values: NDArray[np.uint32]
    shape: tuple[int, int, int]
    voxel_um: float
    sha256: str = ""

    @classmethod
    def open(cls, store_root: Path, row_table: pa.Table) -> AnnotationVolume:
        """Open the copy that the one row of ``ccf_annotation`` names.

        Raises
        ------
        NoAnnotationVolume
            If the table is empty, or the copy is not under the store.
        UnreadableFile
            If the copy is damaged, or one of another form or volume.
        """
        if row_table.num_rows == 0:
            raise NoAnnotationVolume(f"No annotation volume is in use. {TODO}")
        row = row_table.slice(0, 1).to_pylist()[0]
        path = store_root / row["array_file"]
        if not path.is_file():
            raise NoAnnotationVolume(
                f"The copy {path} of the annotation volume is not there; materialize ccf_annotation."
            )
        runs = open_runs(path)
        shape = (row["n_ap"], row["n_dv"], row["n_ml"])
        if int(runs[0, -1]) >= int(np.prod(shape)):
            raise UnreadableFile(
                path,
                "it goes beyond the volume",
                expected=f"runs of {' x '.join(map(str, shape))} voxels",
                todo=REMAKE,
            )
        return cls(runs[0], runs[1], shape, float(row["voxel_um"]), row["sha256"])

    @classmethod
    def from_labels(cls, labels: NDArray[np.unsignedinteger[Any]], sha256: str = "") -> AnnotationVolume:
        """Take a whole volume that is in memory already, shape (n_ap, n_dv, n_ml).

        Raises
        ------
        PiecesDoNotFit
            If its shape is none of an Allen volume.
        """
        n_ap, n_dv, n_ml = labels.shape
        runs = runs_of([np.asarray(labels, np.uint32).ravel(order="F")], Path("annotation volume"))
        return cls(runs[0], runs[1], (n_ap, n_dv, n_ml), voxel_size_from_shape(labels.shape), sha256)

    def region_ids(self, ccf_um: ArrayLike, zero: VoxelZero = "corner") -> NDArray[np.int64]:
        """Look up the region of each point.

        Parameters
        ----------
        ccf_um : array_like of float, shape (n, 3)
            AP, DV, ML in um, `vocabulary.frame`.
        zero : {"corner", "center"}
            Where in the first voxel the point (0, 0, 0) is: the house's convention, or iblatlas's.

        Returns
        -------
        numpy.ndarray of int64, shape (n,)
            Region id; 0 in a voxel without label, -1 outside the volume or where the point is not finite.
        """
        points = np.asarray(ccf_um, np.float64).reshape(-1, 3)
        index, is_inside = voxel_of(points, self.voxel_um, self.shape, zero)
        return np.where(is_inside, self.at(index), OUTSIDE_VOLUME)

    def at(self, voxel: NDArray[np.intp]) -> NDArray[np.int64]:
        """Give the labels of voxels (n, 3) that lie inside the volume, indices along AP, DV, ML."""
        n_ap, n_dv, _ = self.shape
        number = voxel[:, 0] + n_ap * (voxel[:, 1] + n_dv * voxel[:, 2])
        order = np.argsort(number)  # neighbours are found side by side, which saves waiting for memory
        run = np.empty(len(number), np.intp)
        run[order] = np.searchsorted(self.starts, number[order].astype(np.uint32), side="right") - 1
        return np.asarray(self.values[run], np.int64)

    def block(self, low: ArrayLike = (0, 0, 0), high: ArrayLike | None = None) -> NDArray[np.uint32]:
        """Unpack a box of voxels, from `low` up to, not with, `high` (AP, DV, ML); cut to the volume; by default all.

        Returns
        -------
        numpy.ndarray of uint32, shape (high - low)
            Region ids, 0 where there is none. The whole volume takes 310 MB at 25 um.
        """
        n_ap, n_dv, _ = self.shape
        first, stop = np.clip([low, self.shape if high is None else high], 0, self.shape).astype(np.int64)
        sides = np.maximum(stop - first, 0)
        if not sides.all():
            return np.zeros(tuple(sides.tolist()), np.uint32)
        if (sides[:2] == self.shape[:2]).all():  # whole planes follow each other without a gap
            begin = np.array([n_ap * n_dv * first[2]])
            length = int(sides.prod())
        else:
            dv, ml = np.meshgrid(np.arange(first[1], stop[1]), np.arange(first[2], stop[2]))
            begin = (n_ap * (dv + n_dv * ml)).ravel() + first[0]
            length = int(sides[0])
        return unpacked(self.starts, self.values, begin, length).reshape(sides[::-1]).transpose(2, 1, 0)

    def every(self, step: int) -> NDArray[np.uint32]:
        """Give every `step`-th voxel along each axis, from the first; 1.2 MB for every tenth of a 10 um volume."""
        each = [np.arange(0, size, step) for size in self.shape]
        index = np.stack(np.meshgrid(*each, indexing="ij"), axis=-1).reshape(-1, 3)
        return self.at(index).reshape([len(one) for one in each]).astype(np.uint32)
