"""Reads a session's histology files into positions and tracks. What is made of a new reading is decided in `tracing_versions`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa

from map_assets.ccf.formats import ibl_alignment, landmarks, traced_track
from map_assets.ccf.formats.protocol import HistologyFormat, Place, Points, Positions
from map_assets.ccf.tables import ELECTRODE_POSITIONS, PROBE_TRACKS
from map_assets.vocabulary.errors import BadInput, NoFormatRecognizes, PiecesDoNotFit, TwoFormatsRecognize
from map_assets.vocabulary.files import FoundFile, Rejected
from map_assets.vocabulary.session import SessionKey
from map_assets.vocabulary.table import Table

FORMATS: tuple[HistologyFormat, ...] = (ibl_alignment, landmarks, traced_track)
_FARTHEST_UM = 100_000.0


def read_histology(session: str, files: Sequence[FoundFile]) -> tuple[dict[str, pa.Table], tuple[Rejected, ...]]:
    """Read every histology file of a session; one that cannot be used is rejected, the others go on.

    Parameters
    ----------
    session : str
        Session key.
    files : sequence of FoundFile
        The session's files; those of role ``histology`` are read.

    Returns
    -------
    tables : dict of str to pyarrow.Table
        ``electrode_positions`` and ``probe_tracks``; a table with nothing in it is left out.
    rejected : tuple of Rejected
        What could not be used, and why.
    """
    claims, rejected = _sorted_out(SessionKey.parse(session), files)
    positions: list[pa.Table] = []
    tracks: list[pa.Table] = []
    n_of_probe: dict[int, int] = {}
    for place, (fmt, file) in sorted(claims.items(), key=lambda claim: _order(claim[0])):
        try:
            if place.kind == "positions":
                first = n_of_probe.get(place.probe, 0)
                table = _positions_table(session, place, fmt, file, fmt.read_positions(file), first)
                n_of_probe[place.probe] = first + table.num_rows
                positions.append(table)
            elif place.shank is None:
                tracks += [
                    _track_table(session, place.probe, shank, file, points)
                    for shank, points in fmt.read_track(file, None).items()
                    if shank is not None
                ]
            else:
                beside = claims.get(Place(place.probe, place.shank, "positions"))
                own = beside[1] if beside is not None and beside[0] is fmt else None
                points = fmt.read_track(file, own)[None]
                tracks.append(_track_table(session, place.probe, place.shank, file, points))
        except BadInput as error:
            rejected.append(Rejected((file,), error))
    tables = {**_joined(ELECTRODE_POSITIONS, positions), **_joined(PROBE_TRACKS, tracks)}
    return tables, tuple(rejected)


def probes_of(session: str, rejected: Sequence[Rejected]) -> frozenset[int]:
    """Tell which probes rejected files are of, as far as their names tell."""
    key = SessionKey.parse(session)
    found = set()
    for file in (file for one in rejected for file in one.files):
        for fmt in FORMATS:
            with suppress(BadInput):
                found |= {fmt.place(file, key).probe} if fmt.recognizes(file) else set()
    return frozenset(found)


def _order(place: Place) -> tuple[int, int, str]:
    return place.probe, -1 if place.shank is None else place.shank, place.kind


def _sorted_out(
    key: SessionKey, files: Sequence[FoundFile]
) -> tuple[dict[Place, tuple[HistologyFormat, FoundFile]], list[Rejected]]:
    """Give each file its format and place; files that claim one place are rejected together."""
    rejected: list[Rejected] = []
    claims: dict[Place, list[tuple[HistologyFormat, FoundFile]]] = {}
    for file in sorted(
        (file for file in files if file.role == "histology"), key=lambda file: (file.share, file.relpath)
    ):
        try:
            fmt = _format_of(file)
            claims.setdefault(fmt.place(file, key), []).append((fmt, file))
        except BadInput as error:
            rejected.append(Rejected((file,), error))
    for place in [place for place in claims if place.shank is None]:
        # a file of the whole probe gives each shank's track, so one for a shank is a second for it
        for other in [one for one in claims if (one.probe, one.kind) == (place.probe, place.kind) and one != place]:
            claims[place] += claims.pop(other)
    for place, several in claims.items():
        if len(several) > 1:
            names = ", ".join(file.relpath.as_posix() for _, file in several)
            shank = "" if place.shank is None else f" shank {place.shank + 1}"
            clash = PiecesDoNotFit(
                several[0][1].path,
                f"{len(several)} files give the {place.kind} of probe {place.probe}{shank} ({names})",
                expected="one file for each shank",
                todo="Move the outdated ones out of the histology share.",
            )
            rejected.append(Rejected(tuple(file for _, file in several), clash))
    return {place: several[0] for place, several in claims.items() if len(several) == 1}, rejected


def _format_of(file: FoundFile) -> HistologyFormat:
    """Return the one format that knows the file's name."""
    candidates = [fmt for fmt in FORMATS if fmt.recognizes(file)]
    if len(candidates) == 1:
        return candidates[0]
    names = ", ".join(fmt.NAME for fmt in candidates or FORMATS)
    todo = "Rename the file, or move it out of the histology share."
    if candidates:
        raise TwoFormatsRecognize(file.path, f"{names} claim it", expected="one format", todo=todo)
    raise NoFormatRecognizes(file.path, "no histology format knows its name", expected=f"one of {names}", todo=todo)


def _positions_table(
    session: str, place: Place, fmt: HistologyFormat, file: FoundFile, found: Positions, first: int
) -> pa.Table:
    n = len(found.ccf_um)
    _near_a_brain(file, np.array([[*values] for values in found.along.values()], np.float64))
    columns = _placed(session, place.probe, place.shank, file, found.ccf_um) | {
        "position_id": np.arange(first, first + n),
        "region_id_written": list(found.region_id_written),
        "format": [fmt.NAME] * n,
    }
    return ELECTRODE_POSITIONS.from_columns(columns | {name: list(values) for name, values in found.along.items()})


def _track_table(session: str, probe: int, shank: int, file: FoundFile, points: Points) -> pa.Table:
    columns = _placed(session, probe, shank, file, points)
    return PROBE_TRACKS.from_columns(columns | {"point": np.arange(len(points))})


def _placed(session: str, probe: int, shank: int | None, file: FoundFile, ccf_um: Points) -> dict[str, Any]:
    n = len(ccf_um)
    _near_a_brain(file, ccf_um)
    return {
        "session": [session] * n,
        "probe": np.full(n, probe),
        "shank": np.full(n, shank or 0),
        "ccf_ap_um": ccf_um[:, 0],
        "ccf_dv_um": ccf_um[:, 1],
        "ccf_ml_um": ccf_um[:, 2],
        "file": [file.relpath.as_posix()] * n,
    }


def _near_a_brain(file: FoundFile, um: Points) -> None:
    """Refuse numbers that are no place on a probe or in a brain: some that follow reckon with their squares."""
    if len(um) and np.abs(um).max() > _FARTHEST_UM:
        raise PiecesDoNotFit(
            file.path,
            f"a place lies at {np.abs(um).max():g} um",
            expected=f"places within {_FARTHEST_UM / 1000:g} mm of the origin",
            todo="Export the file again; its numbers are to be um.",
        )


def _joined(table: Table, parts: list[pa.Table]) -> dict[str, pa.Table]:
    whole = table.check(pa.concat_tables(parts)) if parts else table.empty()
    return {table.name: whole} if whole.num_rows else {}
