"""The command as a process of its own: quick to answer, and of use where Dagster is not installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from small_laboratory import GOOD, PLAN, Terminal

from map_assets.simulate.laboratory import write_laboratory

HEAVY = ["dagster", "pandas", "pyarrow", "duckdb", "numpy", "scipy", "matplotlib", "sqlalchemy", "pynwb", "pydantic"]
COMMAND = str(Path(sys.executable).with_name("map-assets"))

WITHOUT_DAGSTER = """
import json, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"dagster", "dagster_webserver"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
from typer.testing import CliRunner
from map_assets.cli import app
answers = []
for arguments in json.loads(sys.argv[1]):
    done = CliRunner().invoke(app, arguments)
    answers.append([done.exit_code, done.stdout, done.stderr])
print(json.dumps(answers))
"""


def without_dagster(lab: Terminal, *commands: list[str]) -> list[tuple[int, str, str]]:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DAGSTER, json.dumps(commands)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MAP_ASSETS_CONFIG": str(lab.config_file)},
    )
    return [tuple(answer) for answer in json.loads(done.stdout)]


def test_all_but_three_commands_work_where_dagster_is_not_installed(lab: Terminal, tmp_path: Path) -> None:
    commands = [
        ["--help"], ["status"], ["sessions", "--json"], ["show", GOOD], ["tables"], ["query", "select count(*) from trials"],
        ["config"], ["quarantine", "list"], ["registry", "history"], ["simulate", str(tmp_path / "new"), "--preset", "example"],
        ["demo", "--help"], ["ingest", "--help"], ["up", "--help"],
    ]  # fmt: skip
    answers = without_dagster(lab, *commands)
    assert {tuple(command): code for command, (code, _, _) in zip(commands, answers, strict=True) if code} == {}


def test_the_three_that_need_dagster_say_how_to_install_it(lab: Terminal) -> None:
    for code, out, err in without_dagster(lab, ["up"], ["ingest"], ["demo", "--exit"]):
        assert code == 1
        assert out == ""
        (line,) = err.strip().splitlines()
        assert 'pip install "map-assets[dagster]"' in line


def test_help_is_there_at_once_and_loads_nothing_heavy() -> None:
    took = []
    for _ in range(2):
        began = time.perf_counter()
        done = subprocess.run([COMMAND, "--help"], capture_output=True, text=True, check=True)
        took.append(time.perf_counter() - began)
        assert "ingest" in done.stdout
    assert min(took) < 2.0
    code = f"import sys, map_assets.cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_pipe_that_closes_early_is_no_traceback(lab: Terminal) -> None:
    done = subprocess.run(
        f"{COMMAND} tables --columns --json | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MAP_ASSETS_CONFIG": str(lab.config_file)},
    )
    assert done.stdout == "[\n"
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> tuple[Terminal, list[subprocess.CompletedProcess[str]]]:
    """A laboratory whose files count after an hour, taken up by `ingest` at once: first the sound session alone, then all."""
    root = tmp_path_factory.mktemp("ingested")
    write_laboratory(root, PLAN, settle_s=3600.0)
    lab = Terminal(root)
    environment = {**os.environ, "MAP_ASSETS_CONFIG": str(lab.config_file)}
    commands = (["ingest", GOOD, "--settle-s", "0", "--json"], ["ingest", "--settle-s", "0"])
    done = [
        subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=False, env=environment)
        for arguments in commands
    ]
    return lab, done


@pytest.mark.slow
def test_ingest_of_one_session_succeeds_when_its_rest_waits_for_something_named(ingested) -> None:
    lab, (one, _) = ingested
    assert one.returncode == 0, one.stderr
    *_, total = json.loads(one.stdout)
    assert [wait["stage"] for wait in total["waits"]] == ["nwb_file"]
    assert total["quarantine"] == []
    assert total["waiting"] == 1
    assert lab.services.store.sessions() == [GOOD]


@pytest.mark.slow
def test_ingest_of_all_fails_when_anything_is_put_aside(ingested) -> None:
    _, (_, everything) = ingested
    assert everything.returncode == 1
    assert "Files in quarantine" in everything.stdout
    assert "truncated" in everything.stderr
    assert "Traceback" not in everything.stderr


def test_ingest_of_a_session_that_is_on_no_share_fails(lab: Terminal, one_sentence: Callable[[str], str]) -> None:
    assert "imec" in one_sentence(lab("ingest", "imec", code=1).err)
