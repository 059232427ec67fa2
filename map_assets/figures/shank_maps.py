"""Spikes counted by time and depth, shank by shank. They are drawn in `driftmap`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.vocabulary.clock import ClockMap

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

N_TIMES, N_DEPTHS = 1000, 200
_NOISE = "noise"


@dataclass(frozen=True)
class ShankMap:
    """One shank's spikes by time and depth.

    Parameters
    ----------
    probe, shank : int
    rate_hz : numpy.ndarray of float, shape (n_depths, n_times)
    minutes : tuple of float
        From, to: session time; the probe's own where its clock is not known.
    top_um : float
        Upper end of the depths, which begin at the tip-most row.
    n_units, n_spikes : int
    is_on_session_clock, has_depths : bool
        Without depths every spike stands at its unit's.
    """

    probe: int
    shank: int
    rate_hz: Floats
    minutes: tuple[float, float]
    top_um: float
    n_units: int
    n_spikes: int
    is_on_session_clock: bool
    has_depths: bool

    @property
    def spikes_by_depth(self) -> Floats:
        """Spikes in each bin of depth, shape (n_depths,)."""
        width_s = (self.minutes[1] - self.minutes[0]) * 60 / self.rate_hz.shape[1]
        return np.asarray(self.rate_hz.sum(axis=1) * width_s)


def shank_maps(
    units: pa.Table,
    spikes: pa.Table,
    probes: pa.Table,
    clock_maps: pa.Table,
    sites: pa.Table,
    spike_features: pa.Table | None,
) -> Iterator[ShankMap]:
    """Count spikes by time and depth, probe by probe and shank by shank, those shanks that have any."""
    rates = dict(zip(probes["probe"].to_pylist(), probes["sample_rate_hz"].to_pylist(), strict=True))
    clocks = {row["probe"]: row for row in clock_maps.select(["probe", "offset_s", "drift_ppm"]).to_pylist()}
    kept = units.filter((pc.field("quality") != _NOISE) & pc.field("y_um").is_valid() & (pc.field("n_spikes") > 0))
    for probe in sorted(set(kept["probe"].to_pylist())):
        rate_hz, clock = rates.get(probe), clocks.get(probe, {})
        if rate_hz is None:
            continue
        offset, drift = clock.get("offset_s"), clock.get("drift_ppm")
        known = None if offset is None or drift is None else ClockMap(offset, drift)
        mine = kept.filter(pc.field("probe") == probe)
        trains = _lists(spikes, probe, "samples")
        depths = {} if spike_features is None else _lists(spike_features, probe, "depth_um")
        on_probe = sites.filter(pc.field("probe") == probe)
        shank_of = dict(zip(on_probe["electrode"].to_pylist(), on_probe["shank"].to_pylist(), strict=True))
        last = max((int(train[-1]) for train in trains.values() if len(train)), default=0)
        edges = _session_s(np.array([0, last + 1]), rate_hz, known)
        rows = mine.select(["unit_id", "electrode", "y_um"]).to_pylist()
        for shank in sorted({shank_of.get(row["electrode"], 0) for row in rows}):
            of_shank = [row for row in rows if shank_of.get(row["electrode"], 0) == shank]
            top = _top(on_probe, shank, of_shank)
            counts, has_depths = np.zeros(N_TIMES * N_DEPTHS, np.int64), True
            for row in of_shank:
                train = trains.get(row["unit_id"], np.empty(0, np.int64))
                depth = depths.get(row["unit_id"])
                if depth is None or len(depth) != len(train):
                    depth, has_depths = np.full(len(train), row["y_um"]), False
                counts += _counts(train, np.asarray(depth, float), last + 1, top)
            width_s = (edges[1] - edges[0]) / N_TIMES
            yield ShankMap(
                probe,
                shank,
                counts.reshape(N_DEPTHS, N_TIMES) / width_s,
                (edges[0] / 60, edges[1] / 60),
                top,
                len(of_shank),
                int(counts.sum()),
                known is not None,
                has_depths,
            )


def _counts(train: Whole, depth_um: Floats, end: int, top_um: float) -> Whole:
    """Count one unit's spikes in the bins, depth by depth; a spike beyond an end of the shank stands in the last bin."""
    known = np.isfinite(depth_um)
    time = train[known] * N_TIMES // end
    depth = np.clip(depth_um[known] * (N_DEPTHS / top_um), 0, N_DEPTHS - 1).astype(np.int64)
    return np.bincount(depth * N_TIMES + time, minlength=N_TIMES * N_DEPTHS)


def _top(sites: pa.Table, shank: int, units: list[dict[str, Any]]) -> float:
    """Upper end of a shank's depths: its highest contact, or unit, and a little more."""
    heights = sites.filter(pc.field("shank") == shank)["y_um"].to_pylist()
    return float(max(*heights, *(row["y_um"] for row in units), 1.0)) + 20.0


def _session_s(samples: Whole, rate_hz: float, clock: ClockMap | None) -> tuple[float, float]:
    seconds = samples / rate_hz
    start, stop = seconds if clock is None else clock.session_s(seconds)
    return float(start), float(stop)


def _lists(table: pa.Table, probe: int, column: str) -> dict[int, NDArray[Any]]:
    """One probe's lists by unit, without copying their values; a unit whose list is null is left out."""
    mine = table.filter((pc.field("probe") == probe) & pc.field(column).is_valid())
    ids = mine["unit_id"].to_pylist()
    return {unit: mine[column][row].values.to_numpy(zero_copy_only=False) for row, unit in enumerate(ids)}
