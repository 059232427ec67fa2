"""Commands that look tell what stands, and change nothing."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from small_laboratory import DAMAGED, DONE, GOOD, Terminal

from map_assets.catalog import BY_NAME

COUNTS = ("ingested", "waiting", "quarantined", "ignored")


def test_status_counts_every_file_and_names_what_waits_and_what_was_put_aside(lab: Terminal) -> None:
    *shares, total = lab("status", "--json").rows
    assert [row["share"] for row in shares] == ["rig1", "ephys", "histology", "tracking"]
    assert all(row["found"] == sum(row[name] for name in COUNTS) for row in [*shares, total])
    assert total["is_total"]
    assert (total["found"], total["ingested"], total["quarantined"]) == (2, 1, 1)
    ((wait,), (aside,), (failed,)) = total["waits"], total["quarantine"], total["failed_stages"]
    assert (wait["session"], wait["stage"]) == (GOOD, "nwb_file")
    assert "MK041" in wait["waits_for"]
    assert (aside["session"], aside["by"]) == (DAMAGED, "behavior")
    assert "truncated" in aside["reason"]
    assert (failed["session"], failed["stage"]) == (DAMAGED, "behavior")


def test_status_as_a_table_tells_the_same_and_each_reason_once(lab: Terminal) -> None:
    shown = lab("status").out
    assert "found = ingested + waiting + quarantined + ignored" in shown
    assert shown.count("truncated") == 1
    assert "nwb_file" in shown


def test_status_of_a_laboratory_that_nobody_has_looked_at(new_lab: Terminal) -> None:
    (rig, total) = new_lab("status", "--json").rows
    assert (rig["share"], rig["scan"], rig["found"], total["found"]) == ("rig1", "never scanned", 0, 0)
    assert "never scanned" in new_lab("status").out
    assert not (new_lab.root / "data").exists()


def test_status_tells_of_a_share_that_left_the_configuration(own_lab: Terminal) -> None:
    text = own_lab.config_file.read_text()
    own_lab.config_file.write_text(text.replace("[shares.rig1]", "[shares.rig7]"))
    rows = {row["share"]: row for row in own_lab("status", "--json").rows}
    assert rows["rig1"]["message"] == "It is not in the configuration any more."
    assert rows["rig7"]["scan"] == "never scanned"
    assert rows["total"]["found"] == 2


def test_sessions_tells_how_far_each_has_come(lab: Terminal) -> None:
    good, damaged = lab("sessions", "--json").rows
    assert (good["session"], good["n_trials"], good["is_archived"], good["has_nwb"]) == (GOOD, 8, True, False)
    assert good["is_waiting"]
    assert not good["has_failed"]
    assert (damaged["session"], damaged["n_trials"], damaged["has_failed"]) == (DAMAGED, None, True)


def test_show_tells_all_of_one_session(lab: Terminal) -> None:
    (page,) = lab("show", GOOD, "--json").rows
    assert page["facts"]["n_trials"] == 8
    assert page["files"] == [{"share": "rig1", "role": "behavior", "state": "ingested", "n_files": 1, "reason": None}]
    stages = {row["stage"]: row for row in page["stages"]}
    assert {name for name, row in stages.items() if row["state"] == "done"} == set(DONE)
    assert stages["nwb_file"]["state"] == "waits"
    assert stages["sortings"]["why"] == "no settled file of role sorting"
    assert stages["clock_maps"]["why"] == "no table ephys_trials"
    tables = {row["table"]: row["n_rows"] for row in page["tables"]}
    trials = lab.services.store.read("trials", GOOD).num_rows
    assert tables["trials"] == trials > 0
    (figure,) = page["figures"]
    assert Path(figure["file"]).read_bytes()[:4] == b"\x89PNG"
    (receipt,) = page["receipts"]
    assert receipt["n_files"] == 1
    assert Path(receipt["receipt"]).is_file()
    assert page["nwb"] == []


def test_show_tells_why_a_session_has_nothing(lab: Terminal) -> None:
    (page,) = lab("show", DAMAGED, "--json").rows
    assert page["tables"] == []
    assert "truncated" in next(row["why"] for row in page["stages"] if row["stage"] == "behavior")
    assert "truncated" in lab("show", DAMAGED).out


@pytest.mark.parametrize("key", ["MK041", "MK099_20240305_102508"])
def test_show_of_what_is_no_session(lab: Terminal, key: str, one_sentence: Callable[[str], str]) -> None:
    assert key in one_sentence(lab("show", key, code=1).err)


def test_tables_lists_every_table_of_the_catalog(lab: Terminal) -> None:
    rows = {row["table"]: row for row in lab("tables", "--json").rows}
    assert set(rows) == set(BY_NAME)
    assert rows["trials"]["n_sessions"] == 1
    assert rows["trials"]["key"] == ["session", "trial"]
    assert rows["units"]["n_sessions"] == 0
    assert rows["ccf_ontology"]["n_sessions"] is None


def test_tables_shows_the_columns_of_one(lab: Terminal) -> None:
    rows = {row["column"]: row for row in lab("tables", "trials", "--columns", "--json").rows}
    assert list(rows) == [column.name for column in BY_NAME["trials"].columns]
    assert (rows["photostim_power_mw"]["unit"], rows["photostim_power_mw"]["may_be_null"]) == ("mW", True)


def test_tables_of_no_such_table(lab: Terminal, one_sentence: Callable[[str], str]) -> None:
    assert "trails" in one_sentence(lab("tables", "trails", code=1).err)


def test_query_answers_as_table_json_and_csv(lab: Terminal) -> None:
    sql = "select session, trial, go_s, bitcode from trials order by trial"
    rows = lab("query", sql, "--json").rows
    expected = lab.services.store.read("trials", GOOD, ["session", "trial", "go_s", "bitcode"]).to_pylist()
    assert rows == expected
    read = list(csv.DictReader(io.StringIO(lab("query", sql, "--csv").out)))
    assert [float(row["go_s"]) if row["go_s"] else None for row in read] == [row["go_s"] for row in expected]
    assert "go_s" in lab("query", sql).out


def test_query_with_no_row_is_no_failure(lab: Terminal) -> None:
    sql = "select * from trials where trial < 0"
    assert lab("query", sql, "--json").rows == []
    assert lab("query", sql, "--csv").out.startswith("session,trial,")


@pytest.mark.parametrize(
    "sql", ["selct 1", "select nix from trials", "select * from nothing_such", "drop view trials", ""]
)
def test_query_that_cannot_be_answered(lab: Terminal, sql: str, one_sentence: Callable[[str], str]) -> None:
    one_sentence(lab("query", sql, code=1).err)


@pytest.mark.parametrize(
    "sql",
    [
        "copy trials to '{root}/out.csv'",
        "create table t as select 1",
        "attach '{root}/x.db'",
        "insert into trials select * from trials",
    ],
)
def test_query_changes_nothing(lab: Terminal, sql: str) -> None:
    before = digest(lab.root)
    lab("query", sql.format(root=lab.root), code=1)
    assert digest(lab.root) == before


def test_config_tells_where_each_value_comes_from(lab: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAP_ASSETS__ORCHESTRATION__SCAN_INTERVAL_S", "7")
    rows = {row["key"]: row for row in lab("config", "--json").rows}
    assert rows["orchestration.scan_interval_s"]["value"] == "7"
    assert rows["orchestration.scan_interval_s"]["source"] == "MAP_ASSETS__ORCHESTRATION__SCAN_INTERVAL_S"
    assert rows["shares.rig1.kind"]["source"] == str(lab.config_file)
    assert rows["orchestration.webserver_port"]["source"] == "default"


def digest(root: Path) -> dict[str, str]:
    """Hash every file but the database's own side files."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file() and not path.name.startswith("registry.db")
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"], ["sessions"], ["show", GOOD], ["tables"], ["tables", "--columns"], ["query", "select * from trials"],
        ["config"], ["quarantine", "list"], ["quarantine", "show", "MK041_tw2_20240306_110000.mat"], ["registry", "history"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_looking_changes_nothing_and_json_is_all_that_is_printed(lab: Terminal, arguments: list[str]) -> None:
    before = digest(lab.root)
    assert isinstance(lab(*arguments, "--json").rows, list)
    assert lab(*arguments).code == 0
    assert digest(lab.root) == before
