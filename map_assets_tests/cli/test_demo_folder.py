"""The demonstration's folder: its own is gone on with, anybody else's is left alone."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from small_laboratory import PLAN

from map_assets.cli.demo_folder import MARKER, NotADemo, demo_folder


def written(folder: Path, seed: int = 1, *, is_fresh: bool = False) -> Path:
    with demo_folder(folder, PLAN, seed, is_fresh=is_fresh) as config_file:
        return config_file


def test_the_laboratory_is_written_with_short_waits(tmp_path: Path) -> None:
    found = tomllib.loads(written(tmp_path / "demo").read_text())
    assert found["orchestration"]["scan_interval_s"] == 2
    assert {share["settle_s"] for share in found["shares"].values()} == {2.0}


def test_it_goes_on_with_what_is_there(tmp_path: Path) -> None:
    config_file = written(tmp_path / "demo")
    kept = config_file.parent / "data" / "kept"
    kept.parent.mkdir()
    kept.touch()
    when = config_file.stat().st_mtime_ns
    assert written(tmp_path / "demo") == config_file
    assert kept.exists()
    assert config_file.stat().st_mtime_ns == when


def test_fresh_starts_over(tmp_path: Path) -> None:
    kept = written(tmp_path / "demo").parent / "data"
    kept.mkdir()
    written(tmp_path / "demo", seed=2, is_fresh=True)
    assert not kept.exists()


@pytest.mark.parametrize("is_fresh", [False, True])
def test_a_folder_that_is_no_demonstration_is_left_alone(tmp_path: Path, is_fresh: bool) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(NotADemo, match="no demonstration"):
        written(tmp_path, is_fresh=is_fresh)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_another_seed_is_another_demonstration(tmp_path: Path) -> None:
    written(tmp_path / "demo")
    with pytest.raises(NotADemo, match="--fresh"):
        written(tmp_path / "demo", seed=2)


def test_a_configuration_that_was_edited_is_not_gone_on_with(tmp_path: Path) -> None:
    config_file = written(tmp_path / "demo")
    config_file.write_text(config_file.read_text() + "\n# mine\n")
    with pytest.raises(NotADemo, match="edited"):
        written(tmp_path / "demo")
    assert "# mine" in config_file.read_text()


def test_a_demonstration_that_runs_is_not_disturbed(tmp_path: Path) -> None:
    with demo_folder(tmp_path / "demo", PLAN, 1, is_fresh=False) as config_file:
        with pytest.raises(NotADemo, match="running"):
            written(tmp_path / "demo", is_fresh=True)
        assert config_file.is_file()


def test_one_that_broke_off_while_it_was_written_starts_over(tmp_path: Path) -> None:
    config_file = written(tmp_path / "demo")
    (config_file.parent / MARKER).write_text("")
    half = config_file.parent / "rig1" / "half"
    half.touch()
    assert written(tmp_path / "demo").is_file()
    assert not half.exists()


def test_a_link_in_the_folder_is_removed_and_what_it_points_at_is_not(tmp_path: Path) -> None:
    folder = written(tmp_path / "demo").parent
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    (folder / "link").symlink_to(elsewhere)
    written(tmp_path / "demo", is_fresh=True)
    assert not (folder / "link").exists()
    assert (elsewhere / "kept").exists()
