"""One session's spikes, read from the store with their way onto the session clock. The arithmetic lives in `spikes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.analyst.errors import NoSessionClock, NoSuchUnit
from map_assets.analyst.spikes import AlignedSpikes, Trains, cut
from map_assets.vocabulary.clock import ClockMap

if TYPE_CHECKING:
    from map_assets.analyst.standing import Standing


class SessionSpikes:
    """A session's spike trains and observed trials; what was read once is kept.

    Parameters
    ----------
    standing : Standing
    session : str
        The session key.
    """

    def __init__(self, standing: Standing, session: str) -> None:
        self._standing = standing
        self._session = session
        self._trains: dict[int, Trains] = {}
        self._observed: pa.Table | None = None

    def of(self, probe: int, unit_id: int) -> NDArray[np.float64]:
        """Return a unit's spikes on the session clock, s."""
        times_s = self.trains(probe).of(unit_id)
        if times_s is None:
            raise NoSuchUnit(f"Probe {probe} of session {self._session} has no unit {unit_id}.")
        return times_s

    def around(
        self,
        event: str,
        trial: NDArray[np.int64],
        at_s: NDArray[np.float64],
        probe: int | None,
        unit_id: int | None,
        window: tuple[float, float],
    ) -> AlignedSpikes:
        """Cut spikes around events, for the units and trials in which the probe observed the trial.

        Parameters
        ----------
        event : str
            What `at_s` is called.
        trial : numpy.ndarray of int, shape (n_trials,)
            Rising.
        at_s : numpy.ndarray of float, shape (n_trials,)
            Events on the session clock, s.
        probe, unit_id : int or None
            Only this one.
        window : tuple of float
            Half-open, s.
        """
        if unit_id is not None and probe is None:
            raise NoSuchUnit(f"Unit numbers begin anew on each probe; name the probe of unit {unit_id} too.")
        if not window[0] < window[1]:
            raise ValueError(f"The window {window} s is empty; expected from, to.")
        observed = self.observed()
        probes = np.unique(observed["probe"].to_numpy()) if probe is None else np.array([probe])
        nothing = *(np.empty(0, np.int64),) * 4, np.empty(0)
        cuts = [self._cut(int(each), unit_id, observed, trial, at_s, window) for each in probes]
        times_s = np.concatenate([np.empty(0), *(part for times, _ in cuts for part in times)])
        n_spikes, of_probe, of_unit, of_trial, event_s = (
            np.concatenate(part) for part in zip(nothing, *(rows for _, rows in cuts), strict=True)
        )
        offsets = np.r_[0, np.cumsum(n_spikes)]
        return AlignedSpikes(event, window, times_s, offsets, of_probe, of_unit, of_trial, event_s)

    def observed(self) -> pa.Table:
        """Probe, unit and trial of every row of trial_spikes, in that order."""
        if self._observed is None:
            names = ["probe", "unit_id", "trial"]
            rows = self._standing.read("trial_spikes", self._session, names)
            self._observed = rows.sort_by([(name, "ascending") for name in names])
        return self._observed

    def trains(self, probe: int) -> Trains:
        """Read a probe's spike trains.

        Raises
        ------
        NoSuchTable, NoSuchUnit, NoSessionClock
            If nothing is sorted yet, if not that probe, or if its clock is not on the session clock.
        """
        if probe not in self._trains:
            units = self._standing.read("units", self._session, ["probe", "unit_id"])
            spikes = self._standing.read("spikes", self._session)
            units, spikes = _of_probe(units, probe), _of_probe(spikes, probe)
            if units.num_rows == 0:
                raise NoSuchUnit(f"Session {self._session} has no sorted probe {probe}.")
            clock, sample_rate_hz = self._clock(probe)
            # a unit without a row in spikes is a unit without spikes
            silent = np.setdiff1d(units["unit_id"].to_numpy(), spikes["unit_id"].to_numpy())
            n_spikes = np.r_[pc.list_value_length(spikes["samples"]).to_numpy(), np.zeros(silent.size, np.int64)]
            unit_id = np.r_[spikes["unit_id"].to_numpy(), silent]
            offsets = np.r_[0, np.cumsum(n_spikes)].astype(np.int64)
            samples = pc.list_flatten(spikes["samples"]).to_numpy()
            self._trains[probe] = Trains(unit_id, offsets, samples, sample_rate_hz, clock)
        return self._trains[probe]

    def _cut(
        self,
        probe: int,
        unit_id: int | None,
        observed: pa.Table,
        trial: NDArray[np.int64],
        at_s: NDArray[np.float64],
        window: tuple[float, float],
    ) -> tuple[list[NDArray[np.float64]], tuple[NDArray[Any], ...]]:
        """Cut one probe's spikes: times, and of each row its number of spikes, probe, unit, trial, event."""
        trains = self.trains(probe)
        is_row = observed["probe"].to_numpy() == probe
        if unit_id is not None:
            if unit_id not in trains.unit_id:
                raise NoSuchUnit(f"Probe {probe} of session {self._session} has no unit {unit_id}.")
            is_row &= observed["unit_id"].to_numpy() == unit_id
        unit, of_trial = observed["unit_id"].to_numpy()[is_row], observed["trial"].to_numpy()[is_row]
        place = np.full(max(of_trial.max(initial=0), trial.max(initial=0)) + 1, -1)
        place[trial] = np.arange(trial.size)
        at = place[of_trial]
        is_wanted = at >= 0
        unit, of_trial, event_s = unit[is_wanted], of_trial[is_wanted], at_s[at[is_wanted]]
        first = np.flatnonzero(np.diff(unit, prepend=-1))
        order = np.argsort(trains.unit_id)
        known = order[np.searchsorted(trains.unit_id, unit[first], sorter=order)]
        index = np.repeat(known, np.diff(first, append=unit.size))
        times_s, n_spikes = cut(trains, index, event_s, window)
        return times_s, (n_spikes, np.full(unit.size, probe), unit, of_trial, event_s)

    def _clock(self, probe: int) -> tuple[ClockMap, float]:
        probes = self._standing.read("probes", self._session, ["probe", "sample_rate_hz"]).to_pylist()
        maps = self._standing.read("clock_maps", self._session, ["probe", "offset_s", "drift_ppm"]).to_pylist()
        rate = next((row["sample_rate_hz"] for row in probes if row["probe"] == probe), None)
        fit = next((row for row in maps if row["probe"] == probe and None not in row.values()), None)
        if rate is None or fit is None:
            lacking = "no sample rate (its SpikeGLX meta file)" if rate is None else "no clock map (its bitcode file)"
            raise NoSessionClock(
                f"Probe {probe} of session {self._session} has {lacking} yet, so no time on its clock."
            )
        return ClockMap(fit["offset_s"], fit["drift_ppm"]), rate


def _of_probe(rows: pa.Table, probe: int) -> pa.Table:
    """Rows of one probe in one chunk; without a copy where there is no other probe."""
    is_here = pc.equal(rows["probe"], probe)
    return (rows if pc.all(is_here, min_count=0).as_py() else rows.filter(is_here)).combine_chunks()
