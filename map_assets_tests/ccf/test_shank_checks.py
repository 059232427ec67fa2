"""Shanks of one probe against each other: mirrored, exchanged, missing, half traced."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from map_assets.ccf.checks import hemisphere_agrees_with_the_surgery
from map_assets.ccf.electrodes import make_electrodes
from map_assets.ccf.shank_checks import shanks_stand_as_on_the_probe, traced_probes_are_traced_whole
from map_assets.ccf.tables import ELECTRODE_POSITIONS
from map_assets.vocabulary.frame import mirrored
from map_assets.vocabulary.subject import Insertion
from map_assets_tests.ccf.conftest import SESSION, sites

PROBE = sites(np.concatenate([np.arange(first, first + 300) for first in 1280 * np.arange(4)]), kind="np2")
SHANK, X_UM, Y_UM = (PROBE[name].to_numpy() for name in ("shank", "x_um", "y_um"))
PLACES = np.array([5000.0, 4500.0, 7700.0]) + np.stack([0 * X_UM, -Y_UM, X_UM], axis=1)


def electrodes(places: np.ndarray, keep: np.ndarray | slice = slice(None)) -> pa.Table:
    n = len(places[keep])
    columns = {f"ccf_{axis}_um": places[keep, i] for i, axis in enumerate(("ap", "dv", "ml"))}
    columns |= {"shank": SHANK[keep], "contact": (np.arange(1200) % 300)[keep], "position_id": np.arange(n)}
    columns |= {"session": [SESSION] * n, "probe": [1] * n, "format": ["f"] * n, "file": ["f"] * n}
    return make_electrodes(SESSION, PROBE, ELECTRODE_POSITIONS.from_columns(columns))


def aimed(ml_um: float) -> list[Insertion]:
    return [Insertion("SC022", date(2019, 2, 28), None, 1, ml_um=ml_um)]


def moved(source: dict[int, int]) -> np.ndarray:
    """Places with the shanks' files exchanged: each shank has the places of another."""
    return np.concatenate([PLACES[source.get(shank, shank) == SHANK] for shank in range(4)])


@pytest.mark.parametrize("odd", [[2], [0, 3], [2, 3], [0, 1, 2]])
def test_mirrored_shanks_are_named(odd: list[int]) -> None:
    places = np.where(np.isin(SHANK, odd)[:, None], mirrored(PLACES), PLACES)
    verdict = hemisphere_agrees_with_the_surgery(electrodes(places), aimed(2200.0))
    assert not verdict.passed
    assert f"its shank {' and '.join(str(one + 1) for one in odd)} alone is traced to the left" in verdict.description
    assert not shanks_stand_as_on_the_probe(electrodes(places)).passed


def test_one_mirrored_shank_is_named_by_its_distance_from_the_others() -> None:
    places = np.where((SHANK == 2)[:, None], mirrored(PLACES), PLACES)
    verdict = shanks_stand_as_on_the_probe(electrodes(places))
    assert verdict.figures["n_wrong"] == 1
    assert "probe 1 shank 3 lies" in verdict.description
    assert "250 um on the probe" in verdict.description


def test_a_probe_as_it_should_be_passes_and_so_does_one_that_straddles_the_midline() -> None:
    table = electrodes(PLACES)
    assert hemisphere_agrees_with_the_surgery(table, aimed(2200.0)).passed
    verdict = shanks_stand_as_on_the_probe(table)
    assert (verdict.passed, verdict.figures["n_compared"]) == (True, 1)
    rounded = 20 * np.round((PLACES + np.random.default_rng(0).normal(0, 30, PLACES.shape)) / 20)
    assert shanks_stand_as_on_the_probe(electrodes(rounded)).passed
    across = PLACES - [0, 0, 2100.0]  # from 5,600 um to 6,382 um
    assert hemisphere_agrees_with_the_surgery(electrodes(across), aimed(300.0)).passed


def test_a_whole_probe_on_the_other_side_is_still_that() -> None:
    verdict = hemisphere_agrees_with_the_surgery(electrodes(PLACES), aimed(-2200.0))
    assert "most of its contacts are traced to the right" in verdict.description
    no_side = hemisphere_agrees_with_the_surgery(electrodes(PLACES), aimed(float("nan")))
    assert (no_side.passed, no_side.description) == (True, "there is no side to compare")


@pytest.mark.parametrize("source", [{0: 1, 1: 0}, {1: 2, 2: 1}, {0: 3, 3: 0}, {0: 2, 2: 0}])
def test_exchanged_shanks_are_noticed(source: dict[int, int]) -> None:
    assert not shanks_stand_as_on_the_probe(electrodes(moved(source))).passed


def test_a_probe_put_in_the_other_way_round_has_its_shanks_in_order() -> None:
    assert shanks_stand_as_on_the_probe(electrodes(moved({0: 3, 1: 2, 2: 1, 3: 0}))).passed


def test_a_shank_without_a_place_and_a_short_file_are_said() -> None:
    assert traced_probes_are_traced_whole(electrodes(PLACES)).passed
    missing = traced_probes_are_traced_whole(electrodes(PLACES, SHANK < 2))
    assert missing.figures == {"n_wrong": 2, "largest_share_missing": 1.0}
    assert "probe 1 shank 4 is not traced" in missing.description
    short = traced_probes_are_traced_whole(electrodes(PLACES, Y_UM < 500))
    assert short.figures["n_wrong"] == 4
    assert "has no place for" in short.description
    assert traced_probes_are_traced_whole(make_electrodes(SESSION, PROBE)).passed
