"""Videos of the session: they stay outside the file and are named in it, or their images are embedded when asked for.

What their containers tell is read in `tracking`.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.nwb.columns import distinct_names
from map_assets.nwb.images import images_of
from map_assets.nwb.timing import when

_Times = tuple[NDArray[np.float64], str]
_Video = tuple[Mapping[str, Any], Path, _Times]
_FRAMES_AT_ONCE = 16
_RECORDED = "as the acquisition system saw them"
_DERIVED = "derived: start of the trial plus frame number over the camera's rate"


def add_videos(
    nwbfile: Any, path: Path, tables: Mapping[str, pa.Table], roots: Mapping[str, Path], *, embeds: bool = False
) -> list[str]:
    """Add the videos whose place is known as one image series a camera, with the time of every frame.

    Parameters
    ----------
    path : pathlib.Path
        Of the NWB file; the videos' paths are written relative to it.
    tables : mapping of str to pyarrow.Table
        `videos`, `trials`, and for the frames' times `frame_times` and `tracking`.
    roots : mapping of str to pathlib.Path
        Folder of each share, by its name.
    embeds : bool
        Whether the images are copied into the file; else it names the videos.

    Returns
    -------
    list of str
        Sentences on the videos that are not in the file and why.

    Raises
    ------
    UnreadableFile
        If the images of a video that is to be embedded cannot be decoded, or are not as many as its container says.
    """
    placed = placed_videos(tables["videos"], roots)
    clock = _Frames(tables)
    cameras = sorted({row["camera"] for row, _ in placed})
    n_named = 0
    for camera, name in zip(cameras, distinct_names(cameras), strict=True):
        of_camera = [(row, file) for row, file in placed if row["camera"] == camera]
        chosen = _in_a_row([(row, file, found) for row, file in of_camera if (found := clock.of(row)) is not None])
        if chosen:
            made = _embedded(chosen) if embeds else _external(path, chosen)
            _add_camera(nwbfile, name, camera, chosen, made)
            n_named += len(chosen)
    n_left = tables["videos"].num_rows - n_named
    why = "their place, their trial or the times of their frames are not known here, or they overlap or are of another size"
    return [f"{n_left} of {tables['videos'].num_rows} videos are in the table videos only: {why}."] if n_left else []


def placed_videos(videos: pa.Table, roots: Mapping[str, Path]) -> list[tuple[Mapping[str, Any], Path]]:
    """Give the row and the file of each video whose camera, trial, number of frames and place are known, by trial."""
    rows = videos.sort_by([("trial", "ascending"), ("file", "ascending")]).to_pylist()
    known = [row for row in rows if row["camera"] is not None and row["trial"] is not None and row["n_frames"]]
    files = [(row, roots[row["share"]] / row["file"]) for row in known if row["share"] in roots]
    return [(row, file) for row, file in files if file.is_file()]


def _in_a_row(videos: list[_Video]) -> list[_Video]:
    """The videos that follow each other in time and have images of one size."""
    chosen: list[_Video] = []
    for row, file, (times_s, source) in videos:
        is_next = not chosen or times_s[0] > chosen[-1][2][0][-1]
        if is_next and (not chosen or _size(row) == _size(chosen[0][0])):
            chosen.append((row, file, (times_s, source)))
    return chosen


def _size(row: Mapping[str, Any]) -> tuple[int, int]:
    return row["width_px"], row["height_px"]


def _external(path: Path, videos: list[_Video]) -> dict[str, Any]:
    """The fields of a series that names its files by their place as seen from the NWB file."""
    files = [Path(os.path.relpath(file.resolve(), path.parent.resolve())).as_posix() for _, file, _ in videos]
    n_frames = [len(times_s) for _, _, (times_s, _) in videos]
    return {
        "format": "external",
        "external_file": files,
        "starting_frame": [0, *np.cumsum(n_frames[:-1]).tolist()],
    }


def _embedded(videos: list[_Video]) -> dict[str, Any]:
    """The fields of a series that has the images: shape (frames, rows, columns), and (..., 3) where they have colours."""
    from hdmf.data_utils import DataChunkIterator
    from pynwb import H5DataIO

    n_frames = sum(len(times_s) for _, _, (times_s, _) in videos)
    images = images_of([(file, len(times_s)) for _, file, (times_s, _) in videos])
    first = next(images)
    iterator = DataChunkIterator(
        data=itertools.chain([first], images),
        maxshape=(n_frames, *first.shape),
        dtype=first.dtype,
        buffer_size=_FRAMES_AT_ONCE,
    )
    data = H5DataIO(iterator, compression="gzip", compression_opts=1, chunks=(1, *first.shape))
    return {"format": "raw", "data": data}


def _add_camera(nwbfile: Any, name: str, camera: str, videos: list[_Video], made: Mapping[str, Any]) -> None:
    from pynwb.image import ImageSeries

    device = f"camera_{name}"
    if device not in nwbfile.devices:
        nwbfile.create_device(name=device, description=f"The {camera} camera.")
    sources = sorted({source for _, _, (_, source) in videos})
    nwbfile.add_acquisition(
        ImageSeries(
            name=f"video_{name}",
            description=f"Videos of the {camera} camera, one a trial; frame times {' or '.join(sources)}.",
            unit="n.a.",
            device=nwbfile.devices[device],
            **when(np.concatenate([times_s for _, _, (times_s, _) in videos])),
            **made,
        )
    )


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
