"""`population_psth`: the mean firing of groups of units around the go cue. Single units' averages are in `psth`.

A group is a probe's units, its regions' units, and each of these by selectivity. A unit counts once, whatever its rate;
units that were not observed in any trial of a condition are in no mean.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.analyses.tables_task import POPULATION_PSTH
from map_assets.analyses.trains import where

ALL = "all"


def make_population_psth(
    session: str,
    psth: pa.Table,
    units: pa.Table,
    unit_selectivity: pa.Table | None = None,
    electrodes: pa.Table | None = None,
) -> pa.Table:
    """Average the PSTHs of each group of units, by condition.

    Parameters
    ----------
    psth, units : pyarrow.Table
    unit_selectivity, electrodes : pyarrow.Table, optional
        For groups by selectivity, and by the region of a unit's electrode.

    Returns
    -------
    pyarrow.Table
        ``population_psth``, a row for each probe, region (or ``all``), selectivity (or ``all``) and condition that has a
        unit with trials.
    """
    region, selectivity = _regions(units, electrodes), _selectivity(units, unit_selectivity)
    probe, unit_id = units["probe"].to_numpy(), units["unit_id"].to_numpy()
    row_of = {key: row for row, key in enumerate(zip(probe.tolist(), unit_id.tolist(), strict=True))}
    there = psth.filter(pc.greater(psth["n_trials"], 0))
    unit = np.array(
        [row_of.get(key, -1) for key in zip(there["probe"].to_pylist(), there["unit_id"].to_pylist(), strict=True)],
        np.int64,
    )
    there, unit = there.filter(pa.array(unit >= 0)), unit[unit >= 0]
    if there.num_rows == 0:
        return POPULATION_PSTH.empty()
    n_bins = len(there["rate_hz"][0])
    rates = pc.list_flatten(there["rate_hz"]).to_numpy().reshape(there.num_rows, n_bins)
    conditions = there["condition"].to_numpy(zero_copy_only=False)
    first = there.slice(0, 1).to_pylist()[0]
    rows = []
    for at_probe in np.unique(probe).tolist():
        for of_region, of_selectivity, members in _groups(probe == at_probe, region, selectivity):
            is_member = members[unit]
            for condition in dict.fromkeys(conditions[is_member].tolist()):
                mine = rates[is_member & (conditions == condition)]
                rows.append(
                    {
                        "session": session,
                        "probe": at_probe,
                        "region": of_region,
                        "selectivity": of_selectivity,
                        "condition": condition,
                        "n_units": len(mine),
                        "bin_start_from_go_s": first["bin_start_from_go_s"],
                        "bin_width_s": first["bin_width_s"],
                        "rate_hz": mine.mean(axis=0),
                        "sem_hz": mine.std(axis=0, ddof=1) / np.sqrt(len(mine))
                        if len(mine) > 1
                        else np.full(n_bins, np.nan),
                    }
                )
    return POPULATION_PSTH.from_rows(rows)


def _groups(
    is_of_probe: NDArray[np.bool_], region: NDArray[np.object_], selectivity: NDArray[np.object_]
) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Go through the groups of a probe's units that are not empty; a region with all of the units is one all the same."""
    regions = sorted({str(one) for one in region[is_of_probe] if one is not None})
    classes = sorted({str(one) for one in selectivity[is_of_probe] if one is not None})
    for of_region in (ALL, *regions):
        in_region = is_of_probe if of_region == ALL else is_of_probe & (region == of_region)
        for of_selectivity in (ALL, *classes):
            members = in_region if of_selectivity == ALL else in_region & (selectivity == of_selectivity)
            if members.any():
                yield of_region, of_selectivity, members


def _regions(units: pa.Table, electrodes: pa.Table | None) -> NDArray[np.object_]:
    found: NDArray[np.object_] = np.full(units.num_rows, None, object)
    if electrodes is None:
        return found
    for probe in np.unique(units["probe"].to_numpy()).tolist():
        rows = np.flatnonzero(units["probe"].to_numpy() == probe)
        mine = electrodes.filter(pc.equal(electrodes["probe"], probe))
        electrode = pc.fill_null(units["electrode"], -1).to_numpy()[rows]
        at = where(electrode, mine["electrode"].to_numpy())
        names = mine["region"].to_numpy(zero_copy_only=False)
        found[rows[at >= 0]] = names[at[at >= 0]]
    return found


def _selectivity(units: pa.Table, unit_selectivity: pa.Table | None) -> NDArray[np.object_]:
    found: NDArray[np.object_] = np.full(units.num_rows, None, object)
    if unit_selectivity is None or not unit_selectivity.num_rows:
        return found
    keys = ("probe", "unit_id")
    known = dict(
        zip(
            zip(*(unit_selectivity[name].to_pylist() for name in keys), strict=True),
            unit_selectivity["selectivity"].to_pylist(),
            strict=True,
        )
    )
    pairs = zip(*(units[name].to_pylist() for name in keys), strict=True)
    found[:] = [known.get(pair) for pair in pairs]
    return found
