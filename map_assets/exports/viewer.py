"""One probe's units as the activity viewer's arrays. MATLAB files are made in `mat`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.exports.cells import Floats, Ints, numbers, place_of, ragged
from map_assets.exports.units import ProbeUnits, of_probe
from map_assets.store import replacing
from map_assets.vocabulary.errors import NoSuchTable, NotYet
from map_assets.vocabulary.frame import CCF_EXTENT_UM

REQUIRED = ("units", "electrodes", "psth")
OPTIONAL = ("unit_waveforms", "unit_stats")
FORMAT = 1
"""Raised with every change of what is written for the same tables."""

CONDITION = "good_noearlylick_hit"
_NOT_JUDGED = "all"
_STAMP = "made_from"


def viewer_name(session: str, probe: int) -> str:
    """Name the file as the earlier pipeline did."""
    return f"{session}_{probe}.npz"


def make_viewer(session: str, probe: int, tables: Mapping[str, pa.Table]) -> dict[str, NDArray[Any]]:
    """Make the arrays of one probe.

    Parameters
    ----------
    session : str
        Session key.
    probe : int
        Insertion number.
    tables : mapping of str to pyarrow.Table
        `REQUIRED`, and of `OPTIONAL` those that stand.

    Returns
    -------
    dict
        For the U units that have a place in the CCF and a PSTH of the condition, and whose label is not ``all``:
        ``unit_id`` (U,), ``ccf_coord`` (U, 3) um: AP, DV, and ML counted from the other side; ``waveform``
        (U, samples) uV, NaN after a shorter one's end; ``unit_amp`` uV, ``unit_snr``, ``avg_firing_rate`` Hz and
        ``isi_violation`` (U,); ``unit_psth`` (1 + U, bins): middles of the bins from the go cue, s, then rates, Hz.

    Raises
    ------
    NoSuchTable
        If a required table is missing.
    NotYet
        If no unit has all that is needed.
    """
    for name in REQUIRED:
        if name not in tables:
            raise NoSuchTable(f"The viewer's file of {session} needs the table {name}, which does not stand yet.")
    found = ProbeUnits(tables, probe)
    ap, dv, ml = (found.number("electrodes", f"ccf_{axis}_um") for axis in ("ap", "dv", "ml"))
    place, psth = _psth(tables["psth"], probe, found.unit_id)
    is_judged = np.array([label != _NOT_JUDGED for label in found.units["quality"].to_pylist()], bool)
    kept = np.flatnonzero(is_judged & np.isfinite(ap + dv + ml) & (place >= 0))
    if not kept.size:
        raise NotYet(
            f"No unit of probe {probe} of {session} has a place in the CCF and a PSTH of {CONDITION}; histology and trials have to arrive."
        )
    return {
        "unit_id": found.unit_id[kept],
        "ccf_coord": np.column_stack([ap, dv, CCF_EXTENT_UM[2] - ml])[kept],
        "waveform": _matrix(found.waveforms()[0])[kept],
        "unit_amp": numbers(found.units["amplitude_uv"])[kept],
        "unit_snr": numbers(found.units["snr"])[kept],
        "avg_firing_rate": found.number("unit_stats", "rate_hz")[kept],
        "isi_violation": found.number("unit_stats", "isi_violation")[kept],
        "unit_psth": psth[np.r_[0, place[kept] + 1]],
    }


def write_viewer(path: Path, arrays: Mapping[str, NDArray[Any]], *, stamp: str = "") -> None:
    """Write the arrays as one compressed ``.npz``; what stands at `path` is replaced at once, at the end.

    A `stamp` is one more array, ``made_from``, for `stamp_of`.
    """
    told = {_STAMP: np.array(stamp)} if stamp else {}
    with replacing(path) as part, part.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays, **told)


def stamp_of(path: Path) -> str | None:
    """Read the stamp that `write_viewer` put into a file; None where there is none, or the file was cut off."""
    import zipfile
    import zlib

    if not zipfile.is_zipfile(path):
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            return str(file[_STAMP]) if _STAMP in file.files else None
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


def _psth(psth: pa.Table, probe: int, unit_id: Ints) -> tuple[Ints, Floats]:
    """Each unit's place among the PSTHs (-1 without one), and these, under a row of the bins' middles."""
    rows = of_probe(psth, probe).filter((pc.field("condition") == CONDITION) & (pc.field("n_trials") > 0))
    if not rows.num_rows:
        return np.full(len(unit_id), -1, np.int64), np.empty((1, 0))
    middles = ragged(rows["bin_start_from_go_s"])[0].reshape(rows.num_rows, -1) + rows["bin_width_s"][0].as_py() / 2
    rates = ragged(rows["rate_hz"])[0].reshape(rows.num_rows, -1)
    return place_of(unit_id, rows["unit_id"].to_numpy()), np.vstack([middles[:1], rates])


def _matrix(rows: Sequence[Floats]) -> Floats:
    """Put lists into rows, NaN after a shorter one's end."""
    counts = np.array([len(row) for row in rows])
    made = np.full((len(rows), int(counts.max(initial=0))), np.nan)
    made[np.arange(made.shape[1]) < counts[:, None]] = np.concatenate(rows)
    return made
