"""The channels about each unit's peak. What is measured on them lives in `waveforms` and `sorted_means`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

MOST_CHANNELS = 12
FARTHEST_UM = 100.0
"""Neighbours of the peak contact: on its shank, no farther than this, no more than these with the peak itself."""


@dataclass(frozen=True)
class NearUnits:
    """Units of one probe and the channels about their peaks; members have one element or row a unit.

    Parameters
    ----------
    unit_ids, peak_channel : numpy.ndarray of int, shape (u,)
    sorting : numpy.ndarray of (str or None), shape (u,)
    channels : numpy.ndarray of int, shape (u, k)
        The peak first, then by distance; rows with fewer are filled up with the peak.
    electrodes : numpy.ndarray of int, shape (u, k)
    n_channels : numpy.ndarray of int, shape (u,)
        How many of a row count.
    """

    unit_ids: NDArray[np.int64]
    peak_channel: NDArray[np.int64]
    sorting: NDArray[np.object_]
    channels: NDArray[np.int64]
    electrodes: NDArray[np.int64]
    n_channels: NDArray[np.int64]

    def only(self, chosen: NDArray[np.bool_]) -> NearUnits:
        """Return those chosen by a mask of shape (u,)."""
        return NearUnits(*(part[chosen] for part in vars(self).values()))

    def without_channels_from(self, n_channels: int) -> NearUnits:
        """Return the units whose peak is below that channel, without their neighbours from there on."""
        near = self.only(self.peak_channel < n_channels)
        counts = (np.arange(near.channels.shape[1]) < near.n_channels[:, None]) & (near.channels < n_channels)
        order = np.argsort(~counts, axis=1, kind="stable")
        n_left = counts.sum(axis=1)
        is_filler = np.arange(near.channels.shape[1]) >= n_left[:, None]
        channels, electrodes = (
            np.where(is_filler, part[:, :1], np.take_along_axis(part, order, axis=1))
            for part in (near.channels, near.electrodes)
        )
        return NearUnits(near.unit_ids, near.peak_channel, near.sorting, channels, electrodes, n_left)


def near_units(units: pa.Table, sites: pa.Table) -> NearUnits:
    """Find the channels about every unit's peak: on the same shank, by distance, reference contacts left out.

    Units whose peak channel is unknown or on no contact are left out.

    Parameters
    ----------
    units, sites : pyarrow.Table
        Rows of `units` and `probe_sites` of one probe.
    """
    shank, channel, electrode = (sites[name].to_numpy() for name in ("shank", "channel", "electrode"))
    place = np.stack([sites["x_um"].to_numpy(), sites["y_um"].to_numpy()], axis=-1)
    is_used = sites["is_used"].to_numpy()
    peak = pc.fill_null(units["peak_channel"], -1).to_numpy()
    known = np.isin(peak, channel)
    peak, order = peak[known], np.argsort(channel)
    at = order[np.searchsorted(channel[order], peak)]
    distance = np.linalg.norm(place[at][:, None] - place[None], axis=-1)
    is_near = (distance <= FARTHEST_UM) & (shank[at][:, None] == shank) & is_used
    distance = np.where(is_near, distance, np.inf)
    distance[np.arange(len(at)), at] = -1.0
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :MOST_CHANNELS]
    counts = np.isfinite(np.take_along_axis(distance, nearest, axis=1))
    nearest = np.where(counts, nearest, at[:, None])
    unit_ids, sorting = units["unit_id"].to_numpy()[known], np.array(units["sorting"].to_pylist(), object)[known]
    return NearUnits(unit_ids, peak, sorting, channel[nearest], electrode[nearest], counts.sum(axis=1))
