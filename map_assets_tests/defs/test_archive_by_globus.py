"""The archive's stages with a mover that takes its time: asked, left at work, looked at, read back, receipted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import dagster as dg
import pytest

from map_assets.archive.journal import LeasedElsewhere
from map_assets.archive.polling import poll
from map_assets.archive.states import State
from map_assets.cli.demo_globus import with_globus
from map_assets.config import load_config
from map_assets.defs.archive import limits, roots
from map_assets.defs.archive_watch import archive_fixity
from map_assets.defs.dispatch import due_for_sessions
from map_assets.defs.ingest import ingest
from map_assets.defs.resources import LabResource
from map_assets.defs.services import Services
from map_assets.defs.stages import MANUAL_STAGES, SESSION_STAGES
from map_assets.simulate.laboratory import write_laboratory
from map_assets.simulate.plans import AnimalPlan, LabPlan, Part, SessionPlan
from map_assets.vocabulary.errors import ShareNotReady

PLAN = SessionPlan("MK043", 990043, datetime(2024, 3, 5, 10, 25, 8), 5, (), seed=3).with_parts(Part.BEHAVIOR)
KEY = PLAN.key


@pytest.fixture
def config_file(tmp_path: Path) -> Iterator[Path]:
    write_laboratory(tmp_path, LabPlan((AnimalPlan("MK043", 990043),), (PLAN,), voxel_um=200.0))
    with with_globus(tmp_path / "map_assets.toml") as found:
        yield found


def states_of(services: Services) -> set[str]:
    return set(services.journal.files(KEY)["state"].to_pylist())


def test_a_run_that_asked_the_mover_ends_well_and_the_session_goes_on_when_the_transfer_has_ended(
    config_file: Path,
) -> None:
    services = Services(load_config(config_file))
    report = ingest(services, config_file)
    assert report.failed == {}
    for _ in range(200):
        if not services.journal.submissions(KEY, is_open=True):
            break
        assert not services.store.has("archive_receipt", KEY)
        found = poll(services.journal, services.archive, roots(services), limits=limits(services.config))
        services.ledger.touch(found.sessions)
    report = ingest(services, config_file)
    assert report.failed == {}
    assert states_of(services) == {str(State.RECEIPTED)}
    receipt = services.store.read("archive_receipt", KEY)
    assert receipt.num_rows == services.store.read("archive_manifest", KEY).num_rows > 0
    assert set(receipt["backend"].to_pylist()) == {"globus"}
    assert due_for_sessions(services, [KEY]) == []
    plan = services.store.read("removal_plan", KEY)
    assert plan["is_removable"].to_pylist() == [False] * plan.num_rows


def test_the_nightly_job_reads_the_copies_again_and_fails_where_one_has_changed(config_file: Path) -> None:
    folder = config_file.with_name("map_assets.toml")
    services = Services(load_config(folder))
    assert ingest(services, folder).failed == {}
    laboratory = {"laboratory": LabResource(config_file=str(folder))}
    assert archive_fixity.execute_in_process(resources=laboratory).success
    (copy,) = [path for path in services.config.archive.root.rglob("*.mat") if ".parts" not in path.parts]
    copy.chmod(0o644)
    copy.write_bytes(copy.read_bytes()[:-1] + b"!")
    with pytest.raises(dg.Failure, match="not proven"):
        archive_fixity.execute_in_process(resources=laboratory)
    assert str(State.SUSPECT) in states_of(services)


def test_a_session_that_is_worked_on_does_not_end_the_nightly_job(
    config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = config_file.with_name("map_assets.toml")
    services = Services(load_config(folder))
    assert ingest(services, folder).failed == {}
    watched = []

    def watch(_desk: object, session: str, *_: object, **__: object) -> list[object]:
        watched.append(session)
        raise {"a": LeasedElsewhere, "b": ShareNotReady}[session](f"not {session} just now")

    monkeypatch.setattr("map_assets.archive.copies.sessions_of", lambda *_: ["a", "b"])
    monkeypatch.setattr("map_assets.archive.removal.watch_quarantine", watch)
    laboratory = {"laboratory": LabResource(config_file=str(folder))}
    with pytest.raises(dg.Failure, match="the quarantine of b: not b just now"):
        archive_fixity.execute_in_process(resources=laboratory)
    assert watched == ["a", "b"]


def test_nothing_leaves_a_share_by_itself() -> None:
    by_themselves = {stage.name for stage in SESSION_STAGES}
    assert {stage.name for stage in MANUAL_STAGES} == {"source_removed"}
    assert "source_removed" not in by_themselves
