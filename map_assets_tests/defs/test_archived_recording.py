"""What the raw recording told stays in the tables when it was archived, removed from its share, and the stage is done anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from map_assets.archive.removal import remove_approved
from map_assets.archive.removal_approval import approve
from map_assets.archive.removal_plan import fingerprint
from map_assets.config import load_config
from map_assets.defs import archive, ephys
from map_assets.defs.due import decide
from map_assets.defs.services import Services
from map_assets.defs.state import state_of
from map_assets.defs.work import perform
from map_assets.ephys.pulse_code import PulseProtocol, read_pulse_protocol
from map_assets.shares.refresh import refresh
from map_assets.shares.scan import scan_all
from map_assets.simulate.laboratory import write_session
from map_assets.simulate.plans import Part, ProbePlan, SessionPlan

SESSION = "SC022_20240301_151010"
PLAN = SessionPlan(
    "SC022",
    440010,
    datetime(2024, 3, 1, 15, 10, 10),
    n_trials=7,
    probes=(ProbePlan("left ALM", drift_ppm=20.0), ProbePlan("left ALM", drift_ppm=-14.0, serial_number="18005118503")),
    parts=frozenset({Part.RECORDING, Part.BEHAVIOR}),
    code_source="nidq",
    seed=5,
)


def protocol(*_: object) -> PulseProtocol:
    """The package's protocol for the simulator's codes of 16 bits, with go cues."""
    own = read_pulse_protocol()
    return replace(own, n_bits=16, list_go="XD_2_1_0", nidq=replace(own.nidq, go="XD1"))


@pytest.mark.parametrize("keep", ['["*.nidq.bin"]', "[]"])
def test_a_recording_that_was_removed_keeps_its_trials_when_its_stage_is_done_anew(
    tmp_path: Path, keep: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ephys, "read_pulse_protocol", protocol)
    share = tmp_path / "out" / "ephys"
    write_session(tmp_path / "out", PLAN)
    (share / ".map_assets_share").write_text("m1")
    (tmp_path / "map_assets.toml").write_text(
        f'[shares.ephys]\nkind = "ephys"\npath = "out/ephys"\nrig = "{min(protocol().nidq.rigs)}"\nsettle_s = 0\n'
        'marker = "m1"\n[shares.behavior]\nkind = "behavior"\npath = "out/rig1"\nsettle_s = 0\n'
        '[store]\nroot = "store"\n[registry]\nurl = "sqlite:///lab.db"\n[archive]\nroot = "archive"\n'
        f"[archive.removal]\nhold_s = 0\ngrace_s = 0\nkeep = {keep}\n"
    )
    monkeypatch.chdir(tmp_path)
    services = Services(load_config(tmp_path / "map_assets.toml"))

    def scan() -> None:
        scan_all(services.shares, services.ledger)
        refresh(services.ledger)

    scan()
    of_archive = (archive.archive_manifest, archive.archive_transfer, archive.archive_verification)
    for stage in (ephys.recordings, *of_archive, archive.archive_receipt):
        perform(stage, SESSION, services)
    names = ("recordings", "ephys_trials")
    before = {name: services.store.read(name, SESSION) for name in names}
    assert before["ephys_trials"].num_rows == 14 and before["recordings"]["bin_state"].to_pylist() == ["whole"] * 2
    desk = services.removal_desk
    approve(desk, SESSION, plan=fingerprint(desk.plan(SESSION)), who="rivera", why="published", account="rivera")
    for _ in range(2):
        remove_approved(desk, SESSION, services.share_roots, actor="okafor", account="okafor")
    assert not list(share.rglob("*.ap.bin")) and bool(list(share.rglob("*.nidq.bin"))) is ("nidq" in keep)
    scan()
    raised = replace(ephys.recordings, version="raised")
    assert decide([raised], state_of([raised], services, SESSION)).stages == ("recordings",)
    perform(raised, SESSION, services)
    for name in names:
        assert services.store.read(name, SESSION).equals(before[name])
