"""Units that are told of oddly: classes of another sorting, no spikes at all, metrics with any name, infinite ones."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pytest

from map_assets.ephys.tables import UNIT_CLASSES
from map_assets.nwb.inspect import Inspection, inspect_nwb
from map_assets.nwb.verdicts import nwb_gives_the_tables_back, nwb_is_clean, nwb_validates
from map_assets.nwb.write import write_nwb

AT = datetime(2024, 6, 1, tzinfo=UTC)


@pytest.fixture
def small(made: SimpleNamespace) -> dict[str, pa.Table]:
    tables = made.behavior(8)
    return {**tables, **made.ephys(tables["trials"], n_units=3)}


def gated(made: SimpleNamespace, tables: dict[str, pa.Table], path: Path) -> Inspection:
    write_nwb(path, made.key, tables, made.subject, made.laboratory)
    found = inspect_nwb(path, tables)
    for verdict in (nwb_validates, nwb_is_clean, nwb_gives_the_tables_back):
        assert verdict(found).passed, verdict(found).description
    return found


def of_sorting(tables: dict[str, pa.Table], name: str) -> pa.Table:
    units = tables["units"]
    place = units.schema.get_field_index("sorting")
    values = pa.array([name] * units.num_rows, pa.string())
    return units.set_column(place, units.schema.field(place), values)


def classes(units: pa.Table, sortings: list[str | None]) -> pa.Table:
    n = units.num_rows
    same: dict[str, Any] = {"class": ["good"] * n, "annotation": ["MOs"] * n, "file": ["x"] * n}
    keys = {name: units[name] for name in ("session", "probe", "unit_id")}
    return UNIT_CLASSES.from_columns(keys | same | {"sorting": sortings, "file_modified_at": [AT] * n})


def test_a_class_of_another_sorting_is_left_out_and_counted_and_one_of_unknown_sorting_fits(
    small: dict[str, pa.Table], made: SimpleNamespace, tmp_path: Path
) -> None:
    units = of_sorting(small, "aaa")
    told = classes(units, ["aaa", "bbb", None, "bbb", "aaa", "aaa"])
    gated(made, small | {"units": units, "unit_classes": told}, tmp_path / "x.nwb")
    with h5py.File(tmp_path / "x.nwb") as file:
        found = dict(zip(file["units/unit_id"][:].tolist(), file["units/unit_classes_class"].asstr()[:], strict=True))
        wanted = dict(zip(units["unit_id"].to_pylist(), ["good", "", "good", "", "good", "good"], strict=True))
        assert found == wanted
        assert "2 rows of unit_classes are left out" in file["general/notes"].asstr()[()]


def test_classes_that_are_all_of_another_sorting_do_not_stop_the_file(
    small: dict[str, pa.Table], made: SimpleNamespace, tmp_path: Path
) -> None:
    units = of_sorting(small, "aaa")
    gated(made, small | {"units": units, "unit_classes": classes(units, ["bbb"] * 6)}, tmp_path / "x.nwb")
    with h5py.File(tmp_path / "x.nwb") as file:
        assert "unit_classes_class" not in file["units"]


def test_units_without_a_single_spike_in_observed_trials_are_left_out_and_do_not_stop_the_file(
    small: dict[str, pa.Table], made: SimpleNamespace, tmp_path: Path
) -> None:
    found = gated(made, small | {"spikes": small["spikes"].slice(0, 0)}, tmp_path / "x.nwb")
    assert found.n_units == 0
    with h5py.File(tmp_path / "x.nwb") as file:
        assert "The 6 units are left out: none has a spike" in file["general/notes"].asstr()[()]
        assert len(file["general/extracellular_ephys/electrodes/id"]) == 768


NAMES = ["id", "metric_id", "object_id", "namespace", "neurodata_type", ".", "a/b", "a:b", "electrodes", "resolution"]
NAMES += ["electrode_group", "waveform_source", "sample_rate_hz", "obs_intervals_index", "name"]


def test_metrics_may_have_any_name_and_any_number(
    small: dict[str, pa.Table], made: SimpleNamespace, tmp_path: Path
) -> None:
    units = small["units"]
    for number, name in enumerate(NAMES):
        values = np.arange(6.0) + number
        values[2] = np.inf
        units = units.append_column(name, pa.array(values))
    gated(made, small | {"units": units}, tmp_path / "x.nwb")
    with h5py.File(tmp_path / "x.nwb") as file:
        row = file["units/unit_id"][:].tolist().index(units["unit_id"][1].as_py())
        metrics = {name for name in file["units"] if name.startswith(("metric_", "a-b"))}
        assert len(metrics) == len(NAMES)
        assert sorted(file["units"][name][row] for name in metrics) == [1.0 + n for n in range(len(NAMES))]
