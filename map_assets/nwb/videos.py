"""Videos of the session, which stay outside the file and are named in it. What their containers tell is read in `tracking`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.nwb.columns import distinct_names, stored

_Times = tuple[NDArray[np.float64], str]
_RECORDED = "as the acquisition system saw them"
_DERIVED = "derived: start of the trial plus frame number over the camera's rate"


def add_videos(nwbfile: Any, path: Path, tables: Mapping[str, pa.Table], roots: Mapping[str, Path]) -> list[str]:
    """Name the videos whose place is known as one external image series a camera, with the time of every frame.

    Parameters
    ----------
    path : pathlib.Path
        Of the NWB file; the videos' paths are written relative to it.
    tables : mapping of str to pyarrow.Table
        `videos`, `trials`, and for the frames' times `frame_times` and `tracking`.
    roots : mapping of str to pathlib.Path
        Folder of each share, by its name.

    Returns
    -------
    list of str
        Sentences on the videos that are not named and why.
    """
    placed = [
        (row, roots[row["share"]] / row["file"])
        for row in tables["videos"].sort_by([("trial", "ascending"), ("file", "ascending")]).to_pylist()
        if row["share"] in roots and row["camera"] is not None and row["trial"] is not None and row["n_frames"]
    ]
    placed = [(row, file) for row, file in placed if file.is_file()]
    clock = _Frames(tables)
    cameras = sorted({row["camera"] for row, _ in placed})
    n_named = 0
    for camera, name in zip(cameras, distinct_names(cameras), strict=True):
        found = [(row, file, clock.of(row)) for row, file in placed if row["camera"] == camera]
        n_named += _add_camera(nwbfile, path, name, camera, [one for one in found if one[2] is not None])
    n_left = tables["videos"].num_rows - n_named
    why = "their place, their trial or the times of their frames are not known here, or they overlap"
    return [f"{n_left} of {tables['videos'].num_rows} videos are in the table videos only: {why}."] if n_left else []


def _add_camera(nwbfile: Any, path: Path, name: str, camera: str, videos: list[tuple[Any, Path, Any]]) -> int:
    """Add the videos of one camera that follow each other in time; return how many."""
    from pynwb.image import ImageSeries

    files: list[str] = []
    starting_frame: list[int] = []
    pieces: list[NDArray[np.float64]] = []
    sources: set[str] = set()
    n_frames = 0
    for _, file, (times_s, source) in videos:
        if pieces and times_s[0] <= pieces[-1][-1]:
            continue
        files.append(Path(os.path.relpath(file.resolve(), path.parent.resolve())).as_posix())
        starting_frame.append(n_frames)
        pieces.append(times_s)
        sources.add(source)
        n_frames += len(times_s)
    if not files:
        return 0
    device = f"camera_{name}"
    if device not in nwbfile.devices:
        nwbfile.create_device(name=device, description=f"The {camera} camera.")
    nwbfile.add_acquisition(
        ImageSeries(
            name=f"video_{name}",
            description=f"Videos of the {camera} camera, one a trial; frame times {' or '.join(sorted(sources))}.",
            unit="n.a.",
            format="external",
            external_file=files,
            starting_frame=starting_frame,
            timestamps=stored(np.concatenate(pieces)),
            device=nwbfile.devices[device],
        )
    )
    return len(files)


class _Frames:
    """Times of a video's frames: recorded ones where there is one for every frame, else by trial and rate."""

    def __init__(self, tables: Mapping[str, pa.Table]) -> None:
        recorded = tables["frame_times"].to_pylist() if "frame_times" in tables else []
        self._recorded = {(row["camera"].lower(), row["trial"]): row["frame_s"] for row in recorded}
        trials = tables["trials"]
        self._start_s = dict(zip(trials["trial"].to_pylist(), trials["start_s"].to_pylist(), strict=True))
        self._rates: dict[str, float] = {}
        if "tracking" in tables:
            known = tables["tracking"].select(["camera", "rate_hz"])
            known = known.filter(pc.is_valid(known["rate_hz"]))
            self._rates = dict(zip(known["camera"].to_pylist(), known["rate_hz"].to_pylist(), strict=True))

    def of(self, video: Mapping[str, Any]) -> _Times | None:
        """Return session seconds of each frame and where they are from; None where they are not known."""
        camera, trial, n_frames = video["camera"], video["trial"], video["n_frames"]
        recorded = self._recorded.get((camera.lower(), trial))
        if recorded is not None and len(recorded) == n_frames:
            return np.asarray(recorded, np.float64), _RECORDED
        if camera in self._rates and trial in self._start_s:
            return self._start_s[trial] + np.arange(n_frames) / self._rates[camera], _DERIVED
        return None
