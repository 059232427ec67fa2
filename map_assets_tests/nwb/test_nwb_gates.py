"""The gates: what passes them, and that each kind of bad file fails them."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pyarrow as pa
import pytest

from map_assets.nwb.inspect import Inspection, inspect_nwb
from map_assets.nwb.roundtrip import compare_with_tables
from map_assets.nwb.row import make_nwb_row
from map_assets.nwb.verdicts import nwb_gives_the_tables_back, nwb_is_clean, nwb_validates
from map_assets.nwb.write import write_nwb
from map_assets.vocabulary.files import sha256_of

VERDICTS = (nwb_validates, nwb_is_clean, nwb_gives_the_tables_back)
BEHAVIOR = ("sessions", "trials", "skipped_trials", "trial_events", "licks", "photostim_sites")


@pytest.fixture(scope="module")
def good(full_session: dict[str, pa.Table], made: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nwb") / "good.nwb"
    write_nwb(path, made.key, full_session, made.subject, made.laboratory)
    return path


@pytest.fixture(scope="module")
def behavior_only(
    full_session: dict[str, pa.Table], made: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("nwb") / "behavior.nwb"
    write_nwb(path, made.key, {name: full_session[name] for name in BEHAVIOR}, made.subject, made.laboratory)
    return path


@pytest.fixture(scope="module")
def inspected(good: Path, full_session: dict[str, pa.Table]) -> Inspection:
    return inspect_nwb(good, full_session)


def beside_single_rows(found: Inspection) -> list[tuple[str, str]]:
    """Messages of the inspector; that a table of one row is suspicious is a mere suggestion, and does not hold here."""
    told = [(message.check, message.importance) for message in found.messages]
    return [one for one in told if one != ("check_single_row", "BEST_PRACTICE_SUGGESTION")]


def test_a_full_session_passes_every_gate_without_even_a_suggestion(inspected: Inspection) -> None:
    found = inspected
    assert beside_single_rows(found) == []
    assert found.n_inspector_checks > 50
    assert (found.n_trials, found.n_units) == (40, 40)
    assert all(verdict(found).passed for verdict in VERDICTS)


def test_a_behavior_only_session_passes_every_gate(behavior_only: Path, full_session: dict[str, pa.Table]) -> None:
    found = inspect_nwb(behavior_only, {name: full_session[name] for name in BEHAVIOR})
    assert beside_single_rows(found) == []
    assert (found.n_trials, found.n_units) == (40, 0)
    assert all(verdict(found).passed for verdict in VERDICTS)


def test_trials_alone_pass_every_gate(made: SimpleNamespace, tmp_path: Path) -> None:
    tables = {name: table for name, table in made.behavior(12, with_photostim=False).items() if name in BEHAVIOR[:2]}
    write_nwb(tmp_path / "x.nwb", made.key, tables, made.subject, made.laboratory)
    found = inspect_nwb(tmp_path / "x.nwb", tables)
    assert all(verdict(found).passed for verdict in VERDICTS), found.messages
    with h5py.File(tmp_path / "x.nwb") as file:
        assert "optogenetics" not in file["general"]
        assert "photostim_onset_time" not in file["intervals/trials"]
        assert set(file["intervals/trials/photostim_site"].asstr()[:]) == {"none"}


def test_a_session_without_kept_trials_is_still_a_valid_file(made: SimpleNamespace, tmp_path: Path) -> None:
    tables = {name: table.slice(0, 0) for name, table in made.behavior(4).items() if name != "sessions"}
    tables["sessions"] = made.behavior(4)["sessions"]
    tables |= made.ephys(made.behavior(4)["trials"], n_units=6)
    write_nwb(tmp_path / "x.nwb", made.key, tables, made.subject, made.laboratory)
    found = inspect_nwb(tmp_path / "x.nwb", tables)
    assert (found.n_trials, found.n_units) == (0, 0)
    assert all(verdict(found).passed for verdict in VERDICTS), found.messages


def test_one_video_of_one_trial_has_a_rate_and_passes(made: SimpleNamespace, tmp_path: Path) -> None:
    tables = made.behavior(8)
    tables["tracking"] = made.tracking(tables["trials"].slice(1, 1))
    write_nwb(tmp_path / "x.nwb", made.key, tables, made.subject, made.laboratory)
    assert nwb_is_clean(inspect_nwb(tmp_path / "x.nwb")).passed
    with h5py.File(tmp_path / "x.nwb") as file:
        start = file["processing/behavior/position_side/jaw/starting_time"]
        assert start.attrs["rate"] == pytest.approx(294.1176)
        assert start[()] == tables["trials"]["start_s"][1].as_py()


def test_untraced_probes_and_probes_of_unknown_type_pass(made: SimpleNamespace, tmp_path: Path) -> None:
    tables = made.behavior(8)
    tables |= made.ephys(tables["trials"], n_units=6)
    untraced = {"ccf_ap_um": None, "ccf_dv_um": None, "ccf_ml_um": None, "region_id": None, "region": None}
    rows = [
        row | untraced | {"region_status": "not traced", "hemisphere": None} for row in tables["electrodes"].to_pylist()
    ]
    unknown = {"probe_type": None, "part_number": None, "serial_number": None, "n_shanks": None}
    probes = [row | unknown for row in tables["probes"].to_pylist()]
    tables["electrodes"] = pa.Table.from_pylist(rows, tables["electrodes"].schema)
    tables["probes"] = pa.Table.from_pylist(probes, tables["probes"].schema)
    for _ in range(2):
        write_nwb(tmp_path / "x.nwb", made.key, tables, made.subject, made.laboratory)
        found = inspect_nwb(tmp_path / "x.nwb", tables)
        assert beside_single_rows(found) == []
        assert all(verdict(found).passed for verdict in VERDICTS)
        with h5py.File(tmp_path / "x.nwb") as file:
            assert set(file["general/extracellular_ephys/electrodes/location"].asstr()[:]) == {"root"}
            assert "x" not in file["general/extracellular_ephys/electrodes"]
        tables.pop("electrodes", None)  # the second time, the contacts are those of probe_sites


def _cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _no_hdf5(path: Path) -> None:
    path.write_text("session,trial\nSC022,1\n")


def _hdf5_but_no_nwb(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["numbers"] = np.arange(4)


@pytest.mark.parametrize("spoil", [_cut_short, _empty, _no_hdf5, _hdf5_but_no_nwb, Path.unlink])
def test_a_file_that_cannot_be_read_fails_every_gate(
    spoil: Callable[[Path], None], good: Path, full_session: dict[str, pa.Table], tmp_path: Path
) -> None:
    path = shutil.copy(good, tmp_path / "bad.nwb")
    spoil(path)
    found = inspect_nwb(path, full_session)
    assert not found.can_be_read
    assert found.n_inspector_checks == 0
    assert [message.gate for message in found.messages] == ["reading"]
    for verdict in VERDICTS:
        assert not verdict(found).passed
        assert "read" in verdict(found).description


def test_a_common_name_is_no_species(good: Path, full_session: dict, made: SimpleNamespace, tmp_path: Path) -> None:
    subject = dataclasses.replace(made.subject, species="mouse")
    write_nwb(tmp_path / "x.nwb", made.key, {name: full_session[name] for name in BEHAVIOR}, subject, made.laboratory)
    found = inspect_nwb(tmp_path / "x.nwb")
    assert beside_single_rows(found) == [("check_subject_species_form", "CRITICAL")]
    assert nwb_validates(found).passed
    assert not nwb_is_clean(found).passed
    assert "mouse" in nwb_is_clean(found).description


def test_an_animal_without_age_fails(full_session: dict, made: SimpleNamespace, tmp_path: Path) -> None:
    subject = dataclasses.replace(made.subject, date_of_birth=None)
    write_nwb(tmp_path / "x.nwb", made.key, {name: full_session[name] for name in BEHAVIOR}, subject, made.laboratory)
    found = inspect_nwb(tmp_path / "x.nwb")
    assert [check for check, _ in beside_single_rows(found)] == ["check_subject_age"]
    assert not nwb_is_clean(found).passed


def test_a_file_without_subject_fails(tmp_path: Path) -> None:
    from pynwb import NWBHDF5IO, NWBFile

    with NWBHDF5IO(tmp_path / "x.nwb", "w") as io:
        io.write(NWBFile("a session", "an identifier", datetime(2019, 2, 28, tzinfo=UTC), session_id="x"))
    found = inspect_nwb(tmp_path / "x.nwb")
    assert ("check_subject_exists", "CRITICAL") in [(message.check, message.importance) for message in found.messages]
    assert nwb_validates(found).passed
    assert not nwb_is_clean(found).passed


def test_a_file_that_breaks_the_schema_fails(behavior_only: Path, tmp_path: Path) -> None:
    path = shutil.copy(behavior_only, tmp_path / "x.nwb")
    with h5py.File(path, "r+") as file:
        file["events/licks/timestamp"].attrs["unit"] = 3
    found = inspect_nwb(path)
    assert found.can_be_read
    assert found.n_validation_errors == 1
    assert "events/licks/timestamp" in nwb_validates(found).description
    assert not nwb_validates(found).passed
    assert not nwb_is_clean(found).passed


def test_a_file_that_lacks_a_part_is_told_of_both_by_the_reader_and_by_the_schema(
    behavior_only: Path, tmp_path: Path
) -> None:
    path = shutil.copy(behavior_only, tmp_path / "x.nwb")
    with h5py.File(path, "r+") as file:
        del file["intervals/trials/stop_time"]
    found = inspect_nwb(path)
    assert not found.can_be_read
    assert {message.gate for message in found.messages} == {"reading", "validation"}
    assert "stop_time" in nwb_validates(found).description
    assert not nwb_validates(found).passed
    assert not nwb_is_clean(found).passed


def test_an_inspection_in_which_no_check_ran_is_not_clean(inspected: Inspection) -> None:
    found = dataclasses.replace(inspected, n_inspector_checks=0)
    assert nwb_is_clean(found).description == "No check of the inspector ran."
    assert not nwb_is_clean(found).passed


def test_a_file_that_was_not_compared_does_not_give_the_tables_back(inspected: Inspection) -> None:
    assert not nwb_gives_the_tables_back(dataclasses.replace(inspected, roundtrip=None)).passed


def test_the_row_keeps_what_the_gates_said(good: Path, inspected: Inspection, made: SimpleNamespace) -> None:
    found = inspected
    table = make_nwb_row(made.key, good, "files/nwb/x.nwb", found)
    row = table.to_pylist()[0]
    assert (row["sha256"], row["size"]) == (sha256_of(good), good.stat().st_size)
    assert (row["n_units"], row["n_trials"], row["path"]) == (40, 40, "files/nwb/x.nwb")
    assert row["made_from"] == "{}", "no store holds its tables"
    for verdict in VERDICTS:
        assert verdict(table) == verdict(found)
    bad = dataclasses.replace(found, can_be_read=False)
    for verdict in VERDICTS[:2]:
        assert not verdict(make_nwb_row(made.key, good, "files/nwb/x.nwb", bad)).passed


def _change(path: Path, name: str, row: int, by: float) -> None:
    with h5py.File(path, "r+") as file:
        values = file[name]
        values[row] = values[row] + by


@pytest.mark.parametrize(
    ("name", "row", "by", "told"),
    [
        ("units/spike_times", 1000, 1e-6, "spikes: 1 of 40 units differ"),
        ("units/unit_id", 3, 1, "with other numbers"),
        ("units/spike_times_index", 7, 2, "spikes: 2 of 40 units differ"),
        ("intervals/trials/start_time", 5, 1e-4, "trials.start_s: 1 of 40 differ"),
        ("intervals/trials/stop_time", 5, np.nan, "trials.stop_s: 1 of 40 differ"),
        ("intervals/trials/trial", 39, 1, "trials.trial: 1 of 40 differ"),
        ("events/licks/timestamp", 0, -1e-3, "licks.time_s: 1 of 120 differ"),
    ],
)
def test_one_changed_value_is_found(
    name: str, row: int, by: float, told: str, good: Path, full_session: dict[str, pa.Table], tmp_path: Path
) -> None:
    path = shutil.copy(good, tmp_path / "changed.nwb")
    assert compare_with_tables(path, full_session).passed
    _change(path, name, row, by)
    verdict = compare_with_tables(path, full_session)
    assert not verdict.passed
    assert told in verdict.description


def test_missing_units_and_missing_trials_are_found(
    good: Path, behavior_only: Path, full_session: dict[str, pa.Table]
) -> None:
    assert "units: none in the file, 40 in the tables" in compare_with_tables(behavior_only, full_session).description
    fewer = full_session | {"trials": full_session["trials"].slice(0, 39)}
    assert "trials.trial: 40 in the file, 39 in the table" in compare_with_tables(good, fewer).description
