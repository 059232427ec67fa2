"""Spike trains of a probe as one ragged array, without a copy of what the file's reader gave. Windows around events live in `spikes`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from map_assets.analyst.errors import NoSuchUnit, NotInstalled

if TYPE_CHECKING:
    import pyarrow as pa

    from map_assets.analyst.spikes import AlignedSpikes, Trains


@dataclass(frozen=True)
class RaggedSpikes:
    """All spikes of a probe's units.

    Parameters
    ----------
    session : str
    probe : int
    trains : Trains
        Unit i's spikes are ``trains.samples[trains.offsets[i]:trains.offsets[i + 1]]``, on the probe's clock.
    """

    session: str
    probe: int
    trains: Trains

    def __len__(self) -> int:
        """Number of units."""
        return int(self.trains.unit_id.size)

    def __repr__(self) -> str:
        return f"<RaggedSpikes {self.session} probe {self.probe}: {len(self)} units, {self.samples.size} spikes>"

    def __iter__(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Go through units: unit number, samples; no copies."""
        for row, unit_id in enumerate(self.unit_id):
            yield int(unit_id), self.samples[self.offsets[row] : self.offsets[row + 1]]

    @property
    def unit_id(self) -> NDArray[np.int64]:
        """Unit numbers, shape (n_units,)."""
        return self.trains.unit_id

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where each unit's spikes begin, and the last ones end, shape (n_units + 1,)."""
        return self.trains.offsets

    @property
    def samples(self) -> NDArray[np.int64]:
        """Spikes of all units one after the other on the probe's clock, exact, shape (n_spikes,); read only."""
        return self.trains.samples

    @property
    def sample_rate_hz(self) -> float:
        """Of the probe, exact."""
        return self.trains.sample_rate_hz

    def samples_of(self, unit_id: int) -> NDArray[np.int64]:
        """One unit's spikes in samples, without a copy.

        Raises
        ------
        NoSuchUnit
        """
        found = np.flatnonzero(self.unit_id == unit_id)
        if found.size == 0:
            raise NoSuchUnit(f"Probe {self.probe} of session {self.session} has no unit {unit_id}.")
        return self.samples[self.offsets[found[0]] : self.offsets[found[0] + 1]]

    def times_s(self) -> NDArray[np.float64]:
        """All spikes on the session clock, s, shape (n_spikes,), in the order of `samples`."""
        return self.trains.session_s(self.samples)

    def arrow(self) -> pa.LargeListArray:
        """The samples as Arrow lists, one a unit, over the same memory."""
        import pyarrow as pa

        return pa.LargeListArray.from_arrays(pa.array(self.offsets), pa.array(self.samples))

    def to_pynapple(self) -> Any:
        """A ``pynapple.TsGroup`` on the session clock, with `probe` and `unit_id` beside each train.

        Raises
        ------
        NotInstalled
            If pynapple is not.
        """
        try:
            nap = import_module("pynapple")  # it has no types
        except ImportError as error:
            raise NotInstalled("to_pynapple needs pynapple: pip install pynapple.") from error
        times_s, rows = self.times_s(), range(len(self))
        # the train is longer than its spikes: support from the first to the last spike of any unit of the probe
        begin, end = (times_s.min(), times_s.max()) if times_s.size else (0.0, 0.0)
        support = nap.IntervalSet(begin, max(end, begin + 1e-6))
        trains = {row: nap.Ts(times_s[self.offsets[row] : self.offsets[row + 1]]) for row in rows}
        metadata = {"probe": np.full(len(self), self.probe), "unit_id": self.unit_id}
        return nap.TsGroup(trains, time_support=support, metadata=metadata)


def counts_to_xarray(spikes: AlignedSpikes, bin_s: float) -> Any:
    """Count spikes in bins: see `map_assets.analyst.spikes.AlignedSpikes.to_xarray`."""
    from map_assets.analyst.spikes import bin_edges_s, spike_counts

    try:
        import xarray as xr
    except ImportError as error:
        raise NotInstalled("to_xarray needs xarray: pip install xarray.") from error
    edges_s = bin_edges_s(spikes.window, bin_s)
    pair = np.stack([spikes.probe, spikes.unit_id], axis=1)
    units, unit = np.unique(pair, axis=0, return_inverse=True)
    trials, trial = np.unique(spikes.trial, return_inverse=True)
    counts = np.full((len(units), trials.size, edges_s.size - 1), np.nan, np.float32)
    counts[unit.ravel(), trial] = spike_counts(spikes, edges_s)
    return xr.DataArray(
        counts,
        dims=("unit", "trial", "time_from_event_s"),
        coords={
            "probe": ("unit", units[:, 0]),
            "unit_id": ("unit", units[:, 1]),
            "trial": trials,
            "time_from_event_s": (edges_s[:-1] + edges_s[1:]) / 2,
        },
        name="n_spikes",
        attrs={"event": spikes.event, "bin_s": bin_s, "missing": "NaN where the probe did not observe the trial"},
    )
