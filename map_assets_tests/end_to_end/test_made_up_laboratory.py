"""A made-up laboratory, from its shares to tables, figures, NWB and receipts, held against its truth."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from laboratory import Lab

from map_assets.analyses.tables_task import TABLES as TASK_TABLES
from map_assets.defs.stages import SESSION_STAGES
from map_assets.figures.tables_report import TABLES as REPORT_FIGURES
from map_assets.simulate.laboratory import write_laboratory
from map_assets.simulate.plans import Part, demo_plan
from map_assets.simulate.truth import Truth, read_truth
from map_assets.vocabulary.clock import ClockMap

pytestmark = pytest.mark.slow

WHOLE = "MK011_20240305_102508"
DAMAGED = "MK013_20240308_111259"
UNSORTED = "MK012_20240306_162015"
SESSIONS = [
    WHOLE, "MK011_20240306_104130", "MK012_20240306_130244", UNSORTED, "MK013_20240307_110502",
]  # fmt: skip


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The demo's laboratory, ingested once by the terminal's own commands; the damaged file makes ingest say so."""
    root = tmp_path_factory.mktemp("made_up")
    write_laboratory(root, demo_plan())
    lab = Lab(root)
    for sheet in ("animals.csv", "insertions.csv"):
        lab.run("registry", "import", str(root / "registry" / sheet))
    assert lab.run("ingest", check=False).returncode == 1
    return lab


@pytest.fixture(params=SESSIONS)
def session(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def truth(lab: Lab, session: str) -> Truth:
    return read_truth(lab.root, session)


def read(lab: Lab, table: str, session: str) -> pa.Table:
    return lab.services.store.read(table, session)


def test_every_field_of_every_trial_comes_back(lab: Lab, session: str, truth: Truth) -> None:
    found = read(lab, "trials", session)
    there = truth.trials.filter(pc.field("is_in_behavior")).drop_columns(["is_in_behavior", "stim_code"])
    assert found.num_rows == there.num_rows
    for name in there.column_names:
        if pa.types.is_floating(there.schema.field(name).type):
            a, b = (table[name].to_numpy(zero_copy_only=False).astype(float) for table in (found, there))
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-9, err_msg=name)
        else:
            assert found[name].to_pylist() == there[name].to_pylist(), name


def test_every_lick_comes_back(lab: Lab, session: str, truth: Truth) -> None:
    kept = truth.trials.filter(pc.field("is_in_behavior"))["trial"]
    there = truth.licks.filter(pc.is_in(truth.licks["trial"], kept)).sort_by(
        [("trial", "ascending"), ("time_s", "ascending")]
    )
    found = read(lab, "licks", session).sort_by([("trial", "ascending"), ("lick_id", "ascending")])
    assert found["port"].to_pylist() == there["port"].to_pylist()
    assert found["trial"].to_pylist() == there["trial"].to_pylist()
    np.testing.assert_allclose(found["time_s"].to_numpy(), there["time_s"].to_numpy(), rtol=0, atol=1e-9)


def test_every_event_comes_back(lab: Lab, session: str, truth: Truth) -> None:
    order = [("trial", "ascending"), ("start_s", "ascending"), ("event", "ascending")]
    found, there = read(lab, "trial_events", session).sort_by(order), truth.trial_events.sort_by(order)
    there = there.filter(pc.is_in(there["trial"], found["trial"]))
    assert found["event"].to_pylist() == there["event"].to_pylist()
    np.testing.assert_allclose(found["start_s"].to_numpy(), there["start_s"].to_numpy(), rtol=0, atol=1e-9)
    np.testing.assert_allclose(found["duration_s"].to_numpy(), there["duration_s"].to_numpy(), rtol=0, atol=1e-9)


def test_every_spike_comes_back_within_ten_microseconds_on_the_session_clock(
    lab: Lab, session: str, truth: Truth
) -> None:
    if session == UNSORTED:
        assert not lab.services.store.has("spikes", session)
        return
    clocks = {
        row["probe"]: ClockMap(row["offset_s"], row["drift_ppm"])
        for row in read(lab, "clock_maps", session).to_pylist()
    }
    rates = {row["probe"]: row["sample_rate_hz"] for row in read(lab, "probes", session).to_pylist()}
    found = read(lab, "spikes", session).to_pylist()
    there = truth.spikes.to_pylist()
    assert [(row["probe"], row["unit_id"]) for row in found] == sorted((row["probe"], row["unit_id"]) for row in there)
    worst = 0.0
    for row in found:
        probe, unit = row["probe"], row["unit_id"]
        samples = np.array(row["samples"])
        np.testing.assert_array_equal(samples, truth.spike_samples(probe, unit))
        off = clocks[probe].session_s(samples / rates[probe]) - truth.spike_session_s(probe, unit)
        worst = max(worst, float(np.abs(off).max(initial=0.0)))
    assert worst < 10e-6


def test_clocks_drift_as_they_were_made_to(lab: Lab, session: str, truth: Truth) -> None:
    found = {row["probe"]: row for row in read(lab, "clock_maps", session).to_pylist()}
    for row in truth.probes.to_pylist():
        assert found[row["probe"]]["drift_ppm"] == pytest.approx(row["drift_ppm"], abs=0.1)
        assert found[row["probe"]]["residual_max_s"] < 1e-4
    seen = truth.ephys_trials
    for probe, row in found.items():
        assert row["matched_trials"] == seen.filter(pc.field("probe") == probe)["trial"].to_pylist()


def test_every_electrode_is_where_it_was_put(lab: Lab, session: str, truth: Truth) -> None:
    found = read(lab, "electrodes", session)
    assert found.num_rows == truth.electrodes.num_rows
    if set(found["region_status"].to_pylist()) == {"not traced"}:
        assert not lab.services.store.has("electrode_positions", session)
        return
    there = {(row["probe"], row["electrode"]): row for row in truth.electrodes.to_pylist()}
    for row in found.to_pylist():
        true = there[row["probe"], row["electrode"]]
        assert row["region_status"] == ("labelled" if true["region_id"] else "outside")
        assert row["region"] == (true["region"] if true["region_id"] else None)
        for axis in ("ap", "dv", "ml"):
            assert row[f"ccf_{axis}_um"] == pytest.approx(true[f"ccf_{axis}_um"], abs=0.01)


def test_units_keep_their_own_ids_and_labels(lab: Lab, session: str, truth: Truth) -> None:
    if session == UNSORTED:
        return
    found = {(row["probe"], row["unit_id"]): row for row in read(lab, "units", session).to_pylist()}
    for row in truth.units.to_pylist():
        unit = found[row["probe"], row["unit_id"]]
        assert unit["quality"] == row["label"]
        assert unit["electrode"] == row["electrode"]
        assert unit["n_spikes"] == row["n_spikes"]
    assert len(found) == truth.units.num_rows


def test_selective_units_fire_as_they_were_made_to(lab: Lab) -> None:
    truth = read_truth(lab.root, WHOLE)
    rates = {(row["probe"], row["unit_id"], row["condition"]): row for row in read(lab, "psth", WHOLE).to_pylist()}
    agree = total = 0
    for unit in truth.units.to_pylist():
        made = unit["response_left_hz"] - unit["response_right_hz"]
        if abs(made) < 3.0:
            continue
        left, right = (
            rates[unit["probe"], unit["unit_id"], f"good_noearlylick_{side}_hit"] for side in ("left", "right")
        )
        start = np.array(left["bin_start_from_go_s"])
        window = (start >= 0.0) & (start < 1.0)
        seen = np.mean(np.array(left["rate_hz"])[window]) - np.mean(np.array(right["rate_hz"])[window])
        agree += np.sign(seen) == np.sign(made)
        total += 1
    assert total >= 3
    assert agree >= 0.8 * total


def test_every_session_has_its_nwb_its_figure_and_its_receipt(lab: Lab, session: str) -> None:
    store = lab.services.store
    (nwb,) = read(lab, "nwb_file", session).to_pylist()
    assert (nwb["n_validation_errors"], nwb["n_inspector_critical"]) == (0, 0), nwb["messages"]
    assert nwb["n_inspector_checks"] > 30
    (figure,) = read(lab, "behavior_performance", session).to_pylist()
    assert (store.root / figure["png_file"]).read_bytes().startswith(b"\x89PNG")
    manifest, receipt = (read(lab, name, session) for name in ("archive_manifest", "archive_receipt"))
    assert manifest["sha256"].to_pylist() == receipt["sha256"].to_pylist()
    found = {str(row.relpath) for row in lab.services.ledger.files(session=session)}
    assert set(manifest["path"].to_pylist()) == found


def test_the_nwb_file_holds_the_units_of_both_probes(lab: Lab) -> None:
    units = read(lab, "units", WHOLE)
    (row,) = read(lab, "nwb_file", WHOLE).to_pylist()
    with h5py.File(lab.services.store.root / row["path"]) as file:
        assert len(file["units/id"]) == units.num_rows
        assert len(file["intervals/trials/id"]) == read(lab, "trials", WHOLE).num_rows


def test_a_trial_that_a_probe_did_not_observe_is_told_from_one_in_which_it_heard_nothing(
    lab: Lab, session: str
) -> None:
    rows = read(lab, "coverage", session).filter(pc.field("source_kind") == "probe").to_pylist()
    assert all((row["reason"] is None) == row["is_observed"] for row in rows)
    late = session == "MK012_20240306_130244"
    assert any("not begun" in (row["reason"] or "") for row in rows) == late
    if session == UNSORTED:
        return
    indexed = read(lab, "trial_spikes", session)
    with_rows = set(zip(indexed["probe"].to_pylist(), indexed["trial"].to_pylist(), strict=True))
    assert with_rows == {(row["probe"], row["trial"]) for row in rows if row["is_observed"]}


def test_every_stage_is_done_or_waits_for_something_named(lab: Lab) -> None:
    ledger = lab.services.ledger
    for session in SESSIONS:
        records = ledger.stage_records(session)
        assert {name: record.detail for name, record in records.items() if record.outcome != "done"} == {}
        assert all('"blocked": ""' in record.detail for record in records.values()), records
    lacking = {"unit_classes"}  # the demonstration has no classifier's file
    assert set(ledger.stage_records(WHOLE)) == {stage.name for stage in SESSION_STAGES} - lacking
    assert ledger.waits() == []


def test_the_damaged_file_is_in_quarantine_with_one_sentence(lab: Lab) -> None:
    (found,) = lab.services.ledger.files(state="quarantined")
    assert DAMAGED.split("_")[1] in str(found.relpath)
    assert "truncated" in found.reason
    assert found.reason.count("\n") == 0
    assert not lab.services.store.has("trials", DAMAGED)


def test_all_that_was_found_is_accounted_for(lab: Lab) -> None:
    shares = ("rig1", "ephys", "histology", "tracking")
    for row in lab.services.ledger.status():
        assert row.found == row.ingested + row.waiting + row.quarantined + row.ignored
        assert row.found == sum(path.is_file() for path in (lab.root / row.share).rglob("*"))
    assert {row.share for row in lab.services.ledger.status()} == set(shares)
    assert sum(row.waiting for row in lab.services.ledger.status()) == 0


def test_nothing_on_the_shares_was_touched(lab: Lab, tmp_path: Path) -> None:
    write_laboratory(tmp_path, demo_plan())
    for share in ("rig1", "ephys", "histology", "tracking"):
        for path in (tmp_path / share).rglob("*"):
            if path.is_file():
                assert (lab.root / path.relative_to(tmp_path)).read_bytes() == path.read_bytes()


def test_sorting_that_comes_late_makes_what_rests_on_it_and_nothing_else(lab: Lab) -> None:
    """Last in this file: it changes the laboratory."""
    from map_assets.simulate.laboratory import write_session

    store, session = lab.services.store, UNSORTED
    before = {name: store.version(name, session) for name in store.tables() if store.has(name, session)}
    written = {name: len(store.history(name, session)) for name in before}
    plan = next(plan for plan in demo_plan().sessions if plan.key == session)
    write_session(lab.root, plan.with_parts(Part.SORTING))
    lab.run("ingest", session)
    after = {name: store.version(name, session) for name in store.tables() if store.has(name, session)}
    made = set(after) - set(before)
    versions = {"other_units", "other_spikes", "other_spike_features", "sorting_changes"}
    of_units = {"sortings", "units", "unit_labels", "spikes", "spike_features", "trial_spikes"}
    derived = {"unit_waveforms", "unit_stats", "cell_type", "drift", "unit_criteria", "psth", "unit_raster_psth"}
    task = {table.name for table in (*TASK_TABLES, *REPORT_FIGURES)}
    task |= {"direction_tuning", "foraging_period_fits"}  # the session has no tracking, so nothing of the jaw
    assert made == of_units | versions | derived | task
    changed = {name for name in before if len(store.history(name, session)) != written[name]}
    archive = {"archive_manifest", "archive_transfer", "archive_verification", "archive_receipt", "removal_plan"}
    assert changed == {"probes", "nwb_file"} | archive
    truth = read_truth(lab.root, session)
    assert [len(row) for row in read(lab, "spikes", session)["samples"].to_pylist()] == truth.units.sort_by(
        [("probe", "ascending"), ("unit_id", "ascending")]
    )["n_spikes"].to_pylist()
    assert isinstance(store.history("units", session)[0][0], datetime)
