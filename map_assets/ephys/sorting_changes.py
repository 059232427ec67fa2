"""What became of each unit when a probe was sorted or curated again: kinds of change, told from shared spikes. Counting those lives in `spike_overlap`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.ephys.spike_overlap import LONGEST_GAP, Overlap, Stream, count_shared, is_same_stream, stream_of
from map_assets.ephys.tables import OTHER_SPIKES, SORTING_CHANGES, SPIKES

TOLERANCE_S = 4e-4
"""Spikes of two sorters that are no further apart are one spike. Of one stream curated twice, only equal samples are."""

MOST_OF = 0.5
"""A unit went into another, or came from it, if the two share more than this part of its spikes."""

SAME_SHARE = 0.95
"""From this part of the spikes of either, two units that went into each other alone are the same."""

KINDS = ("same", "changed", "split", "merged", "lost", "new")

Wholes = NDArray[np.int64]


def find_changes(
    session: str, sortings: pa.Table | None, spikes: pa.Table | None, other_spikes: pa.Table | None
) -> pa.Table:
    """Compare every version of a sorting with the probe's current one.

    Two units belong together if more than `MOST_OF` of the spikes of one (or of both) is shared. One of the older
    units that several current ones came from is **split**, several that went into one current unit are **merged**; a
    pair that is part of both, or of neither and does not share `SAME_SHARE` of both, is **changed**, else it is the
    **same**, whatever the unit's number. A unit without any such partner is **lost**, or **new**.

    Parameters
    ----------
    session : str
        Session key.
    sortings, spikes, other_spikes : pyarrow.Table or None
        As in the store; None is one without rows.

    Returns
    -------
    pyarrow.Table
        `sorting_changes`.
    """
    parts = [SORTING_CHANGES.empty()]
    spikes = SPIKES.empty() if spikes is None else spikes
    other_spikes = OTHER_SPIKES.empty() if other_spikes is None else other_spikes
    rows = [] if sortings is None else sortings.to_pylist()
    for current in (row for row in rows if row["is_current"]):
        others = [row for row in rows if row["probe"] == current["probe"] and not row["is_current"]]
        if not others:
            continue
        unit_ids, stream = _stream(spikes.filter(pc.field("probe") == current["probe"]))
        for other in others:
            is_own = (pc.field("probe") == other["probe"]) & (pc.field("sorting") == other["sorting"])
            other_ids, other_stream = _stream(other_spikes.filter(is_own))
            rate_hz = other["sample_rate_hz"] or current["sample_rate_hz"]
            overlap = count_shared(other_stream, stream, _tolerance(other_stream, stream, rate_hz))
            found = _changes(overlap, (other_ids, _counts(other_stream)), (unit_ids, _counts(stream)))
            n_rows = len(found["change"])
            key = {"session": pa.repeat(session, n_rows), "probe": np.full(n_rows, other["probe"])}
            key |= {"sorting": pa.repeat(other["sorting"], n_rows)}
            key |= {"current_sorting": pa.repeat(current["sorting"], n_rows)}
            parts.append(SORTING_CHANGES.from_columns({**key, "change_id": np.arange(n_rows), **found}))
    return pa.concat_tables(parts)


def _stream(trains: pa.Table) -> tuple[Wholes, Stream]:
    """Unit ids of trains, and their spikes in the order of time."""
    samples = [chunk.flatten().to_numpy() for chunk in trains["samples"].chunks]
    counts = pc.list_value_length(trains["samples"]).to_numpy().astype(np.int64)
    return trains["unit_id"].to_numpy(), stream_of(np.concatenate([np.empty(0, np.int64), *samples]), counts)


def _counts(stream: Stream) -> Wholes:
    return np.bincount(stream.unit, minlength=stream.n_units)


def _tolerance(one: Stream, other: Stream, rate_hz: float | None) -> int:
    """Samples that partners may be apart; none for one stream, or where no rate tells how long a sample is."""
    if rate_hz is None or is_same_stream(one, other):
        return 0
    return min(round(TOLERANCE_S * rate_hz), LONGEST_GAP // 2)


def _changes(overlap: Overlap, units: tuple[Wholes, Wholes], current: tuple[Wholes, Wholes]) -> dict[str, Any]:
    """Columns of the report.

    Parameters
    ----------
    overlap : Overlap
    units, current : tuple of numpy.ndarray of int
        Ids and numbers of spikes of the units of either version.
    """
    n_spikes, n_current = units[1], current[1]
    share = overlap.n_shared / n_spikes[overlap.unit]
    current_share = overlap.n_shared / n_current[overlap.other]
    own = _less_coincidences(overlap, n_spikes, n_current)
    went, came = own / n_spikes[overlap.unit] > MOST_OF, own / n_current[overlap.other] > MOST_OF
    n_into = np.bincount(overlap.other[went], minlength=len(n_current))[overlap.other]
    n_from = np.bincount(overlap.unit[came], minlength=len(n_spikes))[overlap.unit]
    is_split, is_merged = came & (n_from > 1), went & (n_into > 1)
    is_same = (share >= SAME_SHARE) & (current_share >= SAME_SHARE)
    kind = np.select(
        [is_split & is_merged, is_split, is_merged, is_same], ["changed", "split", "merged", "same"], "changed"
    )
    kept = went | came
    lost = np.setdiff1d(np.arange(len(n_spikes)), overlap.unit[kept])
    new = np.setdiff1d(np.arange(len(n_current)), overlap.other[kept])
    n_alone = len(lost) + len(new)
    alone = pa.nulls(n_alone, pa.float64())
    unit = _places(overlap.unit[kept], lost, np.full(len(new), -1))
    partner = _places(overlap.other[kept], np.full(len(lost), -1), new)
    return {
        "unit_id": pa.array(units[0]).take(unit),
        "current_unit_id": pa.array(current[0]).take(partner),
        "change": np.concatenate([kind[kept], np.repeat(["lost", "new"], [len(lost), len(new)])]),
        "n_shared": np.concatenate([overlap.n_shared[kept], np.zeros(n_alone, np.int64)]),
        "n_spikes": pa.array(n_spikes).take(unit),
        "n_current_spikes": pa.array(n_current).take(partner),
        "share": pa.concat_arrays([pa.array(share[kept]), alone]),
        "current_share": pa.concat_arrays([pa.array(current_share[kept]), alone]),
    }


def _less_coincidences(overlap: Overlap, n_spikes: Wholes, n_current: Wholes) -> Wholes:
    """Shared spikes of each pair that no better pair of either unit accounts for.

    A unit of few spikes may by chance have most of them beside those of a large one; but those have partners of their own.
    """
    unit, other, n_shared = overlap.unit, overlap.other, overlap.n_shared
    larger = np.maximum(n_shared / n_spikes[unit], n_shared / n_current[other])
    is_candidate = larger > MOST_OF
    likeness = n_shared / (n_spikes[unit] + n_current[other] - n_shared)
    own = np.where(is_candidate, n_shared, 0)
    found = own.copy()
    for side, n_all in ((unit, n_spikes), (other, n_current)):
        order = np.lexsort((-likeness, -own, side))
        taken = np.cumsum(own[order]) - own[order]
        is_first = np.r_[True, np.diff(side[order]) != 0][: len(order)]
        taken -= np.maximum.accumulate(np.where(is_first, taken, 0))
        found[order] = np.minimum(found[order], np.maximum(n_all[side[order]] - taken, 0))
    return found


def _places(*parts: Wholes) -> pa.Array:
    """Places of units, null where there is none."""
    places = np.concatenate(parts).astype(np.int64)
    return pa.array(places, mask=places < 0)
