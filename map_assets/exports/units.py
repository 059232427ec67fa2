"""A probe's units as MATLAB variables: what they are, their quality, waveforms and place. Their spikes live in `spikes`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from map_assets.exports.cells import Floats, Ints, cells, column, field_names, numbers, place_of, ragged, texts, views

_TOLD_ELSEWHERE = (
    *(
        "session",
        "probe",
        "sorting",
        "unit_id",
        "quality",
        "electrode",
        "peak_channel",
        "x_um",
        "y_um",
        "waveform_source",
    ),
    *("amplitude_uv", "snr", "firing_rate_hz", "isi_violation", "waveform_uv"),
)


class ProbeUnits:
    """The units of one probe in the order of their numbers, with what other tables say of them.

    Parameters
    ----------
    tables : mapping of str to pyarrow.Table
        `units`; `unit_waveforms`, `unit_stats`, `drift`, `cell_type`, `unit_classes`, `electrodes`, `insertions` and `ccf_ontology` where
        they stand.
    probe : int
    """

    def __init__(self, tables: Mapping[str, pa.Table], probe: int) -> None:
        self.units = of_probe(tables["units"], probe).sort_by("unit_id")
        self.unit_id: Ints = self.units["unit_id"].to_numpy()
        self._tables, self._probe = tables, probe

    def number(self, table: str, name: str) -> Floats:
        """A number of each unit from a table of units or, by its electrode, of electrodes; NaN where there is none."""
        return numbers(self._beside(table, name, pa.float64()))

    def text(self, table: str, name: str) -> list[str | None]:
        """A text of each unit; None where there is none."""
        return self._beside(table, name, pa.string()).to_pylist()  # type: ignore[no-any-return]

    def _beside(self, table: str, name: str, kind: pa.DataType) -> pa.Array:
        rows = self._tables.get(table)
        if rows is None or name not in rows.column_names:
            return pa.nulls(len(self.unit_id), kind)
        rows = of_probe(rows, self._probe)
        if table == "electrodes":
            wanted = pc.fill_null(self.units["electrode"], -1).to_numpy()
            place = place_of(wanted, rows["electrode"].to_numpy())
        else:
            place = place_of(self.unit_id, rows["unit_id"].to_numpy())
        return rows[name].combine_chunks().take(pa.array(place, mask=place < 0))

    def class_words(self, name: str) -> list[str | None]:
        """What a classifier said of each unit; None where it spoke of another sorting."""
        ours = self.units["sorting"].to_pylist()
        theirs = self.text("unit_classes", "sorting")
        words = self.text("unit_classes", name)
        return [
            None if None not in pair and pair[0] != pair[1] else word
            for word, pair in zip(words, zip(ours, theirs, strict=True), strict=True)
        ]

    def waveforms(self) -> tuple[list[Floats], list[str]]:
        """Mean waveform of each unit on its peak channel, uV, and where it comes from: the sorter's, else averaged ones."""
        made = views(*ragged(self.units["waveform_uv"]))
        sources = ["sorter" if len(own) else "" for own in made]
        averaged = self._tables.get("unit_waveforms")
        rows = [] if averaged is None else of_probe(averaged, self._probe).to_pylist()
        place_of_unit = {
            pair: place for place, pair in enumerate(zip(self.units["sorting"].to_pylist(), self.unit_id, strict=True))
        }
        for row in rows:
            place = place_of_unit.get((row.get("sorting"), row["unit_id"]))
            if place is not None and row.get("sorting") is not None and not len(made[place]):
                made[place] = np.array(row["waveform_uv"][: row["n_samples"] or 0], np.float64)
                sources[place] = row["source"]
        return made, sources


def unit_variables(tables: Mapping[str, pa.Table], probe: int) -> dict[str, Any]:
    """Make ``neuron_unit_info``, ``neuron_unit_quality_control``, ``neuron_unit_labels``, ``neuron_unit_waveforms`` and ``histology``.

    Returns
    -------
    dict
        Every column, cell and struct field has one row for each of the U units, in the order of their numbers.
        Unknown numbers are NaN, unknown texts empty.
    """
    found = ProbeUnits(tables, probe)
    waveforms, sources = found.waveforms()
    return {
        "neuron_unit_waveforms": cells(waveforms),
        "neuron_unit_info": _info(found, _insertion(tables, probe)),
        "neuron_unit_quality_control": _quality(found),
        "neuron_unit_labels": _labels(found) | {"waveform_source": texts(sources)},
        "histology": _histology(found, tables.get("ccf_ontology")),
    }


def insertion_info(tables: Mapping[str, pa.Table], probe: int) -> dict[str, Any]:
    """Make ``probe_insertion_info``: where the probe was aimed; depth is negative below the brain's surface, um."""
    row = _insertion(tables, probe)
    about: dict[str, Any] = next(iter(of_probe(tables["probes"], probe).to_pylist()), {})
    names = ("ap_um", "ml_um", "theta_deg", "phi_deg", "beta_deg")
    ap, ml, theta, phi, beta = (_number(row.get(name)) for name in names)
    return {
        "skull_reference": row.get("skull_reference") or "",
        "ap_location": ap,
        "ml_location": ml,
        "depth": -abs(_number(row.get("depth_um"))),
        "theta": theta,
        "phi": phi,
        "beta": beta,
        "probe_type": about.get("probe_type") or "",
        "recordable_brain_regions": _target(row),
        "serial_number": about.get("serial_number") or "",
    }


def of_probe(rows: pa.Table, probe: int) -> pa.Table:
    """Rows of one probe."""
    return rows.filter(pc.equal(rows["probe"], probe))


def _insertion(tables: Mapping[str, pa.Table], probe: int) -> dict[str, Any]:
    rows = tables.get("insertions")
    return {} if rows is None else next(iter(of_probe(rows, probe).to_pylist()), {})


def _target(row: Mapping[str, Any]) -> str:
    return " ".join(row[name] for name in ("hemisphere", "brain_area") if row.get(name))


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _info(found: ProbeUnits, insertion: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.object_]]:
    """U x 8 cells: number, quality, x, height above the brain's surface, electrode, shank, cell type, target."""
    types = [word if word in {"FS", "Pyr"} else "unknown" for word in found.text("cell_type", "cell_type")]
    height_um = numbers(found.units["y_um"]) - abs(_number(insertion.get("depth_um")))
    columns = (
        found.unit_id.astype(np.float64).tolist(),
        found.units["quality"].to_pylist(),
        numbers(found.units["x_um"]).tolist(),
        height_um.tolist(),
        (numbers(found.units["electrode"]) + 1).tolist(),
        (found.number("electrodes", "shank") + 1).tolist(),
        types,
        [_target(insertion)] * len(types),
    )
    made = np.empty((len(types), len(columns)), object)
    for number, values in enumerate(columns):
        made[:, number] = values
    return made


def _quality(found: ProbeUnits) -> dict[str, Any]:
    """Columns of numbers: those of the earlier pipeline first, then what the sorter's metrics bring."""
    units = found.units
    made: dict[str, Any] = {
        "unit_amp": column(units["amplitude_uv"]),
        "unit_snr": column(units["snr"]),
        "isi_violation": found.number("unit_stats", "isi_violation")[:, None],
        "avg_firing_rate": found.number("unit_stats", "rate_hz")[:, None],
        "drift_metric": found.number("drift", "drift_metric")[:, None],
        "isi_violation_metrics": column(units["isi_violation"]),
        "avg_firing_rate_metrics": column(units["firing_rate_hz"]),
    }
    others = [name for name in units.column_names if name not in _TOLD_ELSEWHERE and _is_number(units[name].type)]
    fields = field_names([*made, *others])[len(made) :]
    return made | {field: column(units[name]) for field, name in zip(fields, others, strict=True)}


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _labels(found: ProbeUnits) -> dict[str, Any]:
    """Columns of texts: the classifier's words, then what labels and metrics bring."""
    units = found.units
    made: dict[str, Any] = {
        "classification": texts(found.class_words("class")),
        "classification_annotation": texts(found.class_words("annotation")),
        "sorting": texts(units["sorting"].to_pylist()),
    }
    others = [
        name for name in units.column_names if name not in _TOLD_ELSEWHERE and pa.types.is_string(units[name].type)
    ]
    fields = field_names([*made, *others])[len(made) :]
    return made | {field: texts(units[name].to_pylist()) for field, name in zip(fields, others, strict=True)}


def _histology(found: ProbeUnits, ontology: pa.Table | None) -> dict[str, Any]:
    """Place of each unit's electrode in the CCF; x, y, z are ML, DV, AP as in the earlier pipeline."""
    names = (
        {} if ontology is None else dict(zip(*(ontology[name].to_pylist() for name in ("region", "name")), strict=True))
    )
    regions = found.text("electrodes", "region")
    return {
        "unit": column(found.unit_id),
        "ccf_x": found.number("electrodes", "ccf_ml_um")[:, None],
        "ccf_y": found.number("electrodes", "ccf_dv_um")[:, None],
        "ccf_z": found.number("electrodes", "ccf_ap_um")[:, None],
        **{name: found.number("electrodes", name)[:, None] for name in ("ccf_ap_um", "ccf_dv_um", "ccf_ml_um")},
        "annotation": texts(None if region is None else names.get(region, region) for region in regions),
        "region": texts(regions),
        "hemisphere": texts(found.text("electrodes", "hemisphere")),
    }
