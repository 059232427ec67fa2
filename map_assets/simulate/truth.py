"""The truth beside the made-up files: writes it and reads it back. What its tables hold is made in `truth_tables`.

::

    truth/{session}/session.json            start, the plan's defects, trials of each side
    truth/{session}/trials.parquet          every trial the animal did, session clock, s
    truth/{session}/trial_events.parquet    every visit of an epoch's state
    truth/{session}/licks.parquet           every contact
    truth/{session}/probes.parquet          clocks, exact, and tracks
    truth/{session}/ephys_trials.parquet    every trial that a probe's bitcode file holds, exact samples
    truth/{session}/electrodes.parquet      every recorded contact's place and region
    truth/{session}/units.parquet           label, place, preference, rates
    truth/{session}/spikes.parquet          every unit's samples on the probe's clock
    truth/{session}/rig_events.parquet      every event and lick that the bitcode files tell, if they do; session clock, s
    truth/{session}/frame_times.parquet     every frame that they tell

Session seconds of a spike are exactly ``offset_s + samples / sample_rate_hz * (1 + drift_ppm * 1e-6)`` of its probe.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from map_assets.simulate.atlas import Volume
from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.bpod import start_local
from map_assets.simulate.clocks import ProbeClock
from map_assets.simulate.defects import trials_in_behavior
from map_assets.simulate.trial import Trial
from map_assets.simulate.truth_tables import TABLES, ProbeTruth, make_tables
from map_assets.simulate.writing import write_text
from map_assets.store import replacing
from map_assets.vocabulary.errors import NoSuchTable

_RECORD = ("rig_events", "frame_times")


@dataclass(frozen=True)
class Truth:
    """The truth of one session, as read back.

    Parameters
    ----------
    session : str
        Key.
    facts : dict
        ``start_local``, ``defects``, ``n_trials_done``, ``n_trials_in_behavior`` and the like.
    trials, trial_events, licks, probes, ephys_trials, electrodes, units, spikes : pyarrow.Table
        As the module's head lists them. `trials` has ``is_in_behavior``; those without are known to the probes alone.
    rig_events, frame_times : pyarrow.Table, optional
        The same; None where the plan has no record of the rig.
    """

    session: str
    facts: dict[str, Any]
    trials: pa.Table
    trial_events: pa.Table
    licks: pa.Table
    probes: pa.Table
    ephys_trials: pa.Table
    electrodes: pa.Table
    units: pa.Table
    spikes: pa.Table
    rig_events: pa.Table | None = None
    frame_times: pa.Table | None = None

    def clock(self, probe: int) -> ProbeClock:
        """Give a probe's exact clock."""
        row = self.probes.filter(pc.field("probe") == probe).to_pylist()[0]
        return ProbeClock(row["offset_s"], row["drift_ppm"], row["sample_rate_hz"], row["n_samples"])

    @cached_property
    def _row_of_unit(self) -> dict[tuple[int, int], int]:
        pairs = zip(self.spikes["probe"].to_pylist(), self.spikes["unit_id"].to_pylist(), strict=True)
        return {pair: row for row, pair in enumerate(pairs)}

    def spike_samples(self, probe: int, unit_id: int) -> NDArray[np.int64]:
        """Give a unit's spikes in samples of its probe's clock."""
        row = self._row_of_unit[probe, unit_id]
        return np.asarray(self.spikes["samples"][row].values.to_numpy(zero_copy_only=False), np.int64)

    def spike_session_s(self, probe: int, unit_id: int) -> NDArray[np.float64]:
        """Give a unit's spikes on the session clock, s, exact."""
        return self.clock(probe).session_s(self.spike_samples(probe, unit_id))


def read_truth(folder: Path, session: str) -> Truth:
    """Read a session's truth.

    Parameters
    ----------
    folder : pathlib.Path
        The laboratory's folder (the one that holds ``truth``).
    session : str
        Key.

    Raises
    ------
    NoSuchTable
        If the laboratory has no such session.
    """
    place = Path(folder) / "truth" / session
    if not (place / "session.json").is_file():
        raise NoSuchTable(f"No truth of session {session} in {folder}; it is written with the laboratory.")
    names = [*TABLES, *(name for name in _RECORD if (place / f"{name}.parquet").is_file())]
    tables = {name: pq.read_table(place / f"{name}.parquet", partitioning=None) for name in names}
    return Truth(session, json.loads((place / "session.json").read_text("utf-8")), **tables)


def write_truth(
    folder: Path, plan: SessionPlan, trials: Sequence[Trial], probes: Sequence[ProbeTruth], volume: Volume
) -> list[Path]:
    """Write a session's truth under ``truth/{session}``."""
    place = folder / "truth" / plan.key
    n_in_file = trials_in_behavior(len(trials), plan.defects, plan.n_missing_trials)
    facts = {
        "session": plan.key,
        "animal": plan.animal,
        "subject_id": plan.subject_id,
        "seed": plan.seed,
        "start_local": start_local(plan).isoformat(timespec="milliseconds"),
        "n_trials_done": len(trials),
        "n_trials_in_behavior": n_in_file,
        "protocol_type": plan.protocol_type,
        "autolearn": plan.autolearn,
        "anchors": plan.anchors,
        "defects": sorted(defect.value for defect in plan.defects),
    }
    written = [write_text(place / "session.json", json.dumps(facts, indent=1) + "\n")]
    tables = make_tables(plan, trials, n_in_file, probes, volume)
    if probes and probes[0].seen.record is not None:
        tables |= probes[0].seen.record.tables(probes[0].seen.trial.tolist())
    for name, table in tables.items():
        with replacing(place / f"{name}.parquet") as part:
            encodings = {"samples.list.element": "DELTA_BINARY_PACKED"} if name == "spikes" else None
            pq.write_table(table, part, compression="zstd", use_dictionary=False, column_encoding=encodings)
        written.append(place / f"{name}.parquet")
    return written
