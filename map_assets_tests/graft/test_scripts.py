"""A script as the body of an analysis: handed its tables, run by Dagster Pipes, taken at its word only as far as declared."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from grafting import GraftLab, change, written

from map_assets.defs.graft_runs import run_graft
from map_assets.defs.home import open_instance
from map_assets.graft import SESSION, Script, Table, by_script, flag, many, open_private, real, text, whole
from map_assets.graft.installed import graft_named
from map_assets.graft.script import Call, ScriptFailed, run_script
from map_assets.vocabulary.errors import TableDoesNotFit


@pytest.fixture
def octave() -> str:
    """The program; a test that needs it is skipped where it is absent."""
    program = shutil.which("octave-cli")
    if program is None:
        if os.environ.get("MAP_REQUIRE_OCTAVE") == "1":
            pytest.fail("MAP_REQUIRE_OCTAVE is set and GNU Octave is not installed")
        pytest.skip("GNU Octave is not on this machine")
    return program


NAME = "counted"

EVERYTHING = Table(
    "everything",
    "every kind of column",
    ("session", "n"),
    (
        SESSION,
        whole("n", "whole"),
        real("x", "real", nullable=True),
        text("word", "text", nullable=True),
        flag("is_so", "flag"),
        many("values", pa.float64(), "list"),
    ),
)
INPUT = pa.table(
    {
        "n": pa.array([1, 2, 3]),
        "x": pa.array([0.5, None, -2.25]),
        "word": ["left", None, 'a "b", c'],
        "is_so": [True, False, True],
        "values": [[1.0, 2.5], [], [3.0]],
        "at": pa.array([datetime(2026, 1, 2, tzinfo=UTC)] * 3, pa.timestamp("us", "UTC")),
    }
)


@pytest.mark.usefixtures("octave")
def test_an_octave_script_from_the_template_is_run_by_pipes_and_speaks_into_the_runs_log(
    lab: GraftLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "package", NAME, monkeypatch, "octave")
    key = lab.keys[0]
    report = run_graft(graft_named(NAME).graft, lab.services, lab.config_file, [key])
    assert (report.made, report.failed) == ([key], {})
    made = open_private("susu", lab.config_file).table(NAME, key).set_index(["probe", "unit_id"])
    store = lab.services.store
    rates = dict(
        zip(*(store.read("probes", key)[name].to_pylist() for name in ("probe", "sample_rate_hz")), strict=True)
    )
    spikes = store.read("spikes", key)
    assert len(made) == spikes.num_rows > 0
    for probe, unit_id, samples in zip(
        *(spikes[name].to_pylist() for name in ("probe", "unit_id", "samples")), strict=True
    ):
        row = made.loc[(probe, unit_id)]
        assert row["n_spikes"] == len(samples)
        assert row["median_interval_s"] == pytest.approx(np.median(np.diff(samples)) / rates[probe])

    instance = open_instance(lab.services.config.orchestration.home)
    (run,) = instance.get_runs()
    said = [entry.user_message for entry in instance.all_logs(run.run_id)]
    assert any(f"{len(made)} of {len(made)} units" in one for one in said)


@pytest.mark.usefixtures("octave")
def test_an_octave_script_that_fails_is_told_of_in_its_own_words_and_a_changed_line_of_it_is_seen(
    lab: GraftLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = written(tmp_path / "package", NAME, monkeypatch, "octave").with_name("body.m")
    key = lab.keys[0]
    change(body, "spikes = tables.spikes;", "error('no spikes today');", NAME)
    report = run_graft(graft_named(NAME).graft, lab.services, lab.config_file, [key])
    assert "body.m ended with exit code 1: error: no spikes today." in report.failed[key]
    change(body, "error('no spikes today');", "spikes = tables.spikes;", NAME)
    assert run_graft(graft_named(NAME).graft, lab.services, lab.config_file, [key]).made == [key]


def test_a_program_that_is_not_there_is_named(lab: GraftLab, tmp_path: Path) -> None:
    script = tmp_path / "body.x"
    script.write_text("")
    graft = by_script(EVERYTHING, Script(script, ("no_such_program",)), namespace="susu", reads=("trials",))
    report = run_graft(graft, lab.services, lab.config_file, lab.keys[:1])
    assert "no_such_program cannot be started" in report.failed[lab.keys[0]]


def copies(call: Call) -> None:
    """A script that gives back what it was handed."""
    inputs, output = Path(call.extras["inputs"]), Path(call.extras["output"])
    if output.suffix == ".csv":
        output.write_bytes((inputs / "given.csv").read_bytes())
        return
    from scipy.io import loadmat, savemat

    given = loadmat(inputs)["given"][0, 0]
    savemat(output, {name: given[name] for name in given.dtype.names})


@pytest.mark.parametrize("form", ["mat", "csv"])
def test_what_is_handed_over_comes_back_as_it_was(form: str, tmp_path: Path) -> None:
    script = tmp_path / "body.x"
    script.write_text("")
    graft = by_script(EVERYTHING, Script(script, ("x",), form), namespace="susu", reads=("trials",))
    folder = tmp_path / "folder"
    folder.mkdir()
    handed = INPUT.drop_columns(["at"])
    found = run_script(graft, "S", {"given": handed}, folder, copies)
    assert found.drop_columns(["session"]).to_pydict() == handed.to_pydict()
    assert found["session"].to_pylist() == ["S"] * 3


def test_a_csv_script_reads_instants_and_its_settings(tmp_path: Path) -> None:
    script = tmp_path / "body.py"
    script.write_text(
        "import csv, json, os, sys\n"
        "told = json.load(open(os.environ['MAP_ASSETS_CONTEXT']))['extras']\n"
        "rows = list(csv.DictReader(open(told['inputs'] + '/given.csv')))\n"
        "assert rows[0]['at'] == '2026-01-02T00:00:00+00:00', rows[0]\n"
        "out = csv.writer(open(told['output'], 'w'))\n"
        "out.writerow(['n', 'is_so', 'values'])\n"
        "out.writerow([told['parameters']['most'], 'TRUE', '1;2.5'])\n"
    )

    def launch(call: Call) -> None:
        import json
        import subprocess

        (call.folder / "context.json").write_text(json.dumps({"extras": dict(call.extras)}))
        environment = {**os.environ, "MAP_ASSETS_CONTEXT": str(call.folder / "context.json")}
        subprocess.run(call.command, env=environment, check=True)

    script_of = Script(script, (sys.executable,), "csv")
    graft = by_script(EVERYTHING, script_of, namespace="susu", reads=("trials",), parameters={"most": 7})
    folder = tmp_path / "folder"
    folder.mkdir()
    assert run_script(graft, "S", {"given": INPUT}, folder, launch).to_pylist() == [
        {"session": "S", "n": 7, "x": None, "word": None, "is_so": True, "values": [1.0, 2.5]}
    ]


@pytest.mark.parametrize(
    ("written_as", "error", "said"),
    [
        ("n,is_so,values\n1.5,TRUE,\n", TableDoesNotFit, "everything.n"),
        ("n,is_so,values\nx,TRUE,\n", ScriptFailed, "column n"),
        ("n,is_so\n1,TRUE\n", TableDoesNotFit, "values is missing"),
        ("", ScriptFailed, "is empty"),
        (None, ScriptFailed, "left no output.csv"),
    ],
)
def test_output_that_is_not_what_was_declared_is_refused(
    written_as: str | None, error: type[Exception], said: str, tmp_path: Path
) -> None:
    script = tmp_path / "body.x"
    script.write_text("")
    graft = by_script(EVERYTHING, Script(script, ("x",), "csv"), namespace="susu", reads=("trials",))
    folder = tmp_path / "folder"
    folder.mkdir()

    def launch(call: Call) -> None:
        if written_as is not None:
            Path(call.extras["output"]).write_text(written_as)

    with pytest.raises(error, match=said):
        run_script(graft, "S", {"given": INPUT}, folder, launch)


def test_pipes_is_the_version_whose_messages_the_template_writes() -> None:
    from dagster_pipes import PIPES_PROTOCOL_VERSION

    template = Path(sys.modules["map_assets"].__file__).parent / "graft" / "template" / "octave" / "src" / "NAME"
    assert f'"__dagster_pipes_version":"{PIPES_PROTOCOL_VERSION}"' in (template / "report.m.template").read_text()
