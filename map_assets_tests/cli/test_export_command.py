"""Sessions are given away from the terminal: every file listed with its hash, nothing written over, nothing half-made."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scipy.io import loadmat
from small_laboratory import Terminal

from map_assets.ccf.tables import ELECTRODES
from map_assets.config import load_config
from map_assets.defs.services import Services
from map_assets.defs.stages import BY_NAME
from map_assets.defs.work import perform
from map_assets.ephys.tables import SPIKES
from map_assets.nwb.tables import NWB_FILE
from map_assets.shares.scan import scan_all
from map_assets.simulate.laboratory import write_laboratory
from map_assets.simulate.plans import AnimalPlan, LabPlan, Part, ProbePlan, SessionPlan

Check = Callable[[str], str]
PROBE = ProbePlan("left ALM", n_units=3, n_sorted_channels=16, rate_scale=0.3)
PARTS = frozenset({Part.BEHAVIOR, Part.RECORDING, Part.SORTING})
PLANS = (
    SessionPlan(*("MK041", 990041, datetime(2024, 3, 5, 10, 25, 8), 8, (PROBE, PROBE)), anchors="seconds", parts=PARTS),
    SessionPlan(*("MK041", 990041, datetime(2024, 3, 6, 11, 0, 0), 8, ()), parts=frozenset({Part.BEHAVIOR})),
)
SORTED, PLAIN = (plan.key for plan in PLANS)
STAGES = (
    "behavior",
    "sessions",
    "recordings",
    "clock_maps",
    "sortings",
    "probes",
    "trial_spikes",
    "unit_stats",
    "psth",
)
HASH = "0123456789abcdef" * 4


@pytest.fixture(scope="session")
def exported_from(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A laboratory with a sorted session whose first probe is traced, and one with behaviour only."""
    root = tmp_path_factory.mktemp("export") / "lab"
    write_laboratory(root, LabPlan((AnimalPlan("MK041", 990041),), PLANS, voxel_um=200.0))
    services = Services(load_config(root / "map_assets.toml"))
    scan_all(services.shares, services.ledger)
    for name in STAGES:
        perform(BY_NAME[name], SORTED, services)
    for name in STAGES[:2]:
        perform(BY_NAME[name], PLAIN, services)
    sites = services.store.read("probe_sites", SORTED).drop_columns(["channel"]).to_pylist()
    place = {"ccf_ap_um": 3000.0, "ccf_dv_um": 2000.0, "ccf_ml_um": 4200.0, "region_status": "no volume"}
    rows = [row | (place if row["probe"] == 1 else {"region_status": "not traced"}) for row in sites]
    services.store.write(ELECTRODES, SORTED, ELECTRODES.from_rows(rows))
    services.ledger.close()
    services.registry.close()
    return root


@pytest.fixture
def lab(exported_from: Path) -> Terminal:
    """The laboratory, to be exported from."""
    return Terminal(exported_from)


@pytest.fixture
def own_lab(exported_from: Path, tmp_path: Path) -> Terminal:
    """A copy of the laboratory, to be changed."""
    return Terminal(Path(shutil.copytree(exported_from, tmp_path / "lab")))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def put_nwb(lab: Terminal, **facts: object) -> Path:
    """Let the store hold an NWB file of the sorted session, and a record of it."""
    version = lab.services.store.write_file(
        "nwb", SORTED, ".nwb", lambda path: path.write_bytes(b"nwb" * 1000) and None
    )
    row = {"session": SORTED, "path": version.path.relative_to(lab.services.store.root).as_posix()}
    row |= {"size": version.n_bytes, "sha256": version.sha256, "can_be_read": True, "identifier": "a", "messages": ""}
    row |= {"differences": "", "pynwb_version": "4.0", "made_from": "{}"}
    counts = {column.name: 0 for column in NWB_FILE.columns if column.name.startswith("n_")}
    record = NWB_FILE.from_rows([{**row, **counts, "n_inspector_checks": 30, **facts}])
    lab.services.store.write(NWB_FILE, SORTED, record)
    return version.path


def test_every_probe_is_a_matlab_file_with_its_hash(lab: Terminal, tmp_path: Path) -> None:
    to = tmp_path / "to"
    rows = lab("export", "mat", SORTED, "--to", str(to), "--json").rows
    assert [(row["session"], row["probe"], row["state"]) for row in rows] == [
        (SORTED, 1, "written"),
        (SORTED, 2, "written"),
    ]
    assert names(to) == [f"map-export_{SORTED}_s0_p1.mat", f"map-export_{SORTED}_s0_p2.mat"]
    for row in rows:
        written = Path(row["file"]).read_bytes()
        assert (row["size"], row["sha256"]) == (len(written), hashlib.sha256(written).hexdigest())
        found = loadmat(row["file"])
        units = lab.services.store.read("units", SORTED).filter(pc.field("probe") == row["probe"])
        assert sorted(units["unit_id"].to_pylist()) == [cell.item() for cell in found["neuron_unit_info"][:, 0]]
        assert found["behavior_report"].shape == (8, 1)
    shown = lab("export", "mat", SORTED, "--to", str(to)).out
    assert "already there" in shown
    assert rows[0]["sha256"] in shown


def test_what_is_there_already_is_not_made_again(lab: Terminal, tmp_path: Path) -> None:
    first = lab("export", "mat", SORTED, SORTED, "--to", str(tmp_path), "--probe", "2", "--json").rows
    assert [row["probe"] for row in first] == [2]
    stood = Path(first[0]["file"]).stat()
    rows = lab("export", "mat", SORTED, "--to", str(tmp_path), "--json").rows
    assert [row["state"] for row in rows] == ["written", "already there"]
    assert rows[1]["sha256"] == first[0]["sha256"]
    assert Path(first[0]["file"]).stat().st_mtime_ns == stood.st_mtime_ns


def test_files_of_other_tables_are_replaced_only_if_asked_for(
    own_lab: Terminal, tmp_path: Path, one_sentence: Check
) -> None:
    to = tmp_path / "to"
    command = ("export", "mat", SORTED, "--to", str(to), "--probe", "1", "--json")
    (before,) = own_lab(*command).rows
    store = own_lab.services.store
    sites = store.read("electrodes", SORTED)
    moved = pc.add(sites["ccf_ap_um"], 1.0)
    store.write(ELECTRODES, SORTED, sites.set_column(sites.schema.get_field_index("ccf_ap_um"), "ccf_ap_um", moved))
    refused = own_lab(*command, code=1)
    assert refused.rows == []
    assert "--overwrite" in one_sentence(refused.err)
    assert hashlib.sha256(Path(before["file"]).read_bytes()).hexdigest() == before["sha256"]
    (after,) = own_lab(*command, "--overwrite").rows
    assert after["state"] == "replaced"
    assert after["sha256"] != before["sha256"]
    assert names(to) == [Path(before["file"]).name]


def test_the_viewer_gets_what_is_traced(lab: Terminal, tmp_path: Path, one_sentence: Check) -> None:
    command = ("export", "viewer", SORTED, "--to", str(tmp_path), "--json")
    done = lab(*command, code=1)  # the second probe is not traced
    (row,) = done.rows
    assert "probe 2" in one_sentence(done.err)
    assert names(tmp_path) == [f"{SORTED}_1.npz"]
    with np.load(row["file"], allow_pickle=False) as file:
        assert set(map(tuple, file["ccf_coord"].tolist())) == {(3000.0, 2000.0, 7200.0)}
    assert [row["state"] for row in lab(*command, "--probe", "1").rows] == ["already there"]


def test_an_nwb_file_that_passed_its_gates_is_copied(own_lab: Terminal, tmp_path: Path) -> None:
    source, to = put_nwb(own_lab), tmp_path / "to"
    (row,) = own_lab("export", "nwb", SORTED, "--to", str(to), "--json").rows
    assert (row["state"], row["probe"], row["size"]) == ("written", None, 3000)
    assert Path(row["file"]).read_bytes() == source.read_bytes()
    assert hashlib.sha256(source.read_bytes()).hexdigest() == row["sha256"]
    (again,) = own_lab("export", "nwb", SORTED, "--to", str(to), "--json").rows
    assert again["state"] == "already there"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"n_validation_errors": 2}, "gate nwb_validates"),
        ({"can_be_read": False}, "gate nwb_validates"),
        ({"n_inspector_critical": 1}, "gate nwb_is_clean"),
        ({"differences": "trials differ"}, "trials differ"),
        ({"sha256": HASH}, "hold the bytes"),
    ],
)
def test_an_nwb_file_that_is_not_well_is_kept_back(
    own_lab: Terminal, tmp_path: Path, one_sentence: Check, facts: dict[str, object], said: str
) -> None:
    put_nwb(own_lab, **facts)
    done = own_lab("export", "nwb", SORTED, "--to", str(tmp_path / "to"), code=1)
    assert said in one_sentence(done.err)
    assert names(tmp_path / "to") == []


def test_a_damaged_nwb_file_is_given_away_as_it_was_while_the_history_has_it(own_lab: Terminal, tmp_path: Path) -> None:
    source = put_nwb(own_lab)
    good = source.read_bytes()
    source.unlink()
    for damage in (None, good[:-1] + b"x"):
        if damage is not None:
            source.write_bytes(damage)
        to = tmp_path / f"to{damage is None}"
        done = own_lab("export", "nwb", SORTED, "--to", str(to), "--json")
        assert Path(done.rows[0]["file"]).read_bytes() == good
        assert "history" in done.err


def test_an_nwb_file_that_is_damaged_everywhere_is_said_to_be_and_who_makes_it_again(
    own_lab: Terminal, tmp_path: Path, one_sentence: Check
) -> None:
    source = put_nwb(own_lab)
    with source.open("r+b") as file:  # its name in the history is the same file
        file.write(b"x")
    said = one_sentence(own_lab("export", "nwb", SORTED, "--to", str(tmp_path / "to"), code=1).err)
    assert "--again nwb_file" in said
    assert names(tmp_path / "to") == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("mat", "XX1_20200101_000000"), "The store has no session XX1_20200101_000000"),
        (("mat", "yesterday"), "not a session key"),
        (("mat", PLAIN), f"No table units of session {PLAIN}"),
        (("viewer", PLAIN), f"No table units of session {PLAIN}"),
        (("nwb", PLAIN), f"No table nwb_file of session {PLAIN}"),
        (("mat", SORTED, "--probe", "7"), "Probe 7 of MK041_20240305_102508 has no sorted units; it has 1, 2."),
    ],
)
def test_what_cannot_be_exported_is_said_in_a_sentence(
    lab: Terminal, tmp_path: Path, one_sentence: Check, words: tuple[str, ...], said: str
) -> None:
    done = lab("export", *words, "--to", str(tmp_path / "to"), code=1)
    assert said in one_sentence(done.err)
    assert done.out == ""
    assert names(tmp_path / "to") == []


def refuse(lab: Terminal, stage: str, tables: list[str]) -> None:
    """Let the ledger say that a blocking check refused what a stage made."""
    detail = json.dumps({"made": tables, "blocked": "its_claim_holds", "inputs": {}})
    lab.services.ledger.record_stage(SORTED, stage, "signature", "done", detail)


def test_tables_that_a_check_refused_are_not_given_away(own_lab: Terminal, tmp_path: Path, one_sentence: Check) -> None:
    command = ("export", "mat", SORTED, "--to", str(tmp_path / "to"), "--probe", "1", "--json")
    refuse(own_lab, "unit_stats", ["unit_stats"])
    done = own_lab(*command)
    assert "unit_stats is left out" in done.err
    (row,) = done.rows
    assert np.isnan(loadmat(row["file"])["neuron_unit_quality_control"][0, 0]["avg_firing_rate"]).all()
    refuse(own_lab, "clock_maps", ["clock_maps"])
    said = one_sentence(own_lab(*command, "--overwrite", code=1).err)
    assert "The table clock_maps" in said
    assert "its_claim_holds" in said


def test_tables_that_rest_on_others_than_those_that_stand_are_not_mixed(
    own_lab: Terminal, tmp_path: Path, one_sentence: Check
) -> None:
    store = own_lab.services.store
    spikes = store.read("spikes", SORTED)
    store.write(SPIKES, SORTED, spikes.set_column(3, "samples", pa.array([[5]] * spikes.num_rows)))
    done = own_lab("export", "mat", SORTED, "--to", str(tmp_path / "to"), "--probe", "1", code=1)
    assert "The table trial_spikes" in one_sentence(done.err)
    assert "earlier tables" in done.err
    assert names(tmp_path / "to") == []


def test_one_session_that_cannot_be_exported_does_not_stop_the_others(lab: Terminal, tmp_path: Path) -> None:
    done = lab("export", "mat", PLAIN, "XX1_20200101_000000", SORTED, "--to", str(tmp_path), "--json", code=1)
    assert [row["session"] for row in done.rows] == [SORTED, SORTED]
    assert [line.partition(" ")[0] for line in done.err.strip().splitlines()] == ["map-assets:"] * 2


def test_a_folder_that_is_a_file_is_told(lab: Terminal, tmp_path: Path, one_sentence: Check) -> None:
    (tmp_path / "to").write_text("mine")
    done = lab("export", "mat", SORTED, "--to", str(tmp_path / "to"), "--probe", "1", code=1)
    assert "cannot be used" in one_sentence(done.err)
    assert (tmp_path / "to").read_text() == "mine"


def test_wrong_usage_is_told_as_such(lab: Terminal, tmp_path: Path) -> None:
    assert "--to" in lab("export", "mat", SORTED, code=2).err
    assert "sessions" in lab("export", "nwb", "--to", str(tmp_path), code=2).err
