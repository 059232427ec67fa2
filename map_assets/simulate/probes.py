"""The probes that the made-up rigs record with: contacts, wiring and gains. What SpikeGLX writes of them lives in `spikeglx`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BLOCK_OF_CHANNELS = 48
_FOUR_SHANK_BLOCKS = np.array(
    [[0, 2, 4, 6, 5, 7, 1, 3], [1, 3, 5, 7, 4, 6, 0, 2], [4, 6, 0, 2, 1, 3, 5, 7], [5, 7, 1, 3, 0, 2, 4, 6]]
)
"""Which block of 48 channels reads which block of 48 electrodes of a bank, shank by shank (IMEC NP2.0, four shanks)."""


@dataclass(frozen=True)
class Sites:
    """The 384 recorded contacts, in channel order.

    Parameters
    ----------
    electrode : numpy.ndarray of int, shape (384,)
        Contact number on the whole probe, from 0, shank by shank, tip first.
    shank, column, row : numpy.ndarray of int, shape (384,)
        From 0; rows from the tip.
    x_um, y_um : numpy.ndarray of float, shape (384,)
        From the left edge column of shank 0, and from the tip-most row.
    is_used : numpy.ndarray of bool, shape (384,)
        False for the internal reference.
    """

    electrode: NDArray[np.int64]
    shank: NDArray[np.int64]
    column: NDArray[np.int64]
    row: NDArray[np.int64]
    x_um: NDArray[np.float64]
    y_um: NDArray[np.float64]
    is_used: NDArray[np.bool_]


@dataclass(frozen=True)
class ProbeModel:
    """One model of probe; gains and codes as SpikeGLX has them."""

    name: str
    part_number: str
    type_code: int
    n_shanks: int
    sites_per_shank: int
    row_pitch_um: float
    stagger_um: float
    ai_range_v: float
    max_int: int
    ap_gain: int
    lf_channels: int
    sorter_x_shift_um: float
    geometry_x_um: float

    @property
    def microvolt_per_bit(self) -> float:
        """Of the AP band, uV."""
        return self.ai_range_v / self.max_int / self.ap_gain * 1e6

    def sites(self) -> Sites:
        """Give the contacts that are recorded: the 384 next to the tip; on four shanks 96 on each."""
        channel = np.arange(384)
        shank = np.zeros(384, np.int64)
        on_shank = channel.copy()
        if self.n_shanks == 4:
            block = channel // _BLOCK_OF_CHANNELS
            shank, place = (
                found[np.argsort(_FOUR_SHANK_BLOCKS[:, :2].ravel())] for found in np.divmod(np.arange(8), 2)
            )
            on_shank = place[block] * _BLOCK_OF_CHANNELS + channel % _BLOCK_OF_CHANNELS
            shank = shank[block]
        row, column = np.divmod(on_shank, 2)
        return self._place(shank, column, row, is_used=channel != 191 if self.lf_channels else channel >= 0)

    def whole_shank(self, shank: int) -> Sites:
        """Give every contact of one shank, tip first."""
        row, column = np.divmod(np.arange(self.sites_per_shank), 2)
        return self._place(np.full(self.sites_per_shank, shank), column, row, is_used=row >= 0)

    def _place(
        self,
        shank: NDArray[np.int64],
        column: NDArray[np.int64],
        row: NDArray[np.int64],
        is_used: NDArray[np.bool_],
    ) -> Sites:
        shift = np.where(row % 2 == 0, self.stagger_um, 0.0)
        x_um = 32.0 * column + shift + 250.0 * shank
        electrode = shank * self.sites_per_shank + 2 * row + column
        y_um = np.asarray(row * self.row_pitch_um, np.float64)
        return Sites(electrode, shank, column, row, x_um, y_um, is_used)


NP10 = ProbeModel("NP1.0", "PRB_1_4_0480_1_C", 0, 1, 960, 20.0, 16.0, 0.6, 512, 500, 384, 11.0, 11.0)
NP20 = ProbeModel("NP2.0", "NP2000", 21, 1, 1280, 15.0, 0.0, 0.5, 8192, 80, 0, 0.0, 27.0)
NP24 = ProbeModel("NP2.0 four-shank", "NP2010", 24, 4, 1280, 15.0, 0.0, 0.5, 8192, 80, 0, 0.0, 27.0)
MODELS = {model.name: model for model in (NP10, NP20, NP24)}
