"""The rig's events and the cameras' frames on the session clock, for matched trials. They are read in `rig_tables`, clocks fitted in `clock_maps`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.ephys.tables import FRAME_TIMES, RIG_EVENTS
from map_assets.vocabulary.clock import ClockMap

_TELLING_ANCHORS = 3
"""A line through fewer anchors meets them all, so its residual says nothing."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class _Probe:
    """A probe whose clock is known, and its matched trials; both arrays rise with `ephys_trial`."""

    number: int
    clock: ClockMap
    ephys_trial: NDArray[np.int64]
    trial: NDArray[np.int64]

    def rows(self, table: pa.Table) -> tuple[pa.Table, NDArray[np.int64]]:
        """Return this probe's rows of matched trials, and these trials' numbers in the behaviour file."""
        own = table.filter(pc.equal(table["probe"], self.number))
        seen = own["ephys_trial"].to_numpy()
        if not len(self.trial):
            return own.slice(0, 0), np.empty(0, np.int64)
        place = np.minimum(np.searchsorted(self.ephys_trial, seen), len(self.trial) - 1)
        is_matched = self.ephys_trial[place] == seen
        return own.filter(pa.array(is_matched)), self.trial[place[is_matched]]


def make_frame_times(
    session: str, ephys_frames: pa.Table, ephys_events: pa.Table, clock_maps: pa.Table
) -> dict[str, pa.Table]:
    """Carry frames and events onto the session clock.

    Parameters
    ----------
    session : str
        Session key.
    ephys_frames, ephys_events : pyarrow.Table
        As the recordings' files tell them.
    clock_maps : pyarrow.Table
        A probe without anchors, and ephys trials that are not matched, are left out.

    Returns
    -------
    dict of str to pyarrow.Table
        `frame_times` and `rig_events`. Where several files tell of one camera and trial, or of one trial's events, the
        probe with the smallest residual (`residual_rms_s`) counts, those with fewer than three anchors last.
    """
    probes = _ranked(clock_maps)
    return {
        "frame_times": _frame_times(session, ephys_frames, probes),
        "rig_events": _rig_events(session, ephys_events, probes),
    }


def _ranked(clock_maps: pa.Table) -> list[_Probe]:
    """List the probes whose clock is known, the best first."""
    rows = [row for row in clock_maps.to_pylist() if row["offset_s"] is not None]
    rows.sort(key=lambda row: (row["n_anchors"] < _TELLING_ANCHORS, row["residual_rms_s"], row["probe"]))
    found = []
    for row in rows:
        order = np.argsort(np.array(row["matched_ephys_trials"], np.int64))
        ephys_trial, trial = (
            np.array(row[name], np.int64)[order] for name in ("matched_ephys_trials", "matched_trials")
        )
        found.append(_Probe(row["probe"], ClockMap(row["offset_s"], row["drift_ppm"]), ephys_trial, trial))
    return found


def _frame_times(session: str, ephys_frames: pa.Table, probes: list[_Probe]) -> pa.Table:
    pieces = [FRAME_TIMES.empty()]
    told: set[tuple[str, int]] = set()
    for probe in probes:
        rows, trial = probe.rows(ephys_frames)
        pairs = list(zip(rows["camera"].to_pylist(), trial.tolist(), strict=True))
        is_new = np.array([pair not in told for pair in pairs], bool)
        told.update(pairs)
        rows, trial = rows.filter(pa.array(is_new)), trial[is_new]
        lists = pa.concat_arrays([*rows["frame_probe_s"].chunks, pa.array([], pa.list_(pa.float64()))])
        times = probe.clock.session_s(lists.flatten().to_numpy(zero_copy_only=False))
        offsets = np.r_[0, np.cumsum(pc.list_value_length(lists).to_numpy(zero_copy_only=False))]
        pieces.append(
            FRAME_TIMES.from_columns(
                {
                    "session": pa.repeat(session, len(trial)),
                    "camera": rows["camera"],
                    "trial": trial,
                    "frame_s": pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(times, pa.float64())),
                    "probe": np.full(len(trial), probe.number),
                }
            )
        )
    return pa.concat_tables(pieces).combine_chunks()


def _rig_events(session: str, ephys_events: pa.Table, probes: list[_Probe]) -> pa.Table:
    pieces = [RIG_EVENTS.empty()]
    told = np.empty(0, np.int64)
    for probe in probes:
        rows, trial = probe.rows(ephys_events)
        is_new: Flags = ~np.isin(trial, told)
        told = np.union1d(told, trial)
        rows, trial = rows.filter(pa.array(is_new)), trial[is_new]
        pieces.append(
            RIG_EVENTS.from_columns(
                {
                    "session": pa.repeat(session, len(trial)),
                    "trial": trial,
                    **{name: rows[name] for name in ("event_id", "event", "port")},
                    "time_s": probe.clock.session_s(rows["time_probe_s"].to_numpy()),
                    "probe": np.full(len(trial), probe.number),
                }
            )
        )
    return pa.concat_tables(pieces).combine_chunks()
