"""A plain traced track: ``track_*.csv``, points that a histologist followed the dye with. Placing contacts along it lives in `ccf.electrodes`.

``track_{animal}_{YYYYMMDD}[_{HHMMSS}]_{probe}.csv``, probe from 1, is UTF-8 text with one header of column names and a
row for each point, from the surface to the tip or the other way round. Columns are ``ap_um``, ``dv_um``, ``ml_um`` (CCF:
AP, DV, ML), or ``x``, ``y``, ``z`` in um with a line ``# frame: NAME`` above the header, where NAME is ``map``
(the MAP database's x, y, z: ML, DV, AP of the CCF) or ``bregma`` (right, anterior, dorsal of the IBL's bregma). A
column ``shank``, from 1, names the shank; without it all points are of the first. Other columns and lines that begin
with ``#`` are passed over.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from map_assets.ccf.formats.protocol import Place, Points, Positions, Tracks, name_of_session
from map_assets.vocabulary.errors import PiecesDoNotFit, UnreadableFile
from map_assets.vocabulary.files import FoundFile, unchanged
from map_assets.vocabulary.frame import ccf_from_bregma, ccf_from_map_xyz
from map_assets.vocabulary.session import SessionKey

NAME = "traced_track"
_FILE = re.compile(
    r"track_(?P<animal>[A-Za-z0-9-]+)_(?P<day>\d{8})(?:_(?P<time>\d{6}))?_(?P<probe>[1-9]\d?)\.csv", re.IGNORECASE
)
_FRAME = re.compile(r"#\s*frame\s*[:=]\s*(?P<frame>[^\s,;]+)[\s,;]*", re.IGNORECASE)
_CCF = ("ap_um", "dv_um", "ml_um")
_XYZ = ("x", "y", "z")
_FRAMES: Mapping[str, Callable[[Points], Points]] = {
    "map": ccf_from_map_xyz,
    "bregma": lambda xyz: ccf_from_bregma(*xyz.T),
}
_SMALLEST_SPAN_UM = 30.0
"""Tracks are hundreds of um long at least; a span below this is one of mm or voxels."""
_MOST_SHANKS = 99
_TODO = "Correct the file; docs/ccf.md shows one."


def recognizes(file: FoundFile) -> bool:
    """Whether the name begins with ``track_`` and is that of a csv."""
    name = file.relpath.name.lower()
    return name.startswith("track_") and name.endswith(".csv")


def place(file: FoundFile, key: SessionKey) -> Place:
    """Read session and probe from the name; the shanks stand in the file.

    Raises
    ------
    NameDoesNotParse
        If the name is of another form.
    PiecesDoNotFit
        If it names another animal, day or time than the session's.
    """
    form = "track_{animal}_{YYYYMMDD}[_{HHMMSS}]_{probe}.csv, probe from 1"
    found = name_of_session(file, key, _FILE, form)
    return Place(int(found["probe"]), None, "track")


def read_positions(file: FoundFile) -> Positions:
    """Refuse: the format holds no positions of contacts.

    Raises
    ------
    PiecesDoNotFit
        Always.
    """
    raise PiecesDoNotFit(file.path, "it holds no positions of contacts", expected="points of a track", todo=_TODO)


def read_track(file: FoundFile, positions: FoundFile | None) -> Tracks:  # noqa: ARG001 - the csv names its own frame
    """Read the points of each shank, in the order of the file.

    Raises
    ------
    UnreadableFile
        If it is no text table, a column is missing or there twice, it has no point, or a cell is no finite number.
    PiecesDoNotFit
        If its frame is none that is known, a shank is no whole number from 1, or it is not in um.
    ChangedWhileRead
        If it was written to meanwhile.
    """
    frame, header, rows = _read(file)
    names = _CCF if frame is None else _XYZ
    missing = [name for name in names if name not in header]
    if missing:
        has_no_frame = frame is None and set(_XYZ) <= set(header)
        said = "it has x, y, z and names no frame" if has_no_frame else f"it has no column {', '.join(missing)}"
        expected = "columns ap_um, dv_um, ml_um, or x, y, z below a line '# frame: map' or '# frame: bregma'"
        raise UnreadableFile(file.path, said, expected=expected, todo=_TODO)
    several = [name for name in (*names, "shank") if header.count(name) > 1]
    if several or not rows:
        said = f"it has several columns {', '.join(several)}" if several else "it has no point"
        raise UnreadableFile(file.path, said, expected="one column of each name, and a row a point", todo=_TODO)
    points = np.stack([_column(file, header, rows, name) for name in names], axis=1)
    shank = _column(file, header, rows, "shank") if "shank" in header else np.ones(len(rows))
    if np.any(shank < 1) or np.any(shank > _MOST_SHANKS) or np.any(shank % 1 != 0):
        expected = f"1, 2, 3, ... up to {_MOST_SHANKS}"
        raise PiecesDoNotFit(file.path, "a shank is no number from 1", expected=expected, todo=_TODO)
    turned = points if frame is None else _FRAMES[frame](points)
    tracks: dict[int | None, Points] = {int(one) - 1: turned[shank == one] for one in np.unique(shank)}
    for one in tracks.values():
        span_um = float(np.ptp(one / 2, axis=0).max()) * 2
        if len(one) > 1 and span_um < _SMALLEST_SPAN_UM:
            found = f"a track spans {span_um:g} along its longest axis"
            raise PiecesDoNotFit(file.path, found, expected="um, not mm or voxels", todo=_TODO)
    return tracks


def _read(file: FoundFile) -> tuple[str | None, list[str], list[list[str]]]:
    """Return the frame that the file names, its column names in lower case, and its rows."""
    try:
        with unchanged(file.path):
            lines = file.path.read_text("utf-8-sig").splitlines()
        frames = [found["frame"].lower() for line in lines if (found := _FRAME.fullmatch(line.strip()))]
        table = [row for row in csv.reader(line for line in lines if not line.lstrip().startswith("#")) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFile(file.path, f"it is no text table ({error})", expected="a csv", todo=_TODO) from error
    unknown = [frame for frame in frames if frame not in {*_FRAMES, "ccf"}]
    if unknown or len(set(frames)) > 1:
        said = f"its frame is {' and '.join(dict.fromkeys(frames))}"
        raise PiecesDoNotFit(file.path, said, expected="one of ccf, map, bregma", todo=_TODO)
    header = [name.strip().lower() for name in table[0]] if table else []
    return (None if not frames or frames[0] == "ccf" else frames[0]), header, table[1:]


def _column(file: FoundFile, header: list[str], rows: list[list[str]], name: str) -> NDArray[np.float64]:
    """Return one column's numbers, or say which row holds none."""
    at = header.index(name)
    values = np.full(len(rows), np.nan)
    for number, row in enumerate(rows):
        try:
            values[number] = float(row[at]) if len(row) == len(header) else np.nan
        except ValueError:
            values[number] = np.nan
        if not np.isfinite(values[number]):
            raise UnreadableFile(
                file.path,
                f"row {number + 1} below the header has no finite {name}",
                expected=f"{len(header)} cells, numbers in um",
                todo=_TODO,
            )
    return values
