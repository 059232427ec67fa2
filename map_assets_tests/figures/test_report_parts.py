"""Parts of the report figures: what is counted, scaled, cut into regions, and written into the files."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from map_assets.figures.depth_axis import stretches, tip_depth_um
from map_assets.figures.drawing import drawn
from map_assets.figures.group_psth import scaled_difference
from map_assets.figures.laterality import hemispheres, in_order, probe_names, relative
from map_assets.figures.pages import Page, page
from map_assets.figures.shank_maps import N_DEPTHS, N_TIMES, shank_maps
from map_assets.figures.stamp import stamped
from map_assets.figures.unit_map import FULL_PT2, areas

RATE_HZ = 30000.0
FACTS = {"session": "SC022_20190228_151010", "figure": "driftmap", "data_sha256": "ab" * 32}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.floats(-50, 50), min_size=12, max_size=12), min_size=1, max_size=4))
def test_a_scaled_difference_keeps_its_signs_and_reaches_one(rows: list[list[float]]) -> None:
    contra, ipsi = np.abs(np.array(rows)), np.abs(np.array(rows))[::-1]
    found = scaled_difference(contra, ipsi)
    assert np.isfinite(found).all()
    assert (np.abs(found) <= 1 + 1e-12).all()
    np.testing.assert_allclose(found, -scaled_difference(ipsi, contra))
    for row, same in zip(found, (contra == ipsi).all(axis=1), strict=True):
        assert same or np.isclose(np.abs(row).max(), 1) or not row.any()


def test_a_unit_that_only_ever_fires_less_is_negative_throughout() -> None:
    found = scaled_difference(np.full((1, 10), 1.0), np.full((1, 10), 5.0))
    np.testing.assert_allclose(found, -1)
    assert not scaled_difference(np.zeros((1, 10)), np.zeros((1, 10))).any()


def spiking(depths: list[list[float] | None], offset_s: float | None = 10.0) -> dict[str, pa.Table]:
    """Two units on two shanks of one probe: 100 spikes a second apart, with depths of their own or none."""
    samples = [(np.arange(100) * RATE_HZ).astype(int).tolist()] * 2
    keys = {"probe": [1, 1], "unit_id": [4, 7]}
    kind = pa.list_(pa.float32())
    return {
        "units": pa.table(
            {**keys, "quality": ["good", "mua"], "electrode": [0, 10], "y_um": [20.0, 60.0], "n_spikes": [100] * 2}
        ),
        "spikes": pa.table({**keys, "samples": samples}),
        "probes": pa.table({"probe": [1], "sample_rate_hz": [RATE_HZ]}),
        "clock_maps": pa.table({"probe": [1], "offset_s": pa.array([offset_s], pa.float64()), "drift_ppm": [0.0]}),
        "sites": pa.table(
            {"probe": [1] * 4, "electrode": [0, 1, 10, 11], "shank": [0, 0, 1, 1], "y_um": [0.0, 80.0] * 2}
        ),
        "spike_features": pa.table({**keys, "depth_um": pa.array(depths, kind)}),
    }


def test_a_map_holds_every_spike_once_at_its_time_and_depth() -> None:
    moving = np.linspace(0, 99, 100).tolist()
    first, second = shank_maps(**spiking([moving, [60.0] * 100]))
    assert (first.shank, second.shank, first.top_um) == (0, 1, 100.0)
    assert first.minutes[0] == 10 / 60
    for one in (first, second):
        assert one.rate_hz.shape == (N_DEPTHS, N_TIMES)
        assert one.n_spikes == 100
        assert np.isclose(one.spikes_by_depth.sum(), 100)
    depth, time = np.nonzero(first.rate_hz)
    assert np.corrcoef(depth, time)[0, 1] > 0.999
    assert set(np.nonzero(second.rate_hz)[0]) == {int(60 / 100 * N_DEPTHS)}


def test_spikes_without_depths_stand_at_their_units_and_without_a_clock_on_the_probes() -> None:
    first, second = shank_maps(**spiking([None, [60.0] * 100], None))
    assert (first.has_depths, second.has_depths) == (False, True)
    assert set(np.nonzero(first.rate_hz)[0]) == {int(20 / 100 * N_DEPTHS)}
    assert (first.is_on_session_clock, first.minutes[0]) == (False, 0.0)


def test_a_unit_labelled_noise_is_on_no_map() -> None:
    tables = spiking([None, None])
    tables["units"] = tables["units"].set_column(2, "quality", pa.array(["noise", "mua"]))
    assert [one.shank for one in shank_maps(**tables)] == [1]


def test_a_shank_is_cut_where_the_region_of_most_contacts_changes() -> None:
    y = [0.0, 0.0, 20.0, 20.0, 40.0, 40.0, 60.0, 80.0]
    region = ["CP", "CP", "CP", "STR", "MOs5", "MOs5", None, "MOs5"]
    electrodes = pa.table({"shank": [0] * 8, "y_um": y, "region": region})
    found = stretches(electrodes, 0, {"CP": "98D6F9"})
    assert [tuple(one) for one in found] == [
        (-10.0, 30.0, "CP", "98D6F9"),
        (30.0, 50.0, "MOs5", "C8C8C8"),
        (70.0, 90.0, "MOs5", "C8C8C8"),
    ]
    assert stretches(electrodes, 1, {}) == stretches(None, 0, {}) == []
    fits = pa.table({"probe": [1], "shank": [0], "tip_row_depth_um": [3200.0]})
    assert tip_depth_um(fits, 1, 0) == 3200.0
    assert tip_depth_um(fits, 1, 1) is tip_depth_um(None, 1, 0) is None


def test_contra_is_the_other_side_and_a_side_without_a_hemisphere_stays_itself() -> None:
    assert [relative("left", side) for side in ("left", "right", None)] == ["ipsi", "contra", "left"]
    assert in_order(["right", "ipsi", "contra", "ipsi"]) == ["contra", "ipsi", "right"]
    table = pa.table({"probe": [1, 2], "hemisphere": ["left", None]})
    assert hemispheres(table) == {1: "left"}
    insertions = pa.table({"probe": [1], "hemisphere": ["left"], "brain_area": ["ALM"]})
    assert probe_names([1, 2], insertions) == {1: "probe 1, left ALM", 2: "probe 2"}


def test_a_marks_area_is_as_its_value() -> None:
    found = areas(np.array([0.0, 5.0, 10.0, np.nan]), 10.0)
    np.testing.assert_allclose(found, [0, FULL_PT2 / 2, FULL_PT2, 0])
    assert not areas(np.array([1.0]), 0.0).any()


def test_a_drawing_carries_the_hash_of_its_data_and_looks_as_before() -> None:
    plain = drawn(2.0, lambda figure: figure.subplots().plot([0, 1], [0, 1]))
    found = stamped(Page(plain.png, plain.svg, page([], {}, "a")), FACTS)
    image = Image.open(io.BytesIO(found.png))
    assert image.info | FACTS == image.info
    assert np.array_equal(np.asarray(image), np.asarray(Image.open(io.BytesIO(plain.png))))
    root = ElementTree.fromstring(found.svg)
    identifiers = [one.text for one in root.iter("{http://purl.org/dc/elements/1.1/}identifier")]
    assert identifiers == [f"{name}:{value}" for name, value in FACTS.items()]
    assert f'<meta name="data_sha256" content="{FACTS["data_sha256"]}">'.encode() in found.html
    assert stamped(plain, FACTS) == stamped(plain, FACTS)
