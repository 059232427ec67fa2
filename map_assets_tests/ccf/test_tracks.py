"""Fitted tracks: the line, the surface, depths under it, sections along it, the brain's mesh, and what is claimed of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.ccf import checks, track_checks
from map_assets.ccf.annotation import AnnotationVolume
from map_assets.ccf.lines import fit_line
from map_assets.ccf.mesh import brain_mesh, make_mesh
from map_assets.ccf.tables import ELECTRODES, PROBE_TRACKS
from map_assets.ccf.track_tables import TRACINGS
from map_assets.ccf.tracks import coronal_sheet, line_of, make_tracks, probe_sheets
from map_assets.simulate.atlas import make_volume
from map_assets.vocabulary.errors import UnreadableFile
from map_assets.vocabulary.subject import Insertion

SESSION = "SC022_20190228_151010"
LEFT = np.array([5000.0, 4000.0, 4000.0])
AXES = ("ap", "dv", "ml")


@pytest.fixture(scope="module")
def brain() -> AnnotationVolume:
    """The simulator's brain, an ellipsoid, in voxels of 100 um."""
    return AnnotationVolume.from_labels(make_volume(100.0).labels, "ab" * 32)


def electrodes(ccf_um: np.ndarray, y_um: np.ndarray, probe: int = 1, shank: int = 0, **columns: object) -> pa.Table:
    """Traced contacts of one shank; a NaN place is not traced."""
    n = len(y_um)
    is_placed = np.isfinite(ccf_um).all(axis=1)
    values = {"session": [SESSION] * n, "probe": np.full(n, probe), "electrode": 1280 * shank + np.arange(n)}
    values |= {"shank": np.full(n, shank), "x_um": np.zeros(n), "y_um": y_um, "is_used": np.ones(n, bool)}
    values |= {f"ccf_{axis}_um": pa.array(ccf_um[:, i], mask=~is_placed) for i, axis in enumerate(AXES)}
    values |= {"region_status": pa.array(np.where(is_placed, "labelled", "not traced"))}
    values |= {"position_source": pa.array(np.where(is_placed, "traced", "x"), mask=~is_placed)}
    values |= {"hemisphere": pa.array(np.where(ccf_um[:, 2] < 5700, "left", "right"), mask=~is_placed)}
    return ELECTRODES.from_columns(values | columns)


def straight(n: int = 100, tip: np.ndarray = LEFT, up: tuple[float, ...] = (0, -1, 0), pitch: float = 20.0) -> pa.Table:
    y_um = pitch * np.arange(n)
    direction = np.array(up) / np.linalg.norm(up)
    return electrodes(tip + y_um[:, None] * direction, y_um)


def tracks(points: np.ndarray, probe: int = 1, shank: int = 0) -> pa.Table:
    n = len(points)
    values = {"session": [SESSION] * n, "probe": np.full(n, probe), "shank": np.full(n, shank), "point": np.arange(n)}
    values |= {f"ccf_{axis}_um": points[:, i] for i, axis in enumerate(AXES)}
    return PROBE_TRACKS.from_columns(values | {"file": ["t"] * n})


def one_fit(made: dict[str, pa.Table]) -> dict:
    (row,) = made["probe_track_fits"].to_pylist()
    return row


def place(fit: dict, name: str) -> list[float]:
    return [fit[f"{name}_{axis}_um"] for axis in AXES]


def test_a_straight_probe_gives_its_tip_its_surface_and_every_contacts_depth(brain: AnnotationVolume) -> None:
    made = make_tracks(SESSION, straight(), None, brain)
    fit = one_fit(made)
    column = brain.region_ids(np.c_[np.full(4000, 5000.0), np.arange(4000.0), np.full(4000, 4000.0)])
    surface_dv = float(np.flatnonzero(column > 0)[0])
    assert np.allclose(place(fit, "surface"), [5000, surface_dv, 4000], atol=1.0)
    assert np.allclose(place(fit, "tip_row"), LEFT, atol=1e-6)
    assert np.allclose(place(fit, "deepest"), LEFT, atol=1e-6)
    assert fit["deepest_depth_um"] == pytest.approx(4000 - surface_dv, abs=1.0)
    assert (fit["n_contacts"], fit["n_track_points"]) == (100, 0)
    assert (fit["tilt_deg"], fit["residual_max_um"]) == (pytest.approx(0, abs=1e-5), pytest.approx(0, abs=1e-6))
    depths = made["electrode_depths"]
    assert np.allclose(depths["depth_under_surface_um"].to_numpy(), 4000 - surface_dv - 20 * np.arange(100), atol=1.0)
    assert np.allclose(depths["off_track_um"].to_numpy(), 0, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    tip=st.tuples(st.floats(3000, 9000), st.floats(3000, 5500), st.floats(3000, 8000)),
    up=st.tuples(st.floats(-0.6, 0.6), st.just(-1.0), st.floats(-0.6, 0.6)),
)
def test_any_straight_probe_is_fitted_exactly_and_its_surface_is_the_first_label_from_above(
    brain: AnnotationVolume, tip: tuple[float, ...], up: tuple[float, ...]
) -> None:
    made = make_tracks(SESSION, straight(tip=np.array(tip), up=up), None, brain)
    fit = one_fit(made)
    direction = -np.array(up) / np.linalg.norm(up)
    assert np.allclose([fit[f"direction_{axis}"] for axis in AXES], direction, atol=1e-9)
    assert np.allclose(place(fit, "tip_row"), tip, atol=1e-6)
    surface = np.array(place(fit, "surface"))
    assert brain.region_ids([surface + 1e-6 * direction])[0] > 0
    above = surface - np.arange(1.0, 3000.0, 5.0)[:, None] * direction
    assert (brain.region_ids(above) <= 0).all()
    depth = made["electrode_depths"]["depth_under_surface_um"].to_numpy()
    assert np.allclose(np.diff(depth), -20.0, atol=1e-6)
    assert depth[0] == pytest.approx(np.linalg.norm(tip - surface), abs=1e-6)


def test_a_track_alone_is_fitted_whichever_end_comes_first(brain: AnnotationVolume) -> None:
    points = LEFT + np.linspace(0, 3500, 9)[:, None] * np.array([0.1, -0.99, 0.05])
    none = straight().slice(0, 0)
    up, down = (one_fit(make_tracks(SESSION, none, tracks(one), brain)) for one in (points, points[::-1]))
    assert np.allclose(place(up, "deepest"), LEFT, atol=1e-6)
    assert np.allclose(place(up, "deepest"), place(down, "deepest"))
    assert (up["n_contacts"], up["n_track_points"], up["tip_row_dv_um"]) == (0, 9, None)


def test_a_few_points_of_the_dye_weigh_as_much_as_hundreds_of_contacts() -> None:
    dye = np.array([[5000.0, 1000, 4100], [5000, 4000, 4100]])
    fit = one_fit(make_tracks(SESSION, straight(n=300, pitch=10.0), tracks(dye)))
    assert fit["deepest_ml_um"] == pytest.approx(4050, abs=5)
    assert fit["residual_rms_um"] == pytest.approx(50, abs=5)


def test_contacts_that_were_not_traced_themselves_do_not_bend_the_line() -> None:
    table = straight()
    places = np.stack([table[f"ccf_{axis}_um"].to_numpy() for axis in AXES], axis=1)
    places[50:] += [0, 0, 500]
    source = pa.array(["traced"] * 50 + ["interpolated"] * 50)
    made = make_tracks(SESSION, electrodes(places, table["y_um"].to_numpy(), position_source=source))
    assert one_fit(made)["residual_max_um"] == pytest.approx(0, abs=1e-6)
    assert np.allclose(made["electrode_depths"]["off_track_um"].to_numpy()[50:], 500, atol=1e-6)


def test_without_a_volume_or_beside_the_brain_there_is_a_line_and_no_depth(brain: AnnotationVolume) -> None:
    beside = straight(tip=np.array([200.0, 4000.0, 200.0]))
    for made in (make_tracks(SESSION, straight()), make_tracks(SESSION, beside, None, brain)):
        fit = one_fit(made)
        assert (fit["surface_dv_um"], fit["deepest_depth_um"], fit["tip_row_depth_um"]) == (None, None, None)
        assert made["electrode_depths"]["depth_under_surface_um"].null_count == 100
    claim = track_checks.tracks_enter_through_the_surface
    assert not claim(made["probe_track_fits"], made["electrode_depths"]).passed
    bare = make_tracks(SESSION, straight())
    assert bare["probe_track_fits"]["surface_status"].to_pylist() == ["no volume"]
    assert claim(bare["probe_track_fits"], bare["electrode_depths"]).figures["n_tracks"] == 0


def test_one_place_alone_makes_no_line() -> None:
    made = make_tracks(SESSION, straight(n=1), tracks(LEFT[None]))
    assert {name: table.num_rows for name, table in made.items()} == {"probe_track_fits": 0, "electrode_depths": 0}
    assert make_tracks(SESSION, straight(n=0))["probe_track_fits"].num_rows == 0
    assert fit_line(np.repeat(LEFT[None], 5, axis=0)) is None


def test_a_section_leans_with_the_track_and_holds_it(brain: AnnotationVolume) -> None:
    made = make_tracks(SESSION, straight(up=(-0.4, -1, 0.1)), None, brain)
    line = line_of(one_fit(made))
    sheet = coronal_sheet(brain, line)
    assert sheet.shape == brain.shape[1:]
    for row in (15, 25, 39):
        dv_um = (row + 0.5) * brain.voxel_um
        ap_um = line.point[0] + 0.4 * (dv_um - line.point[1])
        wanted = brain.region_ids([[ap_um, dv_um, 4050.0], [ap_um, dv_um, 7450.0]])
        assert sheet[row, [40, 74]].tolist() == np.maximum(wanted, 0).tolist()
    assert probe_sheets(brain, made["probe_track_fits"])[1].tolist() == sheet.tolist()


def test_the_mesh_is_the_brains_surface_is_closed_and_is_made_once(brain: AnnotationVolume, tmp_path: Path) -> None:
    mesh = brain_mesh(brain, tmp_path)
    radius = np.linalg.norm((mesh.vertices_um - [6600, 4000, 5700]) / [6400, 3650, 5300], axis=1)
    assert np.abs(radius - 1).max() < 0.06
    edges = np.sort(np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]]), axis=1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    assert set(counts.tolist()) == {2}
    (path,) = (tmp_path / "ccf").iterdir()
    again = brain_mesh(brain, tmp_path)
    assert np.array_equal(again.vertices_um, mesh.vertices_um)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UnreadableFile, match="it is made again"):
        brain_mesh(brain, tmp_path)


def test_the_mesh_of_the_real_volume_is_the_labs_own_within_voxels(shared_data: Path) -> None:
    import nrrd
    from scipy.io import loadmat
    from scipy.spatial import cKDTree

    labels, _ = nrrd.read(str(shared_data / "ccf" / "annotation_25.nrrd"))
    mesh = make_mesh(AnnotationVolume.from_labels(labels))
    found = loadmat(shared_data / "ccf" / "Annotation_new_10_ds222_16bit_isosurf.mat", simplify_cells=True)
    (theirs,) = [value["vertices"] for name, value in found.items() if not name.startswith("__")]
    theirs_um = 20.0 * np.asarray(theirs)[:, [1, 2, 0]]
    far, _ = cKDTree(theirs_um).query(mesh.vertices_um)
    assert np.median(far) < 100
    assert np.abs(mesh.vertices_um.min(axis=0) - theirs_um.min(axis=0)).max() < 100
    assert np.abs(mesh.vertices_um.max(axis=0) - theirs_um.max(axis=0)).max() < 100


# -- claims ------------------------------------------------------------------------------------------------------------
def aimed(ml_um: float | None, **where: object) -> Insertion:
    return Insertion("SC022", date(2019, 2, 28), None, 1, ml_um=ml_um, **where)


def test_a_mirrored_probe_is_called_mirrored_and_one_that_is_merely_elsewhere_is_not(brain: AnnotationVolume) -> None:
    table = straight()
    fits = make_tracks(SESSION, table, None, brain)["probe_track_fits"]
    mirrored = checks.hemisphere_agrees_with_the_surgery(table, [aimed(1650.0)], fits)
    assert not mirrored.passed
    assert "mirrored left to right" in mirrored.description
    assert mirrored.figures == {"n_compared": 1, "n_wrong": 1, "n_mirrored": 1}
    elsewhere = checks.hemisphere_agrees_with_the_surgery(table, [aimed(4000.0)], fits)
    assert (elsewhere.passed, elsewhere.figures["n_mirrored"]) == (False, 0)
    assert checks.hemisphere_agrees_with_the_surgery(table, [aimed(-1650.0)], fits).passed


def test_the_side_of_the_sheet_counts_where_ml_is_unknown_and_a_lone_track_is_judged_too(
    brain: AnnotationVolume,
) -> None:
    none = straight().slice(0, 0)
    dye = tracks(LEFT + np.linspace(0, 3000, 5)[:, None] * np.array([0, -1.0, 0]))
    fits = make_tracks(SESSION, none, dye, brain)["probe_track_fits"]
    verdict = checks.hemisphere_agrees_with_the_surgery(none, [aimed(None, hemisphere="right")], fits)
    assert (verdict.passed, verdict.figures["n_compared"]) == (False, 1)
    assert checks.hemisphere_agrees_with_the_surgery(none, [aimed(None, hemisphere="left")], fits).passed
    assert checks.hemisphere_agrees_with_the_surgery(none, [aimed(1500.0)]).figures["n_compared"] == 0


def test_a_shank_that_is_longer_in_the_brain_than_on_the_probe_is_noticed() -> None:
    table = straight()
    assert checks.contacts_are_spaced_as_on_the_probe(table).passed
    y_um = table["y_um"].to_numpy()
    twice = electrodes(LEFT - 1.5 * y_um[:, None] * [0, 1.0, 0], y_um)
    verdict = checks.contacts_are_spaced_as_on_the_probe(twice)
    assert not verdict.passed
    assert "reaches 2970 um in the brain and 1980 um on the probe" in verdict.description
    grid = electrodes(20 * np.round((LEFT - 0.99 * y_um[:, None] * [0, 1.0, 0]) / 20), y_um)
    assert checks.contacts_are_spaced_as_on_the_probe(grid).passed


def test_a_long_untraced_stretch_between_traced_contacts_is_a_gap() -> None:
    table = straight()
    places = np.stack([table[f"ccf_{axis}_um"].to_numpy() for axis in AXES], axis=1)
    y_um = table["y_um"].to_numpy()
    gappy = places.copy()
    gappy[40:60] = np.nan
    verdict = checks.tracings_have_no_gaps(electrodes(gappy, y_um))
    assert not verdict.passed
    assert "untraced from 780 to 1200 um above" in verdict.description
    for untraced in (slice(0, 30), slice(70, 100), slice(40, 44)):
        fine = places.copy()
        fine[untraced] = np.nan
        assert checks.tracings_have_no_gaps(electrodes(fine, y_um)).passed
    not_recorded = np.r_[0:40, 60:100]
    assert checks.tracings_have_no_gaps(electrodes(places[not_recorded], y_um[not_recorded])).passed


def test_a_track_that_begins_far_from_the_surface_or_ends_above_it_is_noticed(brain: AnnotationVolume) -> None:
    dye = LEFT + np.linspace(0, 3000, 7)[:, None] * np.array([0, -1.0, 0])
    good = make_tracks(SESSION, straight(), tracks(dye), brain)
    fits, depths = good["probe_track_fits"], good["electrode_depths"]
    said = track_checks.tracks_enter_through_the_surface(fits, depths, tracks(dye))
    assert said.passed, said.description
    assert said.figures["n_contacts_above"] == 0
    cut_off = track_checks.tracks_enter_through_the_surface(fits, depths, tracks(dye[:3]))
    assert not cut_off.passed
    assert "begins" in cut_off.description
    above = make_tracks(SESSION, straight(tip=LEFT - [0, 3700, 0]), None, brain)
    verdict = track_checks.tracks_enter_through_the_surface(above["probe_track_fits"], above["electrode_depths"])
    assert "um above the surface" in verdict.description
    assert verdict.figures["n_contacts_above"] == 100


def test_a_bent_track_is_noticed() -> None:
    y_um = 20.0 * np.arange(100)
    bent = LEFT - np.c_[np.zeros(100), y_um, np.zeros(100)] + np.c_[np.abs(y_um - 1000), np.zeros((100, 2))]
    fits = make_tracks(SESSION, electrodes(bent, y_um))["probe_track_fits"]
    assert not track_checks.tracks_are_straight(fits).passed
    straight_fits = make_tracks(SESSION, straight())["probe_track_fits"]
    assert track_checks.tracks_are_straight(straight_fits).passed
    assert track_checks.tracks_are_straight(straight_fits.slice(0, 0)).passed


def test_a_correction_that_was_left_out_is_said() -> None:
    from datetime import UTC, datetime

    row = {"session": SESSION, "probe": 2, "tracing": "a-1", "is_current": True, "is_on_share": True}
    row |= {"first_seen": datetime(2026, 3, 1, tzinfo=UTC), "formats": "a", "n_positions": 1, "n_track_points": 0}
    fine = TRACINGS.from_rows([row])
    assert track_checks.no_correction_was_made_for_another_tracing(fine).passed
    left = track_checks.no_correction_was_made_for_another_tracing(
        TRACINGS.from_rows([row | {"corrections_left_out": "3,4"}])
    )
    assert not left.passed
    assert "correction 3,4 of probe 2" in left.description
