"""The report figures, drawn from analyses of made-up trains whose truth is known."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from matplotlib.figure import Figure
from PIL import Image

from map_assets.analyses.coding_direction import make_coding_direction
from map_assets.analyses.conditions import DELAY_RESPONSE
from map_assets.analyses.parameters import read_parameters
from map_assets.analyses.photostim_effect import make_photostim_effect
from map_assets.analyses.population import make_population_psth
from map_assets.analyses.psth import make_psth
from map_assets.analyses.selectivity import make_selectivity
from map_assets.analyses.trains import Spiking
from map_assets.analyses.unit_stats import make_unit_stats
from map_assets.behavior.tables import PHOTOSTIM_SITES, TRIALS
from map_assets.ccf.tables import ELECTRODES
from map_assets.ephys.tables import CLOCK_MAPS, PROBE_SITES, PROBES, SPIKE_FEATURES, SPIKES, TRIAL_SPIKES, UNITS
from map_assets.figures import (
    clustering_quality,
    coding_direction,
    driftmap,
    group_photostim,
    group_psth,
    unit_characteristic,
)
from map_assets.figures.drawing import MAX_PNG_BYTES, Drawing, NotApplicable
from map_assets.figures.laterality import LOOKS
from map_assets.figures.pages import Page
from map_assets.lab.tables import INSERTIONS

SESSION = "SC022_20190228_151010"
RATE_HZ, TRIAL_S, N_TRIALS = 30000.0, 7.0, 48
N_UNITS = {1: 10, 2: 8}
SIDE = {1: "left", 2: "right"}
Tables = dict[str, pa.Table]


def fill(table: Any, **columns: Any) -> pa.Table:
    """A table of which only some columns matter."""
    n = len(next(iter(columns.values())))
    empty = {pa.string(): "a", pa.int64(): 0, pa.float64(): 0.0, pa.bool_(): False}
    rest = {
        column.name: [[] if pa.types.is_list(column.type) else empty[column.type]] * n
        for column in table.columns
        if not column.nullable and column.name not in columns
    }
    return table.from_columns({**rest, "session": [SESSION] * n, **columns})


def make_trials() -> pa.Table:
    start = TRIAL_S * np.arange(N_TRIALS)
    is_lit = np.arange(N_TRIALS) % 4 == 3
    return fill(
        TRIALS,
        trial=np.arange(1, N_TRIALS + 1),
        start_s=start,
        stop_s=start + 6,
        until_s=start + TRIAL_S,
        instruction=np.random.default_rng(1).permutation(["left", "right"] * (N_TRIALS // 2)).tolist(),
        outcome=["hit"] * N_TRIALS,
        **{name: [False] * N_TRIALS for name in ("early_lick", "is_auto_water", "is_free_water")},
        sample_s=start + 1.2,
        delay_s=start + 2.0,
        go_s=start + 3.2,
        n_go_cues=[1] * N_TRIALS,
        photostim_onset_s=np.where(is_lit, start + 2.0, np.nan),
        photostim_duration_s=np.where(is_lit, 0.6, np.nan),
        photostim_site=["both_alm" if lit else None for lit in is_lit],
    )


def make_units() -> pa.Table:
    probe = np.repeat(list(N_UNITS), list(N_UNITS.values()))
    unit = np.concatenate([np.arange(n) for n in N_UNITS.values()])
    n = len(unit)
    return fill(
        UNITS,
        probe=probe,
        unit_id=unit,
        quality=["good", "mua"] * (n // 2),
        electrode=unit * 10,
        x_um=16.0 * (unit % 4),
        y_um=100.0 * unit,
        amplitude_uv=80.0 + 10 * unit,
        snr=2.0 + unit,
        n_spikes=[100] * n,
        firing_rate_hz=[5.0] * n,
    )


def trains(trials: pa.Table, units: pa.Table) -> list[np.ndarray]:
    """Units 0, 3, 6 of a probe fire for contra, 1, 4, 7 for ipsi from sample to response; light silences the rest."""
    rng = np.random.default_rng(2)
    at = np.arange(0, N_TRIALS * TRIAL_S, 0.01)
    trial, in_trial = (at // TRIAL_S).astype(int), at % TRIAL_S
    side, is_lit = np.array(trials["instruction"].to_pylist()), np.isfinite(trials["photostim_onset_s"].to_numpy())
    found = []
    for probe, unit in zip(units["probe"].to_pylist(), units["unit_id"].to_pylist(), strict=True):
        is_contra = (side != SIDE[probe])[trial]
        is_task = (in_trial >= 1.2) & (in_trial < 4.4)
        prefers = [is_contra, ~is_contra, np.zeros(len(at), bool)][unit % 3]
        rate = 8.0 + 22.0 * (prefers & is_task)
        rate = np.where((unit % 3 == 2) & is_lit[trial] & (in_trial >= 2.0) & (in_trial < 2.6), 0.5, rate)
        n = rng.poisson(rate * 0.01)
        found.append(
            np.unique(np.round(np.sort(np.repeat(at, n) + rng.uniform(0, 0.01, n.sum())) * RATE_HZ)).astype(int)
        )
    return found


def make_electrodes() -> pa.Table:
    rows = [(probe, contact) for probe in N_UNITS for contact in range(100)]
    contact = np.array([one for _, one in rows])
    return fill(
        ELECTRODES,
        probe=[probe for probe, _ in rows],
        electrode=contact,
        shank=[0] * len(rows),
        x_um=16.0 * (contact % 4),
        y_um=10.0 * contact,
        is_used=[True] * len(rows),
        region=["CP" if one < 50 else "MOs5" for one in contact],
        region_status=["labelled"] * len(rows),
    )


def make_tables(*, hemispheres: bool = True) -> Tables:
    trials, units = make_trials(), make_units()
    of_unit = {name: units[name].to_numpy() for name in ("probe", "unit_id")}
    samples = trains(trials, units)
    edges = np.searchsorted
    start, until = trials["start_s"].to_numpy() * RATE_HZ, trials["until_s"].to_numpy() * RATE_HZ
    n = units.num_rows
    tables = {
        "units": units,
        "spikes": fill(SPIKES, **of_unit, samples=[train.tolist() for train in samples]),
        "trial_spikes": fill(
            TRIAL_SPIKES,
            **{name: np.repeat(values, N_TRIALS) for name, values in of_unit.items()},
            trial=np.tile(np.arange(1, N_TRIALS + 1), n),
            first_spike=np.concatenate([edges(train, start) for train in samples]),
            n_spikes=np.concatenate([edges(train, until) - edges(train, start) for train in samples]),
        ),
        "trials": trials,
        "clock_maps": fill(CLOCK_MAPS, probe=[1, 2], n_anchors=[2, 2], offset_s=[0.0, 0.0], drift_ppm=[0.0, 0.0]),
        "probes": fill(PROBES, probe=[1, 2], sample_rate_hz=[RATE_HZ] * 2),
    }
    spiking, parameters = Spiking(*tables.values()), read_parameters()
    by_name = {one.name: one for one in DELAY_RESPONSE}
    sites = fill(PHOTOSTIM_SITES, photostim_site=["both_alm"], brain_area=["ALM"], hemisphere=["both"])
    insertions = fill(INSERTIONS, probe=[1, 2], brain_area=["ALM", "Thalamus"], hemisphere=["left", "right"])
    aimed = insertions if hemispheres else None
    settings = parameters.selectivity.model_copy(update={"condition": "good_noearlylick_hit"})
    by_period, by_unit = make_selectivity(SESSION, spiking, aimed, by_name["good_noearlylick_hit"], settings, "1")
    sides = by_name["good_noearlylick_left_hit"], by_name["good_noearlylick_right_hit"]
    tables |= {
        "selectivity": by_period,
        "unit_selectivity": by_unit,
        "photostim_sites": sites,
        "insertions": insertions,
    }
    tables |= make_coding_direction(SESSION, spiking, aimed, sides, parameters.coding_direction, "1")
    tables["psth"] = make_psth(SESSION, *spiking, photostim_sites=sites)
    tables["photostim_effect"] = make_photostim_effect(
        SESSION, spiking, by_name["all_noearlylick_nostim"], parameters.photostim_effect, "1"
    )
    tables["electrodes"] = make_electrodes()
    tables["population_psth"] = make_population_psth(SESSION, tables["psth"], units, by_unit, tables["electrodes"])
    tables["unit_stats"] = make_unit_stats(SESSION, *spiking)
    tables["probe_sites"] = fill(
        PROBE_SITES, **{name: tables["electrodes"][name] for name in ("probe", "electrode", "shank", "x_um", "y_um")}
    )
    depths = [np.full(len(train), 100.0 * unit) for train, unit in zip(samples, of_unit["unit_id"], strict=True)]
    tables["spike_features"] = fill(SPIKE_FEATURES, **of_unit, depth_um=[depth.tolist() for depth in depths])
    return tables


NEEDS = {
    coding_direction: ("coding_direction", "coding_direction_traces", "insertions"),
    group_psth: ("psth", "unit_selectivity", "selectivity", "units", "trials", "insertions"),
    group_photostim: ("population_psth", "photostim_effect", "selectivity", "photostim_sites", "insertions"),
    driftmap: ("units", "spikes", "probes", "clock_maps", "probe_sites", "spike_features", "electrodes"),
    unit_characteristic: ("units", "selectivity", "photostim_effect", "photostim_sites", "electrodes"),
    clustering_quality: ("units", "unit_stats", "electrodes", "insertions"),
}


def draw(figure: Any, tables: Tables, **changes: pa.Table) -> Drawing | NotApplicable:
    known = {**tables, **changes}
    return figure.draw(SESSION, *(known[name] for name in NEEDS[figure]))


def said(drawing: Drawing | NotApplicable) -> str:
    assert isinstance(drawing, Drawing), drawing
    return " ".join(re.findall(r">([^<>\n]+)</(?:text|tspan)>", drawing.svg.decode()))


@pytest.fixture(scope="module")
def tables() -> Tables:
    return make_tables()


@pytest.fixture(scope="module")
def drawings(tables: Tables) -> dict[Any, Drawing | NotApplicable]:
    return {figure: draw(figure, tables) for figure in NEEDS}


def test_a_figure_is_light_enough_and_says_whose_it_is(drawings: dict[Any, Any]) -> None:
    for drawing in drawings.values():
        assert SESSION in said(drawing)
        assert len(drawing.png) <= MAX_PNG_BYTES
        assert Image.open(io.BytesIO(drawing.png)).size[0] >= 675


@pytest.mark.parametrize("figure", [group_psth, unit_characteristic], ids=["plain", "with a page"])
def test_the_same_tables_give_the_same_bytes(figure: Any, tables: Tables, drawings: dict[Any, Any]) -> None:
    assert draw(figure, tables) == drawings[figure]


def test_contra_and_ipsi_have_their_colours_their_dashes_and_their_key(drawings: dict[Any, Any]) -> None:
    for figure in (coding_direction, group_psth, group_photostim):
        text = said(drawings[figure])
        assert "contra trials" in text
        assert "ipsi trials" in text
    assert (LOOKS["contra"].color, LOOKS["ipsi"].color) == ("#1f5fb4", "#c8322d")
    assert LOOKS["contra"].line != LOOKS["ipsi"].line
    assert LOOKS["contra"].marker != LOOKS["ipsi"].marker


def test_bands_of_the_coding_direction_are_standard_errors_and_contra_is_up_on_either_side(tables: Tables) -> None:
    axes = Figure().subplots(1, 2)
    rows = tables["coding_direction_traces"].to_pylist()
    for panel, probe in zip(axes, (1, 2), strict=True):
        mine = [row for row in rows if row["probe"] == probe]
        coding_direction._trace(panel, mine, "probe")
        for line, band, row in zip(panel.lines[:2], panel.collections, mine, strict=True):
            is_contra = row["side"] != SIDE[probe]
            assert line.get_color() == LOOKS["contra" if is_contra else "ipsi"].color
            mean = np.asarray(line.get_ydata())
            assert (mean[66:74].mean() > mean[:20].mean()) == is_contra
            edges = band.get_paths()[0].vertices[:, 1]
            width = np.sort(np.abs(edges[1 : len(mean) + 1] - mean))
            assert width == pytest.approx(np.sort(row["sem_hz"]))


def test_end_points_of_two_probes_are_compared_trial_by_trial_as_the_first_sees_the_sides(
    tables: Tables, drawings: dict[Any, Any]
) -> None:
    ends = tables["coding_direction"].to_pandas()
    first, second = (ends[ends.probe == probe].set_index("trial") for probe in (1, 2))
    contra = first.index[first.side == "right"]
    r = np.corrcoef(first.projection_contra_hz[contra], second.projection_contra_hz[contra])[0, 1]
    text = said(drawings[coding_direction])
    assert f"r contra {r:+.2f}, ipsi" in text
    assert "end points, 36 trials" in text


def test_one_probe_stands_alone_with_the_spread_of_its_end_points(tables: Tables) -> None:
    one = {name: tables[name].filter(pc.field("probe") == 1) for name in NEEDS[coding_direction][:2]}
    assert "end points of the trials" in said(draw(coding_direction, tables, **one))


def test_sides_of_a_probe_without_a_known_hemisphere_are_left_and_right() -> None:
    unknown = make_tables(hemispheres=False)
    for figure in (coding_direction, group_photostim):
        text = said(draw(figure, unknown))
        assert "left trials" in text
        assert "contra trials" not in text
    reason = "the hemisphere of no probe is known, so that contra and ipsi cannot be told"
    assert draw(group_psth, unknown) == NotApplicable(reason)
    assert draw(unit_characteristic, unknown) == NotApplicable(reason)


def test_selective_units_stand_by_probe_and_depth_in_their_class(tables: Tables, drawings: dict[Any, Any]) -> None:
    labels = tables["unit_selectivity"]["selectivity"].to_pylist()
    text = said(drawings[group_psth])
    for name in ("contra-selective", "ipsi-selective"):
        assert labels.count(name) >= 5
        assert f"{name}: {labels.count(name)} units" in text
    group = group_psth.make_group("contra-selective", tables["psth"], tables["unit_selectivity"], tables["units"], SIDE)
    assert group.probe.tolist() == sorted(group.probe.tolist())
    assert (group.contra_hz[:, 40:100].mean(axis=1) > group.ipsi_hz[:, 40:100].mean(axis=1)).all()
    none = tables["unit_selectivity"].slice(0, 0)
    assert draw(group_psth, tables, unit_selectivity=none) == NotApplicable(
        "the session's units were not tested for selectivity"
    )


def test_light_is_shown_where_it_was_with_the_units_that_it_changed(tables: Tables, drawings: dict[Any, Any]) -> None:
    text = said(drawings[group_photostim])
    assert "both ALM" in text
    is_affected = tables["photostim_effect"]["is_affected"].to_pylist()
    assert is_affected.count(True) >= 3
    assert f"{is_affected.count(True)} fell, 0 rose of {N_UNITS[1] + N_UNITS[2]}" in text
    (place,) = group_photostim._places(tables["population_psth"], tables["photostim_effect"], tables["photostim_sites"])
    assert place.window_s == pytest.approx((-1.2, -0.6))
    dark = tables["photostim_effect"].slice(0, 0)
    assert draw(group_photostim, tables, photostim_effect=dark) == NotApplicable(
        "no trial of the session was stimulated"
    )


def test_selective_units_are_mapped_by_period_and_those_under_light_beside_them(
    tables: Tables, drawings: dict[Any, Any]
) -> None:
    drawing = drawings[unit_characteristic]
    text = said(drawing)
    delay = tables["selectivity"].filter((pc.field("period") == "delay") & (pc.field("probe") == 1))
    labels = delay["selectivity"].to_pylist()
    n_contra, n_ipsi = (labels.count(f"{side}-selective") for side in ("contra", "ipsi"))
    assert f"delay: {n_contra + n_ipsi} of {N_UNITS[1]}" in text
    assert f"{100 * n_contra / (n_contra + n_ipsi):.0f} % contra" in text
    assert "MOs5" in text
    assert isinstance(drawing, Page)
    assert b"probe 1, unit 3, mua<br>CP<br>difference" in drawing.html.replace(rb"\u003c", b"<").replace(
        rb"\u003e", b">"
    )
    dark = tables["photostim_effect"].slice(0, 0)
    assert "no photostimulation" in said(draw(unit_characteristic, tables, photostim_effect=dark))


def test_quality_says_what_is_missing_and_its_page_tells_every_unit(tables: Tables, drawings: dict[Any, Any]) -> None:
    drawing = drawings[clustering_quality]
    assert isinstance(drawing, Page)
    assert "good (9)" in said(drawing)
    assert b"signal to noise" in drawing.html
    assert b"probe 2, unit 7" in drawing.html
    at = tables["units"].schema.get_field_index("snr")
    mute = tables["units"].set_column(at, "snr", pa.nulls(18, pa.float64()))
    assert "no unit has both" in said(draw(clustering_quality, tables, units=mute))
    nothing = tables["units"].slice(0, 0)
    assert draw(clustering_quality, tables, units=nothing) == NotApplicable("the session has no units")


def test_a_page_holds_the_very_places_of_its_units(tables: Tables, drawings: dict[Any, Any]) -> None:
    drawing = drawings[clustering_quality]
    assert isinstance(drawing, Page)
    blobs = re.findall(rb'"bdata":"([^"]+)"', drawing.html)
    raw = [base64.b64decode(blob) for blob in blobs]
    heights = {tuple(np.frombuffer(one, np.float32).tolist()) for one in raw if len(one) % 4 == 0}
    assert tuple(100.0 * unit for unit in range(N_UNITS[2])) in heights


def test_the_drift_map_says_which_units_and_regions_it_holds(tables: Tables, drawings: dict[Any, Any]) -> None:
    n_spikes = sum(len(row) for row in tables["spikes"].filter(pc.field("probe") == 1)["samples"].to_pylist())
    text = said(drawings[driftmap])
    assert f"10 units, {n_spikes:,} spikes" in text
    assert "MOs5" in text
    maps = tables["clock_maps"]
    lost = maps.set_column(maps.schema.get_field_index("offset_s"), "offset_s", pa.array([0.0, None]))
    assert "No session clock for probe 2." in said(draw(driftmap, tables, clock_maps=lost))
    assert draw(driftmap, tables, units=tables["units"].slice(0, 0)) == NotApplicable(
        "no unit of the session has spikes and a depth on its probe"
    )
