"""The session's video files: whose they are and what their containers say. Containers are read in `containers`, results of trackers in `read`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa

from map_assets.tracking.cameras import Cameras, read_cameras
from map_assets.tracking.containers import Contained, read_container
from map_assets.tracking.tables import VIDEOS
from map_assets.tracking.trial_map import TrialMap, never_run
from map_assets.tracking.videos import check_day, maps_by_camera, parse_name, rig_of
from map_assets.vocabulary.errors import BadInput
from map_assets.vocabulary.files import FoundFile, Rejected
from map_assets.vocabulary.session import SessionKey

_FILES_AT_ONCE = 4


def read_videos(
    session: str,
    files: Iterable[FoundFile],
    trials: pa.Table,
    *,
    cameras: Cameras | None = None,
    rig: str | None = None,
    skipped_trials: pa.Table | None = None,
) -> tuple[pa.Table, tuple[Rejected, ...]]:
    """Describe all video files of a session.

    Parameters
    ----------
    session : str
    files : iterable of FoundFile
        Those of role ``video`` are described; those of role ``tracking_map`` tell which trial each shows.
    trials : pyarrow.Table
        The session's `trials`.
    cameras, rig, skipped_trials : optional
        As `read.read_tracking` takes them.

    Returns
    -------
    videos : pyarrow.Table
        As declared in `tracking.tables`. A video that cannot be placed in a kept trial has its row all the same, and
        the reason in it.
    rejected : tuple of Rejected
        Damaged files, each with the reason.
    """
    cameras = cameras or read_cameras()
    files = list(files)
    filmed = sorted((file for file in files if file.role == "video"), key=lambda file: (file.share, str(file.relpath)))
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        said = list(pool.map(_contained, filmed))
    kept = set(trials["trial"].to_pylist())
    places = _places(SessionKey.parse(session), files, filmed, kept, cameras, rig, never_run(skipped_trials))
    rows = [
        {
            "session": session,
            "share": file.share,
            "file": str(file.relpath),
            **places[file],
            **{name: getattr(found, name) for name in _SAID},
            "n_frames_source": None if found.n_frames is None else "counted" if found.is_counted else "container",
        }
        for file, found in zip(filmed, said, strict=True)
        if isinstance(found, Contained)
    ]
    bad = zip(filmed, said, strict=True)
    return VIDEOS.from_rows(rows), tuple(Rejected((file,), found) for file, found in bad if isinstance(found, BadInput))


_SAID = ("container", "codec", "width_px", "height_px", "n_frames", "rate_hz", "duration_s", "size_bytes")


def _contained(file: FoundFile) -> Contained | BadInput:
    """Read one container; what is wrong with it is returned, so that the others go on."""
    try:
        return read_container(file.path)
    except BadInput as error:
        return error


def _places(
    key: SessionKey,
    files: list[FoundFile],
    filmed: list[FoundFile],
    trials: set[int],
    cameras: Cameras,
    rig: str | None,
    lost: Collection[int],
) -> dict[FoundFile, Mapping[str, Any]]:
    """Tell camera, number and trial of each video, or why there is none."""
    maps = maps_by_camera(files, cameras, [])  # what is wrong with maps is said where results are read
    read: dict[str, TrialMap | BadInput] = {}
    places: dict[FoundFile, Mapping[str, Any]] = {}
    for file in filmed:
        place: dict[str, Any] = {}
        try:
            place["camera"], place["video"] = parse_name(key.animal, file, cameras)
            check_day(file, key.name_date)
            name = place["camera"]
            if name not in read:
                read[name] = _map(maps.get(name, []), cameras.camera(name, rig_of(files, rig)).first_video, lost)
            trial_map = read[name]
            if isinstance(trial_map, BadInput):
                raise trial_map
            place["trial"] = trial_map.trial_of(place["video"], file, trials)
        except BadInput as error:
            place["unplaced_because"] = error.found
        places[file] = place
    return places


def _map(files: list[FoundFile], first_video: int | None, lost: Collection[int]) -> TrialMap | BadInput:
    try:
        return TrialMap.read(files, first_video, lost)
    except BadInput as error:
        return error


def with_archived(table: pa.Table, earlier: Iterable[pa.Table], removed: Collection[tuple[str, str]]) -> pa.Table:
    """Add what earlier versions of ``videos`` say of files that were taken off their share because the archive has them.

    Parameters
    ----------
    table : pyarrow.Table
        ``videos``, of the files that are there.
    earlier : iterable of pyarrow.Table
        Its versions, the youngest first.
    removed : collection of (share, path)
        The files that the archive's journal says were taken away; what left by other hands is not carried over.
    """
    there = set(zip(table["share"].to_pylist(), table["file"].to_pylist(), strict=True))
    missing = set(removed) - there
    parts = [table]
    for version in earlier:
        if not missing:
            break
        names = list(zip(version["share"].to_pylist(), version["file"].to_pylist(), strict=True))
        chosen = [row for row, name in enumerate(names) if name in missing]
        if chosen:
            parts.append(VIDEOS.check(version.take(pa.array(chosen))).select(table.column_names))
            missing -= {names[row] for row in chosen}
    return pa.concat_tables(parts).sort_by([("share", "ascending"), ("file", "ascending")]) if parts[1:] else table
