"""Somebody's own analysis: from the template into the namespace, the shared store untouched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from grafting import GraftLab, change, written
from typer.testing import CliRunner

from map_assets.cli.graft import app
from map_assets.defs.graft_runs import run_graft
from map_assets.graft import open_private
from map_assets.graft.door import NoSuchNamespace, NotDeclared, open_declared
from map_assets.graft.installed import NoSuchGraft, graft_named, installed

NAME = "go_change"


def everything_under(folder: Path) -> dict[str, int]:
    """Every file of the store but the namespaces', with its time of change."""
    files = (path for path in folder.rglob("*") if path.is_file() and "private" not in path.parts)
    return {str(path): path.stat().st_mtime_ns for path in files}


def test_an_analysis_from_the_template_is_made_in_its_namespace_and_touches_nothing_shared(
    lab: GraftLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "package", NAME, monkeypatch)
    before = everything_under(lab.store)
    services = lab.services
    graft = graft_named(NAME).graft
    report = run_graft(graft, services, lab.config_file)
    assert (report.made, report.failed) == (lab.keys, {})
    assert everything_under(lab.store) == before
    assert services.ledger.stage_records(lab.keys[0]) == {}

    mine = open_private("susu", lab.config_file)
    made = mine.table(NAME)
    assert set(made["session"]) == set(lab.keys)
    assert made["modulation"].between(-1, 1).all()
    s = mine.session(lab.keys[0])
    unit = made[(made["session"] == s.key) & (made["n_trials"] > 0)].iloc[0]
    spikes = s.aligned_spikes("go", int(unit["probe"]), int(unit["unit_id"]), window=(0, 0.4))
    assert unit["after_hz"] == pytest.approx(spikes.n_spikes.mean() / 0.4)
    assert s.figure(NAME).png.startswith(b"\x89PNG")
    assert {NAME, f"{NAME}_figure", "trials"} <= set(s.tables())
    (n_rows,) = mine.sql(f"select count(*) as n from {NAME} join units using (session, probe, unit_id)")["n"]
    assert n_rows == len(made)
    assert NAME in set(mine.tables()["table"])


def test_what_stands_is_kept_until_its_code_or_what_it_reads_changes(
    lab: GraftLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = written(tmp_path / "package", NAME, monkeypatch)
    services = lab.services
    key = lab.keys[0]
    assert run_graft(graft_named(NAME).graft, services, lab.config_file, [key]).made == [key]
    assert run_graft(graft_named(NAME).graft, services, lab.config_file, [key]).kept == [key]

    change(body, "/ window_s", "/ (2 * window_s)", NAME)
    assert run_graft(graft_named(NAME).graft, services, lab.config_file, [key]).made == [key]
    assert run_graft(graft_named(NAME).graft, services, lab.config_file, [key]).kept == [key]

    from map_assets.catalog import BY_NAME

    trials = services.store.read("trials", key)
    services.store.write(BY_NAME["trials"], key, trials.slice(0, trials.num_rows - 1))
    assert run_graft(graft_named(NAME).graft, services, lab.config_file, [key]).made == [key]
    assert run_graft(graft_named(NAME).graft, services, lab.config_file, [key], again=True).made == [key]


def test_a_claim_that_does_not_hold_stops_the_figure_and_is_told(
    lab: GraftLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = written(tmp_path / "package", NAME, monkeypatch)
    change(body, "np.abs(values) <= 1", "np.abs(values) < 0", NAME)
    key = lab.keys[0]
    report = run_graft(graft_named(NAME).graft, lab.services, lab.config_file, [key])
    assert "modulation_is_within_its_bounds" in report.failed[key]
    again = run_graft(graft_named(NAME).graft, lab.services, lab.config_file, [key])
    assert "modulation_is_within_its_bounds" in again.waiting[key]
    assert f"{NAME}_figure" not in open_private("susu", lab.config_file).session(key).tables()


def test_an_analysis_that_fails_says_why_and_is_not_tried_again_until_something_changes(
    lab: GraftLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = written(tmp_path / "package", NAME, monkeypatch)
    change(body, "    spikes = s.aligned", "    raise ValueError('no idea')\n    spikes = s.aligned", NAME)
    key = lab.keys[0]
    for _ in range(2):
        report = run_graft(graft_named(NAME).graft, lab.services, lab.config_file, [key])
        assert "no idea" in report.failed[key]
    change(body, "    raise ValueError('no idea')\n", "", NAME)
    assert run_graft(graft_named(NAME).graft, lab.services, lab.config_file, [key]).made == [key]


def test_a_table_that_is_not_declared_cannot_be_read(
    lab: GraftLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = written(tmp_path / "package", NAME, monkeypatch)
    change(body, '"trials", "units"', '"trials"', NAME)
    graft = graft_named(NAME).graft
    s = open_declared(lab.store, lab.keys[0], graft)
    assert len(s.trials())
    with pytest.raises(NotDeclared, match="units; add it to its `reads`"):
        s.table("units")
    with pytest.raises(NotDeclared, match=lab.keys[1]):
        s._lab.table("trials", lab.keys[1])


def test_a_table_that_a_blocking_check_refused_holds_up_what_rests_on_it(
    lab: GraftLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "package", NAME, monkeypatch)
    services, key = lab.services, lab.keys[0]
    detail = '{"made": ["units"], "blocked": "every_unit_has_an_electrode", "inputs": {}}'
    services.ledger.record_stage(key, "sortings", "x", "done", detail)
    report = run_graft(graft_named(NAME).graft, services, lab.config_file, [key])
    assert "every_unit_has_an_electrode" in report.waiting[key]
    services.ledger.record_stage(key, "sortings", "x", "failed", detail.replace("every_unit_has_an_electrode", ""))
    assert "sortings, which failed" in run_graft(graft_named(NAME).graft, services, lab.config_file, [key]).waiting[key]


def test_a_package_that_cannot_be_loaded_stops_no_other(
    lab: GraftLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "package", NAME, monkeypatch)
    body = written(tmp_path / "broken", "counted", monkeypatch)
    change(body, "TABLE = Table(", "TABLE = Tabel(", "counted")
    states = {one.name: one.fault for one in installed()}
    assert states[NAME] == ""
    assert "Tabel" in states["counted"]
    with pytest.raises(NoSuchGraft, match="Tabel"):
        graft_named("counted")
    with pytest.raises(NoSuchGraft, match=NAME):
        graft_named("nothing")
    shown = CliRunner().invoke(app, ["list"], env={"MAP_ASSETS_CONFIG": str(lab.config_file)})
    assert shown.exit_code == 0
    assert "private" in shown.stdout
    assert "Tabel" in shown.stdout


def test_a_namespace_that_holds_nothing_is_said_to(lab: GraftLab) -> None:
    with pytest.raises(NoSuchNamespace, match="nobody"):
        open_private("nobody", lab.config_file)


@pytest.mark.parametrize("language", ["python", "octave"])
def test_the_tests_of_the_template_pass(language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "package", NAME, monkeypatch, language)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "package" / "tests")],
        capture_output=True, text=True, check=False, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path / "package" / "src")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
