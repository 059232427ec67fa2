"""DeepLabCut's csv of one video. Its h5 is read in `deeplabcut_h5`; which trial and camera a video is of lives in `tracking.videos`.

Three header lines (scorer, bodyparts, coords), or four for several animals (individuals after scorer), then a row a
frame: its index, and x, y, likelihood of each body part; all three are empty where an animal was not found.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from map_assets.tracking.formats.columns import TODO, Named, pose_of
from map_assets.tracking.pose import Pose
from map_assets.vocabulary.errors import PiecesDoNotFit, UnreadableFile

_HEADS = (("scorer", "bodyparts", "coords"), ("scorer", "individuals", "bodyparts", "coords"))
_BOM = b"\xef\xbb\xbf"
_ANY = re.compile(rb"\S")


class DeepLabCut:
    """Reads the csv that DeepLabCut writes, for one animal or several."""

    name = "deeplabcut"

    def recognizes(self, content: bytes) -> bool:
        """Whether the first cells of the first lines are scorer, perhaps individuals, bodyparts, coords."""
        return bool(_heads(content))

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
            raise UnreadableFile(path, "its last line is not finished", expected="a whole file", todo=TODO)
        lines = _heads(content)
        named = _columns(path, lines)
        start = len(content) - len(content.removeprefix(_BOM)) + sum(len(line) + 1 for line in lines)
        table = _numbers(path, content, start, 1 + len(named))
        return pose_of(path, named, table[0].to_numpy(), [column.combine_chunks() for column in table.columns[1:]])


FORMAT = DeepLabCut()


def _heads(content: bytes) -> list[bytes]:
    """Return the header lines, without their ends; none if they are not DeepLabCut's."""
    lines: list[bytes] = []
    start = len(_BOM) if content.startswith(_BOM) else 0
    for _ in _HEADS[-1]:
        end = content.find(b"\n", start)
        if end < 0:
            break
        lines.append(content[start:end])
        first = tuple(line.split(b",", 1)[0].strip().decode("latin-1") for line in lines)
        if first in _HEADS:
            return lines
        start = end + 1
    return []


def _columns(path: Path, lines: list[bytes]) -> list[Named]:
    """Read the heads of each column but the first."""
    try:
        heads = [next(csv.reader([line.decode("utf-8")])) for line in lines]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFile(path, f"its header is no csv ({error})", expected="UTF-8 text", todo=TODO) from error
    *_, parts, coords = heads
    individuals = heads[1] if len(heads) == len(_HEADS[1]) else None
    if len(parts) != len(coords) or (individuals is not None and len(individuals) != len(parts)):
        raise PiecesDoNotFit(
            path,
            f"its header names {len(parts) - 1} body parts and {len(coords) - 1} coordinates"
            + ("" if individuals is None else f" of {len(individuals) - 1} animals"),
            expected="one of each a column",
            todo=TODO,
        )
    of: Sequence[str | None] = individuals or [None] * len(parts)
    coords = [coord.strip() for coord in coords]
    return [Named(*column) for column in zip(of[1:], parts[1:], coords[1:], strict=True)]


def _numbers(path: Path, content: bytes, start: int, n_columns: int) -> pa.Table:
    """Parse the rows: frame numbers as whole numbers, all else as 32-bit floats."""
    from pyarrow import csv as arrow_csv

    names = [str(column) for column in range(n_columns)]
    types = dict.fromkeys(names, pa.float32()) | {"0": pa.int64()}
    if _ANY.search(content, start) is None:
        return pa.table({name: pa.array([], types[name]) for name in names})
    expected = f"{n_columns} numbers in each row"
    try:
        table = arrow_csv.read_csv(
            pa.py_buffer(content).slice(start),
            read_options=arrow_csv.ReadOptions(use_threads=False, column_names=names, block_size=len(content) + 1),
            convert_options=arrow_csv.ConvertOptions(column_types=types, null_values=["", "nan", "NaN"]),
        )
    except pa.ArrowInvalid as error:
        raise UnreadableFile(path, f"a row cannot be read ({error})", expected=expected, todo=TODO) from error
    if table[0].null_count:
        raise UnreadableFile(path, "a cell is empty: a frame has no number", expected=expected, todo=TODO)
    return table
