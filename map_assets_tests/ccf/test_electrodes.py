"""Electrodes: joined by contact number or by geometry, interpolated between, looked up in the volume."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from map_assets.ccf.annotation import AnnotationVolume
from map_assets.ccf.checks import (
    electrodes_follow_the_shank,
    hemisphere_agrees_with_the_surgery,
    positions_find_their_contacts,
)
from map_assets.ccf.electrodes import make_electrodes
from map_assets.ccf.ontology import make_ontology
from map_assets.ccf.tables import ELECTRODE_POSITIONS
from map_assets.vocabulary.subject import Insertion

SESSION = "SC022_20190228_151010"
Sites = Callable[..., pa.Table]


def _ccf(x_um: np.ndarray, y_um: np.ndarray) -> np.ndarray:
    """A shank that goes straight down on the left: tip at DV 6000, x along ML."""
    return np.stack([np.full(len(y_um), 5000.0), 6000.0 - y_um, 3000.0 + x_um], axis=1)


def _positions(ccf_um: np.ndarray, shank: int | np.ndarray = 0, **along: np.ndarray) -> pa.Table:
    n = len(ccf_um)
    columns = {name: list(values) for name, values in along.items()}
    return ELECTRODE_POSITIONS.from_columns(
        {
            "session": [SESSION] * n,
            "probe": [1] * n,
            "position_id": np.arange(n),
            "shank": np.broadcast_to(shank, n),
            "ccf_ap_um": ccf_um[:, 0],
            "ccf_dv_um": ccf_um[:, 1],
            "ccf_ml_um": ccf_um[:, 2],
            "format": ["a"] * n,
            "file": ["f"] * n,
            **columns,
        }
    )


def _place(electrodes: pa.Table) -> np.ndarray:
    return np.stack([electrodes[f"ccf_{axis}_um"].to_numpy() for axis in ("ap", "dv", "ml")], axis=1)


def test_without_histology_every_contact_is_not_traced(make_sites: Sites, small_volume: AnnotationVolume) -> None:
    table = make_electrodes(SESSION, make_sites(np.arange(384)), None, small_volume, make_ontology())
    assert table.num_rows == 384
    assert set(table["region_status"].to_pylist()) == {"not traced"}
    for name in ("ccf_ap_um", "ccf_dv_um", "ccf_ml_um", "region_id", "region", "hemisphere", "position_source"):
        assert table[name].null_count == 384
    assert table["is_used"].to_pylist() == [True] * 384


@pytest.mark.parametrize(("shift_x", "shift_y"), [(0, 0), (11, 0), (11, 20), (0, 20)])
def test_each_contact_gets_its_own_position_whatever_the_zero_of_the_columns(
    make_sites: Sites, shift_x: float, shift_y: float
) -> None:
    sites = make_sites(np.arange(384, 768))
    x, y = sites["x_um"].to_numpy(), sites["y_um"].to_numpy()
    shuffled = np.random.default_rng(0).permutation(384)
    known = _positions(_ccf(x, y)[shuffled], x_um=(x + shift_x)[shuffled], y_um=(y + shift_y)[shuffled])
    table = make_electrodes(SESSION, sites, known)
    assert np.array_equal(_place(table), _ccf(x, y))
    assert set(table["region_status"].to_pylist()) == {"no volume"}
    assert set(table["position_source"].to_pylist()) == {"traced"}


def test_a_column_that_was_not_recorded_does_not_mix_up_the_others(make_sites: Sites) -> None:
    everything = make_sites(np.arange(200))
    x, y = everything["x_um"].to_numpy(), everything["y_um"].to_numpy()
    known = _positions(_ccf(x, y), x_um=x + 11, y_um=y)
    some = make_sites(np.arange(0, 200, 2)[3:])
    table = make_electrodes(SESSION, some, known)
    assert np.array_equal(_place(table), _ccf(some["x_um"].to_numpy(), some["y_um"].to_numpy()))


def test_columns_that_are_staggered_the_other_way_round_pair_from_left_to_right(make_sites: Sites) -> None:
    """Kilosort's old map of the NP1.0 probe has 11 and 43 um where SpikeGLX has 16 and 48, and 27 and 59 for 0 and 32."""
    sites = make_sites(np.arange(384))
    x, y = sites["x_um"].to_numpy(), sites["y_um"].to_numpy()
    x_kilosort = np.where(y % 40 == 0, x - 16 + 11, x + 27)
    known = _positions(_ccf(x_kilosort, y), x_um=x_kilosort, y_um=y)
    table = make_electrodes(SESSION, sites, known)
    assert np.array_equal(_place(table), _ccf(x_kilosort, y))
    assert set(table["position_source"].to_pylist()) == {"traced"}


def test_gaps_are_interpolated_and_nothing_is_extrapolated_beyond_a_row(make_sites: Sites) -> None:
    sites = make_sites(np.arange(100))
    x, y = sites["x_um"].to_numpy(), sites["y_um"].to_numpy()
    keep = ((y >= 200) & (y <= 400)) | ((y >= 600) & (y <= 700))
    known = _positions(_ccf(0 * x, y)[keep], x_um=x[keep] + 11, y_um=y[keep])
    table = make_electrodes(SESSION, sites, known)
    place = _place(table)
    is_placed = np.isfinite(place).all(axis=1)
    assert np.array_equal(is_placed, (y >= 180) & (y <= 720))
    assert np.allclose(place[is_placed], _ccf(0 * x, y)[is_placed])
    source = np.array(table["position_source"].to_pylist(), dtype=object)
    assert set(source[keep]) == {"traced"}
    assert set(source[is_placed & ~keep]) == {"interpolated"}
    assert set(source[~is_placed]) == {None}
    assert set(np.array(table["region_status"].to_pylist())[~is_placed]) == {"not traced"}


def test_one_known_place_is_not_stretched_over_the_shank(make_sites: Sites) -> None:
    known = _positions(np.array([[5000.0, 5000.0, 3000.0]]), x_um=np.array([27.0]), y_um=np.array([0.0]))
    table = make_electrodes(SESSION, make_sites(np.arange(10)), known)
    assert table.num_rows - table["ccf_ap_um"].null_count == 1


@pytest.mark.parametrize(
    "recorded",
    [
        np.r_[0:96, 1280:1376, 2560:2656, 3840:3936],
        np.r_[500:596, 1280 + 7 : 1280 + 103, 2560 + 800 : 2560 + 896, 3840 + 33 : 3840 + 129],
        np.r_[1280 : 1280 + 768 : 2],
        np.r_[2560 + 2 : 2560 + 400 : 4, 2560 + 3 : 2560 + 400 : 4],
    ],
)
def test_landmarks_are_joined_by_the_contact_number_on_the_shank(make_sites: Sites, recorded: np.ndarray) -> None:
    sites = make_sites(np.sort(recorded), kind="np2")
    contact = np.arange(1280)
    parts = [
        _positions(
            np.stack([1000.0 * shank + 0 * contact, 7000.0 - contact, 3000.0 + 0 * contact], axis=1),
            shank,
            contact=contact,
        )
        for shank in range(4)
    ]
    numbered = pa.concat_tables(parts).set_column(
        2, ELECTRODE_POSITIONS.schema.field("position_id"), [np.arange(4 * 1280)]
    )
    table = make_electrodes(SESSION, sites, ELECTRODE_POSITIONS.check(numbered))
    number = table["electrode"].to_numpy()
    expected = np.stack([1000.0 * (number // 1280), 7000.0 - number % 1280, np.full(len(number), 3000.0)], axis=1)
    assert np.array_equal(_place(table), expected)


def test_a_contact_without_landmark_lies_between_its_neighbours(make_sites: Sites) -> None:
    contact = np.r_[0:20, 30:60]
    known = _positions(np.stack([0.0 * contact, 7000.0 - 10.0 * contact, 0.0 * contact], axis=1), contact=contact)
    table = make_electrodes(SESSION, make_sites(np.arange(100)), known)
    dv = table["ccf_dv_um"].to_numpy()
    assert np.allclose(dv[:62], 7000.0 - 10.0 * np.arange(62))
    assert np.isnan(dv[62:]).all()
    assert table["position_source"].to_pylist()[19:31] == ["traced", *["interpolated"] * 10, "traced"]


def test_regions_sides_and_statuses_come_from_the_volume(make_sites: Sites, small_volume: AnnotationVolume) -> None:
    sites = make_sites(np.arange(4))
    ccf_um = np.array([[5000, 3000, 3000], [5000, 3000, 7000], [5000, 100, 3000], [5000, -50, 7000]], float)
    known = _positions(ccf_um, x_um=sites["x_um"].to_numpy(), y_um=sites["y_um"].to_numpy())
    table = make_electrodes(SESSION, sites, known, small_volume, make_ontology())
    assert table["region_status"].to_pylist() == ["labelled", "labelled", "outside", "outside"]
    assert table["region_id"].to_pylist() == [672, 385, None, None]
    assert table["region"].to_pylist() == ["CP", "VISp", None, None]
    assert table["hemisphere"].to_pylist() == ["left", "right", "left", "right"]
    nameless = make_electrodes(SESSION, sites, known, small_volume)
    assert nameless["region_id"].to_pylist() == [672, 385, None, None]
    assert nameless["region"].null_count == 4


def test_positions_of_a_shank_without_contacts_are_left_and_said(make_sites: Sites) -> None:
    sites = make_sites(np.arange(96), kind="np2")
    x, y = sites["x_um"].to_numpy(), sites["y_um"].to_numpy()
    known = _positions(_ccf(x, y), shank=2, x_um=x, y_um=y)
    table = make_electrodes(SESSION, sites, known)
    assert table["ccf_ap_um"].null_count == 96
    verdict = positions_find_their_contacts(table, known)
    assert not verdict.passed
    assert "probe 1 shank 3" in verdict.description
    good = _positions(_ccf(x, y), shank=0, x_um=x, y_um=y)
    assert positions_find_their_contacts(make_electrodes(SESSION, sites, good), good).passed


def test_traced_contacts_that_lie_in_order_pass_and_twisted_ones_fail(make_sites: Sites) -> None:
    sites = make_sites(np.arange(384))
    x, y = sites["x_um"].to_numpy(), sites["y_um"].to_numpy()

    def verdict(ccf_um: np.ndarray) -> object:
        known = _positions(ccf_um, x_um=x, y_um=y)
        return electrodes_follow_the_shank(make_electrodes(SESSION, sites, known))

    straight = _ccf(x, y)
    assert verdict(20 * np.round(straight / 20)).passed
    upside_down = straight.copy()
    upside_down[:, 1] = 2000 + y
    assert "tip above" in verdict(upside_down).description
    folded = straight.copy()
    folded[:, 1] = 6000 - np.abs(y - 1000)
    assert "turns back" in verdict(folded).description
    stretched = straight.copy()
    stretched[:, 1] = 6000 - 2 * y
    assert "2.00 times as long" in verdict(stretched).description
    untraced = electrodes_follow_the_shank(make_electrodes(SESSION, sites))
    assert untraced.passed
    assert untraced.figures["n_traced"] == 0


def test_mirrored_histology_is_noticed_against_the_surgery(make_sites: Sites) -> None:
    sites = make_sites(np.arange(384))
    x, y = sites["x_um"].to_numpy(), sites["y_um"].to_numpy()
    table = make_electrodes(SESSION, sites, _positions(_ccf(x, y), x_um=x, y_um=y))
    assert pc.unique(table["hemisphere"]).to_pylist() == ["left"]

    def aimed(**where: object) -> Insertion:
        from datetime import date

        return Insertion("SC022", date(2019, 2, 28), None, 1, **where)

    assert hemisphere_agrees_with_the_surgery(table, [aimed(hemisphere="left")]).passed
    assert hemisphere_agrees_with_the_surgery(table, [aimed(ml_um=-1500.0)]).figures["n_compared"] == 1
    wrong = hemisphere_agrees_with_the_surgery(table, [aimed(ml_um=1500.0)])
    assert not wrong.passed
    assert "probe 1 was aimed at the right" in wrong.description
    assert hemisphere_agrees_with_the_surgery(table, [aimed()]).figures["n_compared"] == 0
