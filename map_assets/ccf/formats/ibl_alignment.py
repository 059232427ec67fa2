"""IBL alignment GUI: ``channel_locations*.json`` and ``xyz_picks*.json``. Joining them with contacts lives in `ccf.electrodes`.

``channel_locations[_shank{N}].json`` holds ``origin`` (one landmark, ``{"bregma": [ML, AP, DV]}`` in CCF um) and a
``channel_{i}`` for each recorded channel: ``x``, ``y``, ``z`` (um from the origin: right, anterior, dorsal positive),
``axial`` and ``lateral`` (um on the probe), ``brain_region_id``. ``xyz_picks[_shank{N}].json`` holds ``xyz_picks``, a
list of traced points in the same frame. N counts from 1. Values are read by key; order in the file means nothing.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

import numpy as np

from map_assets.ccf.formats.protocol import Place, Points, Positions, Tracks
from map_assets.vocabulary.errors import BadInput, CompanionMissing, NameDoesNotParse, PiecesDoNotFit, UnreadableFile
from map_assets.vocabulary.files import FoundFile, unchanged
from map_assets.vocabulary.frame import BREGMA_IN_CCF_UM, ccf_from_bregma
from map_assets.vocabulary.session import SessionKey

NAME = "ibl_alignment"
_FILE = re.compile(r"(?:.*_)?(?P<kind>channel_locations|xyz_picks)(?:_shank(?P<shank>\d{1,2}))?\.json")
_DAY_AND_PROBE = re.compile(r"(?P<day>\d{8})_(?P<probe>[1-9]\d?)")
_IMEC = re.compile(r".*_imec(?P<imec>\d{1,2})")
_CHANNEL = re.compile(r"channel_(\d{1,9})")
_LARGEST_ID = 2**53
"""Region ids are whole numbers that a double can tell apart."""
_TODO = "Export it from the alignment GUI again."


def recognizes(file: FoundFile) -> bool:
    """Whether the name is one of the alignment GUI's."""
    return _FILE.fullmatch(file.relpath.name) is not None


def place(file: FoundFile, key: SessionKey) -> Place:
    """Take the probe from the folder (``{YYYYMMDD}_{probe}`` or ``..._imec{probe - 1}``), the shank from the name.

    Raises
    ------
    NameDoesNotParse
        If no folder names the probe.
    PiecesDoNotFit
        If the folder names another day than the session's.
    """
    found = _FILE.fullmatch(file.relpath.name)
    folder = _probe_folder(file)
    shank = 1 if found is None or found["shank"] is None else int(found["shank"])
    if found is None or folder is None or shank == 0:
        raise NameDoesNotParse(
            file.path,
            "neither its folder nor its name tells probe and shank",
            expected="{YYYYMMDD}_{probe}/channel_locations[_shank{N}].json, probe and N from 1",
            todo="Rename the folder or the file.",
        )
    day, probe = folder
    if day is not None and day != f"{key.name_date:%Y%m%d}":
        raise PiecesDoNotFit(
            file.path,
            f"its folder is of {day}",
            expected=f"a folder of {key.name_date:%Y%m%d}, the day of {key}",
            todo="Move it to its session's folder.",
        )
    return Place(probe, shank - 1, "positions" if found["kind"] == "channel_locations" else "track")


def _probe_folder(file: FoundFile) -> tuple[str | None, int] | None:
    """The nearest folder that names a probe: its day, where it names one, and the probe."""
    for part in reversed(file.relpath.parent.parts):
        if found := _DAY_AND_PROBE.fullmatch(part):
            return found["day"], int(found["probe"])
        if found := _IMEC.fullmatch(part):
            return None, int(found["imec"]) + 1
    return None


def read_positions(file: FoundFile) -> Positions:
    """Read ``channel_locations*.json``.

    Raises
    ------
    UnreadableFile
        If it is no JSON, or a channel lacks a coordinate.
    PiecesDoNotFit
        If it names more than one origin, or a region id is no id.
    """
    content = _read(file)
    channels = {int(found[1]): one for name, one in content.items() if (found := _CHANNEL.fullmatch(name))}
    if not channels:
        raise UnreadableFile(file.path, "it holds no channel", expected="channel_0, channel_1, ...", todo=_TODO)
    ordered = [channels[number] for number in sorted(channels)]
    names = ("x", "y", "z", "axial", "lateral")
    values = _numbers(file, [[one[name] for name in names] if _has(one, names) else None for one in ordered], 5)
    x, y, z, axial, lateral = values.T
    return Positions(
        ccf_um=ccf_from_bregma(x, y, z, _origin(file, content)),
        along={"x_um": lateral.tolist(), "y_um": axial.tolist()},
        region_id_written=[_region_id(file, one.get("brain_region_id")) for one in ordered],
    )


def read_track(file: FoundFile, positions: FoundFile | None) -> Tracks:
    """Read ``xyz_picks*.json``; the origin is that of the shank's channel locations, else the IBL's bregma.

    Raises
    ------
    CompanionMissing
        If the shank's channel locations are there and cannot be used: they tell the origin.
    UnreadableFile
        If it is no JSON, or a point is not three numbers.
    """
    picks = _read(file).get("xyz_picks")
    if not isinstance(picks, list):
        raise UnreadableFile(file.path, "it holds no list xyz_picks", expected="a list of [x, y, z]", todo=_TODO)
    origin = _origin_beside(file, positions)
    x, y, z = _numbers(file, picks, 3).T
    return {None: ccf_from_bregma(x, y, z, origin)}


def _origin_beside(file: FoundFile, positions: FoundFile | None) -> tuple[float, float, float]:
    """Where the origin of picks lies: as the shank's channel locations say, or, where there are none, at the IBL's bregma."""
    cause: BadInput | None = None
    if positions is None:
        beside = _beside(file)
        if beside is None:
            return BREGMA_IN_CCF_UM
    else:
        beside = positions.relpath.name
        try:
            return _origin(positions, _read(positions))
        except BadInput as error:
            cause = error
    raise CompanionMissing(
        file.path,
        f"its origin is told by {beside}, which cannot be used",
        expected="channel locations of the same shank that can be read, or none",
        todo="Mend or remove that file; this one waits.",
    ) from cause


def _beside(file: FoundFile) -> str | None:
    """Name the channel locations of the same shank in the same folder, which were refused or have not settled yet."""
    own = _FILE.fullmatch(file.relpath.name)
    for path in sorted(file.path.parent.iterdir()):
        found = _FILE.fullmatch(path.name)
        if (
            own
            and found
            and found["kind"] == "channel_locations"
            and int(found["shank"] or 1) == int(own["shank"] or 1)
        ):
            return path.name
    return None


def _read(file: FoundFile) -> dict[str, Any]:
    try:
        with unchanged(file.path):
            content = json.loads(file.path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UnreadableFile(file.path, f"it is no JSON ({error})", expected="a JSON object", todo=_TODO) from error
    if not isinstance(content, dict):
        raise UnreadableFile(file.path, "it is a JSON list or value", expected="a JSON object", todo=_TODO)
    return content


def _origin(file: FoundFile, content: dict[str, Any]) -> tuple[float, float, float]:
    """Where the file's origin lies in the CCF: AP, DV, ML, um (the file writes ML, AP, DV)."""
    origin = content.get("origin")
    if origin is None:
        return BREGMA_IN_CCF_UM
    if not isinstance(origin, dict) or len(origin) != 1:
        raise PiecesDoNotFit(
            file.path, "its origin is not one landmark", expected='{"bregma": [ML, AP, DV]}', todo=_TODO
        )
    (ml, ap, dv) = _numbers(file, list(origin.values()), 3)[0].tolist()
    return ap, dv, ml


def _has(one: Any, names: tuple[str, ...]) -> bool:
    return isinstance(one, dict) and all(name in one for name in names)


def _numbers(file: FoundFile, rows: list[Any], width: int) -> Points:
    """Turn rows of numbers into an array (n, width), or say which row is none."""
    values = np.full((len(rows), width), np.nan)
    for number, row in enumerate(rows):
        is_row = isinstance(row, list) and len(row) == width
        if is_row and all(isinstance(value, int | float) and not isinstance(value, bool) for value in row):
            with suppress(OverflowError):
                values[number] = row
        if not np.isfinite(values[number]).all():
            raise UnreadableFile(
                file.path,
                f"entry {number} is not {width} finite numbers",
                expected="x, y, z (and axial, lateral of a channel) in um",
                todo=_TODO,
            )
    return values


def _region_id(file: FoundFile, value: Any) -> int | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or value != value or value in (np.inf, -np.inf):
        return None
    if abs(value) > _LARGEST_ID:
        raise PiecesDoNotFit(file.path, "a region id is no id", expected="ids of the CCF, or null", todo=_TODO)
    return int(value)
