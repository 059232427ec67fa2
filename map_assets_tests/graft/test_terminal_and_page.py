"""The terminal's commands for grafts, and the page about them: what it shows works."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer
from grafting import GraftLab, change, forget, install
from typer.testing import CliRunner

from map_assets.cli.graft import app
from map_assets.cli.new_analysis import new_analysis
from map_assets.graft.scaffold import CannotBeWritten, write_package

PAGE = Path(__file__).parents[2] / "docs" / "your_own_analysis.md"
NAME = "reaction_times"

_new = typer.Typer()
_new.command()(new_analysis)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_pages_analysis_goes_all_the_way_by_the_terminal(
    lab: GraftLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAP_ASSETS_CONFIG", str(lab.config_file))
    declaration, reading, scripts = blocks("python")
    package = tmp_path / "package" / "src" / NAME
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(declaration)
    install(tmp_path / "package", NAME, monkeypatch)

    def graft(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, list(words))
        assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
        return done.stdout

    rows = json.loads(graft("run", NAME, lab.keys[0], "--json"))
    assert rows == [{"session": lab.keys[0], "state": "made", "why": ""}]
    (in_the_way,) = json.loads(graft("check", NAME, "--json", code=1))
    assert lab.keys[1] in in_the_way["in_the_way"]
    assert [row["state"] for row in json.loads(graft("run", NAME, "--json"))] == ["kept", "made"]

    names: dict[str, object] = {}
    exec(reading, names)
    assert len(names["lab"].table(NAME)) > 0

    assert json.loads(graft("check", NAME, "--json")) == []
    graft("promote", NAME, "--why", "it has proved itself")
    (listed,) = json.loads(graft("list", "--json"))
    assert (listed["state"], listed["sessions"]) == ("shared", 2)
    assert scripts.count("Script(") == 3
    forget(NAME)


def test_a_run_that_fails_ends_with_exit_code_1_and_the_authors_own_words(
    lab: GraftLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAP_ASSETS_CONFIG", str(lab.config_file))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(_new, ["go_change", "--who", "susu"])
    assert done.exit_code == 0, done.stderr
    assert "pip install -e go_change" in done.stderr
    assert {Path(line).name for line in done.stdout.split()} >= {"pyproject.toml", "__init__.py", "test_go_change.py"}
    install(tmp_path / "go_change", "go_change", monkeypatch)
    change(
        tmp_path / "go_change" / "src" / "go_change" / "__init__.py",
        's.aligned_spikes("go"',
        's.aligned_spikes("og"',
        "go_change",
    )
    done = CliRunner().invoke(app, ["run", "go_change", lab.keys[0], "--json"])
    assert done.exit_code == 1
    (row,) = json.loads(done.stdout)
    assert row["state"] == "failed"
    assert "Trials have no instant 'og'" in row["why"]


@pytest.mark.parametrize(
    ("name", "namespace", "said"),
    [
        ("trials", "susu", "catalog already"),
        ("Go", "susu", "cannot be used"),
        ("class", "susu", "cannot be used"),
        ("fine", "../up", "namespace"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_before_anything_is_written(
    name: str, namespace: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(CannotBeWritten, match=said):
        write_package(name, namespace, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CannotBeWritten, match="not empty"):
        write_package("fine", "susu", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("language", ["python", "octave"])
def test_the_template_declares_its_entry_point_and_leaves_nothing_to_fill_in(language: str, tmp_path: Path) -> None:
    import ast
    import tomllib

    files = write_package("my_idea", "susu", tmp_path / "new", language)
    project = tomllib.loads((tmp_path / "new" / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["map_assets.analyses"] == {"my_idea": "my_idea:my_idea"}
    assert project["project"]["name"] == "my-idea"
    for path in files:
        assert "$" not in path.read_text()
        assert "NAME" not in path.relative_to(tmp_path).as_posix()
        if path.suffix == ".py":
            assert ast.get_docstring(ast.parse(path.read_text()))
