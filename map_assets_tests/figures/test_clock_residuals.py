"""Figure clock_residuals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from map_assets.ephys.tables import CLOCK_MAPS
from map_assets.figures.clock_residuals import draw
from map_assets.figures.drawing import MAX_PNG_BYTES, Drawing, NotApplicable

SESSION = "SC022_20190228_151010"


def clock(probe: int, n: int, *outliers_s: float, **changes: Any) -> dict[str, Any]:
    """A probe's clock map with n anchors of 0.2 ms rms over an hour; outliers by their residuals."""
    rng = np.random.default_rng(probe)
    residual_s = rng.normal(0, 2e-4, max(n, 1))
    row: dict[str, Any] = {column.name: [] for column in CLOCK_MAPS.columns if pa.types.is_list(column.type)}
    row |= {
        "session": SESSION,
        "probe": probe,
        "n_anchors": n,
        "anchor_kind": "go cue",
        "drift_ppm": 21.5,
        "offset_s": -3.0,
        "residual_rms_s": float(np.sqrt(np.mean(residual_s**2))),
        "residual_max_s": float(np.max(np.abs(residual_s))),
        "anchor_session_s": np.linspace(5, 3600, max(n, 1)).tolist(),
        "anchor_residual_s": residual_s.tolist(),
        "n_outliers": len(outliers_s),
        "outlier_session_s": np.linspace(100, 3000, len(outliers_s)).tolist(),
        "outlier_residual_s": list(outliers_s),
    }
    return row | changes


def svg(*rows: dict[str, Any]) -> str:
    drawing = draw(SESSION, CLOCK_MAPS.from_rows(rows))
    assert isinstance(drawing, Drawing)
    assert drawing.png.startswith(b"\x89PNG")
    assert len(drawing.png) <= MAX_PNG_BYTES
    return drawing.svg.decode()


def test_each_probe_with_anchors_has_a_panel_that_says_drift_and_residuals() -> None:
    said = svg(clock(2, 40), clock(1, 550), clock(3, 0))
    assert said.index("probe 1:  drift +21.50 ppm") < said.index("probe 2:  drift +21.50 ppm")
    assert "probe 3:" not in said
    assert "no clock for probe 3" in said
    assert "550 anchors (go cue)" in said
    rms_ms = clock(2, 40)["residual_rms_s"] * 1e3
    assert f"rms {rms_ms:.3f} ms" in said
    assert "outlier," not in said


def test_outliers_are_counted_and_those_beyond_the_axis_say_their_size() -> None:
    said = svg(clock(1, 60, 0.006, -0.4, 2.5, contradicted_trials=[7, 8]))
    assert "3 outliers" in said
    assert "2 refused for their start" in said
    assert "-400 ms" in said or "\u2212400 ms" in said
    assert "+2.50 s" in said
    assert "+6 ms" not in said


def test_a_single_anchor_is_drawn() -> None:
    assert "1 anchor<" in svg(clock(1, 1)).replace(",  ", "<")


def test_the_same_maps_give_the_same_bytes() -> None:
    table = CLOCK_MAPS.from_rows([clock(1, 30, 0.3)])
    assert draw(SESSION, table) == draw(SESSION, table)


@pytest.mark.parametrize("rows", [[], [clock(1, 0)]])
def test_without_anchors_there_is_nothing_to_draw(rows: list[dict[str, Any]]) -> None:
    assert draw(SESSION, CLOCK_MAPS.from_rows(rows)) == NotApplicable("no probe has a clock map with anchors")


def test_a_map_without_outlier_columns_filled_is_drawn() -> None:
    empty = dict.fromkeys(
        ("n_outliers", "outlier_trials", "outlier_session_s", "outlier_residual_s", "contradicted_trials")
    )
    assert "outliers" not in svg(clock(1, 20, **empty)).replace("red: outliers", "")
