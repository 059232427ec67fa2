"""Reading a written file back, by its bare HDF5 and none of the writer's code, and comparing it with the tables.

Here stands which part of the file belongs to which table. Units and spikes are compared in `roundtrip_units`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from map_assets.nwb.columns import distinct_names
from map_assets.nwb.readback import compare_table, difference, text_of, texts_of, times_of
from map_assets.nwb.roundtrip_about import compare_groups, compare_session, compare_sites, compare_videos, surplus
from map_assets.nwb.roundtrip_units import compare_units
from map_assets.vocabulary.subject import Subject
from map_assets.vocabulary.table import Verdict

_TRIALS = {
    "start_s": "start_time",
    "stop_s": "stop_time",
    "until_s": "until_time",
    "sample_s": "sample_time",
    "delay_s": "delay_time",
    "go_s": "go_time",
    "photostim_onset_s": "photostim_onset_time",
    "bitcode_start_s": "bitcode_start_time",
}
_MODULES = {
    **dict.fromkeys(
        ("skipped_trials", "coverage", "blocks", "block_ports", "water_port_settings", "available_rewards"), "behavior"
    ),
    **dict.fromkeys(("tracking_quality", "frame_times", "videos"), "behavior"),
    **dict.fromkeys(("insertions", "recordings", "sortings", "clock_maps", "unit_labels"), "ecephys"),
    **dict.fromkeys(("unit_waveforms", "lfp_power"), "ecephys"),
}
_ELECTRODES = {
    "x_um": "rel_x",
    "y_um": "rel_y",
    "ccf_ap_um": "x",
    "ccf_dv_um": "y",
    "ccf_ml_um": "z",
    "region": "",
    "hemisphere": "",
}
_OF_ELECTRODES = frozenset({"group", "group_name", "location", "channel", "hemisphere"})
_RATE_TOLERANCE_S = 1e-6
"""Times that are told by a start and a rate are as exact as this."""


def compare_with_tables(path: Path, tables: Mapping[str, pa.Table], subject: Subject | None = None) -> Verdict:
    """Compare a file with the tables that it was made of, value by value.

    A file that cannot be read, or lacks a part, does not give them back.

    Parameters
    ----------
    path : pathlib.Path
    tables : mapping of str to pyarrow.Table
        As handed to the writer.
    subject : Subject, optional
        As handed to the writer; without it what the file says of the animal is not compared.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            differences, figures = _compare(file, tables, subject)
    except (OSError, KeyError, ValueError, RuntimeError, TypeError, AttributeError, IndexError) as error:
        return Verdict(False, f"The file cannot be read back: {type(error).__name__}: {error}")
    told = (
        "; ".join(differences) if differences else "Every table that the file is made of equals its part of the file."
    )
    return Verdict(not differences, told, figures)


def _compare(
    file: Any, tables: Mapping[str, pa.Table], subject: Subject | None
) -> tuple[list[str], dict[str, float | int | str | bool]]:
    trials = tables["trials"].sort_by([("trial", "ascending")])
    session = tables["sessions"]["session"].to_pylist()
    told = []
    if [text_of(file["general/session_id"])] != session:
        told.append(f"session {text_of(file['general/session_id'])} in the file, {session} in the table")
    parts: dict[str, Callable[[], list[str]]] = {
        "trials": lambda: _compare_trials(file, trials),
        "events": lambda: _compare_events(file, trials, tables),
        "photostimulation": lambda: _compare_light(file, trials, tables.get("photostim_sites")),
        "tracking": lambda: _compare_tracking(file, tables.get("tracking")),
        "tables": lambda: _compare_plain(file, tables),
        "electrodes": lambda: _compare_electrodes(file, tables),
        "session": lambda: compare_session(file, tables["sessions"].to_pylist()[0], subject),
        "videos": lambda: compare_videos(file, tables),
        "parts": lambda: _surplus(file, trials, tables),
    }
    for name, compare in parts.items():
        try:
            told += compare()
        except KeyError as error:
            told.append(f"{name}: a part is not in the file: {error.args[0]}")
    more, n_units, n_spikes = compare_units(file, tables, trials)
    return told + more, {"n_trials": trials.num_rows, "n_units": n_units, "n_spikes": n_spikes}


def _surplus(file: Any, trials: pa.Table, tables: Mapping[str, pa.Table]) -> list[str]:
    """Parts of the file that no table gave it."""
    names = {name for name, table in tables.items() if table.num_rows}
    events = tables.get("trial_events")
    kinds = distinct_names(pc.unique(events["event"]).to_pylist()) if events is not None else []
    told = surplus("events", file.get("events", ()), {*kinds, *(names & {"licks", "rig_events"})})
    told += surplus("intervals", file.get("intervals", ()), {"trials"})
    light = distinct_names(pc.unique(_whole(trials)["photostim_site"]).to_pylist())
    told += surplus("stimulus", file.get("stimulus/presentation", ()), {f"photostim_{name}" for name in light})
    tracking = tables.get("tracking")
    cameras = distinct_names(pc.unique(tracking["camera"]).to_pylist()) if tracking is not None else []
    made = {f"{kind}_{name}" for kind in ("position", "likelihood") for name in cameras}
    for module in file.get("processing", ()):
        own = {name for name, place in _MODULES.items() if place == module} & names
        own |= made | {"tracking", "untimed_tracking"} if module == "behavior" else {"LFP"}
        told += surplus(f"processing/{module}", file[f"processing/{module}"], own)
    return told


def _compare_plain(file: Any, tables: Mapping[str, pa.Table]) -> list[str]:
    told = []
    for name, module in _MODULES.items():
        if name in tables and tables[name].num_rows:
            told += compare_table(file[f"processing/{module}/{name}"], name, tables[name], more=())
    return told


def _compare_trials(file: Any, trials: pa.Table) -> list[str]:
    if not trials.num_rows:
        return []
    site = trials.schema.get_field_index("photostim_site")
    named = trials.set_column(site, trials.field(site), pc.fill_null(trials["photostim_site"], "none"))
    return compare_table(file["intervals/trials"], "trials", named, _TRIALS, ())


def _compare_events(file: Any, trials: pa.Table, tables: Mapping[str, pa.Table]) -> list[str]:
    """Every visit of a state, lick and event of the rig; and of each trial's visits at most the last is marked."""
    told = []
    events = tables.get("trial_events")
    kinds = pc.unique(events["event"]).to_pylist() if events is not None else []
    for kind, name in zip(kinds, distinct_names(kinds), strict=True):
        assert events is not None
        order = [("start_s", "ascending"), ("trial", "ascending"), ("event_id", "ascending")]
        rows = events.filter(pc.equal(events["event"], kind)).sort_by(order)
        renamed = {"start_s": "timestamp", "duration_s": "duration", "event": ""}
        group = file[f"events/{name}"]
        told += compare_table(group, f"trial_events ({kind})", rows, renamed, {"is_counted"})
        if f"{kind}_s" in ("sample_s", "delay_s", "go_s"):
            counts = trials[f"{kind}_s"]
            marked = np.sort(group["timestamp"][:][group["is_counted"][:].astype(bool)])
            told += difference(f"trials.{kind}_s (marked)", marked, np.sort(counts.drop_null().to_numpy()), 1e-6)
    for name, renamed in (("licks", {"time_s": "timestamp"}), ("rig_events", {"time_s": "timestamp"})):
        if name in tables and tables[name].num_rows:
            within = "lick_id" if name == "licks" else "event_id"
            rows = tables[name].sort_by([("time_s", "ascending"), ("trial", "ascending"), (within, "ascending")])
            told += compare_table(file[f"events/{name}"], name, rows, renamed, ())
    return told


def _compare_light(file: Any, trials: pa.Table, sites: pa.Table | None) -> list[str]:
    """Steps of the light's power: up at each onset, down at its end."""
    told = []
    names = sites["photostim_site"].to_pylist() if sites is not None else []
    used = pc.unique(_whole(trials)["photostim_site"]).to_pylist()
    told += compare_sites(file, sites, used)
    for site, name in zip(used, distinct_names(used), strict=True):
        if site not in names:
            continue
        whole = _whole(trials)
        rows = whole.filter(pc.equal(whole["photostim_site"], site))
        onset_s, duration_s, power_mw = (
            rows[column].to_numpy() for column in ("photostim_onset_s", "photostim_duration_s", "photostim_power_mw")
        )
        series = file[f"stimulus/presentation/photostim_{name}"]
        times_s = times_of(series)
        told += difference(f"photostimulation {site} onsets", times_s[1::2], onset_s, _RATE_TOLERANCE_S)
        told += difference(f"photostimulation {site} ends", times_s[2::2], onset_s + duration_s, _RATE_TOLERANCE_S)
        told += difference(f"photostimulation {site} power", series["data"][1::2] * 1e3, power_mw)
        told += difference(f"photostimulation {site} darkness", series["data"][::2], np.zeros(len(onset_s) + 1))
    return told


def _whole(trials: pa.Table) -> pa.Table:
    for name in ("photostim_onset_s", "photostim_duration_s", "photostim_power_mw", "photostim_site"):
        trials = trials.filter(pc.is_valid(trials[name]))
    return trials.sort_by([("photostim_onset_s", "ascending")])


def _compare_tracking(file: Any, tracking: pa.Table | None) -> list[str]:
    if tracking is None or not tracking.num_rows:
        return []
    series = ("frame_s", "x_px", "y_px", "likelihood")
    module = file["processing/behavior"]
    told = compare_table(module["tracking"], "tracking", tracking.drop_columns(list(series)), more=())
    has_times = pc.is_valid(tracking["frame_s"])
    untimed = tracking.filter(pc.invert(has_times))
    if untimed.num_rows:
        wanted = untimed.select(["trial", "camera", "feature", *series[1:]])
        told += compare_table(module["untimed_tracking"], "tracking", wanted)
    timed = tracking.filter(pc.and_(has_times, pc.greater(tracking["n_frames"], 0)))
    cameras = pc.unique(timed["camera"]).to_pylist()
    for camera, plain in zip(cameras, distinct_names(cameras), strict=True):
        of_camera = timed.filter(pc.equal(timed["camera"], camera))
        features = pc.unique(of_camera["feature"]).to_pylist()
        for feature, name in zip(features, distinct_names(features), strict=True):
            rows = of_camera.filter(pc.equal(of_camera["feature"], feature)).sort_by([("trial", "ascending")])
            values = {one: rows[one].combine_chunks().flatten().to_numpy(zero_copy_only=False) for one in series}
            order = np.argsort(values["frame_s"], kind="stable")
            position = module[f"position_{plain}/{name}"]
            label = f"tracking of {feature} in {camera}"
            told += difference(f"{label} frame_s", times_of(position), values["frame_s"][order], _RATE_TOLERANCE_S)
            told += difference(f"{label} x_px", position["data"][:, 0], values["x_px"][order], 0.0)
            told += difference(f"{label} y_px", position["data"][:, 1], values["y_px"][order], 0.0)
            likelihood = module[f"likelihood_{plain}/{name}/data"][:]
            told += difference(f"{label} likelihood", likelihood, values["likelihood"][order], 0.0)
    return told


def _compare_electrodes(file: Any, tables: Mapping[str, pa.Table]) -> list[str]:
    """Contacts and where they are; a region is compared by its id and, but for commas and case, by its acronym."""
    table = tables.get("electrodes", tables.get("probe_sites"))
    if table is None or not table.num_rows:
        return []
    rows = table.sort_by([("probe", "ascending"), ("electrode", "ascending")])
    group = file["general/extracellular_ephys/electrodes"]
    told = compare_table(group, "electrodes", rows, _ELECTRODES, _OF_ELECTRODES)
    told += compare_groups(file, "general/extracellular_ephys/electrodes", "group")
    if "channel" in group and "channel" not in rows.column_names:
        told += compare_table(group, "electrodes", _channels(rows, tables["probe_sites"]))
    if "region" in rows.column_names:
        if "hemisphere" in group:
            sides = pc.fill_null(rows["hemisphere"], "unknown")
            told += compare_table(group, "electrodes", pa.table({"hemisphere": sides}))
        found = [one.replace(",", "").lower() for one in texts_of(group["location"])]
        expected = [one.lower() for one in pc.fill_null(rows["region"], "root").to_pylist()]
        n_wrong = sum(one != other for one, other in zip(found, expected, strict=True))
        told += [f"electrodes.region: {n_wrong} of {len(found)} differ"] if n_wrong else []
    return told


def _channels(electrodes: pa.Table, sites: pa.Table) -> pa.Table:
    """Saved channel of each contact, as the probe's meta file has it."""
    keys = zip(sites["probe"].to_pylist(), sites["electrode"].to_pylist(), strict=True)
    known = dict(zip(keys, sites["channel"].to_pylist(), strict=True))
    wanted = zip(electrodes["probe"].to_pylist(), electrodes["electrode"].to_pylist(), strict=True)
    return pa.table({"channel": pa.array([known.get(key) for key in wanted], pa.int64())})
