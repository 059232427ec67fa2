"""`cell_type`: narrow or wide spikes, by each unit's mean waveform. Trough and peak are found in `waveform_width`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.analyses.tables import CELL_TYPE
from map_assets.analyses.trains import Floats, Whole, by_probe, flat_lists, of_probe, where
from map_assets.analyses.waveform_width import MEASURED, trough_to_peak
from map_assets.vocabulary.errors import BadConfiguration

FS_BELOW_MS = 0.4
PYR_FROM_MS = 0.4
"""The earlier MAP pipeline's one cut. Guo et al. (2014, Neuron 81:179) leave 0.35 to 0.45 ms open."""

FS, PYR, NOT_CLASSIFIED = "FS", "Pyr", "not classified"
NO_WAVEFORM = "no waveform"

_SHORTEST = 4
"""Samples that a cubic spline needs."""

Texts = NDArray[np.object_]


def make_cell_type(
    session: str,
    units: pa.Table,
    probes: pa.Table,
    unit_waveforms: pa.Table | None = None,
    fs_below_ms: float = FS_BELOW_MS,
    pyr_from_ms: float = PYR_FROM_MS,
) -> pa.Table:
    """Tell fast-spiking from pyramidal units by the time from trough to peak.

    The rule is one of the neocortex; elsewhere the names only say narrow and wide. The earlier MAP pipeline took the
    global extrema in any order and a grid that made every width about 1.2 % (82 samples) too large; here the peak comes
    after the trough and the width is the spline's own.

    Parameters
    ----------
    session : str
        Session key.
    units, probes : pyarrow.Table
        ``units.waveform_uv`` is sampled at ``probes.sample_rate_hz``.
    unit_waveforms : pyarrow.Table, optional
        Mean waveforms out of the raw recording, flat, the peak channel's first; they go before the sorter's. Rows of
        another sorting than the units' are of other units and take no part.
    fs_below_ms, pyr_from_ms : float
        Limits; a width between them is not classified.

    Returns
    -------
    pyarrow.Table
        ``cell_type``, one row for each row of ``units``, in their order.

    Raises
    ------
    BadConfiguration
        If the limits overlap.
    """
    if not 0 < fs_below_ms <= pyr_from_ms:
        raise BadConfiguration(
            f"cell_type: FS below {fs_below_ms} ms and Pyr from {pyr_from_ms} ms overlap; the first may not be larger."
        )
    n = units.num_rows
    width_ms, reason = np.full(n, np.nan), np.full(n, NO_WAVEFORM, object)
    source: Texts = np.full(n, None, object)
    for probe, rows, unit_id in by_probe(units):
        found = _of_units(unit_id, of_probe(units, probe), of_probe(probes, probe)["sample_rate_hz"])
        if unit_waveforms is not None:
            raw = _of_recording(unit_id, _of_sorting(of_probe(unit_waveforms, probe), of_probe(units, probe)))
            found = [np.where(raw[0] != NO_WAVEFORM, *both) for both in zip(raw, found, strict=True)]
        reason[rows], width_ms[rows], source[rows] = found
    reason[(reason == MEASURED) & np.isnan(width_ms)] = "sample rate unknown"
    kind = np.select([width_ms < fs_below_ms, width_ms >= pyr_from_ms], [FS, PYR], NOT_CLASSIFIED)
    reason[(reason == MEASURED) & (kind == NOT_CLASSIFIED)] = "width between the limits"
    return CELL_TYPE.from_columns(
        {
            "session": [session] * n,
            "probe": units["probe"],
            "unit_id": units["unit_id"],
            "cell_type": kind,
            "spike_width_ms": width_ms,
            "fs_below_ms": np.full(n, fs_below_ms),
            "pyr_from_ms": np.full(n, pyr_from_ms),
            "waveform_source": source,
            "reason": pa.array(reason, pa.string(), mask=kind != NOT_CLASSIFIED),
        }
    )


def _of_sorting(raw: pa.Table, units: pa.Table) -> pa.Table:
    """Leave of one probe's rows of ``unit_waveforms`` those of the sorting whose units ``units`` has."""
    if "sorting" not in units.column_names or "sorting" not in raw.column_names:
        return raw.slice(0, 0)
    named = pa.array(units["sorting"].unique().to_pylist(), pa.string())
    return raw.filter(pc.is_in(raw["sorting"], named))


def _of_units(unit_id: Whole, units: pa.Table, rates: pa.ChunkedArray) -> list[NDArray[Any]]:
    """Measure one probe's waveforms in ``units``: reasons, widths in ms, sources; one element a unit."""
    samples, begin, end = flat_lists(unit_id, units, "waveform_uv")
    width, reason = _widths(samples, begin, end - begin)
    known = rates.drop_null()
    rate_hz = known[0].as_py() if len(known) else np.nan
    return [reason, width / rate_hz * 1e3, np.where(end > begin, "units", np.array(None, object))]


def _of_recording(unit_id: Whole, raw: pa.Table) -> list[NDArray[Any]]:
    """Measure one probe's peak-channel waveforms in ``unit_waveforms``, as `_of_units` does."""
    samples, begin, end = flat_lists(unit_id, raw, "waveform_uv")
    at = where(unit_id, raw["unit_id"].to_numpy())
    rows = np.maximum(at, 0) if raw.num_rows else np.empty(0, np.int64)
    if not len(rows):
        return [np.full(len(unit_id), NO_WAVEFORM, object), *np.full((2, len(unit_id)), None, object)]
    n_samples = pc.fill_null(raw["n_samples"], 0).to_numpy()[rows]
    width, reason = _widths(samples, begin, np.minimum(n_samples, end - begin))
    source = np.array(raw["source"].to_pylist(), object)[rows]
    return [reason, width / raw["sample_rate_hz"].to_numpy()[rows] * 1e3, source]


def _widths(samples: Floats, begin: Whole, length: Whole) -> tuple[Floats, Texts]:
    """Measure waveforms that stand in one flat array, those of one length together; widths in samples."""
    width, reason = np.full(len(begin), np.nan), np.full(len(begin), NO_WAVEFORM, object)
    for n_samples in np.unique(length[length > 0]).tolist():
        rows = np.flatnonzero(length == n_samples)
        if n_samples < _SHORTEST:
            reason[rows] = f"waveform of {n_samples} samples"
            continue
        waveforms = samples[begin[rows, None] + np.arange(n_samples)].astype(np.float64)
        width[rows], reason[rows] = trough_to_peak(waveforms)
    return width, reason
