"""`ephys_events` and `ephys_frames` out of the session's bitcode files. A file is decoded in `bitcode_events`; the session clock is met in `frame_times`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from map_assets.ephys.bitcode_events import RigRecord, read_rig_record
from map_assets.ephys.tables import EPHYS_EVENTS, EPHYS_FRAMES
from map_assets.ephys.trial_sources import BITCODE_FILE
from map_assets.vocabulary.errors import BadInput, ChangedWhileRead
from map_assets.vocabulary.files import FoundFile, Rejected
from map_assets.vocabulary.table import Verdict


def read_rig_tables(
    session: str, files: Sequence[FoundFile], ephys_trials: pa.Table, rates_hz: Mapping[int, float]
) -> tuple[dict[str, pa.Table], list[Rejected]]:
    """Read what the files that told the trials tell besides.

    Parameters
    ----------
    session : str
    files : sequence of FoundFile
        The session's.
    ephys_trials : pyarrow.Table
        As `trial_sources.read_ephys_trials` made it.
    rates_hz : mapping of int to float
        Each probe's rate, where it is known.

    Returns
    -------
    tables : dict of str to pyarrow.Table
        `ephys_events`, `ephys_frames`, and `ephys_trials` with the reason, in `events_problem`, where a file's events
        and frames cannot be used; its codes still can.
    rejected : list of Rejected
        Files that changed while they were read.
    """
    rejected: list[Rejected] = []
    events, frames = [EPHYS_EVENTS.empty()], [EPHYS_FRAMES.empty()]
    problems: dict[int, str] = {}
    decoded = ephys_trials.filter(pc.equal(ephys_trials["source"], BITCODE_FILE))
    for probe in sorted(set(decoded["probe"].to_pylist())):
        seen = decoded.filter(pc.equal(decoded["probe"], probe)).sort_by("ephys_trial")
        name = seen["file"][0].as_py()
        file = next(one for one in files if one.role == "bitcode" and one.relpath.as_posix() == name)
        start_probe_s = seen["start_probe_s"].to_numpy()
        try:
            told = read_rig_record(file.path, start_probe_s, seen["trial_written"].to_pylist(), rates_hz.get(probe))
        except ChangedWhileRead as error:
            rejected.append(Rejected((file,), error))
        except BadInput as error:
            problems[probe] = str(error)
        else:
            events.append(_events(session, probe, told))
            frames.append(_frames(session, probe, told, len(start_probe_s)))
    why = pa.array([problems.get(probe) for probe in ephys_trials["probe"].to_pylist()], pa.string())
    at = ephys_trials.schema.get_field_index("events_problem")
    return {
        "ephys_trials": ephys_trials.set_column(at, ephys_trials.schema.field(at), why),
        "ephys_events": pa.concat_tables(events),
        "ephys_frames": pa.concat_tables(frames),
    }, rejected


def every_file_told_its_events(ephys_trials: pa.Table) -> Verdict:
    """Claim that no bitcode file has events or frames that could not be used."""
    problems = sorted({text for text in ephys_trials["events_problem"].to_pylist() if text})
    n_probes = len(set(ephys_trials["probe"].to_pylist()))
    if problems:
        return Verdict(False, f"{len(problems)} bitcode files are used for their codes alone. {' '.join(problems)}")
    return Verdict(True, f"of {n_probes} probes no file has events or frames that were left out", {"probes": n_probes})


def _events(session: str, probe: int, told: RigRecord) -> pa.Table:
    """Put a file's events into rows: in time order within a trial, and in the file's where times are equal."""
    if not told.events:
        return EPHYS_EVENTS.empty()
    sizes = [len(one.at) for one in told.events]
    kind = np.repeat(np.arange(len(sizes)), sizes)
    place, at = (np.concatenate([getattr(one, name) for one in told.events]) for name in ("place", "at"))
    order = np.lexsort((kind, at, place))
    order = order[~np.isnan(at[order])]
    place, kind = place[order], kind[order]
    first = np.searchsorted(place, place)
    return EPHYS_EVENTS.from_columns(
        {
            "session": pa.repeat(session, len(order)),
            "probe": np.full(len(order), probe),
            "ephys_trial": place + 1,
            "event_id": np.arange(len(order)) - first,
            "event": pa.array([one.name for one in told.events], pa.string()).take(pa.array(kind)),
            "port": pa.array([one.port for one in told.events], pa.string()).take(pa.array(kind)),
            "time_probe_s": at[order],
        }
    )


def _frames(session: str, probe: int, told: RigRecord, n: int) -> pa.Table:
    """Put a file's frames into rows, one a camera and trial, an empty list where there was no frame."""
    n_rows = n * len(told.cameras)
    sizes = [np.bincount(one.place, minlength=n) for one in told.cameras]
    offsets = np.cumsum(np.concatenate([np.zeros(1, np.int64), *sizes]))
    times = pa.array(np.concatenate([*(one.at for one in told.cameras), np.empty(0)]), pa.float64())
    return EPHYS_FRAMES.from_columns(
        {
            "session": pa.repeat(session, n_rows),
            "probe": np.full(n_rows, probe),
            "ephys_trial": np.tile(np.arange(1, n + 1), len(told.cameras)),
            "camera": pa.array([one.name for one in told.cameras for _ in range(n)], pa.string()),
            "frame_probe_s": pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), times),
        }
    )
