"""A made-up CCF annotation volume: a brain-like ellipsoid with real Allen region ids. The real volume is read in `ccf`."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.simulate.writing import write_bytes
from map_assets.vocabulary.frame import CCF_EXTENT_UM, CCF_MIDLINE_ML_UM, voxel_of

_WRITTEN_ON = re.compile(rb"^# on [^\n]*\n", re.MULTILINE)
_CENTER_UM = (6600.0, 4000.0, CCF_MIDLINE_ML_UM)
_HALF_AXES_UM = (6400.0, 3650.0, 5300.0)


@dataclass(frozen=True)
class Region:
    """A region of the volume: acronym, full name's part of the brain, and the median firing rate of its units, Hz."""

    acronym: str
    part: str
    rate_hz: float


_LAYERS = (0.965, 0.91, 0.83, 0.75, 0.72)
"""Lower ends of cortical layers 1, 2/3, 5, 6a, 6b, as a share of the ellipsoid's radius."""
_CORTEX = {
    "MOs": (656, 962, 767, 1021, 1085),
    "MOp": (320, 943, 648, 844, 882),
    "SSp-bfd": (981, 201, 1070, 1038, 1062),
}
REGIONS: dict[int, Region] = {
    **{
        region_id: Region(f"{area}{layer}", "ALM" if area == "MOs" else "cortex", 3.0)
        for area, ids in _CORTEX.items()
        for region_id, layer in zip(ids, ("1", "2/3", "5", "6a", "6b"), strict=True)
    },
    776: Region("cc", "fibers", 0.5),
    672: Region("CP", "Striatum", 2.0),
    258: Region("LSr", "Striatum", 2.0),
    56: Region("ACB", "Striatum", 2.0),
    362: Region("MD", "Thalamus", 5.0),
    685: Region("VM", "Thalamus", 5.0),
    629: Region("VAL", "Thalamus", 5.0),
    733: Region("VPM", "Thalamus", 5.0),
    1097: Region("HY", "hypothalamus", 3.0),
    294: Region("SCm", "Midbrain", 7.0),
    795: Region("PAG", "Midbrain", 5.0),
    128: Region("MRN", "Midbrain", 7.0),
    381: Region("SNr", "Midbrain", 15.0),
    1056: Region("ANcr1", "cerebellum", 12.0),
    1048: Region("GRN", "Medulla", 8.0),
    136: Region("IRN", "Medulla", 8.0),
    852: Region("PARN", "Medulla", 8.0),
    1098: Region("MDRNd", "Medulla", 8.0),
}
OUTSIDE = Region("void", "outside", 1.0)


@dataclass(frozen=True)
class Volume:
    """The annotation volume.

    Parameters
    ----------
    labels : numpy.ndarray of uint32, shape (n_ap, n_dv, n_ml)
        Allen structure ids; 0 is outside.
    voxel_um : float
        Edge of a voxel, um.
    """

    labels: NDArray[np.uint32]
    voxel_um: float

    def region_ids(self, ccf_um: NDArray[np.float64]) -> NDArray[np.int64]:
        """Look up AP, DV, ML points, um, shape (n, 3); 0 outside the brain or the volume."""
        index, is_inside = voxel_of(ccf_um, self.voxel_um, self.labels.shape)
        return np.where(is_inside, self.labels[tuple(index.T)], 0).astype(np.int64)

    def surface_dv_um(self, ap_um: float, ml_um: float) -> float:
        """Depth of the highest labelled voxel's upper face above a CCF point, um."""
        i, k = int(ap_um // self.voxel_um), int(ml_um // self.voxel_um)
        return float(np.flatnonzero(self.labels[i, :, k])[0] * self.voxel_um)


@lru_cache(maxsize=4)
def make_volume(voxel_um: float = 100.0) -> Volume:
    """Make the volume; its shape is that of a whole Allen CCF at `voxel_um` (100 um: 132 x 80 x 114)."""
    shape = [round(extent / voxel_um) for extent in CCF_EXTENT_UM]
    ap, dv, ml = np.meshgrid(*((np.arange(n, dtype=np.float32) + 0.5) * voxel_um for n in shape), indexing="ij")
    radius = np.sqrt(
        sum(
            ((axis - center) / half) ** 2
            for axis, center, half in zip((ap, dv, ml), _CENTER_UM, _HALF_AXES_UM, strict=True)
        )
    )
    labels = np.zeros(shape, np.uint32)
    _fill_inside(labels, ap, dv, np.abs(ml - CCF_MIDLINE_ML_UM))
    _fill_cortex(labels, ap, dv, np.abs(ml - CCF_MIDLINE_ML_UM), radius)
    labels[radius >= 1.0] = 0
    labels.flags.writeable = False
    return Volume(labels, voxel_um)


def _fill_inside(
    labels: NDArray[np.uint32], ap: NDArray[np.float32], dv: NDArray[np.float32], lateral: NDArray[np.float32]
) -> None:
    """Fill what lies under the cortex, from front to back."""
    slabs = (
        (ap < 6000, ((lateral < 700, 258), (dv > 5200, 56), (True, 672))),
        (
            (ap >= 6000) & (ap < 8000),
            ((lateral >= 2200, 672), (dv >= 4800, 1097), (lateral < 700, 362), (dv > 4000, 685), (ap < 6900, 629)),
        ),
        ((ap >= 8000) & (ap < 9800), ((dv < 3000, 294), (lateral < 600, 795), (dv > 5000, 381), (True, 128))),
        (ap >= 11500, ((True, 1098),)),
        (ap >= 9800, ((dv < 3400, 1056), (lateral < 800, 1048), (lateral < 1600, 136), (True, 852))),
    )
    for slab, parts in slabs:
        for part, region_id in parts:
            labels[slab & part & (labels == 0)] = region_id
    labels[labels == 0] = 733


def _fill_cortex(
    labels: NDArray[np.uint32],
    ap: NDArray[np.float32],
    dv: NDArray[np.float32],
    lateral: NDArray[np.float32],
    radius: NDArray[np.float32],
) -> None:
    """Lay the cortex's layers and the fibres below it over the front and the top."""
    is_shell = (ap < 9200) & (dv < 4800)
    areas = {"SSp-bfd": ap >= 5400, "MOp": (ap < 5400) & (lateral >= 1900), "MOs": (ap < 5400) & (lateral < 1900)}
    labels[is_shell & (radius > 0.68)] = 776
    for area, is_area in areas.items():
        outer = np.inf
        for inner, region_id in zip(_LAYERS, _CORTEX[area], strict=True):
            labels[is_shell & is_area & (radius > inner) & (radius <= outer)] = region_id
            outer = inner


def write_volume(path: Path, volume: Volume) -> Path:
    """Write the volume as the Allen Institute does: nrrd, gzip, axes AP, DV, ML, um; without the time of writing."""
    import nrrd

    header = {
        "space": "left-posterior-superior",
        "space directions": np.eye(3) * volume.voxel_um,
        "kinds": ["domain", "domain", "domain"],
        "space origin": np.zeros(3),
        "encoding": "gzip",
    }
    stream = io.BytesIO()
    nrrd.write(stream, volume.labels, header)
    return write_bytes(path, _WRITTEN_ON.sub(b"", stream.getvalue(), count=1))
