"""What a stage may do to files that another one answers for, and when it is done anew, on a small laboratory."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from map_assets.config import load_config
from map_assets.defs import work
from map_assets.defs.dispatch import due_for_sessions
from map_assets.defs.services import Services
from map_assets.defs.stages import BY_NAME
from map_assets.defs.work import perform
from map_assets.shares.refresh import refresh
from map_assets.shares.scan import scan_all
from map_assets.simulate.laboratory import write_laboratory
from map_assets.simulate.plans import AnimalPlan, LabPlan, Part, ProbePlan, SessionPlan

PROBE = ProbePlan("left ALM", n_units=3, n_sorted_channels=8, is_curated=False)
PLAN = SessionPlan("MK042", 990042, datetime(2024, 3, 5, 10, 25, 8), 6, (PROBE,), seed=3, raw_s=3.0).with_parts(
    Part.BEHAVIOR, Part.RECORDING, Part.SORTING
)
KEY = PLAN.key
STAGES = (
    *("behavior", "sessions", "recordings", "clock_maps", "sortings", "probes", "unit_waveforms", "lfp_power"),
    *("cell_type", "archive_manifest"),
)


@pytest.fixture
def services(tmp_path: Path) -> Services:
    write_laboratory(tmp_path, LabPlan((AnimalPlan("MK042", 990042),), (PLAN,), voxel_um=200.0))
    return Services(load_config(tmp_path / "map_assets.toml"))


def do_what_is_due(services: Services) -> list[str]:
    scan_all(services.shares, services.ledger)
    refresh(services.ledger)
    (due,) = due_for_sessions(services, [KEY]) or [None]
    stages = [name for name in (due.decision.stages if due else ()) if name in STAGES]
    for name in stages:
        perform(BY_NAME[name], KEY, services, may_skip=True)
    return stages


def test_what_an_analysis_cannot_use_is_archived_all_the_same(services: Services, tmp_path: Path) -> None:
    (meta,) = (tmp_path / "ephys").rglob("*.lf.meta")
    lines = [line for line in meta.read_text().splitlines() if not line.startswith("acqApLfSy")]
    meta.write_text("\n".join(lines) + "\n")
    do_what_is_due(services)
    assert services.ledger.files(state="quarantined") == []
    archived = services.store.read("archive_manifest", KEY)["path"].to_pylist()
    assert any(path.endswith(".lf.bin") for path in archived)
    assert any(path.endswith(".lf.meta") for path in archived)
    assert services.store.read("lfp_power", KEY).num_rows == 0
    assert do_what_is_due(services) == []


def test_a_recording_that_was_archived_and_removed_keeps_its_waveforms_and_holds_up_nothing(
    services: Services, tmp_path: Path
) -> None:
    do_what_is_due(services)
    waveforms = services.store.read("unit_waveforms", KEY)
    assert waveforms.num_rows > 0
    services.ledger.mark_ingested(
        [found for found in services.ledger.inventory(KEY).files if found.role == "spikeglx_bin"], by="archive_manifest"
    )
    for raw in (tmp_path / "ephys").rglob("*.bin"):
        raw.unlink()
    (codes,) = (tmp_path / "ephys").rglob("*bitcode.mat")
    codes.write_bytes(codes.read_bytes())
    done = do_what_is_due(services)
    assert {"recordings", "clock_maps"} <= set(done)
    kept = services.store.read("unit_waveforms", KEY)
    assert kept.equals(waveforms)


def test_a_stage_whose_inputs_came_out_the_same_is_not_done_anew(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    do_what_is_due(services)
    before = services.store.version("sortings", KEY)
    (codes,) = (tmp_path / "ephys").rglob("*bitcode.mat")
    codes.write_bytes(codes.read_bytes())
    made: list[str] = []
    original = work._write

    def writes(stage: object, *args: object) -> object:
        made.append(stage.name)
        return original(stage, *args)

    monkeypatch.setattr(work, "_write", writes)
    asked = do_what_is_due(services)
    assert {"recordings", "clock_maps", "sortings", "cell_type"} <= set(asked)
    assert set(made) <= {"recordings", "archive_manifest"}
    assert services.store.version("sortings", KEY) == before
    perform(BY_NAME["cell_type"], KEY, services)
    assert made[-1] == "cell_type"


def test_settings_are_fingerprinted_once_a_look_not_once_a_session(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    from map_assets.defs import sensors

    asked: list[str] = []
    monkeypatch.setattr(sensors, "session_parameters", lambda _services: asked.append("asked") or {})
    monkeypatch.setattr(sensors, "due_for_sessions", lambda _services, sessions, parameters: [])
    assert sensors._look_at(services, ["a", "b", "c"], set()) == ([], [])
    assert asked == ["asked"]
