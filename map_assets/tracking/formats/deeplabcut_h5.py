"""DeepLabCut's h5 of one video: a pandas frame, read as plain arrays. Its csv is read in `deeplabcut`.

A frame stands in one group, as a table (``table``: a row a frame, values in blocks, the blocks' names in attributes)
or in fixed form (``axis0`` the names, ``axis1`` the frames, ``block*_values``). pandas and PyTables would take the
names apart with a loader that runs what a file asks for; here they are read as words (`plain_names`).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.tracking.formats.columns import TODO, Named, pose_of
from map_assets.tracking.formats.plain_names import plain_names
from map_assets.tracking.pose import Pose
from map_assets.vocabulary.errors import PiecesDoNotFit, UnreadableFile

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_LARGEST_SHRINK = 1100
"""No compression that HDF5 has by itself makes numbers smaller than this; what claims to be is not there."""


class DeepLabCutH5:
    """Reads the h5 that DeepLabCut writes, for one animal or several."""

    name = "deeplabcut h5"

    def recognizes(self, content: bytes) -> bool:
        """Whether it is an HDF5 file with a pandas frame."""
        return content.startswith(_SIGNATURE) and b"pandas_type" in content

    def read(self, path: Path, content: bytes) -> Pose:
        """Read all body parts of a video.

        Raises
        ------
        UnreadableFile
            If the file is damaged or truncated, has no frame, or is no frame of x, y and likelihood.
        PiecesDoNotFit
            If a body part stands twice or lacks a coordinate, or frames are not in rising order.
        """
        with _opened(path, content) as file:
            group = _only_frame(path, file)
            kind = _text(group.attrs.get("pandas_type"))
            read = {"frame_table": _from_table, "frame": _from_fixed}.get(kind)
            if read is None:
                raise _unlike(path, f"its frame is a {kind!r}")
            frame, names, values = read(path, group)
        if len(names) != values.shape[1] or len(frame) != values.shape[0]:
            raise PiecesDoNotFit(
                path,
                f"it holds {values.shape[0]} x {values.shape[1]} numbers for {len(frame)} frames and {len(names)} columns",
                expected="as many",
                todo=TODO,
            )
        with np.errstate(over="ignore", invalid="ignore"):  # what is too large becomes infinite, and is refused as that
            single = np.asfortranarray(values, np.float32)
        columns = [pa.array(single[:, place], pa.float32(), from_pandas=True) for place in range(single.shape[1])]
        return pose_of(path, _named(path, names), frame, columns)


FORMAT = DeepLabCutH5()


@contextmanager
def _opened(path: Path, content: bytes) -> Iterator[Any]:
    """Open the content; whatever the library says of damage becomes one error that names the file."""
    import h5py

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file = h5py.File(h5py.h5f.open_file_image(content), "r")
        with file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        said = str(error).strip("'\"")
        raise UnreadableFile(
            path, f"it is damaged or no frame of DeepLabCut ({said})", expected="a whole file", todo=TODO
        ) from error


def _only_frame(path: Path, file: Any) -> Any:
    """Return the one group that is a pandas frame."""
    groups = [_member(file, name) for name in file]
    found = [group for group in groups if hasattr(group, "keys") and "pandas_type" in group.attrs]
    if len(found) != 1:
        raise _unlike(path, f"it holds {len(found) or 'no'} frames")
    return found[0]


def _member(group: Any, name: str) -> Any:
    """Return a group or dataset that lies in the file itself; a link that leads elsewhere is not followed."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is missing or leads out of the file")
    found = group[name]
    if isinstance(found, h5py.Dataset):
        if found.is_virtual or found.external:
            raise ValueError(f"{name} leads out of the file")
        if found.nbytes > _LARGEST_SHRINK * found.id.get_storage_size() + 4096:
            raise ValueError(f"{name} claims {found.nbytes} bytes that the file does not hold")
    return found


def _from_table(path: Path, group: Any) -> tuple[NDArray[np.int64], list[tuple[str, ...]], NDArray[np.float64]]:
    """Read frame numbers (n,), names (m) and values (n, m) of a frame in table form."""
    table = _member(group, "table")
    fields = table.dtype.names or ()
    blocks = [name for name in fields if name.startswith("values_block_")]
    if "index" not in fields or not blocks or table.ndim != 1:
        raise _unlike(path, "its table has no index or no values")
    rows = table[()]
    names: list[tuple[str, ...]] = []
    values = []
    for block in blocks:
        names += plain_names(bytes(table.attrs[f"{block}_kind"]))
        values.append(_reals(path, rows[block]).reshape(len(rows), -1))
    return _wholes(path, rows["index"]), names, np.concatenate(values, axis=1)


def _from_fixed(path: Path, group: Any) -> tuple[NDArray[np.int64], list[tuple[str, ...]], NDArray[np.float64]]:
    """Read frame numbers (n,), names (m) and values (n, m) of a frame in fixed form."""
    names: list[tuple[str, ...]] = []
    values = []
    for block in range(int(group.attrs["nblocks"])):
        if f"block{block}_values" not in group:
            raise _unlike(path, f"its block {block} is missing")
        found = _member(group, f"block{block}_values")
        numbers = _reals(path, found[()])
        values.append(numbers if bool(found.attrs.get("transposed", False)) else numbers.T)
        names += _levels(path, group, f"block{block}_items")
    if not values:
        raise _unlike(path, "its frame is empty")
    return _wholes(path, _member(group, "axis1")[()]), names, np.concatenate(values, axis=1)


def _levels(path: Path, group: Any, key: str) -> list[tuple[str, ...]]:
    """Put names of several levels together, out of each level's words and every column's place among them."""
    n_levels = int(group.attrs.get(f"{key}_nlevels", 0))
    words = []
    for level in range(n_levels):
        texts = _member(group, f"{key}_level{level}")[()]
        if texts.dtype.kind != "S":
            raise _unlike(path, "its names are no text")
        places = _wholes(path, _member(group, f"{key}_label{level}")[()])
        if places.size and not 0 <= places.min() <= places.max() < len(texts):
            raise _unlike(path, "its names are out of place")
        words.append([text.decode("utf-8") for text in texts[places].tolist()])
    return list(zip(*words, strict=True))


def _named(path: Path, names: Sequence[tuple[str, ...]]) -> list[Named]:
    """Read scorer, perhaps individual, body part and coordinate."""
    if {len(name) for name in names} == {3}:
        return [Named(None, part, coord) for _, part, coord in names]
    if {len(name) for name in names} == {4}:
        return [Named(individual, part, coord) for _, individual, part, coord in names]
    raise _unlike(path, "its columns are not named by scorer, body part and coordinate")


def _wholes(path: Path, values: NDArray[Any]) -> NDArray[np.int64]:
    if values.dtype.kind not in "iu" or values.ndim != 1:
        raise _unlike(path, "its frames or names are not numbered")
    return np.ascontiguousarray(values, np.int64)


def _reals(path: Path, values: NDArray[Any]) -> NDArray[np.float64]:
    if values.dtype.kind not in "fiu" or values.ndim > 2:
        raise _unlike(path, "its values are no numbers")
    return np.asarray(values, np.float64)


def _text(value: Any) -> str:
    return bytes(value).decode("latin-1") if isinstance(value, bytes) else str(value)


def _unlike(path: Path, found: str) -> UnreadableFile:
    return UnreadableFile(
        path, found, expected="one frame of DeepLabCut: x, y and likelihood of body parts, a row a frame", todo=TODO
    )
