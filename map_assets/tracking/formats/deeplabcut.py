"""DeepLabCut's csv of one video with one animal. Which trial and camera the video is of lives in `tracking.videos`.

Three header lines (scorer, bodyparts, coords), then a row a frame: its index, and x, y, likelihood of each body part.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa

from map_assets.tracking.pose import Pose
from map_assets.vocabulary.errors import PiecesDoNotFit, UnreadableFile

_HEADER = ("scorer", "bodyparts", "coords")
_COORDS = ("x", "y", "likelihood")
_TODO = "Run the tracker on this video again."


class DeepLabCut:
    """Reads the csv that DeepLabCut writes for a single animal."""

    name = "deeplabcut"

    def recognizes(self, content: bytes) -> bool:
        """Whether the first cells of the first lines are scorer, bodyparts, coords (more animals have a fourth line)."""
        lines = content[: 2**16].split(b"\n", 3)[:3]
        return tuple(line.split(b",", 1)[0].strip().decode("latin-1") for line in lines) == _HEADER

    def read(self, path: Path, content: bytes) -> Pose:
        """Read all body parts of a video.

        Raises
        ------
        UnreadableFile
            If the file is truncated, has no frame, or a cell that is empty or no number.
        PiecesDoNotFit
            If a body part stands twice or lacks a coordinate, or frames are not in rising order.
        """
        if not content.endswith(b"\n"):
            raise UnreadableFile(path, "its last line is not finished", expected="a whole file", todo=_TODO)
        columns = _columns(path, content)
        table = _numbers(path, content, 1 + max(max(places.values()) for places in columns.values()))
        index = table[0].to_numpy()
        if len(index) == 0:
            raise UnreadableFile(path, "it has no frame", expected="a row for each frame", todo=_TODO)
        if np.any(np.diff(index) <= 0) or index[0] < 0:
            raise PiecesDoNotFit(
                path, "its frame numbers do not rise from row to row", expected="each frame once, in order", todo=_TODO
            )
        features = {
            part: tuple(table[places[coord]].combine_chunks() for coord in _COORDS) for part, places in columns.items()
        }
        return Pose(index, features)


FORMAT = DeepLabCut()


def _columns(path: Path, content: bytes) -> dict[str, dict[str, int]]:
    """Find each body part's columns: part -> coordinate -> column number."""
    try:
        _, parts, coords = (next(csv.reader([line.decode("utf-8")])) for line in content.split(b"\n", 3)[:3])
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFile(path, f"its header is no csv ({error})", expected="UTF-8 text", todo=_TODO) from error
    found: dict[str, dict[str, int]] = {}
    if len(parts) != len(coords):
        raise PiecesDoNotFit(
            path,
            f"its header names {len(parts) - 1} body parts and {len(coords) - 1} coordinates",
            expected="one of each a column",
            todo=_TODO,
        )
    for column, (part, coord) in enumerate(zip(parts, coords, strict=True)):
        if column == 0:
            continue
        places = found.setdefault(part, {})
        if coord in places or coord not in _COORDS:
            raise PiecesDoNotFit(
                path, f"column {column} is {part} {coord} once more", expected="x, y and likelihood", todo=_TODO
            )
        places[coord] = column
    lacking = [part for part, places in found.items() if len(places) < len(_COORDS)]
    if lacking or not found:
        raise PiecesDoNotFit(
            path,
            f"{', '.join(lacking) or 'each body part'} lacks a coordinate",
            expected="x, y and likelihood of each body part",
            todo=_TODO,
        )
    return found


def _numbers(path: Path, content: bytes, n_columns: int) -> pa.Table:
    """Parse the rows: frame numbers as whole numbers, all else as 32-bit floats."""
    from pyarrow import csv as arrow_csv

    names = [str(column) for column in range(n_columns)]
    types = dict.fromkeys(names, pa.float32()) | {"0": pa.int64()}
    body = content.split(b"\n", 3)[3]
    if not body.strip():
        return pa.table({name: pa.array([], types[name]) for name in names})
    try:
        table = arrow_csv.read_csv(
            pa.py_buffer(body),
            read_options=arrow_csv.ReadOptions(use_threads=False, column_names=names, block_size=len(body) + 1),
            convert_options=arrow_csv.ConvertOptions(column_types=types, null_values=[""]),
        )
    except pa.ArrowInvalid as error:
        raise UnreadableFile(
            path, f"a row cannot be read ({error})", expected=f"{n_columns} numbers in each row", todo=_TODO
        ) from error
    if any(column.null_count for column in table.columns):
        raise UnreadableFile(path, "a cell is empty", expected=f"{n_columns} numbers in each row", todo=_TODO)
    return table
