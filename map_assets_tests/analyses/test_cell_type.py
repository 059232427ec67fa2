"""cell_type, on waveforms drawn by hand and on random ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.analyses.cell_type import make_cell_type
from map_assets.analyses.checks import every_cell_type_has_its_grounds
from map_assets.analyses.tables import CELL_TYPE
from map_assets.analyses.waveform_width import AT_EDGE, FLAT, INVERTED, MEASURED, MISSING, trough_to_peak
from map_assets.ephys.tables.raw import UNIT_WAVEFORMS
from map_assets.vocabulary.errors import BadConfiguration

SESSION = "SC022_20190228_151010"


def spike(width_ms: float, n_samples: int = 82, rate_hz: float = 30000.0, height: float = 0.4) -> np.ndarray:
    """A narrow trough of -100 uV at 0.7 ms and a peak `width_ms` later, each a smooth bump of no reach beyond the other."""
    time_ms = np.arange(n_samples) / rate_hz * 1e3

    def bump(at_ms: float) -> np.ndarray:
        from_middle = np.clip(np.abs(time_ms - at_ms) / 0.17, 0, 1)
        return (1 - from_middle**2) ** 4

    return -100 * bump(0.7) + 100 * height * bump(0.7 + width_ms)


@pytest.fixture
def tables(trials_of: Callable, tables_of: Callable) -> Callable[..., tuple[pa.Table, pa.Table]]:
    """Units with the given waveforms, by (probe, unit_id), and their probes."""

    def make(waveforms: dict[tuple[int, int], Sequence[float]], **options) -> tuple[pa.Table, pa.Table]:
        made = tables_of(trials_of([0]), {key: [1] for key in waveforms}, **options)
        column = made.units.schema.get_field_index("waveform_uv")
        lists = pa.array([np.asarray(one, np.float32) for one in waveforms.values()], pa.list_(pa.float32()))
        return made.units.set_column(column, made.units.schema.field(column), lists), made.probes

    return make


def test_the_width_is_the_spline_s_own_and_not_a_grid_s(tables: Callable) -> None:
    # 0.397 ms is FS; a grid of 100 N points over N - 1 intervals reads 0.4018 ms and says Pyr.
    units, probes = tables({(1, 7): spike(0.397), (1, 3): spike(0.403), (2, 7): spike(0.25), (2, 1): spike(0.7)})
    table = make_cell_type(SESSION, units, probes)
    assert table["unit_id"].to_pylist() == [7, 3, 7, 1]
    assert table["cell_type"].to_pylist() == ["FS", "Pyr", "FS", "Pyr"]
    assert table["spike_width_ms"].to_numpy() == pytest.approx([0.397, 0.403, 0.25, 0.7], abs=1e-3)
    assert set(table["waveform_source"].to_pylist()) == {"units"}
    assert table["reason"].null_count == 4


def test_between_the_limits_a_unit_is_not_classified(tables: Callable) -> None:
    units, probes = tables({(1, k): spike(width) for k, width in enumerate((0.3, 0.4, 0.5))})
    table = make_cell_type(SESSION, units, probes, fs_below_ms=0.35, pyr_from_ms=0.45)
    assert table["cell_type"].to_pylist() == ["FS", "not classified", "Pyr"]
    assert table["reason"].to_pylist() == [None, "width between the limits", None]
    assert table["spike_width_ms"].null_count == 0
    assert every_cell_type_has_its_grounds(table).passed
    with pytest.raises(BadConfiguration, match="overlap"):
        make_cell_type(SESSION, units, probes, fs_below_ms=0.5, pyr_from_ms=0.4)


def test_a_peak_before_the_trough_is_not_the_spike_s_width(tables: Callable) -> None:
    early = spike(0.3) + 60 * np.roll((spike(0.3, height=0) / -100), -12)  # a higher peak 0.4 ms before the trough
    units, probes = tables({(1, 1): early})
    assert make_cell_type(SESSION, units, probes)["spike_width_ms"].to_pylist() == [pytest.approx(0.3, abs=2e-3)]


def test_what_has_no_width_says_why(tables: Callable) -> None:
    waveforms = {
        (1, 1): [],
        (1, 2): -spike(0.3),
        (1, 3): np.where(np.arange(82) == 5, np.nan, spike(0.3)),
        (1, 4): np.full(82, 7.0),
        (1, 5): spike(0.3)[:25],  # still rising at its end
        (1, 6): spike(0.3)[22:],  # begins after its trough
        (1, 7): [0.0, -1.0, 1.0],
        (2, 1): spike(0.3),
    }
    units, probes = tables(waveforms)
    rates = [30000.0, None]
    probes = probes.set_column(probes.schema.get_field_index("sample_rate_hz"), "sample_rate_hz", [rates])
    table = make_cell_type(SESSION, units, probes)
    assert table["reason"].to_pylist() == [
        "no waveform", INVERTED, MISSING, FLAT, AT_EDGE, AT_EDGE, "waveform of 3 samples", "sample rate unknown"
    ]  # fmt: skip
    assert set(table["cell_type"].to_pylist()) == {"not classified"}
    assert table["spike_width_ms"].null_count == 8
    assert table["waveform_source"].to_pylist()[:2] == [None, "units"]
    assert every_cell_type_has_its_grounds(table).passed


def test_the_recording_s_waveform_goes_before_the_sorter_s(tables: Callable) -> None:
    units, probes = tables({(1, 9): spike(0.3), (1, 2): spike(0.3), (2, 9): spike(0.3)})
    rows = [
        {
            "unit_id": 9,
            "sample_rate_hz": 20000.0,
            "waveform_uv": np.r_[spike(0.6, 60, 20000.0), spike(0.2, 60, 20000.0)],
        },
        {"unit_id": 77, "sample_rate_hz": 20000.0, "waveform_uv": spike(0.6, 120, 20000.0)},
    ]
    rest = {"probe": 1, "n_samples": 60, "source": "ap.bin"}
    known = {c.name: 1 if not c.nullable and not pa.types.is_list(c.type) else None for c in UNIT_WAVEFORMS.columns}
    lists = {c.name: [] for c in UNIT_WAVEFORMS.columns if pa.types.is_list(c.type)}
    raw = UNIT_WAVEFORMS.from_rows({**known, **lists, "session": SESSION, **rest, **row} for row in rows)
    table = make_cell_type(SESSION, units, probes, raw)
    assert table["cell_type"].to_pylist() == ["Pyr", "FS", "FS"]
    assert table["spike_width_ms"].to_numpy() == pytest.approx([0.6, 0.3, 0.3], abs=3e-3)
    assert table["waveform_source"].to_pylist() == ["ap.bin", "units", "units"]


def test_a_waveform_of_another_sorting_is_another_unit_s(tables: Callable) -> None:
    units, probes = tables({(1, 9): spike(0.3), (1, 2): spike(0.3), (2, 9): spike(0.3)})
    column = units.schema.get_field_index("sorting")
    units = units.set_column(column, "sorting", pa.array(["b", "b", None]))
    rows = [
        {"probe": 1, "unit_id": 9, "sorting": "a"},
        {"probe": 1, "unit_id": 2, "sorting": "b"},
        {"probe": 2, "unit_id": 9, "sorting": "b"},
    ]
    known = {c.name: 1 if not c.nullable and not pa.types.is_list(c.type) else None for c in UNIT_WAVEFORMS.columns}
    rest = {"session": SESSION, "n_samples": 82, "source": "ap.bin", "sample_rate_hz": 30000.0}
    rest |= {"electrodes": [], "waveform_uv": spike(0.6)}
    raw = UNIT_WAVEFORMS.from_rows({**known, **rest, **row} for row in rows)
    table = make_cell_type(SESSION, units, probes, raw)
    assert table["waveform_source"].to_pylist() == ["units", "ap.bin", "units"]
    assert table["cell_type"].to_pylist() == ["FS", "Pyr", "FS"]
    nameless = make_cell_type(SESSION, units, probes, raw.drop_columns(["sorting"]))
    assert set(nameless["waveform_source"].to_pylist()) == {"units"}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(4, 90))
def test_trough_and_peak_are_those_of_a_fine_grid(seed: int, n_samples: int) -> None:
    from scipy.interpolate import CubicSpline

    rng = np.random.default_rng(seed)
    waveforms = np.cumsum(rng.normal(size=(6, n_samples)), axis=1) * rng.choice([1, 1e-6, 1e4])
    width, reason = trough_to_peak(waveforms)
    grid = np.linspace(0, n_samples - 1, (n_samples - 1) * 200 + 1)
    for one, found, why in zip(waveforms, width, reason, strict=True):
        fine = CubicSpline(np.arange(n_samples), one - np.median(one))(grid)
        trough = int(np.argmin(fine))
        after = fine[trough:]
        assert np.isfinite(found) == (why == MEASURED)
        if why == MEASURED:
            # Two peaks may be equally high; then the grid's is no higher than the one found.
            at = round((grid[trough] + found) * 200)
            assert fine[min(at, len(fine) - 1)] == pytest.approx(after.max(), rel=1e-3, abs=1e-3 * np.ptp(fine))
            assert grid[trough] + found < n_samples - 1
        elif why == AT_EDGE:
            assert trough <= 1 or len(after) <= 2 or np.argmax(after) >= len(after) - 2
        else:
            assert why == INVERTED
            assert fine.max() >= -fine.min() * (1 - 1e-3)


def test_a_type_against_its_width_is_noticed(tables: Callable) -> None:
    units, probes = tables({(1, 1): spike(0.3), (1, 2): spike(0.6)})
    table = make_cell_type(SESSION, units, probes)
    turned = table.set_column(table.schema.get_field_index("cell_type"), "cell_type", [["Pyr", "not classified"]])
    verdict = every_cell_type_has_its_grounds(CELL_TYPE.check(turned))
    assert not verdict.passed
    assert verdict.figures == {"n_units": 2, "n_wrong": 2, "n_silent": 1}
    assert every_cell_type_has_its_grounds(CELL_TYPE.empty()).passed


def test_thousands_of_waveforms_take_no_time() -> None:
    import time

    waveforms = np.tile([spike(0.3), spike(0.6)], (1000, 1))
    start = time.perf_counter()
    width, _ = trough_to_peak(waveforms)
    assert time.perf_counter() - start < 1
    assert width / 30 == pytest.approx(np.tile([0.3, 0.6], 1000), abs=1e-3)
