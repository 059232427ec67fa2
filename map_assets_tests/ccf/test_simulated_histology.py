"""The whole way on a made-up laboratory: histology files and atlas in, regions out, against the simulator's truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pytest

from map_assets.ccf.annotation import AnnotationVolume, make_annotation
from map_assets.ccf.checks import electrodes_follow_the_shank, positions_find_their_contacts
from map_assets.ccf.electrodes import make_electrodes
from map_assets.ccf.histology import read_histology
from map_assets.ccf.ontology import make_ontology
from map_assets.ephys.tables import PROBE_SITES
from map_assets.simulate.laboratory import write_laboratory
from map_assets.simulate.plans import LabPlan, Part, ProbePlan, example_plan
from map_assets.simulate.truth import read_truth
from map_assets.vocabulary.files import FoundFile


def _plan() -> LabPlan:
    plan = example_plan()
    probes = [
        ProbePlan("left ALM", n_units=2, histology="ibl"),
        ProbePlan("right Thalamus", n_units=2, histology="landmarks"),
        ProbePlan("left Striatum", "NP2.0 four-shank", n_units=2, histology="landmarks"),
        ProbePlan("right Midbrain", "NP2.0 four-shank", n_units=2, histology="ibl"),
        ProbePlan("left Medulla", "NP2.0", n_units=2, histology="none"),
    ]
    session = replace(plan.sessions[0], n_trials=3, probes=tuple(probes), parts=frozenset({Part.HISTOLOGY}))
    return replace(plan, sessions=(session,))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[pa.Table, pa.Table, pa.Table, pa.Table]:
    """Truth of the electrodes, then what the room makes: positions, tracks and electrodes."""
    lab = write_laboratory(tmp_path_factory.mktemp("lab"), _plan())
    session = lab.sessions[0]
    truth = read_truth(lab.root, session.key).electrodes
    share = lab.root / "histology"
    files = [
        FoundFile("histology", share, PurePosixPath(path.relative_to(share).as_posix()), "histology", 1, 1)
        for path in map(Path, session.files)
    ]
    tables, rejected = read_histology(session.key, files)
    assert rejected == ()
    columns = {name: truth[name] for name in ("probe", "electrode", "channel", "shank", "x_um", "y_um", "is_used")}
    sites = PROBE_SITES.from_columns({"session": [session.key] * truth.num_rows, **columns})
    volume = AnnotationVolume.open(lab.root, make_annotation(lab.annotation, lab.root))
    electrodes = make_electrodes(session.key, sites, tables["electrode_positions"], volume, make_ontology())
    return truth, tables["electrode_positions"], tables["probe_tracks"], electrodes


def test_every_contacts_place_and_region_are_the_true_ones(made: tuple[pa.Table, ...]) -> None:
    truth, _, _, electrodes = made
    is_found = truth["probe"].to_numpy() != 5
    for axis in ("ap", "dv", "ml"):
        found = electrodes[f"ccf_{axis}_um"].to_numpy()
        assert np.allclose(found[is_found], truth[f"ccf_{axis}_um"].to_numpy()[is_found], atol=0.01)
        assert np.isnan(found[~is_found]).all()
    true_id = truth["region_id"].to_pylist()
    true_name = truth["region"].to_pylist()
    for row, region_id, name, found in zip(electrodes.to_pylist(), true_id, true_name, is_found, strict=True):
        if not found:
            assert (row["region_status"], row["region"]) == ("not traced", None)
        elif region_id == 0:
            assert (row["region_status"], row["region_id"], row["region"]) == ("outside", None, None)
        else:
            assert (row["region_status"], row["region_id"], row["region"]) == ("labelled", region_id, name)
    assert set(electrodes.slice(0, 4 * 384)["position_source"].to_pylist()) == {"traced"}


def test_tracks_and_checks_agree_with_the_files(made: tuple[pa.Table, ...]) -> None:
    _, positions, tracks, electrodes = made
    shanks = {(row["probe"], row["shank"]) for row in tracks.to_pylist()}
    assert shanks == {(1, 0), (2, 0), *((probe, shank) for probe in (3, 4) for shank in range(4))}
    assert tracks.num_rows == 9 * len(shanks)
    follow = electrodes_follow_the_shank(electrodes)
    assert follow.passed, follow.description
    assert follow.figures["n_shanks"] == 10
    assert positions_find_their_contacts(electrodes, positions).passed
