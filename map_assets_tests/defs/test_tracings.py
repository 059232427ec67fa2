"""A probe is traced, traced again and corrected: stages, versions and what rests on them, on a small made-up laboratory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from map_assets.config import load_config
from map_assets.defs.dispatch import due_for_sessions
from map_assets.defs.services import Services
from map_assets.defs.stage import LAB
from map_assets.defs.stages import BY_NAME
from map_assets.defs.work import perform
from map_assets.shares.refresh import refresh
from map_assets.shares.scan import scan_all
from map_assets.simulate.atlas import make_volume
from map_assets.simulate.defects import Defect
from map_assets.simulate.histology import write_histology
from map_assets.simulate.laboratory import write_laboratory
from map_assets.simulate.plans import AnimalPlan, LabPlan, Part, ProbePlan, SessionPlan
from map_assets.simulate.tracks import make_track
from map_assets.simulate.truth import read_truth
from map_assets.vocabulary.table import Verdict

KEY = "MK041_20240305_102508"
PROBES = (
    ProbePlan("left Striatum", n_units=2, histology="ibl"),
    ProbePlan("right Thalamus", "NP2.0 four-shank", n_units=2, histology="track", serial_number="2"),
)
PLAN = LabPlan(
    (AnimalPlan("MK041", 990041),),
    (
        SessionPlan(
            *("MK041", 990041, datetime(2024, 3, 5, 10, 25, 8), 4, PROBES),
            parts=frozenset({Part.BEHAVIOR, Part.RECORDING, Part.HISTOLOGY}),
        ),
    ),
    voxel_um=200.0,
)
STAGES = ("behavior", "recordings", "histology", "electrodes", "track_fits")
CCF = ("ccf_ap_um", "ccf_dv_um", "ccf_ml_um")


class Lab:
    """A laboratory whose stages this process does."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.services = Services(load_config(root / "map_assets.toml"))

    def close(self) -> None:
        self.services.ledger.close()
        self.services.registry.close()

    def export(self, *, is_mirrored: bool) -> None:
        """Let the histologist export both probes again."""
        defects = frozenset({Defect.FLIPPED_HISTOLOGY} if is_mirrored else ())
        plan, volume = replace(PLAN.sessions[0], defects=defects), make_volume(PLAN.voxel_um)
        for number in (1, 2):
            write_histology(self.root / "histology", plan, number, make_track(plan, number, volume), volume)

    def due(self) -> set[str]:
        """Stages that the session is due for, of those that this test does."""
        scan_all(self.services.shares, self.services.ledger)
        refresh(self.services.ledger)
        found = {due.session: due.decision.stages for due in due_for_sessions(self.services, [KEY])}
        return set(found.get(KEY, ())) & set(STAGES)

    def trace(self) -> dict[str, Verdict]:
        """Do what is due; give the checks' verdicts by name."""
        due = self.due()
        outcomes = [perform(BY_NAME[name], KEY, self.services) for name in STAGES if name in due]
        return {check.name: verdict for outcome in outcomes for check, verdict in outcome.verdicts}

    def table(self, name: str) -> pa.Table:
        return self.services.store.read(name, KEY)

    def off_truth_um(self) -> float:
        """How far the worst contact is from where it truly is."""
        true = read_truth(self.root, KEY).electrodes.to_pandas()
        both = self.table("electrodes").to_pandas().merge(true, on=["probe", "electrode"], suffixes=("", "_true"))
        assert len(both) == 768
        return float(np.abs(both[list(CCF)].to_numpy() - both[[f"{name}_true" for name in CCF]].to_numpy()).max())


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A laboratory as far as its recordings are read."""
    root = tmp_path_factory.mktemp("tracings") / "lab"
    write_laboratory(root, PLAN)
    lab = Lab(root)
    scan_all(lab.services.shares, lab.services.ledger)
    refresh(lab.services.ledger)
    for sheet in sorted((root / "registry").glob("*.csv")):
        lab.services.registry.import_sheet(sheet, who="rivera")
    for name in ("ccf_ontology", "ccf_annotation"):
        perform(BY_NAME[name], LAB, lab.services)
    for name in ("behavior", "sessions", "insertions", "recordings"):
        perform(BY_NAME[name], KEY, lab.services)
    lab.close()
    return root


@pytest.fixture
def lab(recorded: Path, tmp_path: Path) -> Iterator[Lab]:
    made = Lab(Path(shutil.copytree(recorded, tmp_path / "lab")))
    yield made
    made.close()


def test_contacts_traced_or_placed_along_a_track_are_where_they_truly_are(lab: Lab) -> None:
    verdicts = lab.trace()
    assert {name: verdict.passed for name, verdict in verdicts.items()} == dict.fromkeys(verdicts, True)
    assert verdicts["hemisphere_agrees_with_the_surgery"].figures["n_compared"] == 2
    assert lab.off_truth_um() < 0.01
    sources = lab.table("electrodes").group_by(["probe", "position_source"]).aggregate([]).to_pylist()
    assert {row["probe"]: row["position_source"] for row in sources} == {1: "traced", 2: "along the track"}
    volume = make_volume(PLAN.voxel_um)
    for number in (1, 2):
        track = make_track(PLAN.sessions[0], number, volume)
        (fit, *_) = lab.table("probe_track_fits").filter(pc.field("probe") == number).to_pylist()
        assert fit["deepest_depth_um"] == pytest.approx(track.depth_um, abs=1.5)
    assert lab.due() == set()
    drawn = {name: perform(BY_NAME[name], KEY, lab.services) for name in ("probe_slice", "probe_tracks_3d")}
    for name, outcome in drawn.items():
        (row,) = lab.table(name).to_pylist()
        assert (row["status"], list(outcome.made.pictures)) == ("drawn", [name])
        assert (lab.services.store.root / row["html_file"]).read_bytes().startswith(b"<!DOCTYPE html>")


def test_a_mirrored_histology_is_found_corrected_taken_back_and_traced_again(lab: Lab) -> None:
    lab.export(is_mirrored=True)
    verdict = lab.trace()["hemisphere_agrees_with_the_surgery"]
    assert not verdict.passed
    assert verdict.figures["n_mirrored"] == 2
    mirrored = lab.table("electrodes")
    decide = lab.services.tracing_corrections
    current = {row["probe"]: row["tracing"] for row in lab.table("tracings").to_pylist()}
    made = [decide.correct(KEY, probe, current[probe], "flip", who="rivera", why="mirrored") for probe in (1, 2)]
    assert lab.due() == set()
    for one in made:
        decide.review(one.correction_id, who="okafor")
    assert "histology" in lab.due()
    assert lab.trace()["hemisphere_agrees_with_the_surgery"].passed
    assert lab.off_truth_um() < 0.01
    carried = lab.table("probe_tracks")["corrections"].to_pylist()
    assert set(carried) == {str(one.correction_id) for one in made}
    for one in made:
        decide.undo(one.correction_id, who="okafor")
    lab.trace()
    assert lab.table("electrodes").equals(mirrored)
    again = decide.correct(KEY, 1, current[1], "flip", who="rivera", why="mirrored")
    decide.review(again.correction_id, who="rivera", is_own=True)
    lab.export(is_mirrored=False)
    verdicts = lab.trace()
    assert lab.off_truth_um() < 0.01
    assert not verdicts["no_correction_was_made_for_another_tracing"].passed
    assert set(lab.table("tracing_changes")["change"].to_pylist()) == {"mirrored"}
    assert lab.table("tracings").num_rows == 4


def test_a_broken_export_goes_to_quarantine_and_what_was_traced_stands(lab: Lab) -> None:
    lab.trace()
    before = {name: lab.table(name) for name in ("electrode_positions", "probe_tracks", "electrodes", "traced_tracks")}
    (path,) = (lab.root / "histology").rglob("channel_locations.json")
    path.write_text(path.read_text()[:1000])
    lab.trace()
    set_aside = lab.services.ledger.files(session=KEY, state="quarantined")
    assert path.name in {found.relpath.rsplit("/")[-1] for found in set_aside}
    assert all(lab.table(name).equals(table) for name, table in before.items())


def test_a_broken_export_takes_no_place_away_when_another_probe_is_corrected(lab: Lab) -> None:
    lab.trace()
    before = {name: lab.table(name) for name in ("electrode_positions", "probe_tracks", "electrodes")}
    (path,) = (lab.root / "histology").rglob("channel_locations.json")
    good = path.read_bytes()
    path.write_bytes(good[:1000])
    lab.trace()
    decide = lab.services.tracing_corrections
    current = {row["probe"]: row["tracing"] for row in lab.table("tracings").to_pylist()}
    made = decide.correct(KEY, 2, current[2], "flip", who="rivera", why="x")
    decide.review(made.correction_id, who="okafor")
    assert "histology" in lab.due()
    lab.trace()
    for name, table in before.items():
        of_first = pc.field("probe") == 1
        assert lab.table(name).filter(of_first).equals(table.filter(of_first)), name
    decide.undo(made.correction_id, who="okafor")
    path.write_bytes(good + b" ")
    lab.trace()
    assert lab.services.ledger.files(session=KEY, state="quarantined") == []
    assert all(lab.table(name).equals(table) for name, table in before.items())
    assert {row["probe"]: row["tracing"] for row in lab.table("tracings").to_pylist()} == current
    assert lab.table("tracings")["is_on_share"].to_pylist() == [True, True]
    assert lab.due() == set()
