"""What a written file says of itself against the tables: session, animal, light, groups and videos. Values are compared in `roundtrip`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from map_assets.nwb.columns import distinct_names
from map_assets.nwb.readback import difference, text_of, texts_of, times_of
from map_assets.vocabulary.subject import Subject

_SAME_S = 1e-6


def compare_session(file: Any, session: Mapping[str, Any], subject: Subject | None) -> list[str]:
    """Say where the file's own fields are not what the row of `sessions`, and the animal's, say."""
    told = []
    for name in ("session_start_time", "timestamps_reference_time"):
        found = datetime.fromisoformat(text_of(file[name]))
        if found.tzinfo is None or found != session["start_time"]:
            told.append(f"sessions.start_time: {name} is {found} in the file, {session['start_time']} in the table")
    general = file["general"]
    expected = f"Task {session['task']}, protocol {session['task_protocol']}."
    if text_of(general["experiment_description"]) != expected:
        told.append("sessions.task: the file describes another one")
    person = session["experimenter"]
    named = texts_of(general["experimenter"]) if "experimenter" in general else []
    if person and named != [person] and person not in text_of(general["notes"]):
        told.append(f"sessions.experimenter: {named} in the file, {person} in the table")
    for name in ("animal", "rig"):
        if session[name] and session[name] not in text_of(file["session_description"]):
            told.append(f"sessions.{name}: {session[name]} is not in the file")
    return told + (_compare_subject(general["subject"], subject) if subject is not None else [])


def _compare_subject(group: Any, subject: Subject) -> list[str]:
    told = []
    for name in ("subject_id", "sex", "species", "strain", "genotype"):
        expected = getattr(subject, name) or None
        found = text_of(group[name]) if name in group else None
        if found != expected:
            told.append(f"subject.{name}: {found} in the file, {expected} in the registry")
    born = text_of(group["date_of_birth"])[:10] if "date_of_birth" in group else None
    if born != (subject.date_of_birth.isoformat() if subject.date_of_birth else None):
        told.append(f"subject.date_of_birth: {born} in the file, {subject.date_of_birth} in the registry")
    return told


def compare_sites(file: Any, sites: pa.Table | None, used: Collection[str]) -> list[str]:
    """Say where a stimulation site's light and place are not those of `photostim_sites`."""
    told = []
    known = {row["photostim_site"]: row for row in sites.to_pylist()} if sites is not None else {}
    for site, name in zip(used, distinct_names(list(used)), strict=True):
        if site not in known:
            continue
        row, group = known[site], file[f"general/optogenetics/{name}"]
        place = text_of(group["location"])
        if float(group["excitation_lambda"][()]) != row["wavelength_nm"]:
            told.append(f"photostim_sites.wavelength_nm: {site} has another one in the file")
        for axis in ("ap", "ml", "dv"):
            if f"{axis.upper()} {row[f'{axis}_um']:+.0f} um" not in place:
                told.append(f"photostim_sites.{axis}_um: {site} has another one in the file")
        if row["brain_area"] not in place or row["hemisphere"] not in place:
            told.append(f"photostim_sites.brain_area: {site} has another one in the file")
    return told


def compare_groups(file: Any, place: str, column: str) -> list[str]:
    """Say how many rows of a table of the file refer to another group than that of their probe."""
    table = file[place]
    due = [f"probe{probe}" for probe in table["probe"][:].tolist()]
    found = [file[reference].name.rpartition("/")[2] for reference in table[column][:]]
    wrong = sum(one != name for one, name in zip(found, due, strict=True))
    named = texts_of(table["group_name"]) if "group_name" in table else due
    wrong += sum(one != name for one, name in zip(named, due, strict=True))
    return [f"{place}.{column}: {wrong} rows are of another probe"] if wrong else []


def compare_videos(file: Any, tables: Mapping[str, pa.Table]) -> list[str]:
    """Say where the image series are not the videos that the table knows, or leave out more than the notes say."""
    videos = tables.get("videos")
    if videos is None or not videos.num_rows:
        return []
    by_name = {PurePosixPath(row["file"]).name: row for row in videos.to_pylist()}
    starts = dict(zip(tables["trials"]["trial"].to_pylist(), tables["trials"]["start_s"].to_pylist(), strict=True))
    recorded = {
        (row["camera"].lower(), row["trial"]): row["frame_s"]
        for row in (tables["frame_times"].to_pylist() if "frame_times" in tables else [])
    }
    told, n_named, n_embedded = [], 0, 0
    for name, series in file["acquisition"].items() if "acquisition" in file else ():
        if not name.startswith("video_"):
            continue
        times_s = times_of(series) if "timestamps" in series or "data" in series else np.zeros(0)
        if "external_file" not in series:
            n_embedded += 1
            continue
        rows = [by_name.get(PurePosixPath(one).name) for one in texts_of(series["external_file"])]
        known = [row for row in rows if row is not None]
        n_named += len(known)
        n_frames = [row["n_frames"] for row in known]
        first = np.r_[0, np.cumsum(n_frames)[:-1]].astype(np.int64) if known else np.zeros(0, np.int64)
        if len(known) < len(rows) or any(distinct_names([row["camera"]])[0] != name[6:] for row in known):
            told.append(f"videos.file: {name} names others than those of its camera")
        elif series["external_file"].attrs["starting_frame"].tolist() != first.tolist():
            told.append(f"videos.n_frames: {name} counts others")
        elif "timestamps" in series:
            due = [recorded.get((row["camera"].lower(), row["trial"]), [starts[row["trial"]]])[0] for row in known]
            told += difference(f"videos.times of {name}", times_s[first], np.array(due), _SAME_S)
            told += [f"videos.times of {name} do not rise"] if (np.diff(times_s) <= 0).any() else []
            told += difference(f"videos.n_frames of {name}", np.array([len(times_s)]), np.array([sum(n_frames)]))
    left = f"{videos.num_rows - n_named} of {videos.num_rows} videos are in the table videos only"
    if not n_embedded and n_named < videos.num_rows and left not in text_of(file["general/notes"]):
        told.append(f"videos: {n_named} of {videos.num_rows} are named, and the notes do not say so")
    return told


def surplus(place: str, found: Iterable[str], due: Collection[str]) -> list[str]:
    """Say what a part of the file has that no table gave it."""
    more = sorted(set(found) - set(due))
    return [f"{place}: {', '.join(more)} is of no table"] if more else []
