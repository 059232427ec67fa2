"""Warped landmarks: ``landmarks_*_siteInfo.mat`` and the BigWarp ``.csv`` of the same name. Joining lives in `ccf.electrodes`.

``landmarks_{animal}_{YYYYMMDD}[_{HHMMSS}]_{probe}[_{shank}]_siteInfo.mat``, probe and shank from 1, holds a struct
``site`` with one entry for each contact of the shank, tip first: ``pos.x``, ``pos.y``, ``pos.z`` (ML, DV, AP in
voxels), ``pos.mmPerPixel`` (edge of such a voxel, mm) and ``ont.id`` (region id, NaN where none). The csv has no
header and eight columns: name, flag, x, y, z in the animal's own image, x, y, z (ML, DV, AP) in CCF um; rows whose flag
is not true are points of the probe's track. Its name may lack ``_siteInfo``, as in the earlier MAP pipeline. Positions are not rounded, unlike in the earlier MAP pipeline.
"""

from __future__ import annotations

import csv
import re

import numpy as np

from map_assets.ccf.formats.protocol import Place, Positions, Tracks, name_of_session
from map_assets.vocabulary.errors import PiecesDoNotFit, UnreadableFile
from map_assets.vocabulary.files import FoundFile, unchanged
from map_assets.vocabulary.frame import ccf_from_map_xyz
from map_assets.vocabulary.matlab import open_matlab
from map_assets.vocabulary.session import SessionKey

NAME = "landmarks"
_FILE = re.compile(
    r"landmarks_(?P<animal>[A-Za-z0-9-]+)_(?P<day>\d{8})(?:_(?P<time>\d{6}))?"
    r"_(?P<probe>[1-9]\d?)(?:_(?P<shank>[1-9]\d?))?(?:_siteInfo\.(?P<mat>mat)|(?:_siteInfo)?\.csv)",
    re.IGNORECASE,
)
_TODO = "Export it from the registration again."
_LARGEST_ID = 2**53
"""Region ids are whole numbers that a double can tell apart."""


def recognizes(file: FoundFile) -> bool:
    """Whether the name begins and ends as those of the registration do."""
    name = file.relpath.name.lower()
    return name.startswith("landmarks_") and name.endswith((".mat", ".csv"))


def place(file: FoundFile, key: SessionKey) -> Place:
    """Read session, probe and shank from the name; a name without shank is of the first.

    Raises
    ------
    NameDoesNotParse
        If the name is of another form.
    PiecesDoNotFit
        If it names another animal, day or time than the session's.
    """
    form = "landmarks_{animal}_{YYYYMMDD}[_{HHMMSS}]_{probe}[_{shank}]_siteInfo.mat (or .csv), probe and shank from 1"
    found = name_of_session(file, key, _FILE, form)
    return Place(int(found["probe"]), int(found["shank"] or 1) - 1, "positions" if found["mat"] else "track")


def read_positions(file: FoundFile) -> Positions:
    """Read ``siteInfo.mat``; a contact without position (NaN) has no row.

    Raises
    ------
    UnreadableFile
        If it is damaged, no MATLAB 5 to 7 file, or a field is missing or not numeric.
    PiecesDoNotFit
        If its columns are of different lengths, its voxel size is no length, or a region id is no id.
    ChangedWhileRead
        If it was written to meanwhile.
    """
    site = open_matlab(file.path, todo=_TODO).struct("site")
    pos, ont = site.struct("pos"), site.struct("ont")
    edge_um = pos.numbers("mmPerPixel") * 1000.0
    columns = [*(pos.matrix(axis) for axis in "xyz"), ont.matrix("id")]
    *xyz, region = [*(pos.numbers(axis) for axis in "xyz"), ont.numbers("id")]
    if len({one.size for one in columns}) != 1 or any(one.size and max(one.dims) != one.size for one in columns):
        raise PiecesDoNotFit(
            file.path, "its columns are of different lengths", expected="one entry for each contact", todo=_TODO
        )
    if edge_um.size != 1 or not 1.0 <= edge_um[0] <= 200.0:
        found = f"{edge_um[0]} um wide" if edge_um.size == 1 else f"of {edge_um.size} widths"
        raise PiecesDoNotFit(file.path, f"its voxels are {found}", expected="voxels of 1 to 200 um", todo=_TODO)
    has_id = np.isfinite(region) & (region > 0)
    if (region[has_id] > _LARGEST_ID).any() or (region[has_id] % 1 != 0).any():
        raise PiecesDoNotFit(file.path, "a region id is no whole number", expected="ids of the CCF or NaN", todo=_TODO)
    voxels = np.stack(xyz, axis=1)
    kept = np.flatnonzero(np.isfinite(voxels).all(axis=1))
    return Positions(
        ccf_um=ccf_from_map_xyz(voxels[kept] * edge_um[0]),
        along={"contact": kept.tolist()},
        region_id_written=[int(region[one]) if has_id[one] else None for one in kept],
    )


def read_track(file: FoundFile, positions: FoundFile | None) -> Tracks:  # noqa: ARG001 - the csv needs no origin
    """Read the track points of a BigWarp landmarks csv, in the order of the file.

    Raises
    ------
    UnreadableFile
        If it is no text, or a row is not eight columns with finite CCF coordinates.
    """
    try:
        with unchanged(file.path), file.path.open(newline="", encoding="utf-8-sig") as stream:
            rows = [row for row in csv.reader(stream) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFile(file.path, f"it is no text table ({error})", expected="a csv", todo=_TODO) from error
    points = []
    for number, row in enumerate(rows, start=1):
        try:
            point = [float(text) for text in row[5:8]]
        except ValueError:
            point = []
        if len(row) != 8 or len(point) != 3 or not np.isfinite(point).all():
            raise UnreadableFile(
                file.path,
                f"row {number} is not a landmark",
                expected="eight columns: name, flag, x, y, z of the image, x, y, z of the CCF",
                todo=_TODO,
            )
        if row[1].strip().lower() != "true":
            points.append(point)
    return {None: ccf_from_map_xyz(np.asarray(points, np.float64).reshape(-1, 3))}
