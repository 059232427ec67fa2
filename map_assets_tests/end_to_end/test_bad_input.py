"""Bad input ends in quarantine with one clear sentence, and its neighbours go on."""

from __future__ import annotations

import dataclasses
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from laboratory import Lab

from map_assets.simulate.laboratory import write_laboratory
from map_assets.simulate.plans import Defect, LabPlan, Part, SessionPlan, example_plan

pytestmark = pytest.mark.slow

BASE = example_plan()
GOOD = BASE.sessions[0]


def day(n: int, *defects: Defect, parts: tuple[Part, ...] = (Part.BEHAVIOR,)) -> SessionPlan:
    """The example's session on another day, with something wrong."""
    plan = dataclasses.replace(GOOD, named_at=GOOD.named_at + timedelta(days=n), seed=n + 1, defects=frozenset(defects))
    return plan.with_parts(*parts)


PLANS = {
    "good": day(0, parts=tuple(Part)),
    "truncated": day(1, Defect.TRUNCATED_MAT),
    "unknown task": day(2, Defect.UNKNOWN_TASK),
    "unparsable": day(3, Defect.UNPARSABLE_NAME),
    "duplicate": day(4, Defect.DUPLICATE_KEY),
    "still recording": day(5, Defect.UNFINISHED_META, parts=(Part.BEHAVIOR, Part.RECORDING)),
    "incomplete copy": day(6, Defect.INCOMPLETE_BIN, parts=(Part.BEHAVIOR, Part.RECORDING)),
    "bad sorting": day(7, Defect.TRUNCATED_SORTING, parts=tuple(Part)),
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A lab in which nearly everything is wrong with its neighbours, ingested once."""
    root = tmp_path_factory.mktemp("bad")
    write_laboratory(root, LabPlan(BASE.animals, tuple(PLANS.values()), voxel_um=200.0))
    outside = root / "outside.mat"
    shutil.copy(next((root / "rig1").rglob("*.mat")), outside)
    (root / "rig1" / "MK001_tw2_20240401_101010.mat").symlink_to(outside)
    (root / "rig1" / "MK001" / "notes.txt").write_text("fed at noon")
    (root / "rig1" / "MK001" / ".DS_Store").write_bytes(b"\0")
    lab = Lab(root)
    lab.run("registry", "import", str(root / "registry" / "animals.csv"))
    assert lab.run("ingest", check=False).returncode == 1
    return lab


def quarantined(lab: Lab) -> dict[str, str]:
    """Reason of each quarantined file, by its name."""
    return {Path(found.relpath).name: found.reason for found in lab.services.ledger.files(state="quarantined")}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("truncated", "truncated"),
        ("unknown task", "task"),
        ("duplicate", "same session"),
    ],
)
def test_a_bad_behavior_file_is_set_aside_with_a_sentence(lab: Lab, name: str, said: str) -> None:
    key = PLANS[name].key
    animal, date, time = key.split("_")
    (reason, *_) = [why for file, why in quarantined(lab).items() if date in file and time in file]
    assert said in reason or said.split()[-1] in reason
    assert f"{animal}_tw2_{date}_{time}.mat" in reason
    assert "expected" in reason
    assert "\n" not in reason
    assert not lab.services.store.has("trials", key)


def test_a_name_without_a_session_is_set_aside(lab: Lab) -> None:
    (reason,) = [why for file, why in quarantined(lab).items() if file.endswith("final2.mat")]
    assert "{YYYYMMDD}" in reason


def test_a_link_is_set_aside_and_never_followed(lab: Lab) -> None:
    reason = quarantined(lab)["MK001_tw2_20240401_101010.mat"]
    assert "link" in reason
    assert "MK001_20240401_101010" not in lab.services.ledger.sessions()


def test_a_bad_sorting_is_set_aside_and_the_rest_of_its_session_goes_on(lab: Lab) -> None:
    key = PLANS["bad sorting"].key
    reasons = [found.reason for found in lab.services.ledger.files(state="quarantined", session=key)]
    assert reasons
    assert all("spike_times.npy" in reason for reason in reasons)
    store = lab.services.store
    assert not store.has("units", key)
    for table in ("trials", "clock_maps", "electrodes", "nwb_file", "archive_receipt"):
        assert store.has(table, key), table


@pytest.mark.parametrize("name", ["still recording", "incomplete copy"])
def test_a_recording_that_is_not_whole_waits_and_says_for_what(lab: Lab, name: str) -> None:
    waiting = lab.services.ledger.files(state="waiting", session=PLANS[name].key)
    assert {Path(found.relpath).name.rsplit(".", 1)[1] for found in waiting} >= {"meta", "bin"}
    for found in waiting:
        assert found.reason
    assert lab.services.store.has("trials", PLANS[name].key)


def test_codes_in_samples_wait_for_the_meta_file_that_tells_the_rate(tmp_path: Path) -> None:
    plan = dataclasses.replace(
        GOOD.with_parts(Part.BEHAVIOR, Part.RECORDING), anchors="whole samples", n_trials=60, n_tracked_trials=0
    )
    write_laboratory(tmp_path, LabPlan(BASE.animals, (plan,), voxel_um=200.0))
    lab = Lab(tmp_path)
    later = [path for path in (tmp_path / "ephys").rglob("*") if path.suffix in {".meta", ".bin"}]
    for path in later:
        path.rename(tmp_path / path.name)
    lab.run("ingest")
    (codes,) = lab.services.ledger.files(share="ephys")
    assert codes.state == "waiting"
    assert ".ap.meta" in codes.reason
    assert lab.table("clock_maps", plan.key) == []

    for path in later:
        (tmp_path / path.name).rename(path)
    lab.run("ingest")
    assert {found.state for found in lab.services.ledger.files(share="ephys")} == {"ingested"}
    (clock,) = lab.table("clock_maps", plan.key)
    assert clock["n_anchors"] > 30


def test_the_good_neighbour_is_whole(lab: Lab) -> None:
    key = PLANS["good"].key
    assert {found.state for found in lab.services.ledger.files(session=key)} == {"ingested"}
    for table in ("trials", "units", "psth", "electrodes", "tracking", "nwb_file", "archive_receipt"):
        assert lab.services.store.has(table, key), table


def test_everything_found_is_in_one_of_four_states(lab: Lab) -> None:
    n_files = 0
    for share in ("rig1", "ephys", "histology", "tracking"):
        n_files += sum(1 for path in (lab.root / share).rglob("*") if path.is_symlink() or path.is_file())
    files = lab.services.ledger.files()
    assert len(files) == n_files
    assert {found.state for found in files} == {"ingested", "waiting", "quarantined", "ignored"}
    assert all(found.rule for found in files if found.state == "ignored")
    assert all(found.reason for found in files if found.state in {"waiting", "quarantined"})
    for row in lab.services.ledger.status():
        assert row.found == row.ingested + row.waiting + row.quarantined + row.ignored


def test_a_share_that_is_gone_says_nothing_about_its_files(lab: Lab) -> None:
    before = lab.states()
    (lab.root / "ephys").rename(lab.root / "unmounted")
    (lab.root / "ephys").mkdir()
    try:
        assert lab.run("ingest", check=False).returncode == 1
        assert lab.states() == before
        assert lab.services.store.has("units", PLANS["good"].key)
    finally:
        (lab.root / "ephys").rmdir()
        (lab.root / "unmounted").rename(lab.root / "ephys")


def test_a_file_that_was_mended_is_taken_up_again(lab: Lab) -> None:
    """Last in this file: it changes the laboratory."""
    plan = PLANS["truncated"]
    from map_assets.simulate.laboratory import write_session

    write_session(lab.root, dataclasses.replace(plan, defects=frozenset()))
    lab.run("ingest", plan.key)
    assert lab.services.store.has("trials", plan.key)
    assert {found.state for found in lab.services.ledger.files(session=plan.key)} == {"ingested"}
