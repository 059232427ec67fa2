"""Places a shank's contacts by positions that the histology gives: by contact number, or by x and y. Regions are looked up in `electrodes`."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.vocabulary.errors import PiecesDoNotFit

IBL_FIRST_ROW_UM = 20.0
"""Where the IBL's own probe geometry puts the tip-most row; SpikeGLX and the sorters of the MAP labs put it at 0."""

_MODELS = ((1280, 2, 15.0),)
"""Probes of several shanks: contacts on a shank, contacts in a row, um from row to row. Neuropixels 2.0."""

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
    y_known = given["y_um"].to_numpy() - first_row(y_um, given["y_um"].to_numpy())[0]
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


def first_row(y_um: Floats, y_known: Floats) -> tuple[float, bool]:
    """Tell how far the histology's rows stand above the probe's: 0 or `IBL_FIRST_ROW_UM`, by which more of them agree.

    Columns do not tell: the staggering of Neuropixels 1.0 is the other way round on some maps, as one row up is.

    Returns
    -------
    above_um : float
        0 where both agree alike, as where a whole file of the one kind lacks its first row, or of the other its last.
    is_certain : bool
        False there.
    """
    rows, known = np.unique(np.round(y_um, 3)), np.unique(np.round(y_known, 3))
    n_as_they_are, n_shifted = (_n_in(rows, known - above_um) for above_um in (0.0, IBL_FIRST_ROW_UM))
    is_certain = n_as_they_are != n_shifted or n_shifted == 0
    return (IBL_FIRST_ROW_UM if n_shifted > n_as_they_are else 0.0), is_certain


def _n_in(rows: Floats, known: Floats) -> int:
    """How many of `known` are rows, within a quarter of the rows' distance."""
    at = np.clip(np.searchsorted(rows, known), 1, max(len(rows) - 1, 1))
    away = np.minimum(np.abs(rows[at - 1] - known), np.abs(rows[np.minimum(at, len(rows) - 1)] - known))
    return int(np.count_nonzero(away <= row_pitch(rows) / 4))


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


def contact_of(electrode: Whole, shank: Whole, y_um: Floats) -> Whole:
    """Number a probe's contacts from 0 at the tip of their shank, out of their numbers on the whole probe.

    Where numbers and heights are those of a known model, its contacts on a shank are counted off. Else numbers run row
    by row, so that on one shank they are a constant away from height times contacts per um, up to the place across the
    row; the constant is the number of the shank's first contact, on the first shank 0.

    Parameters
    ----------
    electrode, shank, y_um : numpy.ndarray, shape (n,)
        All recorded contacts of one probe: number on the whole probe, shank from 0, height above the tip-most row, um.

    Raises
    ------
    PiecesDoNotFit
        If a further shank of an unknown model is not numbered row by row.
    """
    for n_on_shank, n_in_row, pitch_um in _MODELS:
        contact = electrode - n_on_shank * shank
        is_on = (contact >= 0) & (contact < n_on_shank)
        if is_on.all() and np.allclose(contact // n_in_row * pitch_um, y_um, rtol=0, atol=0.5):
            return np.asarray(contact, np.int64)
    per_um = contacts_per_um(electrode, shank, y_um)
    out = np.array(electrode, np.int64)
    for one in np.unique(shank[shank > 0]):
        here = shank == one
        offset = electrode[here] - per_um * y_um[here]
        if np.ptp(offset) >= per_um * row_pitch(y_um[here]) + 0.5:
            raise PiecesDoNotFit(
                f"shank {one + 1}",
                "its contacts are not numbered row by row",
                expected="contact numbers that rise along the shank",
                todo="Check the site map in the recording's meta file.",
            )
        out[here] -= round(float(offset.min()))
    return out
