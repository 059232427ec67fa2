"""A made-up laboratory is written where there is room for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from map_assets.cli import app
from map_assets.cli.demo import _preset
from map_assets.simulate.plans import PRESETS


@pytest.mark.parametrize("short", ["demo", "example", "small", "map"])
def test_every_preset_of_the_help_is_one(short: str) -> None:
    assert _preset(short, PRESETS).startswith(short)


def test_every_preset_can_be_named() -> None:
    assert [_preset(name, PRESETS) for name in PRESETS] == list(PRESETS)


def test_a_preset_that_is_none(tmp_path: Path, one_sentence: Callable[[str], str]) -> None:
    done = CliRunner().invoke(app, ["simulate", str(tmp_path / "new"), "--preset", "huge"])
    assert done.exit_code == 1
    assert "huge" in one_sentence(done.stderr)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path, one_sentence: Callable[[str], str]) -> None:
    (tmp_path / "map_assets.toml").write_text("# mine\n")
    done = CliRunner().invoke(app, ["simulate", str(tmp_path)])
    assert done.exit_code == 1
    one_sentence(done.stderr)
    assert (tmp_path / "map_assets.toml").read_text() == "# mine\n"
    assert len(list(tmp_path.iterdir())) == 1
