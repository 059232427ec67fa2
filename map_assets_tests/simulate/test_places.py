"""The made-up brain, the probes in it, and what the histology tells."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import nrrd
import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat

from map_assets.simulate.atlas import REGIONS, make_volume
from map_assets.simulate.blueprint import TARGETS, Part, SessionPlan
from map_assets.simulate.defects import Defect
from map_assets.simulate.laboratory import WrittenLaboratory, write_session
from map_assets.simulate.tracks import make_track
from map_assets.simulate.truth import Truth, read_truth
from map_assets.vocabulary.frame import ccf_from_bregma, hemisphere_of, voxel_size_from_shape

CCF = ["ccf_ap_um", "ccf_dv_um", "ccf_ml_um"]


@pytest.fixture(scope="module")
def truth(laboratory: WrittenLaboratory, session: SessionPlan) -> Truth:
    return read_truth(laboratory.root, session.key)


def test_the_volume_is_an_allen_volume_with_allen_regions(laboratory: WrittenLaboratory, shared_data: Path) -> None:
    labels, header = nrrd.read(str(laboratory.annotation))
    real = nrrd.read_header(str(shared_data / "ccf/annotation_25.nrrd"))
    assert voxel_size_from_shape(labels.shape) == 200.0
    assert labels.dtype == np.uint32
    assert (header["space"], header["kinds"]) == (real["space"], real["kinds"])
    ontology = pd.read_csv(shared_data / "ccf/mousebrainontology_2.csv", header=None, index_col=0)
    assert set(REGIONS) <= set(ontology.index)
    assert set(np.unique(labels)) == {0, *REGIONS}
    assert 0.3 < np.mean(labels > 0) < 0.6


@pytest.mark.parametrize("target", TARGETS)
def test_a_probe_ends_where_it_was_aimed(session: SessionPlan, target: str) -> None:
    plan = replace(session, probes=(replace(session.probes[0], target=target),))
    volume = make_volume(100.0)
    track = make_track(plan, 1, volume)
    y_um = np.arange(0, track.depth_um, 20.0)
    region_ids = volume.region_ids(track.positions(np.zeros(len(y_um), int), y_um))
    parts = [REGIONS[int(one)].part for one in region_ids if one]
    assert TARGETS[target].brain_area in parts
    assert len(set(region_ids) - {0}) >= 3
    assert region_ids[0] > 0
    assert hemisphere_of(track.tip_ccf_um[2]) == target.split()[0]
    assert volume.region_ids(track.entry_ccf_um[None] + 300 * track.up).item() == 0


def test_ibl_files_give_every_contact_back(laboratory: WrittenLaboratory, session: SessionPlan, truth: Truth) -> None:
    folder = laboratory.root / "histology" / session.animal
    for number, names in (
        (1, ["channel_locations.json"]),
        (3, [f"channel_locations_shank{n}.json" for n in range(1, 5)]),
    ):
        found = []
        for name in names:
            channels = json.loads((folder / f"{session.named_at:%Y%m%d}_{number}" / name).read_text())
            ml, ap, dv = channels.pop("origin")["bregma"]
            rows = pd.DataFrame(channels.values())
            found.append(np.c_[ccf_from_bregma(rows.x, rows.y, rows.z, (ap, dv, ml)), rows.brain_region_id])
        true = truth.electrodes.to_pandas().query("probe == @number").sort_values(["shank", "channel"])
        assert np.allclose(np.concatenate(found), true[[*CCF, "region_id"]], atol=1e-3)


def test_landmark_files_give_every_contact_of_the_shank(
    laboratory: WrittenLaboratory, session: SessionPlan, truth: Truth
) -> None:
    folder = laboratory.root / "histology" / session.animal / "histology"
    site = loadmat(folder / f"landmarks_{session.key}_2_siteInfo.mat", simplify_cells=True)["site"]
    um = 1000 * site["pos"]["mmPerPixel"]
    found = np.stack([site["pos"][axis] * um for axis in "zyx"], axis=1)
    assert len(found) == len(site["ont"]["id"]) == 1280
    true = truth.electrodes.to_pandas().query("probe == 2").set_index("electrode")
    assert np.allclose(found[true.index], true[CCF], atol=1e-6)
    assert np.array_equal(np.nan_to_num(site["ont"]["id"][true.index]), true.region_id)
    points = pd.read_csv(folder / f"landmarks_{session.key}_2_siteInfo.csv", header=None)
    assert points.shape[1] == 8
    traced = points[~points[1]][[7, 6, 5]].to_numpy()
    assert np.allclose(traced[0], found[0], atol=1e-3)


def test_a_flipped_histology_is_mirrored_and_the_truth_is_not(tmp_path: Path, session: SessionPlan) -> None:
    plan = replace(session, defects=frozenset({Defect.FLIPPED_HISTOLOGY}), parts=frozenset({Part.HISTOLOGY}))
    write_session(tmp_path, plan, voxel_um=200.0)
    true = read_truth(tmp_path, plan.key).electrodes.to_pandas().query("probe == 1")
    path = tmp_path / "histology" / plan.animal / f"{plan.named_at:%Y%m%d}_1" / "channel_locations.json"
    channels = json.loads(path.read_text())
    ml, ap, dv = channels.pop("origin")["bregma"]
    rows = pd.DataFrame(channels.values())
    found = ccf_from_bregma(rows.x, rows.y, rows.z, (ap, dv, ml))
    assert np.allclose(found * [1, 1, -1] + [0, 0, 11_400], true[CCF], atol=1e-3)
    assert set(hemisphere_of(true.ccf_ml_um)) == {"left"}
    assert set(hemisphere_of(found[:, 2])) == {"right"}


def test_half_of_the_contacts_may_be_outside_the_brain(tmp_path: Path, session: SessionPlan) -> None:
    plan = replace(session, probes=session.probes[:1], defects=frozenset({Defect.OUTSIDE_BRAIN}))
    write_session(tmp_path, plan, voxel_um=200.0)
    truth = read_truth(tmp_path, plan.key)
    outside = np.mean(truth.electrodes["region_id"].to_numpy() == 0)
    assert 0.4 < outside < 0.6
    assert (truth.units["region_id"].to_numpy() > 0).all()
