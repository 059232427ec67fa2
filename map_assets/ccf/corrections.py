"""Applies reviewed corrections to a session's tracings: mirrored, or moved along the track. Who decided on them is kept in `lab`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.ccf.lines import fit_line
from map_assets.ccf.tables import ELECTRODE_POSITIONS, PROBE_TRACKS
from map_assets.vocabulary.errors import MapAssetsError
from map_assets.vocabulary.frame import CCF_MIDLINE_ML_UM
from map_assets.vocabulary.tracing import TracingCorrection

Floats = NDArray[np.float64]
_PLACE = ("ccf_ap_um", "ccf_dv_um", "ccf_ml_um")


class CannotCorrect(MapAssetsError):
    """A correction that the tracing gives no ground for."""


def apply_corrections(
    positions: pa.Table, tracks: pa.Table, current: Mapping[int, str], corrections: Sequence[TracingCorrection]
) -> tuple[pa.Table, pa.Table]:
    """Apply corrections in their order; one that was made for another tracing than the current one is not applied.

    A flip mirrors all places of the probe about the midline of the CCF. A shift moves what places the contacts along
    the shank's own line, towards the tip where it is positive: the positions, or, on a shank that has none, the points of
    its track. The track of a shank with positions stays where the dye was seen.

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

    Raises
    ------
    CannotCorrect
        If a shift finds a shank without two different places: it has no line.
    """
    tables = [_Places(positions), _Places(tracks)]
    for one in sorted(corrections, key=lambda one: one.correction_id):
        if current.get(one.probe) != one.tracing:
            continue
        if one.kind == "flip":
            for table in tables:
                table.mirror(table.probe == one.probe, one.correction_id)
        else:
            _shift(tables[0], tables[1], one)
    return ELECTRODE_POSITIONS.check(tables[0].table()), PROBE_TRACKS.check(tables[1].table())


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

    def height(self, rows: NDArray[np.bool_]) -> Floats:
        """What grows away from the tip: y, or the contact's number; NaN where there is neither."""
        if "y_um" not in self._data.column_names:
            return np.full(np.count_nonzero(rows), np.nan)
        both = pc.coalesce(self._data["y_um"], pc.cast(self._data["contact"], pa.float64()))
        return np.asarray(both.to_numpy(), np.float64)[rows]

    def mirror(self, rows: NDArray[np.bool_], correction_id: int) -> None:
        self.ccf_um[rows, 2] = 2 * CCF_MIDLINE_ML_UM - self.ccf_um[rows, 2]
        self._note(rows, correction_id)

    def move(self, rows: NDArray[np.bool_], by_um: Floats, correction_id: int) -> None:
        self.ccf_um[rows] += by_um
        self._note(rows, correction_id)

    def _note(self, rows: NDArray[np.bool_], correction_id: int) -> None:
        for row in np.flatnonzero(rows):
            self._carried[row].append(correction_id)

    def table(self) -> pa.Table:
        said = [",".join(map(str, numbers)) or None for numbers in self._carried]
        columns = {name: self._data[name] for name in self._data.column_names if name != "corrections"}
        columns |= {name: pa.array(self.ccf_um[:, axis]) for axis, name in enumerate(_PLACE)}
        return pa.table({**columns, "corrections": pa.array(said, pa.string())})


def _shift(positions: _Places, tracks: _Places, one: TracingCorrection) -> None:
    """Move each shank of a probe along its own line."""
    shanks = {int(shank) for table in (positions, tracks) for shank in table.shank[table.probe == one.probe]}
    for shank in sorted(shanks):
        is_here = (positions.probe == one.probe) & (positions.shank == shank)
        table = positions if is_here.any() else tracks
        rows = (table.probe == one.probe) & (table.shank == shank)
        line = fit_line(table.ccf_um[rows], height_um=table.height(rows))
        if line is None:
            raise CannotCorrect(
                f"Correction {one.correction_id} moves probe {one.probe} of {one.session} along its track, but shank "
                f"{shank + 1} has no two different places to tell its line from; take the correction back."
            )
        table.move(rows, (one.amount_um or 0.0) * line.direction, one.correction_id)
