"""The profile ``dandi-000363``: trials, events and tracking as that dandiset has them. Its units live in `published_units`.

It is for code that was made for those files; everything that they cannot say is left out. The names, forms and units of
its columns are those of the published release 0.230822.0128, also where NWB has a better place for a thing.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.nwb.columns import column, distinct_names, floats, names_of, plain_name, stored, texts, wholes
from map_assets.nwb.header import has_photostim
from map_assets.nwb.photostim import add_photostim
from map_assets.nwb.published_units import add_published_units

ABSENT = "N/A"
CAMERAS = {"side": "Camera0_side", "bottom": "Camera3_bottom"}
"""Names of the published cameras; another one is named after itself."""

_EVENTS_SEEN = "1 at each event"


def add_published_data(nwbfile: Any, tables: Mapping[str, pa.Table]) -> list[str]:
    """Add what the published files hold, under their names; return sentences on what was left out."""
    trials = tables["trials"].sort_by([("trial", "ascending")])
    notes = ["Names, forms and units of columns follow DANDI:000363; several are not those that NWB recommends."]
    if trials.num_rows:
        _add_trials(nwbfile, trials, tables["sessions"].to_pylist()[0])
    _add_events(nwbfile, trials, tables)
    if has_photostim(trials):
        notes += add_photostim(nwbfile, trials, tables.get("photostim_sites"))
    if "tracking" in tables:
        _add_tracking(nwbfile, tables["tracking"])
    return notes + add_published_units(nwbfile, trials, tables)


def _add_trials(nwbfile: Any, trials: pa.Table, session: Mapping[str, Any]) -> None:
    from pynwb.epoch import TimeIntervals

    start_s = floats(trials["start_s"])
    early = {True: "early", False: "no early", None: ABSENT}
    columns = [
        column("start_time", "start of the trial (s)", start_s),
        column("stop_time", "end of the trial (s)", floats(trials["stop_s"])),
        column("trial", "trial number", wholes(trials["trial"])),
        column(
            "photostim_onset",
            "from the trial's start (s), as text",
            _told(floats(trials["photostim_onset_s"]) - start_s),
        ),
        column("photostim_power", "maximum power (mW), as text", _told(floats(trials["photostim_power_mw"]))),
        column("photostim_duration", "duration (s), as text", _told(floats(trials["photostim_duration_s"]))),
        column("trial_uid", "trial number: no other number is kept", wholes(trials["trial"])),
        column("task", "task", [session["task"]] * trials.num_rows),
        column("task_protocol", "number of the protocol", np.full(trials.num_rows, session["task_protocol"], np.int64)),
        column("trial_instruction", "left or right", texts(trials["instruction"])),
        column(
            "early_lick", "early or no early; N/A if unknown", [early[one] for one in trials["early_lick"].to_pylist()]
        ),
        column("outcome", "hit, miss or ignore", texts(trials["outcome"])),
        column("auto_water", "1 if water was given regardless of the answer", _ones(trials["is_auto_water"])),
        column("free_water", "1 if the trial was only a drop of water", _ones(trials["is_free_water"])),
    ]
    nwbfile.trials = TimeIntervals(
        name="trials", description="Trials of the session.", columns=columns, colnames=names_of(columns)
    )


def _told(values: NDArray[np.float64]) -> list[str]:
    """Numbers as texts with four decimals; NaN is ``N/A``."""
    return [ABSENT if np.isnan(one) else f"{one:.4f}" for one in values]


def _ones(values: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.asarray(values.to_numpy(), np.int64)


def _add_events(nwbfile: Any, trials: pa.Table, tables: Mapping[str, pa.Table]) -> None:
    """Starts and stops of every kind of event, licks by port, photostimulation: one series each in ``BehavioralEvents``."""
    from pynwb.behavior import BehavioralEvents

    with warnings.catch_warnings():
        # pynwb has a younger type for events; the release has this one
        warnings.filterwarnings("ignore", "BehavioralEvents is deprecated", UserWarning)
        container = BehavioralEvents(name="BehavioralEvents")
    if "trial_events" in tables:
        events = tables["trial_events"].sort_by([("start_s", "ascending"), ("trial", "ascending")])
        for name in pc.unique(events["event"]).to_pylist():
            rows = events.filter(pc.equal(events["event"], name))
            start_s = floats(rows["start_s"])
            _add_series(container, f"{name}_start_times", start_s)
            _add_series(container, f"{name}_stop_times", np.sort(start_s + floats(rows["duration_s"])))
    if "licks" in tables:
        licks = tables["licks"]
        for port in pc.unique(licks["port"]).to_pylist():
            _add_series(
                container, f"{port}_lick_times", np.sort(floats(licks.filter(pc.equal(licks["port"], port))["time_s"]))
            )
    onset_s = floats(trials["photostim_onset_s"])
    is_lit = np.isfinite(onset_s)
    if is_lit.any():
        stop_s = onset_s + floats(trials["photostim_duration_s"])
        power_mw = floats(trials["photostim_power_mw"])
        _add_series(container, "photostim_start_times", onset_s[is_lit], power_mw[is_lit], "mW")
        is_ended = np.isfinite(stop_s)
        _add_series(container, "photostim_stop_times", stop_s[is_ended], np.zeros(int(is_ended.sum())), "mW")
    if container.time_series:
        nwbfile.add_acquisition(container)


def _add_series(
    container: Any, name: str, times_s: NDArray[np.float64], data: NDArray[np.float64] | None = None, unit: str = "a.u."
) -> None:
    from pynwb.base import TimeSeries

    if len(times_s):
        values = np.ones(len(times_s)) if data is None else data
        container.add_timeseries(
            TimeSeries(
                name=plain_name(name),
                description=_EVENTS_SEEN if data is None else "maximum power of the light from here on (mW)",
                data=values,
                unit=unit,
                timestamps=times_s,
            )
        )


def _add_tracking(nwbfile: Any, tracking: pa.Table) -> None:
    """Each body part in each camera: x, y and likelihood in one array, in ``BehavioralTimeSeries``."""
    from pynwb.base import TimeSeries
    from pynwb.behavior import BehavioralTimeSeries

    filmed = tracking.filter(pc.and_(pc.greater(tracking["n_frames"], 0), pc.is_valid(tracking["frame_s"])))
    parts = filmed.group_by(["camera", "feature"], use_threads=False).aggregate([]).to_pylist()
    if not parts:
        return
    container = BehavioralTimeSeries(name="BehavioralTimeSeries")
    wanted = [f"{CAMERAS.get(one['camera'], one['camera'])}_{_title(one['feature'])}Tracking" for one in parts]
    for part, name in zip(parts, distinct_names(wanted), strict=True):
        of_part = pc.and_(pc.equal(filmed["camera"], part["camera"]), pc.equal(filmed["feature"], part["feature"]))
        rows = filmed.filter(of_part).sort_by([("trial", "ascending")])
        flat = [
            np.asarray(rows[one].combine_chunks().flatten().to_numpy(zero_copy_only=False), np.float64)
            for one in ("frame_s", "x_px", "y_px", "likelihood")
        ]
        order = np.argsort(flat[0], kind="stable")
        container.add_timeseries(
            TimeSeries(
                name=name,
                description="x and y (px) and likelihood of each frame; at a low likelihood x and y mean nothing",
                data=stored(np.column_stack(flat[1:])[order]),
                unit="a.u.",
                timestamps=stored(flat[0][order]),
            )
        )
    nwbfile.add_acquisition(container)


def _title(feature: str) -> str:
    """Return a body part as the published names have it: ``left_paw`` is LeftPaw."""
    return "".join(word[:1].upper() + word[1:] for word in feature.replace("/", "_").split("_"))
