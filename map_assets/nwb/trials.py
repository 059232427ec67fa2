"""Trials, task events and licks of the file. Photostimulation as a stimulus lives in `photostim`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.nwb.columns import column, distinct_names, floats, meaning_of, names_of, plain_column, texts, wholes

_TIMES = {
    "until_s": ("until_time", "start of the next trial, also of a skipped one; of the last trial its stop (s)"),
    "sample_s": ("sample_time", "start of the trial's sample, the last one that counts (s); NaN if none"),
    "delay_s": ("delay_time", "start of the trial's delay, the last one that counts (s); NaN if none"),
    "go_s": ("go_time", "start of the trial's go cue, the last one that counts (s); NaN if none"),
    "photostim_onset_s": ("photostim_onset_time", "start of the photostimulation (s); NaN without"),
    "bitcode_start_s": ("bitcode_start_time", "when the code began (s); NaN if unknown"),
}
_FEW = frozenset({"n_samples", "n_delays", "n_go_cues"})
"""Counts that are often 0 or 1; as int8 the NWB inspector does not take them for flags."""
_COUNTED = {"sample": "sample_s", "delay": "delay_s", "go": "go_s"}
_SAME_S = 1e-6
_IN_TIME = [("start_s", "ascending"), ("trial", "ascending"), ("event_id", "ascending")]
_EPHYS = "Ephys recording system"


def add_trials(nwbfile: Any, trials: pa.Table) -> None:
    """Add the trials table: instants end in ``_time``, every other column has its name and unit as in `trials`.

    A column of which no trial knows anything is left out. A session without trials has no table.
    """
    from pynwb.epoch import TimeIntervals

    if not trials.num_rows:
        return
    trials = trials.sort_by([("trial", "ascending")])
    columns = [
        column("start_time", "start of the trial (s)", floats(trials["start_s"])),
        column("stop_time", "end of the trial (s)", floats(trials["stop_s"])),
    ]
    for field in trials.schema:
        if field.name in {"session", "start_s", "stop_s"}:
            continue
        name, meaning = _TIMES.get(field.name, (field.name, meaning_of(field)))
        values = trials[field.name]
        if field.name == "photostim_site":
            columns.append(
                column(
                    name,
                    "photostimulation site, as in the optogenetics sites of the file; none without",
                    texts(values, "none"),
                )
            )
            continue
        made = _few(name, meaning, values) if field.name in _FEW else plain_column(name, meaning, values)
        columns += [] if made is None else [made]
    nwbfile.trials = TimeIntervals(
        name="trials",
        description="One trial that was kept; numbers count every trial of the behaviour file from 1, so skipped trials "
        "leave gaps. Times are on the session clock.",
        columns=columns,
        colnames=names_of(columns),
    )


def _few(name: str, meaning: str, values: pa.ChunkedArray) -> Any:
    numbers = wholes(values)
    return column(name, meaning, numbers.astype(np.int8) if numbers.max() <= np.iinfo(np.int8).max else numbers)


def add_events(nwbfile: Any, events: pa.Table, trials: pa.Table) -> None:
    """Add a table for each kind of task event, with the trial that it belongs to.

    An animal that licks early hears sample and delay again, so that a trial may have several; ``is_counted`` marks the
    one that the trials table names.
    """
    kinds = pc.unique(events["event"]).to_pylist()
    for name, plain in zip(kinds, distinct_names(kinds), strict=True):
        rows = events.filter(pc.equal(events["event"], name)).sort_by(_IN_TIME)
        columns = [*_when(rows["start_s"], f"entry of the state {name}"), _duration(rows), _trial(rows)]
        columns.append(column("event_id", meaning_of(rows.schema.field("event_id")), wholes(rows["event_id"])))
        if name in _COUNTED:
            columns.append(
                column(
                    "is_counted",
                    f"whether this {name} is the one that counts in its trial: the last, which the trials table names",
                    _is_counted(rows, trials, _COUNTED[name]),
                )
            )
        _add_table(nwbfile, plain, f"Visits of the task state {name}, in time order.", columns)


def add_licks(nwbfile: Any, licks: pa.Table) -> None:
    """Add the licks, with the trial that each belongs to."""
    if not licks.num_rows:
        return
    rows = licks.sort_by([("time_s", "ascending"), ("trial", "ascending"), ("lick_id", "ascending")])
    columns = [
        *_when(rows["time_s"], "onset of the contact"),
        _trial(rows),
        column("port", "lick port that was touched", texts(rows["port"])),
        column("lick_id", meaning_of(rows.schema.field("lick_id")), wholes(rows["lick_id"])),
    ]
    _add_table(nwbfile, "licks", "Contacts of the tongue with the lick ports, in time order.", columns)


def add_rig_events(nwbfile: Any, events: pa.Table) -> None:
    """Add the rig's events as the ephys system saw them, on the session clock, with their trials."""
    if not events.num_rows:
        return
    rows = events.sort_by([("time_s", "ascending"), ("trial", "ascending"), ("event_id", "ascending")])
    columns = [
        *_when(rows["time_s"], "time of the event"),
        _trial(rows),
        column("event", meaning_of(rows.schema.field("event")), texts(rows["event"])),
    ]
    for name in ("port", "probe", "event_id"):
        made = plain_column(name, meaning_of(rows.schema.field(name)), rows[name])
        columns += [] if made is None else [made]
    _add_table(
        nwbfile, "rig_events", "Events of the rig as the ephys recording saw them, in time order.", columns, _EPHYS
    )


def _add_table(
    nwbfile: Any, name: str, description: str, columns: list[Any], source: str = "Behaviour control system"
) -> None:
    from pynwb.event import EventsTable

    nwbfile.add_events_table(
        EventsTable(
            name=name,
            description=f"{description} Times are on the session clock.",
            source_description=source,
            columns=columns,
            colnames=names_of(columns),
        )
    )


def _when(times: pa.ChunkedArray, meaning: str) -> list[Any]:
    from pynwb.event import TimestampVectorData

    return [TimestampVectorData(name="timestamp", description=f"{meaning} (s)", data=floats(times))]


def _duration(rows: pa.Table) -> Any:
    from pynwb.event import DurationVectorData

    return DurationVectorData(
        name="duration", description="exit of the state minus its entry (s)", data=floats(rows["duration_s"])
    )


def _trial(rows: pa.Table) -> Any:
    return column("trial", "trial number, as in the column trial of the trials table", wholes(rows["trial"]))


def _is_counted(rows: pa.Table, trials: pa.Table, name: str) -> NDArray[np.bool_]:
    """Whether each event is the one whose time the trials table has in column `name`."""
    index = pc.index_in(rows["trial"], trials["trial"].combine_chunks())
    times = trials[name].take(index)
    return np.asarray(np.abs(floats(times) - floats(rows["start_s"])) < _SAME_S)
