"""How far places moved when a probe was traced again. Which tracing is current is decided in `tracing_versions`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.vocabulary.frame import CCF_MIDLINE_ML_UM, mirrored

Floats = NDArray[np.float64]

SAME_UM = 0.001
"""Places that are no further apart did not move."""
MIRRORED_SHARE = 0.5
"""Left and right changed sides where mirroring the older places brings them at least so much nearer."""
_POINTS = 21


def compare(older: pa.Table, current: pa.Table, kind: str) -> list[dict[str, Any]]:
    """Compare two tracings of one probe, shank by shank.

    Contacts are compared with themselves (the same number, or the same x and y); points of tracks at equal shares of the
    tracks' lengths, from above.

    Parameters
    ----------
    older, current : pyarrow.Table
        Rows of ``traced_positions`` or ``traced_tracks``, as `kind` says.
    kind : str
        ``positions`` or ``track``.

    Returns
    -------
    list of dict
        Columns of ``tracing_changes`` from `shank` on.
    """
    rows = []
    for shank in sorted({*older["shank"].to_pylist(), *current["shank"].to_pylist()}):
        was, now = (table.filter(pc.field("shank") == shank) for table in (older, current))
        before, after = _by_contact(was, now) if kind == "positions" else _by_share(was, now)
        moved = after - before
        far = np.linalg.norm(moved, axis=1)
        row: dict[str, Any] = {"shank": shank, "kind": kind, "change": _change(was, now, before, after)}
        row |= {"n_older": was.num_rows, "n_current": now.num_rows, "n_compared": len(far)}
        if len(far):
            row |= {"moved_median_um": float(np.median(far)), "moved_max_um": float(far.max())}
            mean = moved.mean(axis=0).tolist()
            row |= dict(zip(("moved_ap_um", "moved_dv_um", "moved_ml_um"), mean, strict=True))
        rows.append(row)
    return rows


def _change(was: pa.Table, now: pa.Table, before: Floats, after: Floats) -> str:
    """Name what became of a shank."""
    if not was.num_rows or not now.num_rows:
        return "new" if now.num_rows else "lost"
    is_whole = was.num_rows == now.num_rows
    if is_whole and len(before) and np.linalg.norm(after - before, axis=1).max() <= SAME_UM:
        return "same"
    plain = np.linalg.norm(after - before, axis=1)
    turned = np.linalg.norm(after - mirrored(before), axis=1)
    changed_sides = (before[:, 2] < CCF_MIDLINE_ML_UM) != (after[:, 2] < CCF_MIDLINE_ML_UM)
    if len(before) and changed_sides.mean() > 0.5 and turned.mean() <= MIRRORED_SHARE * plain.mean():
        return "mirrored"
    return "moved"


def _places(table: pa.Table) -> Floats:
    return np.stack([table[f"ccf_{axis}_um"].to_numpy() for axis in ("ap", "dv", "ml")], axis=1)


def _by_contact(was: pa.Table, now: pa.Table) -> tuple[Floats, Floats]:
    """Places of the contacts that both give."""
    keys = [
        {
            (contact, x, y): row
            for row, (contact, x, y) in enumerate(
                zip(*(table[name].to_pylist() for name in ("contact", "x_um", "y_um")), strict=True)
            )
        }
        for table in (was, now)
    ]
    shared = [key for key in keys[0] if key in keys[1]]
    first, second = ([of[key] for key in shared] for of in keys)
    return _places(was)[first], _places(now)[second]


def _by_share(was: pa.Table, now: pa.Table) -> tuple[Floats, Floats]:
    """Places at equal shares of two tracks' lengths."""
    if was.num_rows < 2 or now.num_rows < 2:
        return np.empty((0, 3)), np.empty((0, 3))
    return _evenly(_places(was)), _evenly(_places(now))


def _evenly(points: Floats) -> Floats:
    if points[0, 1] > points[-1, 1]:
        points = points[::-1]
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
    at = np.linspace(0, length[-1], _POINTS)
    return np.stack([np.interp(at, length, points[:, axis]) for axis in range(3)], axis=1)
