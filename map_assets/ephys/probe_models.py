"""The Neuropixels models: how their contacts are laid out and how their bits are scaled. Reading meta files lives in `spikeglx`.

Contacts are numbered from 0 on the whole probe, shank by shank, from the tip, row by row, each row from the left:
``electrode = shank * sites_per_shank + n_columns * row + column``. The layout's figures are imec's, as SpikeGLX uses
them in ``~snsGeomMap`` (https://billkarsh.github.io/SpikeGLX/Sgl_help/Metadata_30.html).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class ProbeModel:
    """A layout of contacts, and what its meta files leave out.

    Parameters
    ----------
    name : str
    n_shanks, n_columns, n_rows : int
        Shanks; columns and rows of one shank.
    column_um, row_um : float
        Distance of neighbouring columns and rows, um.
    even_left_um, odd_left_um : float
        From the shank's left edge to the left column in even and odd rows (the tip-most row is 0, even), um.
    shank_um : float
        Distance of neighbouring shanks, um.
    part_numbers : tuple of str
        imec's part numbers, as ``imDatPrb_pn`` has them.
    type_codes : tuple of int
        Values of ``imDatPrb_type`` that name the model where the file has no part number.
    max_int : int
        ``imMaxInt`` where the file has none.
    fixed_gain : float or None
        Gain of the AP band where the model has but one.
    """

    name: str
    n_shanks: int
    n_columns: int
    n_rows: int
    column_um: float
    row_um: float
    even_left_um: float
    odd_left_um: float
    shank_um: float
    part_numbers: tuple[str, ...]
    type_codes: tuple[int, ...] = ()
    max_int: int = 512
    fixed_gain: float | None = None

    def electrode(self, shank: ArrayLike, row: ArrayLike, column: ArrayLike) -> NDArray[np.int64]:
        """Number contacts by shank, row and column (each from 0, shape (n,))."""
        shanks, rows, columns = (np.asarray(part, np.int64) for part in (shank, row, column))
        return np.asarray(shanks * (self.n_columns * self.n_rows) + rows * self.n_columns + columns)

    def position_um(self, shank: ArrayLike, row: ArrayLike, column: ArrayLike) -> NDArray[np.float64]:
        """Place contacts: x from the left edge column of shank 0, y from the tip-most row; um, shape (n, 2)."""
        shanks, rows, columns = (np.asarray(part, np.float64) for part in (shank, row, column))
        left = self.left_um(rows) - min(self.even_left_um, self.odd_left_um)
        return np.stack([shanks * self.shank_um + left + columns * self.column_um, rows * self.row_um], axis=-1)

    def left_um(self, row: ArrayLike) -> NDArray[np.float64]:
        """Distance of the left column from the shank's left edge in each row, um."""
        return np.where(np.asarray(row) % 2 == 0, self.even_left_um, self.odd_left_um)


NEUROPIXELS_3A = ProbeModel("neuropixels 1.0 - 3A", 1, 2, 480, 32.0, 20.0, 27.0, 11.0, 0.0, ())
"""Its meta files have neither part number nor type code."""

_NP1 = replace(
    NEUROPIXELS_3A,
    name="neuropixels 1.0 - 3B",
    part_numbers=(
        *("PRB_1_4_0480_1", "PRB_1_4_0480_1_C", "PRB_1_2_0480_2", "NP1000", "NP1001"),
        *("NP1010", "NP1011", "NP1012", "NP1013", "NP1014"),
    ),
    type_codes=(-1, 0, 1),
)
_NHP_MEDIUM = ProbeModel(
    *("neuropixels 1.0 - NHP medium staggered", 1, 2, 1248, 87.0, 20.0, 27.0, 11.0, 0.0),
    part_numbers=("NP1020", "NP1021"),
    type_codes=(1020, 1021),
)
_NHP_LINEAR = ProbeModel(
    "neuropixels 1.0 - NHP medium linear", 1, 2, 1248, 103.0, 20.0, 11.0, 11.0, 0.0, ("NP1022",), (1022,)
)
_UHD = ProbeModel("neuropixels 1.0 - UHD1", 1, 8, 48, 6.0, 6.0, 14.0, 14.0, 0.0, ("NP1100",), (1100,))
_NP2_SINGLE = ProbeModel(
    *("neuropixels 2.0 - SS", 1, 2, 640, 32.0, 15.0, 27.0, 27.0, 0.0),
    part_numbers=("PRB2_1_2_0640_0", "NP2000"),
    type_codes=(21,),
    max_int=8192,
    fixed_gain=80.0,
)
_NP2_FOUR = replace(
    _NP2_SINGLE,
    name="neuropixels 2.0 - MS",
    n_shanks=4,
    shank_um=250.0,
    part_numbers=("PRB2_4_2_0640_0", "NP2010"),
    type_codes=(24,),
)

MODELS: tuple[ProbeModel, ...] = (
    _NP1,
    replace(
        _NP1,
        name="neuropixels 1.0 - NHP short linear",
        odd_left_um=27.0,
        part_numbers=("NP1015", "NP1016", "NP1017"),
        type_codes=(1015, 1016, 1017),
    ),
    _NHP_MEDIUM,
    replace(
        _NHP_MEDIUM,
        name="neuropixels 1.0 - NHP long staggered",
        n_rows=2208,
        part_numbers=("NP1030", "NP1031"),
        type_codes=(1030, 1031),
    ),
    _NHP_LINEAR,
    replace(
        _NHP_LINEAR,
        name="neuropixels 1.0 - NHP long linear",
        n_rows=2208,
        part_numbers=("NP1032", "NP1033"),
        type_codes=(1032, 1033),
    ),
    _UHD,
    replace(
        _UHD,
        name="neuropixels 1.0 - UHD2",
        n_rows=768,
        even_left_um=15.5,
        odd_left_um=15.5,
        part_numbers=("NP1110",),
        type_codes=(1110,),
    ),
    ProbeModel("neuropixels 1.0 - opto", 1, 2, 480, 48.0, 20.0, 11.0, 11.0, 0.0, ("NP1300",), (1300,)),
    _NP2_SINGLE,
    replace(
        _NP2_SINGLE,
        part_numbers=("NP2003", "NP2004", "NP2005"),
        type_codes=(2003, 2004, 2005),
        max_int=2048,
        fixed_gain=100.0,
    ),
    _NP2_FOUR,
    replace(_NP2_FOUR, part_numbers=("NP2013", "NP2014"), type_codes=(2013, 2014), max_int=2048, fixed_gain=100.0),
    replace(
        _NP2_FOUR,
        name="neuropixels 2.0 - QB",
        part_numbers=("NP2020", "NP2021"),
        type_codes=(2020, 2021),
        max_int=2048,
        fixed_gain=100.0,
    ),
)


def model_of(part_number: str | None, type_code: int | None) -> ProbeModel | None:
    """Find a probe's model by its part number, and by its type code only where there is none; None if it is unknown.

    A part number that is not in the list is not taken for another with the same type code: type 0 covers straight and
    staggered contacts.
    """
    if part_number is None:
        return next((model for model in MODELS if type_code in model.type_codes), None)
    return next((model for model in MODELS if part_number.upper() in model.part_numbers), None)
