"""The Neuropixels models: layout and scale out of the `probeinterface` catalogue, and what it leaves out. Contacts of a file are read in `spikeglx`.

The catalogue (imec's own ProbeTable, by part number) gives shanks, rows, columns, positions, bits and gains. Ours are
the names that the lab uses, the models of files that name no part number (phase 3A, and those with a type code alone),
and the numbering of contacts from 0 on the whole probe, shank by shank, from the tip, row by row, each row from the
left: ``electrode = shank * sites_per_shank + n_columns * row + column`` (the catalogue starts anew on each shank).
Its `read_spikeglx` is not used for whole files: it asks for a part number and ends with a bare KeyError or
AssertionError where one is unknown, and it does not tell which contacts are references. A file's own
``~snsGeomMap`` or ``~snsShankMap`` says which contacts were recorded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from map_assets.ephys.spikeglx_meta import Meta
from map_assets.vocabulary.errors import NoFormatRecognizes


@dataclass(frozen=True, eq=False)
class ProbeModel:
    """A layout of contacts, and what its meta files leave out.

    Parameters
    ----------
    name : str
    n_shanks, n_columns, n_rows : int
        Shanks; columns and rows of one shank.
    contact_um : numpy.ndarray of float, shape (n_contacts, 2)
        x from the left edge column of shank 0, y from the tip-most row, um; in order of the electrodes.
    from_edge_um : numpy.ndarray of float, shape (n_contacts,)
        Across, from the left edge of the contact's own shank, um.
    max_int : int
        ``imMaxInt`` where the file has none.
    fixed_gain : float or None
        Gain of the AP band where the model has but one; such a model has no LF band.
    """

    name: str
    n_shanks: int
    n_columns: int
    n_rows: int
    contact_um: NDArray[np.float64]
    from_edge_um: NDArray[np.float64]
    max_int: int
    fixed_gain: float | None

    def electrode(self, shank: ArrayLike, row: ArrayLike, column: ArrayLike) -> NDArray[np.int64]:
        """Number contacts by shank, row and column (each from 0, shape (n,))."""
        shanks, rows, columns = (np.asarray(part, np.int64) for part in (shank, row, column))
        return np.asarray(shanks * (self.n_columns * self.n_rows) + rows * self.n_columns + columns)

    def position_um(self, shank: ArrayLike, row: ArrayLike, column: ArrayLike) -> NDArray[np.float64]:
        """Place contacts of the probe: x from the left edge column of shank 0, y from the tip-most row; um, shape (n, 2)."""
        return self.contact_um[self.electrode(shank, row, column)]

    @property
    def column_um(self) -> float:
        """Distance of neighbouring columns, um; zero where there is but one."""
        return float(self.from_edge_um[1] - self.from_edge_um[0]) if self.n_columns > 1 else 0.0

    @property
    def row_um(self) -> float:
        """Distance of neighbouring rows, um."""
        return float(self.contact_um[self.n_columns, 1] - self.contact_um[0, 1])

    def left_um(self, row: ArrayLike) -> NDArray[np.float64]:
        """Distance of the left column from the shank's left edge in each row, um; a row that is none has that of the last."""
        rows = np.clip(np.asarray(row, np.int64), 0, self.n_rows - 1)
        return self.from_edge_um[rows * self.n_columns]


NAMES: dict[str, tuple[str, ...]] = {
    "neuropixels 1.0 - 3B": (
        *("PRB_1_4_0480_1", "PRB_1_4_0480_1_C", "PRB_1_2_0480_2", "NP1000", "NP1001"),
        *("NP1010", "NP1011", "NP1012", "NP1013", "NP1014"),
    ),
    "neuropixels 1.0 - NHP short linear": ("NP1015", "NP1016", "NP1017"),
    "neuropixels 1.0 - NHP medium staggered": ("NP1020", "NP1021"),
    "neuropixels 1.0 - NHP medium linear": ("NP1022",),
    "neuropixels 1.0 - NHP long staggered": ("NP1030", "NP1031"),
    "neuropixels 1.0 - NHP long linear": ("NP1032", "NP1033"),
    "neuropixels 1.0 - UHD1": ("NP1100",),
    "neuropixels 1.0 - UHD2": ("NP1110",),
    "neuropixels 1.0 - opto": ("NP1300",),
    "neuropixels 2.0 - SS": ("PRB2_1_2_0640_0", "NP2000", "NP2003", "NP2004", "NP2005"),
    "neuropixels 2.0 - MS": ("PRB2_4_2_0640_0", "NP2010", "NP2013", "NP2014"),
    "neuropixels 2.0 - QB": ("NP2020", "NP2021"),
}
"""The lab's names of models and their part numbers; any other has the catalogue's description."""

NEUROPIXELS_3A = "neuropixels 1.0 - 3A"
"""Its files have neither part number nor type code; it is laid out as `_NP1`."""

_NP1 = "NP1000"
_PART_OF_CODE = {-1: _NP1, 0: _NP1, 1: _NP1, 21: "NP2000", 24: "NP2010"}
"""Type codes (``imDatPrb_type``) that are no part number without its letters."""


@lru_cache(maxsize=128)
def model_of(part_number: str | None, type_code: int | None) -> ProbeModel | None:
    """Find a probe's model by its part number, and by its type code only where there is none; None if it is unknown.

    A part number that is not in the catalogue is not taken for another with the same type code: type 0 covers straight
    and staggered contacts.
    """
    from probeinterface.neuropixels_tools import build_neuropixels_probe

    part = part_number.upper() if part_number else _PART_OF_CODE.get(type_code or 0, f"NP{type_code}")
    try:
        probe = build_neuropixels_probe(part)
    except KeyError:
        return None
    at_um = np.asarray(probe.contact_positions, np.float64)
    shanks = np.zeros(len(at_um), np.int64) if probe.shank_ids is None else np.asarray(probe.shank_ids).astype(np.int64)
    n_shanks = int(shanks[-1]) + 1
    rows = np.unique(at_um[:, 1])
    n_columns = len(at_um) // (n_shanks * len(rows))
    # the outline starts at the left edge of shank 0; shanks follow each other at one distance
    shank_um = at_um[len(at_um) // n_shanks, 0] - at_um[0, 0] if n_shanks > 1 else 0.0
    edge_um = probe.probe_planar_contour[:, 0].min()
    first_um = at_um[shanks == 0, 0].min()
    return ProbeModel(
        name=next((name for name, parts in NAMES.items() if part in parts), str(probe.description).strip()),
        n_shanks=n_shanks,
        n_columns=n_columns,
        n_rows=len(rows),
        contact_um=at_um - np.array([first_um, 0.0]),
        from_edge_um=at_um[:, 0] - edge_um - shanks * shank_um,
        max_int=2 ** (int(probe.annotations["adc_bit_depth"]) - 1),
        fixed_gain=probe.annotations.get("ap_gain"),
    )


def model_in(meta: Meta) -> ProbeModel:
    """Find the model that a meta file names.

    Raises
    ------
    NoFormatRecognizes
        If it is not known.
    UnreadableFile
        If the type code is no whole number.
    """
    part, code = meta.text("imDatPrb_pn"), meta.text("imDatPrb_type")
    is_3a = part is None and code is None and bool(meta.text("typeEnabled", "imProbeOpt"))
    model = model_of(part, meta.whole("imDatPrb_type") if code else 0)
    if model is None:
        raise NoFormatRecognizes(
            meta.path,
            f"probe {part or 'without part number'}, type {code or 'not given'}, is of no known model",
            expected="a Neuropixels probe of the probeinterface catalogue",
            todo="Check the part number; a newer probeinterface may have it.",
        )
    return replace(model, name=NEUROPIXELS_3A) if is_3a else model
