"""A failure is one sentence and an exit code, and a traceback only for whoever asks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from map_assets.cli import app, looking

Check = Callable[[str], str]


def test_a_configuration_that_is_not_there(one_sentence: Check, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["--config", str(tmp_path / "no.toml"), "status"])
    assert done.exit_code == 1
    assert str(tmp_path / "no.toml") in one_sentence(done.stderr)


def test_a_configuration_that_says_nonsense(one_sentence: Check, tmp_path: Path) -> None:
    config = tmp_path / "map_assets.toml"
    config.write_text('[shares.rig1]\nkind = "juggling"\npath = "x"\n')
    done = CliRunner().invoke(app, ["--config", str(config), "status"])
    assert done.exit_code == 1
    assert "shares.rig1.kind" in one_sentence(done.stderr)


def test_a_database_that_is_none(one_sentence: Check, tmp_path: Path) -> None:
    config = tmp_path / "map_assets.toml"
    (tmp_path / "registry.db").write_text("this is no database" * 100)
    config.write_text('[registry]\nurl = "sqlite:///registry.db"\n')
    done = CliRunner().invoke(app, ["--config", str(config), "sessions"])
    assert done.exit_code == 1
    assert "database" in one_sentence(done.stderr)


@pytest.mark.parametrize("arguments", [["no-such-command"], ["query"], ["up", "--port", "70000"], ["tables", "--nix"]])
def test_wrong_usage_is_exit_code_two(arguments: list[str]) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.fixture
def defect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken() -> None:
        raise RuntimeError("a defect\nin two lines")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(looking, "configuration", broken)


@pytest.mark.usefixtures("defect")
def test_what_nobody_expected_is_one_sentence_with_the_way_to_its_traceback(one_sentence: Check) -> None:
    done = CliRunner().invoke(app, ["status"])
    assert done.exit_code == 1
    said = one_sentence(done.stderr)
    assert "RuntimeError: a defect in two lines" in said
    assert "--traceback" in said


@pytest.mark.usefixtures("defect")
@pytest.mark.parametrize(("arguments", "variable"), [(["--traceback", "status"], ""), (["status"], "1")])
def test_who_asks_is_shown_where_it_comes_from(arguments: list[str], variable: str) -> None:
    done = CliRunner().invoke(app, arguments, env={"MAP_ASSETS_TRACEBACK": variable})
    assert done.exit_code == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert "in broken" in done.stderr
