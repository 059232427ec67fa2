"""A made-up track file says where the made-up probe truly stands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from map_assets.ccf.histology import read_histology
from map_assets.simulate.defects import Defect
from map_assets.simulate.laboratory import write_session
from map_assets.simulate.plans import Part, ProbePlan, SessionPlan
from map_assets.simulate.truth import read_truth
from map_assets.vocabulary.files import FoundFile

CCF = ("ccf_ap_um", "ccf_dv_um", "ccf_ml_um")


@pytest.mark.parametrize("defects", [frozenset(), frozenset({Defect.FLIPPED_HISTOLOGY})])
def test_the_points_of_a_track_file_lie_on_the_probe(tmp_path: Path, session: SessionPlan, defects: frozenset) -> None:
    probe = ProbePlan("right Midbrain", "NP2.0 four-shank", n_units=2, histology="track")
    plan = replace(session, n_trials=3, probes=(probe,), parts=frozenset({Part.HISTOLOGY}), defects=defects)
    write_session(tmp_path, plan, voxel_um=200.0)
    path = tmp_path / "histology" / plan.animal / "histology" / f"track_{plan.key}_1.csv"
    share = tmp_path / "histology"
    file = FoundFile("histology", share, PurePosixPath(path.relative_to(share).as_posix()), "histology", 1, 1)
    tables, rejected = read_histology(str(plan.key), [file])
    assert rejected == ()
    points = tables["probe_tracks"].to_pandas()
    assert points.groupby("shank").size().tolist() == [9, 9, 9, 9]
    true = read_truth(tmp_path, plan.key).electrodes.to_pandas()
    for shank, found in points.groupby("shank"):
        contacts = true[true.shank == shank].sort_values("y_um")[list(CCF)].to_numpy()
        at = found[list(CCF)].to_numpy()
        if defects:
            at = at * [1, 1, -1] + [0, 0, 11_400]
        direction = (contacts[-1] - contacts[0]) / np.linalg.norm(contacts[-1] - contacts[0])
        off = (at - contacts[0]) - np.outer((at - contacts[0]) @ direction, direction)
        assert np.linalg.norm(off, axis=1).max() < 0.01
        assert np.allclose(at[-1], contacts[0], atol=0.01)
        assert at[0][1] < at[-1][1]
