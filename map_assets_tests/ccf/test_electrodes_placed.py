"""Contacts outside the labelled volume, contacts along a traced track, and the columns of the IBL's probe geometry."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from map_assets.ccf.along_track import place_along_track
from map_assets.ccf.annotation import AnnotationVolume
from map_assets.ccf.electrodes import make_electrodes
from map_assets.ccf.ontology import make_ontology
from map_assets.ccf.shank_checks import labels_have_names, rows_are_told_apart
from map_assets.ccf.tables import ELECTRODE_POSITIONS, PROBE_TRACKS

SESSION = "SC022_20190228_151010"
Sites = Callable[..., pa.Table]


def _rows(ccf_um: np.ndarray, **more: object) -> dict[str, object]:
    n = len(ccf_um)
    places = {f"ccf_{axis}_um": ccf_um[:, i] for i, axis in enumerate(("ap", "dv", "ml"))}
    return {"session": [SESSION] * n, "probe": [1] * n, "shank": [0] * n, "file": ["f"] * n, **places, **more}


def _positions(ccf_um: np.ndarray, x_um: np.ndarray | None, y_um: np.ndarray | None, **columns: object) -> pa.Table:
    n = len(ccf_um)
    more = {"position_id": np.arange(n), "format": ["a"] * n} | columns
    more |= {} if x_um is None else {"x_um": x_um, "y_um": y_um}
    return ELECTRODE_POSITIONS.from_columns(_rows(ccf_um, **more))


def _track(ccf_um: np.ndarray, shank: int = 0) -> pa.Table:
    return PROBE_TRACKS.from_columns(_rows(ccf_um, point=np.arange(len(ccf_um)), shank=[shank] * len(ccf_um)))


def _place(electrodes: pa.Table) -> np.ndarray:
    return np.stack([electrodes[f"ccf_{axis}_um"].to_numpy() for axis in ("ap", "dv", "ml")], axis=1)


def test_the_ibls_columns_find_the_contacts_of_the_earlier_pipeline(make_sites: Sites) -> None:
    """59, 43, 27 and 11 um are 48, 32, 16 and 0: the IBL's zero is 11 um further left."""
    sites = make_sites(np.arange(4))
    assert sites["x_um"].to_pylist() == [16.0, 48.0, 0.0, 32.0]
    lateral, axial = np.array([59.0, 43.0, 27.0, 11.0]), np.array([0.0, 20.0, 0.0, 20.0])
    ccf_um = np.stack([np.full(4, 5000.0), np.full(4, 3000.0), lateral], axis=1)
    table = make_electrodes(SESSION, sites, _positions(ccf_um, lateral, axial))
    matched = dict(zip(sites["x_um"].to_pylist(), table["ccf_ml_um"].to_pylist(), strict=True))
    assert matched == {48.0: 59.0, 32.0: 43.0, 16.0: 27.0, 0.0: 11.0}
    assert set(table["position_source"].to_pylist()) == {"traced"}


def test_a_contact_outside_is_a_row_that_says_so_with_its_nearest_region(
    make_sites: Sites, small_volume: AnnotationVolume
) -> None:
    sites = make_sites(np.arange(5))
    ccf_um = np.array(
        [[5000, 3000, 3000], [5000, 1900, 3000], [5000, -500, 7000], [5000, 3000, 12000], [5000, 1999, 5601]], float
    )
    known = _positions(ccf_um, sites["x_um"].to_numpy(), sites["y_um"].to_numpy())
    table = make_electrodes(SESSION, sites, known, small_volume, make_ontology())
    assert np.array_equal(_place(table), ccf_um)
    assert table["region_status"].to_pylist() == ["labelled", *["outside"] * 4]
    assert table["region"].to_pylist() == ["CP", None, None, None, None]
    assert table["nearest_region"].to_pylist() == [None, "CP", "VISp", "VISp", "VISp"]
    assert table["nearest_region_id"].to_pylist() == [None, 672, 385, 385, 385]
    assert table["nearest_region_um"].to_pylist() == [None, 100.0, 2500.0, 600.0, 1.0]


def test_every_row_says_which_volume_was_looked_up_in(make_sites: Sites, small_volume: AnnotationVolume) -> None:
    sites = make_sites(np.arange(4))
    with_volume = make_electrodes(SESSION, sites, None, small_volume)
    assert set(with_volume["annotation_sha256"].to_pylist()) == {small_volume.sha256}
    assert len(small_volume.sha256) == 64
    assert make_electrodes(SESSION, sites)["annotation_sha256"].null_count == 4


def test_a_label_that_the_ontology_does_not_know_is_said_and_stops_nothing(make_sites: Sites) -> None:
    volume = AnnotationVolume.from_labels(np.full((66, 40, 57), 4_000_000_000, np.uint32))
    sites = make_sites(np.arange(2))
    known = _positions(np.full((2, 3), 5000.0), sites["x_um"].to_numpy(), sites["y_um"].to_numpy())
    table = make_electrodes(SESSION, sites, known, volume, make_ontology())
    assert table["region_id"].to_pylist() == [4_000_000_000] * 2
    assert table["region"].null_count == 2
    verdict = labels_have_names(table)
    assert not verdict.passed
    assert "4000000000" in verdict.description
    assert labels_have_names(make_electrodes(SESSION, sites)).passed


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 0, 2]])
def test_a_shank_with_a_track_alone_is_placed_from_its_deeper_end(make_sites: Sites, order: list[int]) -> None:
    sites = make_sites(np.arange(384))
    track = _track(np.array([[5000.0, 1000.0, 3000.0], [5000.0, 3000.0, 3000.0], [5000.0, 4500.0, 3000.0]])[order])
    table = make_electrodes(SESSION, sites, None, None, None, track, tip_length_um=175.0)
    y_um = sites["y_um"].to_numpy()
    is_on = y_um + 175 <= 3500 + 20
    assert np.allclose(table["ccf_dv_um"].to_numpy()[is_on], (4325 - y_um)[is_on])
    assert set(np.array(table["position_source"].to_pylist(), object)[is_on]) == {"along the track"}
    assert set(np.array(table["region_status"].to_pylist())[~is_on]) == {"not traced"}
    assert np.count_nonzero(~is_on) > 0
    by_probe = make_electrodes(SESSION, sites, None, None, None, track, {2: 175.0})
    assert by_probe["ccf_dv_um"][0].as_py() == 4500.0


def test_positions_of_contacts_go_before_a_track(make_sites: Sites) -> None:
    sites = make_sites(np.r_[0:8, 1280:1288], kind="np2")
    first = sites.slice(0, 8)
    ccf_um = np.stack([np.full(8, 7000.0), 3000 - first["y_um"].to_numpy(), np.full(8, 2000.0)], axis=1)
    known = _positions(ccf_um, first["x_um"].to_numpy(), first["y_um"].to_numpy())
    ends = np.array([[5000.0, 1000.0, 3000.0], [5000.0, 4500.0, 3000.0]])
    tracks = pa.concat_tables([_track(ends), _track(ends, shank=1)])
    table = make_electrodes(SESSION, sites, known, None, None, tracks)
    assert table["position_source"].to_pylist() == ["traced"] * 8 + ["along the track"] * 8
    assert np.array_equal(_place(table)[:8], ccf_um)
    assert np.allclose(_place(table)[8:, 1], 4500 - sites["y_um"].to_numpy()[8:])


_POINT = st.tuples(st.floats(4000, 9000), st.floats(100, 7000), st.floats(1000, 10_000))


@given(
    tip=_POINT, up=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)), n=st.integers(2, 12), seed=st.integers(0, 99)
)
def test_on_a_straight_track_distances_are_those_of_the_probe(
    tip: tuple[float, float, float], up: tuple[float, float], n: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    direction = np.array([up[0], -1.0, up[1]]) / np.linalg.norm([up[0], -1.0, up[1]])
    along = np.r_[0, np.sort(rng.uniform(50, 4000, n - 1))]
    points = np.array(tip) + along[:, None] * direction
    above = rng.uniform(0, along[-1], 30)
    placed = place_along_track(rng.permutation(points), above)
    assert np.allclose(placed, np.array(tip) + above[:, None] * direction, atol=1e-6)
    assert np.isnan(place_along_track(points, np.array([along[-1] + 1.0]))).all()


@pytest.mark.parametrize("points", [np.empty((0, 3)), np.ones((1, 3)), np.ones((4, 3))])
def test_a_track_of_one_place_places_nothing(points: np.ndarray) -> None:
    assert np.isnan(place_along_track(points, np.array([0.0, 20.0]))).all()


@given(tip=_POINT, up=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)), n=st.integers(2, 600))
def test_the_voxels_of_a_straight_track_do_not_make_it_longer(
    tip: tuple[float, float, float], up: tuple[float, float], n: int
) -> None:
    """Atlas tools give tracks as middles of 25 um voxels: a stair, as long as its steps together."""
    direction = np.array([up[0], -1.0, up[1]]) / np.linalg.norm([up[0], -1.0, up[1]])
    along = np.linspace(0, 3600, n)
    voxels = 25 * (np.floor((np.array(tip) + along[:, None] * direction) / 25) + 0.5)
    above = np.array([0.0, 1000.0, 2000.0, 3000.0])
    off_um = np.linalg.norm(place_along_track(voxels, above) - (np.array(tip) + above[:, None] * direction), axis=1)
    assert off_um.max() < 50


@pytest.mark.parametrize(("n", "jitter_um"), [(10, 25.0), (200, 15.0), (400, 25.0)])
def test_a_hand_that_trembles_does_not_make_a_track_longer(n: int, jitter_um: float) -> None:
    rng = np.random.default_rng(0)
    track = np.stack([np.full(n, 5000.0), np.linspace(500, 4100, n), np.full(n, 3000.0)], axis=1)
    above = np.array([0.0, 1000.0, 2000.0, 3000.0])
    for _ in range(20):
        placed = place_along_track(track + rng.normal(0, jitter_um, track.shape), above)
        assert np.abs(placed[:, 1] - (4100 - above)).max() < 4 * jitter_um


def test_a_track_that_bends_is_measured_around_its_bend() -> None:
    track = np.array([[5000.0, 5000.0, 3000.0], [5000.0, 4000.0, 3000.0], [5800.0, 3400.0, 3000.0]])
    assert np.allclose(place_along_track(track, np.array([500.0, 1500.0])), [[5000, 4500, 3000], [5400, 3700, 3000]])
    angle = np.linspace(0, 0.6, 300)  # an arc of 5 mm radius, 3 mm long
    arc = np.stack([5000 + 5000 * (1 - np.cos(angle)), 6000 - 5000 * np.sin(angle), np.full(300, 3000.0)], axis=1)
    true = [[5000 + 5000 * (1 - np.cos(a)), 6000 - 5000 * np.sin(a), 3000] for a in (0.2, 0.4)]
    assert np.linalg.norm(place_along_track(arc, np.array([1000.0, 2000.0])) - true, axis=1).max() < 15


@pytest.mark.parametrize("lost", [slice(0, 0), slice(0, 2), slice(0, 6), slice(382, 384), slice(100, 120)])
@pytest.mark.parametrize("above_um", [0.0, 20.0])
def test_rows_that_the_histology_lacks_do_not_move_the_others(make_sites: Sites, lost: slice, above_um: float) -> None:
    sites = make_sites(np.arange(384))
    x_um, y_um = sites["x_um"].to_numpy(), sites["y_um"].to_numpy()
    ccf_um = np.stack([np.full(384, 5000.0), 6000 - y_um, 3000 + x_um], axis=1)
    keep = np.delete(np.arange(384), lost)
    known = _positions(ccf_um[keep], x_um[keep], y_um[keep] + above_um)
    table = make_electrodes(SESSION, sites, known)
    verdict = rows_are_told_apart(table, known)
    undecided = {0.0: slice(0, 2), 20.0: slice(382, 384)}[above_um]
    if lost in (undecided, slice(0, 6)) and not (lost == slice(0, 6) and above_um == 20.0):
        assert not verdict.passed
        assert "probe 1 shank 1" in verdict.description
    else:
        assert verdict.passed
        assert np.array_equal(_place(table)[keep], ccf_um[keep])


@pytest.mark.parametrize(
    "contacts",
    [
        1280 + 2 * np.arange(100) + np.arange(100) % 2,
        1280 + 1 + 2 * np.arange(100),
        np.array([1290, 1291]),
        np.r_[0:200, 3 * 1280 + 51],
        np.r_[1280 + 96 : 1280 + 192, 3 * 1280 + 700 : 3 * 1280 + 800],
    ],
)
def test_whatever_is_recorded_of_a_further_shank_its_contacts_are_known(
    make_sites: Sites, contacts: np.ndarray
) -> None:
    number = np.arange(1280)
    on_shank = np.stack([5000.0 + number % 2, 9000 - number // 2 * 15.0, np.zeros(1280)], axis=1)
    tables = [
        _positions(on_shank + np.array([0, 0, 3000 + 250 * shank]), None, None, contact=number, shank=[shank] * 1280)
        for shank in np.unique(contacts // 1280)
    ]
    table = make_electrodes(SESSION, make_sites(contacts, kind="np2"), pa.concat_tables(tables))
    contact = contacts % 1280
    true = np.stack([5000.0 + contact % 2, 9000 - contact // 2 * 15.0, 3000.0 + 250 * (contacts // 1280)], axis=1)
    assert np.array_equal(_place(table), true)
    assert set(table["position_source"].to_pylist()) == {"traced"}
