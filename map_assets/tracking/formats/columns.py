"""The columns of a DeepLabCut result, csv or h5: which are x, y and likelihood of which body part. Their numbers are read beside this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.tracking.pose import Pose
from map_assets.vocabulary.errors import PiecesDoNotFit, UnreadableFile

COORDS = ("x", "y", "likelihood")
_LARGEST = 2**31
"""No video has so many frames."""
TODO = "Run the tracker on this video again."


@dataclass(frozen=True)
class Named:
    """One column's heads; `individual` is None in a result of one animal."""

    individual: str | None
    part: str
    coord: str

    @property
    def feature(self) -> str:
        """The body part's name, after the animal's where there are several."""
        return self.part if self.individual is None else f"{self.individual}/{self.part}"


def places_of(path: Path, named: Sequence[Named]) -> dict[str, dict[str, int]]:
    """Find each feature's columns: feature -> coordinate -> place in `named`.

    Raises
    ------
    PiecesDoNotFit
        If a body part stands twice, lacks a coordinate or has an unknown one, or there is none.
    """
    found: dict[str, dict[str, int]] = {}
    for place, column in enumerate(named):
        places = found.setdefault(column.feature, {})
        if column.coord in places or column.coord not in COORDS:
            raise PiecesDoNotFit(
                path,
                f"column {place + 1} is {column.feature} {column.coord} once more",
                expected="x, y and likelihood",
                todo=TODO,
            )
        places[column.coord] = place
    lacking = [feature for feature, places in found.items() if len(places) < len(COORDS)]
    if lacking or not found:
        raise PiecesDoNotFit(
            path,
            f"{', '.join(lacking) or 'each body part'} lacks a coordinate",
            expected="x, y and likelihood of each body part",
            todo=TODO,
        )
    return found


def pose_of(path: Path, named: Sequence[Named], frame: NDArray[np.int64], columns: Sequence[pa.Array]) -> Pose:
    """Put columns of numbers together.

    Parameters
    ----------
    path : pathlib.Path
        For what is said of the file.
    named : sequence of Named
    frame : numpy.ndarray of int, shape (n,)
    columns : sequence of pyarrow.Array of float32
        In the order of `named`, n values each; null where the tracker found nothing.

    Raises
    ------
    UnreadableFile
        If there is no frame, or a number is missing or not finite.
    PiecesDoNotFit
        If frames are not in rising order, or as `places_of` says.
    """
    if len(frame) == 0:
        raise UnreadableFile(path, "it has no frame", expected="a row for each frame", todo=TODO)
    if np.any(frame[1:] <= frame[:-1]) or frame[0] < 0 or frame[-1] >= _LARGEST:
        raise PiecesDoNotFit(
            path, "its frame numbers do not rise from row to row", expected="each frame once, in order", todo=TODO
        )
    features = {
        feature: tuple(columns[places[coord]] for coord in COORDS) for feature, places in places_of(path, named).items()
    }
    for feature, found in features.items():
        _check_numbers(path, feature, found)
    individuals = {column.feature: column.individual for column in named if column.individual is not None}
    return Pose(frame, features, individuals)


def _check_numbers(path: Path, feature: str, found: tuple[pa.Array, ...]) -> None:
    """See that x, y and likelihood are there together and finite."""
    is_there = [column.is_valid() for column in found] if any(column.null_count for column in found) else []
    if any(not is_there[0].equals(other) for other in is_there[1:]):
        raise UnreadableFile(
            path, f"a cell of {feature} is empty", expected="x, y and likelihood together, or none of them", todo=TODO
        )
    if not all(map(_is_finite, found)):
        raise UnreadableFile(path, f"a number of {feature} is infinite", expected="positions in pixels", todo=TODO)


def _is_finite(column: pa.Array) -> bool:
    """Whether every number is finite; a sum is so only then, as 32-bit numbers cannot leave the range of 64 bits."""
    if column.null_count == 0:
        return bool(np.isfinite(column.to_numpy().sum(dtype=np.float64)))
    return bool(np.isfinite(pc.sum(column, min_count=0).as_py()))
