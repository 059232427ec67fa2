"""What a map of units shows of each: how selective in a period, how changed by light. The maps are drawn in `unit_characteristic`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.figures.drawing import INK
from map_assets.figures.laterality import CONTRA, IPSI, LOOKS

Floats = NDArray[np.float64]
Names = NDArray[np.object_]

PERIODS = ("sample", "delay", "response")
LIGHT = "light"
DOWN, UP = "#6a3d9a", INK
"""Less and more firing under light."""


@dataclass(frozen=True)
class Measure:
    """What one map shows of each unit, shapes (n_units,).

    Parameters
    ----------
    name : str
        A period, or light.
    size_hz : numpy.ndarray of float
        Absolute difference of rates; NaN where it is not known.
    kind : numpy.ndarray of str or None
        contra, ipsi, fewer, more; "none" where there is no difference to speak of; None where it was not judged.
    """

    name: str
    size_hz: Floats
    kind: Names


STYLES: dict[str, tuple[str, str, str]] = {
    CONTRA: (LOOKS[CONTRA].color, LOOKS[CONTRA].marker, LOOKS[CONTRA].symbol),
    IPSI: (LOOKS[IPSI].color, LOOKS[IPSI].marker, LOOKS[IPSI].symbol),
    "fewer": (DOWN, "v", "triangle-down"),
    "more": (UP, "^", "triangle-up"),
}
"""Colour, matplotlib's marker, plotly's symbol."""


def of_period(units: pa.Table, selectivity: pa.Table, period: str) -> Measure:
    """How contra and ipsi differ in a period, as ``selectivity`` has it."""
    mine = selectivity.filter(pc.field("period") == period)
    columns = ("probe", "unit_id", "rate_contra_hz", "rate_ipsi_hz", "selectivity")
    found = {(row["probe"], row["unit_id"]): row for row in mine.select(columns).to_pylist()}
    size, kind = np.full(units.num_rows, np.nan), np.full(units.num_rows, None, object)
    for at, key in enumerate(_keys(units)):
        row = found.get(key)
        if row is None or row["rate_contra_hz"] is None or row["rate_ipsi_hz"] is None:
            continue
        size[at] = abs(row["rate_contra_hz"] - row["rate_ipsi_hz"])
        label = row["selectivity"]
        kind[at] = None if label is None else {"contra-selective": CONTRA, "ipsi-selective": IPSI}.get(label, "none")
    return Measure(period, size, kind)


def of_light(units: pa.Table, effect: pa.Table, site: str) -> Measure:
    """What light of a site changes, as ``photostim_effect`` has it."""
    mine = effect.filter(pc.field("photostim_site") == site)
    columns = ("probe", "unit_id", "rate_stim_hz", "rate_control_hz", "is_affected")
    found = {(row["probe"], row["unit_id"]): row for row in mine.select(columns).to_pylist()}
    size, kind = np.full(units.num_rows, np.nan), np.full(units.num_rows, None, object)
    for at, key in enumerate(_keys(units)):
        row = found.get(key)
        if row is None or row["is_affected"] is None:
            continue
        change = row["rate_stim_hz"] - row["rate_control_hz"]
        size[at] = abs(change)
        kind[at] = "none" if not row["is_affected"] else "fewer" if change < 0 else "more"
    return Measure(LIGHT, size, kind)


def _keys(units: pa.Table) -> list[tuple[int, int]]:
    return list(zip(units["probe"].to_pylist(), units["unit_id"].to_pylist(), strict=True))


def choose_site(effect: pa.Table | None, photostim_sites: pa.Table | None) -> tuple[str | None, str]:
    """Choose the site whose effect is shown, and say where its light goes."""
    if effect is None or not effect.num_rows:
        return None, "no photostimulation in the session"
    n_trials: dict[str, int] = {}
    for site, n in zip(effect["photostim_site"].to_pylist(), effect["n_stim"].to_pylist(), strict=True):
        n_trials[site] = max(n_trials.get(site, 0), n)
    rows = {} if photostim_sites is None else {row["photostim_site"]: row for row in photostim_sites.to_pylist()}
    is_both = {site: rows.get(site, {}).get("hemisphere") == "both" for site in n_trials}
    site = min(n_trials, key=lambda one: (not is_both[one], -n_trials[one], one))
    row = rows.get(site)
    return site, site if row is None else f"{row['hemisphere']} {row['brain_area']}"
