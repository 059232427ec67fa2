"""Figures probe_slice and probe_tracks_3d, for print and as pages."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from map_assets.ccf.annotation import AnnotationVolume
from map_assets.ccf.mesh import Mesh, make_mesh
from map_assets.ccf.ontology import make_ontology
from map_assets.ccf.tables import ELECTRODES
from map_assets.ccf.tracks import make_tracks, probe_sheets
from map_assets.figures import probe_slice, probe_tracks_3d
from map_assets.figures.drawing import MAX_PNG_BYTES, NotApplicable
from map_assets.figures.pages import Page, packed
from map_assets.simulate.atlas import make_volume

SESSION = "SC022_20190228_151010"


@pytest.fixture(scope="module")
def brain() -> AnnotationVolume:
    return AnnotationVolume.from_labels(make_volume(100.0).labels)


@pytest.fixture(scope="module")
def mesh(brain: AnnotationVolume) -> Mesh:
    return make_mesh(brain)


@pytest.fixture(scope="module")
def ontology() -> pa.Table:
    return make_ontology()


def probes(brain: AnnotationVolume, ontology: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Electrodes and fits of two probes: one shank on the left whose upper part is outside, two shanks on the right."""
    acronyms = dict(zip(ontology["region_id"].to_pylist(), ontology["region"].to_pylist(), strict=True))
    rows = []
    for probe, shank, tip in ((1, 0, (5000, 2000, 4000)), (2, 0, (8000, 4000, 7500)), (2, 1, (8250, 4000, 7500))):
        for contact in range(100):
            place = np.array(tip) - [0, 20.0 * contact, 0]
            region_id = int(brain.region_ids([place])[0])
            row: dict[str, Any] = {"session": SESSION, "probe": probe, "electrode": 1280 * shank + contact}
            row |= {"shank": shank, "x_um": 0.0, "y_um": 20.0 * contact, "is_used": True, "position_source": "traced"}
            row |= dict(zip(("ccf_ap_um", "ccf_dv_um", "ccf_ml_um"), place.tolist(), strict=True))
            row |= {"region_status": "labelled" if region_id > 0 else "outside"}
            row |= {"region_id": region_id if region_id > 0 else None, "region": acronyms.get(region_id)}
            rows.append(row)
    electrodes = ELECTRODES.from_rows(rows)
    return electrodes, make_tracks(SESSION, electrodes, None, brain)["probe_track_fits"]


@pytest.fixture(scope="module")
def made(brain: AnnotationVolume, ontology: pa.Table) -> tuple[pa.Table, pa.Table]:
    return probes(brain, ontology)


def draw_tracks(made: tuple[pa.Table, pa.Table], mesh: Mesh) -> Page:
    drawn = probe_tracks_3d.draw(SESSION, *made, mesh.vertices_um, mesh.faces)
    assert isinstance(drawn, Page)
    return drawn


def draw_slice(made: tuple[pa.Table, pa.Table], brain: AnnotationVolume, ontology: pa.Table | None) -> Page:
    drawn = probe_slice.draw(SESSION, *made, probe_sheets(brain, made[1]), brain.voxel_um, ontology)
    assert isinstance(drawn, Page)
    return drawn


@pytest.fixture(scope="module")
def tracks_page(made: tuple[pa.Table, pa.Table], mesh: Mesh) -> Page:
    return draw_tracks(made, mesh)


@pytest.fixture(scope="module")
def slice_page(made: tuple[pa.Table, pa.Table], brain: AnnotationVolume, ontology: pa.Table) -> Page:
    return draw_slice(made, brain, ontology)


def figure_in(html: bytes) -> dict[str, Any]:
    """The plotly figure of a page, as plotly's own library takes it."""
    import plotly.graph_objects as go

    text = html.decode()
    start = text.index("Plotly.newPlot(")
    decode = json.JSONDecoder()
    data_at = text.index("[", start)
    data, end = decode.raw_decode(text, data_at)
    layout, _ = decode.raw_decode(text, text.index("{", end))
    go.Figure({"data": data, "layout": layout})  # raises where a property is none of plotly's
    return {"data": data, "layout": layout}


def unpacked(values: dict[str, str]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])


def is_alone(html: bytes) -> bool:
    """Whether a page loads nothing from elsewhere."""
    return re.search(rb"<(script|link|img)[^>]*\s(src|href)=", html) is None and len(html) > 1_000_000


def test_the_tracks_are_drawn_in_the_brain_and_every_shank_says_its_depth(
    made: tuple[pa.Table, pa.Table], tracks_page: Page
) -> None:
    electrodes, fits = made
    assert tracks_page.png.startswith(b"\x89PNG")
    assert len(tracks_page.png) <= MAX_PNG_BYTES
    said = tracks_page.svg.decode()
    depth = fits.to_pylist()[2]["deepest_depth_um"]
    assert f"probe 2 shank 2:  {depth:.0f} um deep" in said
    n_outside = electrodes["region_status"].to_pylist().count("outside")
    assert 0 < n_outside < 100
    assert f"300 placed contacts, {n_outside} of them in no labelled voxel" in said


def test_the_page_of_the_tracks_stands_alone_and_holds_the_very_places(
    made: tuple[pa.Table, pa.Table], mesh: Mesh, tracks_page: Page
) -> None:
    electrodes, _ = made
    assert is_alone(tracks_page.html)
    surface, *rest = figure_in(tracks_page.html)["data"]
    assert np.array_equal(unpacked(surface["x"]), mesh.vertices_um[:, 2])
    assert np.array_equal(unpacked(surface["k"]), mesh.faces[:, 2])
    dots = [trace for trace in rest if trace["mode"] == "markers"]
    assert [len(trace["text"]) for trace in dots] == [100, 100, 100]
    for name, axis in (("x", "ml"), ("y", "ap"), ("z", "dv")):
        assert unpacked(dots[0][name]).tolist() == electrodes[f"ccf_{axis}_um"].to_pylist()[:100]
    assert "probe 1 shank 1, contact 0" in dots[0]["text"][0]
    region = electrodes["region"].to_pylist()[0]
    assert f"<br>{region}<br>" in dots[0]["text"][0]


def test_each_probe_stands_in_its_section_with_the_names_of_its_regions(
    made: tuple[pa.Table, pa.Table], brain: AnnotationVolume, ontology: pa.Table, slice_page: Page
) -> None:
    assert len(slice_page.png) <= MAX_PNG_BYTES
    said = slice_page.svg.decode()
    assert "probe 1: deepest" in said
    assert "contacts in no labelled voxel (red)" in said
    assert set(made[0]["region"].to_pylist()[:30]) & set(re.findall(r">([A-Z][\w/]+)<", said))
    assert is_alone(slice_page.html)
    page = figure_in(slice_page.html)
    pictures = [trace for trace in page["data"] if trace["type"] == "image"]
    names = [trace for trace in page["data"] if trace["type"] == "heatmap"]
    assert len(pictures) == len(names) == 2
    text = names[0]["text"]
    row, column = 25, 40
    shown = brain.region_ids([[5000, (row + 0.5) * 100, (column + 0.5) * 100]])[0]
    acronyms = dict(zip(ontology["region_id"].to_pylist(), ontology["region"].to_pylist(), strict=True))
    assert (names[0]["x0"], names[0]["dx"]) == (50.0, 100.0)
    assert text[row][column] == acronyms[int(shown)]
    assert text[0][0] == ""


def test_the_same_tables_give_the_same_bytes(
    made: tuple[pa.Table, pa.Table],
    brain: AnnotationVolume,
    mesh: Mesh,
    ontology: pa.Table,
    tracks_page: Page,
    slice_page: Page,
) -> None:
    assert draw_slice(made, brain, ontology) == slice_page
    assert draw_tracks(made, mesh) == tracks_page


def test_without_a_track_or_a_volume_there_is_nothing_to_draw(made: tuple[pa.Table, pa.Table], mesh: Mesh) -> None:
    electrodes, fits = made
    nothing = probe_tracks_3d.draw(SESSION, electrodes, fits.slice(0, 0), mesh.vertices_um, mesh.faces)
    assert nothing == NotApplicable("no probe of the session has a traced track")
    assert isinstance(probe_slice.draw(SESSION, electrodes, fits, {}, 100.0), NotApplicable)


def test_a_track_that_meets_no_brain_and_regions_without_names_are_drawn_all_the_same(
    made: tuple[pa.Table, pa.Table], brain: AnnotationVolume, mesh: Mesh
) -> None:
    electrodes, _ = made
    fits = make_tracks(SESSION, electrodes)["probe_track_fits"]
    assert "no surface crossing" in draw_tracks((electrodes, fits), mesh).svg.decode()
    assert ">672<" in draw_slice((electrodes, fits), brain, None).svg.decode()


def test_packed_numbers_are_what_they_were() -> None:
    values = np.array([[1.5, -2.0], [3.0, 4.25]])
    found = packed(values)
    assert (found["dtype"], found["shape"]) == ("f4", "2,2")
    assert unpacked(found).tolist() == values.ravel().tolist()
    assert unpacked(packed(np.array([7, -1]))).tolist() == [7, -1]
