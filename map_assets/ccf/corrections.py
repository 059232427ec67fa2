"""Applies reviewed corrections to a session's tracings: mirrored, moved along the track, or given up. Who decided on them is kept in `lab`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.ccf.lines import Line, fit_line
from map_assets.ccf.tables import ELECTRODE_POSITIONS, PROBE_TRACKS
from map_assets.vocabulary.frame import mirrored
from map_assets.vocabulary.tracing import TracingCorrection

Floats = NDArray[np.float64]
_PLACE = ("ccf_ap_um", "ccf_dv_um", "ccf_ml_um")


def apply_corrections(
    positions: pa.Table, tracks: pa.Table, current: Mapping[int, str], corrections: Sequence[TracingCorrection]
) -> tuple[pa.Table, pa.Table, dict[int, list[int]]]:
    """Apply corrections in their order; one that was made for another tracing than the current one is not applied.

    A flip mirrors all places of the probe, or of one shank, about the midline of the CCF. A shift moves what places the
    contacts along the shank's own line, towards the tip where it is positive: the positions, or, on a shank that has
    none, the points of its track. The track of a shank with positions stays where the dye was seen, and a shank that has
    no two different places has no line and stays as it is. A drop leaves places out.

    Parameters
    ----------
    positions, tracks : pyarrow.Table
        ``electrode_positions`` and ``probe_tracks`` as traced.
    current : mapping of int to str
        Current tracing of each probe.
    corrections : sequence of TracingCorrection

    Returns
    -------
    positions, tracks : pyarrow.Table
        Each row names in `corrections` those that it carries.
    unmoved : dict of int to list of int
        By probe: shanks, from 0, that a shift should have moved and that have no line.
    """
    tables = [_Places(positions), _Places(tracks)]
    unmoved: dict[int, set[int]] = {}
    for one in sorted(corrections, key=lambda one: one.correction_id):
        if current.get(one.probe) != one.tracing:
            continue
        if one.kind == "flip":
            for table in tables:
                table.mirror(table.of(one.probe, one.shank), one.correction_id)
        elif one.kind == "drop":
            for table in tables:
                table.drop(table.of(one.probe, one.shank))
        else:
            unmoved.setdefault(one.probe, set()).update(_shift(tables[0], tables[1], one))
    still = {probe: sorted(shanks) for probe, shanks in unmoved.items() if shanks}
    return ELECTRODE_POSITIONS.check(tables[0].table()), PROBE_TRACKS.check(tables[1].table()), still


def shanks_without_line(positions: pa.Table, tracks: pa.Table, probe: int, shank: int | None = None) -> list[int]:
    """List the shanks, from 0, of a probe that a shift could not move: they have no two different places.

    Parameters
    ----------
    positions, tracks : pyarrow.Table
        ``electrode_positions`` and ``probe_tracks``.
    probe : int
        Insertion number, from 1.
    shank : int, optional
        Only this one, from 0.

    Returns
    -------
    list of int
    """
    tables = _Places(positions), _Places(tracks)
    return [one for one, _, _, line in _lines(*tables, probe, shank) if line is None]


def left_out(current: Mapping[int, str], corrections: Sequence[TracingCorrection]) -> dict[int, list[int]]:
    """List by probe the corrections that were made for another tracing than its current one."""
    found: dict[int, list[int]] = {}
    for one in corrections:
        if one.probe in current and current[one.probe] != one.tracing:
            found.setdefault(one.probe, []).append(one.correction_id)
    return found


class _Places:
    """A table's places, to be moved, with the numbers of what moved them."""

    def __init__(self, data: pa.Table) -> None:
        self._data = data
        self.probe, self.shank = (data[name].to_numpy() for name in ("probe", "shank"))
        self.ccf_um: Floats = np.stack([data[name].to_numpy() for name in _PLACE], axis=1)
        self._carried: list[list[int]] = [[] for _ in range(data.num_rows)]

        self._is_kept = np.ones(data.num_rows, bool)

    def of(self, probe: int, shank: int | None) -> NDArray[np.bool_]:
        """Rows of a probe or of one of its shanks, less those that were dropped."""
        is_shank = np.ones(len(self.shank), bool) if shank is None else self.shank == shank
        return np.asarray((self.probe == probe) & is_shank & self._is_kept)

    def height(self, rows: NDArray[np.bool_]) -> Floats:
        """What grows away from the tip: y, or the contact's number; NaN where there is neither."""
        if "y_um" not in self._data.column_names:
            return np.full(np.count_nonzero(rows), np.nan)
        both = pc.coalesce(self._data["y_um"], pc.cast(self._data["contact"], pa.float64()))
        return np.asarray(both.to_numpy(), np.float64)[rows]

    def mirror(self, rows: NDArray[np.bool_], correction_id: int) -> None:
        self.ccf_um[rows] = mirrored(self.ccf_um[rows])
        self._note(rows, correction_id)

    def move(self, rows: NDArray[np.bool_], by_um: Floats, correction_id: int) -> None:
        self.ccf_um[rows] += by_um
        self._note(rows, correction_id)

    def drop(self, rows: NDArray[np.bool_]) -> None:
        self._is_kept &= ~rows

    def _note(self, rows: NDArray[np.bool_], correction_id: int) -> None:
        for row in np.flatnonzero(rows):
            self._carried[row].append(correction_id)

    def table(self) -> pa.Table:
        said = [",".join(map(str, numbers)) or None for numbers in self._carried]
        columns = {name: self._data[name] for name in self._data.column_names if name != "corrections"}
        columns |= {name: pa.array(self.ccf_um[:, axis]) for axis, name in enumerate(_PLACE)}
        moved = pa.table({**columns, "corrections": pa.array(said, pa.string())})
        return moved.filter(pa.array(self._is_kept))


def _shift(positions: _Places, tracks: _Places, one: TracingCorrection) -> list[int]:
    """Move each shank along its own line; return those that have none."""
    unmoved = []
    for shank, table, rows, line in _lines(positions, tracks, one.probe, one.shank):
        if line is None:
            unmoved.append(shank)
        else:
            table.move(rows, (one.amount_um or 0.0) * line.direction, one.correction_id)
    return unmoved


def _lines(
    positions: _Places, tracks: _Places, probe: int, shank: int | None
) -> Iterator[tuple[int, _Places, NDArray[np.bool_], Line | None]]:
    """Give each shank, the table and rows that place its contacts, and the line through them."""
    shanks = {int(one) for table in (positions, tracks) for one in table.shank[table.of(probe, shank)]}
    for one in sorted(shanks):
        table = positions if positions.of(probe, one).any() else tracks
        rows = table.of(probe, one)
        yield one, table, rows, fit_line(table.ccf_um[rows], height_um=table.height(rows))
