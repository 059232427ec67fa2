"""Measures of how well units were sorted, gathered for `clustering_quality`. They are computed by the sorter and in `analyses`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.figures.drawing import FAINT, INK

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Quality:
    """One measure: its name with the unit, each unit's value (NaN where it is not known), and whether it is drawn by decades.

    `linear_to` is where the decades begin; below it the axis is linear, so that zero has a place.
    """

    name: str
    values: Floats
    linear_to: float | None = None


def qualities(units: pa.Table, unit_stats: pa.Table | None) -> dict[str, Quality]:
    """Amplitude, signal to noise, rate and interval violations of each unit.

    The last two are those of the observed trials (``unit_stats``); without that table, what the sorter's metrics say.
    """
    rate, isi = _column(units, "firing_rate_hz"), _column(units, "isi_violation")
    where = "sorter's metrics"
    if unit_stats is not None:
        where = "trials"
        names = ("probe", "unit_id", "rate_hz", "isi_violation")
        rows = zip(*(unit_stats[name].to_pylist() for name in names), strict=True)
        known = {(probe, unit): (rate_hz, violation) for probe, unit, rate_hz, violation in rows}
        keys = zip(units["probe"].to_pylist(), units["unit_id"].to_pylist(), strict=True)
        both = np.array([known.get(key, (None, None)) for key in keys], np.float64).reshape(-1, 2)
        rate, isi = both[:, 0], both[:, 1]
    return {
        "amplitude": Quality("amplitude (uV)", _column(units, "amplitude_uv")),
        "snr": Quality("signal to noise", _column(units, "snr")),
        "rate": Quality(f"rate in {where} (spikes/s)", rate, 0.1),
        "isi": Quality(f"ISI violation ({where})", isi, 0.01),
    }


def _column(units: pa.Table, name: str) -> Floats:
    return np.asarray(units[name].to_numpy(), np.float64)


@dataclass(frozen=True)
class Label:
    """How units of one label are drawn: colour, matplotlib's and plotly's mark, whether it is full."""

    color: str
    marker: str
    symbol: str
    is_full: bool


GOOD, MULTI, OTHER = "good", "mua", "other labels"
LABELS = {
    GOOD: Label(INK, "o", "circle", True),
    MULTI: Label("#8a4fbf", "s", "square-open", False),
    OTHER: Label(FAINT, "x", "x-thin", False),
}


def labels_of(units: pa.Table) -> NDArray[np.str_]:
    """Each unit's label, as far as the figure tells them apart."""
    found = [str(label).casefold() for label in units["quality"].to_pylist()]
    return np.array([label if label in (GOOD, MULTI) else OTHER for label in found], str)
