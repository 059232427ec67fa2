"""Places a shank's contacts by positions that the histology gives: by contact number, or by x and y. Regions are looked up in `electrodes`."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.vocabulary.errors import PiecesDoNotFit

IBL_FIRST_ROW_UM = 20.0
"""Where the IBL's own probe geometry puts the tip-most row; SpikeGLX and the sorters of the MAP labs put it at 0."""

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


def _places(given: pa.Table) -> Floats:
    return np.stack([given[f"ccf_{axis}_um"].to_numpy() for axis in ("ap", "dv", "ml")], axis=1)


def place_by_contact(contact: Whole, given: pa.Table, contacts_per_row: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Place one shank's contacts (numbers, shape (n,)) by the numbers in `given`; see `_placed`."""
    numbers, places = given["contact"].to_numpy(), _places(given)
    order = np.argsort(numbers)
    at = order[np.minimum(np.searchsorted(numbers[order], contact), len(numbers) - 1)]
    match = np.where(numbers[at] == contact, at, -1)
    return _placed(match, numbers.astype(np.float64), places, contact.astype(np.float64), contacts_per_row)


def place_by_geometry(x_um: Floats, y_um: Floats, given: pa.Table) -> tuple[Floats, NDArray[np.bool_]]:
    """Place one shank's contacts (x and y, shape (n,)) by x and y in `given`; see `_placed`."""
    pitch_um = row_pitch(y_um)
    y_known = given["y_um"].to_numpy() - _first_row(y_um, given["y_um"].to_numpy())
    match = _match_by_geometry(x_um, y_um, given["x_um"].to_numpy(), y_known, pitch_um / 2)
    return _placed(match, y_known, _places(given), y_um, pitch_um)


def _placed(
    match: Whole, along_known: Floats, places: Floats, along: Floats, step: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """Take the matched places and interpolate the others.

    Returns
    -------
    ccf_um : numpy.ndarray, shape (n, 3)
        NaN where there is nothing to place the contact by.
    is_traced : numpy.ndarray of bool, shape (n,)
        Whether the histology names the contact itself.
    """
    is_traced = match >= 0
    ccf_um = np.where(is_traced[:, None], places[match], np.nan)
    ccf_um[~is_traced] = _between(along_known, places, along[~is_traced], step)
    return ccf_um, is_traced


def _match_by_geometry(x_um: Floats, y_um: Floats, x_known: Floats, y_known: Floats, tolerance_um: float) -> Whole:
    """Find for each contact the position of its row that stands at its place across the row; -1 where there is none.

    Where a row has as many positions as contacts they pair from left to right; else those pair that are each other's
    nearest, both measured from the leftmost column of the shank.
    """
    rows_known, row_known = np.unique(np.round(y_known, 3), return_inverse=True)
    edges = (rows_known[1:] + rows_known[:-1]) / 2
    row = np.searchsorted(edges, y_um)
    is_near = np.abs(rows_known[row] - y_um) <= tolerance_um
    x_known = np.nan_to_num(x_known)
    order = np.lexsort((x_known, row_known))
    n_known = np.bincount(row_known)
    starts = np.r_[0, np.cumsum(n_known)[:-1]]
    group = np.where(is_near, row, len(rows_known))
    rank, n_sites = _rank_in(group, x_um)
    n_there = np.r_[n_known, 0][group]
    match = np.full(len(x_um), -1)
    same = is_near & (n_sites == n_there)
    match[same] = order[starts[row[same]] + rank[same]]
    rest = np.flatnonzero(is_near & ~same)
    if rest.size:
        far = np.abs((x_um[rest] - x_um.min())[:, None] - (x_known - x_known.min())[None, :])
        far[row_known[None, :] != row[rest][:, None]] = np.inf
        nearest = far.argmin(axis=1)
        is_mutual = far.argmin(axis=0)[nearest] == np.arange(len(rest))
        match[rest[is_mutual]] = nearest[is_mutual]
    return match


def _rank_in(group: Whole, x_um: Floats) -> tuple[Whole, Whole]:
    """Each contact's place across its row, from 0 at the left, and how many contacts its row has."""
    order = np.lexsort((x_um, group))
    counts = np.bincount(group)
    starts = np.r_[0, np.cumsum(counts)[:-1]]
    rank = np.empty(len(group), np.int64)
    rank[order] = np.arange(len(group)) - starts[group[order]]
    return rank, counts[group]


def _between(along_known: Floats, places: Floats, along: Floats, step: float) -> Floats:
    """Interpolate places linearly along a shank, at most one step beyond the known ones; NaN further off."""
    knots, knot = np.unique(along_known, return_inverse=True)
    out = np.full((len(along), 3), np.nan)
    if len(knots) < 2:
        return out
    mean = np.stack([np.bincount(knot, places[:, axis]) for axis in range(3)], axis=1) / np.bincount(knot)[:, None]
    is_near = (along >= knots[0] - step) & (along <= knots[-1] + step)
    left = np.clip(np.searchsorted(knots, along[is_near], side="right") - 1, 0, len(knots) - 2)
    share = (along[is_near] - knots[left]) / (knots[left + 1] - knots[left])
    out[is_near] = mean[left] + share[:, None] * (mean[left + 1] - mean[left])
    return out


def _first_row(y_um: Floats, y_known: Floats) -> float:
    """How far the histology's rows stand above the probe's: `IBL_FIRST_ROW_UM` if that alone parts all of them, else 0."""
    rows, known = np.unique(np.round(y_um, 3)), np.unique(np.round(y_known, 3))
    is_shifted = rows.shape == known.shape and bool(np.allclose(known - rows, IBL_FIRST_ROW_UM, rtol=0, atol=1.0))
    return IBL_FIRST_ROW_UM if is_shifted else 0.0


def row_pitch(y_um: Floats) -> float:
    """Smallest distance between two rows, um; with one row alone that of the IBL's tip-most row."""
    rows = np.unique(np.round(y_um, 3))
    return float(np.diff(rows).min()) if rows.size > 1 else IBL_FIRST_ROW_UM


def contacts_per_um(electrode: Whole, shank: Whole, y_um: Floats) -> float:
    """How many contacts a um of shank holds, out of the numbers at neighbouring rows; 0 where no shank has two rows."""
    found = []
    for one in np.unique(shank):
        rows, row = np.unique(np.round(y_um[shank == one], 3), return_inverse=True)
        lowest = np.full(rows.size, np.iinfo(np.int64).max)
        np.minimum.at(lowest, row, electrode[shank == one])
        found.append(np.diff(lowest) / np.diff(rows))
    density = np.concatenate(found)
    return float(np.median(density)) if density.size else 0.0


def contact_of(electrode: Whole, shank: int, y_um: Floats, per_um: float) -> Whole:
    """Number a shank's contacts from 0 at the tip, out of their numbers on the whole probe and their heights.

    Numbers run row by row, so on one shank they are a constant away from `per_um` x height, up to the place across
    the row. The constant is the number of the shank's first contact; on the first shank it is 0.
    """
    if shank == 0:
        return electrode
    offset = electrode - per_um * y_um
    if np.ptp(offset) >= per_um * row_pitch(y_um) + 0.5:
        raise PiecesDoNotFit(
            f"shank {shank + 1}",
            "its contacts are not numbered row by row",
            expected="contact numbers that rise along the shank",
            todo="Check the site map in the recording's meta file.",
        )
    first = round(float(offset.min()))
    return np.asarray(electrode - first, np.int64)
